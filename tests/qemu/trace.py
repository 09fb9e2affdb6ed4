#!/usr/bin/env python3
"""Who did it, and how: what the kernel's tracepoints tell of VMs that vmpower holds no monitor of, on this very kernel.

    VMPOWERD           the daemon
    VMPOWER_HAS_TRACE  0: this vmpower was built without it
    VMPOWER_SOAK       a thousand killers, not fifty
"""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time

from trace_world import *

KVM_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kvm_program.py")

def needs_trace(world):
    if os.environ.get("VMPOWER_HAS_TRACE") == "0":
        raise Skip("vmpower was built without libbpf")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        raise Skip("this kernel has no BTF")
    if os.geteuid() != 0:
        raise Skip("only root may use the kernel's tracepoints")
    world.environment["VMPOWER_TRACE"] = "yes"


def traced(sentence):
    """A test that needs the tracepoints."""

    def register(function):
        def on_trace(world):
            needs_trace(world)
            function(world)

        test(sentence)(on_trace)
        return function

    return register


def on_kvm(sentence):
    def register(function):
        def on_trace(world):
            needs_trace(world)
            needs_kvm()
            function(world)

        test(f"kvm: {sentence}")(on_trace)
        return function

    return register


def watching(world):
    daemon = Daemon(world)
    assert "trace" not in daemon.stderr.text(), daemon.stderr.text()
    return daemon


# --- signals --------------------------------------------------------------------------------------------------------


def sent_by_another(name, rule, confidence):
    @traced(f"SIG{name} by a shell that is gone at once: the shell is named, and what it ran")
    def sent(world):
        vm = runs(world)
        daemon = watching(world)
        enters, cgroup = enters_a_cgroup(world)
        words = f"{enters}; kill -{name} {vm.pid}"
        pid = by_another(world, "sh", "-c", words)
        (destroyed,) = at_end(vm, daemon)
        says(destroyed, *BY_SIGNAL, confidence=confidence, rule=rule, left="gone")
        actor = is_named(destroyed, pid, "SIG" + name)
        assert actor["exe"] == os.path.realpath("/bin/sh"), actor
        assert actor["cmdline"] == f"sh -c '{words}'", actor
        assert actor["parents"][0] == {"pid": os.getpid(), "comm": comm_of(os.getpid())}, actor
        assert actor["user"] == "root" and is_in(actor["cgroup"], cgroup), (actor, cgroup)


for killing in ("KILL", "SEGV", "ABRT", "QUIT", "USR2", "PWR"):
    sent_by_another(killing, "signal-by-someone", "certain")
for asking in ("TERM", "INT", "HUP"):
    sent_by_another(asking, "signal-exit", "likely")


@traced("a VM that the daemon found is stopped and continued: a pause and a resume, and by whom")
def stopped_and_continued(world):
    vm = runs(world)
    daemon = watching(world)
    stopper = by_another(world, "sh", "-c", f"kill -STOP {vm.pid}")
    daemon.wait_told(vm.name)
    continuer = by_another(world, "sh", "-c", f"kill -CONT {vm.pid}")
    daemon.wait_told(vm.name, 2)
    vm.signal(signal.SIGKILL)
    pause, resume, _ = at_end(vm, daemon, 3)
    says(pause, "pause", "operator", "signal", None, rule="signal-stop", left="paused")
    is_named(pause, stopper, "SIGSTOP")
    says(resume, "resume", "operator", "signal", None, rule="signal-cont", left="running")
    is_named(resume, continuer, "SIGCONT")


@traced("how a VM is follows each stop of its process at once, however many; one that its monitor has stopped stays paused when it goes on")
def stopped_often(world):
    vm = runs(world)
    daemon = watching(world)
    attached(world, vm)

    def sent(number, state):
        began = time.monotonic()
        os.kill(vm.pid, number)
        wait_listed(world, vm.name, lambda told: told["state"] == state)
        assert time.monotonic() - began < 8, "the tally has let out, after ten seconds, what it held"

    for _ in range(12):
        sent(signal.SIGSTOP, "paused")
        sent(signal.SIGCONT, "running")
    vm.own.ask("stop")
    wait_listed(world, vm.name, lambda told: told["state"] == "paused")
    os.kill(vm.pid, signal.SIGSTOP)
    os.kill(vm.pid, signal.SIGCONT)
    assert vm.own.status() == "paused" and listed(world, vm.name)["state"] == "paused"
    vm.signal(signal.SIGKILL)
    daemon.stderr.wait_for(f"vmpowerd: {vm.name} was destroyed")
    daemon.stop()
    assert [v["left"] for v in vm.history()[-4:-1]] == 3 * ["paused"], vm.history()[-4:]


@traced("^C on the terminal that a VM runs in is of who sits there: the session's leader")
def terminal(world):
    daemon = watching(world)
    pid, terminal_fd = pty.fork()
    if pid == 0:
        name = f"t{os.getpid()}-c"
        words = [*probe("idle", serial=False), "-serial", "file:" + world.path("serial"), "-name", name]
        os.execve("/bin/sh", ["sh", "-c", "trap : INT; " + " ".join(words) + "; exit 7"], world.environment)
    name = f"t{pid}-c"
    world.later(os.close, terminal_fd)
    wait_for_content(world.path("serial"), "probe: idle")
    (vm,) = [child for child in descendants_of(pid) if comm_of(child).startswith("qemu")]
    assert wait_listed(world, name)["pid"] == vm
    os.write(terminal_fd, b"\x03")
    wait_for_end(vm)
    daemon.wait_told(name)
    wait_for_end(pid)
    reap_orphans()
    daemon.stop()
    (destroyed,) = world.history(name)
    says(destroyed, *BY_SIGNAL, confidence="likely", rule="signal-exit")
    actor = destroyed["actor"]
    assert (actor["pid"], actor["via"], actor["comm"], actor["uid"], actor["confidence"]) == (pid, "SIGINT", "sh", 0, "likely"), actor


@traced("^Z on the terminal that a VM runs in, and its shell's `fg`: a pause and a resume, by the shell")
def job_control(world):
    daemon = watching(world)
    pid, terminal_fd = pty.fork()
    if pid == 0:
        words = [*probe("idle", serial=False), "-serial", "file:" + world.path("serial"), "-name", f"t{os.getpid()}-z"]
        os.execve("/bin/bash", ["bash", "-c", f"set -m; {' '.join(words)}; read line; fg; exit 7"], world.environment)
    name = f"t{pid}-z"
    world.later(os.close, terminal_fd)
    wait_for_content(world.path("serial"), "probe: idle")
    vm = wait_listed(world, name)["pid"]
    os.write(terminal_fd, b"\x1a")
    daemon.wait_told(name)
    assert listed(world, name)["state"] == "paused"
    os.write(terminal_fd, b"\n")
    daemon.wait_told(name, 2)
    os.kill(vm, signal.SIGKILL)
    daemon.wait_told(name, 3)
    wait_for_end(pid)
    reap_orphans()
    daemon.stop()
    pause, resume, _ = world.history(name)
    says(pause, "pause", "operator", "signal", None, rule="signal-stop", left="paused")
    assert (pause["actor"]["pid"], pause["actor"]["via"], pause["actor"]["confidence"]) == (pid, "SIGTSTP", "likely"), pause["actor"]
    says(resume, "resume", "operator", "signal", None, rule="signal-cont", left="running")
    is_named(resume, pid, "SIGCONT", "bash")


@traced("a monitor's word and the kernel's: a SIGTERM is certain, and so is its sender")
def monitored(world):
    vm = runs(world)
    daemon = watching(world)
    attached(world, vm)
    pid = by_another(world, "sh", "-c", f"kill {vm.pid}")
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, *BY_SIGNAL, rule="signal-asked", left="gone")
    is_named(destroyed, pid, "SIGTERM")


@traced("a VMM that dies of its own fault has nobody's signal")
def own_fault(world):
    dies_of_its_own_fault(world, watching, runs)


one_fifty = threading.Lock()  # twice as many are too much for a slow machine


def many_killers(number):
    @traced(f"{number}: fifty killers that exit at once: each is named, every time")
    def named(world):
        with one_fifty:
            are_named(world)

    def are_named(world):
        vms = []
        for _ in range(10):  # at a time, as many as a slow machine can bear
            vms += [Vm(world, listens=False) for _ in range(5)]
            for vm in vms[-5:]:
                vm.greets()
        daemon = watching(world)
        killers = {vm: subprocess.Popen(["/bin/kill", "-KILL", str(vm.pid)], env=world.environment) for vm in vms}
        for vm in vms:
            killers[vm].wait()
            vm.is_over()
        for vm in vms:
            daemon.wait_told(vm.name)
        daemon.stop()
        history = world.history()
        for vm in vms:
            (destroyed,) = [verdict for verdict in history if verdict["vm"]["instance"] == vm.instance]
            says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
            actor = is_named(destroyed, killers[vm].pid, "SIGKILL", "kill")
            assert actor["cmdline"] == f"/bin/kill -KILL {vm.pid}", actor


for turn in range(20 if os.environ.get("VMPOWER_SOAK") else 1):
    many_killers(turn + 1)


@traced("a killer deep in other programs, of another user: its parents are shown")
def deep_killer(world):
    vm = runs(world)
    daemon = watching(world)
    inner = f"sh -c \"kill -KILL {vm.pid}; :\"; :"
    user = ["setpriv", "--reuid=65534", "--inh-caps=+kill", "--ambient-caps=+kill"]
    outer = by_another(world, "setsid", "sh", "-c", f"{' '.join(user)} sh -c '{inner}'; :", start_new_session=False)
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    actor = destroyed["actor"]
    assert (actor["uid"], actor["user"], actor["comm"]) == (65534, "nobody", "sh"), actor
    parents = [parent["comm"] for parent in actor["parents"]]
    assert parents[:2] == ["sh", "sh"] and actor["session"] == outer, actor
    # Beyond the leader of his session, too: who has begun that one is who is looked for.
    assert [parent["pid"] for parent in actor["parents"][1:3]] == [outer, os.getpid()], actor


@on_kvm("a signal that was sent before the VM was known has its sender")
def before_it_was_watched(world):
    daemon = watching(world)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    vm = runs(world, accelerator="kvm")
    os.kill(vm.pid, signal.SIGSTOP)
    pid = by_another(world, "sh", "-c", f"kill -TERM {vm.pid}")
    os.kill(daemon.process.pid, signal.SIGCONT)
    while not listed(world, vm.name):
        pass
    os.kill(vm.pid, signal.SIGCONT)
    resumed, destroyed = at_end(vm, daemon, 2)
    says(destroyed, *BY_SIGNAL, confidence="likely", rule="signal-exit")
    is_named(destroyed, pid, "SIGTERM")
    # It was stopped already when it was found.
    says(resumed, "resume", "operator", "signal", None, rule="signal-cont")
    is_named(resumed, os.getpid(), "SIGCONT", "python3")


def only_child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        (child,) = file.read().split()
    return int(child)


@traced("a VMM that is bound to another process: it is whoever killed that one who is named, or that one, which ended")
def bound_to_another(world):
    daemon = watching(world)
    bound = 'setpriv --pdeathsig KILL "$@" & echo $!; read line; exit 0'
    inside = 'exec unshare --pid --fork sh -c \'"$@" & read line; exit 0\' sh "$@"'
    for number, (script, is_killed) in enumerate([(bound, True), (bound, False), (inside, True), (inside, False)]):
        name = f"bound-{number}"
        first = popen(
            ["sh", "-c", script, "sh", *probe("idle", None, serial=False), "-name", name], env=world.environment,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_listed(world, name)
        pid = first.pid if script == bound else only_child_of(first.pid)
        if is_killed:
            killer = by_another(world, "sh", "-c", f"kill -KILL {pid}")
        first.stdin.close()
        first.wait()
        daemon.wait_told(name)
        (destroyed,) = world.history(name)
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone", confidence="certain", left="gone")
        if is_killed:
            is_named(destroyed, killer, f"SIGKILL to {pid}")
            assert f"process {pid}, whose end took the VMM along" in destroyed["summary"], destroyed["summary"]
        else:
            is_named(destroyed, pid, "SIGKILL by ending")
            assert "by ending itself" in destroyed["summary"], destroyed["summary"]
    daemon.stop()


@traced("a VM that is sent signals without end: the daemon answers, and others' senders are named")
def flooded(world):
    vm, other = runs(world), runs(world)
    daemon = watching(world)
    flood = popen([sys.executable, "-c", f"import os\nwhile True: os.kill({vm.pid}, 18)"], env=world.environment)
    for _ in range(5):
        assert world.vmpower("status").returncode == 0
    # While nobody reads, others have what room the flood leaves.
    os.kill(daemon.process.pid, signal.SIGSTOP)
    time.sleep(0.3)
    pid = by_another(world, "sh", "-c", f"kill -KILL {other.pid}")
    os.kill(daemon.process.pid, signal.SIGCONT)
    daemon.wait_told(other.name)
    killer = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
    flood.kill()
    flood.wait()
    daemon.wait_told(vm.name)
    daemon.stop()
    is_named(other.history()[0], pid, "SIGKILL")
    (destroyed,) = vm.history()
    is_named(destroyed, killer, "SIGKILL")
    assert evidence_of(destroyed, "gap", "trace"), destroyed["evidence"]
    assert not evidence_of(other.history()[0], "gap", "trace")


@traced("`vmpower run`: the sender of a SIGKILL")
def run_names_it(world):
    run = world.run(*probe("idle"))
    run.stdout.wait_for("probe: idle")
    pid = by_another(world, "sh", "-c", f"kill -KILL {run.vm_pid()}")
    assert run.wait() == DESTROYED
    (destroyed,) = world.history("vm")
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_named(destroyed, pid, "SIGKILL")


@traced("`vmpower run`: who kills its QEMU as soon as that is a process, before it is one")
def run_names_it_at_once(world):
    for i in range(5):
        name = f"vm{i}"
        run = world.run(*probe("idle"), name=name)
        while not (pid := read_proc(run.pid, f"task/{run.pid}/children")):
            assert run.process.poll() is None, run.stderr.text()
        killer = by_another(world, "sh", "-c", f"kill -KILL {int(pid)}")
        assert run.wait() == DESTROYED
        (destroyed,) = world.history(name)
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone", confidence="certain")
        is_named(destroyed, killer, "SIGKILL")
        assert not evidence_of(destroyed, "gap", "trace"), destroyed["evidence"]


@traced("`vmpower run` of a user beside root's daemon: he may not see who sends a signal, and the daemon tells")
def beside_a_daemon(world):
    daemon = watching(world)
    os.chmod(world.directory, 0o711)
    for path in (world.path("his"), os.path.join(world.rundir, "run")):
        os.makedirs(path, 0o700, exist_ok=True)
        os.chown(path, 65534, 65534)
    for source, name in ((VMPOWER, "vmpower"), (os.path.join(GUESTS, "probe.rom"), "probe.rom")):
        shutil.copy(source, world.path(name))
        os.chmod(world.path(name), 0o755)
    command = [world.path("probe.rom") if word.endswith("probe.rom") else word for word in probe("idle")]
    run = popen(
        [world.path("vmpower"), "run", "--name", "his", "--", *command],
        env={**world.environment, "VMPOWER_STATE_DIR": world.path("his"), "HOME": world.path("his")},
        user=65534, group=65534, extra_groups=[], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = Stream(run.stdout.fileno()), Stream(run.stderr.fileno())
    out.wait_for("probe: idle")
    while not (told := listed(world, "his")):
        assert run.poll() is None, err.text()
    assert "trace" in told["sources"], told
    pid = by_another(world, "sh", "-c", f"kill -KILL {told['pid']}")
    assert run.wait() == DESTROYED, err.text()
    daemon.wait_told("his")
    daemon.stop()
    for stream in (out, err):
        stream.wait_for_end()
    run.stdout.close()
    run.stderr.close()
    (destroyed,) = world.history("his")
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")
    is_named(destroyed, pid, "SIGKILL")


@traced("`vmpower run` is killed and its VM with it, beside a daemon: one verdict, and who did it")
def killed_with_its_run(world):
    daemon = watching(world)
    for i, words in enumerate(("kill -KILL {run} {vm}", "kill -KILL {vm} {run}", "kill -KILL {run}; sleep 0.005; kill -KILL {vm}")):
        run = world.run(*probe("idle"), name=f"vm{i}")
        run.stdout.wait_for("probe: idle")
        wait_listed(world, run.name, lambda told: told)
        pid = by_another(world, "sh", "-c", words.format(run=run.pid, vm=run.vm_pid()))
        run.wait()
        daemon.wait_told(run.name)
        (destroyed,) = world.history(run.name)
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone")
        is_named(destroyed, pid, "SIGKILL")
    daemon.stop()
    reap_orphans()
    forget_sockets(world)


# --- the OOM killer -------------------------------------------------------------------------------------------------


@traced("the OOM killer's victim, in its cgroup: the host's doing, certainly, and no suicide")
def oom(world):
    the_oom_killer_takes_it(world, watching)


# --- KVM ------------------------------------------------------------------------------------------------------------


guests_go(on_kvm, watching)


@on_kvm("a reset that ends the VM (-no-reboot) is a reboot that left it gone")
def no_reboot(world):
    vm = held(world, "-no-reboot", action="reset-8042")
    daemon = watching(world)
    vm.own.send("cont")
    (reboot,) = at_end(vm, daemon)
    says(reboot, "reboot", "guest", "reset-8042", None, rule="reset-8042", left="gone")


@on_kvm("off and held (-no-shutdown) is likely of a VM whose monitor nobody holds; whoever kills it later is told, for it may have run again")
def held_and_killed(world):
    vm = held(world, "-no-shutdown", action="s5")
    daemon = watching(world)
    vm.own.send("cont")
    daemon.wait_told(vm.name)
    time.sleep(1.2)  # what ends it at once clears it away
    pid = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
    vm.is_over()
    daemon.wait_told(vm.name, 2)
    daemon.stop()
    off, destroyed = vm.history()
    says(off, "poweroff", "guest", "acpi-s5", True, rule="guest-poweroff", left="off", confidence="likely")
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone", confidence="likely")
    is_named(destroyed, pid, "SIGKILL")


@on_kvm("while its monitor is held QEMU tells of a reset, and the kernel in which way; once it is given back the kernel tells of all")
def held_and_given_back(world):
    vm, other = held(world, action="reset-8042"), held(world, action="s5")
    daemon = watching(world)
    attached(world, vm)
    attached(world, other)
    assert world.vmpower("detach", other.name).returncode == 0
    vm.own.send("cont")
    daemon.wait_told(vm.name, 2)
    vm.own.quit()
    vm.is_over()
    other.own.send("cont")
    (off,) = at_end(other, daemon)
    says(off, "poweroff", "guest", "acpi-s5", True, rule="guest-poweroff", left="gone", actor=None)
    assert evidence_of(off, "shutdown", "trace")
    reboot = vm.history()[1]
    says(reboot, "reboot", "guest", "reset-8042", None, rule="reset-8042", left="running")
    assert evidence_of(reboot, "reset", "qmp") and not evidence_of(reboot, "reset", "trace"), reboot["evidence"]


@on_kvm("`vmpower run` says how its guest was reset: QEMU that it was, the kernel in which way")
def run_knows_how(world):
    run = world.run(*probe("triple-fault", then="idle", accelerator="kvm"))
    run.wait_verdict(transition="reboot")
    os.kill(run.vm_pid(), signal.SIGKILL)
    assert run.wait() == DESTROYED
    reboot, destroyed = world.history("vm")
    says(reboot, "reboot", "guest", "triple-fault", None, rule="triple-fault", left="running", revises=None)
    assert [item["source"] for item in reboot["evidence"] if item["proof"]] == ["trace", "qmp"]
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone")


@on_kvm("a program that is no QEMU is found with its first vCPU, and who kills it then is named; who only asks what KVM can do is no VM")
def of_another_program(world):
    daemon = watching(world)
    asks, runs = (popen([sys.executable, KVM_PROGRAM, what], env=world.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for what in ("asks", "runs"))
    for program in (asks, runs):
        assert program.stdout.readline() == b"ready\n"
    asked, instance = (f"{boot_id()}:{program.pid}:{start_time_of(program.pid)}" for program in (asks, runs))
    deadline = time.monotonic() + PATIENCE
    while not rows(world, "SELECT id FROM vm WHERE instance = ?", instance):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killer = by_another(world, "sh", "-c", f"kill -KILL {runs.pid}")
    runs.communicate()
    time.sleep(1.2)  # all looks at who asks
    asks.communicate()
    daemon.stop()
    assert rows(world, "SELECT name FROM vm WHERE instance = ?", asked) == []
    (destroyed,) = [verdict for verdict in world.history() if verdict["vm"]["instance"] == instance]
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone", confidence="certain")
    is_named(destroyed, killer, "SIGKILL")


def found_within(world, delay, seconds):
    """How long after its vCPU a program is found that makes that so long after its VM."""
    program = popen([sys.executable, KVM_PROGRAM, "runs", str(delay)], env=world.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout.readline() == b"ready\n"
    began, took = time.monotonic(), 0
    instance = f"{boot_id()}:{program.pid}:{start_time_of(program.pid)}"
    while took < seconds and not rows(world, "SELECT id FROM vm WHERE instance = ?", instance):
        time.sleep(0.01)
        took = time.monotonic() - began
    program.kill()
    program.communicate()
    return took


@on_kvm("a program that is no QEMU and takes its time to make a vCPU is found once it has one: by the second look, or by the last")
def of_a_slow_program(world):
    daemon = watching(world)
    # A busy machine is late, and not each time.
    assert any(found_within(world, 0.04, 2) < 0.6 for _ in range(5))
    assert found_within(world, 0.3, PATIENCE) < PATIENCE
    daemon.stop()


# --- while the daemon is away ---------------------------------------------------------------------------------------


@traced("whom somebody stops, or lets go on, while no daemon sees it is found so; who stands still when it is first seen is paused")
def stopped_unseen(world):
    stopped, going_on = runs(world), runs(world)
    daemon = watching(world)
    os.kill(going_on.pid, signal.SIGSTOP)
    daemon.wait_told(going_on.name)
    daemon.stop()
    os.kill(stopped.pid, signal.SIGSTOP)
    os.kill(going_on.pid, signal.SIGCONT)
    new = runs(world)
    os.kill(new.pid, signal.SIGSTOP)
    daemon = watching(world)
    daemon.wait_told(stopped.name)
    daemon.wait_told(going_on.name)
    assert [listed(world, vm.name)["state"] for vm in (stopped, going_on, new)] == ["paused", "running", "paused"]
    for vm in (stopped, new):
        os.kill(vm.pid, signal.SIGCONT)
    daemon.wait_told(stopped.name, 2)
    daemon.wait_told(new.name)
    daemon.stop()
    for vm in (stopped, going_on, new):
        vm.signal(signal.SIGKILL)
    paused, resumed = stopped.history()
    says(paused, "pause", "operator", "signal", None, left="paused", actor=None)
    assert evidence_of(paused, "gap") and "somebody sent a signal to its VMM" in paused["summary"], paused
    says(resumed, "resume", "operator", "signal", None, left="running")
    assert resumed["actor"]["pid"] == os.getpid(), resumed["actor"]
    _, resumed = going_on.history()
    says(resumed, "resume", "operator", "signal", None, left="running", actor=None)
    (resumed,) = new.history()
    says(resumed, "resume", "operator", "signal", None, left="running")


@on_both_ends("who kills or stops its VMs meanwhile is known, and how one has exited that was reaped, whoever asks before it is back")
def killed_meanwhile(world, end):
    needs_trace(world)
    killed, stopped, attached_too = vms = [runs(world) for _ in range(3)]
    failing = Vm(world, "-incoming", "defer", listens=False)
    failing.own.connect()
    manager = ServiceManager(world)
    daemon = manager.start()
    attached(world, attached_too)
    end(daemon)
    pids = [by_another(world, "sh", "-c", f"kill -{name} {vm.pid}") for vm, name in zip(vms, ("KILL", "STOP", "KILL"))]
    killed.is_over()
    attached_too.is_over()
    failing.own.send("migrate-incoming", uri="exec:echo no migration")
    assert failing.is_over() == 1
    reading_takes_no_word_from_the_daemon(world, killed)
    daemon = manager.start()
    for vm in (*vms, failing):
        daemon.wait_told(vm.name)
    stopped.signal(signal.SIGKILL)
    daemon.wait_told(stopped.name, 2)
    manager.end(daemon)
    (failed,) = failing.history()
    says(failed, "failure", "vmm", "process-exit", False, rule="vmm-failed", left="gone", confidence="certain", actor=None)
    (exited,) = evidence_of(failed, "exited")
    assert (exited["source"], exited["data"]["exit_status"], exited["proof"]) == ("trace", 1, True), exited
    for vm, pid in ((killed, pids[0]), (attached_too, pids[2])):
        (destroyed,) = vm.history()
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone", confidence="certain")
        is_named(destroyed, pid, "SIGKILL")
    paused = stopped.history()[0]
    says(paused, "pause", "operator", "signal", None, left="paused", confidence="certain")
    is_named(paused, pids[1], "SIGSTOP")


def goes_meanwhile(action, row, rule, left):
    @on_kvm(f"a guest's {action} while the daemon is away is told afterwards")
    def went(world):
        vm = held(world, action=action)
        manager = ServiceManager(world)
        manager.start().kill()
        vm.own.send("cont")
        if left == "gone":
            vm.is_over()
        else:
            vm.own.wait_event("RESET")
        daemon = manager.start()
        daemon.wait_told(vm.name)
        if left != "gone":
            vm.own.quit()
            vm.is_over()
            daemon.wait_told(vm.name, 2)
        manager.end(daemon)
        says(vm.history()[0], *row, rule=rule, left=left)


goes_meanwhile("s5", ("poweroff", "guest", "acpi-s5", True), "guest-poweroff", "gone")
goes_meanwhile("reset-8042", ("reboot", "guest", "reset-8042", None), "reset-8042", "running")


@traced("daemons come and go, and leave nothing behind in the kernel")
def nothing_is_left_behind(world):
    manager = ServiceManager(world)
    n_kept = None
    for _ in range(3):
        daemon = manager.start()
        kept = sorted(name for name in manager.kept if name.startswith("t."))
        assert len(kept) >= 4 and n_kept in (None, len(kept)), (kept, n_kept)
        n_kept = len(kept)
        daemon.stop()
    manager.end(manager.start())


# --- births ---------------------------------------------------------------------------------------------------------


@traced("a VM without KVM that starts after the daemon is found, and who killed it")
def is_found(world):
    daemon = watching(world)
    vm = runs(world)
    assert wait_listed(world, vm.name)["instance"] == vm.instance
    pid = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone")
    is_named(destroyed, pid, "SIGKILL")


def goes_by_another_name(world, accelerator):
    daemon = watching(world)
    qemu, *words = probe("idle", accelerator=accelerator, serial=False)
    link, name = world.path("web"), f"t{os.getpid()}-{accelerator}-renamed"
    os.symlink(shutil.which(qemu), link)
    process = popen([link, *words, "-name", name], env=world.environment, stdin=subprocess.DEVNULL)
    found = wait_listed(world, name)
    assert (found["pid"], found["backend"]) == (process.pid, "qemu"), found
    process.kill()
    process.wait()
    daemon.wait_told(name)
    daemon.stop()


@traced("a QEMU without KVM that was started by a link of another name is found as what it is")
def link_is_found(world):
    goes_by_another_name(world, "tcg")


@on_kvm("a QEMU that was started by a link of another name has the name that its words give it")
def link_has_its_name(world):
    goes_by_another_name(world, "kvm")


@traced("-daemonize without KVM: the child that stays is found, and the parents are not")
def child_is_found(world):
    daemon = watching(world)
    name, pidfile = f"t{os.getpid()}-daemonized", world.path("pid")
    command = [*probe("idle", serial=False), "-name", name, "-daemonize", "-pidfile", pidfile]
    parent = by_another(world, *command)
    pid = int(open(pidfile).read())
    assert pid != parent
    assert wait_listed(world, name)["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    daemon.wait_told(name)
    daemon.stop()
    assert [instance.split(":")[1] for (instance,) in rows(world, "SELECT instance FROM vm WHERE name = ?", name)] == [str(pid)]


@traced("-daemonize in a session whose leader has gone: neither is the parent, that looks like the child")
def parent_is_none(world):
    daemon = watching(world)
    name, pidfile, over = f"t{os.getpid()}-orphaned", world.path("pid"), world.path("over")
    command = [*probe("idle", serial=False), "-name", name, "-daemonize", "-pidfile", pidfile]
    began = time.monotonic()
    by_another(world, "setsid", "sh", "-c", '(sleep 0.2; "$@"; echo over >' + over + ") &", "sh", *command, stdout=subprocess.DEVNULL)
    wait_for_content(over, "over")
    took = time.monotonic() - began
    pid = int(open(pidfile).read())
    # On a slow machine: after a second nothing tells the parent from the child.
    if took < 1:
        assert wait_listed(world, name)["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    if took < 1:
        daemon.wait_told(name)
    daemon.stop()
    reap_orphans()
    if took >= 1:
        return
    assert [pid] == [int(instance.split(":")[1]) for (instance,) in rows(world, "SELECT instance FROM vm WHERE command_line LIKE ?", f"%{name}%")]


def taken_for_vms(world):
    """The pids of all that the daemon ever took for one."""
    return {int(instance.split(":")[1]) for (instance,) in rows(world, "SELECT instance FROM vm")}


def tells_of_another(world, daemon):
    """A VM that comes after: so what there is to say of those before it has been said."""
    vm = runs(world)
    wait_listed(world, vm.name)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    assert vm.pid in taken_for_vms(world)


def of_at_least_one(world, vms):
    """Each with the one verdict on it: a daemon that has to wait for a CPU may be too late for some."""
    told = [(vm, [verdict for verdict in world.history() if verdict["vm"]["instance"] == vm.instance]) for vm in vms]
    assert any(history for _, history in told), "none is known"
    assert all(len(history) < 2 for _, history in told), told
    return [(vm, verdict) for vm, history in told for verdict in history]


@traced("a VM without KVM that is killed in its first second: one verdict, and who killed it")
def killed_young(world):
    daemon = watching(world)
    killers = {}
    for _ in range(3):
        vm = Vm(world, listens=False, alone=True)
        time.sleep(0.5)
        killers[vm] = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
        vm.is_over()
    tells_of_another(world, daemon)
    for vm, destroyed in of_at_least_one(world, killers):
        says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone")
        is_named(destroyed, killers[vm], "SIGKILL")


@traced("a VM that cannot start, and is gone within tens of milliseconds: its VMM failed")
def cannot_start(world):
    daemon = watching(world)
    failing = [Vm(world, "-device", "nonsense", listens=False, alone=True) for _ in range(3)]
    assert [vm.is_over() for vm in failing] == [1, 1, 1]
    tells_of_another(world, daemon)
    for _, failed in of_at_least_one(world, failing):
        says(failed, "failure", "vmm", "process-exit", False, rule="vmm-failed", left="gone", actor=None)


@traced("--take-monitors opens the monitor of a VM without KVM once it is there, however long that takes")
def take_monitors_born(world):
    daemon = Daemon(world, "--take-monitors", world.path("*.qmp"))
    first = world.path("first")
    vm = Vm(world, "-qmp", f"unix:{first},server=on,wait=on")
    wait_listed(world, vm.name)
    time.sleep(1.5)  # it is looked at a second time
    assert not os.path.exists(vm.path)
    client = socket.socket(socket.AF_UNIX)
    client.connect(first)
    is_attached_by_itself(world, vm)
    client.close()
    vm.greets().own.quit()
    (ended,) = at_end(vm, daemon)
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    assert "No such file" not in daemon.stderr.text(), daemon.stderr.text()


@traced("a QEMU that has gone before the daemon could read its command line is no VM")
def unread_is_none(world):
    daemon = watching(world)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    unread = Vm(world, listens=False, alone=True)
    unread.signal(signal.SIGKILL)
    os.kill(daemon.process.pid, signal.SIGCONT)
    tells_of_another(world, daemon)
    assert unread.pid not in taken_for_vms(world)


@traced("a QEMU that only says what there is, or asks what it can do, is no VM, however long it takes")
def informing_is_none(world):
    daemon = watching(world)
    full, nobody_reads = os.pipe()
    os.set_blocking(nobody_reads, False)
    try:
        while True:
            os.write(nobody_reads, bytes(4096))
    except BlockingIOError:
        os.set_blocking(nobody_reads, True)
    qemu = probe("idle")[0]
    asking = [("--version",), ("-help",), ("-M", "help"), ("-smp", "help"), ("-device", "virtio-net-pci,help"), ("-M", "none", "-S", "-display", "none")]
    stay = [popen([qemu, *words], env=world.environment, stdin=subprocess.DEVNULL, stdout=nobody_reads) for words in asking]
    time.sleep(1.1)  # each is looked at a second time
    assert [process.poll() for process in stay] == [None] * len(stay)
    for process in stay:
        process.kill()
        process.wait()
    os.close(full)
    os.close(nobody_reads)
    tells_of_another(world, daemon)
    assert not {process.pid for process in stay} & taken_for_vms(world)


# --- nothing breaks for others --------------------------------------------------------------------------------------


@traced("a perf reader of signal:signal_generate sees every event while vmpower does")
def perf_sees_all(world):
    a_perf_reader_sees_all(world, watching)


@traced("a perf reader of forks, execs and exits, too")
def perf_sees_processes(world):
    a_perf_reader_counts(world, watching, *PROCESSES)


@traced("a perf reader of the OOM killer's victims, too")
def perf_sees_victims(world):
    a_perf_reader_counts(world, watching, *takes_too_much(world))


@on_kvm("a perf reader of KVM's ports and exits, too")
def perf_sees_guests(world):
    a_perf_reader_counts(world, watching, *GUESTS_OF_ITS_OWN)


if __name__ == "__main__":
    sys.exit(main())
