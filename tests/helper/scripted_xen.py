"""A Xen that is a script: domains, and the helper that tells vmpowerd of them, line by line as docs/wire.md has it.

The daemon starts a relay (relay.py) as vmpower-source-xen; behind it this plays the helper, and what it finds: domains outlive it, as they do on a real host.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "qemu"))
from daemon_world import *

OWN = "on_poweroff=destroy on_reboot=restart on_crash=restart on_watchdog=restart on_soft_reset=soft-reset"
POWEROFF = ("poweroff", "guest", "xen-shutdown")
REBOOT = ("reboot", "guest", "xen-shutdown")
CRASH = ("crash", "guest", "xen-shutdown")

WRAPPER = """#!/bin/sh
exec {python} {relay} {socket}
"""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Domain:
    """`number`: the how many-th on this host."""

    def __init__(self, domid, name, policy, number):
        self.domid, self.name, self.policy = domid, name, policy
        self.uuid = str(uuid.uuid4())
        self.instance = f"{boot_id()}:xen{domid}:{1700000000000000 + number}"
        self.reason = None  # that it shut down for
        self.state = "running"
        self.device_model = None  # that it needs, as an instance


class Life:
    """One helper, from its start to its end."""

    def __init__(self, xen, connection):
        self.xen, self.connection = xen, connection
        self.file = connection.makefile("r", encoding="utf-8")
        self.pid = int(self.file.readline())
        self.seq = 0

    def send(self, text):
        try:
            self.connection.sendall(text.encode() if isinstance(text, str) else text)
        except OSError:
            pass

    def say(self, of=None, **member):
        line = {**member, "of": of} if of else member
        self.send(json.dumps(line) + "\n")

    def fact(self, domain, kind, at_ns=None, seq=None, **data):
        self.seq += 1
        evidence = {"at_ns": at_ns or now_ns(), "seq": seq or self.seq, "source": "xen", "kind": kind, "data": data}
        self.say(domain.instance, evidence=evidence)

    def hello(self, domain, **more):
        vm = {"name": domain.name, "uuid": domain.uuid, "backend": "xen", "instance": domain.instance, "domid": domain.domid,
              "state": "off" if domain.reason else domain.state, "restarts": self.xen.says_restarts}
        if domain.policy:
            vm["policy"] = domain.policy
        if domain.device_model and not domain.reason:
            vm["device_model"] = domain.device_model
        hello = {"protocol": 1, "program": "vmpower-source-xen", "sources": ["xen"], "vm": {**vm, **more}}
        self.say(hello=hello)

    def hang_up(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is killed


class Xen:
    """What there is on this host.  `carries_out`: requests are done as they come; else the test has them in `requests`."""

    def __init__(self, world, carries_out=True, says_hello=True):
        self.world, self.carries_out, self.says_hello = world, carries_out, says_hello
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.domains, self.n_domids, self.n_born = [], 0, 0
        self.lives, self.ended, self.life = 0, 0, None
        self.requests, self.configured, self.refused, self.looks = [], [], [], []
        self.on_request, self.says_restarts = None, 0
        self.tells_again = True  # when it is asked to
        self.holds_on = False  # told to end, it takes its time
        directory = world.path("libexec")
        os.mkdir(directory)
        path = os.path.join(directory, "helper")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        program = os.path.join(directory, "vmpower-source-xen")
        relay = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
        with open(program, "w", encoding="ascii") as file:
            file.write(WRAPPER.format(python=sys.executable, relay=relay, socket=path))
        os.chmod(program, 0o755)
        world.environment["VMPOWER_LIBEXEC_DIR"] = directory
        threading.Thread(target=self._accept, daemon=True).start()
        world.later(self._forget)

    def _forget(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._live, args=(Life(self, connection),), daemon=True).start()

    def _live(self, life):
        with self.changed:
            self.lives += 1
            self.life = life
            if self.says_hello:
                self._survey(life)
            self.changed.notify_all()
        for line in life.file:
            with self.changed:
                self._hear(life, json.loads(line))
                self.changed.notify_all()
        with self.changed:
            if self.life is life:
                self.life = None
            self.ended += 1
            if not self.holds_on:
                life.hang_up()
            self.changed.notify_all()

    def _survey(self, life):
        for domain in self.domains:
            life.hello(domain)
            if domain.reason:
                life.fact(domain, "domain-shutdown", reason=domain.reason)
        life.say(surveyed=True)

    def _hear(self, life, message):
        if "configure" in message:
            self.configured.append(message["configure"])
        if "refused" in message:
            self.refused.append((message.get("of"), message["refused"]))
        if "look" in message:
            self.looks.append(message)
            if self.tells_again:
                self.tell_again(life, message.get("of"), message["look"])
        if "request" in message:
            request = message["request"]
            self.requests.append(request)
            if self.on_request:
                self.on_request(life, request)
            elif self.carries_out:
                self.carry_out(life, request)

    def tell_again(self, life, instance, look=None):
        for domain in self.domains:
            if domain.instance == instance:
                model = {"device_model": domain.device_model} if domain.device_model and not domain.reason else {}
                life.say(instance, vm={"name": domain.name, "instance": instance, "policy": domain.policy or "", "look": look, **model})

    def carry_out(self, life, request):
        domain = next((one for one in self.domains if one.instance == request["of"]), None)
        command = request["command"]
        if not domain:
            life.say(done={"request": request["request"], "result": "failed", "why": "there is no such domain"})
            return
        if command in ("destroy", "restart", "coredump-destroy", "coredump-restart"):
            self._end(domain, alive=not domain.reason)
        if command in ("restart", "coredump-restart"):
            self._born(domain.name, domain.policy)
        if command == "soft-reset":
            domain.state, domain.reason = "running", None
            life.fact(domain, "domain-resumed")
        if command == "pause":
            domain.state = "paused"
            life.fact(domain, "domain-paused")
        if command == "resume":
            kind = "domain-resumed" if domain.reason == "suspend" else "domain-unpaused"
            domain.state, domain.reason = "running", None
            life.fact(domain, kind)
        if command in ("shutdown", "reboot", "suspend"):
            word = {"shutdown": "poweroff"}.get(command, command)
            life.fact(domain, "control-request", request=word)
            life.fact(domain, "control-acknowledged", request=word)
            life.say(done={"request": request["request"], "result": "done"})
            self._shut_down(domain, word)
            return
        life.say(done={"request": request["request"], "result": "done"})

    # What happens to domains, whether somebody tells of it or not.

    def _born(self, name, policy, device_model=None):
        self.n_domids += 1
        self.n_born += 1
        domain = Domain(self.n_domids, name, policy, self.n_born)
        domain.device_model = device_model
        self.domains.append(domain)
        if self.life:
            self.life.hello(domain)
        return domain

    def _shut_down(self, domain, reason):
        domain.reason = reason
        if self.life:
            self.life.fact(domain, "domain-shutdown", reason=reason)

    def _end(self, domain, alive):
        self.domains.remove(domain)
        if self.life:
            self.life.fact(domain, "domain-gone", alive=alive)
            self.life.say(domain.instance, gone=True)

    def born(self, name, policy=OWN, device_model=None):
        with self.lock:
            return self._born(name, policy, device_model)

    def shut_down(self, domain, reason):
        with self.lock:
            self._shut_down(domain, reason)

    def destroyed(self, domain):
        with self.lock:
            self._end(domain, alive=not domain.reason)

    def find(self, name):
        """The newest domain of that name."""
        with self.lock:
            return next((one for one in reversed(self.domains) if one.name == name), None)

    # The helper.

    def wait(self, condition, what):
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE):
                raise Timeout(f"{what}: {self.requests[-5:]} {self.refused[-5:]} {len(self.domains)} domains, {self.lives} lives")

    def wait_life(self, count=1):
        self.wait(lambda: self.lives >= count and self.life, f"no helper number {count}")
        return self.life

    def wait_requests(self, count):
        self.wait(lambda: len(self.requests) >= count, f"not {count} requests")

    def wait_asked(self, domain, count=1):
        """Until it was asked so often whether that domain needs its device model still: by then the daemon has seen how it ended."""
        looks = lambda: [message["look"] for message in self.looks if message.get("of") == domain.instance]
        self.wait(lambda: len(looks()) >= count, f"it is not asked about {domain.name}")
        return looks()

    def wait_born(self, name, after):
        """A domain of that name, another one than that."""
        self.wait(lambda: (self.find(name) or after) is not after, f"{name} was not started again")
        return self.find(name)

    def kill(self):
        """The helper alone; the domains stay.  Wait for the next one."""
        with self.lock:
            life, count = self.life, self.lives
        os.kill(life.pid, signal.SIGKILL)
        return self.wait_life(count + 1)


def daemon_of(world, *options):
    return Daemon(world, "--xen", "yes", *options)


def named(world, name):
    """All verdicts on VMs of that name, the oldest first; each told once and with its form."""
    done = world.vmpower("history", name, "--json")
    assert done.returncode == 0 or (done.returncode == 3 and not done.stdout), done
    history = json.loads(done.stdout or b"[]")[::-1]
    for verdict in history:
        assert verdict["vm"]["backend"] == "xen" and verdict["vm"]["instance"].split(":")[1].startswith("xen"), verdict["vm"]
    return history


def decisions(history):
    return [(v["decision"] or {}).get("action") and (v["decision"]["action"], v["decision"]["result"]) for v in history]


def wait_decided(world, name, *expected):
    """Wait until what was decided has come to that."""
    deadline = time.monotonic() + PATIENCE
    while (got := decisions(named(world, name))) != list(expected):
        assert time.monotonic() < deadline, got
        time.sleep(0.05)
