#!/usr/bin/env python3
"""clang-format leaves every C file as it is."""
import concurrent.futures
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

    def check(path):
        done = subprocess.run([program, "--style=file", "--dry-run", "-Werror", os.path.join(tree.ROOT, path)],
                              capture_output=True, text=True)
        places = done.stderr.count("[-Wclang-format-violations]")
        return None if done.returncode == 0 else f"{path}: clang-format -i would change it ({places} places)"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(check, paths) if problem is not None]
    tree.verdict(problems, len(paths))


if __name__ == "__main__":
    main()
