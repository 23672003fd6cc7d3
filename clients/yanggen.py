#!/usr/bin/env python3
"""Compiles clients/infinera/*/yang/*.yang into one C table: set (the folder's name), module, text.

usage: yanggen.py CLIENTS_DIR yang.gen.c DEPFILE

The depfile names the folders as well as their files, so a new module is picked up by the next build.
"""
import glob
import os
import sys


def main(clients, out_c, depfile):
    vendors = sorted(glob.glob(os.path.join(clients, "infinera", "*")))
    folders = [f for f in (os.path.join(v, "yang") for v in vendors) if os.path.isdir(f)]
    files = [f for folder in folders for f in sorted(glob.glob(os.path.join(folder, "*.yang")))]
    out = ["/* Made by clients/yanggen.py from the yang folders of the drivers; do not edit. */",
           '#include "clients/yang_check.h"', ""]
    rows = []
    for n, path in enumerate(files):
        data = open(path, "rb").read()
        name = os.path.basename(path)[:-len(".yang")]
        if max(data) > 126:
            sys.exit(f"{path}: ASCII only")
        out.append(f"static const char module_{n}[] = {{")
        for i in range(0, len(data), 32):
            out.append("    " + "".join(f"{byte}," for byte in data[i:i + 32]))
        out.append("    0};")
        rows.append(f'    {{"{os.path.basename(os.path.dirname(os.path.dirname(path)))}", "{name}", module_{n}}},')
    out += ["", "const struct lp_yang_source lp_yang_sources[] = {", *rows, "    {0}};",
            f"const size_t lp_yang_source_count = {len(rows)};", ""]
    text = "\n".join(out)
    if not os.path.exists(out_c) or open(out_c, encoding="utf-8").read() != text:
        with open(out_c, "w", encoding="utf-8") as file:
            file.write(text)
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{out_c}: {' '.join([os.path.join(clients, 'infinera')] + vendors + folders + files)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
