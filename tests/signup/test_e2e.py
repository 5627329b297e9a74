#!/usr/bin/env python3
"""The portal from end to end without a script running: real nginx with our include, real signup, the double of
Mailcow's API in all its moods."""
import os
import re
import threading
import time
import unittest

from stack import Browser, Stack, wait_for

PENDING = "Almost there"


class Case(unittest.TestCase):
    conf = {}
    signups = 1

    @classmethod
    def setUpClass(cls):
        cls.s = Stack(cls.conf, cls.signups)

    @classmethod
    def tearDownClass(cls):
        log, secrets = cls.s.log(), [cls.s.key, "umbrella", "0123456789abcdef0123456789abcdef"]
        codes = cls.s.stop()
        assert all(code in (0, -15) for code in codes), codes
        for secret in secrets:
            assert secret not in log, "a secret in the log: " + secret
        assert "127.0.0.1" not in log, "a whole address in the log"

    def setUp(self):
        self.s.api("/_next", {})

    def sign_up(self, local, **over):
        return Browser(self.s).sign_up(local_part=local, **over)

    def assert_created(self, b, address, count=None):
        self.assertEqual(b.status, 200, b.errors() or b.text[:300])
        self.assertIn('id="address"', b.text)
        box = self.s.mailbox(address)
        self.assertIsNotNone(box)
        self.assertTrue(box["alias"], "a mailbox without its alias")
        if count is not None:
            self.assertEqual(self.adds(address), count)

    def adds(self, address):
        local = '"local_part":"' + address.split("@")[0] + '"'
        return sum(r["line"].startswith("POST /api/v1/add/mailbox") and local in r["body"]
                   for r in self.s.state()["requests"])


class Open(Case):
    """What a visitor meets when all is well, and when the visitor is not."""

    def test_success(self):
        b = self.sign_up("first", recovery="me@other.example")
        self.assert_created(b, "first@example.org", 1)
        box = self.s.mailbox("first@example.org")
        self.assertEqual(box["password"], "umbrella <&>\"' 42")      # as it was typed
        self.assertEqual(box["name"], "Zoë O'Neil")
        self.assertEqual(box["quota"], 512 << 20)
        self.assertEqual((box["active"], box["tags"]), (1, ["signup"]))
        self.assertEqual(box["recovery"], "me@other.example")
        self.assertIn("mail.example.org, 993", b.text)
        self.assertNotIn("umbrella", b.text)

    def test_nothing_is_passed_on(self):
        self.sign_up("second")
        for r in self.s.state()["requests"]:
            heads = {k.lower() for k in r["headers"]}
            self.assertFalse(heads & {"cookie", "x-forwarded-for", "origin", "referer"}, r)
            self.assertNotIn("MCSESSID", str(r))
        b = Browser(self.s).get()
        self.assertNotIn("MCSESSID", str(b.head))

    def test_double_submit_and_reload(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="twice")
        self.assert_created(b.post(fields), "twice@example.org", 1)
        self.assert_created(b.post(fields), "twice@example.org", 1)
        stranger = Browser(self.s).get()
        fields["csrf"] = stranger.hidden("csrf")
        stranger.post(fields)                # the same ticket, another browser
        self.assertEqual(stranger.status, 422)
        self.assertIn("gate", stranger.errors())

    def test_two_clicks_at_once(self):
        self.s.api("/_next", {"add": ["slow"]})
        b = Browser(self.s).get()
        fields = b.form(local_part="clicks")
        clicks = [Browser(self.s) for _ in range(4)]
        for c in clicks:
            c.cookies = dict(b.cookies)
        threads = [threading.Thread(target=c.post, args=(fields,)) for c in clicks]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for c in clicks:
            self.assert_created(c, "clicks@example.org", 1)

    def test_replay_looks_once_at_what_is_anothers(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="replay")
        self.assert_created(b.post(fields), "replay@example.org", 1)
        b.post(dict(fields, password="another person 77", password2="another person 77"))
        self.assertEqual((b.status, b.errors()), (422, {"gate"}))
        looks = [r for r in self.s.state()["requests"] if "get/mailbox/replay" in r["line"]]
        self.assertEqual(len(looks), 1)

    def test_replays_leave_mailcow_to_others(self):
        self.s.api("/_next", {"add": ["slow"]})
        b = Browser(self.s).get()
        fields = b.form(local_part="crowd")
        first = threading.Thread(target=b.post, args=(fields,))
        first.start()
        wait_for("the first click", lambda: self.adds("crowd@example.org") == 1)
        crowd = [Browser(self.s) for _ in range(12)]
        threads = [threading.Thread(target=c.post, args=(fields,)) for c in crowd]
        for c, t in zip(crowd, threads):
            c.cookies = dict(b.cookies)
            t.start()
        self.assert_created(self.sign_up("passerby", domain="example.org"), "passerby@example.org", 1)
        for t in [first, *threads]:
            t.join()
        self.assert_created(b, "crowd@example.org", 1)
        self.assertLessEqual({c.status for c in crowd}, {200, 422})
        self.assertIn(200, {c.status for c in crowd})

    def test_next_person_at_the_same_browser(self):
        b = Browser(self.s)
        self.assert_created(b.sign_up(local_part="owner", recovery="owner@other.example"), "owner@example.org", 1)
        b.sign_up(local_part="owner", recovery="thief@other.example", password="another person 77")
        self.assertEqual((b.status, b.errors()), (422, {"local_part"}))  # that password does not hold
        b.sign_up(local_part="owner", recovery="thief@other.example")
        self.assertEqual(b.status, 200)
        box = self.s.mailbox("owner@example.org")
        self.assertEqual((box["recovery"], box["password"]), ("owner@other.example", "umbrella <&>\"' 42"))

    def test_success_tells_what_the_mailbox_is(self):
        b = Browser(self.s)
        self.assertIn(PENDING, b.sign_up(local_part="state", website="http://spam.example").text)
        self.assertIn(PENDING, b.sign_up(local_part="state").text)
        self.assertEqual(self.s.mailbox("state@example.org")["active"], 0)
        self.assertEqual(self.s.command("pending", "approve", "state@example.org").returncode, 0)
        self.assertNotIn(PENDING, b.sign_up(local_part="state", website="http://spam.example").text)
        self.assertEqual(b.status, 200)
        self.assertEqual(self.s.mailbox("state@example.org")["active"], 1)

    def test_taken_in_all_its_forms_reads_the_same(self):
        self.sign_up("taken")
        said = set()
        for local in ("taken", "TAKEN", "info", "postmaster", "adm1n"):
            b = self.sign_up(local)
            self.assertEqual((b.status, b.errors()), (422, {"local_part"}), local)
            said.add(re.search(r'id="local_part-error">([^<]*)<', b.text).group(1))
        self.assertEqual(len(said), 1, said)

    def test_after_an_error_no_second_gate(self):
        b = self.sign_up("info")
        self.assertEqual(b.hidden("gate"), "pass")
        self.assertEqual(b.hidden("name"), "Zoë O'Neil")
        first = b.form(local_part="infox")
        self.assert_created(b.post(first), "infox@example.org")
        other = dict(first, local_part="infoy")
        b.post(other)                        # the pass is used up
        self.assertEqual(b.status, 422)
        self.assertIsNone(self.s.mailbox("infoy@example.org"))

    def test_errors_beside_their_fields(self):
        rows = {"name": "<b>", "local_part": "a..b", "domain": "evil.example", "password": "short",
                "recovery": "nobody"}
        for field, value in rows.items():
            b = self.sign_up(**{"local": "errors", **({"local": value} if field == "local_part" else {field: value})})
            self.assertEqual((b.status, b.errors()), (422, {field}), field)
            self.assertIn(f'href="#{field}"', b.text)
            self.assertIn('role="alert"', b.text)
            self.assertNotIn(b.hidden("ticket"), ("", None))
        b = self.sign_up("errors", password2="umbrella something")
        self.assertEqual(b.errors(), {"password2"})
        self.assertNotIn("umbrella", b.text)
        b.post(b.form(local_part="errors2"))  # the same ticket is still good
        self.assert_created(b, "errors2@example.org")

    def test_escaping(self):
        b = self.sign_up('"><script>alert(1)</script>', name="\"'><img src=x>")
        self.assertNotIn("<script>alert", b.text)
        self.assertNotIn("<img src=x", b.text)
        self.assertIn("&quot;&#39;&gt;&lt;img src=x&gt;", b.text)

    def test_gate_cannot_be_passed_by(self):
        for over in ({"pow": "x"}, {"pow": "99999999"}, {"gate": "image", "captcha": "AAAAAA"}, {"gate": "pass"},
                     {"gate": "audio", "captcha": "1"}, {"gate": "bogus"}, {"gate": None}, {"ticket": "x"},
                     {"gate": "image", "captcha": ""}):
            b = self.sign_up("robot", **over)
            self.assertEqual((b.status, b.errors()), (422, {"gate"}), over)
        self.assertIsNone(self.s.mailbox("robot@example.org"))

    def test_wrong_answer_uses_the_ticket_up(self):
        b = Browser(self.s).get()
        good = b.form(local_part="once")
        b.post(dict(good, gate="image", captcha="AAAAAA"))
        self.assertEqual(b.errors(), {"gate"})
        b.post(good)                          # right now, but too late
        self.assertEqual(b.errors(), {"gate"})
        self.assertIsNone(self.s.mailbox("once@example.org"))

    def test_ticket_cannot_be_changed(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="forger")
        t = fields["ticket"]
        fields["ticket"] = t[:20] + ("A" if t[20] != "A" else "B") + t[21:]
        b.post(fields)
        self.assertEqual(b.errors(), {"gate"})

    def test_cross_site(self):
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"}):
            b = Browser(self.s).get()
            b.post(b.form(local_part="csrf"), **headers)
            self.assertEqual(b.status, 403, headers)
        b = Browser(self.s).get()
        b.post(b.form(local_part="csrf", csrf="0" * 32))
        self.assertEqual(b.status, 403)
        self.assertIn('value="csrf"', b.text)  # what was typed is still there
        b = Browser(self.s).get()
        fields = b.form(local_part="csrf")
        b.cookies.clear()
        self.assertEqual(b.post(fields).status, 403)
        self.assertIsNone(self.s.mailbox("csrf@example.org"))

    def test_bad_requests(self):
        b = Browser(self.s).get()
        h = {"Content-Type": "application/x-www-form-urlencoded"}
        for body, status in (("a=%zz", 400), ("name=a&name=b", 400), ("a=%00", 400), ("a=%ff", 400),
                             ("a" * 17000, 413)):
            self.assertEqual(b.send("POST", "/signup/", body, h).status, status)
        for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain", ""):
            self.assertEqual(b.send("POST", "/signup/", "{}", {"Content-Type": kind}).status, 415, kind)
        self.assertEqual(b.send("POST", "/signup/health", "", h).status, 405)
        self.assertEqual(b.send("PUT", "/signup/", "").status, 405)
        self.assertEqual(b.head["Allow"], "GET, HEAD, POST")
        for path in ("/signup/nothing", "/signup/x.php", "/signup/s/..%2fsignup.conf",
                     "/signup/captcha/x.jpg", "/signup/captcha/.jpg", "/signup/invite/"):
            self.assertEqual(b.get(path).status, 404, path)
        self.assertEqual(b.send("HEAD", "/signup/").status, 200)
        self.assertEqual(b.data, b"")

    def test_headers(self):
        b = Browser(self.s).get()
        csp = b.head["Content-Security-Policy"]
        for word in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            self.assertIn(word, csp)
        self.assertNotIn("unsafe", csp)
        self.assertEqual(b.head.get_all("X-Frame-Options"), ["DENY"])  # and not the server's as well
        self.assertEqual(b.head["X-Content-Type-Options"], "nosniff")
        self.assertEqual(b.head["Cache-Control"], "no-store")
        for cookie in b.head.get_all("Set-Cookie"):
            for word in ("__Host-", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"):
                self.assertIn(word, cookie)
        self.assertFalse(re.search(r"<script[^>]*>[^<]|<style| on[a-z]+=| style=", b.text), "something inline")
        self.assertFalse(re.search(r"(src|href)=\"(https?:)?//", b.text), "something from elsewhere")
        self.assertLess(len(b.data), 12 * 1024)

    def test_static_files(self):
        b = Browser(self.s).get()
        files = set(re.findall(r'"(/signup/s/[^"]+)"', b.text))
        self.assertGreaterEqual(len(files), 3)
        for path in files:
            self.assertEqual(b.get(path).status, 200, path)
            self.assertIn("immutable", b.head["Cache-Control"])
            self.assertEqual(b.head["X-Content-Type-Options"], "nosniff")

    def test_captcha_image(self):
        b = Browser(self.s).get()
        path = re.search(r'id="captcha"[^>]*src="([^"]+)"', b.text).group(1)
        first = b.get(path).data
        self.assertEqual((b.status, b.head["Content-Type"]), (200, "image/jpeg"))
        self.assertEqual(first, b.get(path).data)
        self.assertNotEqual(first, b.get(path.replace(".jpg", ".dark.jpg")).data)

    def test_new_challenge(self):
        b = Browser(self.s).get()
        fields = b.form(local_part="fresh")
        b.post(dict(fields, refresh="1", captcha="xyz"))
        self.assertEqual((b.status, b.errors()), (200, set()))
        self.assertNotEqual(b.hidden("ticket"), fields["ticket"])
        self.assertIn('value="fresh"', b.text)
        self.assertEqual(b.get("/signup/challenge").head["Content-Type"], "application/json")

    def test_languages(self):
        for lang, code, word in (("de", "de-de", "Postfach"), ("fr", "fr-fr", "boîte"), ("es", "es-es", "buzón"),
                                 ("it", "it-it", "casella"), ("en", "en-gb", "mailbox")):
            b = Browser(self.s, {"Accept-Language": lang}).get()
            self.assertIn(f'<html lang="{lang}"', b.text)
            b = Browser(self.s).get("/signup/?lang=" + code)
            self.assertIn(word, b.text)
            self.assertIn(word, b.get().text)             # kept in a cookie
            b.post(b.form(local_part="lang" + lang))
            self.assert_created(b, f"lang{lang}@example.org")
            self.assertIn(f'<html lang="{lang}"', b.text)

    def test_honeypot_leads_to_approval(self):
        b = self.sign_up("honey", website="http://spam.example")
        self.assert_created(b, "honey@example.org")
        self.assertEqual(self.s.mailbox("honey@example.org")["active"], 0)
        self.assertIn("signup-pending", self.s.mailbox("honey@example.org")["tags"])

    def test_health(self):
        b = Browser(self.s).get("/signup/health")
        self.assertEqual((b.status, b.text), (200, '{"status":"ok"}\n'))


class Moods(Case):
    """What Mailcow does to us, and what must come of it: one whole mailbox, or none and a kind word."""

    def test_half_created_is_made_anew(self):
        self.s.api("/_next", {"add": ["half"]})
        self.assert_created(self.sign_up("half"), "half@example.org", 2)

    def test_server_error_in_the_middle(self):
        for mood in ("half502", "done504"):  # whether its alias is there cannot be seen
            self.s.api("/_next", {"add": [mood]})
            self.assert_created(self.sign_up(mood), mood + "@example.org", 2)

    def test_half_of_an_earlier_request(self):
        """Nothing proves that it is one: its owner was told "ready", and mail may be in it by now."""
        b = Browser(self.s)
        self.assert_created(b.sign_up(local_part="earlier"), "earlier@example.org", 1)
        boxes = self.s.state()["mailboxes"]
        boxes["earlier@example.org"]["alias"] = False
        self.s.api("/_world", {"mailboxes": boxes})
        self.assertIn('id="address"', b.sign_up(local_part="earlier").text)
        self.assertEqual(self.s.state()["mailboxes"], boxes)

    def test_empty_answer(self):
        self.s.api("/_next", {"add": ["empty"]})
        self.assert_created(self.sign_up("empty"), "empty@example.org", 2)

    def test_answer_gets_lost(self):
        self.s.api("/_next", {"add": ["lost"]})
        self.assert_created(self.sign_up("lost"), "lost@example.org")

    def test_used_mailbox_is_never_taken_away(self):
        b = Browser(self.s).get()
        self.assert_created(b.post(b.form(local_part="used")), "used@example.org", 1)
        boxes = self.s.state()["mailboxes"]
        boxes["used@example.org"]["messages"] = 7
        self.s.api("/_world", {"mailboxes": boxes})
        b.get()
        self.s.api("/_next", {"add": ["empty"]})
        self.assert_created(b.post(b.form(local_part="used")), "used@example.org", 2)
        self.assertEqual(self.s.mailbox("used@example.org")["messages"], 7)

    def test_lost_race(self):
        self.s.api("/_next", {"add": ["race"]})
        b = self.sign_up("race")
        self.assertEqual((b.status, b.errors()), (422, {"local_part"}))
        self.assertEqual(self.s.mailbox("race@example.org")["name"], "Somebody Else")

    def test_garbage_then_fine(self):
        self.s.api("/_next", {"add": ["garbage"]})
        self.assert_created(self.sign_up("garbage"), "garbage@example.org", 2)

    def test_down_and_back(self):
        for mood in ("down", "auth"):
            self.s.api("/_next", {"add": [mood]})
            b = Browser(self.s).sign_up(local_part=mood)
            self.assertEqual(b.status, 503)
            self.assertIn('role="alert"', b.text)
            self.assertIn(f'value="{mood}"', b.text)
            self.assertIsNone(self.s.mailbox(mood + "@example.org"))
            self.assert_created(b.post(b.form(local_part=mood)), mood + "@example.org", 2)

    def test_nobody_knows(self):
        self.s.api("/_next", {"add": ["empty", "empty", "empty"], "get": ["", "down", "down", "down"]})
        b = self.sign_up("unsure")
        self.assertEqual(b.status, 503)
        self.assertIn("mailbox_unknown", self.s.log())

    def test_slow_is_fine(self):
        self.s.api("/_next", {"add": ["slow"]})
        self.assert_created(self.sign_up("slow"), "slow@example.org", 1)


class Policy(Case):
    conf = {"mailcow.cache": "0s"}

    def test_policy_of_mailcow(self):
        Browser(self.s).get()
        self.s.api("/_world", {"policy": {"length": "6", "chars": "0", "special_chars": "1", "lowerupper": "1",
                                          "numbers": "1"}})
        b = self.sign_up("policy")             # ours was cached: Mailcow says no
        self.assertEqual((b.status, b.errors()), (422, {"password"}))
        time.sleep(2.1)
        b = self.sign_up("policy")             # now it is known, and told beforehand
        self.assertEqual((b.status, b.errors()), (422, {"password"}))
        self.assertIn("With a digit.", b.text)
        b.post(b.form(local_part="policy", password="Umbrella <&> 42"))
        self.assert_created(b, "policy@example.org")


class Breached(Case):
    """The double plays the range service too: /range/XXXXX."""
    conf = {"policy.pwned_on_error": "refuse"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s.conf = dict(cls.conf, **{"policy.pwned_url": f"http://127.0.0.1:{cls.s.api_port}/range/"})
        cls.s.signup[0].terminate()
        cls.s.signup[0].wait(20)
        os.unlink(cls.s.dir + "/0.sock")
        cls.s.signup[0] = cls.s.start_signup(0)

    def test_breached(self):
        known, down = "correct horse battery", "the range is down 77"
        b = self.sign_up("pwned", password=known)
        self.assertEqual((b.status, b.errors()), (422, {"password"}))
        self.assertIn("data breach", b.text)
        asked = [r["line"] for r in self.s.state()["requests"] if "/range/" in r["line"]]
        self.assertRegex(asked[-1], r"^GET /range/[0-9A-F]{5} HTTP/1.1$")
        asked = [r["headers"] for r in self.s.state()["requests"] if "/range/" in r["line"]]
        self.assertEqual(asked[-1]["Add-Padding"], "true")
        self.assertFalse({"X-API-Key", "Cookie", "Referer"} & set(asked[-1]))
        b.post(b.form(local_part="pwned"))
        self.assert_created(b, "pwned@example.org", 1)
        self.s.api("/_next", {"range": ["down"]})
        b = self.sign_up("pwned2", password=down)
        self.assertEqual((b.status, b.errors()), (422, {"password"}))
        self.assertIsNone(self.s.mailbox("pwned2@example.org"))


class Certificate(Case):
    """Mailcow behind our own nginx, whose certificate nobody knows, unless ca_file names it."""

    def test_unknown_certificate(self):
        self.s.conf = {"mailcow.url": f"https://localhost:{self.s.port}", "signup.listen": f"{self.s.dir}/tls.sock",
                       "mailcow.timeout": "30s"}
        done = self.s.command("pending", "list")
        self.assertEqual(done.returncode, 69)
        self.assertIn("certificate", done.stderr)
        self.s.conf["mailcow.ca_file"] = self.s.dir + "/cert.pem"
        done = self.s.command("pending", "list")
        self.assertIn("did not give its list", done.stderr)  # this nginx is no Mailcow
        self.assertNotIn("certificate", done.stderr)
        self.s.conf["mailcow.url"] = f"https://127.0.0.1:{self.s.port}"  # known, but another's
        done = self.s.command("pending", "list")
        self.assertEqual(done.returncode, 69)
        self.assertRegex(done.stderr, "certificate|alternative")
        self.s.conf = {}


class Approval(Case):
    conf = {"signup.mode": "approval", "signup.terms_url": "/terms", "mailbox.rate_limit": "20/h",
            "mailbox.acl": "spam_alias, app_passwds", "mailbox.force_pw_update": "on"}

    def test_pending(self):
        b = self.sign_up("waits")
        self.assertEqual(b.errors(), {"consent"})
        b.post(b.form(local_part="waits", consent="yes"))
        self.assert_created(b, "waits@example.org", 1)
        box = self.s.mailbox("waits@example.org")
        self.assertEqual((box["active"], box["tags"]), (0, ["signup", "signup-pending"]))
        self.assertEqual(box["rl"], {"value": "20", "frame": "h"})
        self.assertEqual((box["acl"], box["force_pw_update"]), (["spam_alias", "app_passwds"], "1"))
        done = self.s.command("pending", "list")
        self.assertIn("waits@example.org\t", done.stdout)
        self.assertEqual(self.s.command("pending", "approve", "waits@example.org").returncode, 0)
        box = self.s.mailbox("waits@example.org")
        self.assertEqual((box["active"], box["tags"]), (1, ["signup"]))
        self.assertEqual(self.s.command("pending", "reject", "waits@example.org").returncode, 65)
        self.assertNotIn("waits@", self.s.command("pending", "list").stdout)

    def test_rate_limit_proves_that_it_is_whole(self):
        for mood, adds in (("half502", 2), ("done504", 1)):
            self.s.api("/_next", {"add": [mood]})
            b = Browser(self.s).get()
            self.assert_created(b.post(b.form(local_part=mood, consent="yes")), mood + "@example.org", adds)
            self.assertIn(PENDING, b.text)

    def test_half_of_an_earlier_request_is_made_anew(self):
        b = Browser(self.s).get()
        first = lambda: b.get().post(b.form(local_part="earlier", consent="yes"))
        self.assert_created(first(), "earlier@example.org", 1)
        boxes = self.s.state()["mailboxes"]
        boxes["earlier@example.org"].update(alias=False, rl=None)
        self.s.api("/_world", {"mailboxes": boxes})
        self.assert_created(first(), "earlier@example.org", 3)

    def test_reject(self):
        b = Browser(self.s).get()
        self.assert_created(b.post(b.form(local_part="goes", consent="yes")), "goes@example.org")
        self.assertEqual(self.s.command("pending", "reject", "goes@example.org").returncode, 0)
        self.assertIsNone(self.s.mailbox("goes@example.org"))


class Limits(Case):
    conf = {"limit.per_address": "2/1h", "limit.attempts": "8/1h", "signup.domains": "", "signup.domain_tag": "signup"}

    def test_limits(self):
        b = Browser(self.s).get()
        self.assertIn('<option value="example.net"', b.text)
        self.assertNotIn("off.example", b.text)
        self.assertNotIn("small.example", b.text)
        self.assert_created(self.sign_up("one"), "one@example.org")
        self.assertEqual(self.sign_up("info").errors(), {"local_part"})  # gives its place back
        self.assert_created(self.sign_up("two", domain="example.net"), "two@example.net")
        b = self.sign_up("three")
        self.assertEqual(b.status, 429)
        self.assertGreater(int(b.head["Retry-After"]), 60)
        self.assertIsNone(self.s.mailbox("three@example.org"))
        b.get()
        for _ in range(5):
            b.post({"csrf": "x"})
        self.assertEqual(b.status, 429)
        b = Browser(self.s, {"X-Forwarded-For": "198.51.100.7"}).get()   # nobody's word for it
        self.assertEqual(b.post({"csrf": "x"}).status, 429)


class Full(Case):
    conf = {"signup.domains": "small.example", "signup.threads": "32"}

    def test_limit_of_the_domain_holds(self):
        browsers = [Browser(self.s).get() for _ in range(8)]
        forms = [b.form(local_part=f"friend{i}", domain="small.example") for i, b in enumerate(browsers)]
        threads = [threading.Thread(target=b.post, args=(f,)) for b, f in zip(browsers, forms)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(b.status for b in browsers), [200] * 3 + [422] * 5)
        state = self.s.state()
        self.assertEqual(len(state["mailboxes"]), 3)
        self.assertEqual(state["most"]["small.example"], 1, "adds side by side in one domain")


class Closed(Case):
    conf = {"signup.mode": "closed"}

    def test_closed(self):
        b = Browser(self.s).get()
        self.assertEqual(b.status, 503)
        self.assertIn("Signup is closed", b.text)
        b.post({"name": "x"})
        self.assertEqual(b.status, 503)


if __name__ == "__main__":
    unittest.main(verbosity=2)
