#!/usr/bin/env python3
"""Xen domains, by a helper that plays them: what the daemon makes of what it is told, and what it has done about it."""

from scripted_xen import *

DESTROYED_BY = ("destroy", "operator", "xen-destroy")
UNSEEN = ("unknown", "unknown", "unseen")


def has_gap(verdict):
    return any(item["kind"] == "gap" for item in verdict["evidence"])


@test("a domain is listed as such, and its guest's poweroff is told once and destroyed as its own configuration wants")
def poweroff(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    told = wait_listed(world, "web")
    assert (told["backend"], told["pid"], told["state"], told["sources"]) == ("xen", None, "running", ["xen"]), told
    assert told["instance"] == domain.instance and told["uuid"] == domain.uuid, told
    assert xen.configured == [{"xen_policy": "auto"}], xen.configured
    printed = world.vmpower("list")
    assert f"xen{domain.domid}" in printed.stdout.decode(), printed.stdout
    done = world.vmpower("why", "web")
    assert done.returncode == 4 and f"as domain {domain.domid}" in done.stderr.decode(), done
    xen.shut_down(domain, "poweroff")
    daemon.wait_told("web")
    wait_decided(world, "web", ("destroy", "done"))
    assert [one["command"] for one in xen.requests] == ["destroy"], xen.requests
    wait_listed(world, "web", lambda vm: vm is None)
    daemon.stop()
    history = named(world, "web")
    assert story(history) == [POWEROFF] and not has_gap(history[0]), story(history)
    assert rows(world, "SELECT instance FROM vm WHERE ended_ns IS NULL AND backend = 'xen'") == []


@test("a domain without a policy is only watched; one that wants to be preserved stays; one that somebody destroys was destroyed")
def watched(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    watched, kept, killed = xen.born("watched", None), xen.born("kept", "on_crash=preserve"), xen.born("killed")
    for name in ("watched", "kept", "killed"):
        wait_listed(world, name)
    xen.shut_down(watched, "poweroff")
    xen.shut_down(kept, "crash")
    xen.destroyed(killed)
    for name in ("watched", "kept", "killed"):
        daemon.wait_told(name)
    assert decisions(named(world, "watched")) == [("leave", "none")], named(world, "watched")
    assert decisions(named(world, "kept")) == [("preserve", "none")], named(world, "kept")
    assert story(named(world, "killed")) == [DESTROYED_BY]
    assert listed(world, "watched")["state"] == listed(world, "kept")["state"] == "off"
    assert listed(world, "killed") is None
    xen.destroyed(watched)
    wait_listed(world, "watched", lambda vm: vm is None)
    daemon.stop()
    assert story(named(world, "watched")) == [POWEROFF] and story(named(world, "kept")) == [CRASH]
    assert xen.requests == [], xen.requests


@test("a domain that reboots is started again, under its name, at once")
def reboot(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    first = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(first, "reboot")
    second = xen.wait_born("web", first)
    told = wait_listed(world, "web", lambda vm: vm and vm["instance"] == second.instance)
    assert told["state"] == "running", told
    wait_decided(world, "web", ("restart", "done"))
    done = world.vmpower("why", "web")
    assert f"It runs again, as domain {second.domid}." in done.stdout.decode(), done.stdout
    daemon.stop()
    assert story(named(world, "web")) == [REBOOT]


@test("a soft reset is the same domain, begun anew in its place: it runs, and what it does next is another story")
def soft_reset(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "soft-reset")
    daemon.wait_told("web")
    wait_decided(world, "web", ("soft-reset", "done"))
    told = wait_listed(world, "web", lambda vm: vm["state"] == "running")
    assert told["instance"] == domain.instance, told
    xen.shut_down(domain, "poweroff")
    daemon.wait_told("web", 2)
    wait_decided(world, "web", ("soft-reset", "done"), ("destroy", "done"))
    daemon.stop()
    assert story(named(world, "web")) == [REBOOT, POWEROFF], story(named(world, "web"))


@test("a crash loop waits 0, 1, 2, 4, 8 s, and is given up after five, though its helper and the daemon are killed in between")
def crash_loop(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    waited = []
    for i in range(5):
        began = time.monotonic()
        xen.shut_down(domain, "crash")
        if i == 2:
            daemon.wait_told("web", 3)
            xen.kill()
        if i == 3:
            daemon.wait_told("web", 4)
            daemon.kill()
            forget_sockets(world)
            daemon = daemon_of(world)
        domain = xen.wait_born("web", domain)
        waited.append(time.monotonic() - began)
        wait_listed(world, "web", lambda vm, domain=domain: vm and vm["instance"] == domain.instance)
    for got, delay in zip(waited, (0, 1, 2, 4, 8)):
        assert delay - 0.1 <= got < delay + 3, waited
    xen.shut_down(domain, "crash")
    daemon.stderr.wait_for("web: it was started again 5 times within a minute, and stays as it is now")
    wait_decided(world, "web", *[("restart", "done")] * 5, ("restart", "gave-up"))
    assert [one["command"] for one in xen.requests] == ["restart"] * 5, xen.requests
    assert listed(world, "web")["state"] == "off"
    daemon.stop()
    assert story(named(world, "web")) == [CRASH] * 6


@test("reboots wait for nothing, and five within a minute are enough; what was longer ago does not count")
def reboots(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    began = time.monotonic()
    for _ in range(5):
        xen.shut_down(domain, "reboot")
        domain = xen.wait_born("web", domain)
    assert time.monotonic() - began < 10
    wait_decided(world, "web", *[("restart", "done")] * 5)
    connection = sqlite3.connect(os.path.join(world.state, "vmpower.db"), timeout=PATIENCE)
    connection.execute("UPDATE verdict SET time_ns = time_ns - 100000000000")
    connection.commit()
    connection.close()
    xen.shut_down(domain, "reboot")
    domain = xen.wait_born("web", domain)
    for _ in range(4):
        xen.shut_down(domain, "reboot")
        domain = xen.wait_born("web", domain)
    xen.shut_down(domain, "reboot")
    daemon.stderr.wait_for("web: it was started again 5 times within a minute")
    daemon.stop()
    assert story(named(world, "web")) == [REBOOT] * 11


@test("what the helper counts counts, too: of a domain that is kept under another name the record tells nothing any more")
def kept_and_restarted(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web", "on_crash=rename-restart")
    wait_listed(world, "web")
    xen.shut_down(domain, "crash")
    xen.wait_requests(1)
    assert xen.requests[0]["command"] == "rename-restart", xen.requests
    with xen.lock:
        domain.name, domain.uuid = "web-old", str(uuid.uuid4())
        vm = {"name": domain.name, "uuid": domain.uuid, "instance": domain.instance, "policy": None}
        xen.life.say(domain.instance, vm=vm)
        xen.says_restarts = 5
        second = xen._born("web", "on_crash=rename-restart")
        xen.life.say(done={"request": xen.requests[0]["request"], "result": "done"})
    wait_listed(world, "web", lambda told: told and told["instance"] == second.instance)
    assert wait_listed(world, "web-old")["state"] == "off"
    wait_decided(world, "web-old", ("rename-restart", "done"))
    xen.shut_down(second, "crash")
    wait_decided(world, "web", ("rename-restart", "gave-up"))
    daemon.stop()
    assert story(named(world, "web-old")) == [CRASH] and story(named(world, "web")) == [CRASH]


@test("a helper that does not end, though the daemon does, is killed by it")
def stubborn(world):
    directory = world.path("stubborn")
    os.mkdir(directory)
    program, pids = os.path.join(directory, "vmpower-source-xen"), os.path.join(directory, "pids")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\necho $$ >{pids}\nexec sleep 1000\n")
    os.chmod(program, 0o755)
    world.environment["VMPOWER_LIBEXEC_DIR"] = directory
    daemon = daemon_of(world)
    pid = int(wait_for_content(pids, "\n"))
    daemon.stop()
    assert not state_of(pid), state_of(pid)


@test("a helper that is killed in the middle of a restart is asked again, if the old domain is there still")
def killed_before(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    xen.kill()
    xen.wait_requests(2)
    daemon.stderr.wait_for("vmpower-source-xen: it was ended by SIGKILL; it is started again")
    with xen.lock:
        xen.carry_out(xen.life, xen.requests[1])
    wait_decided(world, "web", ("restart", "done"))
    assert xen.requests[0]["request"] != xen.requests[1]["request"] and len(xen.requests) == 2, xen.requests
    daemon.stop()
    assert story(named(world, "web")) == [REBOOT]


@test("a helper that is killed when it has started the new domain, and has not said so, is asked for nothing more")
def killed_after(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    with xen.lock:
        life, xen.life = xen.life, None  # it says nothing of what it does
        xen._end(domain, False)
        second = xen._born("web", OWN)
        xen.life = life
    xen.kill()
    wait_listed(world, "web", lambda vm: vm and vm["instance"] == second.instance)
    wait_decided(world, "web", ("restart", "done"))
    daemon.stop()
    assert len(xen.requests) == 1, xen.requests
    assert story(named(world, "web")) == [REBOOT]


@test("a helper that is killed when it has destroyed the old domain, and not started a new one: that failed, and is said")
def killed_between(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    with xen.lock:
        xen._end(domain, False)
    wait_listed(world, "web", lambda vm: vm is None)
    xen.kill()
    daemon.stderr.wait_for("web: on_reboot was not carried out to its end: it is gone, and was not started again")
    wait_decided(world, "web", ("restart", "failed"))
    daemon.stop()
    assert story(named(world, "web")) == [REBOOT] and len(xen.requests) == 1


@test("a domain that was to be started again and is gone when a helper looks, without a successor: that failed, and is said once")
def gone_meanwhile(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    with xen.lock:
        life, xen.life = xen.life, None
        xen._end(domain, False)
        xen.life = life
    xen.kill()
    daemon.stderr.wait_for("web: on_reboot is not carried out: it is gone, and was not started again")
    wait_decided(world, "web", ("restart", "failed"))
    daemon.stop()
    assert daemon.stderr.text().count("carried out") == 1, daemon.stderr.text()
    assert story(named(world, "web")) == [REBOOT]


@test("what a helper began before it was killed, and ended after: the next one fails to do it again, and it was done")
def overtaken(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    xen.kill()
    xen.wait_requests(2)
    with xen.lock:
        xen._end(domain, False)
        second = xen._born("web", OWN)
        xen.carry_out(xen.life, xen.requests[1])  # there is no such domain
    wait_listed(world, "web", lambda vm: vm and vm["instance"] == second.instance)
    wait_decided(world, "web", ("restart", "done"))
    daemon.stop()
    assert "carried out" not in daemon.stderr.text(), daemon.stderr.text()
    assert story(named(world, "web")) == [REBOOT]


@test("what a crash loop waits for may come when there is no helper: the next one does it")
def waits_without_helper(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "crash")
    domain = xen.wait_born("web", domain)
    wait_listed(world, "web", lambda vm: vm and vm["instance"] == domain.instance)
    xen.says_hello = False
    xen.shut_down(domain, "crash")
    daemon.wait_told("web", 2)
    xen.kill()
    time.sleep(1.5)  # the second is over
    assert len(xen.requests) == 1, xen.requests
    with xen.lock:
        xen._survey(xen.life)
    xen.wait_born("web", domain)
    wait_decided(world, "web", ("restart", "done"), ("restart", "done"))
    daemon.stop()
    assert story(named(world, "web")) == [CRASH, CRASH]


@test("a helper that dies of a request each time is not asked for ever")
def poison(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web", "on_poweroff=destroy")
    wait_listed(world, "web")
    xen.on_request = lambda life, request: os.kill(life.pid, signal.SIGKILL)
    xen.shut_down(domain, "poweroff")
    daemon.stderr.wait_for("web: on_poweroff is not carried out: its helper has ended each time that it was asked to")
    wait_decided(world, "web", ("destroy", "failed"))
    xen.on_request = None
    daemon.stop()
    assert len(xen.requests) == 3, xen.requests


def kill_both(world, xen, daemon):
    """The daemon, and so its helper."""
    helper = xen.life.pid
    daemon.kill()
    wait_for_end(helper)
    forget_sockets(world)


@test("a daemon that is killed goes on where it was: what was decided is carried out, once; what ended meanwhile ended unseen")
def daemon_killed(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    names = ("decided", "done", "gone", "off", "runs", "late")
    domains = {name: xen.born(name) for name in names}
    for name in names:
        wait_listed(world, name)
    xen.shut_down(domains["decided"], "poweroff")
    xen.shut_down(domains["done"], "poweroff")
    xen.wait_requests(2)
    kill_both(world, xen, daemon)
    with xen.lock:
        xen.life = None
        xen._end(domains["done"], False)
        xen._end(domains["gone"], True)
        xen._shut_down(domains["off"], "crash")
    xen.carries_out = True
    daemon = daemon_of(world)
    xen.wait_life(2)
    wait_decided(world, "decided", ("destroy", "done"))
    wait_decided(world, "done", ("destroy", "done"))
    wait_decided(world, "off", ("restart", "done"))
    daemon.wait_told("gone")
    xen.shut_down(domains["late"], "poweroff")
    wait_decided(world, "late", ("destroy", "done"))
    assert listed(world, "runs")["state"] == "running"
    daemon.stop()
    assert story(named(world, "decided")) == [POWEROFF] and story(named(world, "done")) == [POWEROFF]
    assert story(named(world, "off")) == [CRASH] and story(named(world, "late")) == [POWEROFF] and named(world, "runs") == []
    (gone,) = named(world, "gone")
    assert story([gone]) == [UNSEEN] and has_gap(gone), gone
    assert [one["command"] for one in xen.requests if one["of"] == domains["decided"].instance] == ["destroy", "destroy"]


@test("a number that another domain has by the time, also under the same name: what was decided on the old one, and not done when the daemon was killed, is not done to it")
def number_again(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    olds = [xen.born(name) for name in ("same", "other")]
    for old in olds:
        wait_listed(world, old.name)
        xen.shut_down(old, "poweroff")
    xen.wait_requests(2)
    kill_both(world, xen, daemon)
    with xen.lock:
        xen.life, xen.n_domids = None, 0
        for old in olds:
            xen._end(old, False)
        same, another = xen._born("same", OWN), xen._born("another", OWN)
    assert [(new.domid, new.instance != old.instance) for new, old in zip((same, another), olds)] == [(1, True), (2, True)]
    daemon = daemon_of(world)
    xen.wait_life(2)
    for new in (same, another):
        wait_listed(world, new.name, lambda vm, new=new: vm and vm["instance"] == new.instance and vm["state"] == "running")
    for name in ("same", "other"):
        wait_decided(world, name, ("destroy", "done"))
    assert len(xen.requests) == 2 and len(rows(world, "SELECT instance FROM vm WHERE backend = 'xen'")) == 4, xen.requests
    xen.shut_down(same, "poweroff")
    xen.wait_requests(3)
    daemon.stop()
    assert xen.requests[2]["of"] == same.instance, xen.requests
    assert [verdict["vm"]["instance"] for verdict in named(world, "same")] == [olds[0].instance, same.instance]
    assert story(named(world, "same")) == [POWEROFF] * 2 and story(named(world, "other")) == [POWEROFF] and named(world, "another") == []


@test("what was decided is left undone where the domain is only watched by the time: another one looks after it, or nobody is to")
def left(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    xen.shut_down(domain, "reboot")
    xen.wait_requests(1)
    daemon.kill()
    forget_sockets(world)
    domain.policy = None
    daemon = daemon_of(world, "--xen-policy", "leave")
    daemon.stderr.wait_for("web: on_reboot is not carried out: it is only watched now")
    wait_decided(world, "web", ("restart", "failed"))
    daemon.stop()
    assert len(xen.requests) == 1 and story(named(world, "web")) == [REBOOT], xen.requests


@test("a daemon that starts after the domains knows them; one that had shut down by then is dealt with; stopped and started again it says nothing twice")
def after_the_domains(world):
    xen = Xen(world)
    off, runs, crashed = xen.born("off"), xen.born("runs"), xen.born("crashed", "on_crash=preserve")
    with xen.lock:
        off.reason, crashed.reason = "poweroff", "crash"
    daemon = daemon_of(world)
    wait_decided(world, "off", ("destroy", "done"))
    daemon.wait_told("crashed")
    assert listed(world, "runs")["instance"] == runs.instance
    for count in range(2, 4):
        daemon.stop()
        daemon = daemon_of(world)
        xen.wait_life(count)
        wait_listed(world, "crashed", lambda vm: vm and vm["sources"] == ["xen"])
        xen.kill() if count == 3 else None
    wait_listed(world, "crashed", lambda vm: vm and vm["sources"] == ["xen"])
    daemon.stop()
    assert story(named(world, "off")) == [POWEROFF] and story(named(world, "crashed")) == [CRASH] and named(world, "runs") == []


@test("a domain of a boot before this one ended with the host")
def another_boot(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    xen.born("web")
    wait_listed(world, "web")
    daemon.kill()
    forget_sockets(world)
    xen.domains.clear()
    connection = sqlite3.connect(os.path.join(world.state, "vmpower.db"))
    other = "00000000-0000-4000-8000-000000000000"
    connection.execute("UPDATE vm SET instance = replace(instance, ?, ?)", (boot_id(), other))
    connection.commit()
    connection.close()
    daemon = daemon_of(world)
    daemon.stop()
    (verdict,) = named(world, "web")
    assert verdict["vm"]["instance"].startswith(other), verdict["vm"]
    assert story([verdict]) == [("destroy", "host", "host-shutdown")], story([verdict])
    assert verdict["rule"] == "host-restarted", verdict["rule"]


@test("facts told twice are one fact; those of the future, of other sources and of other domains are not heard")
def facts(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web", None)
    wait_listed(world, "web")
    life, at = xen.life, now_ns()
    for _ in range(3):
        life.fact(domain, "domain-paused", at_ns=at, seq=500)
    daemon.wait_told("web")
    life = xen.kill()
    life.fact(domain, "domain-paused", at_ns=at, seq=500)
    life.fact(domain, "domain-shutdown", at_ns=now_ns() + 10**12, reason="crash")
    life.say(domain.instance, evidence={"at_ns": now_ns(), "seq": 1, "source": "process", "kind": "vanished", "data": {}})
    life.say(f"{boot_id()}:xen99:1", evidence={"at_ns": now_ns(), "seq": 2, "source": "xen", "kind": "domain-gone", "data": {"alive": True}})
    life.say(evidence={"at_ns": now_ns(), "seq": 3, "source": "xen", "kind": "domain-gone", "data": {"alive": True}})
    back = now_ns()
    life.fact(domain, "domain-unpaused", at_ns=back, seq=600)
    daemon.wait_told("web", 2)
    daemon.kill()
    forget_sockets(world)
    daemon = daemon_of(world)
    life = xen.wait_life(3)
    life.fact(domain, "domain-paused", at_ns=at, seq=500)
    life.fact(domain, "domain-unpaused", at_ns=back, seq=600)
    life.say(trouble="that was all")
    daemon.stderr.wait_for("vmpower-source-xen: that was all")
    assert listed(world, "web")["state"] == "running" and not xen.refused, xen.refused
    daemon.stop()
    assert [row[0] for row in story(named(world, "web"))] == ["pause", "resume"], story(named(world, "web"))
    assert rows(world, "SELECT count(*) FROM evidence WHERE kind = 'domain-paused'") == [(1,)]


@test("another name, another uuid, and a policy from now on: its xl process has gone")
def another_name(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain, other = xen.born("web", None), xen.born("other")
    wait_listed(world, "web")
    wait_listed(world, "other")
    new = str(uuid.uuid4())
    vm = {"name": "web-old", "uuid": new, "instance": domain.instance, "policy": "on_poweroff=destroy"}
    xen.life.say(domain.instance, vm=vm)
    told = wait_listed(world, "web-old")
    assert told["uuid"] == new and told["instance"] == domain.instance, told
    # Not the name of another; and no VM's word on another.
    xen.life.say(domain.instance, vm={**vm, "name": "other"})
    xen.life.say(domain.instance, vm={**vm, "name": "stolen", "instance": other.instance})
    xen.shut_down(domain, "poweroff")
    wait_decided(world, "web-old", ("destroy", "done"))
    assert listed(world, "stolen") is None and listed(world, "other")["instance"] == other.instance
    daemon.stop()
    assert named(world, "other") == []


@test("what a helper says that makes no sense harms nobody: it is refused, or the helper is started again")
def garbage(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    life = xen.life
    good = {"name": "bad", "backend": "xen", "instance": f"{boot_id()}:xen7:1"}
    bad = [
        {"backend": "qemu"}, {"backend": ""}, {"instance": ""}, {"instance": f"{boot_id()}:{os.getpid()}:1"}, {"instance": f"{boot_id()}:xen:1"},
        {"instance": f"{boot_id()}:xen7:"}, {"instance": f"{boot_id()}:xen7:1:2"}, {"instance": "00000000-0000-4000-8000-000000000000:xen7:1"},
    ]  # fmt: skip
    for members in bad:
        life.say(hello={"protocol": 1, "sources": ["xen"], "vm": {**good, **members}})
    life.say(hello={"protocol": 2, "sources": ["xen"], "vm": good})
    xen.wait(lambda: len(xen.refused) == len(bad) + 1, "not all were refused")
    for line in ({"news": 1}, {"gone": True}, {"welcome": {"protocol": 1}}, {"verdict": "X"}, {"decided": {}}, {"vm": {"name": "web"}},
                 {"done": {"request": 4711, "result": "done"}}, {"configure": {}}, {"trouble": "xenstored\nhas gone"}):  # fmt: skip
        life.say(**line)
    life.hello(domain)
    daemon.stderr.wait_for("vmpower-source-xen: xenstored?has gone")
    assert listed(world, "web")["state"] == "running" and listed(world, "bad") is None
    for nonsense in (b"nonsense\n", b'{"done": {"request": 1, "result": "perhaps"}}\n', b"\xff\xfe\n", b"x" * 70000, b"[]\n"):
        count = xen.lives
        xen.life.send(nonsense)
        xen.wait_life(count + 1)
        wait_listed(world, "web", lambda vm: vm and vm["sources"] == ["xen"])
        if count >= 3:
            break
    # A domain that is not there any more, without a word on how.
    life = xen.life
    with xen.lock:
        xen.domains.remove(domain)
    life.say(domain.instance, gone=True)
    daemon.wait_told("web")
    wait_listed(world, "web", lambda vm: vm is None)
    # One that has ended does not come again.
    life.hello(domain)
    xen.wait(lambda: xen.refused[-1][0] == domain.instance, "it was not refused: " + daemon.stderr.text())
    daemon.stop()
    assert story(named(world, "web")) == [UNSEEN], story(named(world, "web"))


@test("nobody else may tell of Xen's domains, and a VM of another name or backend is no domain")
def others(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    domain = xen.born("web")
    wait_listed(world, "web")
    for instance, pid in ((domain.instance, 0), (domain.instance, os.getpid()), (f"{boot_id()}:xen8:1", os.getpid())):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(PATIENCE)
        peer.connect(os.path.join(world.rundir, "source.sock"))
        vm = {"name": "mine", "backend": "xen", "instance": instance, "pid": pid}
        peer.sendall(json.dumps({"hello": {"protocol": 1, "sources": ["xen"], "vm": vm}}).encode() + b"\n")
        assert b"refused" in peer.recv(4096)
        peer.close()
    mine = f"{boot_id()}:{os.getpid()}:{start_time_of(os.getpid())}"
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE)
    peer.connect(os.path.join(world.rundir, "source.sock"))
    vm = {"name": "mine", "backend": "xen", "instance": mine, "pid": os.getpid()}
    peer.sendall(json.dumps({"hello": {"protocol": 1, "sources": ["xen"], "vm": vm}}).encode() + b"\n")
    assert b"refused" in peer.recv(4096)
    peer.close()
    assert listed(world, "web")["state"] == "running" and listed(world, "mine") is None
    daemon.stop()
    assert named(world, "web") == []


@test("a thousand domains: known at once, each powered off and destroyed, each told once; and a thousand that are released at once")
def thousand(world):
    xen = Xen(world)
    for i in range(1000):
        xen.born(f"web-{i}")
    daemon = daemon_of(world)
    xen.wait_life()
    wait_until(world, lambda: count_listed(world) == 1000)
    with xen.lock:
        for domain in list(xen.domains):
            xen._shut_down(domain, "poweroff")
    wait_until(world, lambda: count_listed(world) == 0)
    for i in range(1000):
        xen.born(f"db-{i}")
    wait_until(world, lambda: count_listed(world) == 1000)
    with xen.lock:
        for domain in list(xen.domains):
            xen._end(domain, True)
    wait_until(world, lambda: count_listed(world) == 0)
    daemon.stop()
    assert len(xen.requests) == 1000 and xen.lives == 1, (len(xen.requests), xen.lives)
    told = "SELECT transition, mechanism, count(*), count(DISTINCT vm) FROM verdict WHERE mechanism LIKE 'xen-%' GROUP BY 1, 2 ORDER BY 1"
    assert rows(world, told) == [("destroy", "xen-destroy", 1000, 1000), ("poweroff", "xen-shutdown", 1000, 1000)], rows(world, told)
    latest = "SELECT d.result, count(*) FROM decision d WHERE d.id IN (SELECT max(id) FROM decision GROUP BY verdict) GROUP BY 1"
    assert rows(world, latest) == [("done", 1000)], rows(world, latest)


def count_listed(world):
    """Of Xen's: others may run a QEMU on this host."""
    return len([vm for vm in json.loads(world.vmpower("list", "--json").stdout) if vm["backend"] == "xen"])


def wait_until(world, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, count_listed(world)
        time.sleep(0.1)


@test("without Xen, or told not to, the daemon starts no helper; where it is not there, one line says so")
def none(world):
    xen = Xen(world)
    for words in ((), ("--xen", "no"), ("--xen", "auto")):
        daemon = Daemon(world, *words)
        daemon.stop()
    assert xen.lives == 0
    world.environment["VMPOWER_LIBEXEC_DIR"] = world.path("nowhere")
    if not os.path.exists(os.path.join(os.path.dirname(VMPOWERD), "vmpower-source-xen")):
        daemon = daemon_of(world)
        daemon.stop()
        assert daemon.stderr.text().count("vmpower-source-xen is not there") == 1, daemon.stderr.text()


@test("a daemon that is told to end lets its helper finish what it has begun, and hears of it; xen_policy goes to the helper")
def finishes(world):
    xen = Xen(world, carries_out=False)
    daemon = daemon_of(world, "--xen-policy", "leave")
    domain = xen.born("web")
    wait_listed(world, "web")
    assert xen.configured == [{"xen_policy": "leave"}], xen.configured
    xen.shut_down(domain, "poweroff")
    xen.wait_requests(1)
    life, xen.holds_on = xen.life, True
    daemon.process.terminate()
    xen.wait(lambda: xen.ended, "the helper was not told to end")
    with xen.lock:
        xen.life = life
        xen.carry_out(life, xen.requests[0])
        xen.life = None
    life.hang_up()
    daemon._end(0)
    wait_decided(world, "web", ("destroy", "done"))
    assert story(named(world, "web")) == [POWEROFF]


if __name__ == "__main__":
    sys.exit(main())
