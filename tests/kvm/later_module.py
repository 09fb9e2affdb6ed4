"""KVM is a module that comes after vmpowerd: what a guest does is seen all the same, by programs that waited for its tracepoints, and by perf."""

import ctypes
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from linux_guest import modules_of
from trace_world import *

DELETE_MODULE, FINIT_MODULE = 176, 313  # x86-64
MODULES = ("kvm", "kvm-amd")
PARTS = ["trace-ports", "trace-kvm-exits"]


def system_call(*words):
    if ctypes.CDLL(None, use_errno=True).syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def unload():
    for name in reversed(MODULES):
        system_call(DELETE_MODULE, name.replace("-", "_").encode(), os.O_NONBLOCK)


def load():
    for name, path in zip(MODULES, modules_of("amd64", MODULES)):
        if os.path.exists("/sys/module/" + name.replace("-", "_")):
            continue
        with open(path, "rb") as file:
            system_call(FINIT_MODULE, file.fileno(), b"", 0)


def without_kvm(sentence):
    def register(function):
        def on_lab(world):
            world.environment["VMPOWER_TRACE"] = "yes"
            unload()
            try:
                function(world)
            finally:
                load()

        test(sentence)(on_lab)

    return register


def lacks(world):
    return [lack["part"] for lack in json.loads(world.vmpower("status", "--json").stdout)["daemon"]["lacks"]]


def is_told(world, vm, daemon, way):
    """How its guest went: which only the kernel knows."""
    vm.own.send("cont")
    daemon.wait_told(vm.name)
    vm.own.quit()
    daemon.wait_told(vm.name, 2)
    says(vm.history()[0], "reboot", "guest", way, None, rule=way, left="running", actor=None)


@without_kvm("it comes while vmpowerd is there: the first VM's reset is told, and what was lacking is nobody's any more")
def _(world):
    daemon = Daemon(world)
    assert lacks(world) == PARTS, lacks(world)
    assert "trace-ports: cannot attach to kvm_pio: there is no such tracepoint; so " in world.vmpower("status").stdout.decode()
    load()
    vm = held(world, action="reset-8042")
    is_told(world, vm, daemon, "reset-8042")
    assert lacks(world) == []
    daemon.stop()


@without_kvm("it comes while vmpowerd is away: the next one goes on with what waited, and hands it on")
def _(world):
    manager = ServiceManager(world)
    manager.start().kill()
    load()
    daemon = manager.start()
    assert lacks(world) == [], daemon.stderr.text()
    daemon.kill()
    # What was attached is handed on, as what waited was.
    vm = held(world, action="triple-fault")
    daemon = manager.start()
    assert lacks(world) == []
    is_told(world, vm, daemon, "triple-fault")
    try:
        unload()
        raise AssertionError("nothing held the module any more")
    except OSError as error:
        assert error.errno in (errno.EAGAIN, errno.EBUSY), error
    manager.end(daemon)


@without_kvm("it comes where perf reads the tracepoints: the same")
def _(world):
    daemon = Daemon(world, within=HIDING)
    assert set(PARTS) <= set(lacks(world)), lacks(world)
    load()
    vm = held(world, action="reset-cf9")
    is_told(world, vm, daemon, "reset-cf9")
    assert not set(PARTS) & set(lacks(world)), lacks(world)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main(jobs=1))
