#!/usr/bin/env python3
"""The catalogue of messages is complete: every code of docs/messages.md is raised somewhere and seen by a test, and no other code is raised.

A test that sees a message names its code, as OPT-023 in a text or OPT_081 in the name of a test.
"""
import re
import sys

import tree

# Raised behind choices that offer only what fits: they answer races and other programs' requests, which no test plays yet.
UNSEEN = {"OPT-042", "OPT-051", "OPT-053"}


def codes(folder, pattern):
    found = set()
    for path in tree.files(".c", ".py", ".yang", ".def", ".http"):
        inside = path.startswith("tests/")
        if inside == (folder == "tests") and not path.startswith(("tests/mutants/", "tests/house/")):
            found.update("OPT-" + number for number in re.findall(pattern, tree.read(path)))
    return found


def main():
    listed = set(re.findall(r"^\| (OPT-\d{3}) \|", tree.read("docs/messages.md"), re.M))
    raised, seen = codes("source", r"OPT-(\d{3})"), codes("tests", r"OPT[-_](\d{3})")
    problems = [f"{code} is raised, and docs/messages.md does not list it" for code in sorted(raised - listed)]
    problems += [f"docs/messages.md lists {code}, which nothing raises" for code in sorted(listed - raised)]
    problems += [f"no test sees {code}" for code in sorted(listed - seen - UNSEEN)]
    problems += [f"{code} is seen by a test now: take it out of UNSEEN" for code in sorted(seen & UNSEEN)]
    for problem in problems:
        print(problem)
    print(f"{len(listed)} messages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
