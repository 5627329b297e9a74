#!/usr/bin/env python3
"""Many at once: SIGNUPS (default 1,000) sign-ups, 32 side by side, while Mailcow has its moods. None is lost, none
double, adds in one domain never overlap, and the portal's memory stays where it was. Who is told that the server is
busy sends the form once more, as people do."""
import os
import queue
import re
import subprocess
import threading
import unittest

from stack import BIN, Browser, Stack, rss_kib

SIGNUPS = int(os.environ.get("SIGNUPS", "1000"))
PARALLEL = 32


class Person:
    """Reads captchas: tests/signup/answer.c."""

    def __init__(self, stack):
        self.child = subprocess.Popen([BIN + "/signup_answer", stack.dir + "/secret", "/signup"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, kind, ticket):
        self.child.stdin.write(f"{kind} {ticket}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def leave(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


class Load(unittest.TestCase):
    def test_load(self):
        s = Stack({"signup.threads": "64", "signup.domains": "example.org example.net", "gate.kinds": "image audio",
                   "mailcow.timeout": "20s"})
        try:
            s.api("/_world", {"every": 25})
            self.run_all(s)
        finally:
            codes = s.stop()
        self.assertTrue(all(c in (0, -15) for c in codes), codes)

    def run_all(self, s):
        work, results = queue.Queue(), {}
        for i in range(SIGNUPS):
            work.put(i)
        memory, busy = [], []
        threads = [threading.Thread(target=self.client, args=(s, work, results, memory, busy)) for _ in range(PARALLEL)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        state = s.state()
        wrong = {i: r for i, r in results.items() if r != 200}
        told = [line for line in s.log().splitlines() if re.search("event=(mailbox_unknown|mailcow|page|no_)", line)]
        self.assertEqual(wrong, {}, "\n".join(told[-20:]))
        self.assertEqual(len(results), SIGNUPS)
        self.assertEqual(len(state["mailboxes"]), SIGNUPS)
        self.assertTrue(all(m["alias"] for m in state["mailboxes"].values()))
        self.assertEqual(set(state["most"].values()), {1})
        quarters = [memory[len(memory) * i // 4 - 1] for i in (1, 2, 3, 4)]
        early, late = quarters[0], quarters[-1]
        print(f"{SIGNUPS} sign-ups, {PARALLEL} side by side: RSS {quarters} KiB after each quarter, {len(busy)} told "
              "to try again")
        self.assertLess(late, early * 1.2 + 2048)

    @staticmethod
    def client(s, work, results, memory, busy):
        person = Person(s)
        while True:
            try:
                i = work.get_nowait()
            except queue.Empty:
                break
            name = "load" + f"{i:,}".replace(",", "-") + "x"  # more than three equal digits in a row are refused
            b = Browser(s).get()
            kind = ("image", "audio")[i % 2]
            b.post(b.form(gate=kind, captcha=person.read(kind, b.hidden("ticket")), local_part=name,
                          domain=("example.org", "example.net")[i // 2 % 2]))
            for _ in range(20):
                if b.status != 503 or "ticket" not in b.text:
                    break
                b.post(b.form(local_part=name, domain=("example.org", "example.net")[i // 2 % 2]))
                busy.append(i)
            results[i] = b.status
            memory.append(rss_kib(s.signup[0].pid))
        person.leave()


if __name__ == "__main__":
    unittest.main(verbosity=2)
