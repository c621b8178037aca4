//! Why a guest ended, in words that name the limit and its setting.

use std::fmt::Write;

use taster_model::{Failure, Refusal};
use wasmtime::{Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

use crate::{
    bindings::taster::probe::types,
    codes,
    limits::{Limits, period, size},
    log::{printable, shorten},
    result,
    state::State,
};

/// Frames of a backtrace that are shown: the innermost ones tell where it happened.
const FRAMES: usize = 5;
/// Characters of a function's name that are shown.
const NAME: usize = 120;
/// Characters of a guest's own text that are kept.
const TEXT: usize = 4000;

/// The wall deadline passed.
pub(crate) fn deadline(state: &State, limits: &Limits) -> Failure {
    let message = match state.waiting {
        Some(call) => format!("the deadline passed while the probe waited for `{call}`"),
        None => "the deadline passed while the probe was computing".to_owned(),
    };
    Failure::refused(Refusal::Deadline, codes::DEADLINE, message)
        .asked(format!("more than {}", period(limits.deadline)))
        .allowed(period(limits.deadline))
        .setting(state.setting.of("deadline"))
}

/// The guest ended in an error of the sandbox.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> Failure {
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        return deadline(state, limits);
    }
    let place = error.downcast_ref::<WasmBacktrace>().map(place).unwrap_or_default();
    let what = format!("{}{place}", root(error));
    // a guest that is out of memory ends in `unreachable` or in a panic of its own: the limit is what to name
    if let Some(asked) = state.meter.refused() {
        return Failure::refused(Refusal::Budget, codes::MEMORY, format!("the probe ran out of memory: {what}"))
            .asked(format!("{} in all memories and tables", size(asked)))
            .allowed(size(state.meter.allowed()))
            .setting(state.setting.of("memory"));
    }
    if says(error, "fuel allocated for hostcalls") {
        // only what a guest passes to the host happens inside a guest; a result is taken over outside of it
        if error.downcast_ref::<WasmBacktrace>().is_none() {
            return result::too_large(limits, &state.setting);
        }
        let message = format!("one call of the host carries too much{place}");
        return Failure::refused(Refusal::Budget, codes::HOSTCALL_BYTES, message)
            .asked(format!("more than {}", size(limits.hostcall_bytes)))
            .allowed(size(limits.hostcall_bytes))
            .setting(state.setting.of("hostcallBytes"));
    }
    if says(error, "handle limit exceeded") || matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Failure::refused(Refusal::Budget, codes::HANDLES, format!("the probe holds too many handles{place}"))
            .asked(format!("more than {} handles", limits.handles))
            .allowed(format!("{} handles", limits.handles))
            .setting(state.setting.of("handles"));
    }
    if says(error, "resource limit exceeded") {
        let message = format!("the component has too many parts: {}", root(error));
        return Failure::refused(Refusal::Budget, codes::PARTS, message);
    }
    if trap == Some(Trap::StackOverflow) {
        return Failure::refused(Refusal::Budget, codes::STACK, format!("the probe recurses without end{place}"))
            .allowed(format!("{} of stack", size(crate::engine::STACK as u64)));
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        let message = format!("the probe ended its process with code {code} instead of returning{}", last_words(state));
        return Failure::refused(Refusal::Invalid, codes::EXIT, message);
    }
    if says(error, "borrow handles still remain") {
        let message = "the probe kept its handle of the database: `run` must let go of it before it returns";
        return Failure::refused(Refusal::Invalid, codes::MISUSE, message);
    }
    if trap.is_none() && error.downcast_ref::<WasmBacktrace>().is_none() {
        let message = format!("the probe breaks the rules of components: {what}{}", last_words(state));
        return Failure::refused(Refusal::Invalid, codes::MISUSE, message);
    }
    Failure::refused(Refusal::Invalid, codes::TRAP, format!("the probe trapped: {what}{}", last_words(state)))
}

/// A failure that the probe returned. Every text is its own: it may be a novel, or escape sequences.
pub(crate) fn own(given: types::Failure) -> Failure {
    let clean = |text: String| shorten(&printable(&text), TEXT);
    Failure {
        message: clean(given.message),
        refusal: given.refusal.map(|refusal| match refusal {
            types::Refusal::Denied => Refusal::Denied,
            types::Refusal::Invalid => Refusal::Invalid,
            types::Refusal::Deadline => Refusal::Deadline,
            types::Refusal::Budget => Refusal::Budget,
            types::Refusal::Unavailable => Refusal::Unavailable,
        }),
        code: given.code.map(clean),
        asked: given.asked.map(clean),
        allowed: given.allowed.map(clean),
        setting: given.setting.map(clean),
    }
}

fn says(error: &wasmtime::Error, text: &str) -> bool {
    error.chain().any(|cause| cause.to_string().contains(text))
}

/// What went wrong, without the backtrace that wasmtime wraps around it.
fn root(error: &wasmtime::Error) -> String {
    let text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    shorten(&printable(text.trim_start_matches("wasm trap: ")), TEXT)
}

/// ` in sum < orders < run`
fn place(backtrace: &WasmBacktrace) -> String {
    let frames = backtrace.frames();
    // functions without a name between named ones are the glue of the component, not the author's
    let any_name = frames.iter().any(|frame| frame.func_name().is_some());
    let frames: Vec<_> = frames.iter().filter(|frame| !any_name || frame.func_name().is_some()).collect();
    let names: Vec<_> = frames
        .iter()
        .take(FRAMES)
        .map(|frame| match frame.func_name() {
            Some(name) => shorten(&printable(&format!("{:#}", rustc_demangle::demangle(name))), NAME),
            None => format!("function {}", frame.func_index()),
        })
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let mut place = format!(", in {}", names.join(" < "));
    if frames.len() > FRAMES {
        let _ = write!(place, " < {} more", frames.len() - FRAMES);
    }
    place
}

/// What it said last: a Python traceback ends in the exception.
fn last_words(state: &State) -> String {
    state.log.last_words().map(|words| format!("; it said `{words}`")).unwrap_or_default()
}
