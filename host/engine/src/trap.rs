//! Converts the end of a guest (a trap, a limit, a failure of its own) to a failure that names the limit and its setting.

use std::fmt::Write;

use taster_model::{Failure, Refusal};
use taster_text::{exact_duration, exact_size, grouped, truncate_chars};
use wasmtime::{Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

use crate::{
    bindings::taster::probe::types,
    codes,
    limits::{Limits, STACK},
    log::printable,
    result,
    state::{Refusals, State},
};

/// The innermost frames of a backtrace that are shown.
const MAX_FRAMES: usize = 5;
/// Characters of a function's name that are shown.
const MAX_NAME_CHARS: usize = 120;
/// Characters of a text from a guest that are kept.
const MAX_TEXT_CHARS: usize = 4000;

/// The failure of a run that passed its deadline.
pub(crate) fn deadline_failure(state: &State, limits: &Limits) -> Failure {
    let message = match state.current_call {
        Some(call) => format!("the deadline passed while the probe waited for `{call}`"),
        None => "the deadline passed while the probe was computing".to_owned(),
    };
    Failure::refused(Refusal::Deadline, codes::DEADLINE, message)
        .asked(format!("more than {}", exact_duration(limits.deadline)))
        .allowed(exact_duration(limits.deadline))
        .setting(state.setting.name_of("deadline"))
}

/// The failure of a run that ended in an error of wasmtime.
pub(crate) fn failure_of(error: &wasmtime::Error, state: &State, limits: &Limits) -> Failure {
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        return deadline_failure(state, limits);
    }
    let place = error.downcast_ref::<WasmBacktrace>().map(backtrace_text).unwrap_or_default();
    let what = format!("{}{place}", root_cause(error));
    // a guest without memory traps with `unreachable` or panics: the limit is the real cause
    if let Some(asked) = state.memory.refused() {
        return Failure::refused(Refusal::Budget, codes::MEMORY, format!("the probe ran out of memory: {what}"))
            .asked(format!("{} in all memories and tables", exact_size(asked)))
            .allowed(exact_size(state.memory.allowed()))
            .setting(state.setting.name_of("memory"));
    }
    if error_contains(error, "fuel allocated for hostcalls") {
        // arguments of host calls are read within a guest's frame, the result of `run` outside of any frame
        if error.downcast_ref::<WasmBacktrace>().is_none() {
            return result::too_large(limits, &state.setting);
        }
        let message = format!("one host call passes too many bytes{place}");
        return Failure::refused(Refusal::Budget, codes::HOSTCALL_BYTES, message)
            .asked(format!("more than {}", exact_size(limits.hostcall_bytes)))
            .allowed(exact_size(limits.hostcall_bytes))
            .setting(state.setting.name_of("hostcallBytes"));
    }
    if error_contains(error, "handle limit exceeded") || matches!(error.downcast_ref(), Some(ResourceTableError::Full))
    {
        return Failure::refused(
            Refusal::Budget,
            codes::HANDLES,
            format!("the probe has too many open handles{place}"),
        )
        .asked(format!("more than {} handles", grouped(limits.handles.into())))
        .allowed(format!("{} handles", grouped(limits.handles.into())))
        .setting(state.setting.name_of("handles"));
    }
    if error_contains(error, "resource limit exceeded") {
        let message = format!("the component has too many instances, tables or memories: {}", root_cause(error));
        return Failure::refused(Refusal::Budget, codes::PARTS, message);
    }
    if trap == Some(Trap::StackOverflow) {
        return Failure::refused(Refusal::Budget, codes::STACK, format!("the probe overflowed its stack{place}"))
            .allowed(format!("{} of stack", exact_size(STACK as u64)));
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        let message = format!("the probe exited with code {code} instead of returning{}", last_warning(state));
        return Failure::refused(Refusal::Invalid, codes::EXIT, message);
    }
    if error_contains(error, "borrow handles still remain") {
        let message = "the probe kept its database handle: `run` must drop it before it returns";
        return Failure::refused(Refusal::Invalid, codes::MISUSE, message);
    }
    if trap.is_none() && error.downcast_ref::<WasmBacktrace>().is_none() {
        let message = format!("the probe violates the rules of the component model: {what}{}", last_warning(state));
        return Failure::refused(Refusal::Invalid, codes::MISUSE, message);
    }
    Failure::refused(Refusal::Invalid, codes::TRAP, format!("the probe trapped: {what}{}", last_warning(state)))
}

/// A failure that the probe returned. It keeps its code only if it is one of the refusals that the probe got: otherwise a probe
/// could pass off its own failure as one of the capture. Its texts may be long or contain escape sequences.
pub(crate) fn guest_failure(given: types::Failure, refusals: &Refusals) -> Failure {
    let clean = |text: &str| truncate_chars(&printable(text), MAX_TEXT_CHARS);
    let given = Failure {
        message: given.message,
        refusal: given.refusal.map(|refusal| match refusal {
            types::Refusal::Denied => Refusal::Denied,
            types::Refusal::Invalid => Refusal::Invalid,
            types::Refusal::Deadline => Refusal::Deadline,
            types::Refusal::Budget => Refusal::Budget,
            types::Refusal::Unavailable => Refusal::Unavailable,
        }),
        code: given.code,
        asked: given.asked,
        allowed: given.allowed,
        setting: given.setting,
    };
    let is_of_host = refusals.contains_details_of(&given);
    let Failure { message, refusal, code, asked, allowed, setting } = given;
    let cleaned = |text: Option<String>| text.as_deref().map(clean);
    Failure {
        message: clean(&message),
        refusal: refusal.filter(|_| is_of_host),
        code: code.filter(|_| is_of_host),
        asked: cleaned(asked),
        allowed: cleaned(allowed),
        setting: cleaned(setting),
    }
}

fn error_contains(error: &wasmtime::Error, text: &str) -> bool {
    error.chain().any(|cause| cause.to_string().contains(text))
}

/// The cause of an error, without wasmtime's backtrace.
fn root_cause(error: &wasmtime::Error) -> String {
    let text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    truncate_chars(&printable(text.trim_start_matches("wasm trap: ")), MAX_TEXT_CHARS)
}

/// ` in sum < orders < run`
fn backtrace_text(backtrace: &WasmBacktrace) -> String {
    let frames = backtrace.frames();
    // functions without a name between named ones are generated code of the component
    let any_name = frames.iter().any(|frame| frame.func_name().is_some());
    let frames: Vec<_> = frames.iter().filter(|frame| !any_name || frame.func_name().is_some()).collect();
    let names: Vec<_> = frames
        .iter()
        .take(MAX_FRAMES)
        .map(|frame| match frame.func_name() {
            Some(name) => truncate_chars(&printable(&format!("{:#}", rustc_demangle::demangle(name))), MAX_NAME_CHARS),
            None => format!("function {}", frame.func_index()),
        })
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let mut place = format!(", in {}", names.join(" < "));
    if frames.len() > MAX_FRAMES {
        let _ = write!(place, " < {} more", frames.len() - MAX_FRAMES);
    }
    place
}

/// The guest's last warning, for the error message.
fn last_warning(state: &State) -> String {
    state.log.last_warning().map(|words| format!("; its last log line: `{words}`")).unwrap_or_default()
}
