#!/usr/bin/env python3
"""Functions that the house does not use: unbounded copies, hidden state, silent conversions, a shell, the stack as a heap."""
import re
import sys

import tree

FORBIDDEN = {
    "strcpy": "snprintf or lp_buf", "strcat": "snprintf or lp_buf", "sprintf": "snprintf or lp_buf", "vsprintf": "vsnprintf",
    "stpcpy": "snprintf or lp_buf", "strtok": "strcspn", "atoi": "strtol with its end checked", "atol": "strtol with its end checked",
    "atoll": "strtoll with its end checked", "atof": "strtod with its end checked", "system": "posix_spawn with an argument list",
    "popen": "posix_spawn with an argument list", "gets": "fgets", "alloca": "the arena", "asctime": "lp_time_iso",
    "ctime": "lp_time_iso", "gmtime": "gmtime_r", "localtime": "localtime_r", "rand": "lp_random", "srand": "lp_random",
    "tmpnam": "mkstemp", "mktemp": "mkstemp", "usleep": "a condition with a deadline",
}
IN_TESTS = {"usleep"}  # a test may look again after a while
CALL = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
# arrays of run-time length are refused by the compiler; nobody may switch that off
PRAGMA = re.compile(r"diagnostic\s+ignored\s+\"-Wvla")


def check(path, text, problems):
    code = tree.without_comments(text, strings=False)
    for match in CALL.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        if match.group(1) in IN_TESTS and path.startswith(("tests/", "bench/")):
            continue
        problems.append(f"{path}:{line}: {match.group(1)} is not used here; use {FORBIDDEN[match.group(1)]}")
    if PRAGMA.search(tree.without_comments(text)):
        problems.append(f"{path}: -Wvla must stay on")


def self_test(problems):
    found = []
    check("x.c", 'a = atoi(b); /* atoi(c) */ s = "atoi(d)";\nmy_atoi(e); x->system(f); strtok (g);', found)
    if len(found) != 2:
        problems.append(f"self-test: {found}")


def main():
    problems, paths = [], tree.files(".c", ".h", ".def")
    self_test(problems)
    for path in paths:
        check(path, tree.read(path), problems)
    if "'-Wvla'" not in tree.read("meson.build"):
        problems.append("meson.build: -Wvla is gone")
    tree.verdict(problems, len(paths))


if __name__ == "__main__":
    sys.exit(main())
