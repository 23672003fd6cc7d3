"""The networks of the fault matrix: many small sets of elements, all alike, and how far they may have been prepared.

A set is one line system of two ROADMs (`line`), a Groove G30 and a GX G42 at one ROADM (`trx`), or what a digital service needs: the two ROADMs
with a G30 at each (`service`). Every case has a set of its own.
"""
import re
from dataclasses import dataclass, field

DOMAIN = ".example.net"
PORT, DROP, LINE, CLIENT = "1-A-1-L1", "1-A-3-T1", "port-1/1/1", "port-1/1/3"
PLATFORMS = {"ROADM": "Infinera FlexILS", "G30": "Groove G30", "G42": "GX G42"}
FILE = {"G30": ("FP4.8.0", "img/FP4.8.0.tar"), "G42": ("R8.0.2", "img/gx-8.0.2.bin")}
MODE = "16QAM_300G"


def name(k, letter):
    return f"x{k:03d}{letter}"


@dataclass(frozen=True)
class Net:
    name: str
    base: str                     # the first address
    kinds: dict                   # letter of an element: its kind
    links: tuple                  # ((letter, port), (letter, port)): spans and patch cords
    levels: dict                  # level: (the level below, ((workflow, pages), ...)): run for every set, in this order
    manual: bool = False          # the add/drop ports are set up for spectrum without a transponder
    share: float = 1.0            # of the sets asked for: bigger sets, fewer of them
    settings: dict = field(default_factory=dict)

    def names(self, k):
        return tuple(name(k, letter) for letter in self.kinds)

    def topology(self, sets):
        joined = [(k, n, link) for k in range(sets) for n, link in enumerate(self.links)]
        spans = [{"id": f"s{k:03d}{n}", "a": [name(k, a), p], "b": [name(k, z), q], "length_m": 62000, "loss_cdb": 1464, "fiber": "G.652.D"}
                 for k, n, ((a, p), (z, q)) in joined if p == PORT]
        cords = [{"id": f"p{k:03d}{n}", "a": [name(k, a), p], "b": [name(k, z), q], "loss_cdb": 50} for k, n, ((a, p), (z, q)) in joined if p != PORT]
        return {"format": "lightpath-sim network 1", "nodes": [self._node(k, letter) for k in range(sets) for letter in self.kinds],
                "spans": spans, "patches": cords, "options": {"linger": False, "ip_ms": 600000, "settle_ms": 0}}

    def _node(self, k, letter):
        kind = self.kinds[letter]
        out = {"name": name(k, letter), "kind": kind}
        if kind == "G30":
            return {**out, "outage_ms": 50, "cards": [{"slot": 1, "type": "CHM2T"}]}
        if kind == "G42":
            return {**out, "outage_ms": 50, "cards": [{"name": "1-4", "type": "gx:CHM6", "subtype": "C14"}]}
        ports = {p: {"attrs": {"INTFTYP": "MANUALMODE-2"}} for p in ("1-A-3-T1", "1-A-3-T2")} if self.manual else {}
        return {**out, "gateway": True, "ports": ports,
                "cards": [{"aid": "1-A-1", "type": "FRM", "ports": ["L1", "S1", "O1"]}, {"aid": "1-A-3", "type": "FSM", "ports": ["T1", "T2"]}]}


# ---- pages ------------------------------------------------------------------------------------------------------------------------------


def device_page(bed, k, letter, mode="manage"):
    kind, node = bed.net.kinds[letter], name(k, letter)
    address, port = bed.address(node)
    return {"partner_id": bed.owner, "pop_id": bed.pop, "fqdn": node + DOMAIN, "platform": PLATFORMS[kind],
            "device_type": "ROADM" if kind == "ROADM" else "Transponder", "management_ip": address, "management_port": port, "mode": mode}


def create_device(letter, mode="manage"):
    return lambda bed, k: [{"product": bed.product("Optical Device")}, device_page(bed, k, letter, mode), {}]


def refresh(letter):
    return lambda bed, k: [{"device": name(k, letter) + DOMAIN}]


def upgrade(letter):
    def pages(bed, k):
        release, file = FILE[bed.net.kinds[letter]]
        return [{"device": name(k, letter) + DOMAIN, "release": release, "file": "sftp://repo@192.0.2.10/" + file,
                 "backup": "sftp://repo@192.0.2.10/bk"}]
    return pages


def on(product, text="a", *more):
    """Pages of a workflow on the existing subscription of a set."""
    return lambda bed, k: [{"subscription_id": bed.subscription(product, bed.word(k, text))}, *more]


def create_fiber(link, *more):
    """link: of the network's links, more: what is known of it."""
    def pages(bed, k):
        (a, p), (z, q) = bed.net.links[link]
        known = {"kind": "span", "segments": [{"fiber_type": "G.652.D", "length_m": 62000}], "measured_loss_az_cdb": 1464} if p == PORT else {
            "kind": "patch"}
        first = {"partner_id": bed.owner, "device_a": bed.subscription("Optical Device", name(k, a)),
                 "device_z": bed.subscription("Optical Device", name(k, z))}
        return [{"product": bed.product("Optical Fiber")}, first, {"port_a": p, "port_z": q, **known}, *(more or ({},))]
    return pages


def first_route(form):
    """The first route that a page offers."""
    return next(d["enum"][0] for title, d in form["$defs"].items() if "Route" in title)


def create_spectrum(bed, k):
    a, z = (bed.subscription("Optical Device", n) for n in bed.net.names(k))
    return bed.fill("create_optical_spectrum", {"product": bed.product("Optical Spectrum")}, {
        "spectrum_name": name(k, "a") + "-light", "device_a": a, "device_z": z, "port_a": DROP, "port_z": DROP, "low_mhz": 193462500,
        "high_mhz": 193537500, "route": first_route})


def modify_spectrum(bed, k):
    return bed.fill("modify_optical_spectrum", {"subscription_id": bed.subscription("Optical Spectrum", name(k, "a"))},
                    {"low_mhz": 193475000, "high_mhz": 193550000, "route": first_route})


LIGHT = {"line_ports_a": [LINE], "line_ports_z": [LINE], "mode": MODE, "centers_mhz": [193500000], "widths_mhz": [75000], "route": first_route}


def create_service(client, light=None):
    """A 100G service with a channel of its own (light), or one that joins the channel of its set."""
    def pages(bed, k):
        b, y = (bed.subscription("Optical Device", name(k, letter)) for letter in "by")
        port = f"port-1/1/{client}"
        first = {"partner_id": bed.owner, "device_a": b, "device_z": y, "och_ids": [k + 1], **({"flow_id": k + 1, "client_id": 1} if light else {})}
        return bed.fill("create_optical_digital_service", {"product": bed.product("Optical Digital Service 100G")}, {
            **first, "client_port_a": port, "client_port_z": port, **(light or {})})
    return pages


def modify_service(bed, k):
    return bed.fill("modify_optical_digital_service", {"subscription_id": bed.subscription("Optical Digital Service 100G", bed.word(k, "c01"))},
                    {"centers_mhz": [194000000], "widths_mhz": [100000], "route": first_route, "confirm": "MODIFY"})


# ---- networks ---------------------------------------------------------------------------------------------------------------------------


def devices(*letters):
    return tuple(("create_optical_device", create_device(letter)) for letter in letters)


def known(*letters):
    """As the operator's night job does."""
    return tuple(("task_refresh_device", refresh(letter)) for letter in letters)


SITE = {"site": (None, ())}
FIBERS = tuple(("create_optical_fiber", create_fiber(n)) for n in range(3))
NETS = {net.name: net for net in (
    Net("line", "127.79.0.1", {"a": "ROADM", "z": "ROADM"}, ((("a", PORT), ("z", PORT)),), manual=True, levels={
        **SITE, "devices": ("site", devices("a", "z")), "fiber": ("devices", (("create_optical_fiber", create_fiber(0)),)),
        "inventory": ("fiber", known("a", "z")), "light": ("inventory", (("create_optical_spectrum", create_spectrum),))}),
    Net("trx", "127.83.0.1", {"a": "ROADM", "b": "G30", "h": "G42"}, ((("b", LINE), ("a", "1-A-3-T1")), (("h", "1-4-L1"), ("a", "1-A-3-T2"))),
        levels={
        **SITE, "devices": ("site", devices("a", "b", "h")),
        "patches": ("devices", tuple(("create_optical_fiber", create_fiber(n)) for n in range(2)))}),
    Net("service", "127.87.0.1", {"a": "ROADM", "b": "G30", "y": "G30", "z": "ROADM"},
        ((("b", LINE), ("a", DROP)), (("a", PORT), ("z", PORT)), (("z", DROP), ("y", LINE))), share=0.5, levels={
        **SITE, "devices": ("site", devices("a", "b", "y", "z")), "fibers": ("devices", FIBERS), "inventory": ("fibers", known("a", "b", "y", "z")),
        "service": ("inventory", (("create_optical_digital_service", create_service(3, light=LIGHT)),)),
        "shared": ("service", (("create_optical_digital_service", create_service(4)),))},
        settings={"power.low_cdb": "-1000", "power.high_cdb": "2000"}),  # what the simulator receives is in the window, whatever it is
)}
WORDS = re.compile(r"x(\d{3,})[abhyz]\b")  # in descriptions: the set
FLOWS = re.compile(r"f(\d{3,})c\d\d")      # and of services, one more
