#!/usr/bin/env python3
"""The tree speaks of nothing outside itself: no path of the machine it was written on, no page that a reader does not have."""
import re
import sys

import tree

# in pieces, so that this list does not find itself
PATTERNS = ["/wo" + "rk/", "sha" + "red/reference", r"\.\./sha" + "red", "sha" + "red/design", "sha" + "red/data", "/tmp/l" + "p/",
            "/tmp/w" + "t/", r"(?<![\w/])refer" + r"ence/[a-z0-9-]+\.md"]


def main():
    problems, checked = [], 0
    for path in tree.files():
        try:
            text = tree.read(path)
        except UnicodeDecodeError:
            continue  # an image or a corpus file
        checked += 1
        for pattern in PATTERNS:
            for match in re.finditer(pattern, text):
                problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: '{match.group(0)}'")
    tree.verdict(problems, checked)


if __name__ == "__main__":
    sys.exit(main())
