"""Memory that runs out: a cgroup's, and the whole host's. Whoever asks for the last page, it is the kernel that ends the VM.

One after the other: the host's memory is everybody's.
"""

from linux_vm import *

TAKES = ("destroy", "host", "oom-kill", False)

# Takes more and more, until the kernel has killed somebody; it is to choose another one.
HOG = """
def n_killed():
    return [line for line in open("/proc/vmstat") if line.startswith("oom_kill ")]
open("/proc/self/oom_score_adj", "w").write("-900")
before, taken = n_killed(), []
while n_killed() == before:
    taken.append(b"x" * (8 << 20))
"""


def n_killed():
    with open("/proc/vmstat", encoding="ascii") as file:
        return int(re.search(r"^oom_kill (\d+)", file.read(), re.MULTILINE)[1])


def keeps_what_it_has(world):
    """Nothing of the tests' cgroup is taken back: else a busy host reads its programs from disk again and again, for minutes, before it kills anybody."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        path = f"/sys/fs/cgroup{file.read().strip().split('::')[1]}/memory.min"

    def protect(how_much):
        with open(path, "w", encoding="ascii") as file:
            file.write(how_much)

    protect("max")
    world.later(protect, "0")


def is_first(pid):
    with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def is_the_hosts(world, vm, daemon, cgroup):
    """The VM was taken, and nobody is said to have done it."""
    assert vm.is_over() == -signal.SIGKILL
    daemon.wait_told(vm.name)
    daemon.stop()
    (destroyed,) = vm.history()
    says(destroyed, *TAKES, rule="oom-victim", left="gone", actor=None)
    (mark,) = evidence_of(destroyed, "oom-kill", "trace")
    assert is_in(mark["data"]["cgroup"], cgroup), (mark, cgroup)
    assert all(kill["data"]["actor"] is None for kill in evidence_of(destroyed, "signal", "trace")), destroyed["evidence"]


@test("Linux in a cgroup, where another process asks for more than there is: the host took the VM")
def in_a_cgroup(world):
    group = Cgroup(world, 1 << 40)
    daemon = watching(world)
    vm = Linux(world, "idle", within=f"echo $$ >{group.path}/cgroup.procs").is_up()
    is_first(vm.pid)
    with open(f"{group.path}/memory.current", encoding="ascii") as file:
        group._write("memory.max", int(file.read()) + (32 << 20))
    # What the VM had is free a little later; if that is too late for the kernel, it takes this one, too.
    popen(["sh", "-c", f'echo $$ >{group.path}/cgroup.procs; exec "$@"', "sh", sys.executable, "-c", HOG], env=world.environment).wait()
    is_the_hosts(world, vm, daemon, group.name)


@test("where nothing is traced, a VM that was moved out of a cgroup is not the OOM killer's because another one in there is")
def moved_out_of_it(world):
    before, after = Cgroup(world, 16 << 20), Cgroup(world, 1 << 40)
    vm = runs(world, accelerator="kvm")
    before.take(vm.pid)
    daemon = Daemon(world)
    after.take(vm.pid)
    asks = f'echo $$ >{before.path}/cgroup.procs; exec {sys.executable} -c "b\'x\' * (64 << 20)"'
    assert popen(["sh", "-c", asks], env=world.environment).wait() == -signal.SIGKILL
    os.kill(vm.pid, signal.SIGKILL)
    daemon.wait_told(vm.name)  # before it is reaped: how it ended is seen
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, "destroy", "operator", "signal", False, confidence="likely", rule="kill-unseen", left="gone", actor=None)
    assert not evidence_of(destroyed, "oom-kill"), destroyed["evidence"]


@test("the whole host, another process asks for the last page: the host took the VM, and that one only")
def asked_by_another(world):
    daemon = watching(world)
    stays = Linux(world, "idle")
    vm = Linux(world, "idle").is_up()
    stays.is_up()
    is_first(vm.pid)
    keeps_what_it_has(world)
    n_before, cgroup = n_killed(), cgroup_of(vm.pid)
    by_another(world, sys.executable, "-c", HOG)
    is_the_hosts(world, vm, daemon, cgroup)
    assert n_killed() == n_before + 1
    assert stays.process.poll() is None and not stays.history()
    stays.signal(signal.SIGKILL)


@test("the whole host, the VM itself asks for the last page: the host took it, and it is no suicide")
def asked_by_itself(world):
    daemon = watching(world)
    stays = Linux(world, "idle").is_up()
    vm = runs(world, accelerator="kvm")
    is_first(vm.pid)
    keeps_what_it_has(world)
    n_before, cgroup = n_killed(), cgroup_of(vm.pid)
    with open("/proc/meminfo", encoding="ascii") as file:
        n_kib = int(re.search(r"^MemTotal:\s*(\d+)", file.read(), re.MULTILINE)[1])
    vm.own.send("object-add", qom_type="memory-backend-ram", id="more", size=(n_kib - 4096) << 10, prealloc=True)
    is_the_hosts(world, vm, daemon, cgroup)
    assert n_killed() == n_before + 1
    assert stays.process.poll() is None and not stays.history()
    stays.signal(signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(jobs=1))
