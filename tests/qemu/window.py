#!/usr/bin/env python3
"""The VM's window under a real X server (Xvfb): somebody closes it."""

import os
import select
import shutil
import socket
import struct
import sys

from world import *

DESTROYED = 11


class Display:
    """As much of the X11 protocol (X.Org, "X Window System Protocol") as it takes to find a window and ask it to close."""

    def __init__(self, number):
        self.number = number
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(f"/tmp/.X11-unix/X{number}")
        self.socket.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0))
        status, length = struct.unpack("<B5xH", self._read(8))
        setup = self._read(length * 4)
        assert status == 1, f"the X server refuses: {setup!r}"
        n_vendor, n_formats = struct.unpack_from("<H", setup, 16)[0], setup[21]
        self.root = struct.unpack_from("<I", setup, 32 + (n_vendor + 3) // 4 * 4 + 8 * n_formats)[0]

    def _read(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            assert more, "the X server has gone"
            data += more
        return data

    def _answer(self):
        """The next reply, its data included; an error (a window that has just gone) is None.  Events are passed over."""
        while True:
            head = self._read(32)
            if head[0] == 0:
                return None
            if head[0] == 1:
                return head + self._read(struct.unpack_from("<I", head, 4)[0] * 4)

    def _ask(self, opcode, detail, body):
        self.socket.sendall(struct.pack("<BBH", opcode, detail, 1 + len(body) // 4) + body)
        return self._answer()

    def atom(self, name):
        text = name.encode()
        padded = text + bytes(-len(text) % 4)
        return struct.unpack_from("<I", self._ask(16, 0, struct.pack("<HH", len(text), 0) + padded), 8)[0]

    def windows(self, parent=None):
        """Every window below `parent`, each before those in it."""
        reply = self._ask(15, 0, struct.pack("<I", parent or self.root))
        for window in struct.unpack_from(f"<{struct.unpack_from('<H', reply, 16)[0]}I", reply, 32) if reply else ():
            yield window
            yield from self.windows(window)

    def protocols(self, window):
        reply = self._ask(20, 0, struct.pack("<IIIII", window, self.atom("WM_PROTOCOLS"), 4, 0, 32))
        return struct.unpack_from(f"<{struct.unpack_from('<I', reply, 16)[0]}I", reply, 32) if reply and reply[1] == 32 else ()

    def is_shown(self, window):
        """GetWindowAttributes: its map state is Viewable."""
        reply = self._ask(3, 0, struct.pack("<I", window))
        return bool(reply) and reply[26] == 2

    def map_notices(self):
        """Be told when a window is shown: SubstructureNotify on the root window."""
        self.socket.sendall(struct.pack("<BBHIII", 2, 0, 4, self.root, 1 << 11, 1 << 19))

    def close(self, window):
        """What a window manager does when its user clicks the cross: ICCCM 4.2.8.1, Window Deletion."""
        event = struct.pack("<BBHIIIIIII", 33, 32, 0, window, self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"), 0, 0, 0, 0)
        self.socket.sendall(struct.pack("<BBHII", 25, 0, 11, window, 0) + event)
        return self._ask(43, 0, b"") is not None  # GetInputFocus: any answer tells that the server has taken it


def start_display(world):
    if not shutil.which("Xvfb"):
        raise Skip("Xvfb is not installed")
    receive, send = os.pipe()
    server = popen(["Xvfb", "-displayfd", str(send), "-ac", "-nolisten", "tcp", "-screen", "0", "800x600x24"],
                   pass_fds=[send], env=world.environment, stderr=subprocess.DEVNULL)
    os.close(send)
    number = b""
    while not number.endswith(b"\n"):
        wait_readable(receive, PATIENCE)
        more = os.read(receive, 16)
        assert more, "Xvfb has ended"
        number += more
    os.close(receive)
    return server, int(number)


def close_window_of_vm(display, process):
    """Until it has gone: SDL makes its window anew when the guest's screen changes, and the old one's cross is worth nothing."""
    wanted = display.atom("WM_DELETE_WINDOW")
    watcher = Display(display.number)
    watcher.map_notices()
    ended = os.pidfd_open(process.pid)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for window in list(display.windows()):
            if display.is_shown(window) and wanted in display.protocols(window):
                display.close(window)
        ready, _, _ = select.select([ended, watcher.socket], [], [], deadline - time.monotonic())
        if ended in ready:
            break
        watcher.socket.recv(4096)
    os.close(ended)


# What QEMU 7.2 says of it: SDL's window is its user interface's (ui/sdl2.c), GTK's tells the monitor to quit (ui/gtk.c).
for kind, mechanism in ("sdl", "ui"), ("gtk", "qmp-quit"):

    @test(f"the window of the VM was closed ({kind})")
    def closed(world, kind=kind, mechanism=mechanism):
        server, number = start_display(world)
        try:
            words = probe("idle")
            at = words.index("-display")
            words[at : at + 2] = ["-display", kind, "-vga", "std"]
            environment = {**world.environment, "DISPLAY": f":{number}", "GDK_BACKEND": "x11", "SDL_VIDEODRIVER": "x11"}
            run = world.run(*words, env=environment)
            run.stdout.wait_for("probe: idle")
            close_window_of_vm(Display(number), run.process)
            assert run.wait() == DESTROYED
            says(run.verdict(), "destroy", "operator", mechanism, False, left="gone", confidence="certain", actor=None)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main(jobs=1))
