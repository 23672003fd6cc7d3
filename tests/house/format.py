#!/usr/bin/env python3
"""clang-format leaves every C file as it is."""
import os
import shutil
import subprocess
import sys

import tree

SKIPPED = 77


def main():
    program = shutil.which("clang-format") or shutil.which("clang-format-14")
    if program is None:
        print("clang-format is not installed")
        sys.exit(SKIPPED)
    paths = tree.files(".c", ".h")
    problems = []
    for path in paths:
        done = subprocess.run([program, "--style=file", "--dry-run", "-Werror", os.path.join(tree.ROOT, path)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            problems.append(f"{path}: clang-format -i would change it ({done.stderr.count('[-Wclang-format-violations]')} places)")
    tree.verdict(problems, len(paths))


if __name__ == "__main__":
    main()
