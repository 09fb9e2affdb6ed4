"""What the daemon keeps of root's rights, and what a user without any still has of vmpower."""

import pwd

from daemon_world import *

# include/uapi/linux/capability.h
NUMBERS = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
    "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39,
}  # fmt: skip
AT_START_ALONE = {"CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"}
OF_THE_WRITER = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"}
UNIT = os.path.join(HERE, "../../packaging/systemd/vmpowerd.service.in")
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups"]


def mask(names):
    return sum(1 << NUMBERS[name] for name in names)


def of_the_unit():
    with open(UNIT, encoding="utf-8") as file:
        return set(" ".join(re.findall(r"^CapabilityBoundingSet=(.*)", file.read(), re.MULTILINE)).split())


def capabilities(text):
    """{"CapEff": …} of a process or thread, from its status."""
    return {name: int(value, 16) for name, value in re.findall(r"^(Cap\w+):\s*(\w+)", text, re.MULTILINE)}


def threads_of(pid):
    """[(name, capabilities), …]"""
    tasks = [f"task/{tid}" for tid in os.listdir(f"/proc/{pid}/task")]
    return [(read_proc(pid, f"{task}/comm").decode().strip(), capabilities(read_proc(pid, f"{task}/status").decode())) for task in tasks]


def is_ready(world, daemon):
    """It answers: it has given up by then what it does not need."""
    assert world.vmpower("status").returncode == 0, daemon.stderr.text()


@test("root's daemon keeps, in each of its threads, what its unit says that it needs, without what its start alone needs")
def _(world):
    needs_root()
    wanted = mask(of_the_unit() - AT_START_ALONE)
    ours = capabilities(read_proc("self", "status").decode())["CapPrm"]
    daemon = Daemon(world)
    is_ready(world, daemon)
    threads = threads_of(daemon.process.pid)
    assert "store-writer" in [name for name, _ in threads], threads
    for name, kept in threads:
        limit = mask(OF_THE_WRITER) if name == "store-writer" else wanted
        assert kept["CapEff"] == kept["CapPrm"] == limit & ours, f"{name} has {kept['CapEff']:x}, not {limit:x}"
        assert kept["CapInh"] == kept["CapAmb"] == 0, kept
    daemon.stop()


@on_both("after it has given up its rights a VM that is born then is found, and its killer known where the kernel is traced")
def _(world, accelerator):
    needs_root()
    world.environment["VMPOWER_TRACE"] = "yes"
    daemon = Daemon(world)
    is_ready(world, daemon)
    vm = runs(world, accelerator=accelerator)
    if accelerator == "tcg":  # which no uevent announces
        attached(world, vm)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    verdict = vm.history()[-1]
    says(verdict, *KILLED, confidence=verdict["confidence"])
    if "trace_absent" not in daemon.stderr.text():
        assert verdict["actor"] and verdict["actor"]["pid"] == os.getpid(), verdict
        assert verdict["confidence"] == "certain", verdict
    daemon.stop()


@test("a hook of root's has all of root's rights that the daemon's bounding set leaves it")
def _(world):
    needs_root()
    ours = capabilities(read_proc("self", "status").decode())
    hook = world.script("hook", f"#!/bin/sh\ncat /proc/self/status >{world.path('part')}\nmv {world.path('part')} {world.path('told')}\n")
    os.chmod(world.directory, 0o755)
    daemon = Daemon(world, "--hook", hook)
    is_ready(world, daemon)
    vm = runs(world)
    attached(world, vm)
    vm.signal(signal.SIGKILL)
    has = capabilities(wait_for_content(world.path("told"), "CapEff").decode())
    assert has["CapEff"] == ours["CapBnd"], f"{has['CapEff']:x}, not {ours['CapBnd']:x}"
    daemon.stop()


def given_to_nobody(world):
    """The world's directories are a user's who has no rights."""
    needs_root()
    os.chmod(world.directory, 0o755)
    for path in (world.state, world.rundir):
        os.mkdir(path, 0o700)
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


@test("vmpower run of a user without rights names who ended his VM by SIGTERM, and knows of a kill -9")
def _(world):
    given_to_nobody(world)
    for number in (signal.SIGTERM, signal.SIGKILL):
        command = [*AS_NOBODY, VMPOWER, "run", "--json", "--name", f"vm{int(number)}", "--", *probe("idle")]
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": world.environment}
        process = popen(command, **named)
        output, errors = Stream(process.stdout.fileno()), Stream(process.stderr.fileno())
        output.wait_for("probe: idle")
        qemu = next(pid for pid in descendants_of(process.pid) if comm_of(pid).startswith("qemu-system"))
        os.kill(qemu, number)
        wait_for_end(process.pid)
        assert process.wait() == DESTROYED, errors.wait_for_end()
        # The guest may not have come to the end of its line.
        verdict = json.loads(b"{" + output.wait_for_end().partition(b"{")[2])
        says(verdict, *KILLED, confidence=verdict["confidence"])
        if number == signal.SIGTERM:
            assert verdict["actor"]["pid"] == os.getpid(), verdict["actor"]
            assert verdict["confidence"] == "certain", verdict
        for file in (process.stdout, process.stderr):
            file.close()


@test("a VM whose command line gives it another user than run's: QEMU by itself it runs, before QEMU it is said why not and what to do")
def _(world):
    needs_root()
    os.chmod(world.directory, 0o755)
    run = world.run(*probe("s5"), "-runas", "nobody")
    assert run.wait() == 0, run.stderr.text()
    run = world.run(*AS_NOBODY, *probe("s5"), name="other")
    assert run.wait() == 13
    (line, verdict) = run.own_lines()
    assert "cannot make the monitor" in line and "setpriv" in line and "-runas" in line, line
    assert "VMM failed" in verdict, verdict


@test("the daemon of a user without rights has none, finds his VMs, and tells what became of them and what it does not see")
def _(world):
    given_to_nobody(world)
    his = popen([*AS_NOBODY, *probe("idle", serial=False), "-name", "his"], env=world.environment, stdin=subprocess.DEVNULL)
    world.environment["VMPOWER_TRACE"] = "yes"
    daemon = Daemon(world, within=AS_NOBODY)
    is_ready(world, daemon)
    assert re.search(r"trace_absent: \S.*; so who sends a signal is not seen$", daemon.stderr.text(), re.MULTILINE), daemon.stderr.text()
    assert all(kept["CapEff"] == kept["CapPrm"] == 0 for _, kept in threads_of(daemon.process.pid))
    names = [vm["name"] for vm in json.loads(world.vmpower("list", "--json").stdout)]
    assert "his" in names, names
    his.kill()
    daemon.wait_told("his")
    wait_for_end(his.pid)
    his.wait()
    daemon.stop()


sys.exit(main())
