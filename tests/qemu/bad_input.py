#!/usr/bin/env python3
"""What a daemon is sent that makes no sense, or that the sender has no right to: it says so in one line, and goes on as if nothing had been."""

import os
import random
import resource
import signal
import socket
import sys

from daemon_world import *

NOBODY = 65534


def api_path(world):
    return os.path.join(world.rundir, "vmpower.sock")


def connect(world):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(api_path(world))
    return client


def answer_to(world, data):
    """Send these bytes; what comes back at once.  Half a request may be waited for, until the daemon's own timeout."""
    client = connect(world)
    client.settimeout(0.5)
    heard = b""
    try:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while more := client.recv(65536):
            heard += more
    except (ConnectionError, BrokenPipeError, TimeoutError):
        pass
    client.close()
    return heard


def is_well(world, daemon, vm):
    """It still answers, still knows the VM, and has not grown."""
    assert daemon.process.poll() is None, daemon.stderr.text()
    assert listed(world, vm.name)["pid"] == vm.pid


def n_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@test("garbage on the API's socket")
def garbage(world):
    vm = runs(world)
    daemon = Daemon(world)
    before = n_fds(daemon.process.pid)
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    dice = random.Random(seed)
    for data in (
        b"\0" * 100_000, b"GET", b"\r\n\r\n", b"GET /v1/vms HTTP/1.1\r\n", b"GET /v1/vms HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b'{"execute": "qmp_capabilities"}\n',
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        *(dice.randbytes(dice.randrange(1, 4096)) for _ in range(50)),
    ):  # fmt: skip
        answer = answer_to(world, data)
        assert answer == b"" or answer.startswith(b"HTTP/1.") and b" 2" not in answer[8:11], (data[:60], answer[:200])
    is_well(world, daemon, vm)
    deadline = time.monotonic() + PATIENCE
    while n_fds(daemon.process.pid) > before:
        assert time.monotonic() < deadline, (before, n_fds(daemon.process.pid))
        time.sleep(0.05)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("a request that is too large is refused, and says how large one may be")
def oversized(world):
    vm = runs(world)
    daemon = Daemon(world)
    status, answer = http(world, "POST", "/v1/vms", {"name": "x" * 100_000, "qmp": "/x"})
    assert status == 413 and "65536 bytes" in answer["error"], (status, answer)
    is_well(world, daemon, vm)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("a thousand connections that say nothing keep nobody else out")
def idle_connections(world):
    vm = runs(world)
    daemon = Daemon(world)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    code = (
        "import socket, sys, time\n"
        "held = []\n"
        "for _ in range(1000):\n"
        "    client = socket.socket(socket.AF_UNIX)\n"
        "    client.connect(sys.argv[1])\n"
        "    held.append(client)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code, api_path(world)]
    if os.getuid() == 0:
        words = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", *words]
        os.chmod(world.directory, 0o755)
        os.chmod(world.rundir, 0o755)
    crowd = popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=world.environment)
    try:
        assert crowd.stdout.readline() == b"held\n"
        is_well(world, daemon, vm)
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name)
        assert world.vmpower("why", vm.name).returncode == 0
    finally:
        crowd.stdin.close()
        crowd.wait()
        crowd.stdout.close()
    daemon.stop()


@test("who has no right sees nothing, and changes nothing")
def without_right(world):
    if os.getuid():
        raise Skip("needs root, to have another user")
    vm, own = runs(world), None
    daemon = Daemon(world)
    attached(world, vm)
    os.chmod(world.directory, 0o755)
    os.chmod(world.rundir, 0o755)

    def as_nobody(*words, state="/nonexistent"):
        environment = {**world.environment, "VMPOWER_STATE_DIR": state}
        command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", VMPOWER, *words]
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True)

    done = as_nobody("list", "--json")
    assert done.returncode == 0 and vm.name not in [v["name"] for v in json.loads(done.stdout)], done
    is_refused(as_nobody("attach", "mine", "--qmp", vm.path), FAILED, "only root and members of")
    is_refused(as_nobody("attach", vm.name, "--qmp", vm.path, "--pid", str(vm.pid)), FAILED, "only root and members of")
    is_refused(as_nobody("detach", vm.name), NO_SUCH_VM, vm.name)
    for verb in ("why", "history"):
        is_refused(as_nobody(verb, vm.name, state=world.state), NO_SUCH_VM, "there is no VM", vm.name)
    told = listed(world, vm.name)
    assert told["monitor"] == vm.path
    client = socket.socket(socket.AF_UNIX)
    refused = subprocess.run(
        ["setpriv", "--reuid", str(NOBODY), "--clear-groups", sys.executable, "-c",
         "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", told["shared_monitor"]],
        capture_output=True,
    )  # fmt: skip
    assert b"PermissionError" in refused.stderr, refused
    client.close()
    is_well(world, daemon, vm)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


class Impostor:
    """Somebody who listens where a monitor is said to be, and says this; `answer`: and that, once something is said to him."""

    def __init__(self, world, text, answer=None):
        self.path = world.path(f"impostor-{next(vm_numbers)}")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        self.text, self.answer, self.clients = text, answer, []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        world.later(self.close)

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            try:
                if self.text is None:
                    client.close()
                else:
                    client.sendall(self.text)
                if self.answer and client.recv(4096):
                    client.sendall(self.answer)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in self.clients:
            client.close()


@test("a path where no monitor greets: it is refused within little more than a second, and no VM comes of it")
def no_monitor(world):
    vm = runs(world)
    daemon = Daemon(world)
    for text, words in (
        (b"", "does not greet"), (None, "closed the connection"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no greeting"),
        (b'{"QMP": {}}\r\n', "no greeting"), (b'{"event": "SHUTDOWN"}\r\n', "no greeting"), (b"x" * 100_000, "no greeting"),
    ):  # fmt: skip
        impostor = Impostor(world, text)
        began = time.monotonic()
        name = f"no-vm-{next(vm_numbers)}"
        is_refused(world.vmpower("attach", name, "--qmp", impostor.path), FAILED, impostor.path, words)
        assert time.monotonic() - began < 1 + PATIENCE / 3
        assert listed(world, name) is None
        assert rows(world, "SELECT id FROM vm WHERE name = ?", name) == []
    is_well(world, daemon, vm)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("what QEMU refuses is said, with QEMU's own reason, and its monitor is held all the same")
def refused_by_qemu(world):
    daemon = Daemon(world)
    greeting = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}, "capabilities": []}}
    refusal = {"id": 1, "error": {"class": "GenericError", "desc": "not today"}}
    impostor = Impostor(world, *((json.dumps(said) + "\r\n").encode() for said in (greeting, refusal)))
    name = f"refuses-{next(vm_numbers)}"
    done = world.vmpower("attach", name, "--qmp", impostor.path)
    assert done.returncode == 0, done.stderr
    daemon.stderr.wait_for(f"{name}: QEMU refused qmp_capabilities: not today\n")
    assert listed(world, name)["monitor"] == impostor.path
    impostor.clients[-1].shutdown(socket.SHUT_RDWR)
    daemon.wait_told(name)
    daemon.stop()


@test("a link to a monitor is that monitor, and libvirt's own stay libvirt's by whatever way")
def links(world):
    vm, other = runs(world), runs(world)
    libvirts = world.path("home/.config/libvirt/qemu/lib/domain-1-web")
    os.makedirs(libvirts)
    theirs = os.path.join(libvirts, "monitor.sock")
    os.symlink(other.path, theirs)
    through = world.path("innocent")
    os.symlink(theirs, through)
    os.symlink(vm.path, world.path("link"))
    daemon = Daemon(world)
    status, answer = http(world, "POST", "/v1/vms", {"name": vm.name, "qmp": theirs})
    assert status == 403 and "libvirt" in answer["error"], (status, answer)
    real = os.path.join(libvirts, "real.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(real)
    listener.listen(1)
    os.unlink(through)
    os.symlink(real, through)
    status, answer = http(world, "POST", "/v1/vms", {"name": "web", "qmp": through})
    assert status == 403 and "libvirt" in answer["error"], (status, answer)
    listener.settimeout(0)
    try:
        listener.accept()
        raise AssertionError("libvirt's monitor was connected to")
    except BlockingIOError:
        pass
    listener.close()
    status, answer = http(world, "POST", "/v1/vms", {"name": vm.name, "qmp": world.path("link")})
    assert status == 201 and answer["monitor"] == vm.path, (status, answer)
    is_refused(attach(world, vm), FAILED, vm.path)
    for one in (vm, other):
        one.signal(signal.SIGKILL)
        daemon.wait_told(one.name)
    daemon.stop()


@test("a VM's name is one word of the command that `list` offers, whatever it is")
def names_in_commands(world):
    vms = {name: runs(world, "-name", name) for name in (f"x;touch${{IFS}}{world.path('pwned')};'", "--json", "a b")}
    daemon = Daemon(world)
    told = world.vmpower("list").stdout.decode()
    for name, vm in vms.items():
        (command,) = re.findall(rf"(vmpower attach .*--qmp {re.escape(vm.path)}.*) would add", told)
        done = subprocess.run(["sh", "-c", command], env={**world.environment, "PATH": f"{os.path.dirname(VMPOWER)}:{os.environ['PATH']}"}, capture_output=True, check=False)
        assert done.returncode == 0, (command, done)
        assert listed(world, name)["monitor"] == vm.path, command
        vm.signal(signal.SIGKILL)
    assert not os.path.exists(world.path("pwned"))
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
