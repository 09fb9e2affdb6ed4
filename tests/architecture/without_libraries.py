"""vmpowerd builds and runs without the libraries that are optional: Xen's, what loads programs into the kernel, seccomp's.

    without_libraries.py SOURCE_ROOT VMPOWERD COMPILER

Builds a vmpowerd of its own, without them and without sanitizers, and looks at the other one, too: where they are, only helpers have Xen's.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import expect, run

ROOT, VMPOWERD, COMPILER = sys.argv[1], sys.argv[2], sys.argv[3:]
PATIENCE = 30

directory = tempfile.TemporaryDirectory(prefix="vmpower-without-")
BARE = os.path.join(directory.name, "build/src/daemon/vmpowerd")


def it_builds():
    options = ["--buildtype=plain", "-Dwerror=true", "-Dxen=disabled", "-Dtrace=disabled", "-Dseccomp=disabled"]
    done = subprocess.run([os.path.join(ROOT, "scripts/build"), os.path.join(directory.name, "build"), *options, "--", "vmpowerd"],
                          env={**os.environ, "CC": " ".join(COMPILER)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect([done.stdout[-8000:]] if done.returncode else [])


def libraries_of(program):
    """All that it starts with, those of its libraries included."""
    told = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [line.split()[0] for line in told.splitlines()]


def it_needs_none_of_them():
    found = libraries_of(BARE)
    assert any(name.startswith("libsystemd.so") for name in found), found
    expect(name for name in found if name.startswith(("libxen", "libbpf", "libseccomp")))


def with_them_xens_is_only_its_helpers():
    expect(name for name in libraries_of(VMPOWERD) if name.startswith("libxen"))


def it_runs():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VMPOWER_", "LISTEN_"))}
    for name in "state", "run", "config":
        environment[f"VMPOWER_{name.upper()}_DIR"] = os.path.join(directory.name, name)
    environment["NOTIFY_SOCKET"] = os.path.join(directory.name, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(environment["NOTIFY_SOCKET"])
        notify.settimeout(PATIENCE)
        daemon = subprocess.Popen([BARE], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            while "READY=1" not in notify.recv(4096).decode().splitlines():
                pass
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.path.join(environment["VMPOWER_RUN_DIR"], "vmpower.sock"))
                client.settimeout(PATIENCE)
                client.sendall(b"GET /v1/health HTTP/1.1\r\nHost: vmpower\r\nConnection: close\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 "), "its API does not answer"
            daemon.send_signal(signal.SIGTERM)
            _, told = daemon.communicate(timeout=PATIENCE)
            assert daemon.returncode == 0, (daemon.returncode, told)
        finally:
            daemon.kill()
            daemon.wait()


run([(function.__name__, function) for function in (
    it_builds,
    it_needs_none_of_them,
    it_runs,
    with_them_xens_is_only_its_helpers,
)])
