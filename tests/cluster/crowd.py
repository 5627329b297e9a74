#!/usr/bin/env python3
"""Slow clients: COUNT connections that send a letter of a request now and then, for SECONDS.

crowd.py ADDRESS PORT COUNT SECONDS
"""
import socket
import sys
import time

PAUSE_S = 2


def main():
    address, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    end, open_ = time.monotonic() + seconds, []
    while time.monotonic() < end:
        while len(open_) < count:
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((address, port))
            open_.append(s)
        time.sleep(PAUSE_S)
        kept = []
        for s in open_:
            try:
                s.send(b"G")
                kept.append(s)
            except OSError:
                s.close()
        open_ = kept


if __name__ == "__main__":
    main()
