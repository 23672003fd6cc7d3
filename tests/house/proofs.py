#!/usr/bin/env python3
"""Every weakness and defect that Lightpath promises not to have is guarded by a test named after it, and a mutant proves that the guard bites.

    tests/house/proofs.py [BUILD]     with a build folder the tests that mutants name are looked up there, too

An identifier of the list needs a test that carries it in its name and a mutant, tests/mutants/ID*.patch. Every mutant must apply to the
tree, and the test and the filter in its head must name something that exists: what was moved or renamed since shows here at once, not in
the night that happens to draw the mutant. Whether the test turns red is for tests/mutants/run.py.
"""
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys

import tree

# As in the issues that promise them: W weaknesses of the engine, D defects of optical inventories, T and OPT vectors and messages.
PROMISED = """
    W01-W53
    D01-D39 D41-D54 D56 D58
    T23 OPT_001-OPT_003
"""
MUTANTS = os.path.join(tree.ROOT, "tests", "mutants")


def promised():
    for word in PROMISED.split():
        first, _, last = word.partition("-")
        stem, digits = re.fullmatch(r"(\D+)(\d+)", first).groups()
        end = int(re.search(r"\d+$", last or first).group())
        yield from (f"{stem}{number:0{len(digits)}}" for number in range(int(digits), end + 1))


def carries(name, identifier):
    """Whether a name has the identifier as a word of its own, in either case: test_W03_group_pause, test_7_D09_..., d33_layout."""
    return re.search(rf"(?<![A-Za-z0-9]){identifier}(?![0-9])", name, re.I) is not None


def test_names():
    """Every word of the tests that is code: functions in C and Python, and what meson calls a test."""
    found = set()
    for path in tree.files(".c", ".h", ".py", "meson.build"):
        if path.startswith("tests/") and not path.startswith(("tests/mutants/", "tests/house/")):
            text = tree.read(path)
            found.update(re.findall(r"\w+", tree.without_comments(text) if path.endswith((".c", ".h")) else re.sub(r"#.*", "", text)))
    return found


def head(path):
    with open(path, encoding="utf-8") as text:
        fields = dict(re.findall(r"^# (test|why): *(.*)$", text.read(), re.M))
    words = fields.get("test", "").split()
    return (words + ["", ""])[:2]


def known_programs(build):
    if build is None:
        return None
    listed = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    return {test["name"] for test in json.loads(listed)}


def applies(path):
    """What `patch` says against the mutant; empty when it applies."""
    done = subprocess.run(["patch", "-p1", "-s", "-N", "-f", "--dry-run", "-r", "-", "-d", tree.ROOT, "-i", path], capture_output=True,
                          text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def main():
    programs = known_programs(sys.argv[1] if len(sys.argv) > 1 else None)
    names, problems, mutants = test_names(), [], {}
    plain = names | {name.removeprefix("test_") for name in names}
    for path in sorted(glob.glob(os.path.join(MUTANTS, "*.patch"))):
        mutant = os.path.basename(path)[: -len(".patch")]
        program, pattern = mutants[mutant] = head(path)
        said = applies(path)
        if said:
            problems.append(f"mutant {mutant} does not apply: {said}")
        if programs is not None and program not in programs:
            problems.append(f"mutant {mutant}: there is no test '{program}'")
        if pattern and not any(fnmatch.fnmatchcase(name, pattern) for name in plain):
            problems.append(f"mutant {mutant}: no test matches '{pattern}'")
    identifiers = list(promised())
    for identifier in identifiers:
        if not any(carries(name, identifier) for name in names):
            problems.append(f"{identifier}: no test is named after it")
        if not any(mutant == identifier or mutant.startswith(identifier + "_") for mutant in mutants):
            problems.append(f"{identifier}: no mutant puts it back")
    tree.verdict(problems, len(identifiers) + len(mutants))


if __name__ == "__main__":
    main()
