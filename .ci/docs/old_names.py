"""Names that were replaced: each is found nowhere but in the changelog and in the places listed with it."""
import os
import re
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# where old names may be: this list, the changelog, and the rules that find them in prose
ANYWHERE = ("CHANGELOG.md", ".ci/docs/old_names.py", ".ci/vale/")
# the table behind the error that names the new key, and its tests
RENAMED_KEYS = ("host/config/src/renamed.rs", "host/config/src/tests", "host/taster/tests/it/errors")

RUST = r"\.rs$"
# for names that fit in other crates
FLOW = r"^host/flow/.*\.rs$"
CONFIGURATION = r"\.(ya?ml|md|rs|sh|py)$"
EVERYTHING = r""

# was, is, in which files, where else it may be. `was` is a regular expression for whole words.
NAMES = [
    # configuration keys
    (r"fresh:(?= *(?:#|$|\\|`|\[))", "freshness:", CONFIGURATION, RENAMED_KEYS),
    (r"mongodb\.(reach|quiet|rescans|connect)(?!\w)", "mongodb.majorityTimeout, quietPeriod, maxRescans, connectTimeout", EVERYTHING, RENAMED_KEYS),
    (r"(reach|quiet|connect): \d+m?s\b", "majorityTimeout, quietPeriod, connectTimeout", CONFIGURATION, RENAMED_KEYS),
    # not the field of a recorded capture, which counts rescans
    (r"rescans: \d+(?![\d,]| \})", "maxRescans", CONFIGURATION, RENAMED_KEYS),
    (r"s3\.patience|patience: \d", "s3.retryTimeout", EVERYTHING, RENAMED_KEYS),
    (r"most: \d+[,}]", "maxDocuments", CONFIGURATION, RENAMED_KEYS),
    (r"maxUp", "abandonedAfter", EVERYTHING, RENAMED_KEYS),
    (r"ready: \d+[smh]", "readyTimeout", CONFIGURATION, RENAMED_KEYS),
    # files that became pages of the book
    (r"host/SERVER\.md|host/ERRORS\.md|GITOPS\.md", "docs/src", EVERYTHING, ()),
    # types and functions
    (r"Kitchen", "FlowContext; fixtures by what they hold", RUST, ()),
    (r"Guests|unserved", "ProbeRunner, not_run", RUST, ()),
    (r"Tasting|at_table", "CaptureJob, with_session", RUST, ()),
    (r"Pace|aloud", "PhaseTimer, log_at_info", RUST, ()),
    (r"Raised", "ScaledUp", RUST, ()),
    (r"Looking|Look\b(?! )", "Snapshot, SnapshotOptions", RUST, ()),
    (r"Manner|Beside", "CommandOptions, LocalCollection", RUST, ()),
    (r"Told", "CopyStatus", RUST, ()),
    (r"NotHonest|StoreError::Away", "ConditionalWritesBroken, Unavailable", RUST, ()),
    (r"Trouble|Patience", "S3Failure, RetryPolicy", RUST, ()),
    (r"take_off|try_off", "apply, apply_tentative", RUST, ()),
    (r"CensusSetup|Taking", "CensusEnv, CensusScan", RUST, ()),
    (r"Coded|Border", "Diagnostic, ComponentInterface", RUST, ()),
    (r"(?:struct|enum) Ended|Ended<|Moved|Tone", "FlowOutcome, ReplicaChange, EventType", RUST, ()),
    (r"Reader(?=[<;,)])|struct Replies|Hope", "MeteredConnection, PrefetchStream, Recoverability", RUST, ()),
    (r"StoreError::Print|struct (?:Print|Large)", "Digest, StreamedObject", RUST, ()),
    (r"(?:enum|trait) (?:Word|How)", "ChangeStatus, ProofMethod", RUST, ()),
    (r"Recording|Recorded|Site", "CensusSpec, CensusFile, AppState", RUST, ()),
    (r"Store::at|unverified_image\b", "Store::open_unverified, unverified_images", RUST, ()),
    (r"cluster::within|within_cluster", "with_scaled_workloads", RUST, ()),
    (r"(?:struct|enum|trait) (?:Entry|After|Report)", "FlowRequest, OnSuccess, RestoreReport", FLOW, ()),
    (r"fn stranger", "unverified_images", RUST, ()),
    (r"Said(?! )", "EventSpec", RUST, ()),
    (r"Before::judge|fn hear", "WaitState::evaluate, observe_events", RUST, ()),
    (r"(?:struct|enum|trait) Problem", "CliError", RUST, ()),
    (r"taster[-_]taster", "taster", EVERYTHING, ()),
]

# was, is: paths of files. `was` is a regular expression for the whole path.
PATHS = [
    (r"host/.*/src/(.*/)?(moment|pace|stop|up|look|say|copies|words|trusted)\.rs",
     "consistency.rs, timing.rs, shutdown.rs, scale_up.rs, snapshot.rs, events.rs, copy_witness.rs, text.rs, precompiled.rs"),
    (r"host/serve/src/(.*/)?(ask|refusal|observe)\.rs", "extract.rs, error.rs, request_log.rs"),
]


def main():
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=TOP, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    texts = {}
    for name in listing:
        if not name or name.startswith(ANYWHERE) or not os.path.isfile(os.path.join(TOP, name)):
            continue
        try:
            with open(os.path.join(TOP, name), encoding="utf-8") as file:
                texts[name] = file.read().split("\n")
        except UnicodeDecodeError:
            continue
    found = 0
    for was, new, files, others in NAMES:
        # a type in quotes is a text, not a name
        in_rust = files in (RUST, FLOW)
        before = r"(?<![\w.\"`-])" if in_rust else r"(?<![\w.-])"
        pattern = re.compile(rf"{before}(?:{was})" + ("" if was.endswith(("\\b", ")", "}", "]", "\\d")) else r"(?!\w)"))
        for name, lines in texts.items():
            if not re.search(files, name) or name.startswith(tuple(others)):
                continue
            for number, line in enumerate(lines, 1):
                # a type in a comment may be an English word; a URL is no comment
                code = re.split(r"(?<!:)//", line, maxsplit=1)[0] if in_rust else line
                if match := pattern.search(code):
                    found += 1
                    print(f"{name}:{number}: `{match.group(0)}` is now {new}", file=sys.stderr)
    for was, new in PATHS:
        for name in listing:
            if re.fullmatch(was, name) and os.path.isfile(os.path.join(TOP, name)):
                found += 1
                print(f"{name}: this file is now one of {new}", file=sys.stderr)
    print(f"{len(NAMES) + len(PATHS)} old names, {found} found")
    sys.exit(1 if found else 0)


main()
