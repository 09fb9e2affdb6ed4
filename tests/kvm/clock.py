"""The wall clock is set back while vmpowerd runs: of this machine, so only in the lab."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from daemon_world import *

HOUR = 3600


def since_boot():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def is_killed(daemon, vm):
    vm.signal(signal.SIGKILL)
    assert vm.is_over() == -signal.SIGKILL
    daemon.wait_told(vm.name)


@test("by an hour: what happens after is told after, once, with the time that it has then, over a restart, too")
def set_back(world):
    if not os.environ.get("VMPOWER_IN_LAB"):
        raise Skip("the clock is this machine's")
    world.environment["VMPOWER_TRACE"] = "yes"
    vms = [runs(world) for _ in range(4)]
    daemon = Daemon(world)
    for vm in vms:
        wait_listed(world, vm.name)
    is_killed(daemon, vms[0])
    before = time.time() - since_boot()
    time.clock_settime(time.CLOCK_REALTIME, before + since_boot() - HOUR)
    world.later(lambda: time.clock_settime(time.CLOCK_REALTIME, before + since_boot()))
    is_killed(daemon, vms[1])
    daemon.stop()
    daemon = Daemon(world)
    is_killed(daemon, vms[2])
    time.clock_settime(time.CLOCK_REALTIME, before + since_boot())
    is_killed(daemon, vms[3])
    daemon.stop()
    history = world.history()
    assert [verdict["vm"]["name"] for verdict in history] == [vm.name for vm in vms], history
    assert story(history) == [("destroy", "operator", "signal")] * 4, history
    times = [datetime.datetime.fromisoformat(verdict["time"][:26] + "+00:00").timestamp() for verdict in history]
    assert times[1] < times[2] < times[0] - HOUR / 2 and times[0] < times[3], times
    # The newest first is the newest, whatever its clock said.
    newest = json.loads(world.vmpower("history", "--limit", "1", "--json").stdout)
    assert [verdict["vm"]["name"] for verdict in newest] == [vms[3].name], newest


if __name__ == "__main__":
    sys.exit(main(jobs=1))
