#!/usr/bin/env python3
"""The portal as a process: stopped and started, with another secret, found in other ways, with mistakes in its
configuration."""
import os
import socket
import subprocess
import threading
import time
import unittest

from stack import SIGNUP, Browser, free_port, wait_for
from test_e2e import Case


class Restart(Case):
    signups = 2

    def test_other_instance_finishes_the_form(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="moved")
        self.s.upstream(1)
        self.s.signup[0].terminate()
        self.assertEqual(self.s.signup[0].wait(20), 0)
        self.assert_created(b.post(fields), "moved@example.org", 1)
        self.assert_created(b.post(fields), "moved@example.org", 1)
        self.s.upstream(0)
        b.get()
        self.assertEqual(b.status, 503)
        self.assertIn("Please try again in a moment", b.text)

    def test_sigterm_finishes_what_it_has(self):
        self.s.upstream(1)
        self.s.api("/_next", {"add": ["slow"]})
        b = Browser(self.s).get()
        t = threading.Thread(target=b.post, args=(b.form(local_part="drain"),))
        t.start()
        time.sleep(0.5)
        self.s.signup[1].terminate()
        t.join()
        self.assert_created(b, "drain@example.org", 1)
        self.assertEqual(self.s.signup[1].wait(20), 0)
        self.s.signup[1] = self.s.start_signup(1)
        time.sleep(0.5)


class Rotated(Case):
    def test_a_new_secret_is_not_noticed(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="rotated", recovery="me@other.example")
        self.assert_created(b.post(fields), "rotated@example.org", 1)
        self.s.secret("secret", "f" * 64 + "\n0123456789abcdef0123456789abcdef")
        self.s.signup[0].terminate()
        self.assertEqual(self.s.signup[0].wait(20), 0)
        os.unlink(self.s.dir + "/0.sock")
        self.s.signup[0] = self.s.start_signup(0)
        made = self.s.mailbox("rotated@example.org")
        self.assert_created(b.post(fields), "rotated@example.org")
        self.assertEqual(self.s.mailbox("rotated@example.org"), made)


class Listen(Case):
    """The other ways to be found: an address, and a socket somebody else has made."""

    def run_on(self, listen, stdin, where, local):
        conf = dict(self.s.conf)
        self.s.conf["signup.listen"] = listen
        with open(self.s.dir + "/signup7.log", "ab") as log:
            child = subprocess.Popen([SIGNUP, "-c", self.s.config_file(7)], stdin=stdin, stdout=log, stderr=log)
        self.s.conf.clear()
        self.s.conf.update(conf)
        try:
            wait_for("started", lambda: "event=started" in self.s.log(7))
            self.s.upstream(7, where=where)
            self.assert_created(self.sign_up(local), local + "@example.org", 1)
        finally:
            child.terminate()
            self.assertEqual(child.wait(20), 0)

    def test_tcp(self):
        port = free_port()
        self.run_on(f"127.0.0.1:{port}", subprocess.DEVNULL, f"127.0.0.1:{port}", "bytcp")

    def test_inherited(self):
        path = self.s.dir + "/inherited.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            os.chmod(path, 0o666)
            s.listen(64)
            self.run_on("inherited", s, "unix:" + path, "inherited")

    def test_a_living_socket_is_not_taken(self):
        done = self.s.command("serve")
        self.assertEqual(done.returncode, 69)
        self.assertIn("Address already in use", done.stderr)


class Config(Case):
    def test_check_config(self):
        done = self.s.command("check-config")
        self.assertEqual((done.returncode, done.stdout), (0, "fine: 5 languages, pages under /signup/\n"))
        self.s.conf = {"gate.kinds": "smell"}
        done = self.s.command("check-config")
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"signup0\.conf:\d+: \[gate\] kinds \"smell\" is none of")
        self.s.conf = {"mailcow.api_key_file": "/nonexistent"}
        done = self.s.command("serve")
        self.assertEqual(done.returncode, 78)
        self.assertIn("/nonexistent", done.stderr)
        self.s.conf = {}


if __name__ == "__main__":
    unittest.main(verbosity=2)
