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
import dataclasses
import itertools
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass

from bed import ENDED, UNHURRIED, Bed, flexsim, lightpathd, rest_command
from nets import DOMAIN, NETS, name as node_name
from tables import ACTS, CONNECT, FAILED, FAULTS, LOGIN, PRODUCTS, READS, SCENARIOS, WEB, WRITES

TAG = re.compile(r"^([A-Z-]+:[^:]*:[^:]*:)[^:;]*")


@dataclass(frozen=True)
class Call:
    """An exchange of a run: the nth with this verb (and over HTTP this path) at an element of the set."""
    end: str
    verb: str
    target: str
    nth: int
    writes: bool
    next: tuple = ()          # what this element is told behind it, if that is a write: of TL1 (class, AID), of HTTP (path, leaf)

    @property
    def web(self):
        return self.target != "*"

    @property
    def kind(self):
        return CONNECT if self.verb == "CONNECT" else LOGIN if self.verb == "ACT-USER" else WRITES if self.writes else READS

    def __str__(self):
        path = self.target.replace("/restconf/", " /") if self.web else ""
        return f"{self.end} {self.verb}{path}#{self.nth}"


class Case:
    __slots__ = ("baseline", "call", "fault", "state", "lasting", "set", "names", "process", "first", "last", "wrong", "fired", "acted")

    def __init__(self, baseline, call, fault, state, lasting):
        self.baseline, self.call, self.fault, self.state, self.lasting = baseline, call, fault, state, lasting
        self.wrong, self.fired, self.first, self.last, self.acted = [], 0, None, None, None

    def __str__(self):
        return f"{self.scenario.name}: {self.call} {self.fault.name} {self.state} {'lasting' if self.lasting else 'once'}"

    @property
    def scenario(self):
        return self.baseline.scenario

    def place(self, bed, k):
        self.set, self.names = k, bed.net.names(k)

    @property
    def node(self):
        return self.names[0][:-1] + self.call.end

    def rule(self):
        match = {"verb": self.call.verb, "tid": self.node}
        if self.call.web and self.call.kind != CONNECT:
            match["aid"] = re.sub(r"[][?*\\]", "?", self.call.target)
        do = self.fault.do
        if do["fault"] == "meddle":
            where, what = self.call.next
            do = {**do, "ne": self.node, **({"path": where, "leaves": {what: "theirs"}} if self.call.web else
                                            {"class": where, "aid": what, "attrs": {"LABEL": "theirs"}})}
        return {"match": match, "do": do, "when": {"nth": self.call.nth, "times": 0 if self.lasting else 1, "state": self.state}}


def commands_in(value):
    """Every command of a plan, those of its compensations too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "commands":
                yield from (rest_command(text) if re.match("[A-Z]+ /", text) else text for text in inner)
            else:
                yield from commands_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from commands_in(inner)


class Baseline:
    """A run of the scenario without faults on a few sets: what is there before and after, which calls are made, what is written."""

    def __init__(self, bed, scenario, few):
        self.scenario, self.few, self.bed = scenario, few, bed
        self.before, self.stored_before = self._look()

    def start(self):
        self.processes = [start(self.bed, self.scenario, k) for k in self.few]

    def ended(self, ended, sent):
        for k, process in zip(self.few, self.processes):
            assert ended[process][0] == "completed", (self.scenario.name, k, ended[process])
        self.after, self.stored = self._look()
        k, mine = self.few[0], [call for call in sent if call.element in self.bed.net.names(self.few[0])]
        self.calls = self._calls(mine)
        self.writes = {self.bed.plain(k, TAG.sub(r"\1*", call.text)) for call in mine if call.writes}
        return self

    def _look(self):
        """Of the first set; the others must look alike, or nothing could be compared."""
        bed, first, stored = self.bed, self.bed.configuration(self.few[0]), self.bed.stored()
        for k in self.few:
            found = bed.configuration(k)
            assert found == first, f"{self.scenario.name}: sets {self.few[0]} and {k} differ: {differences(found, first)}"
            assert stored[k] == stored[self.few[0]], f"{self.scenario.name}: sets differ: {stored[self.few[0]]}\n{stored[k]}"
        return first, stored[self.few[0]]

    @staticmethod
    def _calls(sent):
        count, calls, sessions = collections.Counter(), [], set()
        for call in sent:
            end, web = call.element[-1], call.target != "*"
            if (end, call.session) not in sessions:
                sessions.add((end, call.session))
                count[end, "CONNECT"] += 1
                calls.append(Call(end, "CONNECT", "https" if web else "*", count[end, "CONNECT"], False))
            count[end, call.verb, call.target] += 1
            before = next((n for n in reversed(range(len(calls))) if calls[n].end == end), None)
            if call.writes and before is not None and not calls[before].writes:
                calls[before] = dataclasses.replace(calls[before], next=Baseline._object(call))
            calls.append(Call(end, call.verb, call.target, count[end, call.verb, call.target], call.writes))
        return calls

    @staticmethod
    def _object(call):
        """What a write changes and somebody else could have changed before; () when it has no text of the operator's."""
        if call.target == "*":
            verb, _, aid = call.text.split(":")[:3]
            return (verb.split("-", 1)[1], aid) if verb.startswith("ED-") and "LABEL=" in call.text else ()
        leaf = re.search(r'"(service-label|connected-to)":', call.text)
        return (call.target.split("/data/", 1)[1], leaf[1]) if leaf and call.verb == "PATCH" else ()


def baselines(bed, scenarios):
    """Of scenarios that begin at the same level, all at once."""
    few = max(2, min(3, bed.sets // len(scenarios)))
    bed.restore(scenarios[0].level, UNHURRIED)
    found = []
    for n, scenario in enumerate(scenarios):
        sets = range(n * few, (n + 1) * few)
        for k in sets:
            drift(bed, scenario, k)
        found.append(Baseline(bed, scenario, sets))
    for baseline in found:
        baseline.start()
    ended = go_on(bed, [process for baseline in found for process in baseline.processes])
    sent = bed.commands()
    return [baseline.ended(ended, sent) for baseline in found]


def drift(bed, scenario, k):
    for end, *where, attrs in scenario.drift:
        ne = node_name(k, end)
        if len(where) == 1:
            bed.sim.control(op="set", ne=ne, path=where[0], leaves=attrs, silent=True)
        elif where[0] == "OSNC":  # as its element does it: what the circuit made elsewhere follows
            words = ",".join(f"{name}={value}" for name, value in attrs.items())
            bed.sim.control(op="command", text=f"ED-OSNC:{ne}:{where[1]}:DRIFT:::{words}:;")
        else:
            bed.sim.control(op="set", ne=ne, **{"class": where[0]}, aid=where[1], attrs=attrs, silent=True)


def start(bed, scenario, k):
    return bed.start_process(scenario.workflow, scenario.pages(bed, k))


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
        for fault in (*(WEB if call.web else FAULTS), *ACTS):
            if call.kind not in fault.on or (fault.long and not long) or (fault.do["fault"] == "meddle" and not call.next) \
                    or (fault.not_in and fault.not_in in baseline.scenario.name):
                continue
            for state in fault.states[:1] if call.kind == READS else fault.states:  # a read has no effect
                for lasting in fault.ways[:1 + baseline.scenario.lasting]:
                    yield Case(baseline, call, fault, state, lasting)


# ---- one batch --------------------------------------------------------------------------------------------------------------------------


def run_batch(bed, cases):
    held = cases[0].fault in ACTS
    bed.restore(cases[0].scenario.level, UNHURRIED if held else 1)
    for k, case in enumerate(cases):
        case.place(bed, k)
        drift(bed, case.scenario, k)
    bed.sim.faults(*(case.rule() for case in cases))
    for case in cases:
        case.process = start(bed, case.scenario, case.set)
    if held:
        meanwhile(bed, cases)
    first = go_on(bed, [case.process for case in cases])
    journal = bed.sim.control(op="journal")["rules"] if cases[0].fault.name != "kill" else [{"fired": case.fired} for case in cases]
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
    for call in bed.commands():
        if call.writes:
            sent[call.element].append(TAG.sub(r"\1*", call.text))
    evidence = dict(bed.query("SELECT process_id, count(*) FROM evidence GROUP BY process_id"))
    sessions = bed.sim.control(op="sessions")["elements"]
    for case in cases:
        case.last = last.get(case.process, case.first)
        check_end(bed, case.baseline, case, stored[case.set])
        check_invariants(bed, case.baseline, case, sent, held, evidence, sessions)
    check_secrets(bed, cases)


def meanwhile(bed, cases):
    """Until every exchange that is to be held was, or its process has ended; what is done beside it."""
    name, began, ended = cases[0].fault.name, time.monotonic(), set()
    while len(ended) < len(cases) and time.monotonic() < began + 60 * lightpathd.SLOW:
        rules = bed.sim.control(op="journal")["rules"]
        states = dict(bed.query("SELECT id, status FROM processes"))
        for case, rule in zip(cases, rules):
            if case.set in ended or not (rule["fired"] or states[case.process] in ENDED):
                continue
            if states[case.process] == "suspended" and not rule["fired"]:
                bed.ask("PUT", f"/api/processes/{case.process}/resume", [{"decision": "approve"}])
                continue
            ended.add(case.set)
            case.fired = rule["fired"]
            if name == "stop" and case.fired:
                status, body = bed.ask("PUT", "/api/emergency-stops", {"scope": "element", "target": case.node + DOMAIN})
                assert status == 200, (status, body)
                case.acted = time.time()
            elif name == "replaced" and case.fired:
                bed.sim.control(op="replace", ne=case.node, serial="XX" + bed.serials[case.node][2:])
        time.sleep(0.02)
    if name == "kill":
        bed.stop(kill=True)
        bed.sim.faults()
        bed.start()


def settle(bed, cases):
    """What a fault did to an element beside the exchange is over when the operator comes."""
    for case in cases:
        if case.fault.name == "stop" and case.acted:
            late = [call.text for call in bed.written(case.node, case.acted)]
            if late:
                case.wrong.append(f"written in spite of the emergency stop: {late}")
            bed.ask("DELETE", f"/api/emergency-stops?scope=element&target={case.node}{DOMAIN}")
        elif case.fault.name == "replaced":
            bed.sim.control(op="replace", ne=case.node, serial=bed.serials[case.node])
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
        if case.node not in reason:
            case.wrong.append(f"the message does not name {case.node}: {reason}")
        if case.call.kind in (READS, WRITES) and case.call.verb not in reason + error and case.fault.names_call:
            case.wrong.append(f"the message does not name {case.call.verb}: {reason}")


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
    return "; ".join(unlike(json.loads(found), json.loads(wanted)))[:600]


def unlike(has, lacks, path=""):
    if isinstance(has, (dict, list)) and type(has) is type(lacks) and (isinstance(has, dict) or len(has) == len(lacks)):
        for key in sorted(set(has) | set(lacks)) if isinstance(has, dict) else range(len(has)):
            one, two = (has.get(key), lacks.get(key)) if isinstance(has, dict) else (has[key], lacks[key])
            yield from unlike(one, two, f"{path} {key}")
    elif has != lacks:
        yield f"{path}: " + ("is there" if lacks is None else "is missing" if has is None else f"{str(has)[:200]!r}, not {str(lacks)[:200]!r}")


def check_invariants(bed, baseline, case, sent, held, evidence, sessions):
    if case.process in held:
        case.wrong.append(f"locks stay in {held[case.process]}")
    if case.fired and case.call.kind in (READS, WRITES) and not evidence.get(case.process):
        case.wrong.append("no evidence was kept")
    for name in case.names:
        peak = sessions.get(name, {}).get("peak", 0)
        if peak > 2:
            case.wrong.append(f"{peak} sessions on {name}")
        strange = [text for text in sent[name] if bed.plain(case.set, text) not in baseline.writes]
        if strange:
            plans = bed.get(f"/api/processes/{case.process}/plans")
            planned = {bed.plain(case.set, TAG.sub(r"\1*", c)) for c in commands_in(plans)} | baseline.writes
            planned = {form for text in planned for form in forms(text)}
            strange = [text for text in strange if not planned.intersection(forms(bed.plain(case.set, text)))]
        if strange:
            case.wrong.append(f"was sent to {name} and stands in no plan: {strange[:2]}")


def forms(text):
    """A write as a plan may have it. What a compensation sends over HTTP is made when it runs: the plan has its resource."""
    found = re.match(r"[A-Z]+ (/\S.*?)( \{.*)?$", text)
    return {text} if found is None else {text, found[1]}


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


def turns_of(bed, lists, words, dice):
    """What runs at one time: of every workflow in turn one case, as long as there are some. What is done beside an exchange is done at one time, too."""
    found = []
    for act in (None, *ACTS):
        shuffled = [[case for case in cases if (case.fault if case.fault in ACTS else None) == act and all(word in str(case) for word in words)]
                    for cases in lists]
        for cases in shuffled:
            dice.shuffle(cases)
        mixed = [case for row in itertools.zip_longest(*shuffled) for case in row if case is not None]
        few = min(bed.sets, 3 * len(lists))  # at first: every level has its turn, however little time there is
        found += [(0, bed, mixed[:few])] * (mixed != [])
        found += [(1 + at // bed.sets, bed, mixed[at:at + bed.sets]) for at in range(few, len(mixed), bed.sets)]
    return found


def covered(bed):
    """Every workflow of these products has a row."""
    rows = {s.workflow for s in SCENARIOS}
    products = "|".join(PRODUCTS)
    return sorted(w["name"] for w in bed.workflows if w["name"] not in rows
                  and re.fullmatch(f"(create|modify|validate|reconcile|terminate)_({products})", w["name"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="every fault of the catalogue")
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing new after this time (but of each level a few): a sample")
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
    beds, began = {}, time.monotonic()
    bad, kept, codes, idle = [], collections.Counter(), collections.Counter(), 0
    try:
        for scenario in SCENARIOS:
            if args.workflow in scenario.name and scenario.net not in beds:
                net = NETS[scenario.net]
                levels = collections.Counter(s.level for s in SCENARIOS if s.net == net.name)  # their runs without faults are made at once
                beds[net.name] = Bed(net, max(2 * max(levels.values()), round(args.sets * net.share)), os.path.join(folder, net.name))
        missing = covered(next(iter(beds.values())))
        if missing:
            bad.append(f"workflows without a row in tables.py: {', '.join(missing)}")
        groups = {}
        for scenario in SCENARIOS:
            if args.workflow in scenario.name:
                groups.setdefault((scenario.net, scenario.level), []).append(scenario)
        dice, turns = random.Random(seed), []
        for (net, level), scenarios in groups.items():
            found = [(baseline, list(cases_of(baseline, long))) for baseline in baselines(beds[net], scenarios)]
            for baseline, cases in found:
                print(f"{baseline.scenario.name:48} {len(baseline.calls):4} calls {len(cases):6} cases", flush=True)
                kept[baseline.scenario.kind, "cases"] += len(cases)
            turns += turns_of(beds[net], [cases for _, cases in found], args.only.split(), dice)
        turns.sort(key=lambda turn: turn[0])  # of every level some, before there are more of one
        size = sum(n for (_, what), n in kept.items() if what == "cases")
        print(f"seed {seed}: {size} cases in the matrix, {sum(len(t[2]) for t in turns)} to run, "
              f"prepared in {time.monotonic() - began:.1f} s", flush=True)
        for turn, bed, batch in turns:
            if turn and args.seconds and time.monotonic() - began > args.seconds:
                break
            run_batch(bed, batch)
            for case in batch:
                kept[case.scenario.kind, "run"] += 1
                kept[case.scenario.kind, "failed"] += bool(case.wrong)
                idle += not case.fired
                codes[case.fault.name, case.first[0], case.last[0]] += 1
                if case.wrong:
                    bad.append(f"{case}: " + "; ".join(case.wrong))
                    if len(bad) <= 40:
                        print(f"FAILED {bad[-1]}", flush=True)
    finally:
        for bed in beds.values():
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
    total = collections.Counter()
    for row in sorted({row for row, _ in kept}):
        n = {what: kept[row, what] for what in ("cases", "run", "failed")}
        total.update(n)
        print(f"{row:36} {n['cases']:7} cases {n['run']:7} run {n['run'] - n['failed']:7} passed {n['failed']:4} failed")
    ran, passed = total["run"], total["run"] - total["failed"]
    print(f"fault matrix: {total['cases']} cases, {ran} run{'' if ran == total['cases'] else ' (a sample)'}, {passed} passed, "
          f"{len(bad)} failed, {time.monotonic() - began:.0f} s, seed {seed}")
    print(f"{passed} passed, {len(bad)} failed")
    return 1 if bad else 0


sys.exit(main())
