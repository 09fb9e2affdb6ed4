"""The tests that want a host of their own, in one: Debian's stock kernel with KVM, all rights, and memory that may run out (lab.py).

    kvm.py [PROGRAM ...]    not these, but others of the tests

Each line of theirs is a result here. Nothing is skipped in there: what they need is there.
"""

import os
import re
import shlex
import sys

from lab import HERE, Lab, Lost, Skip

PROGRAMS = ("kvm/lab_itself.py", "qemu/trace.py", "qemu/trace_perf.py", "qemu/logins.py", "kvm/guests.py", "kvm/devices.py", "kvm/out_of_memory.py")

# TMPDIR: a file system as a host has it, not one over another.
SCRIPT = """
mkdir -p /lab-tmp /sys/fs/cgroup/tests
mount -t tmpfs lab-tmp /lab-tmp
export TMPDIR=/lab-tmp VMPOWER_TEST_PATIENCE=120 VMPOWER_HOTPLUG=yes
echo 2 >/proc/sys/kernel/perf_event_paranoid
PYTHON -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x49))' # SIOCSIFFLAGS: up
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
for program in PROGRAMS; do
        echo "lab: $program"
        sh -c 'echo $$ >/sys/fs/cgroup/tests/cgroup.procs; exec "$@"' sh PYTHON "$program" 2>&1
        echo "lab: ended $?"
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


def main():
    if os.environ.get("VMPOWER_HAS_TRACE") == "0":
        print("1..0 # SKIP vmpower was built without libbpf")
        return 0
    programs = " ".join(shlex.quote(os.path.normpath(f"{HERE}/../{name}")) for name in sys.argv[1:] or PROGRAMS)
    try:
        lab = Lab(SCRIPT.replace("PROGRAMS", programs).replace("PYTHON", shlex.quote(sys.executable)))
    except Skip as skip:
        print(f"1..0 # SKIP {skip}")
        return 0
    results = Results()
    try:
        while (line := lab.line()) != "lab: over":
            if line is None:
                raise Lost(f"it went down before its end, in {results.program}\n{lab.said()}")
            results.hear(line)
        results.tell(True, "the host with all of that in it goes on to its end")
    except Lost as lost:
        results.tell(False, "the host with all of that in it goes on to its end", str(lost))
    finally:
        lab.close()
    print(f"1..{results.n}")
    return 1 if results.n_failed else 0


sys.exit(main())
