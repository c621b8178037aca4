#!/usr/bin/env python3
"""Compiles all tests and runs the test programs of all crates, two at a time: many tests wait for servers. Their servers'
files are in memory where there is enough of it: mongod and etcd wait for the disk more than for anything else.

tests.py [--jobs N] [--no-run] [--ignored] [--least N] [--host] [FILTER...]

--jobs N    programs that run at once (default 2); each runs four tests at once, or RUST_TEST_THREADS
--no-run    only compile
--ignored   run the ignored tests of the programs called `it` instead: those that need a control plane
--least N   fail when fewer than N tests passed: a filter that matches nothing passes, too
--host      without the probes
"""

import argparse
import contextlib
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO", "cargo")
WORKSPACES = [
    ["--workspace"],
    ["--manifest-path", "probes/Cargo.toml", "--target-dir", "target/probes-test"],
]
# a folder in memory, and what must be free there and in memory: the servers of all tests need up to 4 GiB
MEMORY, FREE = pathlib.Path("/dev/shm"), 12 << 30
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)


class Program:
    def __init__(self, artifact):
        self.path = artifact["executable"]
        self.folder = pathlib.Path(artifact["manifest_path"]).parent
        target = artifact["target"]
        self.is_it = target["name"] == "it"
        self.name = f"{self.folder.relative_to(ROOT)} {target['name'] if 'test' in target['kind'] else 'unit tests'}"
        # the longest first, and nothing says how long a program runs better than its size
        self.size = os.path.getsize(self.path)


def compile_tests(workspace):
    """Compiles one workspace's tests; returns its test programs."""
    command = [CARGO, "test", "--locked", *workspace, "--no-run", "--message-format", "json-render-diagnostics"]
    process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode != 0:
        sys.exit(process.returncode)
    messages = (json.loads(line) for line in process.stdout.splitlines() if line.startswith("{"))
    return [
        Program(message)
        for message in messages
        if message["reason"] == "compiler-artifact" and message.get("executable") and message["profile"]["test"]
    ]


def run(program, arguments, folder):
    """Runs one program; returns its exit code, its output and its seconds."""
    started = time.monotonic()
    # more than there are processors: a test waits most of its time
    environment = {"RUST_TEST_THREADS": "4", **os.environ, "CARGO": CARGO, "CARGO_MANIFEST_DIR": str(program.folder)}
    if folder:
        environment["TMPDIR"] = folder
    process = subprocess.run(
        [program.path, *arguments],
        cwd=program.folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )
    return process.returncode, process.stdout, time.monotonic() - started


def folder_in_memory():
    """A temporary folder for the files of all tests, or nothing where memory is short or TMPDIR is set."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return contextlib.nullcontext()
    space = os.statvfs(MEMORY)
    available = re.search(r"^MemAvailable: +(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    free = min(space.f_bavail * space.f_frsize, int(available[1]) << 10 if available else 0)
    if free < FREE:
        return contextlib.nullcontext()
    # servers that were killed may still be writing
    return tempfile.TemporaryDirectory(prefix="taster-tests-", dir=MEMORY, ignore_cleanup_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-run", action="store_true")
    parser.add_argument("--ignored", action="store_true")
    parser.add_argument("--least", type=int, default=1)
    parser.add_argument("--host", action="store_true")
    parser.add_argument("filter", nargs="*")
    options = parser.parse_args()

    workspaces = WORKSPACES[:1] if options.host or options.ignored else WORKSPACES
    programs = [program for workspace in workspaces for program in compile_tests(workspace)]
    if options.no_run:
        return 0
    arguments = [*options.filter]
    if options.ignored:
        arguments.append("--ignored")
        programs = [program for program in programs if program.is_it]

    waiting = queue.SimpleQueue()
    for program in sorted(programs, key=lambda program: -program.size):
        waiting.put(program)
    printing = threading.Lock()
    times, failed = [], []
    passed = 0

    def work():
        nonlocal passed
        while True:
            try:
                program = waiting.get_nowait()
            except queue.Empty:
                return
            code, output, seconds = run(program, arguments, folder)
            with printing:
                print(f"\n-- {program.name}: {seconds:.0f} s\n{output.strip()}", flush=True)
                times.append((seconds, program.name))
                passed += sum(int(one) for one, _ in RESULT.findall(output))
                if code != 0:
                    failed.append(f"{program.name} (exit {code})")

    with folder_in_memory() as folder:
        workers = [threading.Thread(target=work) for _ in range(max(1, options.jobs))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    print("\nthe longest:", ", ".join(f"{name} {seconds:.0f} s" for seconds, name in sorted(times, reverse=True)[:6]))
    if failed:
        print("failed:", ", ".join(sorted(failed)))
    print(f"{passed} tests passed in {len(programs)} programs")
    if passed < options.least:
        print(f"at least {options.least} were expected")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
