#!/usr/bin/env python3
"""A killer who has come by ssh, and is two sudos deep: a real sshd and a real sudo, and the kernel's tracepoints on this very kernel.

An sshd that cannot be started is a failure, not a reason to skip.
"""

import os
import pwd
import shutil
import sys

from daemon_world import *

HIM = "nobody"
# A file system of its own: /run, where sshd and sudo write, and what says who may log in and use sudo.
ALONE = """
mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd &&
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/sudoers" /etc/sudoers && exec /usr/sbin/sshd -D -e -f "$1/sshd_config"
"""


class Sshd:
    """An sshd of the test's own, on the loopback, that lets him in by his key alone."""

    def __init__(self, world):
        for program in ("/usr/sbin/sshd", "ssh", "ssh-keygen", "sudo"):
            assert shutil.which(program), f"{program} is not installed"
        os.chmod(world.directory, 0o711)  # sshd reads his key as him
        self.world = world
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name in ("host", "his"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world.path(name)], check=True)
        os.chmod(world.path("his.pub"), 0o644)
        with open("/etc/passwd", encoding="utf-8") as file:
            others = [line for line in file if not line.startswith(HIM + ":")]
        world.write("passwd", "".join(others) + f"{HIM}:x:{pwd.getpwnam(HIM).pw_uid}:{pwd.getpwnam(HIM).pw_gid}:{HIM}:/:/bin/sh\n")
        world.write("sudoers", f"Defaults env_reset, use_pty\nroot ALL=(ALL:ALL) ALL\n{HIM} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        lines = [f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {world.path('host')}", f"AuthorizedKeysFile {world.path('his.pub')}",
                 "UsePAM yes", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PidFile none"]  # fmt: skip
        world.write("sshd_config", "\n".join(lines) + "\n")
        environment = {name: value for name, value in world.environment.items() if name != "VMPOWER_TEST_WORLD"}
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": environment}
        self.process = popen(["unshare", "--mount", "sh", "-c", ALONE, "sh", world.directory], **named)
        self.said = Stream(self.process.stderr.fileno())
        world.later(self.close)
        self.said.wait_for("Server listening")

    def does(self, command, *options):
        """He logs in, does that, and is gone."""
        words = ["ssh", "-F", "none", "-p", str(self.port), "-i", self.world.path("his"), "-o", "BatchMode=yes",
                 "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", *options, f"{HIM}@127.0.0.1", command]  # fmt: skip
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, (done, self.said.text())

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.said.thread.join(5)
        self.process.stderr.close()


def needs_trace(world):
    needs_root()
    if os.environ.get("VMPOWER_HAS_TRACE") == "0":
        raise Skip("vmpower was built without libbpf")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        raise Skip("this kernel has no BTF")
    world.environment["VMPOWER_TRACE"] = "yes"


def killed_by_ssh(world, *options):
    """A VM that he kills: the verdict, and what `why` says."""
    needs_trace(world)
    sshd = Sshd(world)
    vm = runs(world)
    daemon = Daemon(world)
    sshd.does(f"sudo -n sh -c 'sudo -n kill -9 {vm.pid}; :'", *options)
    vm.is_over()
    daemon.wait_told(vm.name)
    text = world.vmpower("why", vm.name).stdout.decode()
    daemon.stop()
    (destroyed,) = vm.history()
    says(destroyed, *KILLED, rule="signal-by-someone")
    return sshd, destroyed["actor"], text


def is_him(sshd, actor, text):
    assert (actor["comm"], actor["via"], actor["uid"], actor["user"]) == ("kill", "SIGKILL", 0, "root"), actor
    assert actor["confidence"] == "certain" and actor["cmdline"].startswith("kill -9 "), actor
    parents = [parent["comm"] for parent in actor["parents"]]
    # Both sudos, the shell between them, and the way up to the sshd that let him in.
    shell = parents.index("sh")
    assert set(parents[:shell]) == {"sudo"} and parents[shell + 1] == "sudo", parents
    assert sshd.process.pid in [parent["pid"] for parent in actor["parents"]], (sshd.process.pid, actor)
    assert parents.count("sshd") >= 2, parents
    assert "under sudo (" in text and ", sshd (" in text, text
    # He has come from where the test is, and that is what his sshd's connection says.
    assert re.fullmatch(r"127\.0\.0\.1:\d+", actor["login_from"]), actor
    # sudo makes him root, not somebody else; the kernel has kept who he was.
    if os.environ.get("VMPOWER_IN_LAB") or os.path.exists("/proc/self/loginuid"):
        assert actor["login_user"] == HIM, actor
        assert f"root (logged in as {HIM} from {actor['login_from']})" in text, text
        assert f"root (logged in as {HIM}; kill, pid {actor['pid']}) sent SIGKILL" in text, text
    else:
        assert actor["login_user"] is None, actor


@test("ssh with a terminal, sudo, a shell, sudo, kill -9: each is shown, and who logged in")
def with_a_terminal(world):
    sshd, actor, text = killed_by_ssh(world, "-tt")
    is_him(sshd, actor, text)
    # Each sudo has made a terminal of its own, and so a session: what leads the killer's is no more than that.
    sudos = [parent["pid"] for parent in actor["parents"] if parent["comm"] == "sudo"]
    assert len(sudos) == 4 and actor["session"] in sudos, actor


@test("the same without a terminal")
def without_a_terminal(world):
    is_him(*killed_by_ssh(world))


if __name__ == "__main__":
    sys.exit(main())
