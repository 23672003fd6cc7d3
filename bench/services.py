"""From request to active: one 100G service over two G30 and three FlexILS elements in a simulator without latency, again and again.

What is ours is the time that no exchange with an element was under way, by the evidence of the process: steps, plans, commits. The power
window is wide open, so that nothing is waited for; elements get no rest between two writes.
"""
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))


def once(case):
    """Seconds until active, and of them with the elements; then the service is gone again."""
    began = time.monotonic()
    process = case.daemon.start_process("create_optical_digital_service", case.pages(3, och_ids=[42]))
    while case.daemon.process(process)["last_status"] != "completed":
        time.sleep(0.001)
    wall = time.monotonic() - began
    rows = case.daemon.get(f"/api/processes/{process}/evidence?limit=1000").json()["exchanges"]
    case.through(case.daemon.start_process("terminate_optical_digital_service", [{"subscription_id": case.service("f001c01")}]))
    return wall, sum(row["took_ms"] for row in rows) / 1000


def bench(table, args, daemon_program, cli_program, sim_program):
    os.environ["LIGHTPATH_TEST_CLI"] = cli_program
    import flexsim
    import lightpathd
    import service
    lightpathd.PROGRAM, service.network.CLI, flexsim.PROGRAM = daemon_program, cli_program, sim_program
    flexsim.Sim.__init__.__defaults__ = (*flexsim.Sim.__init__.__defaults__[:-1], sim_program)

    class Bench(service.Services):
        MORE = {**service.ALIGNED, "devices.poll_ms": "1"}

        def runTest(self):
            pass
    Bench.setUpClass()
    case = Bench()
    try:
        once(case)  # sessions are opened
        rounds = [once(case) for _ in range(3 * args.rounds)]
    finally:
        Bench.tearDownClass()
    wall, outside = (statistics.median(column) for column in zip(*rounds))
    table.note("with the elements, by their evidence", "%.0f ms" % (outside * 1e3))
    table.goal("", "100G service, request to active", "%.0f ms" % (wall * 1e3), "150 ms", wall / 0.150, 1, at_most=True)
    table.goal("", "of it ours", "%.0f %%" % ((wall - outside) / wall * 100), "20 %", (wall - outside) / wall / 0.2, 1, at_most=True)
