"""A host of Xen's on which one daemon looks after all domains, as it does on any other, and what its verdicts are held against."""

from domains import *
from daemon_world import *


class Host:
    """What the daemon of this host has told."""

    def begin(self, is_traced=False):
        self.world = World()
        self.world.timer.cancel()
        if is_traced:
            self.world.environment["VMPOWER_TRACE"] = "yes"
        self.daemon = Daemon(self.world)

    def close(self, status):
        self.daemon.stop()
        for line in self.daemon.stderr.text().splitlines() if status else ():
            print("#", line)
        left_behind = self.world.close()
        self.world.check_output()
        assert not left_behind, left_behind

    def told(self, name, count=1):
        """So many verdicts on that name, the oldest first, once the decision on the last one has come to something."""
        self.daemon.wait_told(name, count)
        deadline = time.monotonic() + PATIENCE
        while True:
            told = self.world.history(name)
            assert len(told) == count, story(told)
            if (told[-1]["decision"] or {}).get("result") != "pending":
                return told
            assert time.monotonic() < deadline, told[-1]
            time.sleep(0.2)

    def vmpower(self, *words):
        done = self.world.vmpower(*words)
        assert done.returncode == 0, done
        return done.stdout.decode()

    def end(self, domain):
        """One that is begun again and again: it is held, so that nothing else comes before."""
        xl("pause", str(domain.id))
        self.wait_listed(domain)
        self.vmpower("destroy", domain.name, "--timeout", str(int(PATIENCE)))

    def wait_listed(self, domain):
        """As the daemon lists it."""
        return wait_listed(self.world, domain.name, lambda vm: vm and vm["instance"].split(":")[1] == f"xen{domain.id}")


HOST = Host()


def xl_says(domain, reason, action):
    log = domain.xl_log()
    assert re.search(rf"Domain \d+ has shut down, reason code {reason} ", log) and f"Action for shutdown reason code {reason} is {action}\n" in log, log


def is_of(verdict, domain, instance=None):
    assert verdict["vm"]["backend"] == "xen" and verdict["vm"]["name"] == domain.name, verdict["vm"]
    number = verdict["vm"]["instance"].split(":")[1]
    assert number == f"xen{domain.id if instance is None else instance}", verdict["vm"]


def is_by_us(verdict, verb):
    actor = verdict["actor"]
    assert actor, verdict
    assert (actor["via"], actor["comm"], actor["uid"], actor["parents"][0]["pid"]) == (f"vmpower {verb}", "vmpower", 0, os.getpid()), actor
