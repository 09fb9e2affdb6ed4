#!/usr/bin/env python3
"""What is kept: a disk that is full for a while, descriptors that are short, evidence that is pruned, history that is asked, by the daemon or from the state directory."""

import datetime
import os
import signal

from daemon_world import *

NO_DAEMON = 3


def database(world):
    return sqlite3.connect(f"file:{world.state}/vmpower.db?mode=ro", uri=True)


def status(world, expected=0):
    done = world.vmpower("status", "--json")
    assert done.returncode == expected, (done.returncode, done.stderr)
    return json.loads(done.stdout)


@test("a disk that is full while vmpowerd runs: it says so, keeps judging, and stores all of it once there is room, once")
def full_for_a_while(world):
    small_disk(world, 2048)
    one, two = runs(world), runs(world)
    daemon = Daemon(world)
    watch = Watch(world)
    attached(world, one)
    fill(world)
    one.own.ask("stop")
    daemon.wait_told(one.name)
    one.own.ask("cont")
    daemon.wait_told(one.name, 2)
    two.signal(signal.SIGKILL)
    daemon.wait_told(two.name)
    one.signal(signal.SIGKILL)
    daemon.wait_told(one.name, 3)
    assert "evidence could not be stored" in daemon.stderr.text(), daemon.stderr.text()
    assert "the disk is full" in daemon.stderr.text(), daemon.stderr.text()
    kept = status(world)["store"]
    assert kept["waiting_verdicts"] >= 4 and kept["waiting_evidence"] > 0 and kept["lost_verdicts"] == 0, kept
    assert not verdicts_stored(world, one) and not verdicts_stored(world, two), "nothing is stored on a full disk"
    for vm in (one, two):
        is_refused(world.vmpower("why", vm.name, "--system"), FAILED, vm.name, "not on disk yet")
    is_refused(world.vmpower("why", two.name), FAILED, two.name, "is gone", "the disk may take nothing")

    os.unlink(os.path.join(world.state, "ballast"))
    daemon.stderr.wait_for("the disk takes what it is given again")
    kept = status(world)["store"]
    assert kept["waiting_verdicts"] == kept["waiting_evidence"] == 0, kept
    assert story(world.history(one.name)) == [
        ("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("destroy", "operator", "signal"),
    ], story(world.history(one.name))  # fmt: skip
    assert story(world.history(two.name)) == [("destroy", "operator", "signal")]
    for vm in (one, two):
        assert len(verdicts_stored(world, vm)) == len(world.history(vm.name)), verdicts_stored(world, vm)
    daemon.stop()
    watch.wait_for_end()
    for vm in (one, two):
        told, stored = ([verdict["id"] for verdict in verdicts] for verdicts in (watch.verdicts(vm.name), world.history(vm.name)))
        # Told at once, without a number; and maybe once more, with the number that it has since it is stored.
        assert list(dict.fromkeys(told)) == stored and len(told) in (len(stored), 2 * len(stored)), (told, stored, daemon.stderr.text())
    # Both have their ending: nothing is left for a next daemon to judge.
    with database(world) as db:
        assert db.execute("SELECT count(*) FROM vm WHERE ended_ns IS NULL AND name IN (?, ?)", (one.name, two.name)).fetchone() == (0,)


@test("a database that is removed while vmpowerd has it open: it ends and says why, and the next one looks after what there is")
def removed_while_open(world):
    vm, other = runs(world), runs(world)
    daemon = Daemon(world)
    for name in os.listdir(world.state):
        os.unlink(os.path.join(world.state, name))
    other.signal(signal.SIGKILL)
    daemon._end(FAILED)
    (line,) = [line for line in daemon.stderr.text().splitlines() if "was moved or removed while it was in use: " in line]
    assert world.state in line and "started again" in line, line
    daemon = Daemon(world)
    assert listed(world, vm.name)["pid"] == vm.pid
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    assert len(verdicts_stored(world, vm)) == 1


@test("kvm: a VM that is born while the disk is full is looked after once there is room")
def born_on_a_full_disk(world):
    needs_kvm()
    small_disk(world, 2048)
    daemon = Daemon(world)
    fill(world)
    vm = runs(world, accelerator="kvm")
    daemon.stderr.wait_for("the disk is full")
    assert listed(world, vm.name) is None
    os.unlink(os.path.join(world.state, "ballast"))
    deadline = time.monotonic() + PATIENCE
    while not listed(world, vm.name):
        assert time.monotonic() < deadline, daemon.stderr.text()
        time.sleep(0.1)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    (killed,) = vm.history()
    says(killed, *KILLED, confidence="likely", left="gone")


# --- descriptors ----------------------------------------------------------------------------------------------------


NO_ROOM = "there are no descriptors for one VM more"


@test("a daemon that starts without descriptors for its VMs says so, once, and takes none of them for gone")
def started_without_descriptors(world):
    known, ends = runs(world), runs(world)
    daemon = Daemon(world)
    _, n_own = descriptors(daemon.process.pid)
    daemon.stop()
    new = runs(world)
    daemon = Daemon(world, within=("prlimit", f"--nofile={n_own + 12}:{n_own + 12}"))
    told = listed(world, known.name)
    assert told["state"] == "running" and told["sources"] in ([], ["trace"]), told
    assert listed(world, new.name) is None
    is_refused(attach(world, new), FAILED, "vmpowerd has no descriptors for one VM more")
    ends.signal(signal.SIGKILL)
    time.sleep(0.5)
    assert daemon.stderr.text().count(NO_ROOM) == 1, daemon.stderr.text()
    for vm in (known, new):
        assert not daemon.lines_on(vm.name) and not verdicts_stored(world, vm), daemon.stderr.text()
    daemon.stop()

    daemon = Daemon(world)
    for vm in (known, new):
        assert "process" in listed(world, vm.name)["sources"], listed(world, vm.name)
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name)
    daemon.stop()
    for vm in (known, new):
        (killed,) = vm.history()
        says(killed, *KILLED, confidence="likely", left="gone")
    assert len(ends.history()) == 1, ends.history()


@test("of the descriptors that it may have a daemon takes as many as it may")
def raises_its_limit(world):
    daemon = Daemon(world, within=("prlimit", "--nofile=256:4096"))
    assert resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)
    daemon.stop()


@test("kvm: a VM that is born while there are no descriptors for it is looked after once there are; the others are all the time")
def born_without_descriptors(world):
    needs_kvm()
    other = runs(world)
    daemon = Daemon(world)
    # Other tests' VMs come and go there, too.
    limit_descriptors(daemon, descriptors(daemon.process.pid)[1] + 12)
    vm = runs(world, accelerator="kvm")
    daemon.stderr.wait_for(NO_ROOM)
    time.sleep(1.5)  # its second look came to nothing, too
    other.signal(signal.SIGKILL)
    daemon.wait_told(other.name)
    limit_descriptors(daemon, None)
    wait_listed(world, vm.name)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    (killed,) = vm.history()
    says(killed, *KILLED, confidence="likely", left="gone")
    (killed,) = other.history()
    says(killed, *KILLED, confidence="likely", left="gone")


def attached_unshared(world, daemon, vm):
    """How often it took: other tests' VMs, too, take descriptors of the daemon's, and give them back."""
    for n in range(1, 50):
        limit_descriptors(daemon, descriptors(daemon.process.pid)[0] + 40)
        done = attach(world, vm, "--json")
        if done.returncode:
            is_refused(done, FAILED, "vmpowerd has no descriptors")
        elif json.loads(done.stdout)["shared_monitor"] is None:
            return n
        else:
            world.vmpower("detach", vm.name)
    raise AssertionError("there were never so many descriptors and no more")


@test("where descriptors are short, monitors are held and not shared, which is said once")
def unshared(world):
    vms = [runs(world) for _ in range(3)]
    daemon = Daemon(world)
    n = 0
    for vm in vms[:2]:
        n += attached_unshared(world, daemon, vm)
        assert not os.path.exists(shared_path(world, vm.name))
    n_said = daemon.stderr.text().count("held, and not shared")
    assert n_said == 1 if n == 2 else n_said >= 1, daemon.stderr.text()
    limit_descriptors(daemon, None)
    assert attached(world, vms[2])["shared_monitor"] == shared_path(world, vms[2].name)
    for vm in vms:
        vm.own.quit()
        daemon.wait_told(vm.name)
    daemon.stop()
    for vm in vms:
        (ended,) = vm.history()
        says(ended, "destroy", "operator", "qmp-quit", False)


# --- what is asked of it ---------------------------------------------------------------------------------------------


@test("status: with a daemon, and without one")
def daemon_or_none(world):
    none = status(world, NO_DAEMON)
    assert none == {"socket": None, "daemon": None, "store": None}, none
    assert world.vmpower("status").stdout == b"daemon    none answers\ndatabase  none: nothing was recorded yet\n"
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    told = status(world)
    assert told["socket"] == f"{world.rundir}/vmpower.sock" and told["daemon"]["pid"] == daemon.process.pid, told
    assert told["daemon"]["monitors"] == 1 and told["daemon"]["vms"] >= 1 and told["daemon"]["states"]["running"] >= 1, told
    assert told["store"]["path"] == f"{world.state}/vmpower.db" and told["store"]["retention_days"] == 400, told
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    assert status(world)["daemon"]["last_number"] >= 1
    daemon.stop()
    told = status(world, NO_DAEMON)
    assert told["daemon"] is None and told["store"]["verdicts"] >= 1 and told["store"]["evidence"] > 0, told
    assert re.search(r"^verdicts  [1-9]", world.vmpower("status").stdout.decode(), re.MULTILINE)


@test("history: by initiator, transition and time; from the state directory and, where that knows nothing, from the daemon")
def filters(world):
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    vm.own.ask("stop")
    daemon.wait_told(vm.name)
    vm.own.ask("cont")
    daemon.wait_told(vm.name, 2)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name, 3)
    pause, resume, killed = world.history(vm.name)
    elsewhere = {**world.environment, "VMPOWER_STATE_DIR": world.path("nothing")}

    def both(*words):
        here, there = world.vmpower("history", vm.name, "--json", *words), world.vmpower("history", vm.name, "--json", *words, env=elsewhere)
        assert here.returncode == there.returncode == 0 and here.stdout == there.stdout, (here, there)
        text, told = world.vmpower("history", vm.name, *words), world.vmpower("history", vm.name, *words, env=elsewhere)
        assert text.stdout == told.stdout, (text, told)
        return json.loads(here.stdout)[::-1]

    assert both() == [pause, resume, killed]
    assert both("--limit", "2") == [resume, killed]
    assert both("--initiator", "operator", "--transition", "pause") == [pause]
    assert both("--initiator", "guest") == []
    assert both("--since", "1h") == [pause, resume, killed]
    assert both("--until", "1h") == []
    assert both("--since", resume["time"], "--until", killed["time"]) == [resume]
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).strftime("%Y-%m-%d")
    assert both("--until", tomorrow) == [pause, resume, killed] and both("--since", tomorrow) == []
    assert world.vmpower("why", vm.name).stdout == world.vmpower("why", vm.name, env=elsewhere).stdout
    assert json.loads(world.vmpower("why", vm.name, "--json", env=elsewhere).stdout) == killed
    assert world.vmpower("why", vm.name, "--system").stdout == world.vmpower("why", vm.name).stdout
    daemon.stop()
    done = world.vmpower("history", vm.name, env=elsewhere)
    assert done.returncode == NO_SUCH_VM and b"there is no VM" in done.stderr, done
    assert not os.path.exists(elsewhere["VMPOWER_STATE_DIR"]), "asking makes nothing"


@test("history: a wrong word is answered with the right ones, on one line")
def wrong_words(world):
    for words, says_so in (
        (("--initiator", "nobody"), "there are guest, operator, host, vmm, policy, unknown"),
        (("--transition", "off"), "there are start, poweroff, reboot"),
        (("--since", "yesterday"), "how long ago, such as 30m, 2h or 3d"),
        (("--until", "2026-13-01"), "not '2026-13-01'"),
        (("--since", "1969-12-31"), "from 1970 to 2553"),
        (("--limit", "0"), "a number from 1"),
        (("--since",), "needs a value"),
    ):
        done = world.vmpower("history", *words)
        assert done.returncode == USAGE and says_so in done.stderr.decode() and done.stderr.count(b"\n") == 1, done


@test("prune: evidence goes, verdicts stay, beside a running daemon; what has not ended keeps its evidence")
def prune(world):
    ended, alive = runs(world), runs(world)
    daemon = Daemon(world)
    attached(world, alive)
    alive.own.ask("stop")
    daemon.wait_told(alive.name)
    ended.signal(signal.SIGKILL)
    daemon.wait_told(ended.name)

    def facts(vm):
        with database(world) as db:
            query = "SELECT count(*) FROM evidence JOIN vm ON vm.id = evidence.vm WHERE vm.instance = ?"
            return db.execute(query, (vm.instance,)).fetchone()[0]

    def has_ended():
        with database(world) as db:
            return db.execute("SELECT ended_ns FROM vm WHERE instance = ?", (ended.instance,)).fetchone()[0]

    deadline = time.monotonic() + PATIENCE
    while not has_ended():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    n_ended, n_alive = facts(ended), facts(alive)
    assert n_ended > 0 and n_alive > 0

    young = json.loads(world.vmpower("prune", "--json").stdout)
    assert young["pruned"] == 0 and young["left"] >= n_ended + n_alive, young
    would = json.loads(world.vmpower("prune", "--larger-than", "1", "--dry-run", "--json").stdout)
    assert would["pruned"] >= n_ended and would["dry_run"] is True and facts(ended) == n_ended, would
    done = world.vmpower("prune", "--larger-than", "1")
    assert done.returncode == 0 and re.match(rb"\d+ facts \(.*\) were pruned; \d+ \(.*\) are left. Every verdict stays.\n$", done.stdout), done
    assert facts(ended) == 0 and facts(alive) == n_alive
    (killed,) = world.history(ended.name)
    assert story([killed]) == [("destroy", "operator", "signal")] and killed["evidence"] == [], killed
    assert re.search(r"\(\d+ facts were pruned\)", world.vmpower("why", ended.name).stdout.decode())
    # Without its evidence it would be another verdict: it is not judged again.
    done = world.vmpower("rejudge", ended.name)
    assert done.stdout == b"0 verdicts judged again, 0 changed.\n", done
    daemon.stop()
    alive.signal(signal.SIGKILL)


@test("prune: wrong words, nothing to prune, no right")
def prune_errors(world):
    for words, says_so in (
        (("--older-than", "yesterday"), "takes a number of days"),
        (("--larger-than", "many"), "takes a size such as 500M or 1G"),
        (("--older-than", "0", "--dry-run"), "would keep no evidence at all"),
        (("--larger-than", "0K"), "would keep no evidence at all"),
        (("vm",), "it takes no VM"),
    ):
        done = world.vmpower("prune", *words)
        assert done.returncode == USAGE and says_so in done.stderr.decode() and done.stderr.count(b"\n") == 1, done
    done = world.vmpower("prune")
    assert done.returncode == 0 and not os.path.exists(world.state), "where nothing was recorded, nothing is made"


if __name__ == "__main__":
    sys.exit(main())
