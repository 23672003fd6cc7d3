#!/usr/bin/env python3
"""The fault matrix: every exchange of every workflow with the elements x every outcome class x effect executed or not.

    run.py [--long] [--seconds S] [--seed N] [--workflow WORD] [--only WORDS] [--sets N] [--keep]

The calls are those of a run without faults; the rows are tables.py. Every case runs on elements of its own, many at once, with a real daemon
and lightpath-sim over real sockets. A fault that happens once must leave a workflow that completes, or that fails and converges when it is
resumed; one that lasts leaves a workflow that completes, or that fails and is brought back by abort with rollback. Whatever happens, the
elements and the store must be as after, or as before, a run without faults.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time

from bed import Bed, flexsim, is_write, lightpathd
from tables import CONNECT, FAILED, FAULTS, LOGIN, PRODUCTS, READS, SCENARIOS, WRITES, names

TAG = re.compile(r"^([A-Z-]+:[^:]*:[^:]*:)[^:;]*")


class Case:
    __slots__ = ("scenario", "call", "fault", "state", "lasting", "set", "process", "first", "last", "wrong", "fired")

    def __init__(self, scenario, call, fault, state, lasting):
        self.scenario, self.call, self.fault, self.state, self.lasting = scenario, call, fault, state, lasting
        self.wrong, self.fired, self.first, self.last = [], 0, None, None

    def __str__(self):
        end, verb, nth = self.call
        return (f"{self.scenario.name}: {'az'[end]} {verb}#{nth} {self.fault.name} {self.state} "
                f"{'lasting' if self.lasting else 'once'}")

    def rule(self):
        end, verb, nth = self.call
        return {"match": {"verb": verb, "tid": names(self.set)[end]}, "do": self.fault.do,
                "when": {"nth": nth, "times": 0 if self.lasting else 1, "state": self.state}}


def kind(verb):
    return CONNECT if verb == "CONNECT" else LOGIN if verb == "ACT-USER" else WRITES if is_write(verb) else READS


def commands_in(value):
    """Every command of a plan, those of its compensations too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "commands":
                yield from inner
            else:
                yield from commands_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from commands_in(inner)


class Baseline:
    """A run of the scenario without faults on a few sets: what is there before and after, which calls are made, what is written."""

    def __init__(self, bed, scenario):
        self.scenario, few = scenario, range(min(bed.sets, 3))
        restore(bed, scenario)
        self.before, self.stored_before = self._look(bed, few)
        processes = start(bed, scenario, few)
        ended = go_on(bed, processes)
        for k, process in enumerate(processes):
            assert ended[process][0] == "completed", (scenario.name, k, ended[process])
        sent = bed.commands()
        self.after, self.stored = self._look(bed, few)
        self.calls = self._calls([s for s in sent if s[0] in names(0)])
        self.writes = {bed.plain(0, TAG.sub(r"\1*", text)) for name, _, text in sent if is_write(text) and name in names(0)}

    @staticmethod
    def _look(bed, few):
        """Of the first set; the others must look alike, or nothing could be compared."""
        configurations, stored = [bed.configuration(k) for k in few], bed.stored()
        for k in few:
            assert configurations[k] == configurations[0], f"sets 0 and {k} differ: {configurations[0]}\n{configurations[k]}"
            assert stored[k] == stored[0], f"sets 0 and {k} differ: {stored[0]}\n{stored[k]}"
        return configurations[0], stored[0]

    @staticmethod
    def _calls(sent):
        count, calls, sessions = collections.Counter(), [], set()
        for name, session, text in sent:
            end, verb = names(0).index(name), text.split(":")[0].rstrip(";")
            if (end, session) not in sessions:
                sessions.add((end, session))
                count[end, "CONNECT"] += 1
                calls.append((end, "CONNECT", count[end, "CONNECT"]))
            count[end, verb] += 1
            calls.append((end, verb, count[end, verb]))
        return calls


def restore(bed, scenario):
    bed.restore(scenario.level)
    for k in range(bed.sets):
        for end, cls, aid, attrs in scenario.drift:
            ne = names(k)[end]
            if cls == "OSNC":  # as its element does it: what the circuit made elsewhere follows
                words = ",".join(f"{name}={value}" for name, value in attrs.items())
                bed.sim.control(op="command", text=f"ED-OSNC:{ne}:{aid}:DRIFT:::{words}:;")
            else:
                bed.sim.control(op="set", ne=ne, **{"class": cls}, aid=aid, attrs=attrs, silent=True)


def start(bed, scenario, sets):
    return [bed.start_process(scenario.workflow, scenario.pages(bed, k)) for k in sets]


def go_on(bed, processes, since=None):
    """Waits; plans that ask for approval are approved."""
    ended = bed.wait(processes, since=since)
    asked = [p for p, found in ended.items() if found[0] == "suspended"]
    if asked:
        at = dict(bed.query("SELECT id, modified_at FROM processes"))
        for process in asked:
            status, body = bed.ask("PUT", f"/api/processes/{process}/resume", [{"decision": "approve"}])
            assert status == 204, (status, body)
        ended.update(bed.wait(asked, since=at))
    return ended


def cases_of(baseline, long):
    for call in baseline.calls:
        for fault in FAULTS:
            if kind(call[1]) not in fault.on or (fault.long and not long):
                continue
            for state in fault.states[:1] if kind(call[1]) == READS else fault.states:  # a read has no effect
                for lasting in (False, True):
                    yield Case(baseline.scenario, call, fault, state, lasting)


# ---- one batch --------------------------------------------------------------------------------------------------------------------------


def run_batch(bed, baseline, cases):
    scenario = baseline.scenario
    restore(bed, scenario)
    for k, case in enumerate(cases):
        case.set = k
    bed.sim.faults(*(case.rule() for case in cases))
    processes = start(bed, scenario, range(len(cases)))
    for case, process in zip(cases, processes):
        case.process = process
    first = go_on(bed, processes)
    journal = bed.sim.control(op="journal")["rules"]
    bed.sim.faults()
    settle(bed, cases)
    for case, rule in zip(cases, journal):
        case.fired, case.first = rule["fired"], first[case.process]
        check_first(case)
    at = dict(bed.query("SELECT id, modified_at FROM processes"))
    failed = [case for case in cases if case.first[0] in FAILED]
    for case in failed:
        way = "abort?rollback=true" if case.lasting else "resume"
        status, body = bed.ask("PUT", f"/api/processes/{case.process}/{way}", None if case.lasting else {})
        if status != 204:
            case.wrong.append(f"{way} is refused: {status} {body[:200]}")
    last = go_on(bed, [case.process for case in failed if not case.wrong or case.wrong[-1].find("is refused") < 0], at)
    stored, held, sent = bed.stored(), bed.held(), collections.defaultdict(list)
    for name, _, text in bed.commands():
        if is_write(text):
            sent[name].append(TAG.sub(r"\1*", text))
    evidence = dict(bed.query("SELECT process_id, count(*) FROM evidence GROUP BY process_id"))
    sessions = bed.sim.control(op="sessions")["elements"]
    for case in cases:
        case.last = last.get(case.process, case.first)
        check_end(bed, baseline, case, stored[case.set])
        check_invariants(bed, baseline, case, sent, held, evidence, sessions)
    check_secrets(bed, cases)


def settle(bed, cases):
    """What a fault did to an element beside the exchange is over when the operator comes."""
    if any(case.fault.do["fault"] in ("restart", "refuse") for case in cases):
        time.sleep(0.4)


def check_first(case):
    status, reason, error = case.first
    code = json.loads(error).get("class", "?") if error.startswith("{") else "?"
    if status == "completed":
        return
    if status not in FAILED:
        case.wrong.append(f"is {status} ({reason})")
        return
    if not case.fired:
        case.wrong.append(f"failed without a fault: {reason}")
    elif code not in case.fault.codes:
        case.wrong.append(f"ended with code {code}, expected {'/'.join(case.fault.codes) or 'to complete'}: {reason}")
    else:
        node = names(case.set)[case.call[0]]
        if node not in reason:
            case.wrong.append(f"the message does not name {node}: {reason}")
        if kind(case.call[1]) in (READS, WRITES) and case.call[1] not in reason + error and case.fault.names_call:
            case.wrong.append(f"the message does not name {case.call[1]}: {reason}")


def check_end(bed, baseline, case, stored):
    status, reason, _ = case.last
    if case.first[0] in FAILED and status != ("aborted" if case.lasting else "completed"):
        case.wrong.append(f"{'aborted' if case.lasting else 'resumed'}, it is {status}: {reason} (before: {case.first[1]})")
        return
    if status not in ("completed", "aborted"):
        return
    k, done = case.set, status == "completed"
    found, wanted = bed.configuration(k), baseline.after if done else baseline.before
    if found != wanted:
        case.wrong.append(f"{status}, but the elements are not as {'after' if done else 'before'} a run without faults: "
                          + differences(found, wanted))
    want = baseline.stored if done else baseline.stored_before
    if stored != want:
        extra, missing = [r for r in stored if r not in want], [r for r in want if r not in stored]
        case.wrong.append(f"{status}, but the store differs: has {str(extra)[:600]}, lacks {str(missing)[:600]}")


def differences(found, wanted):
    """Of two configurations, one line."""
    out = []
    for end, has, lacks in zip("az", found.split("\n"), wanted.split("\n")):
        has, lacks = json.loads(has), json.loads(lacks)
        for cls in sorted(set(has) | set(lacks)):
            for aid in sorted(set(has.get(cls, {})) | set(lacks.get(cls, {}))):
                one, two = has.get(cls, {}).get(aid), lacks.get(cls, {}).get(aid)
                if one != two:
                    keys = sorted(k for k in set(one or {}) | set(two or {}) if (one or {}).get(k) != (two or {}).get(k))
                    out.append(f"{end} {cls} {aid}: " + ("is there" if two is None else "is missing" if one is None else ", ".join(
                        f"{key} {one.get(key)!r}, not {two.get(key)!r}" for key in keys)))
    return "; ".join(out)[:600]


def check_invariants(bed, baseline, case, sent, held, evidence, sessions):
    if case.process in held:
        case.wrong.append(f"locks stay in {held[case.process]}")
    if case.fired and kind(case.call[1]) in (READS, WRITES) and not evidence.get(case.process):
        case.wrong.append("no evidence was kept")
    for name in names(case.set):
        peak = sessions.get(name, {}).get("peak", 0)
        if peak > 2:
            case.wrong.append(f"{peak} sessions on {name}")
        strange = [text for text in sent[name] if bed.plain(case.set, text) not in baseline.writes]
        if strange:
            plans = bed.get(f"/api/processes/{case.process}/plans")
            planned = {bed.plain(case.set, TAG.sub(r"\1*", c)) for c in commands_in(plans)}
            strange = [text for text in strange if bed.plain(case.set, text) not in planned]
        if strange:
            case.wrong.append(f"was sent to {name} and stands in no plan: {strange[:2]}")


def check_secrets(bed, cases):
    found = [line for line in bed.daemon.lines if flexsim.PASSWORD in line]
    for end in ("", "-wal"):
        if os.path.exists(bed.file + end):
            with open(bed.file + end, "rb") as data:
                if flexsim.PASSWORD.encode() in data.read():
                    found.append(bed.file + end)
    if found:
        cases[0].wrong.append(f"the password stands in {found[0][:200]}")


# ---- the whole --------------------------------------------------------------------------------------------------------------------------


def covered(bed):
    """Every workflow of these products has a row."""
    rows = {s.workflow for s in SCENARIOS}
    products = "|".join(PRODUCTS)
    return sorted(w["name"] for w in bed.workflows if w["name"] not in rows
                  and re.fullmatch(f"(create|modify|validate|reconcile|terminate)_({products})", w["name"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="every fault of the catalogue")
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing new after this time; what was run is a sample then")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="", help="cases whose name has all of these words")
    parser.add_argument("--workflow", default="", help="only workflows with this word in their name")
    parser.add_argument("--sets", type=int, default=80, help="cases at one time")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    args = parser.parse_args()
    long = args.long or os.environ.get("LP_TEST_LONG") == "1"
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    shm = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="lpfaults", dir=shm if os.access(shm, os.W_OK) else None)
    bed = Bed(args.sets, folder)
    began = time.monotonic()
    bad, ran, size, codes, idle = [], 0, 0, collections.Counter(), 0
    try:
        missing = covered(bed)
        if missing:
            bad.append(f"workflows without a row in tables.py: {', '.join(missing)}")
        whole = []
        for scenario in SCENARIOS:
            if args.workflow not in scenario.name:
                continue
            baseline = Baseline(bed, scenario)
            cases = list(cases_of(baseline, long))
            print(f"{scenario.name:32} {len(baseline.calls):4} calls {len(cases):6} cases", flush=True)
            whole.append((baseline, cases))
        size = sum(len(cases) for _, cases in whole)
        dice, turns = random.Random(seed), []
        for baseline, cases in whole:
            cases = [case for case in cases if all(word in str(case) for word in args.only.split())]
            dice.shuffle(cases)
            turns += [(at, baseline, cases[at:at + args.sets]) for at in range(0, len(cases), args.sets)]
        turns.sort(key=lambda turn: turn[0])  # of every workflow some, before there are more of one
        print(f"seed {seed}: {size} cases in the matrix, {sum(len(t[2]) for t in turns)} to run, "
              f"prepared in {time.monotonic() - began:.1f} s", flush=True)
        for _, baseline, batch in turns:
            if args.seconds and time.monotonic() - began > args.seconds:
                break
            run_batch(bed, baseline, batch)
            for case in batch:
                ran += 1
                idle += not case.fired
                codes[case.fault.name, case.first[0], case.last[0]] += 1
                if case.wrong:
                    bad.append(f"{case}: " + "; ".join(case.wrong))
                    if len(bad) <= 40:
                        print(f"FAILED {bad[-1]}", flush=True)
    finally:
        bed.close()
        if args.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for (fault, first, last), n in sorted(codes.items()):
        print(f"  {fault:20} {first:18} {last:12} {n:6}")
    if idle:
        print(f"  {idle} faults did not happen: the call was not made again in that run")
    for text in bad[40:]:
        print(f"FAILED {text[:300]}")
    print(f"fault matrix: {size} cases, {ran} run{'' if ran == size else ' (a sample)'}, {ran - min(len(bad), ran)} passed, {len(bad)} failed, "
          f"{time.monotonic() - began:.0f} s, seed {seed}")
    print(f"{ran - min(len(bad), ran)} passed, {len(bad)} failed")
    return 1 if bad else 0


sys.exit(main())
