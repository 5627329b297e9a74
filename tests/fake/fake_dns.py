#!/usr/bin/env python3
"""fake_dns.py ADDRESS NAME TYPE VALUE...: a name server on ADDRESS that knows these records, and no others.
TYPE is A, AAAA, PTR, MX (of preference 10) or TXT. Or, for a test: Dns(address), then its records."""
import socket
import struct
import sys
import threading


class Dns(threading.Thread):
    """records[(name, type)] = [values]."""
    TYPES = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}

    def __init__(self, address="127.0.0.1"):
        super().__init__(daemon=True)
        self.records, self.deaf = {}, False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        self.start()

    @staticmethod
    def name(text):
        return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\0"

    def data(self, kind, value):
        if kind == "A":
            return socket.inet_aton(value)
        if kind == "AAAA":
            return socket.inet_pton(socket.AF_INET6, value)
        if kind == "PTR":
            return self.name(value)
        if kind == "MX":
            return struct.pack(">H", 10) + self.name(value)
        pieces = [value[i:i + 200].encode() for i in range(0, len(value), 200)]
        return b"".join(bytes([len(p)]) + p for p in pieces)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        number = struct.unpack(">H", query[at + 1:at + 3])[0]
        kind, name = self.TYPES.get(number, "?"), ".".join(labels).lower()
        values = self.records.get((name, kind), [])
        known = any(n == name for n, _ in self.records)
        out = query[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(values), 0, 0) + question
        for v in values:
            data = self.data(kind, v)
            out += b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 60, len(data)) + data
        return out

    def run(self):
        while True:
            query, client = self.sock.recvfrom(4096)
            if not self.deaf:
                self.sock.sendto(self.answer(query), client)


def main():
    dns = Dns(sys.argv[1])
    words = sys.argv[2:]
    for name, kind, value in zip(words[::3], words[1::3], words[2::3]):
        dns.records.setdefault((name, kind), []).append(value)
    dns.join()


if __name__ == "__main__":
    main()
