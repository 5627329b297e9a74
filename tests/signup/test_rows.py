#!/usr/bin/env python3
"""Rows of ASVS (README.md) that test_e2e.py does not look at: what the portal must not do, whatever it is sent."""
import json
import re
import threading
import time
import unittest

from stack import SOURCE, Browser, wait_for
import test_e2e

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ADD_KEYS = {"local_part", "domain", "name", "authsource", "quota", "password", "password2", "active",
            "force_pw_update", "tls_enforce_in", "tls_enforce_out", "attribute_hash", "tags"}


class Case(test_e2e.Case):
    """The double has time to answer on a busy machine too: no row is about Mailcow's being late."""

    @classmethod
    def setUpClass(cls):
        cls.conf = {"mailcow.timeout": "30s", **cls.conf}
        super().setUpClass()


class Answers(Case):
    """Each answer of the portal, good or bad."""

    def test_headers_of_every_answer(self):
        b = Browser(self.s).get()
        image = re.search(r'id="captcha"[^>]*src="([^"]+)"', b.text).group(1)
        asset = re.search(r'"(/signup/s/[^"]+\.css)"', b.text).group(1)
        for method, path, status, kind in (("GET", "/signup/", 200, "text/html; charset=utf-8"),
                                           ("HEAD", "/signup/", 200, "text/html; charset=utf-8"),
                                           ("GET", "/signup/nothing", 404, "text/html; charset=utf-8"),
                                           ("PUT", "/signup/", 405, "text/html; charset=utf-8"),
                                           ("POST", "/signup/", 415, "text/html; charset=utf-8"),
                                           ("GET", "/signup/health", 200, "application/json"),
                                           ("GET", image, 200, "image/jpeg"),
                                           ("GET", asset, 200, "text/css; charset=utf-8")):
            b.send(method, path)
            self.assertEqual((b.status, b.head["Content-Type"]), (status, kind), path)
            self.assertGreaterEqual(int(re.search(r"max-age=(\d+)", b.head["Strict-Transport-Security"]).group(1)),
                                    31536000)
            self.assertEqual(b.head["X-Content-Type-Options"], "nosniff")
            self.assertEqual(b.head["Referrer-Policy"], "same-origin")
            self.assertEqual(b.head["Cross-Origin-Opener-Policy"], "same-origin")
            self.assertEqual(b.head["Cross-Origin-Resource-Policy"], "same-origin")
            self.assertIn("frame-ancestors 'none'", b.head["Content-Security-Policy"])
            self.assertEqual(b.head["Cache-Control"] == "no-store", path != asset, path)

    def test_methods(self):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
            self.assertEqual(Browser(self.s).send(method, "/signup/").status, 405, method)

    def test_no_version(self):
        with open(SOURCE + "/VERSION", encoding="ascii") as f:
            version = f.read().strip()
        b = Browser(self.s)
        for path in ("/signup/", "/signup/nothing", "/signup/health"):
            b.get(path)
            self.assertIsNone(b.head["X-Powered-By"])
            self.assertNotIn(version, str(b.head).replace(b.head["Server"], "") + b.text)

    def test_cookies(self):
        b = Browser(self.s).get("/signup/?lang=de-de")
        cookies = b.head.get_all("Set-Cookie")
        self.assertEqual({c.split("=")[0] for c in cookies}, {"__Host-signup", "__Host-signup-lang"})
        for cookie in cookies:
            for word in ("; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"):
                self.assertIn(word, cookie)
            self.assertNotIn("Domain", cookie)
        browsers = {Browser(self.s).get().cookies["__Host-signup"] for _ in range(50)}
        self.assertEqual(len(browsers), 50)
        for one in browsers:
            self.assertRegex(one, "^[0-9a-f]{32}$")  # 128 bits

    def test_redirects_stay_here(self):
        b = Browser(self.s, {"Host": "evil.example"}).get("/signup")
        self.assertEqual((b.status, b.head["Location"]), (301, "/signup/"))
        for query in ("?lang=de-de%0d%0aX-Evil:1", "?lang=//evil.example", "?next=https://evil.example"):
            b = Browser(self.s).get("/signup/" + query)
            self.assertEqual((b.status, b.head["Location"], b.head["X-Evil"]), (200, None, None), query)
            self.assertNotIn("evil.example", b.text)


class Requests(Case):
    """What comes in, and what of it goes on to Mailcow."""

    def test_only_post_does_something(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="byget")
        query = "&".join(f"{k}={v}" for k, v in fields.items() if k in ("csrf", "ticket", "local_part", "pow", "gate"))
        b.get("/signup/?" + query)
        self.assertEqual(b.status, 200)
        b.send("POST", "/signup/?" + query, "", FORM)
        self.assertEqual(b.status, 403)
        self.assertEqual(self.adds("byget@example.org"), 0)
        b.get()
        self.assert_created(b.post(fields), "byget@example.org", 1)  # and nothing was used up by it

    def test_only_known_fields_reach_mailcow(self):
        b = self.sign_up("greedy", quota="999999", active="0", tags="admin", acl="all", authsource="ldap",
                         force_pw_update="1", rl_value="1000000", attribute_hash="x", is_admin="1")
        self.assert_created(b, "greedy@example.org", 1)
        sent = [json.loads(r["body"]) for r in self.s.state()["requests"]
                if "add/mailbox" in r["line"] and "greedy" in r["body"]][0]
        self.assertEqual(set(sent), ADD_KEYS)
        self.assertEqual((sent["quota"], sent["active"], sent["tags"], sent["authsource"]),
                         ("512", "1", ["signup"], "mailcow"))
        self.assertNotEqual(sent["attribute_hash"], "x")

    def test_host_is_nobodys_choice(self):
        b = Browser(self.s, {"Host": "evil.example"}).get()
        b.post(b.form(local_part="hosted"), Origin="https://evil.example")
        self.assert_created(b, "hosted@example.org", 1)
        self.assertNotIn("evil.example", b.text)
        for r in self.s.state()["requests"]:
            self.assertEqual(r["headers"]["Host"], f"127.0.0.1:{self.s.api_port}")

    def test_mailcow_cannot_send_us_elsewhere(self):
        self.s.api("/_next", {"add": ["redirect", "redirect", "redirect"]})
        b = self.sign_up("moved")
        self.assertEqual(b.status, 503)
        self.assertIsNone(self.s.mailbox("moved@example.org"))
        self.assertFalse([r for r in self.s.state()["requests"] if "elsewhere" in r["line"]])

    def test_nothing_is_told_before_a_gate(self):
        self.sign_up("known")
        asked = len([r for r in self.s.state()["requests"] if "passwordpolicy" not in r["line"]])
        said = set()
        for local in ("known", "unknown", "info", "postmaster"):
            b = self.sign_up(local, pow="1")
            said.add((b.status, frozenset(b.errors()), re.sub(local + r"|value=\"[^\"]*\"|/captcha/[^\"]*", "", b.text)))
        self.assertEqual(len(said), 1)
        self.assertEqual(len([r for r in self.s.state()["requests"] if "passwordpolicy" not in r["line"]]), asked)

    def test_troubles_are_not_told_to_visitors(self):
        for mood in ("down", "auth", "garbage"):
            self.s.api("/_next", {"add": [mood] * 3, "get": ["", "down", "down", "down"]})
            b = self.sign_up("troubled" + mood)
            self.assertEqual(b.status, 503, mood)
            for word in ("Connection to database", "api access", "10.0.0.1", "oops", "127.0.0.1", "HTTP", "curl"):
                self.assertNotIn(word, b.text, mood)

    def test_attempts_are_logged_and_lines_cannot_be_forged(self):
        fake = "x\nlevel=error event=fake"
        self.sign_up("logged", pow="1")
        self.sign_up("logged", gate=fake, website=fake)
        self.sign_up(fake, name=fake, recovery=fake, domain=fake)
        b = Browser(self.s, {"User-Agent": fake.replace("\n", " "), "Accept-Language": "de event=fake"}).get()
        b.post(b.form(local_part="logged", csrf="0" * 32))
        b.get()
        b.post(b.form(local_part="logged"), Origin="https://evil.example")
        lines = self.s.log().splitlines()
        for line in lines:
            self.assertRegex(line, r"^level=(info|warn|error) event=[a-z_]+( |$)")
            self.assertNotIn("event=fake", line.split("msg=")[0])
        log = "\n".join(lines)
        for word in (r"event=gate kind=pow result=wrong from=127\.0\.0\.0/24", "event=form_refused reason=csrf",
                     "event=form_refused reason="):
            self.assertRegex(log, word)


class Human(Case):
    """A form that comes back before a person could have filled it."""
    conf = {"gate.min_age": "1m"}

    def test_too_fast(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="machine")
        b.post(fields)
        self.assertEqual((b.status, b.errors()), (422, {"gate"}))
        self.assertIn("event=gate kind=pow result=early", self.s.log())
        self.assertEqual(b.hidden("ticket"), fields["ticket"])  # a person's next try is good
        self.assertIsNone(self.s.mailbox("machine@example.org"))


class Flood(Case):
    """Pages, pictures and sounds cost the same."""
    conf = {"limit.pages": "12/1h", "gate.kinds": "image audio pow"}

    def test_pages(self):
        b = Browser(self.s).get()
        image = re.search(r'id="captcha"[^>]*src="([^"]+)"', b.text).group(1)
        paths = [image, image.replace(".jpg", ".wav"), "/signup/challenge", "/signup/"] * 4
        said = [b.get(path).status for path in paths]
        self.assertEqual(said[:8], [200] * 8)
        self.assertEqual(said[12:], [429] * 4)
        self.assertGreater(int(b.head["Retry-After"]), 60)
        self.assertEqual(b.get("/signup/health").status, 200)  # a monitor is no visitor


class Hanging(Case):
    """Mailcow takes an answer, and its time."""
    domains = [f"d{i}.test" for i in range(20)]  # else they would wait for their domain's turn
    conf = {"signup.threads": "8", "mailcow.cache": "0s", "mailcow.timeout": "1m",
            "signup.domains": "example.org " + " ".join(domains)}

    def tearDown(self):
        self.s.api("/_world", {"hold": False})

    def policies(self):
        return sum("passwordpolicy" in r["line"] for r in self.s.state()["requests"])

    def test_one_asks_and_the_others_have_the_kept_answer(self):
        b = Browser(self.s).get("/signup/health")
        self.assertEqual(b.text, '{"status":"ok"}\n')
        self.s.api("/_world", {"hold": True})
        self.s.api("/_next", {"policy": ["hold"] * 9})
        askers, asked = [], self.policies()

        def one_hangs():
            askers.append(threading.Thread(target=Browser(self.s).get, args=("/signup/health",)))
            askers[-1].start()
            wait_for("an answer, or the question", lambda: not askers[-1].is_alive() or self.policies() > asked)
            return askers[-1].is_alive()

        wait_for("what is kept to be too old", one_hangs, 60)
        asker = askers[-1]
        end = time.monotonic() + 5  # twice as long as an answer is kept
        while time.monotonic() < end:
            b.get("/signup/health")
            self.assertEqual((b.status, b.text), (200, '{"status":"ok"}\n'))
            self.assertTrue(asker.is_alive())
        self.assertEqual(self.policies(), asked + 1)
        self.s.api("/_next", {})
        self.s.api("/_world", {"hold": False})
        asker.join()
        wait_for("the next question", lambda: b.get("/signup/health") and self.policies() > asked + 1)

    def test_pages_are_left(self):
        box = {"tags": [], "active_int": 1, "max": 10, "quota": 10240}
        self.s.api("/_world", {"hold": True, "domains": {name: box for name in self.domains}})
        self.s.api("/_next", {"add": ["hold"] * 20})
        browsers = [Browser(self.s).get() for _ in self.domains]
        forms = [b.form(local_part=f"hangs{i}", domain=self.domains[i]) for i, b in enumerate(browsers)]
        threads = [threading.Thread(target=b.post, args=(f,)) for b, f in zip(browsers, forms)]
        for t in threads:
            t.start()
        hanging = lambda: sum("hangs" in r["body"] for r in self.s.state()["requests"])
        wait_for("three quarters of the threads to hang", lambda: hanging() == 6)
        for _ in range(20):
            self.assertEqual(Browser(self.s).get().status, 200)
        self.assertEqual(hanging(), 6)
        self.s.api("/_world", {"hold": False})
        for t in threads:
            t.join()
        self.assertLessEqual({b.status for b in browsers}, {200, 503})
        self.assertIn(200, {b.status for b in browsers})


class Untagged(Case):
    conf = {"mailbox.tags": "", "mailbox.pending_tag": "waits"}

    def test_no_tags(self):
        self.assert_created(self.sign_up("plain"), "plain@example.org", 1)
        self.assertEqual(self.s.mailbox("plain@example.org")["tags"], [])
        self.assert_created(self.sign_up("trapped", website="x"), "trapped@example.org", 1)
        self.assertEqual(self.s.mailbox("trapped@example.org")["tags"], ["waits"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
