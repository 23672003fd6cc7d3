"""A test that fails and then passes alone counts as passed, is shown, and is named; one that fails twice stays a failure."""
import json
import os
import subprocess
import sys
import tempfile

from tree import ROOT, verdict


def log(path, *entries):
    with open(path, "w", encoding="utf-8") as out:
        for name, result in entries:
            out.write(json.dumps({"name": f"lightpath:x / {name}", "result": result, "duration": 1.0, "command": ["prog", name],
                                  "stdout": f"Ran 3 tests in 1s\n{'' if result == 'OK' else 'FAILED (failures=1)'}\n"}) + "\n")


def count(*arguments):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests/support/count.py"), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


problems = []
with tempfile.TemporaryDirectory() as folder:
    first, again, flaky = (os.path.join(folder, name) for name in ("first.json", "again.json", "flaky"))
    log(first, ("good", "OK"), ("shaky", "FAIL"), ("late", "TIMEOUT"), ("bad", "FAIL"))
    log(again, ("shaky", "OK"), ("late", "OK"), ("bad", "FAIL"))
    if count(first, "--failed")[1].split("\n")[:3] != ["lightpath:x / shaky", "lightpath:x / late", "lightpath:x / bad"]:
        problems.append("the names of what failed")
    code, text = count(first, "--again", again, "--flaky", flaky)
    if code == 0 or not text.endswith("11 passed, 1 failed\n"):
        problems.append(f"ended with {code}: {text[-300:]}")
    if "--- lightpath:x / shaky: FAIL" not in text:
        problems.append("the output of the failure is hidden")
    with open(flaky, encoding="utf-8") as names:
        if names.read() != "lightpath:x / shaky\nlightpath:x / late\n":
            problems.append("the names of what is flaky")
    log(first, ("shaky", "FAIL"))
    if count(first, "--again", again, "--flaky", flaky)[0] != 0:
        problems.append("passing alone still fails")
    if count(first, "--again", os.path.join(folder, "none"))[0] == 0:
        problems.append("a second run that never came excuses a failure")
verdict(problems, 6)
