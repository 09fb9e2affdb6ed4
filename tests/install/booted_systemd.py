"""A systemd that is booted in namespaces of its own, on a root that has this host's programs, read-only, and what was installed. It needs root,
and a kernel that lets it; where none can be booted, that is said.
"""

import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time

from tap import Failed, Skip

PATIENCE = 30  # seconds: for one answer
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
kill -KILL $child 2>/dev/null || : # it may have gone down by itself
wait $child || :
# A process that was killed leaves its group a little later.
for _ in $(seq 100); do
        find "cgroup/vmpower-test-$$" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
        [ -e "cgroup/vmpower-test-$$" ] || break
done
"""

# A root with nothing of this host's but its programs; the units that want hardware, a network or a disk are off.
ROOT = r"""
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
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nmessagebus:x:100:102::/:/bin/false\n' >etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\nalice:x:1000:\nmessagebus:x:102:\n' >etc/group
mkdir home/alice
chown 1000:1000 home/alice
echo 76d3d0d5c9f54f6e8f8d6f6a5f1c0b2a >etc/machine-id
cp -a /etc/ld.so.* etc
off="systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket \
        systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
        systemd-timesyncd.service systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
        systemd-sysusers.service systemd-update-utmp.service systemd-remount-fs.service systemd-modules-load.service \
        systemd-sysctl.service systemd-random-seed.service systemd-firstboot.service systemd-machine-id-commit.service \
        ldconfig.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
        sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount timers.target local-fs.target swap.target"
[ -n "$LOGIND" ] || off="$off systemd-logind.service"
for unit in $off; do
        ln -s /dev/null etc/systemd/system/$unit
done
printf '[Unit]\nDescription=A test\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >etc/systemd/system/default.target
cp ../units/* etc/systemd/system
mkdir -p etc/systemd/system/vmpowerd.service.d etc/systemd/user
cp ../sanitizer.conf etc/systemd/system/vmpowerd.service.d
cp -r etc/systemd/system/vmpowerd.service.d etc/systemd/user
mkdir -p var/lib/vmpower
mount $STATE var/lib/vmpower
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
"""

INNER = ROOT + r"""
if [ -n "$BOOT_ID" ]; then
        cp "$BOOT_ID" boot_id
        mount --bind boot_id proc/sys/kernel/random/boot_id
        # The sandbox has a /proc/sys of its own.
        printf '[Service]\nBindReadOnlyPaths=/boot_id:/proc/sys/kernel/random/boot_id\n' >etc/systemd/system/vmpowerd.service.d/boot_id.conf
fi
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mount -t tmpfs -o mode=755 tmpfs run
exec chroot . env -i container=other "NOTIFY_SOCKET=$NOTIFY_SOCKET" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        "$SYSTEMD" --system --log-target=console --log-level=warning --show-status=no
"""

# A leak is looked for with ptrace(), which does not go through the sandbox.
SANITIZER = "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n"


class Host:
    """A systemd that has come up, with those units (and what else is to stand beside them) besides what was installed from `build`.
    Everything of it ends with close().

    `logind`: with a system bus and logind. `state`: a directory that stays, for what vmpower keeps. `boot_id`: of this boot, if not the kernel's.
    """

    NEEDS = ("unshare", "nsenter")  # programs

    def __init__(self, build, units, logind=False, state=None, boot_id=None):
        self.build, self.units, self.logind = build, units, logind
        self.directory = tempfile.mkdtemp(prefix="vmpower-booted-")
        self.state = state or self.directory + "/state"
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.boot_id = ""
        if boot_id:
            self.boot_id = self.directory + "/boot_id"
            self._write("boot_id", boot_id + "\n")
        self.log = open(self.directory + "/log", "w", encoding="utf-8")
        self.process = None
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def _prepare(self):
        """What its root is made of."""
        options = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", self.build], stdout=subprocess.PIPE, check=True).stdout)
        prefix = next(option["value"] for option in options if option["name"] == "prefix")
        if prefix == "/usr":
            raise Skip("this host's own /usr is not written to")
        subprocess.run(["meson", "install", "--no-rebuild", "-C", self.build, "--destdir", self.directory + "/installed"],
                       stdout=subprocess.DEVNULL, check=True)
        for name, text in (("outer", OUTER), ("inner", INNER), ("sanitizer.conf", SANITIZER),
                           *((f"units/{name}", text) for name, text in self.units.items())):
            self._write(name, text)
        return prefix

    def _boot(self):
        prefix = self._prepare()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind("\0vmpower-booted-%d" % os.getpid())
        # A session of its own: it cleans up even when all of us are killed.
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "./outer"], cwd=self.directory, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
            env={**os.environ, "PREFIX": prefix, "SYSTEMD": SYSTEMD, "LOGIND": "yes" if self.logind else "", "STATE": "--bind " + self.state,
                 "BOOT_ID": self.boot_id, "NOTIFY_SOCKET": "@vmpower-booted-%d" % os.getpid()})
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

    def wait_for_end(self, patience):
        """Until it has gone down by itself."""
        ended = os.pidfd_open(int(self.init))
        try:
            if not select.select([ended], [], [], patience)[0]:
                raise Failed(f"it does not go down: {self.said()}")
        finally:
            os.close(ended)

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

    def start_vmpowerd(self, *besides):
        """What the README says starts it."""
        self("systemd-sysusers", "vmpower.conf")
        self("systemd-tmpfiles", "--create", "vmpower.conf")
        self("systemctl", "daemon-reload")
        if self.logind:
            self("systemctl", "start", "dbus.socket", "dbus.service", "systemd-logind")
        if besides:
            self("systemctl", "start", *besides)
        self("systemctl", "enable", "--now", "vmpowerd.socket", "vmpowerd")

    def shows(self, unit, name):
        return self("systemctl", "show", "--value", f"--property={name}", unit)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)
