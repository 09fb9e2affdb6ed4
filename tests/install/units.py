"""What systemd makes of the units, the groups and the directories; and that the daemon can work with what its unit leaves it.

    units.py SOURCE BUILD VMPOWER VMPOWERD
"""

import json
import os
import re
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, Skip, expect, run

SOURCE, BUILD, VMPOWER, VMPOWERD = (os.path.abspath(path) for path in sys.argv[1:])
UNITS = os.path.join(SOURCE, "packaging/systemd")
PATIENCE = 30  # seconds: for one answer
NOBODY = 65534


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not here")


def need_root():
    if os.geteuid():
        raise Skip("only root can give files to others")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def settings(manager, suffix="service"):
    """A unit's settings as they will be installed: a list of (name, value)."""
    path = f"{BUILD}/packaging/{manager}-vmpowerd.service" if suffix == "service" else (
        f"{UNITS}/{'' if manager == 'system' else 'user/'}vmpowerd.socket")
    return re.findall(r"^(\w+)=(.*)$", read(path), re.MULTILINE)


def values(name, *unit):
    return [word for key, value in settings(*unit) if key == name for word in value.split()]


# --- systemd --------------------------------------------------------------------------------------------------------


def verify(manager):
    need("systemd-analyze")
    with tempfile.TemporaryDirectory() as directory:
        # As installed, but that the program is where it was built.
        text, n = re.subn(r"^ExecStart=\S+", f"ExecStart={VMPOWERD}", read(f"{BUILD}/packaging/{manager}-vmpowerd.service"), flags=re.MULTILINE)
        if n != 1:
            raise Failed("the unit starts no program, or several")
        units = [directory + "/vmpowerd.service", directory + "/vmpowerd.socket"]
        with open(units[0], "w", encoding="utf-8") as file:
            file.write(text)
        shutil.copy(f"{UNITS}/{'' if manager == 'system' else 'user/'}vmpowerd.socket", units[1])
        os.mkdir(directory + "/run", 0o700)
        done = subprocess.run(["systemd-analyze", "verify", f"--{manager}", "--man=no", "--recursive-errors=no", *units],
                              env={**os.environ, "HOME": directory, "XDG_RUNTIME_DIR": directory + "/run"}, capture_output=True, text=True,
                              check=False, timeout=PATIENCE)
        # What it says and what it exits with are two things: an unknown key is only said.
        expect((done.stdout + done.stderr).splitlines() + ([f"it ended with {done.returncode}"] if done.returncode else []))


def systemd_has_nothing_to_say_to_the_systems_units():
    verify("system")


def systemd_has_nothing_to_say_to_the_users_units():
    verify("user")


def where_clients_look_is_where_the_socket_is():
    """client.h and the daemon know these paths by themselves."""
    expect(f"{manager}: {got}" for manager, wanted in (("system", "/run/vmpower/vmpower.sock"), ("user", "%t/vmpower/vmpower.sock"))
           if (got := values("ListenStream", manager, "socket")) != [wanted])
    header = read(SOURCE + "/include/vmpower/client.h")
    expect(f"client.h does not say {path}" for path in ("/run/vmpower/vmpower.sock", "$XDG_RUNTIME_DIR/vmpower/vmpower.sock")
           if path not in header)


def a_restart_loses_no_descriptor_no_socket_and_no_vm():
    for manager in ("system", "user"):
        held = dict(settings(manager))
        expect(f"{manager}: {name}={held.get(name)}" for name, wanted in (
            ("Type", "notify"), ("Restart", "on-failure"), ("KillMode", "process"), ("RuntimeDirectoryPreserve", "yes"))
            if held.get(name) != wanted)
        # 10,000 VMs, two each.
        expect([f"{manager}: FileDescriptorStoreMax"] if int(held["FileDescriptorStoreMax"]) < 20000 else [])
    held = dict(settings("system"))
    expect(["LimitNOFILE leaves no room beside the store"]
           if int(held["LimitNOFILE"]) < 2 * int(held["FileDescriptorStoreMax"]) else [])


def the_groups_are_made():
    need("systemd-sysusers")
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(root + "/etc")
        os.makedirs(root + "/usr/lib/sysusers.d")
        shutil.copy(UNITS + "/sysusers.conf", root + "/usr/lib/sysusers.d/vmpower.conf")
        done = subprocess.run(["systemd-sysusers", f"--root={root}"], capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            raise Failed(f"systemd-sysusers ended with {done.returncode}: {done.stderr}")
        groups = {line.split(":")[0] for line in read(root + "/etc/group").splitlines()}
        expect([f"it has made {groups}"] if groups != {"vmpower", "vmpower-admin"} else [])
        expect(["it has made users"] if os.path.exists(root + "/etc/passwd") and read(root + "/etc/passwd") else [])
    # What the daemon looks for.
    expect(f"no source of the API names {name}" for name in groups
           if not any(f'"{name}"' in read(f"{SOURCE}/src/api/{file}") for file in os.listdir(SOURCE + "/src/api") if file.endswith(".c")))


def the_directories_are_made():
    need("systemd-tmpfiles")
    need_root()
    wanted = {"/run/vmpower": 0o755, "/run/vmpower/qmp": 0o755, "/var/lib/vmpower": 0o700, "/etc/vmpower": 0o755,
              "/etc/vmpower/hooks.d": 0o755}
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(root + "/usr/lib/tmpfiles.d")
        shutil.copy(UNITS + "/tmpfiles.conf", root + "/usr/lib/tmpfiles.d/vmpower.conf")
        done = subprocess.run(["systemd-tmpfiles", f"--root={root}", "--create"], capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        expect((done.stdout + done.stderr).splitlines() + ([f"it ended with {done.returncode}"] if done.returncode else []))
        got = {}
        for directory, _, files in os.walk(root):
            path = directory.removeprefix(root)
            expect(f"{path}/{name} is there" for name in files if not path.startswith("/usr"))
            if re.search("vmpower", path):
                status = os.stat(directory)
                got[path] = stat.S_IMODE(status.st_mode)
                expect([f"{path} is not root's"] if (status.st_uid, status.st_gid) != (0, 0) else [])
        expect([f"it has made {got}"] if got != wanted else [])


# --- the daemon, with the unit's capabilities -----------------------------------------------------------------------


def wait_for(path_or_socket, process, what):
    """A line on the pipe, or a datagram; not if the process ends before."""
    ended = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([path_or_socket, ended], [], [], PATIENCE)
        if path_or_socket not in ready:
            raise Failed(f"no {what}")
    finally:
        os.close(ended)


def limited(command):
    """The command with the bounding set of the system's unit, and no new privileges."""
    wanted = values("CapabilityBoundingSet", "system")
    known = subprocess.run(["setpriv", "--list-caps"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    kept = [name.removeprefix("CAP_").lower() for name in wanted]
    kept = [name for name in kept if name in known]
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all," + ",".join("+" + name for name in kept), *command]


def the_capabilities_suffice_for_another_users_vm():
    """A monitor that only its user can reach is found, opened, and told of."""
    need("setpriv", "qemu-system-x86_64")
    need_root()
    processes = []
    with tempfile.TemporaryDirectory(prefix="vmpower-units-") as directory:
        os.chmod(directory, 0o711)
        os.mkdir(directory + "/his", 0o700)
        os.chown(directory + "/his", NOBODY, NOBODY)
        name, monitor = f"units-{os.getpid()}", directory + "/his/qmp"
        environment = {**os.environ, "VMPOWER_STATE_DIR": directory + "/state", "VMPOWER_RUN_DIR": directory + "/run",
                       "VMPOWER_CONFIG_DIR": directory + "/none", "NOTIFY_SOCKET": directory + "/notify"}
        try:
            # It says so on its console's pipe once its monitor listens.
            vm = subprocess.Popen(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "qemu-system-x86_64", "-M", "pc", "-S", "-m", "2",
                                   "-name", name, "-display", "none", "-nodefaults", "-qmp", f"unix:{monitor},server=on,wait=off",
                                   "-monitor", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            processes.append(vm)
            wait_for(vm.stdout, vm, "QEMU")

            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notify.bind(directory + "/notify")
            daemon = subprocess.Popen(limited([VMPOWERD]), env=environment, stderr=subprocess.DEVNULL)
            processes.append(daemon)
            state = ""
            while "READY=1" not in state.splitlines():
                wait_for(notify, daemon, "READY=1 from the daemon")
                state = notify.recv(65536).decode()
            notify.close()

            def ask(*words):
                done = subprocess.run([VMPOWER, *words, "--system", "--json"], env=environment, capture_output=True, text=True,
                                      check=False, timeout=PATIENCE)
                if done.returncode:
                    raise Failed(f"vmpower {' '.join(words)} ended with {done.returncode}: {done.stderr}")
                return json.loads(done.stdout)

            found = [item for item in ask("list") if item["pid"] == vm.pid]
            expect([f"the VM was not found, or with less than is there: {found}"]
                   if [(item["name"], item["could_attach"]) for item in found] != [(name, monitor)] else [])
            attached = ask("attach", name, "--qmp", monitor)
            expect([f"it is not attached: {attached}"] if attached["monitor"] != monitor else [])
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


run([(function.__name__, function) for function in (
    systemd_has_nothing_to_say_to_the_systems_units,
    systemd_has_nothing_to_say_to_the_users_units,
    where_clients_look_is_where_the_socket_is,
    a_restart_loses_no_descriptor_no_socket_and_no_vm,
    the_groups_are_made,
    the_directories_are_made,
    the_capabilities_suffice_for_another_users_vm,
)])
