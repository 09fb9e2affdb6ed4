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

from trace_world import *

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
        words = f"kill -{name} {vm.pid}"
        pid = by_another(world, "sh", "-c", words)
        (destroyed,) = at_end(vm, daemon)
        says(destroyed, *BY_SIGNAL, confidence=confidence, rule=rule, left="gone")
        actor = is_named(destroyed, pid, "SIG" + name)
        assert actor["exe"] == os.path.realpath("/bin/sh"), actor
        assert actor["cmdline"] == f"sh -c '{words}'", actor
        assert actor["parents"][0] == {"pid": os.getpid(), "comm": comm_of(os.getpid())}, actor
        assert actor["user"] == "root" and actor["cgroup"], actor


for killing in ("KILL", "SEGV", "ABRT", "QUIT"):
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
    # Under software emulation nothing tells of a VM that begins: the next daemon finds it.
    daemon.stop()
    daemon = watching(world)
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
    library = os.environ["VMPOWER_FAULT_LIBRARY"]
    world.environment["LD_PRELOAD"] = library
    vm = runs(world)
    del world.environment["LD_PRELOAD"]
    daemon = watching(world)
    by_another(world, "sh", "-c", f"kill -USR2 {vm.pid}")
    assert vm.is_over() == -signal.SIGSEGV
    daemon.wait_told(vm.name)
    daemon.stop()
    (failed,) = vm.history()
    says(failed, "failure", "vmm", "signal", False, confidence="certain", rule="vmm-own-signal", actor=None)
    (own,) = evidence_of(failed, "signal", "trace")
    assert own["data"]["own"] is True and own["data"]["actor"] is None, own


def many_killers(number):
    @traced(f"{number}: fifty killers that exit at once: each is named, every time")
    def named(world):
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
    pid = by_another(world, "sh", "-c", f"kill -KILL {other.pid}")
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


# --- while the daemon is away ---------------------------------------------------------------------------------------


@traced("a VM that is killed while the daemon is away: how it ended, and who did it")
def killed_meanwhile(world):
    vm = runs(world)
    manager = ServiceManager(world)
    daemon = manager.start()
    daemon.kill()
    pid = by_another(world, "sh", "-c", f"kill -KILL {vm.pid}")
    vm.is_over()
    daemon = manager.start()
    daemon.wait_told(vm.name)
    manager.end(daemon)
    (destroyed,) = vm.history()
    says(destroyed, *BY_SIGNAL, rule="signal-by-someone", left="gone")
    is_named(destroyed, pid, "SIGKILL")


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


@traced("a QEMU that only says its version is no VM")
def version_is_none(world):
    daemon = watching(world)
    qemu = probe("idle")[0]
    pids = {str(by_another(world, qemu, "--version", stdout=subprocess.DEVNULL)) for _ in range(5)}
    vm = runs(world)
    wait_listed(world, vm.name)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    assert not pids & {instance.split(":")[1] for (instance,) in rows(world, "SELECT instance FROM vm")}


# --- nothing breaks for others --------------------------------------------------------------------------------------


@traced("a perf reader of signal:signal_generate sees every event while vmpower does")
def perf_sees_all(world):
    a_perf_reader_sees_all(world, watching)


@traced("a perf reader of forks, execs and exits, too")
def perf_sees_processes(world):
    a_perf_reader_counts(world, watching, *PROCESSES)


@on_kvm("a perf reader of KVM's ports and exits, too")
def perf_sees_guests(world):
    a_perf_reader_counts(world, watching, *GUESTS_OF_ITS_OWN)


if __name__ == "__main__":
    sys.exit(main())
