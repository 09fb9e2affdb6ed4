"""Why a domain stopped, as vmpowerd tells it, and beside it what xl's own log says of the same death.

One daemon looks after all domains of this host, as it does on any other.
"""

import datetime
import sys

from xen_host import *


# --- what xl sees to is only watched --------------------------------------------------------------------------------


def row(sentence, expected, reason, rule, kind="pv", action="poweroff", xl_does="destroy", **options):
    @test(f"{kind}: {sentence}")
    def _(world):
        for turn in range(3):
            domain = Domain(world, re.sub(r"\W+", "-", f"{kind}-{sentence}-{turn}"), kind, action, **options).create()
            (verdict,) = HOST.told(domain.name)
            if domain.has_acted():
                break
        says(verdict, *expected, rule=rule, left="off", actor=None, revises=None)
        is_of(verdict, domain)
        assert (verdict["decision"]["action"], verdict["decision"]["result"]) == ("leave", "none"), verdict["decision"]
        if xl_does != "preserve":
            domain.wait_gone()
        xl_says(domain, reason, xl_does)
        # What its xl does then is no second story.
        assert len(HOST.world.history(domain.name)) == 1


POWEROFF = ("poweroff", "guest", "xen-shutdown", True)
REBOOT_BY_GUEST = ("reboot", "guest", "xen-shutdown", None)
CRASH = ("crash", "guest", "xen-shutdown", False)
row("poweroff", POWEROFF, 0, "xen-poweroff", "pvh")
row("poweroff without ACPI in its configuration", POWEROFF, 0, "xen-poweroff", "pvh", acpi=0)
row("halt", POWEROFF, 0, "xen-poweroff", "pvh", action="halt")
row("reboot", REBOOT_BY_GUEST, 1, "xen-reboot", "pvh", action="reboot", on_reboot="destroy")
row("panic", CRASH, 3, "xen-crash", "pvh", action="panic")
row("poweroff", POWEROFF, 0, "xen-poweroff")
row("halt", POWEROFF, 0, "xen-poweroff", action="halt")
row("poweroff with acpi=off", POWEROFF, 0, "xen-poweroff", extra="acpi=off")
row("reboot", REBOOT_BY_GUEST, 1, "xen-reboot", action="reboot", on_reboot="destroy")
row("panic", CRASH, 3, "xen-crash", action="panic")
row("panic that is preserved", CRASH, 3, "xen-crash", action="panic", xl_does="preserve", on_crash="preserve")
row("watchdog", CRASH, 4, "xen-watchdog", action="watchdog")


@test("xl reboot and xl shutdown, obeyed: an operator's; the one that xl begins anew is another instance")
def _(world):
    domain = Domain(world, "obeys").create()
    first = domain.id
    domain.wait_booted()
    xl("reboot", domain.name)
    domain.wait_restarted()
    domain.wait_booted(times=2)
    xl("shutdown", domain.name)
    domain.wait_gone()
    reboot, poweroff = HOST.told(domain.name, 2)
    says_asked(reboot, "reboot", left="off")
    is_of(reboot, domain, first)
    says_asked(poweroff, "poweroff", left="off")
    is_of(poweroff, domain)
    xl_says(domain, 1, "restart")
    xl_says(domain, 0, "destroy")


@test("pvh: it has no power button, whatever xl trigger says: xl shutdown, obeyed, is an operator's, by what the guest took")
def _(world):
    for turn in range(3):
        domain = Domain(world, f"pvh-obeys-{turn}", "pvh").create()
        deadline = time.monotonic() + PATIENCE
        while not domain.has_acted() and domain.find():  # or it has crashed in its boot
            assert time.monotonic() < deadline, domain.state()
            time.sleep(0.2)
        if domain.find():
            break
    done = HOST.world.vmpower("shutdown", "--power-button", domain.name)
    assert done.returncode == 1 and b"it has no power button: only an HVM domain has one" in done.stderr, done
    xl("trigger", domain.name, "power")
    xl("shutdown", domain.name)
    domain.wait_gone()
    (verdict,) = HOST.told(domain.name)
    says_asked(verdict, "poweroff", left="off")
    xl_says(domain, 0, "destroy")


@test("xl shutdown and a reboot, taken and ignored, are told by nothing; what is asked for then is not even taken, which is said; xl destroy is a destroy")
def _(world):
    domain = Domain(world, "ignores", extra="vmpower.request=ignore").create()
    domain.wait_booted()
    xl("shutdown", domain.name)
    wait_for_content(domain.console, "/sbin/poweroff was called, and is ignored")
    HOST.vmpower("reboot", domain.name)
    wait_for_content(domain.console, "/sbin/reboot was called, and is ignored")
    # From then on Linux believes that it shuts down (do_reboot(), shutdown_handler() in drivers/xen/manage.c).
    done = HOST.world.vmpower("shutdown", domain.name)
    assert done.returncode == 1 and b"its guest did not acknowledge it within 10 s" in done.stderr, done
    xl("destroy", domain.name)
    domain.wait_gone()
    (verdict,) = HOST.told(domain.name)
    if verdict["rule"] == "xen-gone-asked":  # another domain has ended at the same time: it may have obeyed, and been cleaned up after
        says(verdict, "unknown", "unknown", "unseen", None, left="gone", actor=None, confidence="guess")
    else:
        says(verdict, "destroy", "operator", "xen-destroy", False, left="gone", actor=None)
    asked, taken = (evidence_of(verdict, kind) for kind in ("control-request", "control-acknowledged"))
    assert len(asked) == 3 and len(taken) == 2 and asked[2]["data"]["request"] == "poweroff" and not asked[2]["proof"], verdict["evidence"]
    assert any(item["proof"] for item in asked) == any(item["proof"] for item in taken) == (verdict["rule"] == "xen-gone-asked"), verdict["evidence"]
    assert "has been destroyed" in domain.xl_log() and "reason code" not in domain.xl_log(), domain.xl_log()


@test("xl save: it was asked to suspend, and what is left of it goes; restored, it is another one that runs")
def _(world):
    domain = Domain(world, "saved").create()
    domain.wait_booted()
    xl("save", domain.name, world.path("memory"))
    domain.wait_gone()
    (verdict,) = HOST.told(domain.name)
    says_asked(verdict, "suspend", left="suspended")
    assert "has shut down, reason code 2 " in domain.xl_log() and "Domain has suspended." in domain.xl_log(), domain.xl_log()
    xl("restore", world.path("memory"))
    domain.id = domain.find()
    xl("shutdown", domain.name)
    domain.wait_gone()
    _, poweroff = HOST.told(domain.name, 2)
    says_asked(poweroff, "poweroff")
    is_of(poweroff, domain)


@test("what xl itself does where a domain crashes: it keeps one under another name, and begins one anew for ever, and writes cores; that is left to it")
def _(world):
    renamed = Domain(world, "xls-renamed", on_crash="rename-restart").create("-p")
    loops = Domain(world, "xls-loops", on_crash="coredump-restart", on_watchdog="coredump-destroy").create("-p")
    kept = renamed.id
    world.later(lambda: xl("destroy", str(kept), status=None))
    for ends, reason in (([loops, renamed], CRASH_CODE), ([loops], CRASH_CODE), ([loops], WATCHDOG)):
        for domain in ends:
            HOST.wait_listed(domain)
            shut_down(domain.id, reason)
        for domain in ends:
            domain.wait_gone() if reason == WATCHDOG else domain.wait_restarted()
    for verdict, policy in zip(HOST.told(loops.name, 3), ("on_crash", "on_crash", "on_watchdog"), strict=True):
        says(verdict, *CRASH, decision=(policy, "leave", "none"))
    (verdict,) = HOST.world.history(renamed.store.read(f"/local/domain/{kept}/name"))
    assert f":xen{kept}:" in verdict["vm"]["instance"] and verdict["transition"] == "crash" and verdict["decision"]["action"] == "leave", verdict
    xl_says(renamed, CRASH_CODE, "rename-restart")
    xl_says(loops, WATCHDOG, "coredump-destroy")
    assert loops.xl_log().count(f"Action for shutdown reason code {CRASH_CODE} is coredump-restart\n") == 2, loops.xl_log()
    # A guest that has not booted has no core.
    assert loops.xl_log().count(f"dumping core to /var/lib/xen/dump/{loops.name}\n") == 3, loops.xl_log()


# --- what nobody sees to gets what its own configuration says --------------------------------------------------------


def alone(sentence, expected, decision, left_after, kind="pv", action="poweroff", **options):
    """`left_after`: state of the domain then; None: there is nothing of it."""

    @test(f"nobody's: {sentence}")
    def _(world):
        domain = Domain(world, re.sub(r"\W+", "-", f"own-{sentence}"), kind, action, background=False, **options).create()
        (verdict,) = HOST.told(domain.name)
        says(verdict, *expected, left="off", decision=decision, actor=None)
        is_of(verdict, domain)
        if left_after is None:
            domain.wait_gone()
        else:
            assert left_after in domain.state(), domain.state()


alone("poweroff is destroyed", POWEROFF, ("on_poweroff", "destroy", "done"), None)
alone("panic is preserved", CRASH, ("on_crash", "preserve", "none"), "c", action="panic", on_crash="preserve")


@test("nobody's: one whose watchdog was not fed is restarted where its configuration says so")
def _(world):
    domain = Domain(world, "own-watchdog", action="watchdog", background=False, on_watchdog="restart").create()
    domain.wait_restarted()
    HOST.end(domain)
    says(HOST.world.history(domain.name)[0], *CRASH, rule="xen-watchdog", decision=("on_watchdog", "restart", "done"))


@test("nobody's: panic with its core written down, then restarted, or destroyed")
def _(world):
    for action in ("coredump-restart", "coredump-destroy"):
        domain = Domain(world, "own-" + action, action="panic", background=False, on_crash=action).create()
        if action == "coredump-restart":
            domain.wait_restarted()
            HOST.end(domain)
        else:
            HOST.told(domain.name)
            domain.wait_gone()
        says(HOST.world.history(domain.name)[0], *CRASH, decision=("on_crash", action, "done"))
        core = "/var/lib/xen/dump/" + domain.name
        assert os.path.getsize(core) > (MEMORY_MIB - 8) << 20
        os.unlink(core)


@test("xl's and nobody's: a soft reset is done to no domain but HVM: xl destroys what libxl does not begin anew, and so does vmpower")
def _(world):
    xls, own = Domain(world, "reset").create("-p"), Domain(world, "own-reset", background=False).create("-p")
    for domain, decision in ((xls, ("on_soft_reset", "leave", "none")), (own, ("on_soft_reset", "soft-reset", "failed"))):
        HOST.wait_listed(domain)
        shut_down(domain.id, SOFT_RESET)
        domain.wait_gone()
        (verdict,) = HOST.told(domain.name)
        says(verdict, "reboot", "guest", "xen-shutdown", None, rule="xen-soft-reset", left="off", decision=decision)
    xl_says(xls, SOFT_RESET, "soft-reset")
    assert xls.find() is own.find() is None
    assert "own-reset: on_soft_reset is not carried out: only an HVM domain can be begun anew in its place" in HOST.daemon.stderr.text()


@test("xl's and nobody's: what xl config-update has stored is what the next one is made by")
def _(world):
    xls, own = Domain(world, "updated").create("-p"), Domain(world, "own-updated", background=False).create("-p")
    for domain in (xls, own):
        HOST.wait_listed(domain)
        with open(domain.configuration, encoding="utf-8") as file:
            updated = file.read().replace(f"memory = {MEMORY_MIB}", f"memory = {MEMORY_MIB + 16}") + "on_crash = 'preserve'\n"
        xl("config-update", domain.name, world.write(domain.name + "-2.cfg", updated))
        shut_down(domain.id, REBOOT)
    for domain in (xls, own):
        domain.wait_restarted()
        room = domain.path("memory/static-max")
        assert domain.store.wait_until(lambda: domain.store.read(room), room, "it is made") == str((MEMORY_MIB + 16) << 10)
    assert '"xl" configuration found, using it' in xls.xl_log(), xls.xl_log()
    HOST.told(own.name)
    shut_down(own.id, CRASH_CODE)
    reboot, crash = HOST.told(own.name, 2)
    says(reboot, "reboot", "guest", "xen-shutdown", None, decision=("on_reboot", "restart", "done"))
    says(crash, *CRASH, decision=("on_crash", "preserve", "none"))


@test("nobody's: reboot is restarted, with its configuration: again it is nobody's, and restarted")
def _(world):
    domain = Domain(world, "own-reboot", action="reboot", background=False, extra="vmpower.delay=1").create()
    first = domain.id
    domain.wait_restarted()
    second = domain.id
    domain.wait_restarted()
    HOST.end(domain)
    told = HOST.world.history(domain.name)
    for verdict, number in zip(told, (first, second)):
        says(verdict, "reboot", "guest", "xen-shutdown", None, decision=("on_reboot", "restart", "done"))
        is_of(verdict, domain, number)
    assert told[0]["vm"]["uuid"] == told[1]["vm"]["uuid"]


@test("nobody's: panic is kept under another name, and one of the old name runs")
def _(world):
    domain = Domain(world, "own-renamed", action="panic", background=False, on_crash="rename-restart", extra="vmpower.delay=1").create()
    first = domain.id
    domain.wait_restarted()
    second = domain.id
    HOST.end(domain)
    kept = [id for id in domain.store.names_in("/local/domain") if (domain.store.read(f"/local/domain/{id}/name") or "").startswith("own-renamed-")]
    assert str(first) in kept and str(second) not in kept, kept
    # Its verdict is told under the name that it goes by now.
    name = domain.store.read(f"/local/domain/{first}/name")
    (verdict,) = HOST.world.history(name)
    row = (verdict["transition"], verdict["initiator"], verdict["mechanism"], verdict["decision"]["action"], verdict["decision"]["result"])
    assert row == ("crash", "guest", "xen-shutdown", "rename-restart", "done"), verdict
    assert f":xen{first}:" in verdict["vm"]["instance"], verdict["vm"]
    for id in kept:
        xl("destroy", id)


@test("nobody's: a crash loop waits longer each time")
def _(world):
    domain = Domain(world, "own-loop", action="panic", background=False, on_crash="restart").create()
    domain.id = None
    for _ in range(4):
        domain.wait_restarted()
    HOST.end(domain)
    told = HOST.world.history(domain.name)[:3]
    for verdict in told:
        says(verdict, *CRASH, decision=("on_crash", "restart", "done"))
    deaths = [datetime.datetime.fromisoformat(verdict["time"][:26]) for verdict in told]
    births = [row[0] / 1e9 for row in rows(HOST.world, "SELECT began_ns FROM vm WHERE name = ? ORDER BY id", domain.name)]
    waited = [births[i + 1] - death.replace(tzinfo=datetime.timezone.utc).timestamp() for i, death in enumerate(deaths)]
    assert waited[1] > 1 and waited[2] > 2, waited


# --- what is asked of vmpower ----------------------------------------------------------------------------------------


@test("vmpower pause, resume, suspend, wake, reboot, shutdown: each is whose it was, and obeyed")
def _(world):
    domain = Domain(world, "asked", background=False).create()
    domain.wait_booted()
    for verb in ("pause", "resume", "suspend", "wake", "reboot"):
        HOST.vmpower(verb, domain.name, "--timeout", str(int(PATIENCE)))
    domain.wait_restarted()
    domain.wait_booted(times=2)
    HOST.vmpower("shutdown", domain.name, "--timeout", str(int(PATIENCE)))
    told = HOST.told(domain.name, 6)
    expected = {
        "pause": ("pause", "operator", "xen-toolstack", None), "resume": ("resume", "operator", "xen-toolstack", None),
        "suspend": ("suspend", "operator", "xen-control", True), "wake": ("wake", "operator", "xen-toolstack", None),
        "reboot": ("reboot", "operator", "xen-control", True), "shutdown": ("poweroff", "operator", "xen-control", True),
    }  # fmt: skip
    for verdict, (verb, row) in zip(told, expected.items()):
        says(verdict, *row)
        is_by_us(verdict, verb)
    assert told[4]["decision"]["action"] == "restart" and told[5]["decision"]["action"] == "destroy", told[4:]
    domain.wait_gone()


@test("vmpower shutdown of one whose guest does not listen says so, and a PV guest has no power button; vmpower destroy is ours, certainly")
def _(world):
    domain = Domain(world, "deaf", background=False).create("-p")
    done = HOST.world.vmpower("shutdown", domain.name)
    assert done.returncode == 1 and b"no driver that listens" in done.stderr, done
    done = HOST.world.vmpower("shutdown", "--power-button", domain.name)
    assert done.returncode == 1 and b"it has no power button" in done.stderr, done
    HOST.vmpower("destroy", domain.name, "--timeout", str(int(PATIENCE)))
    verdict = HOST.world.history(domain.name)[-1]
    says(verdict, "destroy", "operator", "xen-destroy", False, left="gone")
    is_by_us(verdict, "destroy")


@test("vmpower list and vmpower why show a domain as what it is")
def _(world):
    domain = Domain(world, "shown", action="poweroff", extra="vmpower.delay=3").create()
    vm = HOST.wait_listed(domain)
    assert (vm["backend"], vm["pid"], vm["state"], vm["sources"]) == ("xen", None, "running", ["xen"]), vm
    assert vm["instance"].split(":")[1] == f"xen{domain.id}" and re.fullmatch(r"[0-9a-f-]{36}", vm["uuid"]), vm
    HOST.told(domain.name)
    assert HOST.vmpower("why", domain.name).startswith("shown was powered off by its own guest"), HOST.vmpower("why", domain.name)


if __name__ == "__main__":
    HOST.begin()
    status = main()
    HOST.close(status)
    sys.exit(status)
