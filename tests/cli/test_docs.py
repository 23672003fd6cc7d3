"""The documents say what the program has: routes, error codes, commands, rooms, files.

Usage: test_docs.py SOURCE_ROOT PATH_OF_LIGHTPATH
"""
import glob
import os
import re
import subprocess
import sys
import unittest

ROOT, CLI = sys.argv[1], sys.argv[2]
del sys.argv[1:3]


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


DOCUMENTS = ["README.md", *(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, "docs", "*.md")))]


class Documents(unittest.TestCase):
    def test_every_route_is_described(self):
        page = text("docs/http-api.md")
        routes = re.findall(r'\.method = LP_(\w+), \.path = "([^"]+)"', text("api/routes.c"))
        self.assertGreater(len(routes), 40)
        for method, path in routes:
            self.assertIn(f"`{method} {path}`", page)
        for method, path in re.findall(r"^\| `(GET|PUT|POST|PATCH|DELETE) (/[^`]*)`", page, re.M):
            self.assertIn((method, path), routes)

    def test_every_error_code_is_described_as_it_is(self):
        page = text("docs/http-api.md")
        rows = re.findall(r'^LP_CODE\((\w+), "([^"]+)", (\d+), +(\d+), (\w+),', text("base/codes.def"), re.M)
        self.assertGreater(len(rows), 20)
        for _, slug, status, code, _ in rows[1:]:
            self.assertRegex(page, rf"\| `{slug}` \| {status} \| {code} \|")

    def test_every_command_of_the_documents_exists(self):
        seen = 0
        for document in DOCUMENTS:
            for words in re.findall(r"(?<![-\w/.])lightpath ((?:--?[\w-]+[= ][^\s`]+ )*)([a-z][a-z0-9]*)((?: [a-z-]+)?)", text(document)):
                noun, verb = words[1], words[2].strip()
                known = [[noun, verb], [noun]] if verb else [[noun]]
                if noun in ("is", "keeps"):
                    continue
                codes = [subprocess.run([CLI, *k, "--help"], capture_output=True).returncode for k in known]
                self.assertIn(0, codes, f"{document}: lightpath {noun} {verb}")
                seen += 1
        self.assertGreater(seen, 30)

    def test_every_room_has_its_row(self):
        page = text("docs/architecture.md")
        for room in re.findall(r"'(\w+)'", re.search(r"foreach room : \[(.*?)\]", text("meson.build"), re.S).group(1)):
            self.assertRegex(page, rf"\| \d \| `{room}/` \|")

    def test_links_lead_somewhere(self):
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#]+)\)", text(document)):
                if not target.startswith("http"):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(document), target)), f"{document}: {target}")

    def test_files_that_are_named_exist(self):
        for document in DOCUMENTS:
            for name in re.findall(r"`((?:base|engine|store|products|workflows|tests|scripts|cli|api|model|packaging|man)/[\w./-]+)`", text(document)):
                if "rack" not in name:
                    self.assertTrue(os.path.exists(os.path.join(ROOT, name)), f"{document}: {name}")


if __name__ == "__main__":
    unittest.main()
