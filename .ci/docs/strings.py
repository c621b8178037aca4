#!/usr/bin/env python3
"""The words and riddles of .ci/vale in what users read outside Markdown: the strings of host/*/src and of the Dockerfile.

strings.py              check this repository
strings.py --self-test  check that it can fail
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / ".ci"))
sys.dont_write_bytecode = True
from rooms import tokens_of, without_tests  # noqa: E402

STYLES = TOP / ".ci/vale/styles/Taster"
STRINGS = ("string", "raw")
# (file, word): why it may be there
EXCEPTIONS = {
    ("host/config/src/renamed.rs", "patience"): "the old name of a setting, in the table that finds it",
}


def rules():
    """[(pattern, what to do)], as vale reads them: whole words, in any case."""
    result = []
    for line in (STYLES / "Riddles.yml").read_text().split("tokens:\n")[1].splitlines():
        result.append((line.strip().removeprefix("- "), "a riddle: say plainly what happens"))
    for line in (STYLES / "Words.yml").read_text().split("swap:\n")[1].splitlines():
        was, instead = line.strip().split(": ", 1)
        result.append((was, f"write '{instead}'"))
    return [(re.compile(rf"\b(?:{was})\b", re.IGNORECASE), what) for was, what in result]


def rust_strings(text):
    """(line, string) of Rust source outside tests; a line that ends in a backslash is joined with the next one."""
    tokens, _ = without_tests(tokens_of(text))
    for token in tokens:
        if token.kind in STRINGS:
            yield token.line, re.sub(r"\\\n\s*", "", token.text)


def dockerfile_strings(text):
    for number, line in enumerate(text.splitlines(), 1):
        for string in re.findall(r'"([^"]*)"', line):
            yield number, string


def problems(name, strings):
    found = []
    for line, string in strings:
        # a name in backticks is no prose
        prose = re.sub(r"`[^`]*`", "``", string)
        for pattern, what in RULES:
            match = pattern.search(prose)
            if match and (name, match.group(0)) not in EXCEPTIONS:
                found.append(f"{name}:{line}: `{match.group(0)}`: {what}")
    return found


RULES = rules()


def main():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "host/*/src/*.rs", "Dockerfile"]
    listing = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout.split()
    found = []
    for name in listing:
        path = TOP / name
        # files that hold only tests
        if not path.is_file() or path.name == "tests.rs" or "tests" in path.parts:
            continue
        read = rust_strings if path.suffix == ".rs" else dockerfile_strings
        found += problems(name, read(path.read_text()))
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"strings of {len(listing)} files, {len(found)} problems")
    return 1 if found else 0


def self_test():
    def expect(what, found, expected):
        assert found == expected, f"{what}: {found!r}, expected {expected!r}"
        print(f"ok: {what}")

    def words(text):
        return [problem.split(": ")[1] for problem in problems("a.rs", rust_strings(text))]

    expect("a word and a riddle in strings", words('const A: &str = "it stands";\nfn f() { say(r#"No LOUD warning"#) }'),
           ["`stands`", "`LOUD warning`"])
    expect("a phrase over two lines", words('const A: &str = "this is the last \\\n    word";'), ["`the last word`"])
    expect("names, comments and tests", words('// it stands\nfn stands() { say("`stands`") }\n#[test]\nfn f() { say("it stands") }'), [])
    label = 'LABEL description="Says whether it still tastes the same"\n'
    expect("a label of the image", len(problems("Dockerfile", dockerfile_strings(label))), 1)
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main())
