"""vmpower-vmm's disks, network and random numbers, with Debian's stock kernel and its drivers: what a guest writes is on the disk, through resets and stops."""

import fcntl

from linux_vm import *

VMM = os.environ["VMM"]
MODULES = ("virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "failover", "net_failover", "virtio_net", "virtio-rng")
PROGRAMS = ("sh", "cat", "cmp", "dd", "head", "mount", "sync", "sleep", "wc")
DISK_MIB = 48
SECTOR = 512
ICMPV6_ECHO, ICMPV6_REPLY = 128, 129

BEGIN = """
PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
say() { echo "disk: $*"; }
"""
END = """
sync
echo o >/proc/sysrq-trigger
sleep 100
"""


def tree(world, script):
    """A root of a few programs and what they need of libraries, and the script."""
    root = world.path("root")
    for directory in ("bin", "proc", "sys", "dev"):
        os.makedirs(os.path.join(root, directory))
    for name in PROGRAMS:
        program = os.path.realpath(shutil.which(name))
        shutil.copy(program, os.path.join(root, "bin", name))
        for library in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, root + library)
    with open(os.path.join(root, "script"), "w", encoding="ascii") as file:
        file.write(BEGIN + script)
    return root


def disk(world, script):
    path = world.path("disk")
    with open(path, "wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree(world, script), path], check=True)
    return path


def check_disk(path):
    """It is as a journal leaves it, and then as it should be."""
    done = subprocess.run(["e2fsck", "-fp", path], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout


def read_from_disk(path, name):
    return subprocess.run(["debugfs", "-R", f"cat {name}", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


class Guest:
    def __init__(self, world, path, *words):
        self.monitor_path = world.path("vm.qmp")
        append = QUIET + "disk vmpower.script=/script"
        command = [
            VMM, "--memory", "128", "--cpus", "2", "--qmp", self.monitor_path, "--kernel", kernel("cloud-amd64"),
            "--initrd", initrd("init", *modules_of("cloud-amd64", MODULES)), "--append", append, "--disk", path, *words,
        ]  # fmt: skip
        named = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = popen([str(word) for word in command], env=world.environment, **named)
        self.output = Stream(self.process.stdout.fileno())
        self.pid = self.process.pid
        world.later(self._forget, world)

    def _forget(self, world):
        self.process.kill()
        self.process.wait()
        self.output.thread.join(5)
        for file in (self.process.stdin, self.process.stdout):
            file.close()
        world.outputs.append(("vmpower-vmm", self.output.text()))

    def says(self, words, count=1):
        self.output.wait_for(f"disk: {words}", BOOT, count)

    def said(self, word):
        return re.search(rf"^disk: {word} (.*?)\r?$", self.output.text(), re.MULTILINE)[1]

    def is_over(self):
        try:
            assert self.process.wait(PATIENCE) == 0, self.output.text()
        except subprocess.TimeoutExpired:
            tasks = [f"/proc/{self.pid}/task/{task}" for task in os.listdir(f"/proc/{self.pid}/task")]
            waits = ["{} {}".format(*(open(f"{task}/{name}", encoding="ascii").read().strip() for name in ("comm", "wchan"))) for task in tasks]
            raise AssertionError(f"it does not end: {waits}, {self.output.text()[-1500:]}") from None


# --- a network ------------------------------------------------------------------------------------------------------


def make_tap(name):
    """It is up, and goes with this machine."""
    with open("/dev/net/tun", "r+b", buffering=0) as tun, socket.socket() as any_socket:
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sh14x", name.encode(), 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
        fcntl.ioctl(tun, 0x400454CB, 1)  # TUNSETPERSIST
        with open(f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "w", encoding="ascii") as file:
            file.write("0")
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", name.encode(), 0x1003))  # SIOCSIFFLAGS: up, broadcast, multicast


def link_local(mac):
    """Of a network interface with this address: RFC 4291, appendix A."""
    first, *others = (int(byte, 16) for byte in mac.split(":"))
    return "fe80::" + ":".join(f"{a:02x}{b:02x}" for a, b in ((first ^ 2, others[0]), (others[1], 0xFF), (0xFE, others[2]), (others[3], others[4])))


def ping(world, where):
    """Until each ping of a few sizes is answered: neither end speaks at once."""
    icmp = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    world.later(icmp.close)
    deadline = time.monotonic() + PATIENCE
    for number, n in enumerate((56, 1400, 1, 1400), 1):
        asked = struct.pack("!BBHHH", ICMPV6_ECHO, 0, 0, 4711, number) + os.urandom(n)
        answer = b""
        while answer[4:] != asked[4:]:
            assert time.monotonic() < deadline, f"{where[0]} does not answer"
            try:
                icmp.sendto(asked, where)
            except OSError:
                pass
            while answer[4:] != asked[4:] and wait_readable(icmp.fileno(), 0.5):
                answer = icmp.recv(4096)
                answer = answer if answer[0] == ICMPV6_REPLY else b""


# --- disks ----------------------------------------------------------------------------------------------------------


@test("Linux boots from its disk to a shell, and answers on its network: what it writes is there afterwards, what is read-only stays as it was")
def from_disk(world):
    other = world.path("other")
    content = os.urandom(3 << 20)
    with open(other, "wb") as file:
        file.write(content + b"x" * 100)  # no whole sector
    path = disk(
        world,
        """
say size $(cat /sys/block/vda/size) $(cat /sys/block/vdb/size)
say ro $(cat /sys/block/vda/ro) $(cat /sys/block/vdb/ro)
say cache $(cat /sys/block/vda/queue/write_cache)
say serial $(cat /sys/block/vda/serial)
say random $(cat /sys/class/misc/hw_random/rng_current) $(head -c 100 /dev/hwrng | wc -c)
cat /dev/vdb >/copied
dd if=/dev/vdb of=/dev/null bs=1M iflag=direct 2>/dev/null && say direct
(echo x >/dev/vdb) 2>/dev/null || say refused
echo hello >/written
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
echo 0x1003 >/sys/class/net/eth0/flags
say mac $(cat /sys/class/net/eth0/address)
say up
read line
"""
        + END,
    )
    make_tap("vmtap0")
    vm = Guest(world, path, "--disk", other + ",ro", "--tap", "vmtap0")
    vm.says("up")
    assert vm.said("size") == f"{DISK_MIB << 11} {(3 << 20) // SECTOR}"
    assert vm.said("ro") == "0 1" and vm.said("cache") == "write back" and vm.said("serial").startswith("vmpower-")
    assert re.fullmatch(r"virtio_rng\.\d+ 100", vm.said("random"))
    vm.says("direct")
    vm.says("refused")
    ping(world, (link_local(vm.said("mac")), 0, 0, socket.if_nametoindex("vmtap0")))
    vm.process.stdin.write(b"\n")
    vm.process.stdin.flush()
    vm.is_over()
    check_disk(path)
    assert read_from_disk(path, "/written") == b"hello\n" and read_from_disk(path, "/copied") == content
    with open(other, "rb") as file:
        assert file.read() == content + b"x" * 100


WRITES = """
say up
i=0
while :; do
        dd if=/dev/urandom of=/busy$((i % 4)) bs=64k count=2 conv=fsync 2>/dev/null
        i=$((i + 1))
        [ $((i % 5)) = 0 ] && say busy
done
"""


@test("a guest that writes is stopped, and writes nothing more from the moment that the monitor says so; it is reset, and boots from its disk, which is whole")
def stopped_and_reset(world):
    path = disk(world, WRITES)
    vm = Guest(world, path)
    vm.says("up")
    monitor = world.dial(vm.monitor_path)
    for _ in range(2):
        vm.says("busy", vm.output.text().count("disk: busy") + 1)
        monitor.ask("stop")
        written_ns = os.stat(path).st_mtime_ns
        monitor.stays_silent(0.3)
        assert os.stat(path).st_mtime_ns == written_ns
        monitor.ask("cont")
        vm.says("busy", vm.output.text().count("disk: busy") + 2)
        assert os.stat(path).st_mtime_ns > written_ns
    monitor.ask("system_reset")
    vm.says("up", 2)
    vm.says("busy", vm.output.text().count("disk: busy") + 1)
    monitor.ask("quit")
    vm.is_over()
    check_disk(path)


if __name__ == "__main__":
    sys.exit(main(1))
