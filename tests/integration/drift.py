"""Drift of digital services: everything that a validation compares, changed by hand. The rows stand here; that none is missing is asked of the
drivers' own tables of leaves, so a leaf that is added there without a row here turns the test red."""
import json
import os
import re

import lightpathd

INFINERA = os.path.join(lightpathd.ROOT, "clients", "infinera")

# What somebody sets it to. (class, leaf): value; a list of values: alone, because what hangs on the object comes and goes with it.
G30 = {
    ("line port", "port-mode"): ["16QAM_200G"], ("line port", "admin-status"): "down", ("line port", "service-label"): "mine",
    ("och", "frequency"): 194500000, ("och", "rx-frequency"): 194600000, ("och", "service-label"): "mine", ("och", "admin-status"): "down",
    ("och", "laser-enable"): "disabled", ("och", "loopback-enable"): "enabled", ("och", "loopback-type"): "facility",
    ("client port", "port-mode"): ["not-applicable"], ("client port", "admin-status"): "down", ("client port", "service-label"): "mine",
    ("eth100g", "admin-status"): "down", ("eth100g", "service-label"): "mine", ("eth100g", "eth-fec-type"): "disabled",
    ("eth100g", "mapping-mode"): "BMP", ("eth100g", "client-shutdown"): "yes", ("eth100g", "loopback-enable"): "enabled",
    ("eth100g", "test-signal-enable"): "INGRESS", ("pluggable", "admin-status"): "down", ("crs", "service-label"): "mine",
}
G30_EXEMPT = {("port", "connected-to"): "a fiber's", ("port", "external-connectivity"): "a fiber's", ("subport", "*"): "fibers of other cards",
              ("och", "required-tx-optical-power"): "brought into its window by align_power, for as long as it fits",
              ("eth100g", "loopback-type"): "means nothing while loopback-enable is disabled", ("eth400g", "*"): "the leaves of eth100g",
              ("amp", "*"): "a fiber's", ("card", "*"): "told only"}
USUAL = {"admin-state": "lock", "label": "mine", "alarm-report-control": "inhibited"}
G42 = {
    **{(kind, leaf): value for kind in ("line port", "client port", "scg", "sc", "oc", "tom", "ptp", "eth") for leaf, value in USUAL.items()},
    ("scg", "line-system-mode"): "managed", ("sc", "carrier-mode"): ["600E.84P"], ("oc", "frequency"): "194500000",
    ("oc", "frequency-offset"): 500, ("oc", "tx-cd"): "12.5", ("tom", "required-type"): ["gx:QSFP28"], ("tom", "phy-mode"): ["100G"],
    ("ptp", "service-type"): ["100GBE"], ("eth", "fec-mode"): "disabled", ("eth", "loopback"): "facility", ("eth", "test-signal-type"): "prbs",
    ("eth", "test-signal-direction"): "ingress", ("eth", "test-signal-monitoring"): True, ("eth", "lldp-admin-status"): "disabled",
    ("eth", "lldp-ingress-mode"): "forward", ("eth", "lldp-egress-mode"): "forward", ("xc", "label"): "mine", ("xc", "circuit-id-suffix"): "mine",
}
G42_EXEMPT = {("port", "connected-to"): "a fiber's", ("port", "external-connectivity"): "a fiber's",
              ("sc", "carriers"): "the name of a super-channel says them: other ones are another super-channel",
              ("oc", "tx-power"): "brought into its window by align_power, for as long as it fits",
              ("tom", "required-subtype"): "any that carries the signal is right", ("card", "*"): "told only"}
# What a circuit is compared by; each as the commands that change it.
CIRCUIT = {
    "LABEL": ["ED-OSNC:{node}:{aid}:X:::LABEL=mine;"],
    "CKTIDSUFFIX": ["ED-OSNC:{node}:{aid}:X:::CKTIDSUFFIX=mine;"],
    "CARRIERLIST": ["{out}", "ED-OSNC:{node}:{aid}:X:::CARRIERLIST={center}&50000;", "{back}"],
    "PASSBANDLIST": ["{out}", "ED-OSNC:{node}:{aid}:X:::PASSBANDLIST={wider}&{high};", "{back}"],
    "ADMIN": ["{out}"],
    "SHUTTERSTATE": ["RMV-SCH:{node}:{aid}:X::;", "ED-SCH:{node}:{aid}:X:::SHUTTERSTATE=CLOSED;", "RST-SCH:{node}:{aid}:X::::;"],
    "SHUTTERSTATE far": ["RMV-SCH:{far}:{far_aid}:X::;", "ED-SCH:{far}:{far_aid}:X:::SHUTTERSTATE=CLOSED;", "RST-SCH:{far}:{far_aid}:X::::;"],
}
CIRCUIT_EXEMPT = {"OELAID": "the way of a circuit: compared by its ports", "INTFTYP": "of the patch cord", "EXPLICITROUTE": "of the route's name",
                  "SRCNODENAME": "the same", "DSTNODENAME": "the same"}


def leaves_of(*path):
    """{class: {leaf: guarded}} of a driver's tables: what it can write, and so compares."""
    with open(os.path.join(INFINERA, *path), encoding="utf-8") as file:
        text = file.read()
    macros = dict(re.findall(r'#define (\w+)\s+(\{"[^\n]*\})', text))
    lists = {}
    for name, body in re.findall(r"static const struct ir_leaf (\w+)\[\] = \{(.*?)\n?\};", text, re.S):
        for macro, value in macros.items():
            body = re.sub(rf"\b{macro}\b(?=,|$)", lambda _, v=value: v, body, flags=re.M)
        rows = re.findall(r'\{"([\w-]+)", \w+, ([^,]+),', body)
        assert rows, name
        lists[name] = {leaf: "IR_GUARDED" in flags for leaf, flags in rows if "READ_ONLY" not in flags}
    found = re.findall(r'\{"(\w+)", [^\n]*LEAVES\((\w+)\)\}', text)
    assert len(found) > 5
    return {prefix: lists[name] for prefix, name in found}


def without_row(tables, rows, exempt):
    """Leaves that nobody changes by hand."""
    known = {(kind.split(" ")[-1], leaf) for kind, leaf in rows}
    return sorted((kind, leaf) for kind, leaves in tables.items() for leaf in leaves
                  if not {(kind, leaf)} & (known | set(exempt)) and (kind, "*") not in exempt)


def circuit_keys():
    with open(os.path.join(INFINERA, "flexils", "circuits.c"), encoding="utf-8") as file:
        text = file.read()
    return set(re.findall(r'(?:attrs|wanted), "([A-Z]+)"', text)) | {"SHUTTERSTATE"}


def differences(a, b, path=""):
    """What is not the same in two trees, by its place."""
    if path.endswith(("/CRS", "/xcon")) and isinstance(a, list) and isinstance(b, list):  # in no order
        a, b = (sorted(one, key=lambda entry: json.dumps(entry, sort_keys=True)) for one in (a, b))
    if isinstance(a, (dict, list)) and type(a) is type(b) and (isinstance(a, dict) or len(a) == len(b)):
        for key in sorted(set(a) | set(b)) if isinstance(a, dict) else range(len(a)):
            one, other = (a.get(key), b.get(key)) if isinstance(a, dict) else (a[key], b[key])
            yield from differences(one, other, f"{path}/{key}")
    elif a != b:
        yield f"{path}: {a} became {b}"


class Drift:
    """For a case with a service: changed by hand, named, repaired, and nothing else."""

    def settled(self):
        """All that is configured; a G42 numbers the far side of a cross-connect anew."""
        return json.loads(re.sub(r"ODUflexi-\d+", "ODUflexi", json.dumps(self.image())))

    def named_in(self, process):
        steps = self.daemon.process(process)["steps"]
        return next(s["state"]["details"]["differences"] for s in steps if s["status"] == "failed")

    def drifted(self, service, plant, wanted, nodes, exact=True, others=()):
        """wanted: {(node, object, attribute)}; nodes: where something may be written to repair it; others: services that lost something, too."""
        before = self.settled()
        plant()
        mark = self.mark()
        failed = self.on(service, "validate_optical_digital_service", wanted=("inconsistent_data", "failed"))
        self.assertEqual(self.told(mark), {})  # it only reads
        named = {(d["element"].replace(".example.net", ""), d["object"], (d["attribute"] or "").replace("_", "-"))
                 for d in self.named_in(failed["process_id"])}
        self.assertEqual(named if exact else named & wanted, wanted)
        if len(named) == 1:  # a message names three
            _, thing, attribute = next(iter(wanted))
            self.assertIn(attribute or thing, failed["failed_reason"])
        self.assertFalse(self.json("subscription", "show", service)["insync"])
        self.cli("process", "abort", failed["process_id"], "--yes")
        for one in (service, *others):
            self.through(self.daemon.start_process("reconcile_optical_digital_service", [{"subscription_id": one}]))
        self.assertLessEqual(set(self.told(mark)), set(nodes))
        self.assertEqual(list(differences(before, self.settled())), [])
        self.assertTrue(self.json("subscription", "show", service)["insync"])

    def drift_of_leaves(self, service, node, rows, places, others=()):
        """places: {class: (path, object as plans name it)}; a cross-connect has a label, whatever the element calls it."""
        together = {key: value for key, value in rows.items() if not isinstance(value, list)}

        def set_leaves(kind, leaves):
            self.sim.control(op="set", ne=node, path=places[kind][0], leaves=leaves)

        def named(kind, leaf):
            return node, places[kind][1], "label" if (kind, leaf) == ("crs", "service-label") else leaf

        def all_of_them():
            for kind in {kind for kind, _ in together}:
                set_leaves(kind, {leaf: value for (one, leaf), value in together.items() if one == kind})
        self.drifted(service, all_of_them, {named(*key) for key in together}, {node})
        for (kind, leaf), value in rows.items():
            if isinstance(value, list):
                with self.subTest(kind=kind, leaf=leaf):
                    self.drifted(service, lambda: set_leaves(kind, {leaf: value[0]}), {named(kind, leaf)}, {node}, exact=False,
                                 others=others)

    def drift_of_circuit(self, service, near, aid, far, far_aid, low, high):
        words = {"node": near, "aid": aid, "far": far, "far_aid": far_aid, "high": high, "wider": low - 12500, "center": (low + high) // 2,
                 "out": f"ED-OSNC:{near}:{aid}:X::::OOS;", "back": f"ED-OSNC:{near}:{aid}:X::::IS;"}
        self.assertEqual(circuit_keys() - set(CIRCUIT) - set(CIRCUIT_EXEMPT), set())
        for key, commands in CIRCUIT.items():
            with self.subTest(key=key):
                at, kind, where = (far, "sch", far_aid) if key.endswith("far") else (near, "sch" if key[0] == "S" else "osnc", aid)

                def plant():
                    for command in commands:
                        self.sim.control(op="command", text=command.format(**words))
                self.drifted(service, plant, {(at, f"{kind}:{where}", key.split(" ")[0])}, {near, far}, exact=False)
