#!/usr/bin/env python3
"""Counts the tests of a `meson test` run and shows what failed.

    count.py LOG.json [--again LOG.json] [--flaky FILE] [--tail LINES]
    count.py LOG.json --failed                  the names of the programs that failed, a line each

A cmocka program counts as its test functions, a unittest program as its tests, any other as one. The last line is "N passed, N failed".

--again names the log of a second run of what failed: a program that passed there counts as passed, but its first output is shown all the
same and its name goes to FILE, a line each.
"""
import argparse
import json
import re
import sys

CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test\(s\)", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.M)
UNITTEST_FAILED = re.compile(r"^FAILED \((?:(?:failures|errors|skipped|unexpected successes|expected failures)=\d+(?:, )?)+\)", re.M)
# a program of another kind may say how many it ran, on its last line
OWN_SUMMARY = re.compile(r"(\d+) passed, (\d+) failed\s*\Z")

GOOD = ("OK", "EXPECTEDFAIL", "SKIP")


def count(entry):
    """(passed, failed) of one program; a program that failed counts at least one failure."""
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    bad = entry["result"] not in ("OK", "EXPECTEDFAIL")
    passed, failed = 0, 0
    if CMOCKA_PASSED.search(text):
        passed = sum(int(n) for n in CMOCKA_PASSED.findall(text))
        failed = sum(int(n) for n in CMOCKA_FAILED.findall(text))
    elif UNITTEST.search(text):
        ran = sum(int(n) for n in UNITTEST.findall(text))
        failed = sum(int(n) for line in UNITTEST_FAILED.finditer(text) for n in re.findall(r"(?:failures|errors)=(\d+)", line.group(0)))
        passed = ran - failed
    elif OWN_SUMMARY.search(entry.get("stdout") or ""):
        passed, failed = (int(n) for n in OWN_SUMMARY.search(entry["stdout"]).groups())
    elif not bad:
        passed = 1
    return passed, max(failed, 1) if bad else failed


def show(entry, lines):
    print(f"\n--- {entry['name']}: {entry['result']} after {entry.get('duration', 0):.1f} s: {' '.join(entry['command'])}")
    for stream in ("stdout", "stderr"):
        kept = [line for line in (entry.get(stream) or "").splitlines() if not re.match(r"\[ +(RUN|OK) +\]", line)]
        if kept:
            print(f"{stream}, last {min(lines, len(kept))} lines:")
            print("\n".join("  " + line for line in kept[-lines:]))


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:  # the second run never came to it
        return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--again")
    parser.add_argument("--flaky")
    parser.add_argument("--failed", action="store_true")
    parser.add_argument("--tail", type=int, default=40)
    args = parser.parse_args()
    entries = read(args.log)
    if args.failed:
        print("".join(f"{entry['name']}\n" for entry in entries if entry["result"] not in GOOD), end="")
        return
    again = {entry["name"]: entry for entry in read(args.again)} if args.again else {}
    passed = failed = 0
    skipped, flaky = [], []
    for entry in entries:
        if entry["result"] == "SKIP":
            skipped.append(entry["name"])
            continue
        good, bad = count(entry)
        if bad:
            show(entry, args.tail)
            second = again.get(entry["name"])
            if second is not None and second["result"] in ("OK", "EXPECTEDFAIL"):
                good, bad = count(second)
                flaky.append(entry["name"])
                print(f"\n--- {entry['name']}: passed when it ran once more alone")
        passed, failed = passed + good, failed + bad
    if skipped:
        print(f"skipped: {', '.join(skipped)}")
    if args.flaky and flaky:
        with open(args.flaky, "a", encoding="utf-8") as out:
            out.write("".join(f"{name}\n" for name in flaky))
    slow = sorted(entries, key=lambda entry: -(entry.get("duration") or 0))[:3]
    print("slowest: " + ", ".join(f"{entry['name']} {entry.get('duration') or 0:.1f} s" for entry in slow))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
