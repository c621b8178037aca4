//! The column of ids: runs of ids of one type, each in the encoding that compresses best.
//!
//! `ObjectId`s consist of a time, a process and a counter: times and counters are stored as differences, processes as numbers
//! of a dictionary, and all of them as planes of bytes, which compress well. Other ids of a fixed size are stored as
//! differences, too; all other ids share a prefix with the id before.

use crate::record::{ByteReader, write_varint};

/// Largest size of all ids of a bucket.
const MAX_ID_BYTES: usize = 1 << 30;
/// Largest number of processes in a run of `ObjectId`s.
const MAX_PROCESSES: usize = 256;

/// The encoding of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// No bytes: null, `MinKey`, `MaxKey`, no id at all.
    Empty = 0,
    /// Differences of little-endian numbers of four bytes.
    Four = 1,
    /// Differences of little-endian numbers of eight bytes.
    Eight = 2,
    /// Time, process, counter.
    ObjectIds = 3,
    /// Length of the shared prefix, length of the rest, the rest.
    SharedPrefix = 4,
}

impl Encoding {
    fn choose(kind: u8, ids: &[&[u8]]) -> Self {
        let all_have_length = |length| ids.iter().all(|id| id.len() == length);
        match kind {
            _ if all_have_length(0) => Self::Empty,
            0x10 if all_have_length(4) => Self::Four,
            0x01 | 0x09 | 0x11 | 0x12 if all_have_length(8) => Self::Eight,
            0x07 if all_have_length(12) && processes(ids).is_some() => Self::ObjectIds,
            _ => Self::SharedPrefix,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Empty, Self::Four, Self::Eight, Self::ObjectIds, Self::SharedPrefix]
            .into_iter()
            .find(|encoding| *encoding as u8 == byte)
    }
}

/// Writes ids that are sorted like records.
pub(crate) fn write(ids: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() * 8);
    for run in ids.chunk_by(|(a, _), (b, _)| a == b) {
        let kind = run[0].0;
        let ids: Vec<&[u8]> = run.iter().map(|(_, id)| *id).collect();
        let encoding = Encoding::choose(kind, &ids);
        out.push(kind);
        out.push(encoding as u8);
        write_varint(&mut out, ids.len() as u64);
        match encoding {
            Encoding::Empty => {}
            Encoding::Four => write_numbers::<4>(&mut out, &ids),
            Encoding::Eight => write_numbers::<8>(&mut out, &ids),
            Encoding::ObjectIds => write_object_ids(&mut out, &ids),
            Encoding::SharedPrefix => write_shared_prefixes(&mut out, &ids),
        }
    }
    out
}

/// Ids that were read: their types, and their bytes one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) kinds: Vec<u8>,
    pub(crate) ends: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

impl Ids {
    /// `None`: there are more bytes of ids than a bucket can have.
    fn push(&mut self, kind: u8, id: &[u8]) -> Option<()> {
        if self.bytes.len() + id.len() > MAX_ID_BYTES {
            return None;
        }
        self.kinds.push(kind);
        self.bytes.extend_from_slice(id);
        self.ends.push(self.bytes.len() as u32);
        Some(())
    }

    /// The id at this index.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[begin..self.ends[index] as usize]
    }
}

/// Reads `count` ids. `None`: the bytes are not what [`write`] writes.
pub(crate) fn read(bytes: &[u8], count: usize) -> Option<Ids> {
    let mut rest = ByteReader(bytes);
    let mut ids = Ids::default();
    while ids.kinds.len() < count {
        let [kind, encoding] = *rest.take::<2>()?;
        let run = usize::try_from(rest.varint()?).ok()?;
        if run == 0 || run > count - ids.kinds.len() {
            return None;
        }
        match Encoding::from_byte(encoding)? {
            Encoding::Empty => (0..run).try_for_each(|_| ids.push(kind, &[]))?,
            Encoding::Four => read_numbers::<4>(&mut rest, kind, run, &mut ids)?,
            Encoding::Eight => read_numbers::<8>(&mut rest, kind, run, &mut ids)?,
            Encoding::ObjectIds => read_object_ids(&mut rest, kind, run, &mut ids)?,
            Encoding::SharedPrefix => read_shared_prefixes(&mut rest, kind, run, &mut ids)?,
        }
    }
    rest.0.is_empty().then_some(ids)
}

/// One byte of every number, then the next byte of every number.
fn write_planes<const N: usize>(out: &mut Vec<u8>, numbers: &[[u8; N]]) {
    for plane in 0..N {
        out.extend(numbers.iter().map(|number| number[plane]));
    }
}

fn read_planes<const N: usize>(rest: &mut ByteReader<'_>, run: usize) -> Option<Vec<[u8; N]>> {
    let mut numbers = vec![[0; N]; run];
    for plane in 0..N {
        for (number, byte) in numbers.iter_mut().zip(rest.slice(run)?) {
            number[plane] = *byte;
        }
    }
    Some(numbers)
}

fn little_endian(id: &[u8]) -> u64 {
    id.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn write_numbers<const N: usize>(out: &mut Vec<u8>, ids: &[&[u8]]) {
    let mut last = 0_u64;
    let differences: Vec<[u8; N]> = ids
        .iter()
        .map(|id| {
            let number = little_endian(id);
            let difference = number.wrapping_sub(last);
            last = number;
            std::array::from_fn(|byte| (difference >> (8 * byte)) as u8)
        })
        .collect();
    write_planes(out, &differences);
}

fn read_numbers<const N: usize>(rest: &mut ByteReader<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
    let mut last = 0_u64;
    for difference in read_planes::<N>(rest, run)? {
        last = last.wrapping_add(little_endian(&difference));
        ids.push(kind, &last.to_le_bytes()[..N])?;
    }
    Some(())
}

/// The processes of these ids in the order of their first id. `None`: there are too many for one byte.
fn processes(ids: &[&[u8]]) -> Option<Vec<[u8; 5]>> {
    let mut known: Vec<[u8; 5]> = Vec::new();
    let mut last = 0;
    for id in ids {
        let process = process(id);
        if known.get(last) == Some(&process) {
            continue;
        }
        last = match known.iter().position(|other| *other == process) {
            Some(position) => position,
            None if known.len() == MAX_PROCESSES => return None,
            None => {
                known.push(process);
                known.len() - 1
            }
        };
    }
    Some(known)
}

fn process(id: &[u8]) -> [u8; 5] {
    id[4..9].try_into().expect("an ObjectId has twelve bytes")
}

fn time_of(id: &[u8]) -> u32 {
    u32::from_be_bytes(id[..4].try_into().expect("an ObjectId has twelve bytes"))
}

fn counter_of(id: &[u8]) -> u32 {
    u32::from_be_bytes([0, id[9], id[10], id[11]])
}

/// The previous id of a process. Its counter grows at an approximately constant rate.
#[derive(Debug, Clone, Copy, Default)]
struct PreviousId {
    time: u32,
    counter: u32,
}

impl PreviousId {
    /// The expected counter at a time. `rate` is in counts per second, with 32 fractional bits.
    fn expected(self, time: u32, rate: u64) -> u32 {
        let passed = u64::from(time.wrapping_sub(self.time));
        self.counter.wrapping_add(((u128::from(passed) * u128::from(rate)) >> 32) as u32) & COUNTER_MASK
    }
}

const COUNTER_MASK: u32 = 0x00FF_FFFF;

/// The average rate of the counters of all processes of a run.
fn rate(ids: &[&[u8]], numbers: &[u8], processes: usize) -> u64 {
    let mut last: Vec<Option<PreviousId>> = vec![None; processes];
    let (mut passed, mut steps) = (0_u64, 0_u64);
    for (id, number) in ids.iter().zip(numbers) {
        let (time, counter) = (time_of(id), counter_of(id));
        if let Some(last) = last[usize::from(*number)] {
            passed += u64::from(time.wrapping_sub(last.time));
            steps += u64::from(counter.wrapping_sub(last.counter) & COUNTER_MASK);
        }
        last[usize::from(*number)] = Some(PreviousId { time, counter });
    }
    (u128::from(steps) << 32).checked_div(passed.into()).map_or(0, |rate| u64::try_from(rate).unwrap_or_default())
}

fn write_object_ids(out: &mut Vec<u8>, ids: &[&[u8]]) {
    let processes = processes(ids).expect("a run is written in this encoding only where they can be numbered");
    let mut guess = 0;
    let numbers: Vec<u8> = ids
        .iter()
        .map(|id| {
            let process = process(id);
            if processes[guess] != process {
                guess = processes.iter().position(|other| *other == process).unwrap_or_default();
            }
            guess as u8
        })
        .collect();
    let rate = rate(ids, &numbers, processes.len());
    out.push((processes.len() - 1) as u8);
    out.extend_from_slice(processes.as_flattened());
    out.extend_from_slice(&rate.to_le_bytes());
    let mut last = 0_u32;
    let mut previous = vec![PreviousId::default(); processes.len()];
    let mut times = Vec::with_capacity(ids.len());
    let mut steps = Vec::with_capacity(ids.len());
    for (id, number) in ids.iter().zip(&numbers) {
        let (time, counter) = (time_of(id), counter_of(id));
        times.push(time.wrapping_sub(last).to_le_bytes());
        last = time;
        let previous_id = &mut previous[usize::from(*number)];
        let off = counter.wrapping_sub(previous_id.expected(time, rate));
        // zigzag encoding: small numbers of either sign have few bits
        let off = (off << 1 ^ if off & 0x0080_0000 == 0 { 0 } else { COUNTER_MASK }) & COUNTER_MASK;
        let [a, b, c, _] = off.to_le_bytes();
        steps.push([a, b, c]);
        *previous_id = PreviousId { time, counter };
    }
    write_planes(out, &times);
    if processes.len() > 1 {
        out.extend_from_slice(&numbers);
    }
    write_planes(out, &steps);
}

fn read_object_ids(rest: &mut ByteReader<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
    let known = usize::from(rest.take::<1>()?[0]) + 1;
    let mut processes = Vec::with_capacity(known);
    for _ in 0..known {
        processes.push(*rest.take::<5>()?);
    }
    let rate = rest.u64()?;
    let times = read_planes::<4>(rest, run)?;
    let single = vec![0; run];
    let numbers = if known > 1 { rest.slice(run)? } else { &single };
    let steps = read_planes::<3>(rest, run)?;
    let mut time = 0_u32;
    let mut previous = vec![PreviousId::default(); known];
    for ((step, number), [a, b, c]) in times.into_iter().zip(numbers).zip(steps) {
        time = time.wrapping_add(u32::from_le_bytes(step));
        let number = usize::from(*number);
        let process = processes.get(number)?;
        let off = u32::from_le_bytes([a, b, c, 0]);
        let off = off >> 1 ^ if off & 1 == 0 { 0 } else { COUNTER_MASK };
        let counter = previous[number].expected(time, rate).wrapping_add(off) & COUNTER_MASK;
        previous[number] = PreviousId { time, counter };
        let mut id = [0; 12];
        id[..4].copy_from_slice(&time.to_be_bytes());
        id[4..9].copy_from_slice(process);
        id[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        ids.push(kind, &id)?;
    }
    Some(())
}

fn write_shared_prefixes(out: &mut Vec<u8>, ids: &[&[u8]]) {
    let mut last: &[u8] = &[];
    let (mut shared, mut lengths, mut rests) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let same = last.iter().zip(*id).take_while(|(a, b)| a == b).count();
        write_varint(&mut shared, same as u64);
        write_varint(&mut lengths, (id.len() - same) as u64);
        rests.extend_from_slice(&id[same..]);
        last = id;
    }
    out.extend_from_slice(&shared);
    out.extend_from_slice(&lengths);
    out.extend_from_slice(&rests);
}

fn read_shared_prefixes(rest: &mut ByteReader<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
    let mut shared = Vec::with_capacity(run);
    let mut lengths = Vec::with_capacity(run);
    for column in [&mut shared, &mut lengths] {
        for _ in 0..run {
            column.push(usize::try_from(rest.varint()?).ok()?);
        }
    }
    let mut id = Vec::new();
    for (shared, length) in shared.into_iter().zip(lengths) {
        if shared > id.len() {
            return None;
        }
        id.truncate(shared);
        id.extend_from_slice(rest.slice(length)?);
        ids.push(kind, &id)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sort_key;

    fn id() -> impl Strategy<Value = (u8, Vec<u8>)> {
        let bytes = |length| prop::collection::vec(any::<u8>(), length);
        prop_oneof![
            bytes(12).prop_map(|id| (0x07, id)),
            (any::<u16>(), 0..4_u8, any::<u16>()).prop_map(|(time, process, counter)| {
                let mut id = vec![0x65, 0x43];
                id.extend(time.to_be_bytes());
                id.extend([process, 1, 2, 3, 4, 0]);
                id.extend(counter.to_be_bytes());
                (0x07, id)
            }),
            bytes(4).prop_map(|id| (0x10, id)),
            (prop::sample::select(vec![0x01, 0x09, 0x11, 0x12]), bytes(8)),
            (prop::sample::select(vec![0x02, 0x03, 0x05]), prop::collection::vec(any::<u8>(), 0..40)),
            prop::sample::select(vec![0x00, 0x0A, 0x7F, 0xFF]).prop_map(|kind| (kind, Vec::new())),
        ]
    }

    proptest! {
        #[test]
        fn ids_read_back(mut given in prop::collection::vec(id(), 0..200)) {
            given.sort_by(|(a, x), (b, y)| (sort_key(*a, x), x).cmp(&(sort_key(*b, y), y)));
            let slices: Vec<(u8, &[u8])> = given.iter().map(|(kind, id)| (*kind, &**id)).collect();
            let written = write(&slices);
            let ids = read(&written, given.len()).unwrap();
            for (index, (kind, id)) in given.iter().enumerate() {
                prop_assert_eq!((ids.kinds[index], ids.get(index)), (*kind, &**id));
            }
            prop_assert!(given.is_empty() || read(&written[..written.len() - 1], given.len()).is_none());
        }

        #[test]
        fn damage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..100_usize) {
            let _ = read(&bytes, count);
        }
    }
}
