"""What the storm needs: an oracle for each VM, and witnesses who remember what they were told.

    FARM    the farm of scripted VMs
"""

from http.client import HTTPConnection, HTTPException
import random

from daemon_world import *

sys.path.insert(0, os.path.join(HERE, "..", "farm"))
from farm import Farm, OrderFailed

# Where a VM is, and what can happen to it there: (event, data), where it is then, and what must be said of that.
SCRIPT = {
    "running": [
        ("STOP", "", "paused", ("pause", "operator", "qmp-stop")),
        ("SUSPEND", "", "suspended", ("suspend", "guest", "acpi-s3")),
        ("RESET", '{"guest": true, "reason": "guest-reset"}', "reset", ("reboot", "guest", "guest-reset")),
        ("RESET", '{"guest": false, "reason": "host-qmp-system-reset"}', "reset", ("reboot", "operator", "qmp-reset")),
    ],
    "paused": [("RESUME", "", "running", ("resume", "operator", "qmp-stop"))],
    "suspended": [("WAKEUP", "", "running", ("wake", "unknown", "acpi-s3"))],
}
# After a reset something else comes first: one more within ten seconds would be the same loop.
SCRIPT["reset"] = SCRIPT["running"][:2]
ENDS = {
    "poweroff": ("poweroff", "guest", "acpi-s5"),
    "quit": ("destroy", "operator", "qmp-quit"),
    "signal": ("destroy", "operator", "signal"),
    "panic": ("crash", "guest", "panic-device"),
    "kill": ("unknown", "unknown", "unseen"),
}
UNSEEN = ("unknown", "unknown", "unseen")


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Subject:
    """A VM of the storm, and what really happened to it."""

    def __init__(self, name):
        self.name = name
        self.happened = []  # (what must be said, when)
        self.is_attached = False
        self.is_over = self.is_ending = False
        self.state = "running"

    def note(self, verdict, at_ns):
        self.happened.append((verdict, at_ns))


class Scripted(Subject):
    def __init__(self, farm, i, generation):
        super().__init__(f"s{os.getpid()}-{i}-{generation}")
        self.farm, self.number, self.generation = farm, i, generation
        self.path = farm.path(i)
        self.pid = 0

    def act(self, dice):
        event, data, after, verdict = dice.choice(SCRIPT[self.state])
        n = dice.choice((1, 2, 3)) if event == "RESET" else 1
        for i in range(n):
            try:
                at_ns = self.farm.say(self.number, event, data)
            except OrderFailed:
                return  # nobody hears it yet
            if i == 0:
                self.note(verdict, at_ns)
            # The firmware resets once or twice more by itself, always with the guest's word.
            data = SCRIPT["running"][2][1]
        self.state = after

    def end(self, dice):
        way = dice.choice(list(ENDS))
        self.note(ENDS[way], self.farm.end(self.number, way))
        self.is_over = True


class Real(Subject):
    """A QEMU; its own monitor is the test's."""

    def __init__(self, world, accelerator):
        self.vm = Vm(world, accelerator=accelerator).greets()
        super().__init__(self.vm.name)
        self.path, self.pid = self.vm.path, self.vm.pid

    def act(self, dice):
        at_ns = now_ns()
        if self.state == "paused":
            self.vm.own.ask("cont")
            self.note(("resume", "operator", "qmp-stop"), at_ns)
            self.state = "running"
        elif self.state == "reset" or dice.random() < 0.6:
            self.vm.own.ask("stop")
            self.note(("pause", "operator", "qmp-stop"), at_ns)
            self.state = "paused"
        else:
            self.vm.own.ask("system_reset")
            self.note(("reboot", "operator", "qmp-reset"), at_ns)
            self.state = "reset"

    def end(self, dice):
        at_ns = now_ns()
        way = dice.choice(("quit", "kill", "term"))
        if way == "quit":
            self.vm.own.quit()
        else:
            os.kill(self.pid, signal.SIGKILL if way == "kill" else signal.SIGTERM)
        wait_for_end(self.pid)  # and is left a zombie: its exit status may be seen
        self.note(("destroy", "operator", "qmp-quit" if way == "quit" else "signal"), at_ns)
        self.is_over = True


# --- asking --------------------------------------------------------------------------------------------------------


class UnixConnection(HTTPConnection):
    def __init__(self, path, timeout=PATIENCE):
        super().__init__("vmpower", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


def ask(world, method, target, body=None):
    """(status, answer), or None where the daemon did not live to answer."""
    connection = UnixConnection(os.path.join(world.rundir, "vmpower.sock"))
    try:
        connection.request(method, target, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def list_vms(world):
    status, answer = ask(world, "GET", "/v1/vms")
    assert status == 200, answer
    return {vm["name"]: vm for vm in answer["vms"]}


# --- witnesses ------------------------------------------------------------------------------------------------------


class Listener:
    """Hears every verdict, over all of the daemon's lives, and resumes by number."""

    def __init__(self, world):
        self.world = world
        self.told = []  # (number, verdict's id)
        self.complaint = None
        self.is_done = False
        self.thread = threading.Thread(target=self._hear, daemon=True)
        self.thread.start()

    def stop(self):
        self.is_done = True
        self.thread.join(PATIENCE)

    def _hear(self):
        while not self.is_done and not self.complaint:
            connection = UnixConnection(os.path.join(self.world.rundir, "vmpower.sock"), 1)
            try:
                after = str(self.told[-1][0] if self.told else 0)
                connection.request("GET", "/v1/events", headers={"Last-Event-ID": after})
                self._read(connection.getresponse())
            except (OSError, HTTPException, ValueError):
                time.sleep(0.02)  # it is away
            finally:
                connection.close()

    def _read(self, answer):
        event = {}
        while not self.is_done:
            line = answer.readline()
            if not line:
                return
            line = line.decode().rstrip("\n")
            key, _, value = line.partition(": ")
            if line:
                event[key] = value
            elif "data" in event:
                self._take(int(event["id"]), json.loads(event["data"])["id"])
                event = {}

    def _take(self, number, verdict):
        if self.told and number <= self.told[-1][0]:
            self.complaint = f"number {number} was told after {self.told[-1]}"
        self.told.append((number, verdict))


class Reader:
    """Reads the database all the while: what was there once stays there, as it was."""

    TABLES = {
        "evidence": ("id", "id, batch, vm, source, kind, at_ns, time_ns, seq, data"),
        "verdict": ("number", "number, id, vm, episode, revises, at_ns, time_ns, transition, initiator, mechanism, left, count, rule"),
        "verdict_evidence": ("rowid", None),
    }

    def __init__(self, world):
        self.world = world
        self.seen = {"evidence": {}, "verdict": {}}
        self.is_done = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def look(self):
        for table, seen in self.seen.items():
            key, columns = self.TABLES[table]
            for row in rows(self.world, f"SELECT {columns} FROM {table} WHERE {key} > ?", max(seen, default=0)):
                seen[row[0]] = row

    def _read(self):
        while not self.is_done:
            try:
                self.look()
            except sqlite3.OperationalError:
                pass  # it is not there yet, or is being recovered
            time.sleep(0.01)

    def compare(self):
        for table, seen in self.seen.items():
            key, columns = self.TABLES[table]
            now = {row[0]: row for row in rows(self.world, f"SELECT {columns} FROM {table}")}
            for number, row in seen.items():
                assert now.get(number) == row, f"{table} {number} was {row}, and is {now.get(number)}"


# --- the oracle -----------------------------------------------------------------------------------------------------


def verdicts_of(world, name):
    """[(transition, initiator, mechanism, at_ns), ...]: the newest revision of each episode, as it happened."""
    statement = (
        "SELECT v.transition, v.initiator, v.mechanism, v.at_ns, v.episode, v.id, v.revises FROM verdict v"
        " JOIN vm ON vm.id = v.vm WHERE vm.name = ? ORDER BY v.number"
    )
    newest, last = {}, {}
    for *said, episode, number, revises in rows(world, statement, name):
        assert revises == last.get(episode), f"{name}: {number} revises {revises}, not {last.get(episode)}"
        last[episode] = number
        newest[episode] = said
    return [newest[episode] for episode in sorted(newest, key=lambda episode: (newest[episode][3], episode))]


def align(happened, said, may_be_missed):
    """How many of the transitions that happened were missed, each of them where it may be; a sentence if it does not fit."""
    n_missed, at, last, is_gap = 0, 0, None, False
    for row in [*said, None]:
        while at < len(happened) and not (row and fits(happened[at], tuple(row[:3]), may_be_missed)):
            # Paused, resumed and paused: without the resumption there is but one pause.
            if not may_be_missed(happened[at][1]) and not (is_gap and happened[at][0][0] == last):
                return f"{happened[at]} is not what was said, but {row}"
            n_missed += 1
            is_gap = True
            at += 1
        if row and at == len(happened):
            return f"{row} never happened"
        if row:
            last, is_gap = row[0], False
            at += 1
    return n_missed


def fits(happened, told, may_be_missed):
    """What was missed may still be told by what is left of it: that it is paused, or gone, without who did it."""
    verdict, at_ns = happened
    if told == verdict:
        return True
    is_end = verdict in ENDS.values()
    # The first of two resets was missed: the second one says that the guest did it.
    if may_be_missed(at_ns) and verdict[0] == told[0] == "reboot":
        return True
    return may_be_missed(at_ns) and told[1] == "unknown" and (told[0] == verdict[0] or is_end and told[0] == "unknown")
