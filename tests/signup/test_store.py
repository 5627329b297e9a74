#!/usr/bin/env python3
"""Two instances of the portal with one database, a real MariaDB: what is used up on one is used up on the other,
a fail-over between form and answer costs a visitor nothing, and invites."""
import re
import subprocess
import threading
import unittest

from database import PASSWORD, Database
from stack import Browser, Stack

class Store(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = Database()
        cls.s = Stack({**cls.db.conf(), "gate.kinds": "pow invite image",
                       "signup.domains": "example.org example.net"}, 2)

    @classmethod
    def tearDownClass(cls):
        logs = cls.s.log(0) + cls.s.log(1)
        codes = cls.s.stop()
        cls.db.remove()
        assert all(code in (0, -15) for code in codes), codes
        assert PASSWORD not in logs and not re.search("[A-Z2-9]{4}-[A-Z2-9]{4}-", logs), "a secret in the log"

    def tearDown(self):
        self.s.upstream(0)

    def invite(self, *words):
        done = self.s.command("invite", "new", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        code = done.stdout.strip()
        self.assertRegex(code, r"^([A-Z2-9]{4}-){3}[A-Z2-9]{4}$")
        return code, re.search("id ([0-9a-f]{8})", done.stderr).group(1)

    def row(self, id_):
        """uses, pending, done of an invite."""
        for line in self.s.command("invite", "list").stdout.splitlines():
            if line.startswith(id_):
                return tuple(int(n) for n in line.split()[1:4])
        return None

    def with_code(self, local, code, **over):
        b = Browser(self.s).get()
        return b.post(b.form(local_part=local, gate="invite", invite=code, **over))

    def made(self, local, domain="example.org"):
        return self.s.mailbox(f"{local}@{domain}") is not None

    def test_fail_over_between_form_and_answer(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="moved")
        self.s.upstream(1)
        b.post(fields)
        self.assertEqual(b.status, 200, b.errors())
        self.assertTrue(self.made("moved"))

    def test_used_up_on_the_other_one(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="once")
        self.assertEqual(b.post(fields).status, 200)
        self.s.upstream(1)
        other = Browser(self.s).get()
        fields.update(csrf=other.hidden("csrf"), local_part="twice")
        self.assertEqual(other.post(fields).status, 422)
        self.assertFalse(self.made("twice"))

    def test_invite(self):
        code, id_ = self.invite("--uses", "2", "--domain", "example.net", "--note", "friends")
        b = Browser(self.s).get("/signup/invite/" + code)
        self.assertEqual(b.hidden("invite"), code)
        b.post(b.form(local_part="pal", gate="invite", invite=code.lower()))
        self.assertEqual(b.status, 422)                     # the wrong domain
        self.assertIn("example.net", b.text)
        self.assertEqual(b.hidden("gate"), "pass")          # but the code counts
        self.assertEqual(self.row(id_), (2, 1, 0))
        self.s.upstream(1)
        b.post(b.form(local_part="pal", domain="example.net", invite=code))
        self.assertEqual(b.status, 200, b.errors())
        self.assertTrue(self.made("pal", "example.net"))
        self.assertEqual(self.row(id_), (2, 0, 1))
        self.assertEqual(self.with_code("pal2", code, domain="example.net").status, 200)
        self.assertEqual(self.with_code("pal3", code, domain="example.net").status, 422)
        self.assertFalse(self.made("pal3", "example.net"))
        self.assertEqual(self.row(id_), (2, 0, 2))

    def test_invite_revoked(self):
        code, id_ = self.invite("--expires", "1h")
        self.assertEqual(self.s.command("invite", "revoke", id_).returncode, 0)
        self.assertEqual(self.with_code("late", code).status, 422)
        self.assertFalse(self.made("late"))
        self.assertEqual(self.s.command("invite", "revoke", "01234567").returncode, 65)

    def test_invite_in_parallel(self):
        code, id_ = self.invite("--uses", "3")
        browsers = [Browser(self.s).get() for _ in range(12)]
        threads = [threading.Thread(target=b.post, args=(b.form(local_part=f"race{i}", gate="invite", invite=code),))
                   for i, b in enumerate(browsers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sum(b.status == 200 for b in browsers), 3, [b.status for b in browsers])
        self.assertEqual(sum(self.made(f"race{i}") for i in range(12)), 3)
        self.assertEqual(self.row(id_), (3, 0, 3))

    def test_invite_words(self):
        for words in (("new", "--uses", "0"), ("new", "--uses"), ("new", "--domain", "third.example"), ("new", "x"),
                      ("new", "--expires", "0d"), ("new", "--note", "two\nlines"), ("revoke", "xy"), ("list", "x"), ()):
            done = self.s.command("invite", *words)
            self.assertEqual(done.returncode, 64, (words, done.stdout))
            self.assertNotEqual(done.stderr, "")

    def test_the_database_goes_away(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="waits")
        self.db.stop()
        try:
            b.post(fields)
            self.assertEqual(b.status, 503)
            self.assertFalse(self.made("waits"))
            self.assertEqual(self.s.command("invite", "list").returncode, 69)
        finally:
            self.db.start()
        self.assertEqual(b.post(b.form(local_part="waits")).status, 200)
        self.assertTrue(self.made("waits"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
