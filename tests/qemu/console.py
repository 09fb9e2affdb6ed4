#!/usr/bin/env python3
"""`vmpower run` at a real terminal: QEMU's console and monitor stay where the user's line has them."""

import os
import pty
import signal
import sys
import termios

from world import *

DESTROYED = 11
ESCAPE = b"\x01"  # C-a


class Terminal:
    """A process that leads a session of its own on a terminal of its own, as under an xterm."""

    def __init__(self, world, command, words=None):
        """`command`: a QEMU's for vmpower; or `words`: something else that runs it."""
        self.world = world
        self.master, slave = pty.openpty()
        leader = (
            "import fcntl, os, sys, termios\n"
            "os.setsid()\n"
            "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
            "os.execvp(sys.argv[1], sys.argv[1:])\n"
        )
        words = words or [VMPOWER, "run", "--name", "vm", "--", *command]
        # The session's leader is made by a process of its own: a Python with threads does not go on after a fork.
        self.process = popen(
            [sys.executable, "-c", leader, *words], stdin=slave, stdout=slave, stderr=slave, env=world.environment
        )
        os.close(slave)
        self.screen = Stream(self.master)
        world.later(self.close)

    def type(self, keys):
        os.write(self.master, keys)

    def wait(self):
        wait_for_end(self.process.pid)
        return self.process.wait()

    def close(self):
        self.process.wait()
        os.close(self.master)

    def verdict(self):
        return self.world.why()


def default_machine(action):
    """Without -nodefaults: QEMU's own console and monitor, where the line leaves them on."""
    words = probe(action, serial=False)
    words.remove("-nodefaults")
    at = words.index("-display")
    del words[at : at + 2]
    return [*words, "-nic", "none", "-vga", "none"]


def nographic(world, *words):
    terminal = Terminal(world, [*default_machine("idle"), "-nographic", *words])
    terminal.screen.wait_for("probe: idle")
    return terminal


def says_quit(terminal):
    status = terminal.wait()
    assert status == DESTROYED, status
    verdict = terminal.verdict()
    says(verdict, "destroy", "operator", "qmp-quit", False, left="gone")
    # Who sits there, most likely: the leader of the terminal's session; nobody, where QEMU was gone before it was looked at.
    actor = verdict["actor"]
    assert actor is None or (actor["pid"], actor["via"], actor["confidence"]) == (terminal.process.pid, "terminal", "likely"), actor


@test("-nographic: the guest's console is here, and C-a x ends the VM")
def control_a_x(world):
    terminal = nographic(world)
    terminal.type(ESCAPE + b"x")
    says_quit(terminal)
    terminal.screen.wait_for("vmpower: vm was destroyed")


@test("-nographic: C-a c reaches the monitor, and quit there ends the VM")
def control_a_c(world):
    terminal = nographic(world)
    terminal.type(ESCAPE + b"c")
    terminal.screen.wait_for("(qemu)")
    terminal.type(b"info status\n")
    terminal.screen.wait_for("VM status: running")
    terminal.type(b"quit\n")
    says_quit(terminal)


@test("-nographic -nodefaults as the user gave it has no monitor, and gets none on the terminal")
def nographic_without_monitor(world):
    terminal = Terminal(world, [*probe("s5", serial=False), "-nographic", "-serial", "stdio"])
    terminal.screen.wait_for("probe: s5")
    assert terminal.wait() == 0
    assert b"(qemu)" not in terminal.screen.data
    says(terminal.verdict(), "poweroff", "guest", "acpi-s5", True, left="gone")


@test("-nographic -serial mon:stdio: C-a x and the console")
def mon_stdio(world):
    terminal = nographic(world, "-serial", "mon:stdio")
    terminal.type(ESCAPE + b"x")
    says_quit(terminal)


@test("-nographic -serial file: the monitor stays on the terminal")
def serial_to_file(world):
    log = world.path("serial")
    terminal = Terminal(world, [*default_machine("idle"), "-nographic", "-serial", f"file:{log}"])
    terminal.screen.wait_for("(qemu)")
    wait_for_content(log, "probe: idle")
    terminal.type(b"quit\n")
    says_quit(terminal)


@test("-nographic: ^C is the guest's, not the VM's end")
def control_c_is_the_guests(world):
    terminal = nographic(world)
    terminal.type(b"\x03")
    terminal.type(ESCAPE + b"c")
    terminal.screen.wait_for("(qemu)")
    terminal.type(b"quit\n")
    says_quit(terminal)


@test("^C at the terminal is the operator's signal, by the session's leader")
def control_c(world):
    terminal = Terminal(world, [*probe("idle", serial=False), "-serial", "file:/dev/stdout"])
    terminal.screen.wait_for("probe: idle")
    terminal.type(b"\x03")
    assert terminal.wait() == DESTROYED
    verdict = terminal.verdict()
    says(verdict, "destroy", "operator", "signal", False, left="gone")
    assert verdict["actor"]["pid"] == terminal.process.pid, verdict["actor"]
    assert verdict["actor"]["comm"] == "vmpower" and verdict["actor"]["via"] == "SIGINT", verdict["actor"]
    assert verdict["actor"]["uid"] == os.getuid()
    terminal.screen.wait_for("terminating on signal 2")


@test("^C that the VM does not heed yet does not end vmpower")
def control_c_waits(world):
    monitor = world.monitor()
    terminal = Terminal(world, [*probe("idle", serial=False), "-serial", "file:/dev/stdout", *monitor.option])
    monitor.connect()
    terminal.screen.wait_for("probe: idle")
    os.kill(monitor.pid, signal.SIGSTOP)
    terminal.type(b"\x03")
    terminal.screen.wait_for("^C")
    # Told to end by anything but its terminal, it would go after two seconds.
    try:
        wait_for_end(terminal.process.pid, 2.5)
    except Timeout:
        pass
    os.kill(monitor.pid, signal.SIGCONT)
    assert terminal.wait() == DESTROYED
    pause, *_, destroyed = world.history()
    says(pause, "pause", "operator", "signal", None, left="paused")
    says(destroyed, "destroy", "operator", "signal", False, left="gone")


@test("^C under a shell names the shell: it leads the session")
def control_c_in_a_shell(world):
    command = '"$0" run --name vm -- "$@"; echo "status $?"'
    words = [*probe("idle", serial=False), "-serial", "file:/dev/stdout"]
    terminal = Terminal(world, None, ["/bin/sh", "-m", "-c", command, VMPOWER, *words])
    terminal.screen.wait_for("probe: idle")
    terminal.type(b"\x03")
    terminal.screen.wait_for("status 11")
    terminal.wait()
    verdict = world.why()
    says(verdict, "destroy", "operator", "signal", False, left="gone")
    assert verdict["actor"]["pid"] == terminal.process.pid and verdict["actor"]["comm"] == "sh", verdict["actor"]


@test("^\\ ends the VM, and vmpower tells it")
def control_backslash(world):
    terminal = Terminal(world, [*probe("idle", serial=False), "-serial", "file:/dev/stdout"])
    terminal.screen.wait_for("probe: idle")
    terminal.type(b"\x1c")
    assert terminal.wait() == DESTROYED
    verdict = terminal.verdict()
    says(verdict, "destroy", "operator", "signal", False, left="gone", confidence=verdict["confidence"])


@test("^Z stops the VM, fg continues it: pause and resume")
def control_z(world):
    terminal = Terminal.__new__(Terminal)
    terminal.world, terminal.is_over = world, False
    monitor = world.monitor()
    command = '"$0" run --name vm -- "$@"; echo "stopped $?"; fg >/dev/null; echo "status $?"'
    words = [*probe("idle", serial=False), "-serial", "file:/dev/stdout", *monitor.option]
    terminal = Terminal(world, None, ["/bin/sh", "-m", "-c", command, VMPOWER, *words])
    monitor.connect()
    terminal.screen.wait_for("probe: idle")
    terminal.type(b"\x1a")
    terminal.screen.wait_for("stopped ")
    assert monitor.status() == "running", "fg has continued QEMU"
    monitor.quit()
    terminal.screen.wait_for("status 11")
    terminal.wait()
    history = world.history()
    says(history[-1], "destroy", "operator", "qmp-quit", False)
    assert [v["transition"] for v in history[:-1]] in (["pause", "resume"], ["resume"], []), story(history)


@test("the terminal hangs up: SIGHUP ends the VM, and vmpower stays to write it down")
def hang_up(world):
    # The master belongs to a process of its own, so that its end is the terminal's.
    holder = (
        "import fcntl, os, pty, sys, termios\n"
        "pid, master = pty.fork()\n"
        "if pid == 0:\n"
        "    os.execvp(sys.argv[1], sys.argv[1:])\n"
        "print('pid', pid, flush=True)\n"
        "while True:\n"
        "    data = os.read(master, 4096)\n"
        "    os.write(1, data)\n"
    )
    words = [VMPOWER, "run", "--name", "vm", "--", *probe("idle", serial=False), "-serial", "file:/dev/stdout"]
    window = popen(
        [sys.executable, "-c", holder, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=world.environment
    )
    screen = Stream(window.stdout.fileno())
    screen.wait_for("probe: idle")
    leader = int(screen.data.split()[1])
    window.kill()
    window.wait()
    wait_for_end(leader)
    reap_orphans()
    verdict = world.why()
    says(verdict, "destroy", "operator", "signal", False, left="gone")
    assert evidence_of(verdict, "signal")[0]["data"]["name"] == "SIGHUP", evidence_of(verdict, "signal")
    assert verdict["actor"]["pid"] == leader, verdict["actor"]


@test("the terminal's settings are as they were, whatever QEMU did to them")
def settings(world):
    terminal = nographic(world)
    during = termios.tcgetattr(terminal.master)
    assert not during[3] & termios.ICANON, "QEMU's own raw mode: the terminal is its"
    terminal.type(ESCAPE + b"x")
    assert terminal.wait() == DESTROYED
    after = termios.tcgetattr(terminal.master)
    assert after[3] & termios.ICANON and after[3] & termios.ECHO


@test("standard input and output are QEMU's own: the same files, not copies")
def same_files(world):
    terminal = nographic(world)
    (qemu,) = [pid for pid in descendants_of(terminal.process.pid) if comm_of(pid).startswith("qemu-system")]
    for fd in (0, 1):
        ours, its = (os.stat(f"/proc/{pid}/fd/{fd}") for pid in (terminal.process.pid, qemu))
        assert (ours.st_dev, ours.st_ino) == (its.st_dev, its.st_ino), fd
        assert os.readlink(f"/proc/{qemu}/fd/{fd}") == os.readlink(f"/proc/{terminal.process.pid}/fd/{fd}")
    assert os.getpgid(qemu) == os.getpgid(terminal.process.pid) and os.getsid(qemu) == terminal.process.pid
    terminal.type(ESCAPE + b"x")
    says_quit(terminal)


@test("what is typed reaches the guest, and a pipe as standard input ends without ending the VM")
def piped_input(world):
    monitor = world.monitor()
    run = world.run(*probe("idle"), *monitor.option, stdin=subprocess.PIPE)
    monitor.connect()
    run.stdout.wait_for("probe: idle")
    run.process.stdin.close()
    monitor.stays_silent(0.3, "SHUTDOWN")
    monitor.quit()
    assert run.wait() == DESTROYED
    # The guest's own words, and nothing of ours between them.
    assert run.stdout.wait_for_end() == b"probe: idle\r\n", run.stdout.data


if __name__ == "__main__":
    sys.exit(main())
