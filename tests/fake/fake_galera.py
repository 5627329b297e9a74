#!/usr/bin/env python3
"""A double of a MariaDB that is a Galera member: just enough of the protocol for hamon's status
query, over a unix socket. Python standard library only; it dies with its parent.

    fake_galera.py SOCKET FILE

Every query is answered with the lines NAME=VALUE of FILE as rows of two columns; FILE is read anew
each time. Instead of rows it may hold one line:
    hang            accept, greet, never answer a query
    error N TEXT    answer with that error
Any user and password is welcome.
"""

import ctypes
import os
import signal
import socket
import struct
import sys
import threading

PLUGIN = b"mysql_native_password\0"
# LONG_PASSWORD (= a MySQL server), CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION,
# PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
UTF8 = 33
OK = b"\0\0\0\x02\0\0\0"
EOF = b"\xfe\0\0\x02\0"


def text(s):
    return bytes([len(s)]) + s  # short strings only


def greeting():
    return (b"\x0a" + b"10.6.0-fake\0" + struct.pack("<I", 7) + b"saltsalt\0"
            + struct.pack("<HBHH", CAPABILITIES & 0xffff, UTF8, 2, CAPABILITIES >> 16)
            + bytes([21]) + bytes(10) + b"saltsaltsalt\0" + PLUGIN)


def column(name):
    return (text(b"def") + text(b"") * 3 + text(name) + text(b"") + b"\x0c"
            + struct.pack("<HIBHBH", UTF8, 255, 0xfd, 0, 0, 0))


class Gone(Exception):
    pass


class Client:
    def __init__(self, sock, path):
        self.sock, self.path, self.seq = sock, path, 0

    def send(self, *payloads):
        out = b""
        for p in payloads:
            out += struct.pack("<I", len(p))[:3] + bytes([self.seq]) + p
            self.seq = (self.seq + 1) % 256
        self.sock.sendall(out)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise Gone
            data += more
        return data

    def receive(self):
        head = self.exactly(4)
        self.seq = (head[3] + 1) % 256
        return self.exactly(int.from_bytes(head[:3], "little"))

    def query(self):
        with open(self.path, encoding="ascii") as f:
            lines = f.read().splitlines()
        if lines[:1] == ["hang"]:
            while self.sock.recv(4096):
                pass
            raise Gone
        if lines[:1] and lines[0].startswith("error "):
            _, number, message = lines[0].split(" ", 2)
            self.send(b"\xff" + struct.pack("<H", int(number)) + b"#HY000" + message.encode())
            return
        rows = [text(n.encode()) + text(v.encode()) for n, _, v in (x.partition("=") for x in lines)]
        self.send(b"\x02", column(b"VARIABLE_NAME"), column(b"VARIABLE_VALUE"), EOF, *rows, EOF)

    def serve(self):
        try:
            with self.sock:
                self.send(greeting())
                self.receive()
                self.send(OK)
                while True:
                    command = self.receive()[:1]
                    if command == b"\x03":
                        self.query()
                    elif command == b"\x01":
                        return
                    else:
                        self.send(OK)
        except (Gone, OSError):
            pass


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    path = sys.argv[1]
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        while True:
            c, _ = listener.accept()
            threading.Thread(target=Client(c, sys.argv[2]).serve, daemon=True).start()


if __name__ == "__main__":
    main()
