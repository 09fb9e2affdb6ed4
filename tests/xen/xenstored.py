"""The real xenstored is killed. Another one knows nothing of what that knew, so this is the last of the programs in the lab."""

import sys

from domains import *
from daemon_world import *


class Abandoned(Domain):
    """Of which xenstored knows nothing in the end: it goes with the lab."""

    def close(self):
        self.store.close()


def switches(pid):
    """How often it has gone to sleep."""
    return int(re.search(rb"^voluntary_ctxt_switches:\s*(\d+)$", read_proc(pid, "status"), re.MULTILINE)[1])


def rests(pid, seconds=3):
    """It sleeps for so long at a stretch; whatever looks every now and then never does."""
    deadline, before = time.monotonic() + PATIENCE, None
    while (now := switches(pid)) != before:
        assert time.monotonic() < deadline, "it does not rest"
        before = now
        time.sleep(seconds)


@test("the helper has one thread, and sleeps while nothing happens; xenstored is killed: that is told, and what happened meanwhile once there is another one")
def _(world):
    daemon = Daemon(world)
    domain = Abandoned(world, "left", background=False, on_crash="preserve").create("-p")
    wait_listed(world, domain.name)
    helper = helper_of(daemon)
    rests(helper)
    assert len(os.listdir(f"/proc/{helper}/task")) == 1
    (store,) = [pid for pid in all_pids() if comm_of(pid) == "xenstored"]
    os.kill(store, signal.SIGKILL)
    daemon.stderr.wait_for("vmpowerd: vmpower-source-xen: xenstored has gone (Connection reset by peer): until it is back, no domain is seen to stop\n")
    done = world.vmpower("shutdown", domain.name)
    assert done.returncode == 1 and b"xenstored has gone" in done.stderr, done
    shut_down(domain.id, CRASH_CODE)
    # It knows nothing of what the other one knew.
    subprocess.run(["xenstored"], check=True)
    daemon.stderr.wait_for("vmpowerd: vmpower-source-xen: xenstored is back\n")
    daemon.wait_told(domain.name)
    assert helper_of(daemon) == helper
    daemon.stop()
    (verdict,) = world.history(domain.name)
    says(verdict, "crash", "guest", "xen-shutdown", False, left="off", decision=("on_crash", "preserve", "none"))
    assert [gap["data"] for gap in evidence_of(verdict, "gap")] == [{"reason": "xenstored had gone"}], verdict["evidence"]


if __name__ == "__main__":
    sys.exit(main(1))
