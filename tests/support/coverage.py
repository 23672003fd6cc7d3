#!/usr/bin/env python3
"""Prints line and branch coverage of rooms from a coverage build whose tests have run.

    coverage.py BUILD_DIR LEAST_PERCENT ROOM...

Fails when the lines of all the rooms together stay below LEAST_PERCENT. Branches are those of the source: what only an exception or a
failing assert would take is left out. The report by line is in BUILD_DIR/meson-logs/coverage/.
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def main():
    build, least, rooms = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    folder = os.path.join(build, "meson-logs", "coverage")
    os.makedirs(folder, exist_ok=True)
    report = os.path.join(folder, "coverage.json")
    command = ["gcovr", "--root", ROOT, "--object-directory", build, "--gcov-ignore-parse-errors", "--exclude-throw-branches",
               "--exclude-unreachable-branches", "--json-summary", report, "--html-details", os.path.join(folder, "index.html"), "-j",
               str(os.cpu_count())]
    for room in rooms:
        command += ["--filter", f"{ROOT}/{room}/"]
    command += ["--exclude", f"{ROOT}/model/codegen/"]
    done = subprocess.run([*command, build], capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stderr[-3000:])
        sys.exit(1)
    with open(report, encoding="utf-8") as text:
        files = json.load(text)["files"]
    sums = {room: [0, 0, 0, 0] for room in [*rooms, "total"]}
    for entry in files:
        room = entry["filename"].split("/")[0]
        counts = [entry["line_covered"], entry["line_total"], entry["branch_covered"], entry["branch_total"]]
        print(f"  {entry['filename']:40} lines {percent(*counts[:2]):5.1f} %  branches {percent(*counts[2:]):5.1f} %")
        for name in (room, "total"):
            if name in sums:
                sums[name] = [a + b for a, b in zip(sums[name], counts)]
    for room, counts in sums.items():
        print(f"coverage {room:8} lines {percent(*counts[:2]):5.1f} % ({counts[0]}/{counts[1]})  "
              f"branches {percent(*counts[2:]):5.1f} % ({counts[2]}/{counts[3]})")
    enough = percent(*sums["total"][:2]) >= least
    if not enough:
        print(f"lines are below {least:.0f} %")
    sys.exit(0 if enough else 1)


if __name__ == "__main__":
    main()
