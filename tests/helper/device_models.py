#!/usr/bin/env python3
"""A domain's device model, which is a process here like any other: what ends it is told of the domain, unless its toolstack was done with it."""

from scripted_xen import *

DESTROYED_BY = ("destroy", "operator", "xen-destroy")
KILLED_BY = ("failure", "operator", "signal")
UNSEEN = ("failure", "unknown", "unseen")


class DeviceModel:
    """It ends with its standard input, and exits with what came there last."""

    def __init__(self):
        self.process = popen([sys.executable, "-c", "import sys; sys.exit(int(sys.stdin.read() or 0))"], stdin=subprocess.PIPE)
        self.pid = self.process.pid
        self.instance = f"{boot_id()}:{self.pid}:{start_time_of(self.pid)}"

    def gone(self):
        """As its helper has one on record that is not there any more."""
        return f"{boot_id()}:{self.pid}:0"

    def kill(self, number):
        self.process.send_signal(number)
        self.process.wait()
        self.process.stdin.close()

    def exit(self, status):
        self.process.communicate(str(status).encode())


def begin(world, **named):
    xen = Xen(world, **named)
    daemon = daemon_of(world)
    model = DeviceModel()
    domain = xen.born("web", device_model=model.instance)
    wait_watched(world, model)
    return xen, daemon, domain, model


def wait_watched(world, model):
    """Until that it is the domain's is on record: then it is watched."""
    deadline = time.monotonic() + PATIENCE
    while not any(pid == model.pid for pid, in facts(world, "device-model", "$.pid")):
        assert time.monotonic() < deadline, "its device model is not watched"
        time.sleep(0.02)


def fence(xen, daemon):
    """Until the daemon has heard all that the helper has said."""
    word = f"fence {now_ns()}"
    xen.life.say(trouble=word)
    daemon.stderr.wait_for(word)


def facts(world, kind, member="$"):
    return rows(world, "SELECT json_extract(data, ?) FROM evidence WHERE kind = ? ORDER BY id", member, kind)


@test("one that is killed, exits with an error or is gone is a failure of its own, once; the domain's end is another story")
def ends(world):
    expected = []
    xen = Xen(world)
    daemon = daemon_of(world)
    for how, verdict in (
        (lambda model: model.kill(signal.SIGKILL), KILLED_BY),
        (lambda model: model.kill(signal.SIGSEGV), ("failure", "vmm", "signal")),
        (lambda model: model.exit(3), ("failure", "vmm", "process-exit")),
        (lambda model: model.exit(0), UNSEEN),
    ):
        model = DeviceModel()
        domain = xen.born("web", device_model=model.instance)
        wait_watched(world, model)
        how(model)
        daemon.wait_told("web", len(expected) + 1)
        expected.append(verdict)
        # Whatever else its helper has to say of the domain, it says this, too.
        xen.tell_again(xen.life, domain.instance)
        with xen.lock:
            domain.device_model = model.gone()
        xen.tell_again(xen.life, domain.instance)
        fence(xen, daemon)
        assert wait_listed(world, "web")["state"] == "running"
        xen.destroyed(domain)
        daemon.wait_told("web", len(expected) + 1)
        expected.append(DESTROYED_BY)
    daemon.stop()
    history = named(world, "web")
    assert story(history) == expected, story(history)
    for verdict in history[::2]:
        assert verdict["left"] == "running" and verdict["decision"] is None and verdict["graceful"] is False, verdict
    assert not any(verdict["revises"] for verdict in history), history


@test("one that is killed while its domain is paused leaves it paused")
def paused(world):
    xen, daemon, domain, model = begin(world)
    assert world.vmpower("pause", "web", "--timeout", "20").returncode == 0
    model.kill(signal.SIGKILL)
    daemon.wait_told("web", 2)
    assert wait_listed(world, "web")["state"] == "paused"
    daemon.stop()
    _, failure = named(world, "web")
    assert (failure["transition"], failure["left"]) == ("failure", "paused"), failure


@test("one that its toolstack has ended, or whose domain had shut down, is no story")
def dismissed(world):
    xen, daemon, domain, model = begin(world)
    with xen.lock:
        domain.device_model = None  # its node is removed first
    model.kill(signal.SIGKILL)
    xen.wait_asked(domain)
    xen.destroyed(domain)
    daemon.wait_told("web")
    model = DeviceModel()
    domain = xen.born("off", policy=None, device_model=model.instance)
    wait_watched(world, model)
    xen.shut_down(domain, "poweroff")
    model.exit(0)
    xen.wait_asked(domain)
    daemon.wait_told("off")
    xen.destroyed(domain)
    wait_listed(world, "off", lambda vm: vm is None)
    daemon.stop()
    assert story(named(world, "web")) == [DESTROYED_BY] and story(named(world, "off")) == [POWEROFF]
    assert not [kind for kind, in rows(world, "SELECT kind FROM evidence WHERE kind LIKE 'device-model-%'")]


@test("one that ends while its helper is away, or does not answer: told when the next helper says that its domain needed it")
def helper_away(world):
    xen, daemon, domain, model = begin(world)
    xen.tells_again = False
    model.kill(signal.SIGKILL)
    xen.wait_asked(domain)
    with xen.lock:
        domain.device_model = model.gone()
    xen.kill()
    daemon.wait_told("web")
    xen.kill()
    wait_listed(world, "web")
    daemon.stop()
    assert story(named(world, "web")) == [KILLED_BY], story(named(world, "web"))


@test("only an answer to the very question counts: what was said before it, or to another one, is none; the next helper is asked again")
def stale(world):
    xen, daemon, domain, model = begin(world)
    xen.tells_again = False
    model.kill(signal.SIGKILL)
    (question,) = xen.wait_asked(domain)
    for other in (None, question + 1, question - 1):
        xen.tell_again(xen.life, domain.instance, other)
    fence(xen, daemon)
    xen.kill()
    again = xen.wait_asked(domain, 2)[1]
    assert again != question, question
    for other in (None, question):
        xen.tell_again(xen.life, domain.instance, other)
    fence(xen, daemon)
    with xen.lock:
        domain.device_model = None
    xen.tell_again(xen.life, domain.instance, again)
    xen.destroyed(domain)
    daemon.wait_told("web")
    daemon.stop()
    assert story(named(world, "web")) == [DESTROYED_BY], story(named(world, "web"))


@test("one whose end was told is a zombie for the next daemon, whose record does not say when it began: it is told once")
def zombie(world):
    xen, daemon, domain, model = begin(world)
    model.process.send_signal(signal.SIGKILL)
    daemon.wait_told("web")
    lives = xen.lives
    daemon.kill()
    daemon = daemon_of(world)
    xen.wait_life(lives + 1)
    for _ in range(2):
        xen.tell_again(xen.life, domain.instance)
        fence(xen, daemon)
    daemon.stop()
    model.kill(signal.SIGKILL)
    assert story(named(world, "web")) == [KILLED_BY], story(named(world, "web"))
    assert len(xen.looks) == len(facts(world, "device-model")) == 1, xen.looks


@test("one that cannot be watched for want of descriptors is not gone, which is said once; it is watched once there are some")
def short_of_descriptors(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    xen.born("first")
    wait_listed(world, "first")
    names = [f"web{i}" for i in range(2)]
    domains = [xen.born(name) for name in names]
    for name in names:
        wait_listed(world, name)
    models = [DeviceModel() for _ in domains]
    # Other tests' VMs come and go there, too.
    limit_descriptors(daemon, descriptors(daemon.process.pid)[1] + 12)
    for domain, model in zip(domains, models):
        with xen.lock:
            domain.device_model = model.instance
        xen.tell_again(xen.life, domain.instance)
        xen.tell_again(xen.life, domain.instance)
        wait_watched(world, model)
        fence(xen, daemon)
    assert not xen.looks, xen.looks
    models[0].kill(signal.SIGKILL)
    time.sleep(0.5)
    assert not xen.looks and not story(named(world, names[0])) and daemon.stderr.text().count("there are no descriptors for one VM more") == 1, daemon.stderr.text()
    limit_descriptors(daemon, None)
    daemon.wait_told(names[0])
    models[1].kill(signal.SIGSEGV)
    daemon.wait_told(names[1])
    daemon.stop()
    # With the kernel's eyes it is known even so.
    assert story(named(world, names[0])) in ([UNSEEN], [KILLED_BY]), story(named(world, names[0]))
    assert story(named(world, names[1])) == [("failure", "vmm", "signal")], story(named(world, names[1]))


@test("one that ends while the daemon is away is unseen, once, however often its helper tells of it; one that is there still is watched on")
def daemon_away(world):
    xen, daemon, domain, model = begin(world)
    other = DeviceModel()
    xen.born("other", device_model=other.instance)
    wait_watched(world, other)
    daemon.kill()
    model.kill(signal.SIGKILL)
    with xen.lock:
        domain.device_model = model.gone()
    daemon = daemon_of(world)
    daemon.wait_told("web")
    xen.wait_life(xen.lives)
    xen.kill()
    wait_listed(world, "other")
    other.kill(signal.SIGKILL)
    daemon.wait_told("other")
    daemon.stop()
    assert story(named(world, "web")) == [UNSEEN] and story(named(world, "other")) == [KILLED_BY]
    # It was on record.
    assert sorted(pid for pid, in facts(world, "device-model", "$.pid")) == sorted((model.pid, other.pid))


@test("what is no process of this boot's is none; of a pid that is another's by now its device model has gone")
def hostile(world):
    xen = Xen(world)
    daemon = daemon_of(world)
    mine = start_time_of(os.getpid())
    for i, told in enumerate(("", "x", f"{boot_id()}:1:0", f"{boot_id()}:-5:7", f"{uuid.uuid4()}:{os.getpid()}:{mine}", f"{boot_id()}:{os.getpid()}", "y" * 95)):
        xen.born(f"web{i}", policy=None, device_model=told)
    other = xen.born("other", policy=None, device_model=f"{boot_id()}:{os.getpid()}:{mine + 1}")
    daemon.wait_told("other")
    assert story(named(world, "other")) == [UNSEEN]
    xen.destroyed(other)
    daemon.wait_told("other", 2)
    told = [verdict["summary"] for verdict in json.loads(world.vmpower("history", "--json").stdout) if verdict["vm"]["backend"] == "xen"]
    assert len(told) == 2, told
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
