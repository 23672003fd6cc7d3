#!/usr/bin/env python3
"""Compiles migrations/<dialect>/NNNN_name.sql into migrations.gen.c: number, name, SHA-256 and text of each.

usage: migrategen.py MIGRATIONS_DIR migrations.gen.c DEPFILE

Texts are byte arrays, so no limit on string literals applies. Both folders must hold the same numbers and names; 0001 is the base.
A migration whose first line is "-- contract" is not tolerated by the release before it; every other one only expands.
"""
import hashlib
import os
import re
import sys

DIALECTS = ("sqlite", "postgres")
MOST = 999  # store/migrate.c remembers the numbers it found in a table of this size


def files_of(folder):
    found = []
    for name in sorted(os.listdir(folder)):
        match = re.match(r"^([0-9]{4})_([a-z0-9_]+)\.sql$", name)
        if match is None:
            sys.exit(f"{folder}/{name}: a migration is called NNNN_name.sql")
        found.append((int(match.group(1)), match.group(2), os.path.join(folder, name)))
    numbers = [n for n, _, _ in found]
    if numbers[0] != 1 or len(set(numbers)) != len(numbers) or numbers[-1] > MOST:
        sys.exit(f"{folder}: numbers run from 0001 to {MOST:04}, each once")
    return found


def main(root, out_c, depfile):
    folders = [os.path.join(root, dialect) for dialect in DIALECTS]
    lists = [files_of(folder) for folder in folders]
    if [x[:2] for x in lists[0]] != [x[:2] for x in lists[1]]:
        sys.exit(f"{root}: both databases need the same migrations")
    out = ["/* Made by store/migrategen.py from migrations; do not edit. */", '#include "store/internal.h"', ""]
    rows = []
    for dialect, migrations in zip(DIALECTS, lists):
        for n, name, path in migrations:
            data = open(path, "rb").read()
            symbol = f"{dialect}_{n}"
            out.append(f"static const char {symbol}[] = {{")
            if max(data) > 126:
                sys.exit(f"{path}: ASCII only")
            for i in range(0, len(data), 32):
                out.append("    " + "".join(f"{byte}," for byte in data[i:i + 32]))
            out.append("    0};")
            rows.append(f'    {{LP_DIALECT_{dialect.upper()}, {n}, "{name}", "{hashlib.sha256(data).hexdigest()}", {symbol}, '
                        f'{"true" if data.startswith(b"-- contract") else "false"}}},')
    out += ["", "const struct lp_migration lp_migrations[] = {", *rows, "};",
            f"const size_t lp_migration_count = {len(rows)};", f"const int lp_migration_last = {lists[0][-1][0]};", ""]
    text = "\n".join(out)
    if not os.path.exists(out_c) or open(out_c, encoding="utf-8").read() != text:
        with open(out_c, "w", encoding="utf-8") as file:
            file.write(text)
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{out_c}: {' '.join(folders)} {' '.join(x[2] for migrations in lists for x in migrations)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
