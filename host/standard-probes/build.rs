//! Builds the probes of `probes/` and embeds the standard ones.
//!
//! `probes/build.sh` compiles them to core modules; here they become components, in this process, with the same
//! `wit-component` that `taster probe check` makes components with. All of them are left in `target/probes/<name>.wasm` too,
//! beside their core modules, `<name>.core.wasm`: for people and for the tests of other crates.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `component: NAME` may name without a path. The other probes of the folder serve tests and benchmarks.
const STANDARD: [&str; 7] = [
    "census",
    "document-count",
    "duplicate-keys",
    "group-report",
    "index-inventory",
    "reference-check",
    "schema-shape",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    // cargo looks at every file below; nothing is built into these folders (`probes/.cargo/config.toml`)
    println!("cargo::rerun-if-changed={}", root.join("probes").display());
    println!("cargo::rerun-if-changed={}", root.join("wit").display());

    let target = target_directory(&out);
    let cores = out.join("probes");
    compile(&root.join("probes/build.sh"), &cores, &target.join("probes-build"))?;

    let mut built = Vec::new();
    for entry in fs::read_dir(&cores)? {
        let core = entry?.path();
        let Some(name) = core.file_name().and_then(|name| name.to_str()?.strip_suffix(".core.wasm")) else { continue };
        let module = fs::read(&core)?;
        let bytes =
            encode(&module).map_err(|error| format!("the probe {name} does not become a component: {error}"))?;
        let shared = target.join("probes");
        write_if_changed(&shared.join(format!("{name}.core.wasm")), &module)?;
        write_if_changed(&shared.join(format!("{name}.wasm")), &bytes)?;
        write_if_changed(&out.join(format!("{name}.wasm")), &bytes)?;
        built.push(name.to_owned());
    }
    embed(&out, &built)
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// Cargo marks its target directory with a `CACHEDIR.TAG`; nothing tells a build script where it is.
fn target_directory(out: &Path) -> PathBuf {
    out.ancestors().filter(|folder| folder.join("CACHEDIR.TAG").exists()).last().unwrap_or(out).to_owned()
}

fn compile(script: &Path, cores: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let output = Command::new("bash").arg(script).arg(cores).arg(target).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("the probes do not build:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut encoder = wit_component::ComponentEncoder::default().validate(true).module(module)?;
    Ok(encoder.encode()?)
}

/// Leaves the time stamp of a file alone whose content stays, and never shows a half file to a test that reads it.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, bytes)?;
    fs::rename(&partial, path)?;
    Ok(())
}

fn embed(out: &Path, built: &[String]) -> Result<(), Box<dyn Error>> {
    let mut names = String::new();
    let mut probes = String::new();
    for name in STANDARD {
        if !built.iter().any(|other| other == name) {
            return Err(format!("probes/ has no standard probe {name}").into());
        }
        let path = out.join(format!("{name}.wasm"));
        writeln!(names, "    {name:?},")?;
        writeln!(probes, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    let text = format!("const NAMES: &[&str] = &[\n{names}];\nconst PROBES: &[(&str, &[u8])] = &[\n{probes}];\n");
    write_if_changed(&out.join("standard_probes.rs"), text.as_bytes())
}
