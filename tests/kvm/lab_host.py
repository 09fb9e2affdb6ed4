"""A systemd that is booted on a kernel of its own (lab.py), on the root that booted_systemd.py gives it, and asked over a serial line."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), folder) for folder in ("..", "../install")]
import lab
from booted_systemd import ROOT, SYSTEMD, Host
from tap import Failed

PATIENCE = 120  # seconds: software emulation on a busy machine

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

SCRIPT = """
exec >/dev/console
cd DIRECTORY
mkdir root
PREFIX=PREFIX_HERE LOGIND=LOGIND_HERE STATE="-t ext4 /dev/vda"
ROOT_HERE
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs -o mode=755 run run
mkdir etc/systemd/system/default.target.wants
ln -s ../agent.service etc/systemd/system/default.target.wants
exec chroot . env -i PATH=PATH_HERE SYSTEMD --system --log-target=console --log-level=warning --show-status=no
"""

# It is no terminal of the agent's: whoever is started by it would be hung up at its end.
AGENT = """import json, os, subprocess, tty
line = open(os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0)
tty.setraw(line)
line.write(b"ready\\n")
asked = b""
while True:
    while b"\\n" not in asked:
        asked += line.read(4096)
    command, _, asked = asked.partition(b"\\n")
    done = subprocess.run(json.loads(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line.write(json.dumps([done.returncode, done.stdout, done.stderr]).encode() + b"\\n")
"""

UNIT = f"""[Unit]
After=basic.target
[Service]
Environment=PATH={PATH}
ExecStart=/usr/bin/python3 /etc/systemd/system/agent.py
"""


class LabHost(Host):
    """As its parent; what vmpower keeps is on a disk, and in `state` once the host has gone down."""

    NEEDS = ("/sbin/mkfs.ext4", "/sbin/debugfs")

    def __init__(self, build, units, logind=False, state=None, boot_id=None):
        self.build, self.logind, self.state = build, logind, state
        self.units = {**units, "agent.py": AGENT, "agent.service": UNIT}
        self.directory = tempfile.mkdtemp(prefix="vmpower-booted-")
        self.lab = None
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self):
        prefix = self._prepare()
        self.disk = self.directory + "/disk"
        with open(self.disk, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run([self.NEEDS[0], "-q", self.disk], check=True)
        script = SCRIPT.replace("ROOT_HERE", ROOT)
        for word, value in (("DIRECTORY", self.directory), ("PREFIX_HERE", prefix), ("LOGIND_HERE", "yes" if self.logind else ""),
                            ("PATH_HERE", PATH), ("SYSTEMD", SYSTEMD)):
            script = script.replace(word, shlex.quote(value))
        self.lab = lab.Lab(script, self.disk)
        self._hears("ready")

    def _line(self):
        try:
            line = self.lab.line(PATIENCE)
        except lab.Lost as lost:
            raise Failed(str(lost)) from None
        if line is None:
            raise Failed(f"it has gone down\n{self.said()}")
        return line

    def _hears(self, what):
        if (line := self._line()) != what:
            raise Failed(f"it said {line!r}, not {what!r}\n{self.said()}")

    def __call__(self, *command, status=0):
        self.lab.write(json.dumps(command) + "\n")
        returned, out, err = json.loads(self._line())
        if status is not None and returned != status:
            raise Failed(f"{' '.join(command)} ended with {returned}:\n{out}{err}{self.said()}")
        return out.strip()

    def wait_for_end(self, patience):
        try:
            while self.lab.line(patience) is not None:
                pass
        except lab.Lost as lost:
            raise Failed(f"it does not go down: {lost}") from None
        self.lab.process.wait()
        # As whoever boots next finds it.
        done = subprocess.run([self.NEEDS[1], "-R", f"rdump / {self.state}", self.disk], capture_output=True, text=True, check=False)
        if not os.path.exists(self.state + "/vmpower.db"):
            raise Failed(f"there is no database on the disk: {done.stderr}\n{self.said()}")

    def said(self):
        return self.lab.said()

    def close(self):
        if self.lab:
            self.lab.close()
        shutil.rmtree(self.directory)
