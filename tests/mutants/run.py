#!/usr/bin/env python3
"""Puts known faults back, one at a time, and demands that a test turns red.

    tests/mutants/run.py --all
    tests/mutants/run.py --sample 10 [--seed 42]
    tests/mutants/run.py W03 W11

A mutant is tests/mutants/NAME.patch, for `patch -p1` at the root, and begins with comment lines

    # test: <meson test> [<cmocka test, * and ? allowed>]
    # why: <the fault that it puts back>

The tree is copied once; every mutant is applied, built, tested and taken back, in one build folder, so that only what changed is compiled
again, and only what its test runs is linked. The test must pass on the sound tree first. A mutant that does not apply, does not build or stays green is a failure.
Tests that need a database server find it through tests/support/with-servers around this program.
"""
import argparse
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TEST_LIMIT_S = 300


class Problem(Exception):
    pass


def run(command, limit=1800, **more):
    """Text of stdout and stderr; the exit code is None when the command had to be stopped."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                             errors="replace", start_new_session=True, **more)
    try:
        out, _ = child.communicate(timeout=limit)
        return child.returncode, out
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)  # a group of its own: the test and what it started
        child.wait()
        return None, "(stopped: took too long)"


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[: -len(".patch")]
        with open(path, encoding="utf-8") as text:
            head = re.findall(r"^# (test|why): *(.*)$", text.read(), re.M)
        fields = dict(head)
        words = fields.get("test", "").split()
        if not words or len(words) > 2 or not fields.get("why"):
            raise Problem(f"{self.name}: needs '# test: NAME [FILTER]' and '# why: ...'")
        self.test, self.filter, self.why = words[0], words[1] if len(words) == 2 else "", fields["why"]


class Tree:
    """A private copy of the tree with a build folder."""

    def __init__(self, folder):
        self.source, self.build = os.path.join(folder, "source"), os.path.join(folder, "build")
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                                capture_output=True).stdout.decode().split("\0")
        for path in filter(None, listed):
            target = os.path.join(self.source, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isfile(os.path.join(ROOT, path)):
                shutil.copy2(os.path.join(ROOT, path), target)
        ccache = shutil.which("ccache")
        environment = {**os.environ, "CC": f"{ccache} gcc" if ccache else "gcc", "CCACHE_BASEDIR": folder}
        # no sanitizers and little optimisation: what counts is the time to the next mutant
        code, out = run(["meson", "setup", self.build, self.source, "-Doptimization=1", "-Dwerror=false",
                         "-Dbench=false"], env=environment)
        if code != 0:
            raise Problem(f"the tree cannot be configured:\n{out[-3000:]}")
        self.tests = {test["name"]: test for test in self.introspect("--tests")}
        targets = self.introspect("--targets")
        self.files = {target["id"]: [os.path.relpath(name, self.build) for name in target["filename"]] for target in targets}
        self.programs = [name for target in targets if target["type"] == "executable" for name in self.files[target["id"]]
                         if name.split(os.sep)[0] not in ("tests", "bench")]

    def introspect(self, what):
        _, out = run(["meson", "introspect", what, self.build])
        return json.loads(out)

    def needed(self, mutant):
        """What the mutant's test runs; beyond the unit tests also the programs, which a test may start by hand."""
        test = self.tests.get(mutant.test)
        if test is None:
            raise Problem(f"there is no test '{mutant.test}'")
        files = {name for depends in test["depends"] for name in self.files[depends]}
        if not any(suite.endswith(":unit") for suite in test["suite"]):
            files.update(self.programs)
        return files

    def make(self, files):
        return run(["ninja", "-C", self.build, *sorted(files)])

    def patch(self, mutant, *options):
        return run(["patch", "-p1", "-s", "-N", "--no-backup-if-mismatch", "-r", "-", "-d", self.source, "-i", mutant.path, *options])

    def test(self, mutant):
        test = self.tests[mutant.test]
        environment = {**os.environ, **test["env"], "LP_TEST_FILTER": mutant.filter}
        return run(test["cmd"], TEST_LIMIT_S, cwd=test["workdir"] or self.build, env=environment)


def passes(code, out, mutant):
    if code != 0:
        return False
    ran = re.search(r"^\[==========\] (\d+) test\(s\) run", out, re.M)
    if mutant.filter and ran and ran.group(1) == "0":
        raise Problem(f"no test matches '{mutant.filter}'")
    return True


def try_sound(tree, mutant, known):
    """The test must be green on the sound tree; asked once per test, before any mutant is applied."""
    key = (mutant.test, mutant.filter)
    if key not in known:
        code, out = tree.test(mutant)
        known[key] = None if passes(code, out, mutant) else f"{mutant.test} {mutant.filter} is red on the sound tree:\n{out[-2000:]}"
    return known[key]


def try_mutant(tree, mutant):
    """None when the test turned red, else what is wrong."""
    code, out = tree.patch(mutant, "--dry-run")
    if code != 0:
        return f"does not apply:\n{out[-1500:]}"
    tree.patch(mutant)
    try:
        code, out = tree.make(tree.needed(mutant))
        if code != 0:
            return f"does not build:\n{out[-1500:]}"
        code, out = tree.test(mutant)
        return f"{mutant.test} {mutant.filter} stays green" if passes(code, out, mutant) else None
    finally:
        tree.patch(mutant, "-R")


def chosen(options):
    paths = {os.path.basename(path)[: -len(".patch")]: path for path in sorted(glob.glob(os.path.join(HERE, "*.patch")))}
    if options.names:
        unknown = [name for name in options.names if name not in paths]
        if unknown:
            sys.exit(f"no such mutant: {', '.join(unknown)}")
        return [paths[name] for name in options.names]
    if options.all:
        return list(paths.values())
    seed = options.seed if options.seed is not None else int(time.time())
    count = min(options.sample, len(paths))
    print(f"{count} of {len(paths)} mutants, seed {seed}")
    return [paths[name] for name in sorted(random.Random(seed).sample(sorted(paths), count))]


def run_all(folder, paths):
    """Yields name, mutant and what is wrong with it (None: its test turned red)."""
    tree, known, ready, files = Tree(folder), {}, [], set()
    for path in paths:
        try:
            mutant = Mutant(path)
            files |= tree.needed(mutant)
            ready.append(mutant)
        except Problem as error:
            yield os.path.basename(path)[: -len(".patch")], None, str(error)
    code, out = tree.make(files)
    if code != 0:
        raise Problem(f"the sound tree does not build:\n{out[-3000:]}")
    sound = {}
    for mutant in ready:
        try:
            sound[mutant.name] = try_sound(tree, mutant, known)
        except Problem as error:
            sound[mutant.name] = str(error)
    for mutant in ready:
        try:
            problem = sound[mutant.name] or try_mutant(tree, mutant)
        except Problem as error:
            problem = str(error)
        yield mutant.name, mutant, problem


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--seed", type=int)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    paths, failed = chosen(options), 0
    folder = tempfile.mkdtemp(prefix="lp-mutants-")
    os.chmod(folder, 0o755)  # tests that drop privileges run from here
    try:
        for name, mutant, problem in run_all(folder, paths):
            failed += problem is not None
            print(f"FAIL {name}: {problem}" if problem is not None else
                  f"ok   {name}: {mutant.test} {mutant.filter} turned red: {mutant.why}", flush=True)
    except Problem as error:
        failed = max(len(paths), 1)
        print(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(paths) - failed if failed <= len(paths) else 0} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
