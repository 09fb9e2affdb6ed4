#!/usr/bin/env python3
"""`vmpowerd` under a service manager that keeps its descriptors: a restart misses nothing that a monitor says."""

import concurrent.futures
import os
import signal
import socket
import sys

from daemon_world import *

sys.path.insert(0, os.path.join(HERE, "..", "farm"))
from farm import Farm

def kinds(verdict):
    return [evidence["kind"] for evidence in verdict["evidence"]]


def has_told_machine(world, vm, times=1):
    """Its monitor has been negotiated so often, and what it said first is on record."""
    statement = "SELECT e.id FROM evidence e JOIN vm ON vm.id = e.vm WHERE e.kind = 'machine' AND vm.name = ?"
    deadline = time.monotonic() + PATIENCE
    while len(rows(world, statement, vm.name)) < times:
        assert time.monotonic() < deadline, "the machine is not on record"
        time.sleep(0.01)


def held(world, *words, **named):
    """A VM that a daemon under a service manager holds."""
    manager = ServiceManager(world)
    vm = runs(world, *words, **named)
    daemon = manager.start()
    attached(world, vm)
    manager.wait(lambda: len(manager.kept) == 4)
    # A daemon that is killed now knows what it has written down by now.
    has_told_machine(world, vm)
    return manager, vm, daemon


@on_both_ends("what its VMs' monitors say meanwhile is judged as if it had been there")
def missed_nothing(world, end):
    manager, vm, daemon = held(world)
    end(daemon)
    vm.own.ask("stop")
    daemon = manager.start()
    daemon.wait_told(vm.name)
    told = listed(world, vm.name)
    assert (told["monitor"], told["state"]) == (vm.path, "paused"), told
    vm.own.ask("cont")
    daemon.wait_told(vm.name, 2)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name, 3)
    history = vm.history()
    assert story(history) == [
        ("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("destroy", "operator", "qmp-quit"),
    ], story(history)  # fmt: skip
    for verdict in history:
        # Who was at its monitor meanwhile nobody has seen, or whether anybody was.
        is_sure = verdict["transition"] == "destroy" or verdict["actor"]
        assert "gap" not in kinds(verdict) and verdict["confidence"] == ("certain" if is_sure else "likely"), verdict
    manager.end(daemon)


@on_both_ends("a VM that ends meanwhile has its ending in its own words, and once")
def ended_meanwhile(world, end):
    manager, vm, daemon = held(world)
    end(daemon)
    vm.own.quit()
    vm.is_over()
    reading_takes_no_word_from_the_daemon(world, vm)
    daemon = manager.start()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    assert "vanished" in kinds(ended) and "gap" not in kinds(ended), kinds(ended)
    manager.wait(lambda: sorted(manager.kept) == ["api", "wire"])
    daemon.stop()
    manager.end(manager.start())
    assert vm.history() == [ended]


@test("a VM that ends meanwhile and whose pid is another's by now has ended: no other process is taken for it")
def recycled_meanwhile(world):
    manager, vm, daemon = held(world)
    daemon.kill()
    vm.own.quit()
    vm.is_over()
    # Its pid is this very process's, which was started at another time.
    former, vm.instance = vm.instance, f"{boot_id()}:{os.getpid()}:{int(start_time_of(os.getpid())) - 1}"
    database = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None)
    assert database.execute("UPDATE vm SET instance = ?, pid = ? WHERE instance = ?", (vm.instance, os.getpid(), former)).rowcount == 1
    database.close()
    daemon = manager.start()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    assert "vanished" in kinds(ended) and "gap" not in kinds(ended), kinds(ended)
    manager.end(daemon)


@on_both_ends("a guest that powers off meanwhile did so itself")
def powered_off_meanwhile(world, end):
    manager, vm, daemon = held(world, action="s5", delay_ms=4000)
    end(daemon)
    assert vm.is_over() == 0
    daemon = manager.start()
    daemon.wait_told(vm.name)
    (off,) = vm.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")
    manager.end(daemon)


@on_both_ends("who uses the shared monitor meanwhile only waits, and is seen")
def shared_meanwhile(world, end):
    manager, vm, daemon = held(world)
    path = shared_path(world, vm.name)
    assert listed(world, vm.name)["shared_monitor"] == path
    end(daemon)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(path)
    client.sendall(b'{"execute": "qmp_capabilities"}{"execute": "query-status", "id": "a"}{"execute": "quit"}')
    daemon = manager.start()
    heard = b""
    while data := client.recv(65536):
        heard += data
    client.close()
    lines = [json.loads(line) for line in heard.splitlines()]
    assert "QMP" in lines[0] and lines[1] == {"return": {}}, heard
    assert lines[2]["id"] == "a" and lines[2]["return"]["status"] == "running", heard
    daemon.wait_told(vm.name)
    vm.is_over()
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    assert ended["actor"]["pid"] == os.getpid() and ended["actor"]["via"] == "qmp", ended["actor"]
    manager.end(daemon)


@on_both_ends("who asks the daemon meanwhile only waits for the next one")
def asked_meanwhile(world, end):
    manager, vm, daemon = held(world)
    end(daemon)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(os.path.join(world.rundir, "vmpower.sock"))
    client.sendall(f"GET /v1/vms/{vm.name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    daemon = manager.start()
    answer = b""
    while data := client.recv(65536):
        answer += data
    client.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["instance"] == vm.instance
    manager.end(daemon)
    vm.signal(signal.SIGKILL)


@test("a monitor that is given back is kept no more, and names are short")
def detached(world):
    manager, vm, daemon = held(world)
    assert {"api", "wire"} <= set(manager.kept) and all(len(name) <= 6 for name in manager.kept), manager.kept
    assert world.vmpower("detach", vm.name).returncode == 0
    manager.wait(lambda: sorted(manager.kept) == ["api", "wire"])
    daemon.kill()
    daemon = manager.start()
    is_still_unattached(world, vm)
    attached(world, vm)
    manager.wait(lambda: len(manager.kept) == 4)
    manager.end(daemon)
    vm.signal(signal.SIGKILL)


@test("descriptors that nobody knows are given back")
def strangers(world):
    manager = ServiceManager(world)
    ours, theirs = socket.socketpair()
    manager.kept["m.ZZZ"] = theirs.detach()
    daemon = manager.start()
    manager.wait(lambda: "m.ZZZ" not in manager.kept)
    ours.settimeout(PATIENCE)
    assert ours.recv(1) == b"", "it was closed, and nothing was said on it"
    ours.close()
    manager.end(daemon)


@test("a service manager that has lost a monitor: the gap is said, and the monitor is opened again")
def lost(world):
    manager, vm, daemon = held(world)
    daemon.kill()
    with manager.changed:
        for name in [name for name in manager.kept if name not in ("api", "wire")]:
            os.close(manager.kept.pop(name))
    daemon = manager.start()
    is_attached_by_itself(world, vm)
    has_told_machine(world, vm, 2)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    assert "gap" in kinds(ended), kinds(ended)
    manager.end(daemon)


# --- a daemon that is killed at the worst moment ----------------------------------------------------------------------


def scripted_under_manager(world):
    """A VM that is nothing but a monitor, held, and its machine on record."""
    os.mkdir(world.path("farm"))
    farm = Farm(world.path("farm"), 1, environment=world.environment)
    manager = ServiceManager(world)
    daemon = manager.start()
    assert http(world, "POST", "/v1/vms", {"name": "one", "qmp": farm.path(0)})[0] == 201
    manager.wait(lambda: any(name.startswith("q.") for name in manager.kept))
    return manager, farm, daemon


def wait_until(at_ns):
    while (left := at_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) > 0:
        time.sleep(left / 1e9)


@test("a reboot of which one half is read by the next daemon, late, is one reboot")
def halved(world):
    manager, farm, daemon = scripted_under_manager(world)
    guest = '{"guest": true, "reason": "guest-reset"}'
    first_ns = farm.say(0, "RESET", '{"guest": false, "reason": "host-qmp-system-reset"}')
    daemon.wait_told("one")
    daemon.kill()
    at_ns = farm.say(0, "RESET", guest)
    if at_ns - first_ns > 400_000_000:
        raise Spoiled(f"{(at_ns - first_ns) // 1_000_000} ms between two halves that are at once")
    wait_until(at_ns + 1_000_000_000)
    daemon = manager.start()
    farm.say(0, "STOP")
    daemon.wait_told("one")
    assert story(world.history("one")) == [("reboot", "operator", "qmp-reset"), ("pause", "operator", "qmp-stop")]
    farm.close()
    manager.end(daemon)


@test("a loop of resets goes on with the next daemon, and is one reboot")
def looping(world):
    manager, farm, daemon = scripted_under_manager(world)
    guest = '{"guest": true, "reason": "guest-reset"}'
    at_ns = farm.say(0, "RESET", guest)
    daemon.wait_told("one")
    daemon.kill()
    daemon = manager.start()
    wait_until(at_ns + 1_000_000_000)
    farm.say(0, "RESET", guest)
    farm.say(0, "STOP")
    # That it has gone on looping is told, too, and first.
    daemon.wait_told("one", 2)
    reboot, pause = world.history("one")
    assert story([reboot, pause]) == [("reboot", "guest", "guest-reset"), ("pause", "operator", "qmp-stop")]
    assert reboot["count"] == 2, reboot
    farm.close()
    manager.end(daemon)


@test("what waited for the daemon happened when QEMU said it, not when it was read")
def waited(world):
    manager, farm, daemon = scripted_under_manager(world)
    daemon.kill()
    before = time.time()
    at_ns = farm.say(0, "STOP")
    after = time.time()
    wait_until(at_ns + 1_000_000_000)
    daemon = manager.start()
    daemon.wait_told("one")
    ((told_ns, told_at_ns),) = rows(world, "SELECT time_ns, at_ns FROM verdict WHERE name = 'one'")
    assert before - 0.001 <= told_ns / 1e9 <= after, (before, told_ns, after)
    assert abs(told_at_ns - at_ns) < 100_000_000, (told_at_ns, at_ns)
    farm.close()
    manager.end(daemon)


@test("what was read and is not on record when the daemon is killed is read again by the next one")
def read_again(world):
    manager, farm, daemon = scripted_under_manager(world)
    farm.say(0, "SUSPEND")
    daemon.wait_told("one")
    # Nobody else can write now.
    lock = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    farm.say(0, "WAKEUP")
    farm.say(0, "STOP")
    farm.end(0, "quit")
    for _ in range(3):  # it answers, so it has read what came before the question
        http(world, "GET", "/v1/vms/one", None)
    daemon.kill()
    lock.execute("ROLLBACK")
    lock.close()
    assert len(rows(world, "SELECT number FROM verdict WHERE name = 'one'")) == 1
    daemon = manager.start()
    daemon.wait_told("one", 3)
    assert story(world.history("one")) == [
        ("suspend", "guest", "acpi-s3"), ("wake", "unknown", "acpi-s3"), ("pause", "operator", "qmp-stop"),
        ("destroy", "operator", "qmp-quit"),
    ], story(world.history("one"))  # fmt: skip
    farm.close()
    manager.end(daemon)


# --- nobody keeps anything ------------------------------------------------------------------------------------------


def scripted(world):
    """A VM that is nothing but a monitor, in a process of many, and a daemon that holds it."""
    os.mkdir(world.path("farm"))
    farm = Farm(world.path("farm"), 2, environment=world.environment)
    daemon = Daemon(world)
    assert http(world, "POST", "/v1/vms", {"name": "one", "qmp": farm.path(0)})[0] == 201
    return farm, daemon


@test("a VM that is nothing but a monitor lives on when its daemon is killed")
def lives_on(world):
    farm, daemon = scripted(world)
    instance = listed(world, "one")["instance"]
    daemon.kill()
    daemon = Daemon(world)
    deadline = time.monotonic() + PATIENCE
    while listed(world, "one")["monitor"] != farm.path(0):
        assert time.monotonic() < deadline, listed(world, "one")
        time.sleep(0.05)
    assert listed(world, "one")["instance"] == instance
    assert rows(world, "SELECT count(*) FROM verdict JOIN vm ON vm.id = verdict.vm WHERE vm.name = 'one'") == [(0,)]
    farm.close()
    daemon.stop()


@test("who wakes a VM is answered once it is awake, though its monitor answers before; one that does not wake keeps nobody")
def woken(world):
    farm, daemon = scripted(world)
    farm.say(0, "SUSPEND", "")
    wait_listed(world, "one", lambda told: told["state"] == "suspended")

    def wakes():
        return http(world, "POST", "/v1/vms/one/requests", {"action": "wake"})[1]["state"]

    assert wakes() == "suspended"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(wakes)
        time.sleep(0.1)
        farm.say(0, "WAKEUP", "")
        assert asked.result() == "running"
    farm.close()
    daemon.stop()


@test("another VM at the same path is another VM, though its socket's file has the same number")
def at_the_same_path(world):
    farm, daemon = scripted(world)
    instance = listed(world, "one")["instance"]
    daemon.kill()
    farm.end(0, "quit")
    farm.order("start", 0)
    daemon = Daemon(world)
    daemon.wait_told("one")
    assert listed(world, "one") is None
    assert http(world, "POST", "/v1/vms", {"name": "one", "qmp": farm.path(0)})[0] == 201
    assert listed(world, "one")["instance"] != instance
    farm.close()
    daemon.stop()


@test("a VM that is nothing but a monitor is given back, and attached again")
def given_back(world):
    farm, daemon = scripted(world)
    instance = listed(world, "one")["instance"]
    assert http(world, "POST", "/v1/vms", {"name": "one", "qmp": farm.path(0)})[0] == 409
    is_refused(world.vmpower("attach", "one", "--qmp", farm.path(0)), FAILED, "one is attached already")
    done = world.vmpower("detach", "one")
    assert done.returncode == 0 and b"nobody watches it now" in done.stdout, done
    deadline = time.monotonic() + PATIENCE
    while b"one was detached" not in world.vmpower("why", "one").stderr:
        assert time.monotonic() < deadline, world.vmpower("why", "one")
        time.sleep(0.05)
    while http(world, "POST", "/v1/vms", {"name": "one", "qmp": farm.path(0)})[0] != 201:
        assert time.monotonic() < deadline, "it cannot be attached again"
        time.sleep(0.05)
    assert listed(world, "one")["instance"] == instance + ".2"
    farm.close()
    daemon.stop()


@test("what a killed daemon left of a VM that is gone is taken away")
def taken_away(world):
    daemon = Daemon(world)
    vm, lives = runs(world), runs(world)
    attached(world, vm)
    attached(world, lives)
    daemon.kill()
    vm.signal(signal.SIGKILL)
    assert os.path.exists(shared_path(world, vm.name))
    daemon = Daemon(world)
    assert not os.path.exists(shared_path(world, vm.name))
    is_attached_by_itself(world, lives)
    assert os.path.exists(shared_path(world, lives.name))
    lives.signal(signal.SIGKILL)
    daemon.wait_told(lives.name)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
