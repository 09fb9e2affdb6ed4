"""vmpower-source-xen on a real Xen, with this test in its daemon's place (docs/wire.md).

What each of Xen's reasons looks like there is lab_itself.py's, and what the daemon makes of it another's.
"""

import json
import resource
import select
import socket
import sys
import threading

from domains import *

SOURCE = os.path.join(os.environ["VMPOWER_LIBEXEC_DIR"], "vmpower-source-xen")
# How many at a time.
JOBS = 3


class Helper:
    """vmpower-source-xen, whose daemon is this."""

    def __init__(self, world, policy="auto", **environment):
        self.ours, theirs = socket.socketpair()
        self.errors = open(world.path(f"source-xen-{id(self)}"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([SOURCE], stdin=theirs, stdout=subprocess.DEVNULL, stderr=self.errors, env={**os.environ, **environment})
        theirs.close()
        self.held, self.messages, self.n_requests = b"", [], 0
        world.later(self.close)
        self.say(configure={"xen_policy": policy})
        self.heard(lambda message: "surveyed" in message, "that it has surveyed")

    def say(self, **message):
        self.ours.sendall(json.dumps(message).encode() + b"\n")

    def _read(self, deadline, what):
        while b"\n" not in self.held:
            if not wait_readable(self.ours, deadline - time.monotonic()):
                raise Timeout(f"nothing says {what}:\n" + "\n".join(map(str, self.messages)))
            data = self.ours.recv(65536)
            assert data, "it has ended: " + self.said()
            self.held += data
        line, self.held = self.held.split(b"\n", 1)
        self.messages.append(json.loads(line))

    def heard(self, holds, what, timeout=PATIENCE):
        """The first message for which that holds."""
        deadline, at = time.monotonic() + timeout, 0
        while not (found := next((message for message in self.messages[at:] if holds(message)), None)):
            at = len(self.messages)
            self._read(deadline, what)
        return found

    def hello(self, name, but=None):
        def holds(message):
            vm = message.get("hello", {}).get("vm", {})
            return vm.get("name") == name and vm["instance"] != but

        return self.heard(holds, f"hello of {name}")["hello"]["vm"]

    def fact(self, instance, kind, word=None):
        def holds(message):
            fact = message.get("evidence", {})
            return message.get("of") == instance and fact.get("kind") == kind and word in (None, *fact["data"].values())

        return self.heard(holds, f"{kind} {word} of {instance}")["evidence"]

    def facts(self, instance):
        return [(m["evidence"]["kind"], *list(m["evidence"]["data"].values())[:1]) for m in self.messages if m.get("of") == instance and "evidence" in m]

    def gone(self, instance):
        """All that was told of it."""
        self.heard(lambda message: message.get("of") == instance and "gone" in message, f"that {instance} is gone")
        return self.facts(instance)

    def vm(self, instance, **is_to_be):
        """A later word on what it is."""

        def holds(message):
            return message.get("of") == instance and "vm" in message and all(message["vm"].get(key) == value for key, value in is_to_be.items())

        return self.heard(holds, f"that {instance} is {is_to_be}")["vm"]

    def ask(self, instance, command, **more):
        """"done", or why not."""
        self.n_requests += 1
        number = self.n_requests
        self.say(request={"request": number, "of": instance, "command": command, **more})
        done = self.heard(lambda message: message.get("done", {}).get("request") == number, f"what came of {command}")["done"]
        return done["result"] if done["result"] == "done" else done["why"]

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def close(self):
        self.ours.close()
        status = self.process.wait(timeout=PATIENCE)
        said = self.said()
        self.errors.close()
        assert status == 0, f"{status}: {said}"


def whole_messages(data):
    """(those that are there, the beginning of another)"""
    n = 0
    while len(data) - n >= Store.HEADER.size:
        length = Store.HEADER.size + Store.HEADER.unpack_from(data, n)[3]
        if len(data) - n < length:
            break
        n += length
    return data[:n], data[n:]


class Relay:
    """Between one program and xenstored: what it says can be added to, it can go, and something be done first whenever the program asks anything."""

    def __init__(self, world):
        self.path = world.path("relay")
        self.listening = None
        self.pairs, self.refused = [], 0
        self.before_asking = lambda data: None
        self.is_saying = threading.Lock()
        world.later(self.close)
        self.open()

    def open(self, is_refusing=False):
        """Refusing: whoever comes is hung up on, and counted."""
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen()
        threading.Thread(target=self._accept, args=(self.listening, is_refusing), daemon=True).start()

    def _accept(self, listening, is_refusing):
        while True:
            try:
                program = listening.accept()[0]
            except OSError:
                return
            if is_refusing:
                program.close()
                self.refused += 1
                continue
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect("/run/xenstored/socket")
            self.pairs.append((program, daemon))
            threading.Thread(target=self._pass_on, args=(program, daemon), daemon=True).start()

    def _pass_on(self, program, daemon):
        begun = b""
        try:
            while True:
                for one in select.select([program, daemon], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is program:
                        self.before_asking(data)
                        daemon.sendall(data)
                        continue
                    whole, begun = whole_messages(begun + data)
                    with self.is_saying:
                        program.sendall(whole)
        except (OSError, ValueError):
            pass

    def add(self, data):
        """To the newest connection that watches: between two messages of xenstored's, which writes each in two pieces."""
        with self.is_saying:
            self.pairs[-1][0].sendall(data)

    def close(self):
        if self.listening.fileno() >= 0:
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        for pair in self.pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []


def event(path, token):
    return Store.HEADER.pack(Store.EVENT, 0, 0, len(path) + len(token) + 2) + path.encode() + b"\0" + token.encode() + b"\0"


@test("one that nobody sees to has its own configuration for a policy, and its restart is xl's")
def _(world):
    helper = Helper(world)
    domain = Domain(world, "alone", action="reboot", background=False, on_watchdog="preserve", on_crash="rename-restart").create()
    vm = helper.hello(domain.name)
    assert vm["domid"] == domain.id and vm["state"] == "running" and f":xen{domain.id}:" in vm["instance"] and vm["backend"] == "xen", vm
    # While xl makes it, it may be xl's.
    policy = vm["policy"] or helper.vm(vm["instance"])["policy"]
    assert policy == "on_poweroff=destroy on_reboot=restart on_crash=rename-restart on_watchdog=preserve on_soft_reset=soft-reset", policy
    helper.fact(vm["instance"], "domain-shutdown", "reboot")
    assert helper.ask(vm["instance"], "restart") == "done"
    assert helper.gone(vm["instance"]) == [("domain-shutdown", "reboot"), ("domain-gone", False)], helper.facts(vm["instance"])
    again = helper.hello(domain.name, but=vm["instance"])
    assert again["restarts"] == 1 and again["uuid"] == vm["uuid"] and again["policy"] == policy, again
    # It ran, and nobody looks after it but us: whatever its guest does just now.
    assert helper.ask(again["instance"], "destroy") == "done"
    assert helper.gone(again["instance"])[-1] in (("domain-gone", True), ("domain-gone", False))
    assert helper.ask(again["instance"], "destroy") == "there is no such domain"


@test("rename-restart keeps the old one under another name and uuid; it is the same one for a helper that is begun anew, which writes its core down")
def _(world):
    helper = Helper(world, "leave")
    domain = Domain(world, "renamed", action="panic", background=False).create()
    vm = helper.hello(domain.name)
    assert not vm["policy"], vm
    helper.fact(vm["instance"], "domain-shutdown", "crash")
    assert helper.ask(vm["instance"], "rename-restart", name="renamed-old") == "done"
    again = helper.hello(domain.name, but=vm["instance"])
    kept = helper.vm(vm["instance"], name="renamed-old")
    assert again["uuid"] == vm["uuid"] != kept["uuid"] and not kept["policy"], (vm, kept, again)
    assert helper.facts(vm["instance"]) == [("domain-shutdown", "crash")], helper.facts(vm["instance"])
    assert helper.ask(again["instance"], "destroy") == "done"
    other = Helper(world, "leave")
    known = other.hello("renamed-old")
    assert known["instance"] == vm["instance"] and known["state"] == "off", known
    other.fact(vm["instance"], "domain-shutdown", "crash")
    assert other.ask(vm["instance"], "coredump-destroy") == "done"
    helper.gone(vm["instance"])
    assert os.path.getsize("/var/lib/xen/dump/renamed-old") > (MEMORY_MIB - 8) << 20
    os.unlink("/var/lib/xen/dump/renamed-old")


@test("xl's: xl shutdown is asked, taken and obeyed; xl's end makes it ours; xl destroy ends one that was alive")
def _(world):
    helper = Helper(world)
    domain = Domain(world, "obeys").create()
    vm = helper.hello(domain.name)
    assert not vm["policy"], vm
    domain.wait_booted()
    xl("shutdown", domain.name)
    asked, *rest = helper.gone(vm["instance"])
    assert asked[1] in ("poweroff", "unseen") and rest == [("control-acknowledged", asked[1]), ("domain-shutdown", "poweroff"), ("domain-gone", False)], rest

    domain = Domain(world, "orphan").create()
    vm = helper.hello(domain.name)
    assert not vm["policy"], vm
    os.kill(domain.xl_pid(), signal.SIGKILL)
    domain.background = False
    assert helper.vm(vm["instance"])["policy"].startswith("on_poweroff=destroy "), helper.messages
    xl("destroy", domain.name)
    assert helper.gone(vm["instance"])[-1][0] == "domain-gone" and ("domain-gone", False) not in helper.facts(vm["instance"])


@test("a guest without a driver, pause and resume, suspend and resume, reboot, all through it")
def _(world):
    helper = Helper(world)
    domain = Domain(world, "asked", background=False, extra="vmpower.delay=1").create("-p")
    instance = helper.hello(domain.name)["instance"]
    assert helper.ask(instance, "shutdown") == "its guest has no driver that listens for it (feature-poweroff is not set)"
    assert helper.ask(instance, "resume") == "done"
    domain.wait_booted()
    for command in ("pause", "resume", "suspend", "resume"):
        assert helper.ask(instance, command) == "done", command
    assert helper.ask(instance, "reboot") == "done"
    helper.fact(instance, "domain-shutdown", "reboot")
    facts = helper.facts(instance)
    # Made paused, it was not paused.
    assert facts[:2] == [("domain-paused",), ("domain-unpaused",)], facts
    asleep = [fact for fact in facts[2:] if fact[0] in ("domain-shutdown", "domain-resumed")]
    assert asleep == [("domain-shutdown", "suspend"), ("domain-resumed",), ("domain-shutdown", "reboot")], facts
    assert facts[-3:] == [("control-request", "reboot"), ("control-acknowledged", "reboot"), ("domain-shutdown", "reboot")], facts
    assert helper.ask(instance, "shutdown") == "it has shut down already"
    assert helper.ask(instance, "preserve") == "done"
    assert helper.ask(instance, "destroy") == "done"
    assert helper.gone(instance)[-1] == ("domain-gone", False)


@test("a driver that listens and takes no request: it is said after 10 s, and the request is taken back")
def _(world):
    helper = Helper(world)
    domain = Domain(world, "sleeps", background=False).create("-p")
    instance = helper.hello(domain.name)["instance"]
    domain.store.write(domain.path("control/feature-poweroff"), "1")
    began = time.monotonic()
    assert helper.ask(instance, "shutdown") == "its guest did not acknowledge it within 10 s"
    assert time.monotonic() - began > 9.5
    assert domain.store.read(domain.path("control/shutdown")) == "", "a guest that wakes up would take it"
    # That nobody took for the guest's own doing.
    helper.say(look=1, of=instance)
    helper.heard(lambda message: message.get("vm", {}).get("look") == 1, "an answer")
    assert helper.facts(instance) == [("control-request", "poweroff")], helper.facts(instance)


@test("a thousand events of nothing cost a look; xenstored gone is told, and that it is back, with a gap; what went meanwhile was not seen")
def _(world):
    relay = Relay(world)
    helper = Helper(world, XENSTORED_PATH=relay.path)
    first = Domain(world, "storm", background=False).create("-p")
    second = Domain(world, "unwatched", background=False).create("-p")
    looked_at = Domain(world, "looked-at", background=False).create("-p")
    instances = [helper.hello(domain.name)["instance"] for domain in (first, second, looked_at)]

    def is_in_the_gap(instance):
        gap, end = helper.gone(instance)[-2:]
        # One that is dying still says that it had not shut down.
        assert gap == ("gap", "xenstored had gone") and end in (("vanished",), ("domain-gone", True)), helper.facts(instance)

    def cpu():
        with open(f"/proc/{helper.process.pid}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().split(")")[-1].split()[11:13]))

    before = cpu()
    relay.add(event("@releaseDomain", "2") * 1000)
    assert helper.ask(instances[0], "preserve") == "done"
    assert cpu() - before < 100, cpu() - before
    # Nobody can tell how many of them were its own.
    relay.add(event("@releaseDomain", "2") * 10)
    xl("destroy", first.name)
    told = helper.gone(instances[0])
    assert told[-1][0] == "domain-gone", (told, helper.messages[-12:])

    relay.close()
    helper.heard(lambda message: "xenstored has gone" in message.get("trouble", ""), "that xenstored has gone")
    # There is no other way to it: the kernel's device, say, through which it would be there again a second later.
    relay.open(is_refusing=True)
    until("it looks whether xenstored is back", lambda: relay.refused >= 2)
    relay.close()
    assert helper.ask(instances[1], "preserve") == "done"
    assert not [message for message in helper.messages if message.get("trouble") == "xenstored is back"]
    xl("destroy", looked_at.name)
    helper.say(look=1, of=instances[2])
    is_in_the_gap(instances[2])
    xl("destroy", second.name)
    relay.open()
    helper.heard(lambda message: message.get("trouble") == "xenstored is back", "that xenstored is back")
    is_in_the_gap(instances[1])
    # And it hears of what comes.
    third = Domain(world, "third", background=False).create("-p")
    vm = helper.hello(third.name)
    xl("destroy", third.name)
    assert helper.gone(vm["instance"])[-1][0] == "domain-gone"


class FakeModel:
    """A device model by its command line and its domain's nodes alone: libxl looks for no more."""

    def __init__(self, world, domain):
        self.process = popen([sys.executable, "-c", "import sys; sys.stdin.read()", "-xen-domid", str(domain.id)], stdin=subprocess.PIPE)
        self.pid = self.process.pid
        self.domain, self.node = domain, f"/local/domain/0/device-model/{domain.id}"
        world.later(self.kill)

    def is_told(self):
        self.domain.store.write(self.domain.path("image/device-model-pid"), str(self.pid))
        self.domain.store.write(self.node + "/state", "running")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


def pid_of(device_model):
    return device_model and int(device_model.split(":")[1])


@test("a request that its guest has taken before it could be read was one, whatever it was, also where its node is gone by then; nothing over nothing is none")
def _(world):
    relay = Relay(world)
    helper = Helper(world, XENSTORED_PATH=relay.path)
    domain = Domain(world, "quick", background=False).create("-p")
    instance, node = helper.hello(domain.name)["instance"], domain.path("control/shutdown")
    guest, written, is_writing = Store(), [], threading.Lock()  # the relay's thread is the guest

    def write_first(data):
        if node.encode() not in data:
            return
        with is_writing:
            for value in written.pop(0) if written else []:
                if value is None:
                    guest.remove(node)
                else:
                    guest.write(node, value)

    def look():
        helper.say(look=1, of=instance)
        helper.heard(lambda message: message.get("vm", {}).pop("look", None), "an answer")

    # Until its watch's first event is read: xenstored drops a later one that is the same as one which it could not send yet.
    look()
    relay.before_asking = write_first
    taken = [("control-request", "unseen"), ("control-acknowledged", "unseen")]
    for first, then, told in (
        ("poweroff", [""], taken),
        ("", [], []),
        ("", ["", "reboot"], [("control-request", "reboot")]),
        ("halt", [""], taken),
        ("suspend", [], [("control-request", "suspend")]),
        ("", [], [("control-acknowledged", "suspend")]),
        ("poweroff", ["", None], taken),
        ("poweroff", [None], []),
        ("poweroff", [], [("control-request", "poweroff")]),
        ("", [None], taken),
    ):
        n_known = len(helper.facts(instance))
        with is_writing:
            written.append(then)
            domain.store.write(node, first)
        # Events are read before a request is.
        until("it reads the node", lambda: not written)
        look()
        assert helper.facts(instance)[n_known:] == told, (first, then, helper.facts(instance))
    guest.close()


def is_pid(pid, is_gone=False):
    return lambda message: pid_of(device_model := message.get("vm", {}).get("device_model")) == pid and device_model.endswith(":0") == is_gone


def answers(helper, look):
    return [message["vm"].get("device_model") for message in helper.messages if message.get("vm", {}).get("look") == look]


@test("whether a device model that ended is needed is answered once xenstored says; a domain that has gone meanwhile is no answer")
def _(world):
    relay = Relay(world)
    helper = Helper(world, XENSTORED_PATH=relay.path)
    domains = [Domain(world, name, background=False).create("-p") for name in ("needs", "dismisses", "goes")]
    instances = [helper.hello(domain.name)["instance"] for domain in domains]
    models = [FakeModel(world, domain) for domain in domains]
    for model in models:
        model.is_told()
        helper.heard(is_pid(model.pid), f"that {model.pid} is {model.domain.name}'s")
        model.kill()
    helper.say(look=1, of=instances[0])
    helper.heard(lambda message: message.get("vm", {}).get("look") == 1, "that it needs it")
    assert pid_of(*answers(helper, 1)) == models[0].pid, answers(helper, 1)

    relay.close()
    helper.heard(lambda message: "xenstored has gone" in message.get("trouble", ""), "that xenstored has gone")
    domains[1].store.remove(models[1].node)
    for look, instance in enumerate(instances, 2):
        helper.say(look=look, of=instance)
    assert helper.ask(instances[2], "preserve") == "done"
    assert not answers(helper, 2) + answers(helper, 3) + answers(helper, 4), helper.messages[-5:]
    # It hears that it is to look at one first, and sees then that there is none.
    os.kill(helper.process.pid, signal.SIGSTOP)
    xl("destroy", domains[2].name)
    helper.say(look=5, of=instances[2])
    os.kill(helper.process.pid, signal.SIGCONT)
    assert helper.gone(instances[2])[-1][0] in ("domain-gone", "vanished")
    relay.open()
    helper.heard(lambda message: message.get("trouble") == "xenstored is back", "that xenstored is back")
    for look in (2, 3):
        helper.heard(lambda message: message.get("vm", {}).get("look") == look, f"answer {look}")
    assert [pid_of(one) for look in (2, 3, 4, 5) for one in answers(helper, look)] == [models[0].pid, None], helper.messages[-8:]


@test("a device model that cannot be looked at, for want of descriptors or as a zombie, is not told as gone; one of another's pid is")
def _(world):
    domain = Domain(world, "short", background=False).create("-p")
    # As long as xl makes a domain it may be about to begin its device model.
    domain.store.write(domain.store.read(domain.path("vm")) + "/start_time", "1700000000.00")
    helper = Helper(world)
    instance = helper.hello(domain.name)["instance"]
    model = FakeModel(world, domain)
    _, hard = resource.prlimit(helper.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(helper.process.pid, resource.RLIMIT_NOFILE, (3, hard))  # poll(2) wants one for each that it looks at
    model.is_told()
    domain.store.write(domain.path("name"), "short-2")
    assert not helper.vm(instance, name="short-2").get("device_model")
    resource.prlimit(helper.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    helper.say(look=True)
    helper.heard(is_pid(model.pid), "that it is there")
    zombie = popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    domain.store.write(domain.path("image/device-model-pid"), str(zombie.pid))
    domain.store.write(domain.path("name"), "short-3")
    assert not helper.vm(instance, name="short-3").get("device_model")
    zombie.wait()
    helper.say(look=True)
    helper.heard(is_pid(zombie.pid, is_gone=True), "that it is gone")
    other = popen(["sleep", "1000"])  # xl destroy ends what it takes for the device model
    world.later(lambda: (other.kill(), other.wait()))
    domain.store.write(domain.path("image/device-model-pid"), str(other.pid))
    domain.store.write(domain.path("name"), "short-4")
    helper.heard(is_pid(other.pid, is_gone=True), "that the pid is another's")
    domain.store.write(domain.path("name"), domain.name)


@test("the process that is about to become a device model is not taken for another's; and what it has become is")
def _(world):
    domain = Domain(world, "begun", background=False).create("-p")
    node = f"/local/domain/0/device-model/{domain.id}"
    # libxl writes the pid of its own child, which then becomes the device model.
    gate = world.path("child.gate")
    os.mkfifo(gate)
    model = popen([world.script("child", f'#!/bin/sh\nread -r go <"$0".gate\nexec {sys.executable} -c "import time; time.sleep(1000)" -xen-domid {domain.id}\n')])
    world.later(lambda: (model.kill(), model.wait()))
    domain.store.write(node, "")
    domain.store.write(domain.path("image/device-model-pid"), str(model.pid))
    domain.store.write(domain.store.read(domain.path("vm")) + "/start_time", f"{time.time():.2f}")
    helper = Helper(world)
    vm = helper.hello(domain.name)
    assert not vm.get("device_model"), vm
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    until("it begins", lambda: comm_of(model.pid) != "child")
    domain.store.write(node + "/state", "running")
    helper.heard(is_pid(model.pid), "that it is there")


@test("what a guest writes into its own nodes is no more than a word; what makes no sense to it ends it, and it is not a domain's")
def _(world):
    helper = Helper(world)
    domain = Domain(world, "hostile", background=False).create("-p")
    instance = helper.hello(domain.name)["instance"]
    for value in ("x" * 2000, "poweroff\n", '{"gone": true}'):
        domain.store.write(domain.path("control/shutdown"), value)
        helper.fact(instance, "control-request", "other")
        domain.store.write(domain.path("control/shutdown"), "")
    domain.store.write(domain.path("name"), 'a"b\x1b[2J')
    helper.vm(instance, name='a"b?[2J')
    domain.store.write(domain.path("name"), domain.name)
    domain.store.write(domain.path("vm"), "/vm/../../../../etc/passwd")
    domain.store.write(domain.path("control/shutdown"), "reboot")
    helper.fact(instance, "control-request", "reboot")
    assert helper.ask("x", "destroy") == helper.ask("x:xen0:y", "destroy") == "there is no such domain"
    assert helper.ask(instance, "dance") == "nobody knows how to do that"


if __name__ == "__main__":
    sys.exit(main(JOBS))
