#!/usr/bin/env python3
"""vmpowerd is killed again and again while VMs live and die: nothing is told twice, nothing that was acknowledged is lost, nobody is forgotten.

    VMPOWER_SEED   of the storm; printed
    VMPOWER_SOAK   hundreds of kills, hundreds of VMs
"""

import os
import sys

IS_SOAK = bool(os.environ.get("VMPOWER_SOAK"))
if IS_SOAK:
    os.environ.setdefault("VMPOWER_TEST_PATIENCE", "200")

from storm_world import *

SEED = int(os.environ.get("VMPOWER_SEED") or random.SystemRandom().randrange(1 << 32))
# What was read from a socket and not committed when the daemon was killed is lost; nobody keeps it so long.
WINDOW_NS = 300_000_000
# So long after its start the daemon may take to hold the monitors again that it held.
ATTACHING_NS = 2_000_000_000


class Storm:
    def __init__(self, world, n_scripted, n_real, manager=None):
        self.world, self.manager = world, manager
        self.dice = random.Random(SEED)
        self.killers_dice = random.Random(SEED + 1)
        os.mkdir(world.path("farm"))
        self.farm = Farm(world.path("farm"), n_scripted, environment=world.environment)
        world.later(self.farm.close)
        self.subjects, self.ended = [Scripted(self.farm, i, 0) for i in range(n_scripted)], []
        accelerators = ("tcg", "kvm") if kvm_is_usable() else ("tcg",)
        self.subjects += [Real(world, accelerators[i % len(accelerators)]) for i in range(n_real)]
        self.kills = []  # (what it may have been reading happened since, until)
        self.away = []  # (killed, ready again)
        self.acted = threading.Event()
        self.is_calm = threading.Event()
        self.complaint = None
        self.daemon = self.start()
        self.n_descriptors = self.count_descriptors()
        self.listener, self.reader = Listener(world), Reader(world)
        for subject in self.subjects:
            self.attach(subject)
            assert subject.is_attached, subject.name
        self.thread = threading.Thread(target=self._blow, daemon=True)

    # The daemon.

    def start(self):
        if self.manager:
            return self.manager.start()
        return Daemon(self.world)

    def shoot(self, daemon):
        before = now_ns()
        daemon.process.kill()
        after = now_ns()
        daemon.kill()
        earliest = before - WINDOW_NS
        if self.kills and (daemon is not self.daemon or earliest < self.away[-1][1]):
            earliest = self.kills[-1][0]  # it has just begun to read what waited for it
        self.kills.append((earliest, after))

    def kill(self):
        killed = now_ns()
        self.shoot(self.daemon)
        if self.killers_dice.random() < 0.3:
            # Once more, in the middle of its start.
            half = self.manager.launch() if self.manager else Daemon.launch(self.world)
            time.sleep(self.killers_dice.uniform(0.03, 0.4))
            self.shoot(half)
        living = [one for one in list(self.subjects) if one.is_attached]
        self.daemon = self.start()
        self.away.append((killed, now_ns()))
        if self.manager:
            vms = list_vms(self.world)
            lost = [one for one in living if (vms.get(one.name) or {}).get("monitor") != one.path and not one.is_ending]
            assert not lost, "\n".join(self.describe(one.name) for one in lost)

    # The VMs.

    def attach(self, subject):
        done = ask(self.world, "POST", "/v1/vms", {"name": subject.name, "qmp": subject.path, "pid": subject.pid})
        subject.answer = done
        # Not answered: it may have been done all the same.
        if done and (done[0] == 201 or done[0] == 409 and "attached already" in str(done[1])):
            subject.is_attached = True
        elif done and done[0] != 503 and not re.search("has a client already|try again", str(done[1])):  # the one before may still be closing
            raise AssertionError((subject.name, done))

    def _blow(self):
        try:
            while not self.is_calm.is_set():
                self._do_one()
                self.acted.set()
                self.is_calm.wait(self.dice.uniform(0, 0.01))
        except BaseException as error:
            self.complaint = "".join(traceback.format_exception(error))

    def _do_one(self):
        at = self.dice.randrange(len(self.subjects))
        subject = self.subjects[at]
        if not subject.is_attached:
            self.attach(subject)
        elif self.dice.random() < 0.06:
            subject.is_ending = True
            subject.end(self.dice)
            self.ended.append(subject)
            if isinstance(subject, Scripted):
                self.farm.order("start", subject.number)
                self.subjects[at] = Scripted(self.farm, subject.number, subject.generation + 1)
            else:
                self.subjects[at] = Real(self.world, self.dice.choice(("tcg", "kvm")) if kvm_is_usable() else "tcg")
        else:
            subject.act(self.dice)

    def blow(self, n_kills):
        self.thread.start()
        for _ in range(n_kills):
            if self.killers_dice.random() < 0.5:
                time.sleep(self.killers_dice.uniform(0.02, 0.4))
            self.acted.clear()
            self.acted.wait(PATIENCE)
            time.sleep(self.killers_dice.choice((0, 0.001, 0.002, 0.005, 0.02)))
            self.kill()
            assert not self.complaint, self.complaint
        self.is_calm.set()
        self.thread.join(PATIENCE)
        assert not self.complaint, self.complaint

    # The end of it.

    def check_watched(self):
        """Every VM that lives is there, and attached if it was."""
        deadline = time.monotonic() + PATIENCE
        while True:
            vms = list_vms(self.world)
            lost = [one.name for one in self.subjects if one.is_attached and (vms.get(one.name) or {}).get("monitor") != one.path]
            if not lost or self.manager or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert not lost, "\n".join(f"not watched: {vms.get(name)} {self.describe(name)}" for name in lost)

    def describe(self, name):
        """All that there is about it."""
        subject = next(one for one in self.subjects + self.ended if one.name == name)
        lines = [f"{name}: happened {subject.happened}, away {self.away}"]
        lines += [str(row) for row in rows(self.world, "SELECT id, name, instance, watcher, ended_ns FROM vm WHERE name = ?", name)]
        statement = "SELECT e.id, e.kind, e.at_ns, e.time_ns, e.data FROM evidence e JOIN vm ON vm.id = e.vm WHERE vm.name = ? ORDER BY e.id"
        lines += [str(row) for row in rows(self.world, statement, name)]
        statement = "SELECT v.number, v.episode, v.revises, v.transition, v.mechanism, v.at_ns FROM verdict v JOIN vm ON vm.id = v.vm WHERE vm.name = ?"
        lines += [str(row) for row in rows(self.world, statement, name)]
        for _, text in self.world.outputs:
            lines += [line for line in text.splitlines() if name in line]
        return "\n".join(lines)

    def end_all(self):
        deadline = time.monotonic() + PATIENCE
        for subject in self.subjects:
            while not subject.is_attached:
                self.attach(subject)
                assert time.monotonic() < deadline, f"{subject.name} cannot be attached: {subject.answer} {self.describe(subject.name)}"
            subject.is_ending = True
            subject.end(self.dice)
        self.ended += self.subjects
        while open_names := self.open_names():
            assert time.monotonic() < deadline, f"not ended: {open_names}"
            time.sleep(0.05)

    def open_names(self):
        names = [name for (name,) in rows(self.world, "SELECT name FROM vm WHERE ended_ns IS NULL")]
        ours = {subject.name for subject in self.ended}
        return [name for name in names if name in ours]

    def check_told(self, may_be_missed):
        problems, n_happened, n_missed = [], 0, 0
        for subject in self.ended:
            said = verdicts_of(self.world, subject.name)
            missed = align(subject.happened, said, may_be_missed)
            n_happened += len(subject.happened)
            if isinstance(missed, str):
                problems.append(f"{missed}; said {said}\n{self.describe(subject.name)}")
            else:
                n_missed += missed
        assert not problems, f"{len(problems)} of {len(self.ended)}; away {self.away}\n" + "\n".join(problems[:5])
        return n_happened, n_missed

    def check_listener(self):
        numbers = [row[0] for row in rows(self.world, "SELECT number FROM verdict ORDER BY number")]
        deadline = time.monotonic() + PATIENCE
        while not self.listener.complaint and len(self.listener.told) < len(numbers) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not self.listener.complaint, self.listener.complaint
        assert [number for number, _ in self.listener.told] == numbers, set(numbers) ^ {n for n, _ in self.listener.told}

    def count_descriptors(self):
        """Of the daemon, but for those of VMs that it has found: others run some, too."""
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd")) - 2 * len(list_vms(self.world))

    def check_left(self):
        self.listener.stop()
        deadline = time.monotonic() + PATIENCE
        while (n := self.count_descriptors()) > self.n_descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        assert n <= self.n_descriptors, f"{n} descriptors, not {self.n_descriptors}"
        assert not rows(self.world, "SELECT path FROM monitor"), rows(self.world, "SELECT * FROM monitor")
        left = os.listdir(os.path.join(self.world.rundir, "qmp"))
        assert not left, left
        if self.manager:
            self.manager.wait(lambda: sorted(self.manager.kept) == ["api", "wire"])

    def finish(self):
        self.reader.is_done = True
        self.reader.thread.join(PATIENCE)
        self.reader.compare()
        self.farm.close()


def weather(world, manager, n_scripted, n_real, n_kills, may_be_missed):
    print(f"# VMPOWER_SEED={SEED}", flush=True)
    storm = Storm(world, n_scripted, n_real, manager)
    storm.blow(n_kills)
    storm.check_watched()
    storm.end_all()
    storm.check_listener()
    n_happened, n_missed = storm.check_told(lambda at_ns: may_be_missed(storm, at_ns))
    storm.check_left()
    storm.finish()
    print(f"# {len(storm.kills)} kills; {len(storm.ended)} VMs; {n_happened} transitions, {n_missed} missed", flush=True)
    return storm


@test("a storm, under a service manager that keeps the daemon's descriptors")
def kept(world):
    manager = ServiceManager(world)

    def may_be_missed(storm, at_ns):
        return False

    storm = weather(world, manager, *((500, 20, 150) if IS_SOAK else (100, 6, 10)), may_be_missed)
    manager.end(storm.daemon)


@test("a storm, and nobody keeps anything: what is missed is said to be missed")
def by_hand(world):
    # From the kill until the monitor is held again nobody listens.
    def may_be_missed(storm, at_ns):
        return any(killed - WINDOW_NS <= at_ns <= ready + ATTACHING_NS for killed, ready in storm.away)

    storm = weather(world, None, *((200, 20, 60) if IS_SOAK else (20, 6, 5)), may_be_missed)
    storm.daemon.stop()


@test("real VMs are born and die while the daemon looks, restarts and is away")
def born_and_killed(world):
    n = 100 if IS_SOAK else 12
    dice = random.Random(SEED)
    print(f"# VMPOWER_SEED={SEED}", flush=True)
    accelerators = ("tcg", "kvm") if kvm_is_usable() else ("tcg",)

    def birth():
        vms = [Vm(world, accelerator=accelerators[i % len(accelerators)]) for i in range(n)]
        dice.shuffle(vms)
        return vms

    def death(vms):
        for vm in vms:
            os.kill(vm.pid, signal.SIGKILL)

    daemon = Daemon(world)
    looked_at = birth()
    for vm in looked_at:
        vm.greets()
    third = n // 3
    # Some die while it looks, some while it is away, some while it starts; as many are born.
    death(looked_at[:third])
    daemon.kill()
    death(looked_at[third : 2 * third])
    born_away = birth()
    half = Daemon.launch(world)
    death(born_away[:third])
    time.sleep(dice.uniform(0.05, 0.3))
    half.kill()
    death(looked_at[2 * third :])
    for vm in born_away[third:]:
        vm.greets()
    daemon = Daemon(world)
    names = list_vms(world)
    assert all(vm.name in names for vm in born_away[third:]), "one that lives is not watched"
    death(born_away[third:])
    for vm in looked_at + born_away:
        vm.is_over()
    deadline = time.monotonic() + PATIENCE
    ours = {vm.name: vm for vm in looked_at + born_away}
    while left := [name for (name,) in rows(world, "SELECT name FROM vm WHERE ended_ns IS NULL") if name in ours]:
        assert time.monotonic() < deadline, f"not ended: {left}"
        time.sleep(0.05)
    daemon.stop()
    n_seen = 0
    for name, vm in ours.items():
        said = [tuple(row[:3]) for row in verdicts_of(world, name)]
        assert len(instances(world, vm)) <= 1 and len(said) == len(instances(world, vm)), (name, said, instances(world, vm))
        assert all(one in (("destroy", "operator", "signal"), UNSEEN) for one in said), (name, said)
        n_seen += len(said)
    assert all(verdicts_of(world, vm.name) for vm in born_away[third:]), "one that was watched has no ending"
    print(f"# {n_seen} of {len(ours)} were seen", flush=True)


if __name__ == "__main__":
    sys.exit(main())
