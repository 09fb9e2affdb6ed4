"""What vmpowerd starts as its helper: whatever comes from it goes to the test, and whatever the test says goes to it.

    relay.py SOCKET     of the test
"""

import os
import select
import socket
import sys

test = socket.socket(socket.AF_UNIX)
test.connect(sys.argv[1])
test.sendall(f"{os.getpid()}\n".encode())
daemon = socket.socket(fileno=0)
way = {test: daemon, daemon: test}
while True:
    for come in select.select([test, daemon], [], [])[0]:
        data = come.recv(65536)
        if not data and come is daemon:
            # Told to end: what the test still has to say is said.
            test.shutdown(socket.SHUT_WR)
            while data := test.recv(65536):
                daemon.sendall(data)
        if not data:
            sys.exit(0)
        way[come].sendall(data)
