#!/usr/bin/env python3
"""Who is told by `vmpowerd`, and how often: hooks, the journal and Prometheus, on real QEMUs; and the file that says so.

    VMPOWERD       the daemon
    VMPOWER_SOAK   eighty daemons are killed, not sixteen
"""

import random
import shlex
import sqlite3
import urllib.error
import urllib.request

from daemon_world import *

JOURNALD = "/lib/systemd/systemd-journald"


# --- VMs and hooks --------------------------------------------------------------------------------------------------


class Vm:
    """A QEMU of the test's own, which runs."""

    def __init__(self, world):
        self.name = f"o{os.getpid()}-{next(vm_numbers)}"
        self.own = world.monitor()
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "env": world.environment}
        self.process = popen([*probe("idle", serial=False), "-name", self.name, *self.own.option], **named)
        world.later(self.process.wait)
        self.own.connect()
        self.own.wait_status("running", "RESUME")

    def kill(self):
        self.process.kill()
        self.process.wait()


def hook(world, name, text):
    """A hook in the configuration directory; it knows $T, where it may write."""
    directory = os.path.join(world.path("config"), "hooks.d")
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nT={shlex.quote(world.directory)}\n{text}")
    os.chmod(path, 0o755)
    return path


# One line at once, so that a reader never sees half of one.
NOTE = 'echo "$VMPOWER_VM $VMPOWER_VERDICT_ID" >>$T/told\n'


def configure(world, text):
    os.makedirs(world.path("config"), exist_ok=True)
    return world.write("config/vmpowerd.conf", text)


def read(world, name):
    try:
        with open(world.path(name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wait_until(condition, what):
    """What only a file or a process table can say."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"{what} within {PATIENCE} s")
        time.sleep(0.01)


def told(world, vm, name="told"):
    """The ids of the verdicts on it that the hook was told."""
    return [line.split()[1] for line in read(world, name).splitlines() if line.split()[0] == vm.name]


def wait_told(world, vm, count=1, name="told"):
    wait_until(lambda: len(told(world, vm, name)) >= count, f"{vm.name} was not told {count} times: {read(world, name)!r}")


def wait_stored(world, vm):
    wait_until(lambda: world.history(vm.name), f"there is no verdict on {vm.name}")


def cursor(world, name):
    connection = sqlite3.connect(f"file:{os.path.join(world.state, 'vmpower.db')}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT told, (SELECT max(number) FROM verdict) FROM outlet WHERE name LIKE '%' || ?", [name])
        return rows.fetchone()
    finally:
        connection.close()


def wait_acknowledged(world, name):
    """Until the hook has been told all there is, and the disk knows."""

    def is_there():
        row = cursor(world, name)
        return row and row[0] == row[1]

    wait_until(is_there, f"{name} is behind: {cursor(world, name)}")


# --- hooks ----------------------------------------------------------------------------------------------------------


@test("a hook gets the verdict as `why --json` tells it, and its fields")
def hook_gets_all(world):
    hook(world, "all", '[ "$VMPOWER_VM" = "$(cat $T/name)" ] || exit 0\ncat >$T/in; env >$T/env.new; mv $T/env.new $T/env\n')
    vm = Vm(world)
    world.write("name", vm.name)
    daemon = Daemon(world)
    vm.kill()
    wait_until(lambda: read(world, "env"), "the hook was not run")
    verdict = json.loads(read(world, "in"))
    check_form(verdict)
    assert verdict == world.why(vm.name)
    says(verdict, *KILLED, confidence="likely", left="gone")
    environment = dict(line.split("=", 1) for line in read(world, "env").splitlines())
    for name in ("PWD", "_", "SHLVL", "OLDPWD"):  # the shell's own
        environment.pop(name, None)
    number = environment.pop("VMPOWER_NUMBER")
    assert number.isdigit(), number
    assert environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "VMPOWER_STATE_DIR": world.state, "VMPOWER_RUN_DIR": world.rundir,
        "VMPOWER_SUMMARY": verdict["summary"], "VMPOWER_VERDICT_ID": verdict["id"], "VMPOWER_VM": vm.name,
        "VMPOWER_BACKEND": "qemu", "VMPOWER_INSTANCE": verdict["vm"]["instance"], "VMPOWER_TIME": verdict["time"],
        "VMPOWER_TRANSITION": "destroy", "VMPOWER_INITIATOR": "operator", "VMPOWER_MECHANISM": "signal",
        "VMPOWER_GRACEFUL": "false", "VMPOWER_LEFT": "gone", "VMPOWER_COUNT": "1", "VMPOWER_CONFIDENCE": "likely",
        "VMPOWER_RULE": verdict["rule"],
    }, environment  # fmt: skip
    daemon.stop()


@test("over a restart each verdict is told once, and what ended meanwhile is told, too")
def restart(world):
    hook(world, "note", NOTE)
    first, second = Vm(world), Vm(world)
    daemon = Daemon(world)
    first.kill()
    wait_told(world, first)
    daemon.stop()
    second.kill()
    for _ in range(2):
        daemon = Daemon(world)
        wait_told(world, second)
        wait_acknowledged(world, "/note")
        daemon.stop()
    assert told(world, first) == [world.why(first.name)["id"]], read(world, "told")
    assert told(world, second) == [world.why(second.name)["id"]], read(world, "told")
    says(world.why(second.name), "unknown", "unknown", "unseen", None, confidence="guess", left="gone")


@test("a daemon killed between a verdict and its delivery: the next one tells it")
def killed_before(world):
    hook(world, "slow", 'echo $$ >>$T/pids\nuntil [ -e $T/go ]; do sleep 0.05; done\n' + NOTE)
    vms = [Vm(world) for _ in range(3)]
    daemon = Daemon(world, "--hooks-at-once", "1")
    for vm in vms:
        vm.kill()
        wait_stored(world, vm)
    wait_until(lambda: read(world, "pids"), "no hook runs")
    daemon.kill()
    forget_sockets(world)
    assert len(read(world, "pids").split()) == 1, "one at a time"
    os.kill(int(read(world, "pids")), signal.SIGKILL)  # it outlives the daemon, and shall tell nothing
    assert read(world, "told") == ""
    world.write("go", "")
    daemon = Daemon(world, "--hooks-at-once", "1")
    for vm in vms:
        wait_told(world, vm)
    wait_acknowledged(world, "/slow")
    daemon.stop()
    reap_orphans()
    for vm in vms:
        assert told(world, vm) == [world.why(vm.name)["id"]], read(world, "told")
    order = [line.split()[0] for line in read(world, "told").splitlines()]
    assert [name for name in order if name in [vm.name for vm in vms]] == [vm.name for vm in vms], order


@test("a daemon killed after a delivery, before it could know: it is told again, by its id")
def killed_after(world):
    # Others end beside us, and the daemon sees them, too.
    hook(world, "deadly", '[ "$VMPOWER_VM" = "$(cat $T/name)" ] || exit 0\n' + NOTE + "[ -e $T/done ] || { touch $T/done; kill -9 $PPID; }\n")
    vm = Vm(world)
    world.write("name", vm.name)
    daemon = Daemon(world)
    vm.kill()
    daemon.is_killed()
    forget_sockets(world)
    daemon = Daemon(world)
    wait_told(world, vm, 2)
    wait_acknowledged(world, "/deadly")
    daemon.stop()
    reap_orphans()
    assert told(world, vm) == 2 * [world.why(vm.name)["id"]], read(world, "told")


@test("daemons killed at any moment of a storm: every verdict is told at least once, none that does not exist")
def killed_at_random(world):
    # It tells nothing once its daemon is dead: that is for the next one.
    hook(world, "note", "sleep 0.05\nkill -0 $PPID || exit 1\n" + NOTE)
    n_rounds = 40 if os.environ.get("VMPOWER_SOAK") else 8
    vms = []
    for _ in range(n_rounds):
        daemon = Daemon(world)
        some = [Vm(world) for _ in range(2)]
        vms += some
        daemon.kill()
        forget_sockets(world)
        daemon = Daemon(world)  # it finds them
        for vm in some:
            vm.kill()
        time.sleep(random.uniform(0, 0.08))  # any moment will do
        daemon.kill()
        forget_sockets(world)
    daemon = Daemon(world)
    for vm in vms:
        wait_told(world, vm)
    wait_acknowledged(world, "/note")
    daemon.stop()
    reap_orphans()
    for vm in vms:
        history = world.history(vm.name)
        assert len(history) == 1, history
        assert set(told(world, vm)) == {history[0]["id"]}, (told(world, vm), history[0]["id"])


@test("a hook that hangs and one that fails keep no other from being told, and the log has the last line")
def bad_hooks(world):
    hook(world, "10-hangs", "echo $$ >>$T/pids\nexec sleep 1000\n")
    hook(world, "20-fails", "echo one\necho no such luck >&2\nexit 3\n")
    hook(world, "30-floods", "exec yes\n")
    hook(world, "40-quick", NOTE)
    vms = [Vm(world) for _ in range(5)]
    daemon = Daemon(world, "--hook-timeout", "20")
    for vm in vms:
        vm.kill()
    for vm in vms:
        wait_told(world, vm)
    daemon.stderr.wait_for("20-fails: verdict 1 was not told, and is tried again: exit status 3: no such luck\n")
    wait_until(lambda: len(read(world, "pids").split()) == 4, "the hanging hook does not run four times")
    daemon.stop()  # it waits for five seconds, and ends them
    for pid in read(world, "pids").split():
        assert state_of(int(pid)) is None, f"{pid}: {command_of(int(pid))}"


@test("a VM under `vmpower run` beside the daemon: its verdict is told to the daemon's hooks, too")
def beside_run(world):
    hook(world, "note", NOTE)
    name = f"o{os.getpid()}-{next(vm_numbers)}"
    daemon = Daemon(world)
    run = world.run(*probe("s5"), name=name)
    assert run.wait() == 0
    wait_until(lambda: name in read(world, "told"), "the hook was not told of it")
    wait_acknowledged(world, "/note")
    daemon.stop()
    lines = [line.split() for line in read(world, "told").splitlines()]
    assert [line[1] for line in lines if line[0] == name] == [verdict["id"] for verdict in world.history(name)], lines


@test("hooks that others can write, or that are not there, are said and not run")
def refused_hooks(world):
    os.chmod(hook(world, "open", NOTE), 0o757)
    os.chmod(hook(world, "forgotten", NOTE), 0o644)
    vm = Vm(world)
    daemon = Daemon(world, "--hook", world.path("nowhere"), "--hook", world.write("text", ""))
    for words in ("open is not run: others may write it\n", "forgotten is not run: it has no right to be executed (chmod +x)\n", "nowhere: No such file or directory\n", "text is not run: it is no program\n"):
        daemon.stderr.wait_for(words)
    vm.kill()
    wait_stored(world, vm)
    daemon.stop()
    assert read(world, "told") == ""


# --- configuration --------------------------------------------------------------------------------------------------


def refuses(world, status, lines, *options):
    process = start_daemon(world, options)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, (process.returncode, err)
    assert err.decode().splitlines() == [f"vmpowerd: {line}" for line in lines], err.decode()
    assert not os.path.exists(world.state) and world.sockets() == []


@test("a configuration file with wrong lines: each is named, and nothing is started")
def wrong_file(world):
    path = configure(world, "# ours\nhook_timeout = soon\n\njournald = off\ndance = yes\n")
    lines = ["2: hook_timeout = soon: seconds are wanted, above 0 and at most a day", "5: there is no key dance"]
    refuses(world, FAILED, [f"{path}:{line}" for line in lines])
    refuses(world, FAILED, [f"{path}:{line}" for line in lines], "--hook-timeout", "3")
    missing = world.path("missing.conf")
    refuses(world, FAILED, [f"cannot read {missing}: No such file or directory"], "--config", missing)
    refuses(world, FAILED, [f"cannot read {world.directory}: Is a directory"], "--config", world.directory)
    os.mkfifo(world.path("pipe"))
    refuses(world, FAILED, [f"cannot read {world.path('pipe')}: Invalid argument"], "--config", world.path("pipe"))
    configure(world, "")
    refuses(world, USAGE, ["journald = perhaps: auto, on or off is wanted"], "--journald", "perhaps")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@test("what the file says is done, and the command line outranks it; metrics are answered where it says, and nothing else is")
def file_and_options(world):
    ours = world.script("ours", f"#!/bin/sh\nT={world.directory}\n{NOTE}")
    theirs = world.script("theirs", f"#!/bin/sh\necho x >>{world.directory}/theirs-told\n")
    path = configure(world, f"hook = {theirs}\nmetrics_listen = no.such.host.invalid:1\n")
    port = free_port()
    vm = Vm(world)
    daemon = Daemon(world, "--config", path, "--hook", ours, "--metrics-listen", f"127.0.0.1:{port}")
    vm.kill()
    wait_told(world, vm)
    wait_acknowledged(world, "/ours")
    status, text = fetch(port, "/metrics")
    assert status == 200, (status, text)
    number = re.search(rf'^vmpower_outlet_told_total{{outlet="hook:{re.escape(ours)}"}} (\d+)$', text, re.MULTILINE)
    assert number and int(number[1]) >= 1, text
    assert re.search(rf'^vmpower_outlet_behind{{outlet="hook:{re.escape(ours)}"}} 0$', text, re.MULTILINE), text
    assert fetch(port, "/v1/vms")[0] == 404 and fetch(port, "/v1/health")[0] == 404
    daemon.stop()
    assert read(world, "theirs-told") == ""

    configure(world, f"hook = {theirs}\n")
    vm = Vm(world)
    daemon = Daemon(world)
    vm.kill()
    wait_until(lambda: read(world, "theirs-told"), "the file's hook was not run")
    daemon.stop()
    assert told(world, vm) == []


@test("an address that cannot be had is said, and VMs are looked after all the same")
def metrics_taken(world):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    vm = Vm(world)
    daemon = Daemon(world, "--metrics-listen", f"127.0.0.1:{port}")
    daemon.stderr.wait_for(f"metrics are not served on 127.0.0.1, port {port}: Address already in use\n")
    vm.kill()
    wait_stored(world, vm)
    daemon.stop()
    taken.close()


# --- the journal ----------------------------------------------------------------------------------------------------

# A journald of its own, in a namespace where nothing of this host's is: /run and /var/log are empty.
WITH_JOURNALD = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
[ -s /etc/machine-id ] || { echo 0123456789abcdef0123456789abcdef >/run/machine-id; mount --bind /run/machine-id /etc/machine-id; }
mkdir -p /run/systemd/journald.conf.d /run/systemd/journal /run/log/journal
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nForwardToSyslog=no\\nForwardToWall=no\\nRateLimitBurst=0\\n' \\
        >/run/systemd/journald.conf.d/test.conf
env -u NOTIFY_SOCKET "$JOURNALD" 2>"$VMPOWER_TEST_WORLD/journald-stderr" &
echo $! >"$VMPOWER_TEST_WORLD/journald-pid"
until [ -S /run/systemd/journal/socket ] || ! kill -0 $!; do sleep 0.02; done
exec "$@"
"""


def needs_journald():
    if os.geteuid() != 0:
        raise Skip("only root can give a journald a /run of its own")
    if not os.access(JOURNALD, os.X_OK) or not shutil.which("journalctl"):
        raise Skip(f"{JOURNALD} or journalctl is not installed")
    if subprocess.run(["unshare", "--mount", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        raise Skip("no mount namespace can be had")


def journal(daemon, *words):
    """What journalctl reads there."""
    inside = ["nsenter", f"--mount=/proc/{daemon.process.pid}/ns/mnt", "journalctl", "--no-pager", *words]
    done = subprocess.run(inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
    return done.stdout.decode()


@test("the real journal: one entry for each verdict, with its fields, found by them")
def real_journal(world):
    needs_journald()
    world.environment["JOURNALD"] = JOURNALD
    vm, other = Vm(world), Vm(world)
    # Its log is the journal, too, as under systemd: a verdict is not told there twice.
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_JOURNALD, "sh", "env", "JOURNAL_STREAM=8:1"]
    daemon = Daemon(world, within=words)
    vm.kill()
    other.kill()

    def entries(name):
        return [json.loads(line) for line in journal(daemon, "-o", "json", f"VMPOWER_VM={name}").splitlines()]

    for one in (vm, other):
        try:
            wait_until(lambda one=one: entries(one.name), f"the journal has no entry on {one.name}")
        except Timeout as timeout:
            raise Timeout(f"{timeout}: {journal(daemon)[-2000:]}; {daemon.stderr.text()[-2000:]}") from None
        verdict = world.why(one.name)
        (entry,) = entries(one.name)
        assert entry["MESSAGE"] == verdict["summary"] and entry["PRIORITY"] == "4", entry
        assert entry["MESSAGE_ID"] == "e9402aae414947928b5b0aa9d7f278ad" and entry["SYSLOG_IDENTIFIER"] == "vmpowerd", entry
        assert entry["VMPOWER_VERDICT_ID"] == verdict["id"] and entry["VMPOWER_TRANSITION"] == "destroy", entry
        assert entry["VMPOWER_INSTANCE"] == verdict["vm"]["instance"] and entry["_COMM"] == "vmpowerd", entry
        assert verdict["summary"] not in daemon.stderr.text(), daemon.stderr.text()
    wait_acknowledged(world, "journald")
    pid = int(read(world, "journald-pid"))
    daemon.stop()
    os.kill(pid, signal.SIGTERM)
    wait_for_end(pid)
    reap_orphans()


@test("the catalog that is installed explains what the journal is told")
def catalog(world):
    if not shutil.which("journalctl"):
        raise Skip("journalctl is not installed")
    root = world.path("root")
    os.makedirs(root + "/usr/lib/systemd/catalog")
    os.makedirs(root + "/var/lib/systemd/catalog")
    source = os.path.join(HERE, "..", "..")
    shutil.copy(os.path.join(source, "packaging/vmpower.catalog"), root + "/usr/lib/systemd/catalog")
    done = subprocess.run(["journalctl", "--root", root, "--update-catalog"], capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0 and not done.stderr, done
    with open(os.path.join(source, "src/outlets/journald_entry.h"), encoding="utf-8") as file:
        ids = re.findall(r'#define JOURNALD_MESSAGE_\w+ +"([0-9a-f]{32})"', file.read())
    assert len(ids) == 2, ids
    for one in ids:
        done = subprocess.run(["journalctl", "--root", root, "--dump-catalog", one], capture_output=True, check=False, timeout=PATIENCE)
        assert b"Defined-By: vmpower\n" in done.stdout, (one, done)


if __name__ == "__main__":
    sys.exit(main())
