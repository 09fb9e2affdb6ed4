"""What the tests share that look at the kernel's tracepoints: who kills, what is killed, and another who reads them.

Stories that are the same whichever way they are read take the daemon's beginning: a function of the world.
"""

import ctypes
import os
import signal
import sys
import time

from daemon_world import *

# In a mount namespace of its own, where there is no BTF: so the kernel takes no programs, and perf is what is left.
HIDING = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")
BY_SIGNAL = ("destroy", "operator", "signal", False)


def by_another(world, *words, **named):
    """Run a program to its end.  Its pid, by which it is to be named."""
    named = {"env": world.environment, "stdin": subprocess.DEVNULL, **named}
    process = popen(words, **named)
    assert process.wait() == 0, words
    return process.pid


def is_named(verdict, pid, name, comm="sh"):
    """The verdict's actor is that process, certainly."""
    actor = verdict["actor"]
    assert actor, (verdict["summary"], [(fact["time"], fact["source"], fact["kind"], fact["data"]) for fact in verdict["evidence"][-6:]])
    assert (actor["pid"], actor["via"], actor["comm"]) == (pid, name, comm), actor
    assert (actor["uid"], actor["confidence"]) == (0, "certain"), actor
    return actor


def dies_of_its_own_fault(world, watching, starts):
    """Nobody's signal: of the VM that `starts` with a fault built in, which waits for a harmless one."""
    world.environment["LD_PRELOAD"] = os.environ["VMPOWER_FAULT_LIBRARY"]
    vm = starts(world)
    del world.environment["LD_PRELOAD"]
    daemon = watching(world)
    by_another(world, "sh", "-c", f"kill -USR2 {vm.pid}")
    assert vm.is_over() == -signal.SIGSEGV
    daemon.wait_told(vm.name)
    daemon.stop()
    (failed,) = vm.history()
    says(failed, "failure", "vmm", "signal", False, confidence="certain", rule="vmm-own-signal", left="gone", actor=None)
    (own,) = [item for item in evidence_of(failed, "signal", "trace") if item["data"]["name"] == "SIGSEGV"]
    assert own["data"]["own"] is True and own["data"]["actor"] is None, own


# --- VMs ------------------------------------------------------------------------------------------------------------


def held(world, *words, action):
    """A VM under KVM that is there, and runs no instruction until it is told to (`cont`)."""
    vm = Vm(world, "-S", *words, action=action, accelerator="kvm")
    vm.own.connect()
    return vm


def a_guest_goes(world, watching, action, row, rule, left, confidence="certain"):
    """It tells by its ports alone."""
    vm = held(world, action=action)
    daemon = watching(world)
    vm.own.send("cont")
    daemon.wait_told(vm.name)
    if left != "gone":
        vm.own.quit()
    first = at_end(vm, daemon, 1 if left == "gone" else 2)[0]
    says(first, *row, rule=rule, left=left, actor=None, confidence=confidence)


def guests_go(on_kvm, watching):
    """A test for each way."""

    def goes(action, *row):
        @on_kvm(f"a guest's {action} is told by what it wrote to its ports")
        def went(world):
            a_guest_goes(world, watching, action, *row)

    goes("s5", ("poweroff", "guest", "acpi-s5", True), "guest-poweroff", "gone")
    goes("s4", ("hibernate", "guest", "acpi-s4", True), "hibernate", "gone")
    goes("s3", ("suspend", "guest", "acpi-s3", True), "suspend", "suspended", "likely")
    for way in ("reset-8042", "reset-cf9", "reset-port92", "triple-fault"):
        goes(way, ("reboot", "guest", way, None), way, "running")


# --- cgroups and the OOM killer ---------------------------------------------------------------------------------------


class Cgroup:
    """A cgroup with so many bytes, of whichever kind this host has."""

    def __init__(self, world, n_bytes):
        v1, v2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
        is_v1 = os.path.isdir(v1)
        root = v1 if is_v1 else v2
        self.name = f"/vmpower-trace-{os.getpid()}-{next(vm_numbers)}"
        self.path = root + self.name
        try:
            os.mkdir(self.path)
            self._write("memory.limit_in_bytes" if is_v1 else "memory.max", n_bytes)
            if not is_v1 and os.path.exists(os.path.join(self.path, "memory.swap.max")):
                self._write("memory.swap.max", 0)
        except OSError as error:
            raise Skip(f"no cgroup can be made: {error}") from None
        world.later(os.rmdir, self.path)

    def _write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(str(value))

    def take(self, pid):
        self._write("cgroup.procs", pid)


def cgroup_of(pid, controller=""):
    """By /proc: in version 2, or in the hierarchy of version 1 that the controller has."""
    lines = [line.split(":", 2) for line in read_proc(pid, "cgroup").decode().splitlines()]
    paths = {name: path for _, names, path in lines for name in names.split(",")}
    return "/".join(name[:63] + "..." * (len(name) > 62) for name in paths.get(controller, paths[""]).split("/"))


def is_in(told, cgroup):
    """What is told is from the host's root, and /proc says it from that of a cgroup namespace."""
    return bool(told) and f"{told}/".endswith(cgroup.rstrip("/") + "/")


def enters_a_cgroup(world):
    """A shell's line, and the cgroup that it comes into by that: of version 2, where this host has that alone."""
    if os.path.isdir("/sys/fs/cgroup/memory"):
        return ":", cgroup_of(os.getpid())
    group = Cgroup(world, "max")
    return f"echo $$ >{group.path}/cgroup.procs", group.name


def the_oom_killer_takes_it(world, watching, is_looked_up=False):
    """`is_looked_up`: its cgroup is asked of /proc, where it may be gone by then."""
    group = Cgroup(world, 16 << 20)
    vm = runs(world)
    daemon = watching(world)
    group.take(vm.pid)
    vm.own.send("object-add", qom_type="memory-backend-ram", id="more", size=64 << 20, prealloc=True)
    assert vm.is_over() == -signal.SIGKILL
    daemon.wait_told(vm.name)
    daemon.stop()
    (destroyed,) = vm.history()
    says(destroyed, "destroy", "host", "oom-kill", False, rule="oom-victim", left="gone", actor=None)
    (mark,) = evidence_of(destroyed, "oom-kill", "trace")
    told = mark["data"]["cgroup"]
    assert is_in(told, group.name) or (is_looked_up and not told), (mark, group.name)
    actors = [kill["data"]["actor"] for kill in evidence_of(destroyed, "signal", "trace")]
    assert actors == [None], destroyed["evidence"]


# --- another reader -------------------------------------------------------------------------------------------------


class PerfCounter:
    """How often a tracepoint fired for a process, as perf counts it (perf_event_open(2)); `inherits`: and for its children from now on."""

    def __init__(self, world, tracepoint, pid, inherits=False):
        with open(f"/sys/kernel/tracing/events/{tracepoint}/id", encoding="ascii") as file:
            number = int(file.read())
        attributes = (ctypes.c_uint64 * 16)(2 | 128 << 32, number, 0, 0, 0, 2 * inherits)  # PERF_TYPE_TRACEPOINT, the structure's size; config; inherit
        self.fd = ctypes.CDLL(None, use_errno=True).syscall(298, attributes, pid, -1, -1, 8)  # PERF_FLAG_FD_CLOEXEC
        if self.fd < 0:
            raise Skip(f"perf_event_open: {os.strerror(ctypes.get_errno())}")
        world.later(os.close, self.fd)

    def count(self):
        return int.from_bytes(os.read(self.fd, 8), sys.byteorder)


def a_perf_reader_sees_all(world, watching):
    if not os.path.exists("/sys/kernel/tracing/events/signal/signal_generate/id"):
        raise Skip("there is no tracefs")
    vm = runs(world)
    daemon = watching(world)
    stranger = popen(["sleep", "60"], env=world.environment)
    script = f"read go; for i in $(seq 500); do kill -CONT {stranger.pid}; kill -WINCH {vm.pid}; done; kill -KILL {vm.pid}; read go"
    sender = popen(["sh", "-c", script], env=world.environment, stdin=subprocess.PIPE)
    counter = PerfCounter(world, "signal/signal_generate", sender.pid)
    sender.stdin.write(b"\n")
    sender.stdin.flush()
    vm.is_over()
    daemon.wait_told(vm.name)
    # Beside the 1001 signals that it sends there is seq's end; that one seq sends.
    assert counter.count() == 1001, counter.count()
    sender.communicate(b"\n")
    stranger.kill()
    stranger.wait()
    daemon.stop()
    (destroyed,) = vm.history()
    is_named(destroyed, sender.pid, "SIGKILL")


# What a shell does, and how often each tracepoint fires for it and its children.
PROCESSES = ("for i in $(seq 200); do /bin/true; done", {"sched/sched_process_fork": 201, "sched/sched_process_exec": 201, "sched/sched_process_exit": 201})
# The doctor has a guest of its own write to a port, and fault.
GUESTS_OF_ITS_OWN = ("$VMPOWER doctor --quick", {"kvm/kvm_pio": 1, "kvm/kvm_userspace_exit": 2})


def takes_too_much(world):
    """Who takes more memory than his cgroup has is the OOM killer's victim."""
    group = Cgroup(world, 16 << 20)
    return f"sh -c 'echo $$ >{group.path}/cgroup.procs; exec \"$@\"' sh {sys.executable} -c 'b\"x\" * (64 << 20)'", {"oom/mark_victim": 1}


def counted_by_perf(world, words, names):
    done = world.path("done")
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    shell = popen(["sh", "-c", f"read go; {words}; echo over >{done}; read go"], env={**world.environment, "VMPOWER": VMPOWER}, **streams)
    counters = {name: PerfCounter(world, name, shell.pid, inherits=True) for name in names}
    shell.stdin.write(b"\n")
    shell.stdin.flush()
    wait_for_content(done, "over")
    counted = {name: counter.count() for name, counter in counters.items()}
    shell.communicate(b"\n")
    os.unlink(done)
    return counted


def a_perf_reader_counts(world, watching, words, expected):
    if not os.path.exists("/sys/kernel/tracing/events/sched"):
        raise Skip("there is no tracefs")
    alone = counted_by_perf(world, words, expected)
    daemon = watching(world)
    beside = counted_by_perf(world, words, expected)
    daemon.stop()
    # Linux 6.1 tells nobody of the exits of children; what it does tell it tells beside vmpower, too.  (A guest that an interrupt stops is told to go on.)
    told = [name for name in expected if alone[name]]
    assert set(expected) - set(told) <= {"sched/sched_process_exit"}, alone
    assert all(min(alone[name], beside[name]) >= expected[name] for name in told), (alone, beside)
