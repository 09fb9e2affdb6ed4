#!/usr/bin/env python3
"""What somebody asks of a Xen domain, by a helper that plays it: who asked is on record first, and what came of it is said."""

from scripted_xen import *


def asks(world, verb, *words):
    return world.vmpower(verb, "web", *words)


def asked(world, verb, *words):
    done = asks(world, verb, *words)
    assert done.returncode == 0, (verb, done.stderr)
    return done.stdout.decode()


def by_us(verdict, verb):
    actor = verdict["actor"]
    assert actor and actor["via"] == f"vmpower {verb}" and actor["uid"] == os.getuid(), actor


def begin(world, **named):
    xen = Xen(world, **named)
    daemon = daemon_of(world)
    domain = xen.born("web", None)
    wait_listed(world, "web")
    return xen, daemon, domain


@test("pause, resume, suspend, wake: asked of the helper, and each verdict names who asked")
def verbs(world):
    xen, daemon, domain = begin(world)
    assert asked(world, "pause", "--timeout", "20").startswith("web was paused"), "the verdict was to be printed"
    assert listed(world, "web")["state"] == "paused"
    told = json.loads(asked(world, "resume", "--timeout", "20", "--json"))
    assert (told["transition"], told["initiator"]) == ("resume", "operator"), told
    assert asked(world, "suspend") == "web was asked to suspend; what its guest makes of it, it will tell.\n"
    daemon.wait_told("web", 3)
    assert listed(world, "web")["state"] == "suspended"
    asked(world, "wake", "--timeout", "20")
    assert listed(world, "web")["state"] == "running"
    assert [one["command"] for one in xen.requests] == ["pause", "resume", "suspend", "resume"], xen.requests
    assert f"helper    vmpower-source-xen, as pid {xen.life.pid}\n" in world.vmpower("status").stdout.decode()
    daemon.stop()
    # A disk is slow now and then, and not each time.
    assert daemon.stderr.text().count("before it is on record") < 4, daemon.stderr.text()
    history = named(world, "web")
    assert [verdict["transition"] for verdict in history] == ["pause", "resume", "suspend", "wake"], story(history)
    for verdict, verb in zip(history, ("pause", "resume", "suspend", "wake")):
        assert verdict["initiator"] == "operator", verdict["summary"]
        by_us(verdict, verb)


@test("--power-button presses it, of shutdown alone; who did so is named when the guest obeys")
def button(world):
    xen, daemon, domain = begin(world)
    asked(world, "shutdown", "--power-button")
    assert [one["command"] for one in xen.requests] == ["power-button"], xen.requests
    xen.shut_down(domain, "poweroff")
    daemon.wait_told("web")
    done = asks(world, "reboot", "--power-button")
    assert done.returncode == 2 and b"--power-button" in done.stderr, done
    daemon.stop()
    (verdict,) = named(world, "web")
    assert (verdict["transition"], verdict["initiator"], verdict["mechanism"]) == ("poweroff", "operator", "power-button"), verdict["summary"]
    by_us(verdict, "power-button")


@test("a sick disk keeps nobody from his domain: what he asks goes on before it is on record, once, and he is named all the same")
def sick_disk(world):
    xen, daemon, domain = begin(world, carries_out=False)
    said = []

    def hear(life, request):
        daemon.stderr.wait_for("destroy goes on before it is on record")
        said.append(daemon.stderr.text())

    xen.on_request = hear
    lock = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    asking = popen([VMPOWER, "destroy", "web"], env=world.environment, stdout=subprocess.DEVNULL)
    xen.wait_requests(1)
    lock.execute("COMMIT")
    lock.close()
    # It comes to be on record before it is done.
    deadline = time.monotonic() + PATIENCE
    while not (late := rows(world, "SELECT data FROM evidence WHERE kind = 'stored-late'")):
        assert time.monotonic() < deadline, "that it is late is not on record"
        time.sleep(0.01)
    listed(world, "web")
    with xen.lock:
        xen.carry_out(xen.life, xen.requests[0])
    assert asking.wait() == 0
    daemon.wait_told("web")
    daemon.stop()
    # Not for a disk that was given up, which takes longer.
    assert "could not be stored" not in said[0], said
    ((data,),) = late
    assert json.loads(data)["command"] == "destroy" and json.loads(data)["ms"] > 0, data
    assert len(xen.requests) == 1, xen.requests
    (verdict,) = named(world, "web")
    assert (verdict["transition"], verdict["initiator"], verdict["mechanism"]) == ("destroy", "operator", "xen-destroy"), verdict
    by_us(verdict, "destroy")


@test("--power-button that was refused has done nothing: what the guest does next is its own")
def button_refused(world):
    xen, daemon, domain = begin(world, carries_out=False)
    why = "it has no power button: only an HVM domain has one"
    xen.on_request = lambda life, request: life.say(done={"request": request["request"], "result": "failed", "why": why})
    is_refused(asks(world, "shutdown", "--power-button"), FAILED, f"web: {why}")
    xen.shut_down(domain, "poweroff")
    daemon.wait_told("web")
    daemon.stop()
    (verdict,) = named(world, "web")
    assert story([verdict]) == [POWEROFF] and (verdict["confidence"], verdict["actor"]) == ("certain", None), verdict["summary"]
    (refused,) = evidence_of(verdict, "refused")
    assert refused["data"]["asked_at_ns"] and (refused["data"]["command"], refused["data"]["why"]) == ("power-button", why), refused


@test("shutdown and reboot are the operator's, by xen-control; destroy is his at once; a domain that policy starts again can be asked again")
def ends(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    first = xen.born("web")
    wait_listed(world, "web")
    asked(world, "reboot", "--timeout", "20")
    second = xen.wait_born("web", first)
    wait_listed(world, "web", lambda vm: vm and vm["instance"] == second.instance)
    asked(world, "shutdown", "--timeout", "20")
    wait_listed(world, "web", lambda vm: vm is None)
    xen.born("web")
    wait_listed(world, "web")
    assert asked(world, "destroy", "--timeout", "20").startswith("web was destroyed"), "the verdict was to be printed"
    daemon.stop()
    history = named(world, "web")
    assert story(history) == [
        ("reboot", "operator", "xen-control"), ("poweroff", "operator", "xen-control"), ("destroy", "operator", "xen-destroy"),
    ], story(history)  # fmt: skip
    for verdict, verb in zip(history, ("reboot", "shutdown", "destroy")):
        by_us(verdict, verb)
        (request,) = evidence_of(verdict, "request")
        assert request["source"] == "vmpower" and request["data"]["command"] == verb, request


@test("a guest without a driver that listens, one that does not obey in time, and a domain that has just gone: each is said in one line")
def refused(world):
    xen, daemon, domain = begin(world, carries_out=False)
    why = "its guest has no driver that listens for it (feature-poweroff is not set)"
    xen.on_request = lambda life, request: life.say(done={"request": request["request"], "result": "failed", "why": why})
    is_refused(asks(world, "shutdown"), FAILED, f"web: {why}")
    is_refused(asks(world, "shutdown", "--timeout", "5"), FAILED, f"web: {why}")
    xen.on_request = lambda life, request: life.say(done={"request": request["request"], "result": "done"})
    is_refused(asks(world, "shutdown", "--timeout", "0.5"), FAILED, "web: nothing has come of it within 0.5 s")
    # What comes of it is not what was asked for.
    xen.on_request = lambda life, request: (life.say(done={"request": request["request"], "result": "done"}), xen.shut_down(domain, "crash"))
    is_refused(asks(world, "shutdown", "--timeout", "20"), FAILED, "web's guest crashed")
    is_refused(asks(world, "reset"), FAILED, "web: Xen has no reset button", "vmpower reboot")
    is_refused(world.vmpower("reboot", "nobody"), NO_SUCH_VM, "nobody")
    is_refused(world.vmpower("reboot", "nobody", "--timeout", "1"), NO_SUCH_VM, "nobody")
    for words in (("--timeout",), ("--timeout", "soon"), ("--timeout", "-1"), ("--timeout", "1e3"), ("--timeout", "99999999999999999999")):
        done = asks(world, "shutdown", *words)
        assert done.returncode == USAGE and b"vmpower shutdown --help" in done.stderr and done.stderr.count(b"\n") == 1, done
    xen.on_request = None
    daemon.stop()
    assert story(named(world, "web")) == [CRASH]


@test("a helper that is killed while somebody waits for it: he is told so; while there is none, that; then it can be asked again")
def killed(world):
    xen, daemon, domain = begin(world, carries_out=False)
    xen.on_request = lambda life, request: os.kill(life.pid, signal.SIGKILL)
    is_refused(asks(world, "pause"), FAILED, "vmpower-source-xen has ended, and whether it was done is not known")
    xen.on_request, xen.carries_out = None, True
    xen.wait_life(2)
    wait_listed(world, "web", lambda vm: vm["sources"] == ["xen"])
    xen.says_hello = False
    xen.kill()
    wait_listed(world, "web", lambda vm: vm["sources"] == [])
    is_refused(asks(world, "pause"), FAILED, "web cannot be asked just now: vmpower-source-xen does not run")
    with xen.lock:
        xen._survey(xen.life)
    wait_listed(world, "web", lambda vm: vm["sources"] == ["xen"])
    asked(world, "pause", "--timeout", "20")
    daemon.stop()
    history = named(world, "web")
    assert [verdict["transition"] for verdict in history] == ["pause"], story(history)
    assert len(xen.requests) == 2, xen.requests


@test("a helper that does not answer is waited for, not for ever")
def silent(world):
    xen, daemon, domain = begin(world, carries_out=False)
    is_refused(asks(world, "pause"), FAILED, "vmpower-source-xen has not answered within 25 s, and may still do it")
    # Its answer comes too late, and does no harm.
    with xen.lock:
        xen.carry_out(xen.life, xen.requests[0])
    daemon.wait_told("web")
    daemon.stop()
    # That long ago it is not certain to be what was asked for.
    assert story(named(world, "web")) == [("pause", "operator", "xen-toolstack")]


@test("a full disk keeps nobody from his domain")
def full_disk(world):
    small_disk(world, 2048)
    xen, daemon, domain = begin(world)
    fill(world)
    assert asked(world, "pause") == "web is paused.\n"
    daemon.wait_told("web")
    os.unlink(os.path.join(world.state, "ballast"))
    daemon.stderr.wait_for("the disk takes what it is given again")
    asked(world, "resume", "--timeout", "20")
    daemon.stop()
    history = named(world, "web")
    assert [verdict["transition"] for verdict in history] == ["pause", "resume"], story(history)
    for verdict, verb in zip(history, ("pause", "resume")):
        by_us(verdict, verb)


@test("a domain that is born while the disk is full is known once there is room")
def born_on_full_disk(world):
    small_disk(world, 2048)
    xen, daemon, domain = begin(world)
    fill(world)
    late = xen.born("late", "on_poweroff=destroy")
    xen.wait_life(2)
    with xen.lock:
        xen._shut_down(late, "poweroff")
    os.unlink(os.path.join(world.state, "ballast"))
    wait_decided(world, "late", ("destroy", "done"))
    daemon.stop()
    assert story(named(world, "late")) == [POWEROFF] and named(world, "web") == []


@test("what QEMU has no request for is said so, and what to do instead")
def qemu(world):
    xen = Xen(world)
    vm = runs(world)
    daemon = daemon_of(world)
    attached(world, vm)
    is_refused(world.vmpower("reboot", vm.name), FAILED, f"{vm.name}: no request of a QEMU's makes its guest reboot", "vmpower reset")
    is_refused(world.vmpower("suspend", vm.name), FAILED, f"{vm.name}: no request of a QEMU's suspends its guest", "vmpower pause")
    for verb in ("pause", "resume"):
        done = world.vmpower(verb, vm.name, "--timeout", "20")
        assert done.returncode == 0 and verb in done.stdout.decode(), done
    is_refused(world.vmpower("shutdown", vm.name, "--timeout", "0.3"), FAILED, "nothing has come of it within 0.3 s")
    done = world.vmpower("destroy", vm.name, "--timeout", "20")
    assert done.returncode == 0 and done.stdout.decode().startswith(vm.name), done
    vm.is_over()
    daemon.stop()
    assert xen.requests == []


if __name__ == "__main__":
    sys.exit(main())
