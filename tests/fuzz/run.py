#!/usr/bin/env python3
"""Runs every built fuzz target for some seconds.

    tests/fuzz/run.py SECONDS [--build build-fuzz] [TARGET...]

What a target finds is kept in BUILD/fuzz/<target>/; an input that breaks it is printed and belongs into tests/fuzz/corpus/<target>/ once
the defect is gone. Two targets run at a time on two cores.
"""
import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


# Targets that read what devices send get more time: factors of SECONDS (15 in CI, 600 with --long).
FACTORS = {"tl1": (4, 3)}


def duration(name, seconds):
    short, long = FACTORS.get(name, (1, 1))
    return seconds * (long if seconds >= 600 else short)


def run(build, name, seconds):
    seconds = duration(name, seconds)
    program = os.path.join(build, "tests", "fuzz", f"fuzz_{name}")
    found = os.path.join(build, "fuzz", name)
    os.makedirs(found, exist_ok=True)
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=65536", "-print_final_stats=1",
               f"-artifact_prefix={found}/crash-", found]
    seeds = os.path.join(HERE, "corpus", name)
    dictionary = os.path.join(HERE, "corpus", f"{name}.dict")
    command += [seeds] if os.path.isdir(seeds) else []
    command += [f"-dict={dictionary}"] if os.path.exists(dictionary) else []
    environment = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1", **os.environ}
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, timeout=seconds + 120)
    except subprocess.TimeoutExpired as expired:
        return subprocess.CompletedProcess(command, 1, "", f"did not end in time\n{expired.stderr or ''}")


def leaks_are_seen(build, name):
    """LeakSanitizer cannot work under ptrace, as in some containers; everything else still does."""
    program = os.path.join(build, "tests", "fuzz", f"fuzz_{name}")
    done = subprocess.run([program, "-runs=1"], capture_output=True, text=True, errors="replace")
    return "LeakSanitizer has encountered a fatal error" not in done.stderr


def statistics(text):
    return next((line.split()[-1] for line in text.splitlines() if "number_of_executed_units" in line), "?")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--build", default=os.path.join(os.path.dirname(os.path.dirname(HERE)), "build-fuzz"))
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    built = sorted(os.path.basename(path)[len("fuzz_"):]
                   for path in glob.glob(os.path.join(options.build, "tests", "fuzz", "fuzz_*")) if os.path.isfile(path))
    targets = options.targets or built
    if not targets or not set(targets) <= set(built):
        sys.exit(f"not built in {options.build}: {', '.join(sorted(set(targets) - set(built))) or 'any target'}")
    if not leaks_are_seen(options.build, targets[0]):
        print("leaks cannot be looked for on this machine (ptrace)")
        os.environ["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, done in zip(targets, pool.map(lambda target: run(options.build, target, options.seconds), targets)):
            print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name}: {statistics(done.stderr)} inputs", flush=True)
            if done.returncode != 0:
                failed += 1
                print(done.stderr[-6000:])
    print(f"{len(targets) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
