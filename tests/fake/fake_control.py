#!/usr/bin/env python3
"""The daemon's control socket, for tests of `hamond web`: fake_control.py SOCKET DIR.

Each request is answered from a file in DIR, read anew each time: `status-json` from DIR/status.json,
`why` from DIR/why, any other REQUEST from DIR/REQUEST; without such a file it hangs up. What is in
DIR/mode changes that: "hang" takes the request and never answers, "cut" sends half an answer,
"garbage" sends what is none. DIR/asked has one line per request. Replace files by rename."""

import os
import socket
import sys
import threading

FILES = {"status-json": "status.json"}


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def serve(conn, folder):
    with conn:
        conn.settimeout(60)
        line = b""
        while not line.endswith(b"\n") and len(line) < 512:
            more = conn.recv(512)
            if not more:
                return
            line += more
        request = line.decode("ascii", "replace").strip()
        with open(os.path.join(folder, "asked"), "a", encoding="ascii") as f:
            f.write(request + "\n")
        mode = (read(os.path.join(folder, "mode")) or b"").strip()
        if mode == b"hang":
            while conn.recv(512):
                pass
            return
        if mode == b"garbage":
            conn.sendall(b"{]\n")
            return
        answer = read(os.path.join(folder, os.path.basename(FILES.get(request, request))))
        if answer:
            conn.sendall(answer[: len(answer) // 2] if mode == b"cut" else answer)


def main():
    path, folder = sys.argv[1:3]
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=lambda c=conn: guarded(c, folder), daemon=True).start()


def guarded(conn, folder):
    try:
        serve(conn, folder)
    except OSError:
        pass  # the other end went away


if __name__ == "__main__":
    main()
