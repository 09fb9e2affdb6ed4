"""Who had Xen do it: the kernel sees the hypercall, and who makes it."""

import pwd
import sys

from domains import *
from trace_world import *

NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups"]


def by_shell(*words):
    """As somebody types it."""
    subprocess.run(["sh", "-c", " ".join(words) + "; true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=PATIENCE, check=True)


def hypercalls(verdict):
    return [(item["data"]["command"], item["data"]["domid"]) for item in verdict["evidence"] if item["kind"] == "hypercall"]


def is_xl(actor, *words):
    assert (actor["comm"], actor["uid"], actor["user"], actor["via"], actor["confidence"]) == ("xl", 0, "root", "hypercall", "certain"), actor
    assert actor["exe"].endswith("/bin/xl") and actor["cmdline"] == " ".join(("xl", *words)), actor
    assert [parent["comm"] for parent in actor["parents"] if parent["comm"] != "xl"][:2] == ["sh", "python3"], actor["parents"]


def history(world, name):
    """The oldest first."""
    return json.loads(world.vmpower("history", name, "--json").stdout)[::-1]


def is_verdict(verdict, transition, mechanism):
    got = (verdict["transition"], verdict["initiator"], verdict["mechanism"], verdict["confidence"])
    assert got == (transition, "operator", mechanism, "certain"), verdict


def doctor(world, *names, **environment):
    """What it says of these."""
    world.environment.update(environment)
    checks = {check["name"]: check for check in json.loads(world.vmpower("doctor", "--quick", "--json").stdout)["checks"]}
    return [checks[name] for name in names]


@test("vmpower doctor has Xen refuse a hypercall, and sees who made it; its helper sees the domains, or says why not, and what helps")
def _(world):
    Domain(world, "seen", background=False).create("-p")
    calls, domains = doctor(world, "trace-hypercalls", "xen", VMPOWER_TRACE="yes")
    assert calls["works"] and "was seen" in calls["found"] and "each system call" not in calls["found"], calls
    assert domains["works"] and re.fullmatch(r"vmpower-source-xen sees [1-9]\d* domains?", domains["found"]), domains
    (deaf,) = doctor(world, "xen", VMPOWER_TRACE="no", XENSTORED_PATH=world.path("nobody"))
    assert (deaf["works"], deaf["repair"]) == (False, "systemctl start xen") and "libxl does not work here" in deaf["found"], deaf
    assert "are not seen" in deaf["costs"], deaf


@test("a user who has no right to Xen: vmpower doctor says so, and what helps; his daemon says so, starts no helper by itself, and lives")
def _(world):
    os.chmod(world.directory, 0o755)
    for path in (world.state, world.rundir):
        os.mkdir(path, 0o700)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    his = subprocess.run([*AS_NOBODY, VMPOWER, "doctor", "--quick", "--json"], env=world.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    (domains,) = [check for check in json.loads(his.stdout)["checks"] if check["name"] == "xen"]
    assert (domains["works"], domains["repair"]) == (False, "sudo systemctl enable --now vmpowerd.socket vmpowerd"), domains
    assert domains["found"].endswith("or there is no right to it") and "are not seen" in domains["costs"], domains
    daemon = Daemon(world, "--xen", "yes", within=AS_NOBODY)
    daemon.stderr.wait_for("vmpowerd: vmpower-source-xen: libxl does not work here: this is no host of Xen's, or there is no right to it\n")
    daemon.stderr.wait_for("vmpower-source-xen: it has ended with exit status 1; it is started again")
    assert world.vmpower("list").returncode == 0
    daemon.stop()
    daemon = Daemon(world, within=AS_NOBODY)
    daemon.stop()
    assert "vmpower-source-xen" not in daemon.stderr.text(), daemon.stderr.text()


def by_xl(world, daemon):
    """The pause that xl destroy begins with is none."""
    domain = Domain(world, "web", background=False).create()
    wait_listed(world, domain.name)
    for count, command in enumerate(("pause", "unpause", "destroy"), 1):
        by_shell("xl", command, domain.name)
        daemon.wait_told(domain.name, count)
    paused, runs, destroyed = told = history(world, domain.name)
    is_verdict(paused, "pause", "xen-toolstack")
    is_verdict(runs, "resume", "xen-toolstack")
    is_verdict(destroyed, "destroy", "xen-destroy")
    for verdict, command in zip(told, ("pause", "unpause", "destroy")):
        is_xl(verdict["actor"], command, domain.name)
    assert hypercalls(destroyed)[-2:] == [("pausedomain", domain.id), ("destroydomain", domain.id)], destroyed


def by_vmpower(world, daemon):
    """What its helper has Xen do is told as the request's alone."""
    domain = Domain(world, "own", background=False).create()
    wait_listed(world, domain.name)
    for count, command in enumerate(("pause", "destroy"), 1):
        assert world.vmpower(command, domain.name).returncode == 0
        daemon.wait_told(domain.name, count)
    domain.wait_gone()
    paused, destroyed = told = history(world, domain.name)
    is_verdict(paused, "pause", "xen-toolstack")
    is_verdict(destroyed, "destroy", "xen-destroy")
    for verdict in told:
        assert verdict["actor"]["comm"] == "vmpower" and not [call for call, _ in hypercalls(verdict) if call != "unpausedomain"], verdict


def by_itself(world, daemon):
    """What the xl that stays behind does to a domain that has shut down is nobody's deed."""
    domain = Domain(world, "off", action="poweroff").create()
    domain.wait_gone()
    daemon.wait_told(domain.name)
    (verdict,) = history(world, domain.name)
    assert (verdict["transition"], verdict["initiator"], verdict["mechanism"], verdict["actor"]) == ("poweroff", "guest", "xen-shutdown", None), verdict


def by_nobody_knows_whom(world, daemon):
    """The daemon does not read for a while, and who destroys a domain then finds no room."""
    domain = Domain(world, "crowd", background=False).create("-p")
    wait_listed(world, domain.name)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    pause_nobody(1000)
    xl("destroy", domain.name)
    os.kill(daemon.process.pid, signal.SIGCONT)
    daemon.wait_told(domain.name)
    (verdict,) = history(world, domain.name)
    assert (verdict["transition"], verdict["mechanism"], verdict["actor"]) == ("destroy", "xen-destroy", None), verdict
    (gap,) = [item for item in verdict["evidence"] if (item["source"], item["kind"]) == ("trace", "gap")]
    assert re.fullmatch(r"\d+ of the kernel's records of hypercalls were lost", gap["data"]["reason"]), gap


# One daemon for all: to load its programs takes longer here than the rest.
@test("xl pause, unpause and destroy, and vmpower's: who did it is known; a poweroff that xl cleans up after is its guest's; where some were lost, that is known")
def _(world):
    world.environment["VMPOWER_TRACE"] = "yes"
    daemon = Daemon(world)
    for happens in (by_xl, by_vmpower, by_itself, by_nobody_knows_whom):
        happens(world, daemon)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
