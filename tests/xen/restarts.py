"""A domain's story while its helper, or the daemon, is gone or comes late: Xen keeps the reason of one that nobody has destroyed."""

import sys

from domains import *
from daemon_world import *

POWEROFF = ("poweroff", "guest", "xen-shutdown", True)


def told_once(world, daemon, domain):
    """Once what was decided has come to something."""
    daemon.wait_told(domain.name)
    deadline = time.monotonic() + PATIENCE
    while world.history(domain.name)[-1]["decision"]["result"] == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    daemon.stop()
    told = world.history(domain.name)
    assert len(told) == 1, told
    return told[0]


@test("a helper that hung and is killed: the next one finds the reason, the policy is carried out, and what xl took away meanwhile was not seen")
def _(world):
    daemon = Daemon(world)
    ours = Domain(world, "ours", action="poweroff", background=False).create("-p")
    xls = Domain(world, "xls").create()
    for domain in (ours, xls):
        wait_listed(world, domain.name)
    pid = helper_of(daemon)
    os.kill(pid, signal.SIGSTOP)
    xl("unpause", ours.name)
    ours.wait_state("s")
    xl("destroy", xls.name)
    xls.wait_gone()
    os.kill(pid, signal.SIGKILL)
    ours.wait_gone()
    daemon.wait_told(xls.name)
    verdict = told_once(world, daemon, ours)
    says(verdict, *POWEROFF, left="off", decision=("on_poweroff", "destroy", "done"))
    assert evidence_of(verdict, "gap"), verdict["evidence"]
    (unseen,) = world.history(xls.name)
    says(unseen, "unknown", "unknown", "unseen", None, confidence=unseen["confidence"], left="gone")


@test("a daemon that is killed: the next one tells how a domain stopped meanwhile, once, and does what its configuration says")
def _(world):
    daemon = Daemon(world)
    domain = Domain(world, "meanwhile", action="reboot", background=False, on_reboot="preserve").create("-p")
    wait_listed(world, domain.name)
    helper = helper_of(daemon)
    daemon.kill()
    wait_for_end(helper)
    xl("unpause", domain.name)
    domain.wait_state("s")
    daemon = Daemon(world)
    verdict = told_once(world, daemon, domain)
    says(verdict, "reboot", "guest", "xen-shutdown", None, left="off", decision=("on_reboot", "preserve", "none"))
    assert "s" in domain.state(), domain.state()


@test("a daemon that comes late: one that runs and one that has shut down are found; one whose xl is killed is its own from then on")
def _(world):
    orphan = Domain(world, "orphan").create()
    crashed = Domain(world, "crashed", action="panic", on_crash="preserve").create()
    crashed.wait_state("c")
    orphan.wait_booted()
    daemon = Daemon(world)
    daemon.wait_told(crashed.name)
    assert wait_listed(world, orphan.name)["state"] == "running" and wait_listed(world, crashed.name)["state"] == "off"
    says(world.why(crashed.name), "crash", "guest", "xen-shutdown", False, left="off")
    os.kill(orphan.xl_pid(), signal.SIGKILL)
    orphan.background = False
    xl("shutdown", orphan.name)
    orphan.wait_gone()
    verdict = told_once(world, daemon, orphan)
    says_asked(verdict, "poweroff", left="off", decision=("on_poweroff", "destroy", "done"))


@test("where a xenopsd runs, all domains are its own: why they stop is told, and they are left to it")
def _(world):
    daemon = Daemon(world)
    # It is known by its name alone.
    named = popen(["sh", "-c", "printf xenopsd-xc >/proc/self/comm; read end"], stdin=subprocess.PIPE)
    world.later(named.communicate)
    deadline = time.monotonic() + PATIENCE
    while comm_of(named.pid) != "xenopsd-xc":
        assert time.monotonic() < deadline, comm_of(named.pid)
        time.sleep(0.02)
    domain = Domain(world, "xapi", background=False, on_crash="destroy").create("-p")
    wait_listed(world, domain.name)
    shut_down(domain.id, CRASH_CODE)
    says(told_once(world, daemon, domain), "crash", "guest", "xen-shutdown", False, decision=("on_crash", "leave", "none"))
    assert "s" in domain.state(), domain.state()


if __name__ == "__main__":
    sys.exit(main(1))
