"""What the fault matrix is made of: kinds of fault and workflows (nets.py: the elements and what is there before).

A scenario is one row: the workflow, what must exist before, the pages of its form. The calls that go wrong are not written down here: they
are recorded from a run without faults. A workflow that talks to elements and has no row fails the suite.
"""
from dataclasses import dataclass

from nets import (DROP, LIGHT, PORT, create_device, create_fiber, create_service, create_spectrum, modify_service, modify_spectrum, name, on, upgrade)

FAILED = ("failed", "inconsistent_data", "api_unavailable")

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
    web: bool = False          # of HTTP; the others are of TL1
    not_in: str = ""           # workflows with this in their name cannot suffer from it
    ways: tuple = (False, True)  # once, then resume; lasting, then abort with rollback


LOST = ("outcome-unknown", "try-again", "protocol-error")
DRIFT = ("conflict", "inconsistent-data", "device-refused")
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
    Fault("hidden", {"fault": "hide"}, (READS,), EXECUTED, DRIFT + LOST + ("not-found",), True, names_call=False),
    Fault("trap", {"fault": "text", "attr": "LABEL", "text": "M  7 DENY; COMPLD TL1>> a=b,c:d"}, (READS,), EXECUTED, DRIFT, True, names_call=False),
    Fault("clamp", {"fault": "clamp", "attr": "LABEL", "value": "clamped"}, (WRITES,), EXECUTED, DRIFT, True, names_call=False),
    Fault("foreign", {"fault": "meddle"}, (READS,), EXECUTED, DRIFT, True, names_call=False, ways=(False,)),
)

def web(name, do, *more, **words):
    return Fault("web-" + name, do, *more, web=True, **words)


def status(code, **more):
    return {"fault": "status", "status": code, **more}


def body(variant, **more):
    return {"fault": "body", "variant": variant, **more}


ANY, HARD = (READS, WRITES), LOST + ("device-refused",)
WEB = (
    web("refused", status(400, tag="invalid-value", text="no resources of the matrix"), ANY, NOT, ("device-refused",)),
    web("in-use", status(409, tag="in-use", text="the matrix has it"), (WRITES,), NOT, ("conflict", "device-refused", "try-again")),
    web("access", status(403, tag="access-denied"), ANY, NOT, ("not-authenticated", "not-authorized", "device-refused")),
    web("500", status(500), ANY, BOTH, HARD),
    web("500-bare", status(500, body="none"), ANY, BOTH, HARD),
    web("502-html", status(502, body="html"), ANY, BOTH, LOST),
    web("503-after", status(503, retry_after=0), ANY, NOT, LOST),
    web("429-after", status(429, retry_after=0), ANY, NOT, LOST),
    web("password", {"fault": "login", "variant": "wrong-credentials"}, ANY, NOT, ("not-authenticated",)),
    web("no-answer", {"fault": "silence"}, ANY, BOTH, LOST),
    web("cut", {"fault": "drop"}, ANY, BOTH, LOST),
    web("cut-inside", {"fault": "drop-mid-reply"}, ANY, BOTH, LOST),
    web("malformed", body("malformed"), ANY, BOTH, LOST),
    web("half", body("half"), ANY, BOTH, LOST),
    web("html", body("html"), ANY, BOTH, LOST),
    web("redirect", {"fault": "redirect"}, ANY, NOT, LOST + ("device-refused",)),
    web("half-ignored", {"fault": "ignore"}, (WRITES,), EXECUTED, DRIFT, names_call=False),
    web("no-op", {"fault": "no-op"}, (WRITES,), NOT, DRIFT, names_call=False),
    web("unreachable", {"fault": "refuse", "duration_ms": 20}, (CONNECT,), NOT, LOST),
    web("tls-close", {"fault": "tls", "variant": "close"}, (CONNECT,), NOT, LOST),
    # with --long: the rest of the catalogue
    web("slow", {"fault": "slow-first-byte", "delay_ms": 100}, ANY, EXECUTED, (), long=True),
    web("late", {"fault": "slow-first-byte", "delay_ms": 2500}, ANY, EXECUTED, LOST, long=True),
    web("drip", {"fault": "slow-drip", "bytes_per_s": 2000}, ANY, EXECUTED, LOST, long=True),
    web("endless", {"fault": "slow-drip", "bytes_per_s": 20}, ANY, EXECUTED, LOST, long=True),
    web("half-open", {"fault": "half-open"}, ANY, BOTH, LOST, long=True),
    web("reset", {"fault": "drop", "how": "rst"}, ANY, BOTH, LOST, long=True),
    web("hang-up", {"fault": "hang-up"}, ANY, EXECUTED, (), long=True),
    web("logged-out", {"fault": "logout"}, ANY, NOT, ("not-authenticated",), long=True),
    web("504-html", status(504, body="html"), ANY, BOTH, LOST, long=True),
    web("503-bare", status(503, body="none"), ANY, NOT, LOST, long=True),
    *(web("429-" + name, status(429, retry_after=value), ANY, NOT, LOST, long=True)
      for name, value in (("year", 31536000), ("past", -1), ("date", "Fri, 31 Dec 1999 23:59:59 GMT"), ("words", "soon"))),
    *(web(variant, body(variant), ANY, EXECUTED, HARD, long=True)
      for variant in ("truncated", "wrong-length", "empty", "null", "bom", "duplicate", "deep", "invalid-utf8", "wrong-type", "bad-chunk", "gzip")),
    web("huge", body("huge", bytes=50_000_000), (READS,), EXECUTED, LOST + ("too-large",), long=True),
    web("elsewhere", {"fault": "redirect", "status": 307, "location": "https://127.0.0.9:9/restconf/data"}, ANY, NOT, HARD, long=True),
    web("loop", {"fault": "redirect", "status": 307}, ANY, NOT, HARD, long=True),
    web("stale", {"fault": "stale"}, (READS,), EXECUTED, DRIFT + ("outcome-unknown",), long=True, names_call=False),
    web("hidden", {"fault": "hide"}, (READS,), EXECUTED, DRIFT + LOST + ("not-found", "unsupported"), long=True, names_call=False),
    web("restart", {"fault": "restart", "down_ms": 300}, ANY, BOTH, LOST, long=True),
    web("clock", {"fault": "clock", "shift_ms": 86400000}, ANY, EXECUTED, (), long=True),
    *(web("clamp-" + leaf, {"fault": "clamp", "attr": leaf, "value": "clamped"}, (WRITES,), EXECUTED, DRIFT, long=True, names_call=False)
      for leaf in ("service-label", "connected-to")),
    web("foreign", {"fault": "meddle"}, (READS,), EXECUTED, DRIFT, long=True, names_call=False, ways=(False,)),
    *(web("tls-" + variant, {"fault": "tls", "variant": variant}, (CONNECT,), NOT, LOST, long=True) for variant in ("stall", "garbage", "old")),
)

# What happens beside an exchange while it is under way: the exchange is held, `act` is done, and all goes on. With --long.
HELD = {"fault": "slow-first-byte", "delay_ms": 600}
ACTS = (
    Fault("kill", {"fault": "silence"}, (READS, WRITES), BOTH, (), True, ways=(False,)),
    Fault("stop", HELD, (READS, WRITES), EXECUTED, ("cancelled",), True, names_call=False),
    Fault("replaced", HELD, (READS, WRITES), EXECUTED, DRIFT + ("not-authenticated",), True, names_call=False,
          not_in="create_optical_device"),  # who it is is not known before
)

# ---- workflows --------------------------------------------------------------------------------------------------------------------------

PRODUCTS = ("optical_device", "optical_fiber", "optical_spectrum", "optical_digital_service")  # all their workflows must stand below


@dataclass(frozen=True)
class Scenario:
    net: str
    workflow: str
    level: str
    pages: object                     # (bed, set) -> pages of the start form
    drift: tuple = ()                 # (letter, class and aid or path, attributes): changed behind our back before it runs
    variant: str = ""
    lasting: bool = True              # may be aborted: software stays

    @property
    def name(self):
        return f"{self.net} {self.workflow}" + ("/" + self.variant if self.variant else "")

    @property
    def kind(self):
        """Of which the result is told: the product, and the drivers it is made with."""
        product = self.workflow.split("_", 1)[1].replace("_", " ")
        return f"{product}, {self.variant[:3] if self.net == 'trx' else 'flexils' if self.net == 'line' else 'g30 + flexils'}"


def modify_device(letter):
    return lambda bed, k: on("Optical Device", letter)(bed, k) + [{"external_ids": [{"system": "inventory", "id": name(k, letter)}]}, {}]


def device(net, level, letter, variant=""):
    """All workflows of a device."""
    it = on("Optical Device", letter)
    yield Scenario(net, "create_optical_device", "site", create_device(letter), variant=variant)
    yield Scenario(net, "modify_optical_device", level, modify_device(letter), variant=variant)
    yield Scenario(net, "validate_optical_device", level, it, variant=variant)
    yield Scenario(net, "reconcile_optical_device", level, it, variant=variant)
    yield Scenario(net, "terminate_optical_device", level, on("Optical Device", letter, {}), variant=variant)


def others(net, product, level, text, modify, drift, variant=""):
    """All workflows of what exists, but the one that creates it."""
    slug = product.lower().replace(" ", "_").removesuffix("_100g")
    for verb, pages, more in (("modify", modify, ()), ("validate", on(product, text), ()), ("reconcile", on(product, text), drift),
                              ("terminate", on(product, text, {}), ())):
        if pages is not None:
            yield Scenario(net, f"{verb}_{slug}", level, pages, more, variant)


SERVICE, G30_PORT, G42_PORT = "Optical Digital Service 100G", "ne:ne/shelf=1/slot=1/card/port=", "ioa-network-element:ne/equipment/card=1-4/port="
SCENARIOS = (
    *device("line", "devices", "a"),
    Scenario("line", "create_optical_fiber", "devices", create_fiber(0)),
    *others("line", "Optical Fiber", "fiber", "a", on("Optical Fiber", "a", {"measured_loss_az_cdb": 2540}, {}),
            (("a", "OTS", PORT, {"LABEL": "mine"}), ("z", "OTS", PORT, {"LABEL": "mine too", "EXPSPANLOSS": "OVER25DB"}))),
    Scenario("line", "create_optical_spectrum", "inventory", create_spectrum),
    *others("line", "Optical Spectrum", "light", "a", modify_spectrum,
            (("a", "SCG", DROP, {"LABEL": "mine"}), ("z", "SCG", DROP, {"LABEL": "mine too"}), ("a", "OSNC", DROP + "-1", {"LABEL": "theirs"}))),
    *device("trx", "devices", "b", "g30"),
    Scenario("trx", "create_optical_device", "site", create_device("b", "observe"), variant="g30-adopted"),
    Scenario("trx", "task_upgrade_software", "devices", upgrade("b"), variant="g30", lasting=False),
    *device("trx", "devices", "h", "g42"),
    Scenario("trx", "create_optical_device", "site", create_device("h", "observe"), variant="g42-adopted"),
    Scenario("trx", "task_upgrade_software", "devices", upgrade("h"), variant="g42", lasting=False),
    Scenario("trx", "create_optical_fiber", "devices", create_fiber(0), variant="g30"),
    *others("trx", "Optical Fiber", "patches", "b", None,
            (("a", "SCG", DROP, {"LABEL": "mine"}), ("b", G30_PORT + "1", {"connected-to": "mine"})), "g30"),
    Scenario("trx", "create_optical_fiber", "devices", create_fiber(1), variant="g42"),
    *others("trx", "Optical Fiber", "patches", "h", None,
            (("a", "SCG", "1-A-3-T2", {"LABEL": "mine"}), ("h", G42_PORT + "L1", {"connected-to": "mine"})), "g42"),
    Scenario("service", "create_optical_digital_service", "inventory", create_service(3, light=LIGHT), variant="first"),
    Scenario("service", "create_optical_digital_service", "service", create_service(4), variant="second"),
    *others("service", SERVICE, "service", "c01", modify_service,
            (("b", G30_PORT + "1", {"service-label": "mine"}), ("y", G30_PORT + "1/och-os", {"laser-enable": "disabled"}),
             ("b", G30_PORT + "3", {"service-label": "mine"}), ("a", "SCH", DROP + "-1", {"SHUTTERSTATE": "CLOSED"})), "first"),
    *(s for s in others("service", SERVICE, "shared", "c01", modify_service, (), "owner") if not s.workflow.startswith("reconcile")),
    Scenario("service", "terminate_optical_digital_service", "shared", on(SERVICE, "c02", {}), variant="second"),
)
