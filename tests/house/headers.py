#!/usr/bin/env python3
"""Every header compiles alone, and twice, with the flags of the project.

    headers.py BUILD_DIR     (generated headers in it must exist)
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

import tree


def flags_of(build):
    """The compiler's command without its file. Of the include folders only the roots: a header does not know who includes it."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
        entries = [shlex.split(entry["command"]) for entry in json.load(text) if entry["file"].endswith(".c")]
    first = entries[0]
    start = 1 if os.path.basename(first[0]) == "ccache" else 0
    keep = [word for word in first[start:] if word.startswith(("-W", "-std", "-D")) and not word.startswith("-Wl,")]
    roots = [os.path.realpath(build), os.path.realpath(tree.ROOT)]
    folders = [f"-I{root}" for root in roots]
    systems = list(dict.fromkeys(f"-isystem{entry[i + 1]}" for entry in entries for i, word in enumerate(entry) if word == "-isystem"))
    systems += list(dict.fromkeys(word for entry in entries for word in entry if word.startswith("-isystem") and word != "-isystem"))
    return [first[start], "-x", "c", "-fsyntax-only", *keep, *folders, *systems, "-"]


def compile_alone(command, build, header):
    # the declaration keeps -Wpedantic from complaining about an empty unit
    unit = f'#include "{header}"\n#include "{header}"\ntypedef int lp_alone;\n'
    done = subprocess.run(command, input=unit, cwd=build, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{header} does not compile alone:\n{done.stderr.strip()}"


def main():
    build = sys.argv[1]
    command = flags_of(build)
    headers = [path for path in tree.files(".h") if path.split("/")[0] in [*tree.ROOMS, "tests", "bench"]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda header: compile_alone(command, build, header), headers)
    tree.verdict([result for result in results if result is not None], len(headers))


if __name__ == "__main__":
    main()
