"""A host that goes down: a real systemd with a real logind, in namespaces of its own, is told to, with VMs in units and beside them. What became
of them is read from what vmpowerd has left behind.

    host_down.py BUILD VMPOWER [lab]      lab: on a kernel of its own, with VMs under KVM (tests/kvm/lab_host.py)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

sys.path[:0] = [os.path.join(os.path.dirname(__file__), folder) for folder in ("..", "../kvm")]
from booted_systemd import SYSTEMD
from tap import Failed, Skip, expect, run

BUILD, VMPOWER = (os.path.abspath(path) for path in sys.argv[1:3])
IS_LAB = sys.argv[3:] == ["lab"]
if IS_LAB:
    from lab_host import PATIENCE, LabHost as Host
    from linux_guest import QUIET, initrd, kernel, modules_of
else:
    from booted_systemd import PATIENCE, Host

# Where a stock kernel runs.
LINUX = ("linux-ended", "linux-obeys") if IS_LAB else ()

# Who is connected to a monitor is looked for by its path in the whole network namespace, which is the host's: the paths are ours alone.
RUN = f"down-{os.getpid()}"

# As a toolstack's stop script would do it: it takes its time, asks the guest, and waits for it.
PRESS = """import socket, sys, time
time.sleep(1)
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
monitor.sendall(b'{"execute": "qmp_capabilities"} {"execute": "system_powerdown"}')
while monitor.recv(4096):
    pass
"""

# Has systemd stop a unit, over the bus, as a desktop's or a user's program does, and stays.
STOP = """import ctypes, sys, time
systemd = ctypes.CDLL("libsystemd.so.0")
bus = ctypes.c_void_p()
systemd.sd_bus_open_system(ctypes.byref(bus))
print(systemd.sd_bus_call_method(bus, b"org.freedesktop.systemd1", b"/org/freedesktop/systemd1", b"org.freedesktop.systemd1.Manager",
                                 b"StopUnit", None, None, b"ss", sys.argv[1].encode(), b"replace"))
time.sleep(60)
"""

# Asks logind, and stays: systemctl goes as soon as it has been answered, and on a busy machine before the bus can be asked who it was.
ASK = """import ctypes, sys, time
systemd = ctypes.CDLL("libsystemd.so.0")
bus = ctypes.c_void_p()
systemd.sd_bus_open_system(ctypes.byref(bus))
print(systemd.sd_bus_call_method(bus, b"org.freedesktop.login1", b"/org/freedesktop/login1", b"org.freedesktop.login1.Manager",
                                 sys.argv[1].encode(), None, None, b"b", 0))
time.sleep(60)
"""


def path_of(name, kind="qmp"):
    return f"/run/{RUN}-{name}/{kind}"


def command(name, action="idle"):
    """Of the probe ROM, or of a stock kernel: `linux-…`."""
    guest = f"-m 2 -bios /etc/systemd/system/probe.rom -fw_cfg name=opt/vmpower/action,string={action}"
    if name in LINUX:
        guest = f"-m 128 -kernel /etc/systemd/system/vmlinuz -initrd /etc/systemd/system/initrd -append '{QUIET}{action}'"
    return (
        f"qemu-system-x86_64 -M pc -accel {'kvm' if IS_LAB else 'tcg'} {guest} -name {name} -display none -nodefaults -serial file:{path_of(name, 'console')} "
        f"-qmp unix:{path_of(name)},server=on,wait=off -qmp unix:{path_of(name, 'own')},server=on,wait=off")


def unit(name, *lines, action="idle"):
    return "\n".join(["[Service]", "Type=exec", f"RuntimeDirectory={RUN}-{name}", f"ExecStart={command(name, action)}", *lines, ""])


def presses_the_button(name):
    return f"ExecStop=/usr/bin/python3 /etc/systemd/system/press.py {path_of(name, 'own')}"


def stock_guests():
    """The files of their units."""
    if not LINUX:
        return {}
    files = {"vmlinuz": kernel("cloud-amd64"), "initrd": initrd("init", *modules_of("cloud-amd64", ["button", "evdev"]))}
    return {
        **{name: open(path, "rb").read() for name, path in files.items()},
        "linux-ended.service": unit("linux-ended"),
        "linux-obeys.service": unit("linux-obeys", presses_the_button("linux-obeys"), action="button-obey"),
    }


host = None
state = tempfile.mkdtemp(prefix="vmpower-down-")
verdicts = {}


def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: never")
        time.sleep(0.02)
    return found


def attach(name):
    host("vmpower", "attach", name, "--qmp", path_of(name))


def vms():
    return json.loads(host("vmpower", "list", "--json"))


def holds_the_lock():
    return any(line.split()[0] == "vmpower" and line.split()[-1] == "delay"
               for line in host("systemd-inhibit", "--list", "--no-legend").splitlines() if line.strip())


def the_host_is_up():
    global host
    if os.geteuid() and not IS_LAB:
        raise Skip("only root can boot one")
    for program in (SYSTEMD, "/lib/systemd/systemd-logind", "dbus-daemon", *Host.NEEDS, "qemu-system-x86_64", "/usr/bin/python3"):
        if not shutil.which(program):
            raise Skip(f"{program} is not here")
    with open(BUILD + "/guests/probe.rom", "rb") as file:
        rom = file.read()
    # Another boot than that of whoever reads it later: then the host has been restarted.
    host = Host(BUILD, {"probe.rom": rom, "press.py": PRESS, "ask.py": ASK, "stop.py": STOP,
                        "mine.service": unit("mine", "ExecStop=/usr/bin/sleep 0.5").replace("ExecStart=", "ExecStart=vmpower run --quiet --name mine -- "),
                        "ask.service": "[Service]\nExecStart=/usr/bin/python3 /etc/systemd/system/ask.py PowerOff\n",
                        "early.service": unit("early", "ExecStopPost=/usr/bin/sleep 1"), "bused.service": unit("bused", "ExecStop=/usr/bin/sleep 3"), "late.service": unit("late"), "asked.service": unit("asked"),
                        "killed.service": unit("killed", "KillSignal=SIGKILL"), "quiet.service": unit("quiet"),
                        "obeys.service": unit("obeys", presses_the_button("obeys"), action="button-obey"), **stock_guests()},
                logind=True, state=state, boot_id=str(uuid.uuid4()))
    host("mkdir", f"/run/{RUN}-stray")
    # Under software emulation it is found by the daemon's first look.
    stray = "" if IS_LAB else host("sh", "-c", command("stray") + " >/dev/null 2>&1 & echo $!")
    host.start_vmpowerd("early", "bused", "late", "asked", "killed", "quiet", "obeys", *LINUX)
    # As if a hook had started it: it is in the daemon's control group, and no unit's stop ends it.
    group = f"/sys/fs/cgroup{host.shows('vmpowerd', 'ControlGroup')}/cgroup.procs"
    if stray:
        host("sh", "-c", f"echo {stray} >{group}")
    else:
        # From its beginning: KVM has a thread of its own for it, in the control group in which the VM was made, that does not move.
        host("sh", "-c", f"echo $$ >{group}; {command('stray')} >/dev/null 2>&1 &")
        until("the daemon finds the VM that KVM has announced", lambda: "stray" in [vm["name"] for vm in vms()])
    for name in ("early", "bused", "late", "asked", "obeys", *LINUX[1:]):
        attach(name)
    host("systemctl", "start", "mine")
    until("the daemon hears of run's VM", lambda: "mine" in [vm["name"] for vm in vms()])
    until("the guest that obeys is ready", lambda: "probe: ready" in host("cat", path_of("obeys", "console")))
    for name, words in zip(LINUX, ("vmpower-init: idle", "vmpower-init: waiting for the power button")):
        until(f"{name} has booted", lambda name=name, words=words: words in host("cat", path_of(name, "console")))
    until("vmpowerd delays a shutdown", holds_the_lock)


def up(function):
    def test():
        if not host:
            raise Skip("nothing was booted")
        function()

    test.__name__ = function.__name__
    return test


@up
def the_doctor_hears_of_the_host():
    told = json.loads(host("vmpower", "doctor", "--quick", "--json", status=None))
    expect(str(check) for check in told["checks"] if check["name"] in ("host", "host-lock") and not check["works"])


@up
def one_is_stopped_by_an_operator():
    host("systemctl", "stop", "early")


@up
def another_over_the_bus():
    host("systemd-run", "--quiet", "--unit=stopper", "--service-type=exec", "/usr/bin/python3", "/etc/systemd/system/stop.py", "bused.service")
    until("its verdict", lambda: host("vmpower", "why", "bused", status=None))
    host("systemctl", "stop", "stopper")


@up
def a_scheduled_shutdown_that_is_cancelled_is_nothing():
    host("shutdown", "--no-wall", "+1")
    expect(["nothing is scheduled"] if not host("cat", "/run/systemd/shutdown/scheduled") else [])
    host("shutdown", "-c", "--no-wall")


# Each asks logind, and goes as soon as it has been answered: a daemon that does not come to run meanwhile finds nobody to be named.
HALTS = ("systemctl halt --no-wall", "shutdown --halt --no-wall now", "halt --no-wall")


@up
def a_shutdown_is_called_off_three_times():
    """logind waits for another's lock, and cannot do it then."""
    for words in HALTS:
        host("systemd-run", "--quiet", "--unit=hold", "--service-type=exec", "systemd-inhibit", "--what=shutdown", "--mode=delay", "sleep", "100")
        until("somebody else delays, too", lambda: "sleep 100" in host("systemd-inhibit", "--list", "--no-legend"))
        host(*words.split())
        until("vmpowerd has let go", lambda: not holds_the_lock())
        host("systemctl", "mask", "--quiet", "--runtime", "halt.target")
        host("systemctl", "stop", "hold")
        until("vmpowerd delays the next one", holds_the_lock)
        host("systemctl", "unmask", "--quiet", "--runtime", "halt.target")


@up
def one_is_killed_by_an_operator_after_that():
    host("kill", host.shows("late", "MainPID"))
    until("its verdict", lambda: host("vmpower", "why", "late", status=None))


@up
def it_goes_down():
    began = time.monotonic()
    host("systemctl", "start", "--no-block", "ask", status=None)
    host.wait_for_end(PATIENCE)
    took = time.monotonic() - began
    expect([f"it took {took:.1f} s: somebody was waited for in vain"] if took > PATIENCE * 2 / 3 else [])


@up
def everything_has_one_verdict():
    environment = {**os.environ, "VMPOWER_STATE_DIR": state, "VMPOWER_RUN_DIR": state + "/run"}
    done = subprocess.run([VMPOWER, "history", "--json"], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    for verdict in json.loads(done.stdout or "[]"):
        verdicts.setdefault(verdict["vm"]["name"], []).append(verdict)
    expect([f"{name} has {[verdict['rule'] for verdict in verdicts.get(name, [])]}" for name in ("early", "bused", "late", "asked", "killed", "quiet", "obeys", "stray", "mine", *LINUX)
            if len(verdicts.get(name, [])) != 1] + [done.stderr] * bool(done.stderr))


def says(name, transition, initiator, mechanism, graceful, rule, actor=None, kinds=()):
    if name not in verdicts:
        raise Skip("there is no verdict")
    verdict = verdicts[name][0]
    who = verdict["actor"] and (verdict["actor"]["comm"], verdict["actor"]["user"])
    got = (verdict["transition"], verdict["initiator"], verdict["mechanism"], verdict["graceful"], verdict["rule"], who)
    wanted = (transition, initiator, mechanism, graceful, rule, actor)
    found = [fact["kind"] for fact in verdict["evidence"] if fact["source"] == "host"]
    expect([f"{name} was {got}, not {wanted}"] * (got != wanted) + [f"the host's facts are {found}, not {list(kinds)}"] * (found != list(kinds)))
    return verdict


def traced(name):
    """Did the kernel's trace see who sent the signal?  Where it may not look, less is known, and less is said."""
    is_seen = any(fact["source"] == "trace" and fact["kind"] == "signal" for fact in verdicts.get(name, [{"evidence": []}])[0]["evidence"])
    expect([f"the kernel can tell who has sent a signal to {name}, and did not"] if IS_LAB and os.environ.get("VMPOWER_HAS_TRACE") != "0" and not is_seen else [])
    return is_seen


BY_ASK = ("python3", "root")
ASKED = ("going-down", "stays-up") * len(HALTS)
AGAIN = (*ASKED, "going-down")


def who_is_stopped_while_nothing_goes_down_is_an_operators():
    verdict = says("early", "destroy", "operator", "signal", False, "signal-asked", ("systemd", "root") if traced("early") else None)
    if traced("early"):
        client = verdict["actor"].get("client", {})
        expect([verdict["summary"]] * ("probably for root (systemctl, pid" not in verdict["summary"] or "sent SIGTERM to its unit early.service" not in verdict["summary"]) +
               [f"it is {client}"] * (client.get("cmdline") != "systemctl stop early"))


def whoever_has_systemd_stop_one_over_the_bus_is_named():
    verdict = says("bused", "destroy", "operator", "signal", False, "signal-asked", ("systemd", "root") if traced("bused") else None)
    client = verdict["actor"].get("client", {}) if traced("bused") else {"cmdline": "stop.py bused.service"}
    expect([f"it is {client}"] if not client.get("cmdline", "").endswith("stop.py bused.service") else [])


def who_is_ended_once_it_was_called_off_is_an_operators():
    verdict = says("late", "destroy", "operator", "signal", False, "signal-asked", ("kill", "root") if traced("late") else None,
                   ASKED)
    told = [fact["data"] for fact in verdict["evidence"] if fact["kind"] == "going-down"]
    expect(f"it was {data}" for words, data in zip(HALTS, told)
           if data["mode"] != "halt" or (data["actor"] and (data["actor"]["cmdline"] or words, data["actor"]["user"]) != (words, "root")))
    expect([] if any(data["actor"] for data in told) else ["none of those who asked is named"])


def who_is_ended_by_it_says_who_asked_for_it():
    for name in ("asked", "killed"):
        verdict = says(name, "destroy", "host", "host-shutdown", False, "host-shutdown-ended", BY_ASK, AGAIN)
        expect([f"{name}: {verdict['actor']}"] if not verdict["actor"]["cmdline"].endswith("ask.py PowerOff") else [])
        expect([f"{name} is {verdict['confidence']}"] if verdict["confidence"] != "certain" else [])


def who_just_exits_then_was_ended_by_it_most_likely():
    """Nobody holds its monitor: that it was SIGTERM, only the trace can see."""
    seen = traced("quiet")
    verdict = says("quiet", "destroy", "host", "host-shutdown", False, "host-shutdown-ended" if seen else "host-shutdown-exit", BY_ASK, AGAIN)
    expect([f"it is {verdict['confidence']}"] if verdict["confidence"] != ("certain" if seen else "likely") else [])


def who_is_asked_and_obeys_goes_in_order():
    """A second after the daemon was told to end, which waits for that."""
    says("obeys", "poweroff", "host", "host-shutdown", True, "host-shutdown-obeyed", BY_ASK, AGAIN)


def stock_guests_too_without_a_monitor_and_by_their_button():
    ended, obeys = LINUX
    traced(ended)
    verdict = says(ended, "destroy", "host", "host-shutdown", False, "host-shutdown-ended", BY_ASK, AGAIN)
    expect([f"it is {verdict['confidence']}"] if verdict["confidence"] != "certain" else [])
    says(obeys, "poweroff", "host", "host-shutdown", True, "host-shutdown-obeyed", BY_ASK, AGAIN)


def who_is_run_by_vmpower_says_it_too():
    says("mine", "destroy", "host", "host-shutdown", False, "host-shutdown-ended", BY_ASK, AGAIN)


def who_outlives_the_daemon_ended_with_the_host():
    says("stray", "destroy", "host", "host-shutdown", False, "host-shutdown-unseen", BY_ASK, (*AGAIN, "host-restarted"))


TESTS = (
    the_host_is_up,
    the_doctor_hears_of_the_host,
    one_is_stopped_by_an_operator,
    another_over_the_bus,
    a_scheduled_shutdown_that_is_cancelled_is_nothing,
    a_shutdown_is_called_off_three_times,
    one_is_killed_by_an_operator_after_that,
    it_goes_down,
    everything_has_one_verdict,
    who_is_stopped_while_nothing_goes_down_is_an_operators,
    whoever_has_systemd_stop_one_over_the_bus_is_named,
    who_is_ended_once_it_was_called_off_is_an_operators,
    who_is_ended_by_it_says_who_asked_for_it,
    who_just_exits_then_was_ended_by_it_most_likely,
    who_is_asked_and_obeys_goes_in_order,
    *([stock_guests_too_without_a_monitor_and_by_their_button] if LINUX else []),
    who_is_run_by_vmpower_says_it_too,
    who_outlives_the_daemon_ended_with_the_host,
)

try:
    run([(function.__name__, function) for function in TESTS])
finally:
    if host:
        host.close()
    shutil.rmtree(state)
