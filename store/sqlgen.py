#!/usr/bin/env python3
"""Compiles store/sql/*.sql into sql.gen.h (enum lp_stmt) and sql.gen.c (texts per database, parameter names).

usage: sqlgen.py SQL_DIR sql.gen.h sql.gen.c DEPFILE

"append" behind a name: rows that nothing in the same transaction reads or changes. A batch may put them at its end, several to a statement.

The depfile names the folder as well as its files, so a new file is picked up by the next build without a word in meson.build.
A statement that breaks one of the rules of "one SQL text" (docs/architecture.md) stops the build with file, line and name.
"""
import os
import re
import sys

DIALECTS = ("sqlite", "postgres")
MAX_TEXT = 4000  # C compilers need not take longer string literals
HEAD = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)(?:\s+(append))?(?:\s+(sqlite|postgres))?\s*$")
APPEND = re.compile(r"INSERT INTO [a-z_]+ \([^()]*\)\s+VALUES (\(.*\))", re.S)
TOKEN = re.compile(r"""
    (?P<string>'(?:[^']|'')*') | (?P<quoted>"[^"]*") | (?P<comment>--[^\n]*) | (?P<cast>::) |
    (?P<param>:[A-Za-z_][A-Za-z0-9_]*) | (?P<other>.)""", re.X | re.S)
RULES = (
    (re.compile(r"\bANY\s*\(", re.I), "ANY is not known to SQLite: use IN (...)"),
    (re.compile(r"\bnow\s*\(", re.I), "now() differs between the databases: use lp_now() or a parameter"),
    (re.compile(r"\bCURRENT_(TIMESTAMP|TIME|DATE)\b", re.I), "use lp_now() or a parameter for times"),
    (re.compile(r"\bILIKE\b", re.I), "ILIKE is not known to SQLite: compare lower(...)"),
    (re.compile(r"\bSKIP\s+LOCKED\b", re.I), "SKIP LOCKED is not known to SQLite"),
    (re.compile(r"\bFOR\s+UPDATE\b", re.I), "FOR UPDATE is not known to SQLite: write first"),
    (re.compile(r"[?$][0-9]|\?"), "parameters are written :name"),
    (re.compile(r"\bWITH\b.*\(\s*(INSERT|UPDATE|DELETE)\b", re.I | re.S), "no writes inside WITH"),
    (re.compile(r"\bjsonb\b", re.I), "documents are text"),
    (re.compile(r"\bREPLACE\s+INTO\b|\bINSERT\s+OR\b", re.I), "use INSERT ... ON CONFLICT"),
)
WRITES = re.compile(r"^(?:WITH\b.*?\)\s*)?(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([a-z_]+)", re.I | re.S)
ROWS = re.compile(r"^\s*(SELECT|VALUES|WITH)\b", re.I)


class Fault(Exception):
    pass


def tokens(text):
    for m in TOKEN.finditer(text):
        yield m.lastgroup, m.group()


def clean(text):
    """The statement without comments, blank lines and the final semicolon."""
    out = "".join(" " if kind == "comment" else part for kind, part in tokens(text))
    lines = [re.sub(r"\s+", " ", line).strip() if "'" not in line else line.strip() for line in out.split("\n")]
    text = "\n".join(line for line in lines if line).strip()
    return text[:-1].rstrip() if text.endswith(";") else text


def bare(text):
    """The statement without literals, for checking words."""
    return "".join("''" if kind in ("string", "quoted") else part for kind, part in tokens(text))


def names_of(text):
    found = []
    for kind, part in tokens(text):
        if kind == "param" and part[1:] not in found:
            found.append(part[1:])
    return found


def rewrite(text, params, sign):
    return "".join(f"{sign}{params.index(part[1:]) + 1}" if kind == "param" else part for kind, part in tokens(text))


class Statement:
    def __init__(self, name, where):
        self.name, self.where, self.texts, self.append = name, where, {}, False

    def fault(self, why):
        return Fault(f"{self.where}: {self.name}: {why}")

    def check(self, text):
        words = bare(text)
        if "::" in words:
            raise self.fault("write CAST(x AS type), not ::")
        if ";" in words:
            raise self.fault("one statement per name")
        for pattern, why in RULES:
            if pattern.search(words):
                raise self.fault(why)
        if len(text) > MAX_TEXT:
            raise self.fault(f"longer than {MAX_TEXT} characters")

    def finish(self):
        common = self.texts.get(None)
        for dialect in DIALECTS:
            text = self.texts.get(dialect, common)
            if not text:
                raise self.fault(f"no text for {dialect}")
            self.check(text)
            setattr(self, dialect, text)
        self.params = names_of(self.sqlite)
        if sorted(self.params) != sorted(names_of(self.postgres)):
            raise self.fault("both dialect texts must use the same parameters")
        words = bare(self.sqlite)
        write = WRITES.match(words)
        self.table = write.group(1) if write else None
        self.rows = bool(re.search(r"\bRETURNING\b", words, re.I)) if write else bool(ROWS.match(words))
        if self.append and (not APPEND.fullmatch(self.postgres) or re.search(r"\bON\s+CONFLICT\b|\bSELECT\b", bare(self.postgres), re.I)):
            raise self.fault("append: no plain INSERT INTO t (...) VALUES (...)")
        if not write and not self.rows:
            raise self.fault("begins with none of SELECT, VALUES, WITH, INSERT, UPDATE, DELETE")


def read_file(path, found):
    current, body, dialect = None, [], None

    def close():
        if current is not None:
            text = clean("\n".join(body))
            if not text:
                raise current.fault("empty")
            if dialect in current.texts:
                raise current.fault("named twice")
            current.texts[dialect] = text

    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            head = HEAD.match(line.strip())
            if head is None:
                if re.match(r"^--\s*name\s*:", line):
                    raise Fault(f"{path}:{number}: cannot read this name line")
                if current is None and line.strip() and not line.startswith("--"):
                    raise Fault(f"{path}:{number}: text before the first '-- name:'")
                body.append(line.rstrip("\n"))
                continue
            close()
            name, append, dialect = head.group(1), head.group(2), head.group(3)
            body = []
            current = found.get(name)
            if current is None:
                current = found[name] = Statement(name, f"{path}:{number}")
            elif not current.where.startswith(path + ":"):
                raise Fault(f"{path}:{number}: {name} is also in {current.where}")
            if dialect in current.texts:
                raise Fault(f"{path}:{number}: {name} is named twice")
            current.append = current.append or append is not None
    close()


def literal(text):
    lines = text.split("\n")
    out = []
    for i, line in enumerate(lines):
        line = line.replace("\\", "\\\\").replace('"', '\\"')
        out.append(f'"{line}{" " if i + 1 < len(lines) else ""}"')
    return "\n     ".join(out)


def header(statements):
    out = ["/* Made by store/sqlgen.py from store/sql; do not edit. */", "#ifndef LP_STORE_SQL_GEN_H",
           "#define LP_STORE_SQL_GEN_H", "", "enum lp_stmt {"]
    out += [f"    LP_SQL_{s.name.upper()}," for s in statements]
    out += ["    LP_SQL_COUNT", "};", "", "#endif", ""]
    return "\n".join(out)


def source(statements):
    out = ["/* Made by store/sqlgen.py from store/sql; do not edit. */", '#include "store/internal.h"', ""]
    for s in statements:
        if s.params:
            names = ", ".join(f'"{p}"' for p in s.params)
            out.append(f"static const char *const params_{s.name}[] = {{{names}}};")
    out += ["", "const struct lp_sql lp_sql_table[LP_SQL_COUNT] = {"]
    for s in statements:
        params = f"params_{s.name}" if s.params else "NULL"
        table = f'"{s.table}"' if s.table else "NULL"
        # SQLite numbers $1, $2 ... as they appear, which is how they are numbered: one literal serves both
        sign = "$" if s.sqlite == s.postgres else "?"
        out.append(f"    [LP_SQL_{s.name.upper()}] = {{\"{s.name}\",\n    {{{literal(rewrite(s.sqlite, s.params, sign))},\n"
                   f"     {literal(rewrite(s.postgres, s.params, '$'))}}},\n"
                   f"     {params}, {table}, {len(s.params)}, {'true' if s.rows else 'false'}, "
                   f"{'true' if s.append else 'false'}}},")
    out += ["};", ""]
    return "\n".join(out)


def write_if_changed(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main(folder, out_h, out_c, depfile):
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".sql"))
    found = {}
    for path in paths:
        read_file(path, found)
    statements = sorted(found.values(), key=lambda s: s.name)
    for s in statements:
        s.finish()
    if not statements:
        raise Fault(f"{folder}: no statements")
    write_if_changed(out_h, header(statements))
    write_if_changed(out_c, source(statements))
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{out_h} {out_c}: {folder} {' '.join(paths)}\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:5])
    except Fault as fault:
        sys.exit(str(fault))
