#!/usr/bin/env python3
"""Every rule of "one SQL text" stops the build, and says where. usage: test_sqlgen.py store/sqlgen.py"""
import os
import subprocess
import sys
import tempfile

GOOD = "-- name: one\nSELECT a FROM t WHERE b = :b AND c = ':x -- no parameter';\n"
CASES = [
    ("cast", "-- name: x\nSELECT a::text FROM t;\n", "not ::"),
    ("any", "-- name: x\nSELECT a FROM t WHERE a = ANY (:a);\n", "ANY"),
    ("now", "-- name: x\nSELECT now();\n", "lp_now"),
    ("current", "-- name: x\nSELECT CURRENT_TIMESTAMP;\n", "lp_now"),
    ("ilike", "-- name: x\nSELECT a FROM t WHERE a ILIKE :a;\n", "ILIKE"),
    ("skip", "-- name: x\nSELECT a FROM t FOR UPDATE SKIP LOCKED;\n", "SKIP LOCKED"),
    ("update", "-- name: x\nSELECT a FROM t FOR UPDATE;\n", "FOR UPDATE"),
    ("with", "-- name: x\nWITH w AS (UPDATE t SET a = 1 RETURNING a) SELECT a FROM w;\n", "WITH"),
    ("dollar", "-- name: x\nSELECT a FROM t WHERE a = $1;\n", "written :name"),
    ("question", "-- name: x\nSELECT a FROM t WHERE a = ?;\n", "written :name"),
    ("jsonb", "-- name: x\nSELECT CAST(a AS jsonb) FROM t;\n", "text"),
    ("replace", "-- name: x\nINSERT OR REPLACE INTO t (a) VALUES (1);\n", "ON CONFLICT"),
    ("two", "-- name: x\nSELECT 1; SELECT 2;\n", "one statement"),
    ("ddl", "-- name: x\nDROP TABLE t;\n", "begins with none"),
    ("empty", "-- name: x\n\n", "empty"),
    ("twice", "-- name: x\nSELECT 1;\n-- name: x\nSELECT 2;\n", "named twice"),
    ("name", "-- name: X y\nSELECT 1;\n", "name line"),
    ("before", "SELECT 1;\n-- name: x\nSELECT 1;\n", "before the first"),
    ("parameters", "-- name: x\nSELECT :a AS a;\n-- name: x postgres\nSELECT :b AS a;\n", "same parameters"),
    ("one_side", "-- name: x postgres\nSELECT 1;\n", "no text for sqlite"),
]


def run(generator, folder):
    out = [os.path.join(folder, "..", name) for name in ("sql.gen.h", "sql.gen.c", "sql.gen.d")]
    done = subprocess.run([sys.executable, generator, folder, *out], capture_output=True, text=True)
    return done.returncode, done.stderr, out


def one(generator, files):
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "sql")
        os.mkdir(folder)
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        code, words, out = run(generator, folder)
        texts = [open(path, encoding="utf-8").read() for path in out] if code == 0 else []
        return code, words, texts


def main(generator):
    failed = []
    code, words, texts = one(generator, {"good.sql": GOOD})
    if code != 0 or texts[1].count("b = $1") != 2 or ":x -- no parameter" not in texts[1]:
        failed.append(f"good: {words}")
    code, words, _ = one(generator, {"a.sql": GOOD, "b.sql": GOOD})
    if code == 0 or "also in" not in words:
        failed.append(f"two files: {words}")
    for name, text, expected in CASES:
        code, words, _ = one(generator, {"case.sql": text})
        if code == 0 or expected not in words or "case.sql:" not in words:
            failed.append(f"{name}: '{words.strip()}' lacks '{expected}' or the place")
    for text in failed:
        print(text)
    print(f"{len(CASES) + 2 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
