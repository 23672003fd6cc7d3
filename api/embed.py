#!/usr/bin/env python3
"""Turns files into constant byte arrays: embed.py OUT.c NAME=FILE...; each gets `NAME` (NUL-terminated) and `NAME_len`."""
import sys

out = ['#include "api/embedded.h"\n']
for pair in sys.argv[2:]:
    name, path = pair.split("=", 1)
    data = open(path, "rb").read() + b"\0"
    rows = [", ".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    out.append(f"const char {name}[] = {{\n" + ",\n".join(rows) + "};\n")
    out.append(f"const size_t {name}_len = sizeof {name} - 1;\n")
open(sys.argv[1], "w").write("\n".join(out))
