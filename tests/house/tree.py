"""What the house tests share: the tree's files and C text without comments."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# ground floor first
ROOMS = ["base", "optical", "wire", "model", "store", "queue", "clients", "engine", "products", "steps", "workflows",
         "scheduler", "api", "daemon", "cli", "sim"]


def files(*suffixes):
    """Tracked files (or, outside a checkout, all files of a source archive) with one of the suffixes, from the root."""
    try:
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [os.path.relpath(os.path.join(folder, name), ROOT)
                  for folder, folders, names in os.walk(ROOT)
                  if not folders.sort() and not os.path.relpath(folder, ROOT).startswith("build")
                  for name in names]
    listed = [path for path in listed if path and os.path.isfile(os.path.join(ROOT, path))]
    return sorted(path for path in listed if not suffixes or path.endswith(suffixes))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


_TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text, strings=True):
    """Blanks comments, and string literals too unless `strings`; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token if strings else token[0] + " " * (len(token) - 2) + token[0]

    return _TOKENS.sub(blank, text)


def verdict(problems, checked):
    for problem in problems:
        print(problem)
    print(f"{checked} checked, {len(problems)} problems")
    sys.exit(1 if problems or checked == 0 else 0)
