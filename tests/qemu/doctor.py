"""vmpower doctor: each check says that it works, and, with the thing taken away, what is missing, what that costs, and what repairs it."""

import pwd

from daemon_world import *

CHECKS = [
    "qmp", "stderr", "process", "process-of-others", "cgroup-oom", "kvm", "kvm-uevents", "trace-signals", "trace-oom", "trace-exits",
    "trace-ports", "trace-kvm-exits", "trace-births", "trace-senders", "host", "host-lock", "console", "libvirt", "xen", "store", "run-directory", "sock-diag", "journald", "hooks",
    "rights", "daemon", "descriptor-store",
]  # fmt: skip
NONE = {"console": "vmpower reads no console", "libvirt": "not built yet"}
# By the way in which the VM is ended.
VERDICTS = {
    "poweroff": ("poweroff", "guest", "acpi-s5"),
    "kill -9": ("destroy", "operator", "signal"),
    "kill -TERM": ("destroy", "operator", "signal"),
    "QMP quit": ("destroy", "operator", "qmp-quit"),
}
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups"]


def form_of(told):
    """The form vmpower.doctor/1."""
    assert list(told) == ["schema", "works", "checks", "trials"] and told["schema"] == "vmpower.doctor/1", list(told)
    assert isinstance(told["works"], bool)
    for check in told["checks"]:
        assert list(check) == ["name", "works", "found", "costs", "repair"], check
        assert check["found"] and check["found"].isprintable(), check
        assert check["works"] in (True, False, None), check
        if check["works"]:
            assert check["costs"] is None and check["repair"] is None, check
        elif check["works"] is False:
            assert check["costs"], check
    for trial in told["trials"]:
        assert list(trial) == ["name", "works", "found", "expected", "verdict"], trial
        assert list(trial["expected"]) == ["transition", "initiator", "mechanism"], trial


class Told:
    """What `vmpower doctor --json` tells."""

    def __init__(self, world, *options, before=(), **environment):
        environment = {**world.environment, "VMPOWER_DATA_DIR": GUESTS, "VMPOWER_TRACE": "yes", **environment}
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
        process = popen([*before, VMPOWER, "doctor", "--json", *options], **named)
        out, err = process.communicate(timeout=2 * PATIENCE)
        world.outputs.append(("vmpower doctor", err.decode(errors="replace")))
        assert err == b"", err
        self.whole = json.loads(out)
        form_of(self.whole)
        self.checks = {check["name"]: check for check in self.whole["checks"]}
        self.trials = {trial["name"]: trial for trial in self.whole["trials"]}
        assert process.returncode == (0 if self.whole["works"] else 1), (process.returncode, self.whole["works"])

    def works(self, *names):
        for name in names:
            assert self.checks[name]["works"] is True, self.checks[name]

    def lacks(self, name, found, costs, repair):
        """It is missing: a part of each sentence."""
        check = self.checks[name]
        assert check["works"] is False, check
        for key, part in (("found", found), ("costs", costs), ("repair", repair)):
            assert (check[key] is None) if part is None else part in (check[key] or ""), f"{key}: {part!r} is not in {check}"


def are_right(told, accelerators, actors):
    """Each trial's verdict, compared here once more; `actors`: the ways whose actor is named, and is the doctor."""
    assert list(told.trials) == [f"{accelerator}: {way}" for accelerator in accelerators for way in VERDICTS], list(told.trials)
    for name, trial in told.trials.items():
        way = name.partition(": ")[2]
        verdict = trial["verdict"]
        assert trial["works"] is True, trial["found"]
        assert (verdict["transition"], verdict["initiator"], verdict["mechanism"]) == VERDICTS[way], verdict
        assert tuple(trial["expected"].values()) == VERDICTS[way], trial["expected"]
        assert trial["found"] == verdict["summary"], trial["found"]
        check_form(verdict)
        # At another monitor it is seen, if QEMU is still there when one looks.
        if verdict["mechanism"] != "qmp-quit":
            assert bool(verdict["actor"]) == (way in actors), verdict["actor"]
        assert not verdict["actor"] or verdict["actor"]["comm"] == "vmpower", verdict["actor"]


def given_to_nobody(world):
    needs_root()
    os.chmod(world.directory, 0o755)
    for path in (world.state, world.rundir):
        os.mkdir(path, 0o700)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


# Runs a command to which the kernel refuses a system call, whatever it is asked (or with that first argument): number, argument, errno.
REFUSING = """
import ctypes, os, struct, sys
number, argument, error = (int(word) for word in sys.argv[1:4])
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
code = [(LOAD, 0, 0, 0), (EQUAL, 0, 3 if argument >= 0 else 1, number)]
if argument >= 0:
    code += [(LOAD, 0, 0, 16), (EQUAL, 0, 1, argument)]
code += [(RETURN, 0, 0, 0x50000 | error), (RETURN, 0, 0, 0x7fff0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[4], sys.argv[4:])
"""
PIDFD_OPEN, SOCKET, BPF, PERF_EVENT_OPEN, READLINKAT = 434, 41, 321, 298, 267  # x86-64


def refusing(number, argument=-1, error=errno.EPERM):
    if os.uname().machine != "x86_64":
        raise Skip("it knows the numbers of x86-64 alone")
    return [sys.executable, "-c", REFUSING, str(number), str(argument), str(int(error))]


def wait_for_children(pid):
    """Those that are vmpower by now."""
    deadline = time.monotonic() + PATIENCE
    while not (found := [child for child in descendants_of(pid) if b"\0run\0" in read_proc(child, "cmdline")]):
        assert time.monotonic() < deadline, "it has no children"
        time.sleep(0.002)
    return found[:1]


def left_behind(world):
    return [os.path.join(root, name) for root, _, names in os.walk(world.directory) for name in names if "try-" in name]


# --- all of it ------------------------------------------------------------------------------------------------------


@test("as root, with a daemon that a service manager looks after, everything of this host works, and the verdicts are right")
def _(world):
    needs_root()
    world.environment["VMPOWER_TRACE"] = "yes"
    manager = ServiceManager(world)
    daemon = manager.start()
    told = Told(world)
    assert list(told.checks) == CHECKS, list(told.checks)
    told.works("qmp", "stderr", "process", "process-of-others", "store", "run-directory", "sock-diag", "hooks", "rights", "daemon",
               "descriptor-store")
    for name, found in NONE.items():
        assert told.checks[name]["works"] is None and told.checks[name]["found"].startswith(found), told.checks[name]
    assert told.checks["xen"] == {"name": "xen", "works": None, "found": "this is no dom0 of Xen's", "costs": None, "repair": None}, told.checks["xen"]
    traced = told.checks["trace-signals"]["works"]
    has_types = os.path.exists("/sys/kernel/btf/vmlinux")
    assert traced or not has_types, told.checks["trace-signals"]
    assert told.checks["trace-senders"]["works"] == has_types, told.checks["trace-senders"]
    tried = {"trace-births": "was started, and seen to be"}
    if kvm_is_usable():
        told.works("kvm", "kvm-uevents")
        tried |= {"trace-ports": "reset port, and was seen to", "trace-kvm-exits": "triple fault, and was seen to"}
    for name, found in tried.items():
        assert not traced or told.checks[name]["found"].endswith(found), told.checks[name]
    are_right(told, ("tcg", "kvm") if kvm_is_usable() else ("tcg",), ("kill -9", "kill -TERM") if traced else ("kill -TERM",))
    assert not left_behind(world) and sorted(os.listdir(world.state))[0] == "vmpower.db", os.listdir(world.state)
    missing = [name for name, check in told.checks.items() if check["works"] is False]
    assert told.whole["works"] == (set(missing) <= {"journald", "kvm"}), missing
    manager.end(daemon)
    # The daemon has seen them too, under their name.
    names = [verdict["vm"]["name"] for verdict in world.history()]
    assert not traced or "vmpower-doctor" in names, names


@test("a user without rights is told what he cannot see, and his own verdicts are right")
def _(world):
    given_to_nobody(world)
    told = Told(world, before=AS_NOBODY, HOME=world.path("home"))
    told.works("qmp", "stderr", "process", "process-of-others", "store", "run-directory", "sock-diag")
    told.lacks("trace-signals", "no right", "a `kill -9` will be seen, its sender will not", "sudo systemctl enable --now vmpowerd")
    told.lacks("rights", "only one's own", "other users' VMs", "sudo systemctl enable --now vmpowerd")
    told.lacks("daemon", "no vmpowerd answers", "not started by `vmpower run`", "systemctl --user enable --now vmpowerd")
    assert told.checks["descriptor-store"]["works"] is None
    kvm = told.checks["kvm"]["works"]
    if not kvm:
        told.lacks("kvm", "/dev/kvm: ", "software emulation", "")
        told.lacks("kvm-uevents", "/dev/kvm: ", "VMs that start after vmpowerd", "")
        if os.path.exists("/dev/kvm"):
            told.lacks("kvm", "Permission denied", "", "usermod -aG")
    are_right(told, ("tcg", "kvm") if kvm else ("tcg",), ("kill -TERM",))
    assert told.whole["works"] is False and not left_behind(world)


# --- one thing taken away -------------------------------------------------------------------------------------------


@test("without QEMU on the PATH there is nothing to try, and it says what to install")
def _(world):
    told = Told(world, PATH=world.directory)
    for name in ("qmp", "stderr", "trials"):
        told.lacks(name, "qemu-system-x86_64: it is not on the PATH", "", "apt install qemu-system-x86")
    assert not told.trials


@test("a QEMU that says nothing is seen to")
def _(world):
    os.mkdir(world.path("bin"))
    world.script("bin/qemu-system-x86_64", "#!/bin/sh\necho it is broken >&2\nexit 1\n")
    told = Told(world, "--quick", PATH=world.path("bin") + os.pathsep + os.environ["PATH"])
    told.lacks("qmp", "does not answer", "how a guest goes is not seen", "apt install --reinstall")
    told.lacks("stderr", "did not say who has sent it SIGTERM, but: it is broken", "", "apt install --reinstall")


@test("a QEMU that goes as it likes is not called right: the trials tell what came of it")
def _(world):
    os.mkdir(world.path("bin"))
    # It is reset where it should be powered off.
    world.script("bin/qemu-system-x86_64", f"""#!{sys.executable}
import os, sys
words = [word.replace("string=s5", "string=reset-cf9") for word in sys.argv[1:]] + ["-no-reboot"]
os.execv({shutil.which(QEMU)!r}, ["qemu-system-x86_64", *words])
""")
    told = Told(world, PATH=world.path("bin") + os.pathsep + os.environ["PATH"])
    assert told.trials["tcg: kill -9"]["works"] is True, told.trials["tcg: kill -9"]
    wrong = told.trials["tcg: poweroff"]
    assert wrong["works"] is False and wrong["found"] == "not right: " + wrong["verdict"]["summary"], wrong
    assert told.whole["works"] is False


@test("without the probe ROM it says how to get it")
def _(world):
    told = Told(world, VMPOWER_DATA_DIR=world.directory)
    told.lacks("trials", f"{world.directory}/probe.rom: No such file", "cannot be shown", "meson install")


@test("--quick starts no VM, and says the rest")
def _(world):
    told = Told(world, "--quick")
    assert list(told.checks) == CHECKS and told.whole["trials"] == []


@test("a state directory that cannot be written is said to be, with what that costs")
def _(world):
    given_to_nobody(world)
    os.chown(world.state, 0, 0)
    told = Told(world, "--quick", before=AS_NOBODY, HOME=world.path("home"))
    told.lacks("store", world.state, "nothing can be kept", f"sudo install -d -m 0700 -o nobody '{world.state}'")


@test("a state directory on a disk that is read-only, or full, is said to be")
def _(world):
    small_disk(world, 64)
    fill(world)
    Told(world, "--quick").lacks("store", "", "nothing can be kept", "df -h")
    mounted = popen(["mount", "-o", "remount,ro", world.state])
    if mounted.wait():
        raise Skip("a filesystem cannot be mounted read-only")
    Told(world, "--quick").lacks("store", "", "nothing can be kept", "mount -o remount,rw")


@test("a database that is none is left as it is, and said to be")
def _(world):
    os.mkdir(world.state, 0o700)
    world.write("state/vmpower.db", "this is no database\n" * 100, 0o600)
    told = Told(world, "--quick")
    told.lacks("store", "vmpower.db", "nothing can be kept", None if told.checks["store"]["repair"] is None else "")
    with open(world.path("state/vmpower.db"), encoding="utf-8") as file:
        assert file.readline() == "this is no database\n"


@test("a run directory that is another's is said to be")
def _(world):
    given_to_nobody(world)
    os.chown(world.rundir, 0, 0)
    told = Told(world, "--quick", before=AS_NOBODY, HOME=world.path("home"))
    told.lacks("run-directory", world.rundir, "no place for its socket", "sudo install -d")
    told.works("sock-diag")


@test("a hook that others may write, or that nobody may execute, is said to be told nothing")
def _(world):
    os.makedirs(world.path("config/hooks.d"))
    world.script("config/hooks.d/good", "#!/bin/sh\n")
    assert Told(world, "--quick").checks["hooks"]["found"].startswith("1 in "), "one hook"
    os.chmod(world.script("config/hooks.d/bad", "#!/bin/sh\n"), 0o777)
    Told(world, "--quick").lacks("hooks", "others may write it", "told nothing", "chmod -R go-w")
    os.unlink(world.path("config/hooks.d/bad"))
    os.chmod(world.script("config/hooks.d/forgotten", "#!/bin/sh\n"), 0o644)
    Told(world, "--quick").lacks("hooks", "no right to be executed", "told nothing", f"chmod +x '{world.path('config/hooks.d/forgotten')}'")


@test("what $VMPOWER_TRACE switches off is missing, and what that costs is said")
def _(world):
    told = Told(world, "--quick", VMPOWER_TRACE="no")
    told.lacks("trace-signals", "switches it off", "a `kill -9` will be seen, its sender will not", "unset VMPOWER_TRACE")


@test("without a system bus, and on one where nobody speaks for the host, its shutdown would not be heard")
def _(world):
    told = Told(world, "--quick", DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={world.path('bus')}")
    told.lacks("host", "the system bus cannot be used: No such file", "ended by somebody's signal", "systemctl start dbus.socket")
    told.lacks("host-lock", "no logind", "does not wait until it is on record", "systemctl start dbus.socket")
    if not shutil.which("dbus-daemon"):
        raise Skip("there is no dbus-daemon")
    configuration = world.write("bus.conf", f"""<busconfig><type>system</type><listen>unix:path={world.path('bus')}</listen>
        <auth>EXTERNAL</auth><policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>
        <allow own='*'/><allow user='*'/></policy></busconfig>""")
    bus = popen(["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address=1"], env=world.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = Stream(bus.stdout.fileno())
    said.wait_for("unix:path=")
    told = Told(world, "--quick", DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={world.path('bus')}")
    told.lacks("host", "neither systemd nor logind", "ended by somebody's signal", "systemctl start systemd-logind")
    bus.kill()
    wait_for_end(bus.pid)
    bus.wait()
    said.thread.join(5)
    bus.stdout.close()


@test("a daemon that nobody keeps the descriptors of is said to miss what happens while it is restarted")
def _(world):
    daemon = Daemon(world)
    told = Told(world, "--quick")
    told.works("daemon")
    assert f"as pid {daemon.process.pid}" in told.checks["daemon"]["found"], told.checks["daemon"]
    told.lacks("descriptor-store", "nobody keeps", "while vmpowerd is restarted", "systemctl enable --now vmpowerd")
    daemon.stop()


@test("what a daemon does not see of the kernel's tracepoints is said, though whoever asks sees it")
def _(world):
    needs_root()
    daemon = Daemon(world)  # $VMPOWER_TRACE=no
    told = Told(world, "--quick")
    sees = told.checks["trace-signals"]["works"]
    told.lacks("daemon-trace", "vmpowerd says: $VMPOWER_TRACE switches it off", "who sends a signal", "systemctl restart vmpowerd" if sees else None)
    assert told.whole["works"] is False
    assert "\nlacks     trace: $VMPOWER_TRACE switches it off; so who sends a signal is not seen\n" in world.vmpower("status").stdout.decode()
    daemon.stop()


@test("without KVM's device the kernel has nothing to announce; in another network namespace it is not heard")
def _(world):
    needs_root()
    needs_kvm()
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev && exec 0</proc/self/fd/0 "$@"', "sh"]
    if popen([*hidden, "true"], stderr=subprocess.DEVNULL).wait():
        raise Skip("no mount namespace can be made")
    told = Told(world, "--quick", before=hidden)
    told.lacks("kvm", "/dev/kvm: No such file", "software emulation", "modprobe kvm_intel")
    told.lacks("kvm-uevents", "nothing to hear", "VMs that start after vmpowerd", "modprobe kvm_intel")
    if told.checks["trace-ports"]["works"]:
        assert told.checks["trace-ports"]["found"].endswith("; not tried: /dev/kvm: No such file or directory"), told.checks["trace-ports"]
    apart = ["unshare", "--user", "--map-root-user", "--net"]
    if popen([*apart, "true"], stderr=subprocess.DEVNULL).wait():
        raise Skip("no network namespace of another user namespace can be made")
    told = Told(world, "--quick", before=apart)
    told.works("kvm")
    told.lacks("kvm-uevents", "was not heard", "VMs that start after vmpowerd", "outside of the container")


@test("where processes cannot be watched, an end is not seen")
def _(world):
    told = Told(world, "--quick", before=refusing(PIDFD_OPEN))
    for name in ("process", "process-of-others"):
        told.lacks(name, "a process cannot be watched: Operation not permitted", "", "")
    told.lacks("process", "", "the end of a VM is not seen", None)


@test("where the kernel's sockets cannot be had, it is heard of no VM, and no monitor is known to be free")
def _(world):
    told = Told(world, "--quick", before=refusing(SOCKET, socket.AF_NETLINK, errno.EAFNOSUPPORT))
    told.lacks("sock-diag", "does not tell who is connected", "`vmpower attach` is refused", None)
    told.lacks("kvm-uevents", "cannot be listened to: Address family not supported", "VMs that start after vmpowerd", None)
    told.works("process", "run-directory", "qmp")


@test("where the kernel takes no programs, and opens no tracepoint, a kill -9 has no sender")
def _(world):
    told = Told(world, "--quick", before=[*refusing(BPF), *refusing(PERF_EVENT_OPEN)])
    told.lacks("trace-signals", "nor by perf" if os.geteuid() == 0 else "", "a `kill -9` will be seen, its sender will not", "")


@test("root without the capabilities that tracing takes is told which")
def _(world):
    needs_root()
    for gone, named, but in (("-sys_admin,-bpf,-perfmon", "run it with CAP_BPF and CAP_PERFMON", ""), ("-sys_admin,-perfmon", "run it with CAP_PERFMON", "CAP_BPF")):
        told = Told(world, "--quick", before=["setpriv", "--bounding-set", gone])
        told.lacks("trace-signals", "no right to it", "a `kill -9` will be seen, its sender will not", named)
        assert not but or but not in told.checks["trace-signals"]["repair"], told.checks["trace-signals"]


@test("where the kernel has neither type information nor tracefs, it is tracefs that is to be mounted")
def _(world):
    needs_root()
    hide = 'for place in btf tracing debug; do mount -t tmpfs none /sys/kernel/$place || exit 1; done; exec "$@"'
    hidden = ["unshare", "--mount", "sh", "-c", hide, "sh"]
    if popen([*hidden, "true"], stderr=subprocess.DEVNULL).wait():
        raise Skip("tracefs cannot be hidden")
    told = Told(world, "--quick", before=hidden)
    told.lacks("trace-signals", "there is no tracefs", "a `kill -9` will be seen, its sender will not", "mount -t tracefs tracefs /sys/kernel/tracing")


@test("outside of every memory cgroup the OOM killer is not told from another who kills")
def _(world):
    needs_root()
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"]
    if popen([*hidden, "true"], stderr=subprocess.DEVNULL).wait():
        raise Skip("no mount namespace can be made")
    told = Told(world, "--quick", before=hidden)
    told.lacks("cgroup-oom", "no memory cgroup", "OOM killer", "systemd-run --scope -p MemoryAccounting=yes")
    if told.checks["trace-oom"]["works"]:
        assert "; not tried: no memory cgroup can be made" in told.checks["trace-oom"]["found"], told.checks["trace-oom"]


@test("it is interrupted in the middle of a trial: nothing is left of that")
def _(world):
    environment = {**world.environment, "VMPOWER_DATA_DIR": GUESTS, "TMPDIR": "/tmp"}
    for number in (signal.SIGTERM, signal.SIGINT):
        process = popen([VMPOWER, "doctor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        output, errors = Stream(process.stdout.fileno()), Stream(process.stderr.fileno())
        output.wait_for("tcg: poweroff")
        [runner] = wait_for_children(process.pid)
        place = re.search(rb"VMPOWER_STATE_DIR=([^\0]*)/state\0", read_proc(runner, "environ"))
        if not place:
            raise Spoiled("the trial was over before it was looked at")
        place = place[1].decode()
        process.send_signal(number)
        wait_for_end(process.pid)
        assert process.wait() == -number, (process.returncode, errors.text())
        assert errors.wait_for_end() == b"" and output.wait_for_end()
        assert not os.path.exists(place), os.listdir(place)
        assert not world.ours(), [command_of(pid) for pid in world.ours()]
        for stream in (process.stdout, process.stderr):
            stream.close()


# --- words ----------------------------------------------------------------------------------------------------------


@test("for people it is a line for each try, then what it costs and what repairs it, and the same exit status")
def _(world):
    done = world.vmpower("doctor", "--quick", env={**world.environment, "VMPOWER_TRACE": "no"})
    assert done.returncode == 1 and done.stderr == b"", done
    text = done.stdout.decode()
    assert re.search(r"^process            works    a child was killed", text, re.MULTILINE), text
    wanted = r"^trace-signals      MISSING  .*\n +costs    a `kill -9` will be seen, its sender will not\n +repair   unset VMPOWER_TRACE$"
    assert re.search(wanted, text, re.MULTILINE), text
    for name in CHECKS:
        assert re.search(rf"^{name} ", text, re.MULTILINE), f"{name} is not in {text}"


@test("a wrong command line is 2, and says so in one line")
def _(world):
    for words in (["--slow"], ["vm"], ["--json=1"]):
        done = world.vmpower("doctor", *words)
        assert done.returncode == USAGE and done.stdout == b"" and done.stderr.count(b"\n") == 1, done


sys.exit(main())
