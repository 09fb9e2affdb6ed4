#!/usr/bin/env python3
"""`vmpowerd` on many VMs whose monitors one process holds: each is a VM of its own, and has its verdict once.

    VMPOWERD   the daemon
    FARM       the farm
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "qemu")]
from farm import Farm
from daemon_world import Daemon
from world import *

N = 24
WAYS = {
    "poweroff": ("poweroff", "guest", "acpi-s5"),
    "panic": ("crash", "guest", "panic-device"),
    "quit": ("destroy", "operator", "qmp-quit"),
    "signal": ("destroy", "operator", "signal"),
    "kill": ("unknown", "unknown", "unseen"),
}


def attached_farm(world, threads=0):
    """A farm whose VMs are vm-0, vm-1 …, all held by a daemon."""
    os.mkdir(world.path("farm"))
    farm = Farm(world.path("farm"), N, threads=threads, environment=world.environment)
    world.later(farm.close)
    daemon = Daemon(world)
    for i in range(N):
        done = world.vmpower("attach", f"vm-{i}", "--qmp", farm.path(i))
        assert done.returncode == 0, done.stderr
    return farm, daemon


def verdicts(world):
    return [verdict for verdict in world.history() if verdict["vm"]["name"].startswith("vm-") and not verdict["revises"]]


@test("each monitor that one process holds is a VM of its own, and has its verdict when that ends")
def storm(world):
    farm, daemon = attached_farm(world)
    assert len({listed["instance"] for listed in vms(world)}) == N
    ended = {f"vm-{i}": WAYS[way] for i, way, _ in farm.storm(50, *WAYS)}
    for name in ended:
        daemon.wait_told(name)
    farm.close()
    daemon.stop()
    told = {v["vm"]["name"]: (v["transition"], v["initiator"], v["mechanism"]) for v in verdicts(world)}
    assert told == ended, {name: (told.get(name), way) for name, way in ended.items() if told.get(name) != way}
    assert len(verdicts(world)) == N


def vms(world):
    return [vm for vm in json.loads(world.vmpower("list", "--json").stdout) if vm["name"].startswith("vm-")]


@test("of many VMs whose vCPUs stand still each is looked at, and the one that is halted for good is found")
def halted(world):
    farm, daemon = attached_farm(world, threads=N)
    farm.order("halt", N // 2)
    daemon.wait_told(f"vm-{N // 2}")
    deadline = time.monotonic() + PATIENCE
    while farm.stats()["looks"] < N:
        assert time.monotonic() < deadline, farm.stats()
        time.sleep(0.05)
    farm.close()
    daemon.stop()
    halts = [v["vm"]["name"] for v in verdicts(world) if v["transition"] == "halt"]
    assert halts == [f"vm-{N // 2}"], halts


if __name__ == "__main__":
    sys.exit(main())
