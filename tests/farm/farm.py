"""A farm of scripted VMs, for tests and measurements: see farm.c, whose orders this speaks.

    FARM    the program
"""

import concurrent.futures
import contextlib
import os
import resource
import subprocess
import threading

FARM = os.path.abspath(os.environ.get("FARM", "build/tests/farm/farm"))
PATIENCE = float(os.environ.get("VMPOWER_TEST_PATIENCE", "30"))


class OrderFailed(Exception):
    pass


class Farm:
    """N scripted VMs in one process.  Instants are CLOCK_BOOTTIME, in ns."""

    def __init__(self, directory, n, threads=0, patience=PATIENCE, environment=None):
        words = [FARM, directory, str(n)] + ([str(threads)] if threads else [])
        self.directory, self.n, self.patience = directory, n, patience
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )
        with self._within(patience):
            word, _, pid = self._line().split()
        assert word == "ready", word
        self.pid = int(pid)

    def path(self, i):
        return os.path.join(self.directory, f"{i}.qmp")

    @contextlib.contextmanager
    def _within(self, patience):
        """A farm that hangs is killed: its pipe ends then."""
        timer = threading.Timer(patience, self.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the farm has ended")
        return line.rstrip("\n")

    def order(self, *words, patience=None):
        """Give an order.  The lines that it answers, each as its words."""
        with self._within(patience or self.patience):
            return self._answers(" ".join(str(word) for word in words))

    def _answers(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self._line()) != "done":
            lines.append(line.split())
            if line.startswith("error"):
                while self._line() != "done":
                    pass
                raise OrderFailed(line)
        return lines

    def say(self, i, event, data=""):
        """When it was said."""
        return int(self.order("say", i, event, data)[0][2])

    def end(self, i, way):
        return int(self.order("end", i, way)[0][3])

    def storm(self, ms, *ways, patience=None):
        """[(i, way, when), ...], as they ended."""
        return [(int(i), way, int(at)) for _, i, way, at in self.order("storm", ms, *ways, patience=patience)]

    def pulse(self, n, per_second):
        """[(i, event, when), ...]"""
        lines = self.order("pulse", n, per_second, patience=self.patience + n / per_second)
        return [(int(i), event, int(at)) for _, i, at, event in lines]

    def stats(self):
        words = self.order("stats")[0][1:]
        return dict(zip(("there", "connected", "negotiated", "commands", "looks"), map(int, words)))

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.write("quit\n")
                self.process.stdin.close()
                self.process.wait(self.patience)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Farms:
    """The same of as many as one process has descriptors for, twice: half of them are in another process."""

    MOST = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 64) // 2  # in one: farm.c

    def __init__(self, directory, n, threads=0, **named):
        self.n, self.first = n, (n + 1) // 2
        self.halves = []
        for i, n_half in enumerate((self.first, n - self.first)):
            path = os.path.join(directory, str(i))
            os.mkdir(path)
            self.halves.append(Farm(path, n_half, threads=threads // 2, **named))

    def path(self, i):
        return self.halves[i >= self.first].path(i - self.first if i >= self.first else i)

    def storm(self, ms, *ways, **named):
        """Both at once."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            one, two = pool.map(lambda half: half.storm(ms, *ways, **named), self.halves)
        return sorted(one + [(i + self.first, way, at) for i, way, at in two], key=lambda ended: ended[2])

    def pulse(self, n, per_second):
        return self.halves[0].pulse(n, per_second)

    def stats(self):
        one, two = (half.stats() for half in self.halves)
        return {key: one[key] + two[key] for key in one}

    def close(self):
        for half in self.halves:
            half.close()
