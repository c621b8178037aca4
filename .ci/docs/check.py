#!/usr/bin/env python3
"""Checks the prose without a network: links, anchors, paths in backticks, targets of make, and the tests that documents name.

check.py            the Markdown in the tree
check.py FOLDER     the built book in FOLDER as well
"""
import html.parser
import os
import re
import subprocess
import sys
import urllib.parse

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# folders of the tree; a word in backticks that begins with one is a path
ROOTS = ("host/", "probes/", "wit/", "manifests/", "docs/", ".ci/")
problems = []


def tracked():
    """Every file of the tree, committed or not yet, and its folders."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=TOP, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    files = {name for name in listing if name and os.path.exists(os.path.join(TOP, name))}
    folders = set()
    for name in files:
        while name := os.path.dirname(name):
            folders.add(name)
    return files, folders


FILES, FOLDERS = tracked()


def anchor(heading):
    """The anchor of a heading, as GitHub and mdBook make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[`*]", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(text):
    """The text without blocks of code; lines keep their numbers."""
    return re.sub(r"^( *)```.*?^ *```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def anchors(name):
    counts, found = {}, set()
    for heading in re.findall(r"^#{1,6} +(.*?)\s*$", prose(read(name)), re.M):
        base = anchor(heading)
        number = counts.get(base, 0)
        counts[base] = number + 1
        found.add(base if number == 0 else f"{base}-{number}")
    return found


def links(name):
    """Every link and picture leads to a file of the tree, and its anchor to a heading."""
    text = re.sub(r"`[^`\n]*`", "", prose(read(name)))
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        path = urllib.parse.unquote(path)
        file = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        if name.startswith("docs/src/") and not file.startswith("docs/src/"):
            problems.append(f"{name}: {target} leads out of the book: write the path in backticks")
        elif file not in FILES and file not in FOLDERS:
            problems.append(f"{name}: no file {target}")
        elif fragment and file.endswith(".md") and fragment not in anchors(file):
            problems.append(f"{name}: no heading for {target}")


def paths(name):
    """Words in backticks that look like paths of this tree exist."""
    for word in re.findall(r"`([^`\n]+)`", prose(read(name))):
        if not word.startswith(ROOTS) or re.search(r"[\s*{}<>…]|[A-Z]{4,}$", word):
            continue
        # `host/taster/tests/it/flow.rs::a_test`, `host/model/src/rule.rs:12`
        path = re.split(r"::?", word)[0].rstrip("/")
        if path not in FILES and path not in FOLDERS:
            problems.append(f"{name}: `{word}` does not exist")


def tests(name):
    """A test that a document names as `path.rs::name` is in that file."""
    for path, test in re.findall(r"`([\w./-]+\.rs)::(\w+)`", read(name)):
        if path in FILES and not re.search(rf"\bfn {test}\b", read(path)):
            problems.append(f"{name}: no test `{test}` in {path}")


TARGETS = set(re.findall(r"^([a-z-]+):.*##", read("Makefile"), re.M))


def targets(name):
    """Every `make target` in code is a target of the Makefile."""
    text = read(name)
    blocks = "\n".join(re.findall(r"^ *```sh.*?^ *```", text, flags=re.M | re.S))
    code = re.findall(r"`(make [^`\n]+)`", text) + re.findall(r"^(?:.*\$\()?(make [^#\n]*)", blocks, re.M)
    for command in code:
        for word in re.split(r"[)&;|]", command)[0].split()[1:]:
            if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-") and word not in TARGETS:
                problems.append(f"{name}: no target {word} in `{command.strip()}`")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links = set(), []

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key == "id":
                self.ids.add(value)
            if (tag, key) in (("a", "href"), ("img", "src"), ("link", "href"), ("script", "src")) and value:
                self.links.append(value)


def book(folder):
    """Every link of the built book leads to a page, a file or an anchor, in the book or in the tree around it."""
    parsed = {}
    for base, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".html"):
                path = os.path.join(base, name)
                parsed[path] = Page()
                with open(path, encoding="utf-8") as file:
                    parsed[path].feed(file.read())
    if len(parsed) < 20:
        problems.append(f"{folder}: only {len(parsed)} pages")
    for path, page in parsed.items():
        shown = os.path.relpath(path, folder)
        if shown in ("404.html", "print.html", "toc.html"):
            continue
        for target in page.links:
            if re.match(r"[a-z]+:|//", target):
                continue
            place, _, fragment = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(place))) if place else path
            if file in parsed:
                if fragment and urllib.parse.unquote(fragment) not in parsed[file].ids:
                    problems.append(f"book: {shown}: no anchor for {target}")
            elif not os.path.exists(file):
                problems.append(f"book: {shown}: nothing at {target}")


def main():
    documents = sorted(name for name in FILES if name.endswith(".md"))
    for name in documents:
        links(name)
        paths(name)
        tests(name)
        targets(name)
    if len(sys.argv) > 1:
        book(os.path.abspath(sys.argv[1]))
    summary = read("docs/src/SUMMARY.md")
    for name in documents:
        page = name.removeprefix("docs/src/")
        if page != name and page != "SUMMARY.md" and f"({page})" not in summary:
            problems.append(f"docs/src/SUMMARY.md: {page} is not in it")
    readme = read("README.md").count("\n")
    if readme > 170:
        problems.append(f"README.md has {readme} lines, more than 170")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(documents)} documents, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
