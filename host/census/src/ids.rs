//! The column of ids: runs of one type, each written in the way that makes neighbours small.
//!
//! `ObjectId`s are a time, a process and a counter: times and counters become differences, processes numbers of a
//! dictionary, and all of them planes of bytes, which the compressor likes. Other ids of a fixed size become differences
//! too; all others share their beginning with the one before.

use crate::record::{Rest, write_varint};

/// Bytes of all ids of a bucket.
const LONGEST: usize = 1 << 30;
/// Processes that a run of `ObjectId`s may number.
const PROCESSES: usize = 256;

/// How a run is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Without any bytes: null, the least and the greatest value, no id at all.
    Empty = 0,
    /// Differences of little-endian numbers of four bytes.
    Four = 1,
    /// Of eight bytes.
    Eight = 2,
    /// Time, process, counter.
    ObjectIds = 3,
    /// Shared beginning, length of the rest, the rest.
    Front = 4,
}

impl Way {
    fn of(kind: u8, ids: &[&[u8]]) -> Self {
        let all = |length| ids.iter().all(|id| id.len() == length);
        match kind {
            _ if all(0) => Self::Empty,
            0x10 if all(4) => Self::Four,
            0x01 | 0x09 | 0x11 | 0x12 if all(8) => Self::Eight,
            0x07 if all(12) && processes(ids).is_some() => Self::ObjectIds,
            _ => Self::Front,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Empty, Self::Four, Self::Eight, Self::ObjectIds, Self::Front].into_iter().find(|way| *way as u8 == byte)
    }
}

/// Writes ids that are sorted as records are.
pub(crate) fn write(ids: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() * 8);
    for run in ids.chunk_by(|(a, _), (b, _)| a == b) {
        let kind = run[0].0;
        let ids: Vec<&[u8]> = run.iter().map(|(_, id)| *id).collect();
        let way = Way::of(kind, &ids);
        out.push(kind);
        out.push(way as u8);
        write_varint(&mut out, ids.len() as u64);
        match way {
            Way::Empty => {}
            Way::Four => numbers::<4>(&mut out, &ids),
            Way::Eight => numbers::<8>(&mut out, &ids),
            Way::ObjectIds => object_ids(&mut out, &ids),
            Way::Front => front(&mut out, &ids),
        }
    }
    out
}

/// Ids as they are read: types, and the bytes one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) kinds: Vec<u8>,
    pub(crate) ends: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

impl Ids {
    /// `None` where there are more bytes of ids than a bucket can have.
    fn push(&mut self, kind: u8, id: &[u8]) -> Option<()> {
        if self.bytes.len() + id.len() > LONGEST {
            return None;
        }
        self.kinds.push(kind);
        self.bytes.extend_from_slice(id);
        self.ends.push(self.bytes.len() as u32);
        Some(())
    }

    /// The id of that number.
    #[inline]
    pub(crate) fn of(&self, index: usize) -> &[u8] {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[begin..self.ends[index] as usize]
    }
}

/// Reads so many ids; `None` where they are not what [`write`] writes.
pub(crate) fn read(bytes: &[u8], count: usize) -> Option<Ids> {
    let mut rest = Rest(bytes);
    let mut ids = Ids::default();
    while ids.kinds.len() < count {
        let [kind, way] = *rest.take::<2>()?;
        let run = usize::try_from(rest.varint()?).ok()?;
        if run == 0 || run > count - ids.kinds.len() {
            return None;
        }
        match Way::from_byte(way)? {
            Way::Empty => (0..run).try_for_each(|_| ids.push(kind, &[]))?,
            Way::Four => read_numbers::<4>(&mut rest, kind, run, &mut ids)?,
            Way::Eight => read_numbers::<8>(&mut rest, kind, run, &mut ids)?,
            Way::ObjectIds => read_object_ids(&mut rest, kind, run, &mut ids)?,
            Way::Front => read_front(&mut rest, kind, run, &mut ids)?,
        }
    }
    rest.0.is_empty().then_some(ids)
}

/// One byte of every number, then the next byte of every number.
fn planes<const N: usize>(out: &mut Vec<u8>, numbers: &[[u8; N]]) {
    for plane in 0..N {
        out.extend(numbers.iter().map(|number| number[plane]));
    }
}

fn read_planes<const N: usize>(rest: &mut Rest<'_>, run: usize) -> Option<Vec<[u8; N]>> {
    let mut numbers = vec![[0; N]; run];
    for plane in 0..N {
        for (number, byte) in numbers.iter_mut().zip(rest.slice(run)?) {
            number[plane] = *byte;
        }
    }
    Some(numbers)
}

fn little(id: &[u8]) -> u64 {
    id.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn numbers<const N: usize>(out: &mut Vec<u8>, ids: &[&[u8]]) {
    let mut last = 0_u64;
    let differences: Vec<[u8; N]> = ids
        .iter()
        .map(|id| {
            let number = little(id);
            let difference = number.wrapping_sub(last);
            last = number;
            std::array::from_fn(|byte| (difference >> (8 * byte)) as u8)
        })
        .collect();
    planes(out, &differences);
}

fn read_numbers<const N: usize>(rest: &mut Rest<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
    let mut last = 0_u64;
    for difference in read_planes::<N>(rest, run)? {
        last = last.wrapping_add(little(&difference));
        ids.push(kind, &last.to_le_bytes()[..N])?;
    }
    Some(())
}

/// The processes that made these ids, in the order of their first, if they can be numbered with a byte.
fn processes(ids: &[&[u8]]) -> Option<Vec<[u8; 5]>> {
    let mut known: Vec<[u8; 5]> = Vec::new();
    let mut last = 0;
    for id in ids {
        let process = process(id);
        if known.get(last) == Some(&process) {
            continue;
        }
        last = match known.iter().position(|other| *other == process) {
            Some(place) => place,
            None if known.len() == PROCESSES => return None,
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

/// The last id of a process: its counter goes on at a steady rate, more or less.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    time: u32,
    counter: u32,
}

impl Last {
    /// What the counter is expected to be at a time. `rate` is in counts a second, with 32 bits behind the point.
    fn expected(self, time: u32, rate: u64) -> u32 {
        let passed = u64::from(time.wrapping_sub(self.time));
        self.counter.wrapping_add(((u128::from(passed) * u128::from(rate)) >> 32) as u32) & COUNTER
    }
}

const COUNTER: u32 = 0x00FF_FFFF;

/// The rate at which counters go on, over all processes of a run.
fn rate(ids: &[&[u8]], numbers: &[u8], processes: usize) -> u64 {
    let mut last: Vec<Option<Last>> = vec![None; processes];
    let (mut passed, mut steps) = (0_u64, 0_u64);
    for (id, number) in ids.iter().zip(numbers) {
        let (time, counter) = (time_of(id), counter_of(id));
        if let Some(last) = last[usize::from(*number)] {
            passed += u64::from(time.wrapping_sub(last.time));
            steps += u64::from(counter.wrapping_sub(last.counter) & COUNTER);
        }
        last[usize::from(*number)] = Some(Last { time, counter });
    }
    (u128::from(steps) << 32).checked_div(passed.into()).map_or(0, |rate| u64::try_from(rate).unwrap_or_default())
}

fn object_ids(out: &mut Vec<u8>, ids: &[&[u8]]) {
    let processes = processes(ids).expect("a run is written in this way only where they can be numbered");
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
    let mut lasts = vec![Last::default(); processes.len()];
    let mut times = Vec::with_capacity(ids.len());
    let mut steps = Vec::with_capacity(ids.len());
    for (id, number) in ids.iter().zip(&numbers) {
        let (time, counter) = (time_of(id), counter_of(id));
        times.push(time.wrapping_sub(last).to_le_bytes());
        last = time;
        let of_process = &mut lasts[usize::from(*number)];
        let off = counter.wrapping_sub(of_process.expected(time, rate));
        // small ones of either sign have few bits
        let off = (off << 1 ^ if off & 0x0080_0000 == 0 { 0 } else { COUNTER }) & COUNTER;
        let [a, b, c, _] = off.to_le_bytes();
        steps.push([a, b, c]);
        *of_process = Last { time, counter };
    }
    planes(out, &times);
    if processes.len() > 1 {
        out.extend_from_slice(&numbers);
    }
    planes(out, &steps);
}

fn read_object_ids(rest: &mut Rest<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
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
    let mut lasts = vec![Last::default(); known];
    for ((step, number), [a, b, c]) in times.into_iter().zip(numbers).zip(steps) {
        time = time.wrapping_add(u32::from_le_bytes(step));
        let number = usize::from(*number);
        let process = processes.get(number)?;
        let off = u32::from_le_bytes([a, b, c, 0]);
        let off = off >> 1 ^ if off & 1 == 0 { 0 } else { COUNTER };
        let counter = lasts[number].expected(time, rate).wrapping_add(off) & COUNTER;
        lasts[number] = Last { time, counter };
        let mut id = [0; 12];
        id[..4].copy_from_slice(&time.to_be_bytes());
        id[4..9].copy_from_slice(process);
        id[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        ids.push(kind, &id)?;
    }
    Some(())
}

fn front(out: &mut Vec<u8>, ids: &[&[u8]]) {
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

fn read_front(rest: &mut Rest<'_>, kind: u8, run: usize, ids: &mut Ids) -> Option<()> {
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
                prop_assert_eq!((ids.kinds[index], ids.of(index)), (*kind, &**id));
            }
            prop_assert!(given.is_empty() || read(&written[..written.len() - 1], given.len()).is_none());
        }

        #[test]
        fn damage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..100_usize) {
            let _ = read(&bytes, count);
        }
    }
}
