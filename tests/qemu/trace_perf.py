#!/usr/bin/env python3
"""Who did it, where the kernel takes no programs: its tracepoints read by perf, on this very kernel with its type information hidden.

    VMPOWERD           the daemon
    VMPOWER_HOTPLUG    a CPU of this host is taken away for a moment, too
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

from trace_world import *

# The rights that perf takes, and not those that programs in the kernel take.
NO_BPF = ("setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin")
LINE = "its tracepoints are read by perf; so who sends a signal and is gone at once may be known by his pid alone"


def hiding():
    return HIDING if os.path.exists("/sys/kernel/btf") else ()


def without_programs():
    with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as file:
        if int(file.read()) > 2:
            raise Skip("kernel.perf_event_paranoid is 3, so that perf is for root with all rights alone")
    return NO_BPF


def needs_perf(world):
    if os.geteuid() != 0:
        raise Skip("only root may use the kernel's tracepoints")
    PerfCounter(world, "signal/signal_generate", 0)
    if hiding() and subprocess.run([*hiding(), "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("no mount namespace can be had")
    world.environment["VMPOWER_TRACE"] = "yes"


class Turns:
    """What fills the rings of every reader on this host has its turn alone."""

    def __init__(self):
        self.changed = threading.Condition()
        self.n, self.is_alone, self.n_waiting = 0, False, 0

    @contextlib.contextmanager
    def taken(self, alone):
        with self.changed:
            self.n_waiting += alone
            self.changed.wait_for(lambda: not self.is_alone and (not self.n if alone else not self.n_waiting))
            self.n_waiting -= alone
            self.is_alone = alone
            self.n += 1
        try:
            yield
        finally:
            with self.changed:
                self.n -= 1
                self.is_alone = False
                self.changed.notify_all()


turns = Turns()


def by_perf(sentence, alone=False):
    def register(function):
        def on_perf(world):
            needs_perf(world)
            with turns.taken(alone):
                function(world)

        test(sentence)(on_perf)
        return function

    return register


def on_kvm(sentence):
    def register(function):
        def on_perf(world):
            needs_kvm()
            function(world)

        by_perf(f"kvm: {sentence}")(on_perf)
        return function

    return register


def watching(world, within=None):
    daemon = Daemon(world, within=hiding() if within is None else within)
    daemon.stderr.wait_for(LINE)
    assert "trace_absent" not in daemon.stderr.text(), daemon.stderr.text()
    return daemon


class Stayer:
    """A shell that has been there for a while, runs a command, and is there until it is let go."""

    def __init__(self, world, words):
        self.process = popen(["sh", "-c", f"read begin; {words}; read go"], env=world.environment, stdin=subprocess.PIPE)
        time.sleep(0.02)  # two ticks of /proc's
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.pid = self.process.pid

    def let_go(self):
        self.process.communicate(b"\n")


def is_described(verdict, stayer, words, name, cgroup):
    actor = is_named(verdict, stayer.pid, name)
    assert actor["exe"] == os.path.realpath("/bin/sh"), actor
    assert actor["cmdline"] == f"sh -c 'read begin; {words}; read go'", actor
    assert actor["user"] == "root" and is_in(actor["cgroup"], cgroup) and actor.get("session", 0) == os.getsid(0), actor
    assert actor["parents"][0] == {"pid": os.getpid(), "comm": comm_of(os.getpid())}, actor


# --- signals --------------------------------------------------------------------------------------------------------


def sent_by_one_who_stays(name, rule, confidence):
    @by_perf(f"SIG{name} by a shell that stays: it is named, with what it runs, its user, and its parents")
    def sent(world):
        vm = runs(world)
        daemon = watching(world)
        enters, cgroup = enters_a_cgroup(world)
        words = f"{enters}; kill -{name} {vm.pid}"
        killer = Stayer(world, words)
        (destroyed,) = at_end(vm, daemon)
        killer.let_go()
        says(destroyed, *BY_SIGNAL, confidence=confidence, rule=rule, left="gone")
        is_described(destroyed, killer, words, "SIG" + name, cgroup)


sent_by_one_who_stays("KILL", "signal-by-someone", "certain")
sent_by_one_who_stays("TERM", "signal-exit", "likely")


@by_perf("a killer who is gone before the daemon looks is known by his pid, and by no more")
def gone(world):
    vm = runs(world)
    daemon = watching(world)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    pid = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
    os.kill(daemon.process.pid, signal.SIGCONT)
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone")
    actor = {name: value for name, value in destroyed["actor"].items() if value}
    assert actor == {"pid": pid, "via": "SIGKILL", "confidence": "likely"}, actor
    assert f"a process (pid {pid}) sent SIGKILL" in destroyed["summary"], destroyed["summary"]


@by_perf("eight killers that exit at once: each is named by his pid at least, and what else is told is right")
def many_killers(world):
    vms = [Vm(world, listens=False) for _ in range(8)]
    for vm in vms:
        vm.greets()
    daemon = watching(world)
    killers = {vm: subprocess.Popen(["/bin/kill", "-KILL", str(vm.pid)], env=world.environment) for vm in vms}
    for vm in vms:
        killers[vm].wait()
        vm.is_over()
    for vm in vms:
        daemon.wait_told(vm.name)
    daemon.stop()
    for vm in vms:
        (destroyed,) = vm.history()
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
        actor = destroyed["actor"]
        assert (actor["pid"], actor["via"]) == (killers[vm].pid, "SIGKILL"), actor
        assert actor["confidence"] in (("certain", "likely") if actor["comm"] else ("likely",)), actor
        # He may go while he is looked at.
        assert (actor["comm"], actor["uid"]) in (("kill", 0), ("kill", None), (None, None)), actor


@by_perf("a VM that the daemon found is stopped and continued: a pause and a resume, and by whom")
def stopped_and_continued(world):
    vm = runs(world)
    daemon = watching(world)
    stopper = Stayer(world, f"kill -STOP {vm.pid}")
    daemon.wait_told(vm.name)
    continuer = Stayer(world, f"kill -CONT {vm.pid}")
    daemon.wait_told(vm.name, 2)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name, 3)
    stopper.let_go()
    continuer.let_go()
    daemon.stop()
    pause, resume, _ = vm.history()
    says(pause, "pause", "operator", "signal", None, rule="signal-stop", left="paused")
    is_named(pause, stopper.pid, "SIGSTOP")
    says(resume, "resume", "operator", "signal", None, rule="signal-cont", left="running")
    is_named(resume, continuer.pid, "SIGCONT")


@by_perf("a signal to one of a VM's threads is the VM's")
def to_a_thread(world):
    vm = runs(world)
    daemon = watching(world)
    thread = max(int(name) for name in os.listdir(f"/proc/{vm.pid}/task"))
    assert thread != vm.pid
    os.kill(thread, signal.SIGSTOP)
    daemon.wait_told(vm.name)
    vm.signal(signal.SIGKILL)
    pause, _ = at_end(vm, daemon, 2)
    says(pause, "pause", "operator", "signal", None, rule="signal-stop", left="paused")
    assert pause["actor"]["pid"] == os.getpid(), pause["actor"]


@by_perf("`vmpower run`: the sender of a SIGKILL")
def run_names_it(world):
    run = world.run(*probe("idle"), within=hiding())
    run.stdout.wait_for("probe: idle")
    words = f"kill -KILL {run.vm_pid()}"
    killer = Stayer(world, words)
    assert run.wait() == DESTROYED
    killer.let_go()
    (destroyed,) = world.history("vm")
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_described(destroyed, killer, words, "SIGKILL", cgroup_of(os.getpid()))


@by_perf("more signals than the rings hold, while the daemon is held: that some were lost is a gap, and evidence", alone=True)
def lost(world):
    vm = runs(world)
    daemon = watching(world)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    loop = f"i=0; while [ $i -lt 6000 ]; do kill -CONT {vm.pid}; i=$((i + 1)); done; kill -KILL {vm.pid}"
    by_another(world, "taskset", "-c", str(min(os.sched_getaffinity(0))), "sh", "-c", loop)
    os.kill(daemon.process.pid, signal.SIGCONT)
    vm.is_over()
    daemon.wait_told(vm.name)
    daemon.stop()
    # The SIGKILL itself was among them: nobody is named, nor what ended it where nobody else saw that.
    destroyed = vm.history()[-1]
    assert destroyed["rule"] in ("kill-unseen", "vanished") and not destroyed["actor"], destroyed
    (gap,) = evidence_of(destroyed, "gap", "trace")
    assert "of the kernel's records, about it or others, were lost" in gap["data"]["reason"], gap


# Sends signals that each arrive, as fast as it can, to processes of its own, which take none of them.
OTHERS = """
import os, signal, sys, time
FATAL = [1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 15, 24, 25, 31]
signal.pthread_sigmask(signal.SIG_BLOCK, FATAL)
children = []
for _ in range(int(sys.argv[1])):
    children.append(os.fork())
    if not children[-1]:
        signal.pause()
began = time.monotonic()
for child in children:
    for number in FATAL:
        os.kill(child, number)
print(time.monotonic() - began, flush=True)
os.read(0, 1)
for child in children:
    os.kill(child, signal.SIGKILL)
"""


@by_perf("of what other processes send each other only so much a second is looked into", alone=True)
def others(world):
    daemon = watching(world)
    # What else is sent to VMs on this host meanwhile is looked into, too.
    for _ in range(4):
        (few, _), (many, took) = [reads_for(world, daemon, count) for count in (7, 70)]
        if many < 2 * few * (1 + int(took)):
            break
    daemon.stop()
    assert 98 < few and many < 2 * few * (1 + int(took)), (few, many, took)


def reads_for(world, daemon, count):
    """How much it reads when `count` others are sent signals, and how long they are."""
    time.sleep(1.1)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    before = reads_of(daemon.process.pid)
    others = popen([sys.executable, "-c", OTHERS, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    took = float(others.stdout.readline())
    os.kill(daemon.process.pid, signal.SIGCONT)
    time.sleep(0.5)
    reads = reads_of(daemon.process.pid) - before
    others.communicate(b"\n")
    return reads, took


def reads_of(pid):
    """How often it has read a file of /proc, or anything else."""
    return int(read_proc(pid, "io").split()[5])


@by_perf("the OOM killer's victim, in its cgroup: the host's doing, certainly, and no suicide")
def oom(world):
    the_oom_killer_takes_it(world, watching, is_looked_up=True)


@by_perf("without the right to programs in the kernel, but to perf, senders are named")
def without_bpf(world):
    vm = runs(world)
    daemon = watching(world, within=without_programs())
    daemon.stderr.wait_for("there is no right to it (root, or CAP_BPF and CAP_PERFMON): " + LINE)
    killer = Stayer(world, f"kill -KILL {vm.pid}")
    (destroyed,) = at_end(vm, daemon)
    killer.let_go()
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_named(destroyed, killer.pid, "SIGKILL")


# --- KVM ------------------------------------------------------------------------------------------------------------


guests_go(on_kvm, watching)


@on_kvm("`vmpower run` says how its guest was reset: QEMU that it was, the kernel by which port")
def run_knows_how(world):
    run = world.run(*probe("reset-cf9", then="s5", accelerator="kvm"), within=hiding())
    assert run.wait() == 0
    reboot, off = world.history("vm")
    says(reboot, "reboot", "guest", "reset-cf9", None, rule="reset-cf9", left="running", revises=None)
    assert [item["source"] for item in reboot["evidence"] if item["proof"]] == ["trace", "qmp"]
    says(off, "poweroff", "guest", "acpi-s5", True, rule="guest-poweroff", left="gone")


@on_kvm("a signal that was sent before the VM was known has its sender")
def before_it_was_watched(world):
    daemon = watching(world)
    vm = runs(world, accelerator="kvm")
    # Whoever has just been found may be watched already: a daemon that was held has found nobody yet.
    os.kill(daemon.process.pid, signal.SIGSTOP)
    late = runs(world, accelerator="kvm")
    killer = Stayer(world, f"kill -STOP {late.pid}; kill -TERM {late.pid}")
    wait_for_state(late.pid, "T")
    os.kill(daemon.process.pid, signal.SIGCONT)
    wait_listed(world, late.name)
    os.kill(late.pid, signal.SIGCONT)
    late.is_over()
    daemon.wait_told(late.name)
    killer.let_go()
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    destroyed = late.history()[-1]
    says(destroyed, *BY_SIGNAL, confidence="likely", rule="signal-exit")
    is_named(destroyed, killer.pid, "SIGTERM")


def wait_for_state(pid, letter):
    deadline = time.monotonic() + PATIENCE
    while state_of(pid)[0] != letter:
        assert time.monotonic() < deadline, state_of(pid)
        time.sleep(0.01)


# --- births ---------------------------------------------------------------------------------------------------------


@by_perf("VMs without KVM that start after the daemon are found, the child that -daemonize leaves, too")
def are_found(world):
    daemon = watching(world)
    vm = runs(world)
    name, pidfile = f"t{os.getpid()}-perf-daemonized", world.path("pid")
    by_another(world, *probe("idle", serial=False), "-name", name, "-daemonize", "-pidfile", pidfile)
    pid = int(open(pidfile).read())
    assert wait_listed(world, vm.name)["instance"] == vm.instance
    assert wait_listed(world, name)["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(name)
    daemon.wait_told(vm.name)
    daemon.stop()


# --- what it says, and what it costs --------------------------------------------------------------------------------


def doctor_tells(world, within, why, repair):
    process = popen([*within, VMPOWER, "doctor", "--quick", "--json"], env=world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    checks = {check["name"]: check for check in json.loads(process.communicate()[0])["checks"]}
    senders, exits = checks["trace-senders"], checks["trace-exits"]
    assert senders["works"] is exits["works"] is False, checks
    assert why in senders["found"] and senders["found"].endswith("read by perf"), senders
    assert senders["costs"] == "who sends a signal and is gone at once may be known by his pid alone", senders
    assert exits["found"].startswith("sched_process_exit, read by perf, has no exit status"), exits
    assert senders["repair"].startswith(repair) and exits["repair"].startswith(repair), (senders, exits)
    assert checks["trace-signals"]["found"] == "a process was killed, and its killer seen", checks
    found = checks["trace-oom"]["found"]
    assert found.endswith("taken by the OOM killer, and seen to be") or found.startswith("its tracepoint is read by perf; not tried: "), found


@by_perf("without type information vmpower doctor says which way the kernel is read, what that costs, and what repairs it")
def told(world):
    doctor_tells(world, hiding(), "no type information", "boot a kernel with CONFIG_DEBUG_INFO_BTF=y")


@by_perf("without the right to programs in the kernel vmpower doctor says so, and what repairs it")
def told_without_right(world):
    doctor_tells(world, without_programs(), "no right to it", "run it with CAP_BPF, which this root has not")


@by_perf("a perf reader of signal:signal_generate sees every event while vmpower does")
def perf_sees_all(world):
    a_perf_reader_sees_all(world, watching)


@by_perf("of its rights the daemon keeps the one to perf, for CPUs that come, and not the one to programs")
def rights(world):
    daemon = watching(world)
    (has,) = re.findall(r"^CapPrm:\s*(\w+)$", read_proc(daemon.process.pid, "status").decode(), re.MULTILINE)
    assert int(has, 16) >> 38 & 3 == 1, has  # CAP_PERFMON, CAP_BPF
    daemon.stop()


def put(path, word):
    with open(path, "w", encoding="ascii") as file:
        file.write(word)


@by_perf("a CPU that was gone for a while: who sends a signal there is named")
def hotplug(world):
    if not os.environ.get("VMPOWER_HOTPLUG"):
        raise Skip("a CPU is taken away only for who wants that ($VMPOWER_HOTPLUG)")
    with open("/sys/devices/system/cpu/present", encoding="ascii") as file:
        number = re.split("[-,]", file.read().strip())[-1]
    path = f"/sys/devices/system/cpu/cpu{number}/online"
    with open(path, encoding="ascii") as file:
        was = file.read().strip()
    world.later(put, path, was)
    vm = runs(world)
    daemon = watching(world)
    if was == "1":
        put(path, "0")
    put(path, "1")
    time.sleep(0.5)  # nothing tells that the daemon has heard of it
    killer = Stayer(world, f"taskset -cp {number} $$ >/dev/null; kill -KILL {vm.pid}")
    (destroyed,) = at_end(vm, daemon)
    killer.let_go()
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_named(destroyed, killer.pid, "SIGKILL")


@by_perf("what is no VM's business is not read, nor takes room: other signals, programs, and processes that end", alone=True)
def not_read(world):
    vm = runs(world)
    daemon = watching(world)
    # More than the rings would hold of them.
    os.kill(daemon.process.pid, signal.SIGSTOP)
    loop = f"i=0; while [ $i -lt 6000 ]; do kill -WINCH {vm.pid}; i=$((i + 1)); done; for i in $(seq 20); do /bin/true; done"
    by_another(world, "taskset", "-c", str(min(os.sched_getaffinity(0))), "sh", "-c", loop)
    killer = Stayer(world, f"kill -KILL {vm.pid}")
    vm.is_over()
    os.kill(daemon.process.pid, signal.SIGCONT)
    daemon.wait_told(vm.name)
    killer.let_go()
    daemon.stop()
    (destroyed,) = vm.history()
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_named(destroyed, killer.pid, "SIGKILL")
    assert not evidence_of(destroyed, "gap", "trace"), destroyed["evidence"]


if __name__ == "__main__":
    sys.exit(main())
