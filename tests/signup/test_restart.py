#!/usr/bin/env python3
"""Restarts that nobody notices, and memory that stays where it is, while visitors look at pages, pictures and sounds."""
import re
import threading
import unittest

from stack import BIN, Browser, Handed, Stack, rss_kib, wait_for

RESTARTS, BETWEEN = 8, 40  # requests from one restart to the next
WARM, MORE = 1500, 3000    # requests until memory is looked at, and from there


class Visitors:
    """`count` of them side by side: each looks at the form, its picture, its sound; a form that is sent wrong, a page
    that is not there."""

    def __init__(self, stack, count):
        self.stack, self.wrong, self.done, self.ended = stack, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.visit) for _ in range(count)]
        for t in self.threads:
            t.start()

    def look(self, b, kind, status, what):
        if b.status != status or b.head.get_content_type() != kind:
            self.wrong.append((what, b.status, b.text[:200]))
        self.done += 1

    def visit(self):
        try:
            while not self.ended.is_set():
                b = Browser(self.stack)
                self.look(b.get(), "text/html", 200, "form")
                media = re.findall(r'src="(/signup/captcha/[^"]+)"', b.text)
                page = b.form(gate="image", captcha="", local_part="!")
                for path, kind in zip(media, ("image/jpeg", "audio/wav")):
                    self.look(b.get(path), kind, 200, path)
                self.look(b.post(page), "text/html", 422, "wrong form")
                self.look(b.get("/signup/nothing"), "text/html", 404, "no page")
        except Exception as e:  # pylint: disable=broad-except
            self.wrong.append(("no answer", repr(e)))

    def wait(self, more):
        goal = self.done + more
        wait_for(f"{more} requests", lambda: self.done >= goal or self.wrong, 240)

    def leave(self):
        self.ended.set()
        for t in self.threads:
            t.join()


class Case(unittest.TestCase):
    CONF = {"signup.threads": "64", "gate.kinds": "image audio"}

    def setUp(self):
        self.s = Stack(self.CONF)
        self.addCleanup(self.s.stop)

    def visitors(self, count):
        v = Visitors(self.s, count)
        self.addCleanup(v.leave)
        return v


class Restart(Case):
    def test_nobody_notices(self):
        portal = Handed(self.s, 7, BIN + "/signup")
        self.addCleanup(portal.close)
        self.s.upstream(7, where="unix:" + portal.path)
        v = self.visitors(8)
        for _ in range(RESTARTS):
            v.wait(BETWEEN)
            self.assertEqual(portal.stop(), 0, self.s.log(7))
            portal.start()
        v.wait(BETWEEN)
        v.leave()
        self.assertEqual(v.wrong, [])
        self.assertEqual(self.s.log(7).count("msg=drained"), RESTARTS, self.s.log(7))
        print(f"{RESTARTS} restarts, {v.done} requests, none failed")


class Memory(Case):
    def test_flat(self):
        v = self.visitors(16)
        v.wait(WARM)
        early = rss_kib(self.s.signup[0].pid)
        v.wait(MORE)
        late = rss_kib(self.s.signup[0].pid)
        v.leave()
        self.assertEqual(v.wrong, [])
        print(f"RSS {early} KiB after {WARM} requests, {late} KiB after {v.done}")
        self.assertLess(late, early * 1.1 + 1024)


if __name__ == "__main__":
    unittest.main(verbosity=2)
