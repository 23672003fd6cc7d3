#!/usr/bin/env python3
"""Includes go to a lower floor only. Reads every #include of the rooms and refuses any edge that the table does not allow.

It first proves that the rules bite: edges that must be refused, and edges that must pass.
"""
import re
import sys

import tree

# room: (floor, rooms below that are forbidden all the same, the only files allowed of a room)
TABLE = {
    "base": (0, [], {}),
    "optical": (1, [], {}),
    "wire": (1, [], {}),
    "model": (2, ["wire"], {}),
    "store": (3, ["wire"], {}),
    "queue": (3, ["store", "model", "optical"], {}),
    "clients": (3, ["store", "queue"], {}),
    "engine": (4, ["clients", "optical", "wire"], {}),
    "products": (4, ["store", "queue"], {"clients": ["clients/driver.h"]}),
    "steps": (5, ["wire"], {}),
    "workflows": (6, ["store", "queue", "clients", "wire"], {}),
    "scheduler": (7, ["clients", "wire"], {}),
    "api": (7, ["clients", "steps", "workflows"], {}),
    "daemon": (8, [], {}),
    "cli": (8, [], {"clients": ["clients/http"]}),
    "sim": (8, [], {}),
}
# top rooms that see only these, whatever lies below
ONLY = {"cli": ["base", "wire", "clients"], "sim": ["base", "optical", "wire"]}
# Libraries with one home: a protocol or a database that leaks out of its room is a wall that fell.
HOMES = {
    "libpq-fe.h": ["store", "queue"],
    "sqlite3.h": ["store"],
    "hiredis": ["queue"],
    "microhttpd.h": ["api", "sim"],
    "curl/": ["clients"],
    "libyang/": ["model", "clients"],
    "cyaml/": ["base"],
    "yaml.h": ["base"],
    "editline/": ["cli"],
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>|(\S[^\n]*))', re.M)


def refuse_edge(room, target):
    """Why a file of `room` must not include `target` (a path from the root), or None."""
    other = target.split("/")[0]
    if other == room:
        return None
    if other not in TABLE:
        return f"'{other}/' is no room"
    floor, forbidden, only_files = TABLE[room]
    if TABLE[other][0] >= floor:
        return f"{room} (floor {floor}) must not see {other} (floor {TABLE[other][0]}): lower floors only"
    if other in forbidden or (room in ONLY and other not in ONLY[room]):
        return f"{room} must not see {other}"
    if other in only_files and not any(target.startswith(prefix) for prefix in only_files[other]):
        return f"{room} may see only {', '.join(only_files[other])} of {other}"
    return None


def refuse_library(room, header):
    for prefix, homes in HOMES.items():
        if header.startswith(prefix) and room not in homes:
            return f"<{header}> lives in {', '.join(homes)} only"
    return None


def check_file(path, text, problems):
    room, count = path.split("/")[0], 0
    for match in INCLUDE.finditer(tree.without_comments(text)):
        quoted, system, macro = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        count += 1
        if macro is not None:
            why = "an #include through a macro cannot be checked"
        elif system is not None:
            why = refuse_library(room, system)
        elif "/" not in quoted or quoted.startswith("."):
            why = f'"{quoted}" is not spelled from the root'
        else:
            why = refuse_edge(room, quoted)
        if why is not None:
            problems.append(f"{path}:{line}: {why}")
    return count


def self_test(problems):
    refused = [("base", "model/model.h"), ("model", "wire/tl1.h"), ("queue", "store/db.h"), ("clients", "store/db.h"),
               ("store", "queue/queue.h"), ("engine", "clients/http.h"), ("products", "clients/http.h"), ("api", "workflows/x.h"),
               ("api", "scheduler/scheduler.h"), ("cli", "model/model.h"), ("cli", "clients/tl1.h"), ("sim", "clients/http.h"),
               ("daemon", "cli/cli.h"), ("engine", "tests/support/x.h"), ("engine", "products/product.h")]
    allowed = [("base", "base/err.h"), ("model", "optical/grid.h"), ("engine", "store/db.h"), ("products", "clients/driver.h"),
               ("cli", "clients/http.h"), ("daemon", "workflows/x.h"), ("sim", "wire/tl1.h"), ("steps", "clients/driver.h")]
    problems += [f"self-test: {room} -> {target} went through" for room, target in refused if refuse_edge(room, target) is None]
    problems += [f"self-test: {room} -> {target} was refused" for room, target in allowed if refuse_edge(room, target) is not None]
    if refuse_library("engine", "sqlite3.h") is None or refuse_library("store", "sqlite3.h") is not None:
        problems.append("self-test: the homes of libraries are not kept")
    found = []
    check_file("base/x.c", '/* #include "model/model.h" */\n  #  include "model/model.h"\n#include "err.h"\n', found)
    if len(found) != 2 or not found[0].startswith("base/x.c:2"):
        problems.append(f"self-test: reading includes: {found}")


def main():
    problems, count = [], 0
    if sorted(TABLE) != sorted(tree.ROOMS):
        problems.append("the table and the list of rooms differ")
    self_test(problems)
    for path in tree.files(".c", ".h", ".def"):
        if path.split("/")[0] in TABLE:
            count += check_file(path, tree.read(path), problems)
    tree.verdict(problems, count)


if __name__ == "__main__":
    sys.exit(main())
