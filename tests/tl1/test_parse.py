#!/usr/bin/env python3
"""lightpath tl1 parse: golden transcripts, standard input, what is refused.

Usage: test_parse.py PATH_OF_LIGHTPATH
"""
import json
import os
import subprocess
import sys
import unittest

CLI = sys.argv.pop(1)
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
HEAD = b"\r\n\n   n1 27-03-14 09:00:00\r\n"


def parse(*args, text=b""):
    return subprocess.run([CLI, "tl1", "parse", *args], input=text, capture_output=True, timeout=60)


class Parse(unittest.TestCase):
    def test_golden_transcripts(self):
        for name in ("catalogue", "events"):
            path = os.path.join(GOLDEN, name)
            with open(path + ".json", "rb") as expected, open(path + ".tl1", "rb") as sent:
                wanted = expected.read()
                self.assertEqual(parse(path + ".tl1").stdout, wanted)
                self.assertEqual(parse(text=sent.read()).stdout, wanted)

    def test_a_message_has_its_members(self):
        done = parse("-", text=HEAD + b'M  L00001 DENY\r\n   IENE\r\n   /*NO SUCH\r\n   THING*/\r\n   "1:SCH:A=\\"x\\",\xff=:IS"\r\n;')
        self.assertEqual(done.returncode, 0)
        got = json.loads(done.stdout)
        self.assertEqual(got, {"kind": "response", "source": "n1", "date": "27-03-14", "time": "09:00:00", "tag": "L00001", "completion": "DENY",
                               "error": "IENE", "blocks": 1, "comments": ["NO SUCH THING"],
                               "records": [{"positional": [["1"], ["SCH"], ["?="], ["IS"]], "named": {"A": "x"}}]})

    def test_what_is_refused(self):
        cases = {b"just text\n": b"no TL1 message",
                 HEAD + b'M  L00001 COMPLD\r\n   "1"\r\n': b"L00001",
                 b"x" * 2000000: b"1048576"}
        for text, words in cases.items():
            done = parse(text=text)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
        done = parse("/nonexistent")
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"/nonexistent", done.stderr)
        self.assertEqual(parse(text=b"").returncode, 0)


if __name__ == "__main__":
    unittest.main()
