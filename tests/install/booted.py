"""The units as systemd runs them: a systemd is booted in namespaces of its own, on a root that has this host's programs, read-only,
and what was installed. It needs root, and a kernel that lets it; where none can be booted, that is said.

    booted.py BUILD
"""

import json
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from booted_systemd import PATIENCE, SYSTEMD, Host
from tap import Failed, Skip, expect, run

BUILD = os.path.abspath(sys.argv[1])
NOBODY, ALICE_ID = "65534", "1000"

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


# In the place of Xen's helper: what it may do there.  A domain's own files; what the scripts for its networks and disks do, in namespaces of its own.
HELPER = """#!/bin/sh
read -r configure
try() {
        name=$1
        shift
        if "$@" >/dev/null 2>&1; then echo $name; fi
}
{
        grep CapEff /proc/self/status >/tmp/effective
        try state touch /var/lib/xen/userdata /var/log/xen/log /run/xen/history
        try namespace unshare -mn true
        try link unshare -n ip link set lo up
        try variable unshare -n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
        try mount unshare -m mount -t tmpfs none /tmp
        try image touch /home/image
        try everywhere touch /usr/local/image
        try modules sh -c 'read -r _ capabilities && [ $((0x$capabilities >> 16 & 1)) = 1 ]' </tmp/effective
} >/run/xen-may.new
mv /run/xen-may.new /run/xen-may
exec cat
"""
XEN = """[Service]
Environment=VMPOWER_LIBEXEC_DIR=/run/libexec
ExecStart=
ExecStart=%s --xen=yes
"""
# The kernel of a dom0 says so, beside what it says else.
BECOME_DOM0 = """
mount -t tmpfs -o mode=755 none /mnt
for directory in /sys/*; do mkdir "/mnt${directory#/sys}" && mount --rbind "$directory" "/mnt${directory#/sys}"; done
mkdir -p /mnt/hypervisor/properties
echo 00000c05 >/mnt/hypervisor/properties/features
mount --rbind /mnt /sys
"""


host = None


def systemd_boots():
    global host
    if os.geteuid():
        raise Skip("only root can boot one")
    for program in (SYSTEMD, "unshare", "nsenter", "qemu-system-x86_64"):
        if not shutil.which(program):
            raise Skip(f"{program} is not here")
    host = Host(BUILD, {"vm.service": VM, "alice.service": ALICE})


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
    host.start_vmpowerd()
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
def its_doctor_finds_what_systemd_gives_it():
    told = json.loads(host("vmpower", "doctor", "--quick", "--json", status=None))
    checks = {check["name"]: check for check in told["checks"]}
    expect(f"{name}: {checks[name]}" for name in ("daemon", "descriptor-store", "store", "run-directory", "sock-diag", "rights", "qmp")
           if not checks[name]["works"])


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


def xen_may():
    """What the helper of a vmpowerd that is started anew may do."""
    host("rm", "-f", "/run/xen-may")
    host("systemctl", "daemon-reload")
    host("systemctl", "restart", "vmpowerd")
    deadline = time.monotonic() + PATIENCE
    while not (may := host("sh", "-c", "cat /run/xen-may && echo .", status=None)):
        if time.monotonic() > deadline:
            raise Failed("no helper was started")
        time.sleep(0.05)
    return may.split()[:-1]


@booted
def a_xen_helper_may_do_what_making_domains_takes_in_a_dom0_and_nowhere_else():
    generator = host("sh", "-c", "ls /usr/local/lib/systemd/system-generators/vmpower-xen-generator", status=None)
    if not generator:
        raise Skip("vmpower was built without libxl")
    vmpowerd = re.search(r"path=(\S+)", host.shows("vmpowerd", "ExecStart"))[1]
    host("sh", "-c", "mkdir -p /run/libexec /var/lib/xen /var/log/xen /run/xen /mnt /etc/systemd/system/vmpowerd.service.d")
    for path, text in (("/run/libexec/vmpower-source-xen", HELPER), ("/etc/systemd/system/vmpowerd.service.d/test.conf", XEN % vmpowerd)):
        host("sh", "-c", f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}")
    may = xen_may()
    expect([f"where there is no Xen, it may {may}"] if may != ["state"] else [])
    host("sh", "-c", BECOME_DOM0)
    may = xen_may()
    expect([f"in a dom0 it may {may}"] if may != ["state", "namespace", "link", "variable", "mount", "image", "everywhere", "modules"] else [])
    status = host("cat", f"/proc/{host.shows('vmpowerd', 'MainPID')}/status")
    effective = int(re.search(r"^CapEff:\s*(\w+)", status, re.MULTILINE)[1], 16)
    expect(["vmpowerd itself keeps CAP_SYS_ADMIN"] if effective >> 21 & 1 else [])


TESTS = (
    systemd_boots,
    what_the_readme_says_starts_it,
    the_sandbox_lets_it_find_and_attach_another_users_vm,
    its_doctor_finds_what_systemd_gives_it,
    its_owner_may_ask_too,
    the_sandbox_is_there,
    killed_it_is_back_and_nobody_has_noticed,
    what_was_started_in_its_place_goes_on_without_it,
    stopped_it_comes_when_it_is_asked,
    a_users_own_manager_runs_a_users_own_daemon,
    what_happens_while_it_is_dead_is_known,
    a_xen_helper_may_do_what_making_domains_takes_in_a_dom0_and_nowhere_else,
)

try:
    run([(function.__name__, function) for function in TESTS])
finally:
    if host:
        host.close()
