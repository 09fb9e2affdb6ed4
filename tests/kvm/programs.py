"""Programs of the tests that are run in a lab, one after the other: each line of theirs is a result here.

Nothing is skipped in there: what they need is there. After each of them the lab may say what it does not like: "lab: no: WORDS".
"""

import os
import re
import shlex
import sys

from lab import BEATS, HERE, Frozen, Lost, Skip

LOOP = f"""{BEATS}
mkdir -p /sys/fs/cgroup/tests
for program in PROGRAMS; do
        echo "lab: $program"
        sh -c 'echo $$ >/sys/fs/cgroup/tests/cgroup.procs; exec "$@"' sh PYTHON "$program" 2>&1
        echo "lab: ended $?"
        after_each
done
echo "lab: over"
"""

RESULT = re.compile(r"(not )?ok\b\s*\d*\s*(?:- )?([^#]*)(?:#\s*skip\S*\s*(.*))?", re.IGNORECASE)


class Results:
    """What programs in there say, as one program's words."""

    def __init__(self):
        self.n = self.n_failed = 0
        self.program, self.planned, self.n_here, self.n_failed_here = None, None, 0, 0

    def tell(self, is_ok, words, *why):
        self.n += 1
        self.n_failed += not is_ok
        print(f"{'ok' if is_ok else 'not ok'} {self.n} - {words}")
        for line in "\n".join(why).splitlines():
            print("#", line)
        sys.stdout.flush()

    def hear(self, line):
        result, plan = RESULT.match(line), re.match(r"1\.\.(\d+)", line)
        if line.startswith("lab: ended "):
            status = line.split()[-1]
            is_whole = self.planned == self.n_here and (status == "0" or self.n_failed_here)
            if not is_whole:
                self.tell(False, f"{self.program} runs to its end", f"it planned {self.planned} tests, ran {self.n_here}, and ended with status {status}")
        elif line.startswith("lab: no: "):
            self.tell(False, f"{self.program}: {line[9:]}")
        elif line.startswith("lab: /"):
            self.program, self.planned, self.n_here, self.n_failed_here = os.path.basename(line), None, 0, 0
        elif plan:
            self.planned = int(plan[1])
        elif result:
            self.n_here += 1
            self.n_failed_here += bool(result[1]) or result[3] is not None
            why = [] if result[3] is None else ["nothing is to be skipped in here: " + result[3]]
            self.tell(not result[1] and not why, result[2].strip(), *why)
        else:
            print("#", line.lstrip("# "))


def _run_in(lab, results):
    lab.beats = True
    try:
        while (line := lab.line()) != "lab: over":
            if line is None:
                raise Lost(f"it went down before its end, in {results.program}\n{lab.said()}")
            results.hear(line)
    finally:
        lab.close()


def run(start_lab, programs, script):
    """`script` comes before them, and defines the shell's function after_each. Where the emulation stands still, they go on in another lab, from that program on."""
    programs = [os.path.normpath(f"{HERE}/../{name}") for name in programs]
    results, labs_left = Results(), 3
    while True:
        words = " ".join(map(shlex.quote, programs))
        labs_left -= 1
        try:
            _run_in(start_lab((script + LOOP).replace("PROGRAMS", words).replace("PYTHON", shlex.quote(sys.executable))), results)
            results.tell(True, "the host with all of that in it goes on to its end")
            break
        except Skip as skip:
            print(f"1..0 # SKIP {skip}")
            return 0
        except Lost as lost:
            if not isinstance(lost, Frozen) or not labs_left or not results.program:
                results.tell(False, "the host with all of that in it goes on to its end", str(lost))
                break
            print("#", f"{results.program} once more, in another lab:", str(lost).replace("\n", "\n# "), flush=True)
            programs = programs[next(i for i, path in enumerate(programs) if os.path.basename(path) == results.program) :]
    print(f"1..{results.n}")
    return 1 if results.n_failed else 0
