"""The units as systemd runs them: a systemd is booted in namespaces of its own, on a root that has this host's programs, read-only,
and what was installed. It needs root, and a kernel that lets it; where none can be booted, that is said.

    booted.py BUILD
"""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, Skip, expect, run

BUILD = os.path.abspath(sys.argv[1])
PATIENCE = 30  # seconds: for one answer
NOBODY, ALICE_ID = "65534", "1000"
SYSTEMD = "/lib/systemd/systemd"

# The control group is ours for as long as our standard input is open.
OUTER = r"""
set -e
mkdir cgroup root
mount -t cgroup2 none cgroup
mkdir "cgroup/vmpower-test-$$"
sh -c 'echo $$ >"cgroup/vmpower-test-$1/cgroup.procs"
       exec unshare --cgroup --ipc --pid --uts --fork --kill-child=KILL sh ./inner' sh $$ &
child=$!
echo $child
read -r _ || :
kill -KILL $child
wait $child || :
# A process that was killed leaves its group a little later.
for _ in $(seq 100); do
        find "cgroup/vmpower-test-$$" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
        [ -e "cgroup/vmpower-test-$$" ] || break
done
"""

# A root with nothing of this host's but its programs; the units that want hardware, a network or a disk are off.
INNER = r"""
set -e
r=$PWD/root
mount -t tmpfs -o mode=755 tmpfs "$r"
cd "$r"
mkdir -p usr etc/systemd/system var/lib var/log var/tmp tmp run proc sys dev root home
mount --rbind /usr usr
mount -o remount,bind,ro usr
for link in bin sbin lib lib32 lib64 libx32; do
        if [ -L /$link ]; then cp -a /$link .; elif [ -e /$link ]; then mkdir $link; mount --bind /$link $link; fi
done
mount -t tmpfs -o mode=755 tmpfs ".$PREFIX"
cp -a "../installed$PREFIX/." ".$PREFIX"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n' >etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\nalice:x:1000:\n' >etc/group
mkdir home/alice
chown 1000:1000 home/alice
echo 76d3d0d5c9f54f6e8f8d6f6a5f1c0b2a >etc/machine-id
cp -a /etc/ld.so.* etc
for unit in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket \
        systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
        systemd-logind.service systemd-timesyncd.service systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
        systemd-sysusers.service systemd-update-utmp.service systemd-remount-fs.service systemd-modules-load.service \
        systemd-sysctl.service systemd-random-seed.service systemd-firstboot.service systemd-machine-id-commit.service \
        ldconfig.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
        sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount timers.target local-fs.target swap.target; do
        ln -s /dev/null etc/systemd/system/$unit
done
printf '[Unit]\nDescription=A test\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >etc/systemd/system/default.target
cp ../vm.service ../alice.service etc/systemd/system
mkdir -p etc/systemd/system/vmpowerd.service.d etc/systemd/user
cp ../sanitizer.conf etc/systemd/system/vmpowerd.service.d
cp -r etc/systemd/system/vmpowerd.service.d etc/systemd/user
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mount -t tmpfs -o mode=755 tmpfs run
exec chroot . env -i container=other "NOTIFY_SOCKET=$NOTIFY_SOCKET" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        "$SYSTEMD" --system --log-target=console --log-level=warning --show-status=no
"""

# Who is connected to a monitor is looked for by its path in the whole network namespace, which is the host's: the path is ours alone.
HIS = f"his-{os.getpid()}"
MONITOR = f"/run/{HIS}/qmp"

VM = f"""[Service]
Type=exec
User=nobody
RuntimeDirectory={HIS}
RuntimeDirectoryMode=0700
ExecStart=qemu-system-x86_64 -M pc -S -m 2 -name his-vm -display none -nodefaults -qmp unix:{MONITOR},server=on,wait=off
"""

# What user@.service is where people log in.
ALICE = """[Service]
Type=notify
User=alice
Delegate=yes
RuntimeDirectory=user/1000
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=/run/user/1000
ExecStart=/lib/systemd/systemd --user
"""

# A leak is looked for with ptrace(), which does not go through the sandbox.
SANITIZER = "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n"


class Host:
    """A systemd that has come up.  Everything of it ends with close()."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vmpower-booted-")
        self.log = open(self.directory + "/log", "w", encoding="utf-8")
        self.process = None
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self):
        options = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", BUILD], stdout=subprocess.PIPE, check=True).stdout)
        prefix = next(option["value"] for option in options if option["name"] == "prefix")
        if prefix == "/usr":
            raise Skip("this host's own /usr is not written to")
        subprocess.run(["meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", self.directory + "/installed"],
                       stdout=subprocess.DEVNULL, check=True)
        for name, text in (("outer", OUTER), ("inner", INNER), ("vm.service", VM), ("alice.service", ALICE),
                           ("sanitizer.conf", SANITIZER)):
            with open(f"{self.directory}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind("\0vmpower-booted-%d" % os.getpid())
        # A session of its own: it cleans up even when all of us are killed.
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "./outer"], cwd=self.directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
            env={**os.environ, "PREFIX": prefix, "SYSTEMD": SYSTEMD, "NOTIFY_SOCKET": "@vmpower-booted-%d" % os.getpid()})
        child = self.process.stdout.readline().strip()
        if not child:
            raise Skip(f"no namespaces here: {self.said()}")
        ended, deadline = os.pidfd_open(int(child)), time.monotonic() + PATIENCE
        try:
            while True:
                ready, _, _ = select.select([notify, ended], [], [], max(0, deadline - time.monotonic()))
                if notify not in ready:
                    raise Skip(f"no systemd can be booted here: {self.said()}")
                if "READY=1" in notify.recv(65536).decode().splitlines():
                    break
        finally:
            os.close(ended)
            notify.close()
        with open(f"/proc/{child}/task/{child}/children", encoding="ascii") as file:
            self.init = file.read().split()[0]

    def said(self):
        with open(self.directory + "/log", encoding="utf-8", errors="replace") as file:
            return " / ".join(file.read().splitlines()[-3:]) or "nothing was said"

    def __call__(self, *command, status=0, user=None):
        """Run a command there, and return what it says."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "env", f"XDG_RUNTIME_DIR=/run/user/{user}"]
        done = subprocess.run(
            ["nsenter", "-t", self.init, "-m", "-p", "-r", "-w", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
             *(as_user if user else []), *command], capture_output=True, text=True, check=False, timeout=PATIENCE)
        if status is not None and done.returncode != status:
            raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}{self.said()}")
        return done.stdout.strip()

    def shows(self, unit, name):
        return self("systemctl", "show", "--value", f"--property={name}", unit)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)


host = None


def systemd_boots():
    global host
    if os.geteuid():
        raise Skip("only root can boot one")
    for program in (SYSTEMD, "unshare", "nsenter", "qemu-system-x86_64"):
        if not shutil.which(program):
            raise Skip(f"{program} is not here")
    host = Host()


def booted(function):
    def test():
        if not host:
            raise Skip("nothing was booted")
        function()

    test.__name__ = function.__name__
    return test


def vms(**named):
    return {vm["name"]: vm for vm in json.loads(host("vmpower", "list", "--json", **named))}


def attach():
    host("vmpower", "attach", "his-vm", "--qmp", MONITOR)
    expect(["it is not attached"] if vms()["his-vm"]["monitor"] != MONITOR else [])


def why():
    """The last verdict, once there is one."""
    deadline = time.monotonic() + PATIENCE
    while not (said := host("vmpower", "why", "his-vm", "--json", status=None)):
        if time.monotonic() > deadline:
            raise Failed("there is no verdict")
        time.sleep(0.05)
    verdict = json.loads(said)
    return verdict, (verdict["transition"], verdict["initiator"], verdict["mechanism"])


@booted
def what_the_readme_says_starts_it():
    host("systemd-sysusers", "vmpower.conf")
    host("systemd-tmpfiles", "--create", "vmpower.conf")
    host("systemctl", "daemon-reload")
    host("systemctl", "enable", "--now", "vmpowerd.socket", "vmpowerd")
    expect(f"{unit} is {state}" for unit in ("vmpowerd.socket", "vmpowerd.service") if (state := host.shows(unit, "ActiveState")) != "active")


@booted
def the_sandbox_lets_it_find_and_attach_another_users_vm():
    host("systemctl", "start", "vm")
    host("systemctl", "restart", "vmpowerd")  # a VM under software emulation is found at the start
    vm = vms()["his-vm"]
    expect([f"it could attach {vm['could_attach']}"] if vm["could_attach"] != MONITOR else [])
    attach()
    owner = host("stat", "-c", "%U %a", "/run/vmpower/qmp/his-vm.sock")
    expect([f"the monitor that it shares is {owner}"] if owner != "nobody 600" else [])


@booted
def its_owner_may_ask_too():
    expect(["he does not see it"] if "his-vm" not in vms(user=NOBODY) else [])


@booted
def the_sandbox_is_there():
    pid = host.shows("vmpowerd", "MainPID")
    status = host("cat", f"/proc/{pid}/status")
    expect(f"{line} is not so" for line in ("NoNewPrivs:\t1", "Seccomp:\t2") if line not in status)
    bounding = int(re.search(r"^CapBnd:\s*(\w+)", status, re.MULTILINE)[1], 16)
    expect(["it has CAP_SYS_ADMIN"] if bounding >> 21 & 1 else [])
    expect(f"{path} can be written" for path in ("/etc", "/home")
           if host("nsenter", "-t", pid, "-m", "-r", "-w", "sh", "-c", f"touch {path}/x 2>/dev/null && echo yes", status=None))


@booted
def killed_it_is_back_and_nobody_has_noticed():
    before = host("stat", "-c", "%i", "/run/vmpower/vmpower.sock"), host.shows("vm", "MainPID")
    host("systemctl", "kill", "--signal=KILL", "vmpowerd")
    # The socket is systemd's: whoever asks now is answered a little later.
    expect(["the VM's monitor is not held any more"] if vms().get("his-vm", {}).get("monitor") != MONITOR else [])
    after = host("stat", "-c", "%i", "/run/vmpower/vmpower.sock"), host.shows("vm", "MainPID")
    expect([f"socket and VM were {before}, and are {after}"] if before != after else [])
    expect(["it was not started again"] if host.shows("vmpowerd", "NRestarts") == "0" else [])


@booted
def what_was_started_in_its_place_goes_on_without_it():
    """A hook may start a VM, which is in the daemon's control group then."""
    group = "/sys/fs/cgroup" + host.shows("vmpowerd", "ControlGroup")
    pid = host("sh", "-c", f"sleep 600 >/dev/null 2>&1 & echo $! | tee {group}/cgroup.procs")
    host("systemctl", "restart", "vmpowerd")
    expect(["it was ended, too"] if host("cat", f"/proc/{pid}/comm", status=None) != "sleep" else [])
    host("kill", pid)


@booted
def stopped_it_comes_when_it_is_asked():
    host("systemctl", "stop", "vmpowerd")
    expect([f"it is {state}"] if (state := host.shows("vmpowerd", "ActiveState")) != "inactive" else [])
    expect(["the VM is not known any more"] if "his-vm" not in vms() else [])
    expect([f"it is {state}"] if (state := host.shows("vmpowerd", "ActiveState")) != "active" else [])
    if vms()["his-vm"]["monitor"] is None:  # what was stored is nobody's when a service is stopped
        attach()


@booted
def a_users_own_manager_runs_a_users_own_daemon():
    host("systemctl", "start", "alice")
    host("systemctl", "--user", "enable", "--now", "vmpowerd.socket", "vmpowerd", user=ALICE_ID)
    owner = host("stat", "-c", "%U %a", "/run/user/1000/vmpower/vmpower.sock")
    expect([f"the socket is {owner}"] if owner != "alice 600" else [])
    expect(["her daemon shows another's VM"] if json.loads(host("vmpower", "list", "--user", "--json", user=ALICE_ID)) else [])
    host("systemctl", "--user", "stop", "vmpowerd", user=ALICE_ID)
    host("vmpower", "list", "--user", user=ALICE_ID)
    state = host("systemctl", "--user", "is-active", "vmpowerd", user=ALICE_ID)
    expect([f"it is {state}"] if state != "active" else [])


@booted
def what_happens_while_it_is_dead_is_known():
    """Its descriptors are with systemd, and what QEMU says in the meantime waits there."""
    expect(["systemd keeps nothing"] if host.shows("vmpowerd", "NFileDescriptorStore") == "0" else [])
    host("systemctl", "kill", "--signal=KILL", "vmpowerd")
    host("systemctl", "kill", "--signal=TERM", "vm")
    vms()  # is answered once it is back; `why` would look into the state by itself, and find a VM that nobody looks after
    verdict, got = why()
    expect([f"it was {got}"] if got != ("destroy", "operator", "signal") else [])
    expect(["QEMU's own words on it were missed"]
           if not any(fact["source"] == "qmp" and fact["kind"] == "shutdown" for fact in verdict["evidence"]) else [])


TESTS = (
    systemd_boots,
    what_the_readme_says_starts_it,
    the_sandbox_lets_it_find_and_attach_another_users_vm,
    its_owner_may_ask_too,
    the_sandbox_is_there,
    killed_it_is_back_and_nobody_has_noticed,
    what_was_started_in_its_place_goes_on_without_it,
    stopped_it_comes_when_it_is_asked,
    a_users_own_manager_runs_a_users_own_daemon,
    what_happens_while_it_is_dead_is_known,
)

try:
    run([(function.__name__, function) for function in TESTS])
finally:
    if host:
        host.close()
