"""What the fault matrix is made of: kinds of fault, levels of preparation, workflows.

A scenario is one row: the workflow, what must exist before, the pages of its form. The calls that go wrong are not written down here: they
are recorded from a run without faults. A workflow that talks to elements and has no row fails the suite.
"""
from dataclasses import dataclass, field

FAILED = ("failed", "inconsistent_data", "api_unavailable")
DOMAIN = ".example.net"
PORT, DROP = "1-A-1-L1", "1-A-3-T1"

# ---- faults -----------------------------------------------------------------------------------------------------------------------------

READS, WRITES, LOGIN, CONNECT = "reads", "writes", "login", "connect"
BOTH = ("executed", "not-executed")
EXECUTED, NOT = ("executed",), ("not-executed",)


@dataclass(frozen=True)
class Fault:
    """One outcome class of an exchange. `codes`: how a process may end that could not go on."""
    name: str
    do: dict
    on: tuple
    states: tuple
    codes: tuple
    long: bool = False         # only with --long
    names_call: bool = True    # the call that went wrong is the one that suffers from it


LOST = ("outcome-unknown", "try-again", "protocol-error")
FAULTS = (
    Fault("refused", {"fault": "deny", "code": "SROF", "text": "no resources of the matrix"}, (READS, WRITES), NOT, ("device-refused",)),
    Fault("busy", {"fault": "deny", "code": "SSRE", "text": "the matrix keeps it busy"}, (READS, WRITES, LOGIN), NOT, ("try-again",)),
    Fault("exists", {"fault": "deny", "code": "IEAE", "text": "object exists already"}, (WRITES,), NOT, ("conflict", "device-refused")),
    Fault("access", {"fault": "deny", "code": "PICC", "text": "not permitted to this user"}, (READS, WRITES), NOT, ("not-authenticated",)),
    Fault("password", {"fault": "login", "variant": "wrong-credentials"}, (LOGIN,), NOT, ("not-authenticated",)),
    Fault("seats", {"fault": "login", "variant": "too-many-sessions"}, (LOGIN,), NOT, ("try-again", "not-authenticated", "device-refused")),
    Fault("no-answer", {"fault": "silence"}, (READS, WRITES, LOGIN), BOTH, LOST),
    Fault("cut", {"fault": "drop"}, (READS, WRITES, LOGIN), BOTH, LOST),
    Fault("cut-inside", {"fault": "drop-mid-reply", "at_byte": 40}, (READS, WRITES), BOTH, LOST),
    Fault("garbage", {"fault": "garbage", "variant": "binary"}, (READS, WRITES), BOTH, LOST + ("conflict",)),
    Fault("part", {"fault": "cut-blocks", "records": 1, "after": 1, "close": True}, (READS,), EXECUTED, LOST, names_call=False),
    Fault("partial", {"fault": "completion", "word": "PRTL"}, (READS, WRITES), EXECUTED, LOST),
    Fault("logged-out", {"fault": "logout"}, (READS, WRITES), NOT, LOST + ("not-authenticated",)),
    Fault("other-element", {"fault": "wrong-sid", "sid": "lp.other"}, (READS, WRITES), BOTH, LOST),
    Fault("no-op", {"fault": "no-op"}, (WRITES,), NOT, ("conflict", "inconsistent-data", "device-refused")),
    Fault("unreachable", {"fault": "refuse", "duration_ms": 20}, (CONNECT,), NOT, ("try-again",)),
    # with --long: the rest of the catalogue
    Fault("slow", {"fault": "slow-first-byte", "delay_ms": 100}, (READS, WRITES, LOGIN), EXECUTED, (), True),
    Fault("late", {"fault": "slow-first-byte", "delay_ms": 2500}, (READS, WRITES), EXECUTED, LOST, True),
    Fault("drip", {"fault": "slow-drip", "bytes_per_s": 2000}, (READS, WRITES), EXECUTED, LOST, True),
    Fault("half-open", {"fault": "half-open"}, (READS, WRITES), BOTH, LOST, True),
    Fault("reset", {"fault": "drop", "how": "rst"}, (READS, WRITES), BOTH, LOST, True),
    Fault("locked-out", {"fault": "login", "variant": "lock-out"}, (LOGIN,), NOT, ("not-authenticated",), True),
    Fault("expired", {"fault": "login", "variant": "password-expired"}, (LOGIN,), NOT, ("not-authenticated",), True),
    Fault("no-greeting", {"fault": "no-banner"}, (CONNECT,), NOT, ("try-again", "protocol-error"), True),
    Fault("unknown-code", {"fault": "deny", "code": "QQQQ", "text": "what nobody has heard of", "style": "lines"}, (READS, WRITES), NOT,
          ("device-refused",), True),
    Fault("delayed", {"fault": "completion", "word": "DELAY"}, (READS, WRITES), BOTH, LOST, True),
    Fault("ack-NA", {"fault": "acknowledge", "word": "NA"}, (READS, WRITES), BOTH, LOST, True),
    Fault("ack-NG", {"fault": "acknowledge", "word": "NG"}, (READS, WRITES), NOT, LOST + ("device-refused",), True),
    Fault("ack-RL", {"fault": "acknowledge", "word": "RL"}, (READS, WRITES), NOT, LOST, True),
    Fault("progress", {"fault": "in-progress", "times": 3, "interval_ms": 20}, (READS, WRITES), EXECUTED, (), True),
    Fault("blocks", {"fault": "blocks", "records": 1, "between": "other-tag"}, (READS,), EXECUTED, (), True),
    Fault("blocks-events", {"fault": "blocks", "records": 1, "between": "autonomous"}, (READS,), EXECUTED, (), True),
    Fault("part-open", {"fault": "cut-blocks", "records": 1, "after": 1}, (READS,), EXECUTED, LOST, True),
    Fault("storm", {"fault": "storm", "count": 500, "rate": 100000, "where": "before"}, (READS, WRITES), EXECUTED, (), True),
    Fault("storm-inside", {"fault": "storm", "count": 500, "rate": 100000, "where": "inside"}, (READS,), EXECUTED, (), True),
    *(Fault("garbage-" + v, {"fault": "garbage", "variant": v}, (READS, WRITES), EXECUTED, LOST + ("device-refused",), True)
      for v in ("no-header", "wrong-ctag", "ctag-0", "double-reply", "late-reply", "cr-only", "no-final-crlf", "long-line",
                "unescaped-quote", "telnet-iac", "prompt-glued", "no-prompt", "huge", "endless")),
    Fault("stale", {"fault": "stale"}, (READS,), EXECUTED, ("conflict", "inconsistent-data", "outcome-unknown"), True),
    Fault("restart", {"fault": "restart", "down_ms": 300}, (READS, WRITES), BOTH, LOST, True),
    Fault("clock", {"fault": "clock", "shift_ms": 86400000}, (READS, WRITES), EXECUTED, (), True),
)

# ---- what is there before ---------------------------------------------------------------------------------------------------------------


def names(k):
    return f"x{k:03d}a", f"x{k:03d}z"


def device_page(bed, k, end):
    node = names(k)[end]
    address, port = bed.address(node)
    return {"partner_id": bed.owner, "pop_id": bed.pop, "fqdn": node + DOMAIN, "platform": "Infinera FlexILS", "device_type": "ROADM",
            "management_ip": address, "management_port": port, "mode": "manage"}


def create_device(bed, k, end=0):
    return [{"product": bed.product("Optical Device")}, device_page(bed, k, end), {}]


def create_fiber(bed, k):
    a, z = (bed.subscription("Optical Device", n) for n in names(k))
    return [{"product": bed.product("Optical Fiber")}, {"partner_id": bed.owner, "device_a": a, "device_z": z},
            {"port_a": PORT, "port_z": PORT, "kind": "span", "segments": [{"fiber_type": "G.652.D", "length_m": 62000}],
             "measured_loss_az_cdb": 1464}, {}]


def first_route(form):
    """The first route that a page offers."""
    return next(d["enum"][0] for name, d in form["$defs"].items() if "Route" in name)


def create_spectrum(bed, k):
    a, z = (bed.subscription("Optical Device", n) for n in names(k))
    return bed.fill("create_optical_spectrum", {"product": bed.product("Optical Spectrum")}, {
        "spectrum_name": names(k)[0] + "-light", "device_a": a, "device_z": z, "port_a": DROP, "port_z": DROP, "low_mhz": 193462500,
        "high_mhz": 193537500, "route": first_route})


def modify_spectrum(bed, k):
    return bed.fill("modify_optical_spectrum", {"subscription_id": bed.subscription("Optical Spectrum", names(k)[0])},
                    {"low_mhz": 193475000, "high_mhz": 193550000, "route": first_route})


# level: (the level below, ((workflow, pages), ...)): run for every set, in this order
LEVELS = {
    "site": (None, ()),
    "devices": ("site", (("create_optical_device", lambda b, k: create_device(b, k, 0)),
                         ("create_optical_device", lambda b, k: create_device(b, k, 1)))),
    "fiber": ("devices", (("create_optical_fiber", create_fiber),)),
    "inventory": ("fiber", (("task_refresh_device", lambda b, k: [{"device": names(k)[0] + DOMAIN}]),
                            ("task_refresh_device", lambda b, k: [{"device": names(k)[1] + DOMAIN}]))),
    "light": ("inventory", (("create_optical_spectrum", lambda b, k: create_spectrum(b, k)),)),
}

PRODUCTS = ("optical_device", "optical_fiber", "optical_spectrum")  # all their workflows must stand below

# ---- workflows --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    workflow: str
    level: str
    pages: object                     # (bed, set) -> pages of the start form
    drift: tuple = ()                 # (end, class, aid, attributes): changed behind our back before it runs
    variant: str = ""
    irreversible: tuple = field(default=())  # what an abort cannot bring back

    @property
    def name(self):
        return self.workflow + ("/" + self.variant if self.variant else "")


def on(product, end=0, *more):
    """Pages of a workflow on the existing subscription of a set."""
    return lambda bed, k: [{"subscription_id": bed.subscription(product, names(k)[end])}, *more]


def modify_device(bed, k):
    return on("Optical Device")(bed, k) + [{"external_ids": [{"system": "inventory", "id": names(k)[0]}]}, {}]


SCENARIOS = (
    Scenario("create_optical_device", "site", create_device),
    Scenario("modify_optical_device", "devices", modify_device),
    Scenario("validate_optical_device", "devices", on("Optical Device")),
    Scenario("reconcile_optical_device", "devices", on("Optical Device")),
    Scenario("terminate_optical_device", "devices", on("Optical Device", 0, {})),
    Scenario("create_optical_fiber", "devices", create_fiber),
    Scenario("modify_optical_fiber", "fiber", on("Optical Fiber", 0, {"measured_loss_az_cdb": 2540}, {})),
    Scenario("validate_optical_fiber", "fiber", on("Optical Fiber")),
    Scenario("reconcile_optical_fiber", "fiber", on("Optical Fiber"),
             drift=((0, "OTS", PORT, {"LABEL": "mine"}), (1, "OTS", PORT, {"LABEL": "mine too", "EXPSPANLOSS": "OVER25DB"}))),
    Scenario("terminate_optical_fiber", "fiber", on("Optical Fiber", 0, {})),
    Scenario("create_optical_spectrum", "inventory", create_spectrum),
    Scenario("modify_optical_spectrum", "light", modify_spectrum),
    Scenario("validate_optical_spectrum", "light", on("Optical Spectrum")),
    Scenario("reconcile_optical_spectrum", "light", on("Optical Spectrum"),
             drift=((0, "SCG", DROP, {"LABEL": "mine"}), (1, "SCG", DROP, {"LABEL": "mine too"}), (0, "OSNC", DROP + "-1", {"LABEL": "theirs"}))),
    Scenario("terminate_optical_spectrum", "light", on("Optical Spectrum", 0, {})),
)
