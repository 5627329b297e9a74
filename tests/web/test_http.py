#!/usr/bin/env python3
"""`hamond web` over real sockets: what it answers, to whom, and what it refuses."""

import base64
import os
import unittest

from world import World


class Answers(unittest.TestCase):
    def test_health_follows_the_daemon(self):
        with World() as w:
            self.assertEqual(w.get("/health").status, 200)
            w.status.update(verdict="unfit", reason="container_exited", message="dovecot-mailcow: exited")
            w.tell()
            w.until(lambda: w.get("/health").status == 503)
            body = w.get("/health").json
            self.assertEqual((body["ok"], body["reason"]), (False, "container_exited"))
            self.assertIn("dovecot", body["message"])
            w.status.update(verdict="fit", reason="ok", message="")
            w.tell()
            w.until(lambda: w.get("/health").status == 200)

    def test_a_silent_daemon_makes_nobody_fit(self):
        for mode in "hang", "cut", "garbage":
            with self.subTest(mode), World() as w:
                w.mode(mode)
                w.until(lambda: w.get("/health").status == 503)
                self.assertEqual(w.get("/health").json["reason"], "hamon_silent")
                w.mode("")
                w.until(lambda: w.get("/health").status == 200)

    def test_status_is_the_daemons_and_more(self):
        with World() as w:
            body = w.get("/status.json").json
            web = body.pop("web")
            self.assertEqual(body, w.status)
            self.assertTrue(web["answers"])
            self.assertLess(web["age_ms"], 5000)

    def test_head_get_and_nothing_else(self):
        with World() as w:
            get, head = w.get("/health"), w.request("/health", "HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.headers["Content-Length"], get.headers["Content-Length"])
            for method in "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
                refused = w.request("/health", method)
                self.assertEqual((refused.status, refused.headers["Allow"]), (405, "GET, HEAD"))
            self.assertEqual(w.get("/nothing").status, 404)
            self.assertIn("default-src 'none'", get.headers["Content-Security-Policy"])
            self.assertEqual(get.headers["X-Content-Type-Options"], "nosniff")


class Token(unittest.TestCase):
    TOKEN = "correct horse battery staple"

    def world(self, token=TOKEN, mode=0o600, **kw):
        w = World(start=False, **kw)
        path = w.dir / "token"
        path.write_text(token + "\n", encoding="ascii")
        os.chmod(path, mode)
        w.sections["web"] += f"token_file = {path}\n"
        return w

    def test_who_knows_it_is_answered(self):
        basic = "Basic " + base64.b64encode(f"me:{self.TOKEN}".encode()).decode()
        bad = "Basic " + base64.b64encode(b"me:wrong horse battery staple").decode()
        with self.world() as w:
            w.start_web()
            w.until(lambda: w.get("/health").status == 401)
            self.assertTrue(w.get("/health").headers["WWW-Authenticate"].startswith("Basic"))
            for header in "Bearer " + self.TOKEN, "bearer  " + self.TOKEN, basic:
                w.until(lambda h=header: w.get("/health", headers={"Authorization": h}).status == 200)
            for header in ("Bearer", "Bearer ", "Bearer " + self.TOKEN[:-1], "Bearer " + self.TOKEN + "x", bad,
                           "Basic !!!!", "Basic =", "Basic ====", self.TOKEN, "Basic " + "A" * 4000):
                self.assertEqual(w.get("/health", headers={"Authorization": header}).status, 401, header)

    def test_a_bad_token_file_is_refused_at_start(self):
        for token, mode, word in ("short", 0o600, "16"), (self.TOKEN, 0o644, "token"):
            with self.subTest(token), self.world(token, mode) as w:
                w.start_web()
                self.assertEqual(w.web.wait(60), 78)
                self.assertIn(word, w.log())

    def test_a_public_address_wants_one(self):
        with World(start=False) as w:
            w.sections["web"] = "listen = 0.0.0.0:1\n"
            w.start_web()
            self.assertEqual(w.web.wait(60), 78)
            self.assertIn("token_file", w.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
