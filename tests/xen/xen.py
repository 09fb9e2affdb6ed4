"""The tests that want a Xen: each program runs in its dom0 (xen_lab.py).

    xen.py [PROGRAM ...]    not these, but others of the tests

What such a program needs is in domains.py. It fails if a signal that dumps core ended any process of dom0's, unless it said that it means to (xen_lab.py).
"""

import sys

import xen_lab
import programs

PROGRAMS = (
    "xen/lab_itself.py", "xen/source.py", "xen/hypercalls.py", "xen/verdicts.py", "xen/hvm.py", "xen/restarts.py", "xen/toolstack.py", "xen/xenstored.py",
)  # fmt: skip

SCRIPT = f"""
mkdir -p /lab-tmp
mount -t tmpfs lab-tmp /lab-tmp
export TMPDIR=/lab-tmp VMPOWER_TEST_PATIENCE=120
after_each() {{
        {xen_lab.TROUBLE}
}}
"""

sys.exit(programs.run(xen_lab.XenLab, sys.argv[1:] or PROGRAMS, SCRIPT))
