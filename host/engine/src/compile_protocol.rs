//! What the engine and the process that compiles for it send to each other: one request, one answer.

use bytes::{Buf, BufMut, Bytes};
use serde::{Deserialize, Serialize};
use taster_text::grouped;

use crate::error::EngineError;

/// Begins a request. It is no format that is kept: both sides are the same program.
const MAGIC: &[u8; 8] = b"taster\0\x01";
/// Begins an answer that holds code.
const CODE: u8 = b'C';
/// Begins an answer that says why there is none.
const REFUSED: u8 = b'R';
/// Bytes before the payload of an answer: its kind and its length.
const ANSWER_HEADER: usize = 9;

/// The head of a request; the component follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Bytes of memory that the process may use.
    pub(crate) memory: u64,
    /// Processor time that it may use, over all its threads.
    pub(crate) cpu_seconds: u64,
    /// Bytes of the component.
    pub(crate) length: u64,
}

impl Request {
    /// Bytes of an encoded head.
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.put_slice(MAGIC);
        bytes.put_u64_le(self.memory);
        bytes.put_u64_le(self.cpu_seconds);
        bytes.put_u64_le(self.length);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut numbers = bytes.strip_prefix(MAGIC)?;
        Some(Self { memory: numbers.get_u64_le(), cpu_seconds: numbers.get_u64_le(), length: numbers.get_u64_le() })
    }
}

/// Why a component was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CompileRefusal {
    Setup(String),
    NotAComponent { what: String, help: String },
    Componentize { why: String, help: String },
    Invalid(String),
    UnknownImport { import: String, help: String },
    MissingExport { export: String, found: String },
    Compile(String),
}

impl From<EngineError> for CompileRefusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Setup(why) => Self::Setup(why),
            EngineError::NotAComponent { what, help } => Self::NotAComponent { what, help },
            EngineError::Componentize { why, help } => Self::Componentize { why, help },
            EngineError::Invalid(why) => Self::Invalid(why),
            EngineError::UnknownImport { import, help } => Self::UnknownImport { import, help },
            EngineError::MissingExport { export, found } => Self::MissingExport { export, found },
            EngineError::Compile(why) => Self::Compile(why),
            other => Self::Compile(other.to_string()),
        }
    }
}

impl From<CompileRefusal> for EngineError {
    fn from(refusal: CompileRefusal) -> Self {
        match refusal {
            CompileRefusal::Setup(why) => Self::Setup(why),
            CompileRefusal::NotAComponent { what, help } => Self::NotAComponent { what, help },
            CompileRefusal::Componentize { why, help } => Self::Componentize { why, help },
            CompileRefusal::Invalid(why) => Self::Invalid(why),
            CompileRefusal::UnknownImport { import, help } => Self::UnknownImport { import, help },
            CompileRefusal::MissingExport { export, found } => Self::MissingExport { export, found },
            CompileRefusal::Compile(why) => Self::Compile(why),
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The output of `wasmtime::Engine::precompile_component`.
    Code(Bytes),
    /// There is no code.
    Refused(CompileRefusal),
}

impl Answer {
    /// The head and the payload, which are sent one after the other.
    pub(crate) fn encode(self) -> serde_json::Result<([u8; ANSWER_HEADER], Bytes)> {
        let (kind, payload) = match self {
            Self::Code(code) => (CODE, code),
            Self::Refused(refusal) => (REFUSED, serde_json::to_vec(&refusal)?.into()),
        };
        let mut header = [kind; ANSWER_HEADER];
        header[1..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        Ok((header, payload))
    }

    /// Accepts only a whole answer, with nothing after it.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, String> {
        if bytes.len() < ANSWER_HEADER {
            return Err(format!("sent {} bytes, which is no answer", grouped(bytes.len() as u64)));
        }
        let (kind, length) = (bytes.get_u8(), bytes.get_u64_le());
        if length != bytes.len() as u64 {
            let sent = grouped(bytes.len() as u64);
            return Err(format!("sent {sent} of {} bytes of its answer", grouped(length)));
        }
        match kind {
            CODE => Ok(Self::Code(bytes)),
            REFUSED => match serde_json::from_slice(&bytes) {
                Ok(refusal) => Ok(Self::Refused(refusal)),
                Err(error) => Err(format!("sent a refusal that cannot be read: {error}")),
            },
            other => Err(format!("sent an answer of the unknown kind {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(answer: Answer) -> Vec<u8> {
        let (header, payload) = answer.encode().unwrap();
        [&header[..], &payload].concat()
    }

    #[test]
    fn requests_and_answers_read_back() {
        let request = Request { memory: 1 << 30, cpu_seconds: 61, length: 7 };
        assert_eq!(Request::decode(&request.encode().try_into().unwrap()), Some(request));
        assert_eq!(Request::decode(&[0; Request::BYTES]), None);
        let refusal = CompileRefusal::UnknownImport { import: "a".to_owned(), help: "b".to_owned() };
        for answer in [Answer::Code(Bytes::from_static(b"code")), Answer::Refused(refusal)] {
            assert_eq!(Answer::decode(encoded(answer.clone()).into()), Ok(answer));
        }
    }

    #[test]
    fn the_errors_of_compiling_arrive_as_they_were() {
        let text = || "text".to_owned();
        let errors = [
            EngineError::Setup(text()),
            EngineError::NotAComponent { what: text(), help: "help".to_owned() },
            EngineError::Componentize { why: text(), help: "help".to_owned() },
            EngineError::Invalid(text()),
            EngineError::UnknownImport { import: text(), help: "help".to_owned() },
            EngineError::MissingExport { export: text(), found: "others".to_owned() },
            EngineError::Compile(text()),
        ];
        for error in errors {
            let sent = format!("{error:?}");
            let arrived = EngineError::from(CompileRefusal::from(error));
            assert_eq!(format!("{arrived:?}"), sent);
        }
    }

    #[test]
    fn an_answer_that_lacks_or_adds_a_byte_is_none() {
        let whole = encoded(Answer::Code(Bytes::from_static(b"code")));
        for length in 0..whole.len() {
            Answer::decode(Bytes::copy_from_slice(&whole[..length])).unwrap_err();
        }
        Answer::decode([&whole[..], b"x"].concat().into()).unwrap_err();
        Answer::decode(encoded(Answer::Code(Bytes::new())).iter().map(|byte| byte ^ 1).collect()).unwrap_err();
    }
}
