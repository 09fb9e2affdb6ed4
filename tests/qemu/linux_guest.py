"""What a stock Linux guest is made of: Debian's kernels with our init (guests/README.md)."""

import atexit
import threading

from world import *

QUIET = (
    "console=ttyS0 quiet mitigations=off no_timer_check tsc=reliable cryptomgr.notests audit=0 noreplace-smp"
    " vmpower.action="
)
BOOT = 4 * PATIENCE / 3  # seconds: for a kernel to get to its init on a busy machine

_made = {}
_making = threading.Lock()


def initrd(init, *modules):
    """One for all tests of this program: made once, in a directory that goes with this process."""
    with _making:
        if not _made:
            _made["directory"] = tempfile.mkdtemp(prefix="vmpower-initrd-")
            atexit.register(shutil.rmtree, _made["directory"], ignore_errors=True)
        key = (init, *modules)
        if key not in _made:
            path = os.path.join(_made["directory"], f"{len(_made)}.cpio")
            maker = os.path.join(HERE, "..", "..", "guests", "make-initrd")
            made = popen([sys.executable, maker, path, os.path.join(GUESTS, init), *modules])
            assert made.wait() == 0, "make-initrd failed"
            _made[key] = path
        return _made[key]


def kernel(name):
    path = os.path.join(CACHE, name, "vmlinuz")
    if not os.path.exists(path):
        option = "" if name == "cloud-amd64" else " --" + name
        raise Skip(f"{path} is not there: scripts/fetch-kernels{option} gets it")
    return path


def modules_of(name, modules):
    return [f"{CACHE}/{name}/modules/{module}.ko" for module in modules]
