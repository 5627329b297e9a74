#!/usr/bin/env python3
"""Slow, rude and too many clients: each is bounded, and none keeps the others out. All of it on
loopback, a thousand connections at most, each closed at the end."""

import socket
import statistics
import time
import unittest

from world import World, until

SLOW = 1000


def dial(w):
    s = socket.create_connection(("127.0.0.1", w.port), timeout=60)
    return s


def everything(s):
    """What comes until the other end closes; a reset is an end too."""
    got = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return got
            got += more
    except ConnectionError:
        return got


class Slow(unittest.TestCase):
    def test_a_thousand_slow_clients(self):
        """Each sends a byte now and then and begins anew when it is sent away. Whoever asks like
        anybody is answered, the daemon is asked as before, and memory does not grow."""
        with World() as w:
            clients, took, dropped = [], [], 0
            try:
                for _ in range(SLOW):
                    s = socket.socket()
                    s.setblocking(False)
                    s.connect_ex(("127.0.0.1", w.port))
                    clients.append(s)
                asked = w.asked()
                for turn in range(60):
                    for i in range(turn % 10, SLOW, 10):
                        try:
                            clients[i].send(b"G")
                        except BlockingIOError:
                            pass  # still in the kernel's queue
                        except OSError:
                            dropped += 1
                            clients[i].close()
                            clients[i] = socket.socket()
                            clients[i].setblocking(False)
                            clients[i].connect_ex(("127.0.0.1", w.port))
                    began = time.monotonic()
                    self.assertEqual(w.get("/health").status, 200)
                    took.append(time.monotonic() - began)
                # so many of them were sent away that it is proven to have been full
                until(lambda: w.get("/status.json").json["web"]["http"]["sent_away"] > 128, "some are sent away")
                until(lambda: w.asked() > asked + 10, "the daemon is asked as before")
            finally:
                for s in clients:
                    s.close()
            until(lambda: w.get("/status.json").json["web"]["http"]["connections"] <= 2, "all places are free again")
            with open(f"/proc/{w.web.pid}/status", encoding="ascii") as f:
                rss = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
            print(f"median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.0f} ms of {len(took)}; "
                  f"{dropped} sent away; {rss // 1024} MiB at most")
            self.assertLess(max(took), 30)
            self.assertLess(rss, 256 * 1024)  # with sanitizers

    def test_a_head_has_its_time(self):
        with World() as w, dial(w) as s:
            began = time.monotonic()
            s.sendall(b"GET /health HTTP/1.1\r\n")
            end = time.monotonic() + 60
            while time.monotonic() < end:  # a byte now and then does not help
                try:
                    s.sendall(b"a")
                except ConnectionError:
                    break
                time.sleep(0.2)
            self.assertEqual(everything(s), b"")
            self.assertGreater(time.monotonic() - began, 4)
            self.assertLess(time.monotonic() - began, 50)

    def test_who_does_not_take_its_answer_has_to_go(self):
        with World() as w:
            w.status["containers"] *= 1200  # an answer that no socket takes at once
            w.tell()
            w.until(lambda: len(w.get("/status.json").body) > 1000000)
            with dial(w) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.sendall(b"GET /status.json HTTP/1.0\r\n\r\n")
                time.sleep(0.1)
                w.until(lambda: w.get("/status.json").json["web"]["http"]["connections"] >= 2)
                # only this one asks now and then, so what is left is the one that does not read
                until(lambda: w.get("/status.json").json["web"]["http"]["connections"] <= 1, "it was sent away")


class Rude(unittest.TestCase):
    def say(self, w, data, half=False):
        with dial(w) as s:
            s.sendall(data)
            if half:
                s.shutdown(socket.SHUT_WR)
            return everything(s)

    def test_what_is_no_request(self):
        cases = ((b"GET / HTTP/1.1\r\n\r\n", b"400"), (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
                 (b"GET / HTTP/3.0\r\n\r\n", b"505"), (b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 100 + b"\r\n", b"431"),
                 (b"GET / HTTP/1.0\r\na: " + b"b" * 20000 + b"\r\n\r\n", b"431"),
                 (b"GET /../etc/passwd HTTP/1.0\r\n\r\n", b"404"), (b"GET /%2e%2e/x HTTP/1.0\r\n\r\n", b"404"),
                 (b"GET /health\x00 HTTP/1.0\r\n\r\n", b"400"), (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"405"))
        with World() as w:
            for data, status in cases:
                self.assertEqual(self.say(w, data)[9:12], status, data[:60])
            self.assertEqual(w.get("/health").status, 200)

    def test_half_closed_in_pieces_with_a_body(self):
        with World() as w:
            self.assertIn(b'"ok":true', self.say(w, b"GET /health HTTP/1.0\r\n\r\n", half=True))
            self.assertEqual(self.say(w, b"GET /health HTTP/1.0\r\n", half=True), b"")
            with dial(w) as s:
                for byte in b"GET /health HTTP/1.0\r\n\r\n":
                    s.sendall(bytes([byte]))
                self.assertIn(b"HTTP/1.1 200 OK", everything(s))
            # a second request and a body behind the first are passed over
            got = self.say(w, b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n")
            self.assertEqual(got.count(b"HTTP/1.1 "), 1)
            # one who never stops talking is not listened to for ever
            with dial(w) as s:
                with self.assertRaises(ConnectionError):
                    s.sendall(b"POST / HTTP/1.0\r\n\r\n")
                    for _ in range(1000):
                        s.sendall(b"x" * 65536)


if __name__ == "__main__":
    unittest.main(verbosity=2)
