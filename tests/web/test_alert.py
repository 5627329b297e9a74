#!/usr/bin/env python3
"""Alerts of `hamond web`, end to end: a double for each kind of target, real sockets, short times."""

import datetime
import hashlib
import hmac
import http.server
import json
import os
import signal
import socketserver
import subprocess
import threading
import unittest
import urllib.parse

from world import BIN, World

TOKEN, SECRET = "tok-5ecret-0", "hmac-5ecret-0"
FORMATS = "json", "ntfy", "slack", "mattermost", "telegram", "email"


class Endpoint:
    """What the operator has: every HTTP target, told apart by its path, and a mail server."""

    def __init__(self):
        outer = self
        self.got, self.beats, self.tries, self.answer = {f: [] for f in FORMATS}, [], 0, 200
        self.lock = threading.Lock()

        class Http(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.post(self)

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                with outer.lock:
                    outer.beats.append(dict(urllib.parse.parse_qsl(url.query)))
                outer.reply(self, 200, b'{"ok":true}')

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self):
                outer.mail(self.rfile, self.wfile)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
        self.smtp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
        for server in self.http, self.smtp:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    @staticmethod
    def reply(handler, code, body):
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def post(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            self.tries += 1
            code = self.answer
            if code == 200:
                message = json.loads(body)
                kind = "ntfy" if handler.path == "/" else "telegram" if handler.path.startswith("/bot") else (
                    handler.path.split("/")[1])
                if kind == "json":
                    stamp = handler.headers["X-Hamon-Timestamp"].encode()
                    want = hmac.new(SECRET.encode(), stamp + b"." + body, hashlib.sha256).hexdigest()
                    message["signed"] = handler.headers["X-Hamon-Signature"] == "sha256=" + want
                self.got[kind].append(message)
        self.reply(handler, code, b'{"ok":true}' if code == 200 else f"no {TOKEN} {handler.path}".encode())

    def mail(self, rfile, wfile):
        wfile.write(b"220 double\r\n")
        for line in rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                wfile.write(b"354 go on\r\n")
                text = b""
                while (more := rfile.readline()) != b".\r\n":
                    text += more
                with self.lock:
                    if self.answer != 200:
                        wfile.write(b"451 later\r\n")
                        continue
                    self.got["email"].append(text.decode("ascii"))
            wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return

    def count(self):
        with self.lock:
            return {f: len(m) for f, m in self.got.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.http, self.smtp:
            server.shutdown()
            server.server_close()


def targets(w, e, more=None):
    conf = {
        "json": f"url = {e.url}/json/x\nsecret = {SECRET}\ntoken = {TOKEN}\n",
        "ntfy": f"url = {e.url}/topic\ntoken = {TOKEN}\n",
        "slack": f"url = {e.url}/slack/{TOKEN}\n",
        "mattermost": f"url = {e.url}/mattermost/{TOKEN}\n",
        "telegram": f"url = {e.url}\ntoken = 1:{TOKEN}\nchat = 5\n",
        "email": f"url = smtp://127.0.0.1:{e.smtp.server_address[1]}\nfrom = a@b.example\nto = c@d.example\n"
                 "starttls = off\n",
    }
    folder = w.dir / "alerts.d"
    folder.mkdir()
    for name, lines in (more or conf).items():
        path = folder / f"{name}.conf"
        path.write_text(f"[target]\nformat = {name}\n{lines}", encoding="ascii")
        path.chmod(0o600)


def event(kind, to, **more):
    at = datetime.datetime.now(datetime.timezone.utc)
    return {"at": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z", "node": "n1", "kind": kind,
            "level": "info", "epoch": 7, "to": to, "ago_ms": 0, **more}


def promoted():
    return [event("state", "promoting", **{"from": "claiming", "reason": "lease_won"}),
            event("state", "master", **{"from": "promoting", "reason": "hook_ok"})]


class Alerts(unittest.TestCase):
    def start(self, e, more=None, **kw):
        w = World(start=False, conf={"alert": "patience = 300ms\n"}, **kw)
        self.addCleanup(w.__exit__, None)
        w.tell()
        targets(w, e, more)
        w.start_control()
        w.start_web()
        w.until(lambda: w.get("/health").json.get("reason") != "hamon_silent", "web starts")
        return w

    def tell(self, w, events):
        w.why += events
        w.tell()

    def all_have(self, w, e, n):
        w.until(lambda: all(c >= n for c in e.count().values()), f"{n} for each: {e.count()}")
        self.assertEqual(set(e.count().values()), {n})

    def drained(self, w):
        w.until(lambda: json.loads((w.dir / "alerts").read_text())["queue"] == [], "the file says so")

    def restart(self, w, how):
        w.web.send_signal(how)
        w.web.wait()
        w.start_web()
        w.until(lambda: w.get("/health").json.get("reason") != "hamon_silent", "web starts again")

    def test_one_message_for_each_event_whatever_restarts(self):
        with Endpoint() as e:
            w = self.start(e)
            self.tell(w, promoted())
            self.all_have(w, e, 2)
            for how in signal.SIGTERM, signal.SIGKILL:
                self.drained(w)
                self.restart(w, how)
            self.tell(w, [event("alert", "stay", detail='<!channel> "\\ *x* @all')])
            self.all_have(w, e, 3)
            first = e.got["json"][0]
            self.assertTrue(all(m["signed"] for m in e.got["json"]))
            self.assertEqual((first["key"], first["node"], first["epoch"]), ("failover:n1", "n1", 7))
            self.assertEqual(len({m["id"] for m in e.got["json"]}), 3)
            self.assertNotIn("<!", e.got["slack"][2]["text"])
            self.assertNotIn("@all", e.got["mattermost"][2]["text"])
            self.assertIn("<!channel>", e.got["telegram"][2]["text"])
            self.assertEqual(e.got["ntfy"][2]["priority"], 5)
            self.assertIn("\r\nSubject: [info] mailcow: n1 is master now\r\n", e.got["email"][1])

    def test_down_and_back_nothing_lost_nothing_twice(self):
        with Endpoint() as e:
            w = self.start(e)
            e.answer = 503
            self.tell(w, promoted())
            w.until(lambda: e.tries >= 10, "it is tried again")
            self.assertEqual(set(e.count().values()), {0})
            self.restart(w, signal.SIGKILL)
            w.until(lambda: w.get("/status.json").json["web"].get("alerts", {}).get("queued") == 2)
            e.answer = 200
            self.all_have(w, e, 2)
            self.drained(w)
            self.assertEqual(w.get("/status.json").json["web"]["alerts"]["dropped"], 0)

    def test_secrets_are_not_shown(self):
        with Endpoint() as e:
            w = self.start(e)
            e.answer = 404
            self.tell(w, promoted())
            w.until(lambda: [t["ok"] for t in w.get("/status.json").json["web"]["alerts"]["targets"]] == [False] * 6)
            shown = w.get("/status.json").text + w.log() + (w.dir / "alerts").read_text()
            self.assertIn("HTTP 404", shown)
            for secret in TOKEN, SECRET:
                self.assertNotIn(secret, shown)

    def command(self, w, *words):
        done = subprocess.run([BIN / "hamond", "-c", w.dir / "hamon.conf", "alert", *words], capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_from_the_shell(self):
        with Endpoint() as e:
            w = self.start(e)
            code, text = self.command(w, "test")
            self.assertEqual((code, set(e.count().values())), (0, {1}), text)
            self.assertEqual((text.count(" sent\n"), e.got["json"][0]["phase"]), (6, "test"))
            code, text = self.command(w, "test", "slack")
            self.assertEqual((code, e.count()["slack"], e.count()["ntfy"]), (0, 2, 1), text)
            self.assertEqual(self.command(w, "test", "nobody")[0], 64)
            e.answer = 500
            code, text = self.command(w, "test")
            self.assertEqual((code, text.count("not sent: ")), (75, 6), text)
            self.assertNotIn(TOKEN, text)
            self.tell(w, promoted())
            w.until(lambda: "2 waiting" in self.command(w, "status")[1])
            self.assertIn("HTTP 500", self.command(w, "status")[1])
            self.assertEqual(len(json.loads(self.command(w, "status", "--json")[1])["queue"]), 2)
            self.assertEqual(self.command(w, "what")[0], 64)

    def test_a_mistake_takes_only_its_own_target(self):
        with Endpoint() as e:
            w = self.start(e, {"json": f"url = {e.url}/json/x\nsecret = {SECRET}\n", "slack": "urll = x\n"})
            self.assertIn("slack.conf:3", w.log())
            w.until(lambda: "slack.conf:3" in w.get("/status.json").json["web"].get("alerts", {}).get("error", ""))
            self.tell(w, promoted())
            w.until(lambda: e.count()["json"] == 2)

    def test_a_state_that_cannot_be_read_is_put_aside(self):
        with Endpoint() as e:
            w = self.start(e)
            w.web.kill()
            w.web.wait()
            (w.dir / "alerts").write_text("{half", encoding="ascii")
            w.start_web()
            w.until(lambda: (w.dir / "alerts.bad").exists())
            w.until(lambda: w.get("/health").status == 200)
            self.tell(w, promoted())
            self.all_have(w, e, 2)

    def test_a_push_monitor_follows(self):
        with Endpoint() as e:
            w = self.start(e, {"uptime_kuma": f"url = {e.url}/api/push/x?status=up&msg=OK&ping=\n"
                                              "interval = 200ms\nscope = node\n"})
            w.until(lambda: len(e.beats) > 3)
            self.assertEqual({b["status"] for b in e.beats}, {"up"})
            w.status.update(verdict="unfit", reason="container_exited", message="dovecot: exited & gone")
            w.tell()
            w.until(lambda: e.beats[-1]["status"] == "down")
            self.assertIn("dovecot: exited & gone", e.beats[-1]["msg"])
            w.status.update(verdict="fit", reason="ok", message="")
            w.tell()
            w.until(lambda: e.beats[-1]["status"] == "up")

    def test_three_nodes_and_one_message(self):
        with Endpoint() as e:
            worlds = []
            for me in ("n1", "n2"):
                w = World(start=False, conf={"alert": "patience = 300ms\n"})
                self.addCleanup(w.__exit__, None)
                w.sections["node"] = f"name = {me}\n"
                w.status["node"] = me
                for node in w.status["nodes"]:
                    node["self"] = node["name"] == me
                w.tell()
                targets(w, e, {"json": f"url = {e.url}/json/x\nsecret = {SECRET}\n"})
                w.start_control()
                w.start_web()
                worlds.append(w)
            for w in worlds:
                w.until(lambda w=w: w.get("/health").json.get("reason") != "hamon_silent")

            def hears(age):
                for w in worlds:
                    w.status["nodes"][2].update(age_ms=age)
                    w.tell()

            def settled(present):
                """Both books agree on what people know."""
                return all(any(x["message"]["key"] == "node_silent:n3" and x["told"] == present
                               for x in json.loads((w.dir / "alerts").read_text())["entries"]) for w in worlds)

            hears(60000)
            worlds[0].until(lambda: settled(True), "both know")
            hears(10)
            worlds[0].until(lambda: settled(False), "both know of the end")
            for w in worlds:
                self.drained(w)
            told = [(m["node"], m["key"], m["phase"]) for m in e.got["json"]]
            self.assertEqual(told, [("n1", "node_silent:n3", "open"), ("n1", "node_silent:n3", "over")])


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    unittest.main(verbosity=2)
