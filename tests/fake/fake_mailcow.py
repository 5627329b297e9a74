#!/usr/bin/env python3
"""A double of Mailcow's API: what signup uses of it, with its shapes, its order of checks and its traps
(facts/mailcow.md, measured on the real one). usage: fake_mailcow.py PORT KEY [ADDRESS]

POST /_next {"add": ["empty_half", ...]} queues misbehaviour, one word per call of that kind:
  empty        nothing done, HTTP 200, empty body          half    the mailbox without its alias, empty body
  lost         all done, but no answer within 60 s         race    somebody else gets the address first, empty body
  late         done after a second, no answer              down    HTTP 500, HTML
  auth         HTTP 401                                    garbage HTTP 200, HTML
  slow         answers after a second                      readonly HTTP 200, empty body, also the next
  half502      the mailbox without its alias, HTTP 502     done504  all done, HTTP 504
  redirect     HTTP 307 to /elsewhere, nothing done        hold    answers once {"hold": false} is said to /_world
POST /_world {"every": 25} does so with each 25th add. GET /_state tells mailboxes, the highest number of adds at once per domain, and each request's head.
"""
import hashlib
import json
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.RLock()
ADDRESS = re.compile(r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9.-]+$")


class World:
    def __init__(self, key):
        self.key = key
        self.mailboxes, self.aliases, self.next, self.requests = {}, {"info@example.org"}, {}, []
        self.running, self.most = {}, {}
        self.hold = True
        self.every, self.calls, self.moods = 0, 0, ["empty", "half", "slow", "garbage"]
        self.policy = {"length": "6", "chars": "0", "special_chars": "0", "lowerupper": "0", "numbers": "0"}
        self.domains = {
            "example.org": {"tags": ["signup"], "active_int": 1, "max": 10 ** 6, "quota": 10240},
            "example.net": {"tags": ["signup"], "active_int": 1, "max": 10 ** 6, "quota": 10240},
            "small.example": {"tags": ["small"], "active_int": 1, "max": 3, "quota": 10240},
            "off.example": {"tags": ["signup"], "active_int": 0, "max": 10, "quota": 10240},
        }


def entry(kind, msg):
    return {"type": kind, "log": ["mailbox", "add", "mailbox", {"password": "*"}, None], "msg": msg}


def password_ok(policy, text):
    return (len(text.encode()) >= int(policy["length"])
            and (policy["chars"] == "0" or re.search("[a-zA-Z]", text))
            and (policy["special_chars"] == "0" or re.search("[^a-zA-Z0-9]", text))
            and (policy["lowerupper"] == "0" or (re.search("[a-z]", text) and re.search("[A-Z]", text)))
            and (policy["numbers"] == "0" or re.search("[0-9]", text)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    adding = None

    def log_message(self, *args):
        pass

    def reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.added()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", "MCSESSID=dangerous; path=/; HttpOnly; SameSite=Lax")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def trouble(self, kind):
        queue = W.next.get(kind, [])
        with LOCK:
            if queue or kind != "add" or not W.every:
                return queue.pop(0) if queue else ""
            W.calls += 1
            return W.moods[W.calls // W.every % len(W.moods)] if W.calls % W.every == 0 else ""

    @staticmethod
    def wait_to_be_let_go():
        for _ in range(3000):
            if not W.hold:
                break
            time.sleep(0.02)

    def allowed(self):
        if self.headers.get("X-API-Key") == W.key:
            return True
        self.reply(401, {"type": "error", "msg": "authentication failed"}, "text/html; charset=utf-8")
        return False

    def note(self, body=""):
        with LOCK:
            W.requests.append({"line": self.requestline, "headers": dict(self.headers.items()), "body": body})

    # ---- GET ----
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/_state":
            with LOCK:
                return self.reply(200, {"mailboxes": W.mailboxes, "most": W.most, "requests": W.requests})
        self.note()
        if url.path.startswith("/range/"):
            return self.breached(url.path.removeprefix("/range/"))
        if not self.allowed():
            return None
        if url.path.endswith("/passwordpolicy") and self.trouble("policy") == "hold":
            self.wait_to_be_let_go()
        word = self.trouble("get")
        if word == "down":
            return self.reply(500, b"<center>Connection to database failed</center>", "text/html")
        if word == "empty":
            return self.reply(200, b"")
        path = urllib.parse.unquote(url.path).removeprefix("/api/v1/")
        tags = urllib.parse.parse_qs(url.query).get("tags", [])
        return self.reply(200, self.get(path, tags))

    def breached(self, prefix):
        """Have I Been Pwned's range query: the one password everybody knows, and padding."""
        if self.trouble("range") == "down":
            return self.reply(503, b"", "text/plain")
        known = hashlib.sha1(b"correct horse battery").hexdigest().upper()
        lines = ["0" * 35 + ":0"] + ([known[5:] + ":12345"] if known.startswith(prefix) else [])
        return self.reply(200, "\r\n".join(lines).encode(), "text/plain")

    def get(self, path, tags):
        with LOCK:
            if path == "get/passwordpolicy":
                return W.policy
            if path == "get/domain/all":
                found = [dict(domain_name=n, backupmx_int=0, **d) for n, d in W.domains.items()
                         if not tags or set(tags) & set(d["tags"])]
                return found or {}
            if path == "get/mailbox/all":
                found = [self.shown(m) for m in W.mailboxes.values() if not tags or set(tags) & set(m["tags"])]
                return found or {}
            if path.startswith("get/mailbox/"):
                m = W.mailboxes.get(path.removeprefix("get/mailbox/"))
                return self.shown(m) if m else {}
        return {}

    @staticmethod
    def shown(m):
        return {"username": m["username"], "active": m["active"], "active_int": m["active"], "name": m["name"],
                "attributes": {"attribute_hash": m["attribute_hash"], "force_pw_update": m["force_pw_update"],
                               "recovery_email": m["recovery"]},
                "custom_attributes": [], "quota": m["quota"], "messages": m["messages"], "quota_used": 0,
                "created": "2026-11-22 03:20:07", "last_imap_login": 0, "rl": m["rl"] or False,
                "rl_scope": "mailbox" if m["rl"] else "domain", "percent_in_use": "- ", "tags": m["tags"]}

    # ---- POST ----
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path == "/_next":
            with LOCK:
                W.next = json.loads(body)
            return self.reply(200, {})
        if self.path == "/_world":
            with LOCK:
                W.__dict__.update(json.loads(body))
            return self.reply(200, {})
        self.note(body)
        if not self.allowed():
            return None
        if self.headers.get("Content-Type") != "application/json":
            return self.reply(200, {"type": "error", "msg": "Cannot find attributes in post data"})
        try:
            data = json.loads(body)
        except ValueError:
            return self.reply(400, {"type": "error", "msg": "Request body doesn't contain valid json!"})
        path = urllib.parse.unquote(self.path).removeprefix("/api/v1/")
        if path == "add/mailbox":
            return self.add_and_answer(data)
        return self.change(path, data)

    def add_and_answer(self, data):
        domain = data.get("domain", "")
        with LOCK:
            W.running[domain] = W.running.get(domain, 0) + 1
            W.most[domain] = max(W.most.get(domain, 0), W.running[domain])
        self.adding = domain
        try:
            self.misbehave(data, self.trouble("add"))
        finally:
            self.added()

    def added(self):
        """Before the answer leaves: whoever gets it may send the next add at once."""
        with LOCK:
            if self.adding is not None:
                W.running[self.adding] -= 1
            self.adding = None

    def misbehave(self, data, word):
        if word == "down":
            return self.reply(500, b"<center>Connection to database failed</center>", "text/html")
        if word == "auth":
            return self.reply(401, {"type": "error", "msg": "api access denied for ip 10.0.0.1"}, "text/html")
        if word == "redirect":
            self.added()
            self.send_response(307)
            self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if word == "hold":
            self.wait_to_be_let_go()
        if word == "garbage":
            return self.reply(200, b"<html>oops</html>", "text/html")
        if word == "empty":
            return self.reply(200, b"")
        if word == "race":
            self.add(dict(data, attribute_hash="", name="Somebody Else"))
            return self.reply(200, b"")
        if word == "half":
            self.add(data, half=True)
            return self.reply(200, b"")
        if word in ("half502", "done504"):
            self.add(data, half=word == "half502")
            return self.reply(int(word[4:]), b"<html>What is happening?</html>", "text/html")
        if word == "late":
            time.sleep(1)
        answer = self.add(data)
        if word in ("lost", "late"):
            time.sleep(8)
            self.close_connection = True
            return None
        time.sleep(1 if word == "slow" else 0.005)
        return self.reply(200, answer)

    def add(self, data, half=False):
        with LOCK:
            address = (str(data.get("local_part", "")) + "@" + str(data.get("domain", ""))).lower()
            domain = W.domains.get(data.get("domain"))
            count = sum(m["username"].endswith("@" + data["domain"]) for m in W.mailboxes.values())
            if not ADDRESS.match(address):
                return [entry("danger", "mailbox_invalid")]
            if not domain:
                return [entry("danger", "access_denied")]
            if address in W.mailboxes:
                return [entry("danger", ["object_exists", address])]
            if address in W.aliases:
                return [entry("danger", ["is_alias", address])]
            if data.get("password") != data.get("password2") or not password_ok(W.policy, data["password"]):
                return [entry("danger", "password_complexity")]
            if count >= domain["max"]:
                return [entry("danger", ["max_mailbox_exceeded", count, domain["max"]])]
            if int(data.get("quota") or 0) > domain["quota"]:
                return [entry("danger", ["mailbox_quota_exceeded", domain["quota"]])]
            W.mailboxes[address] = {
                "username": address, "name": data["name"], "password": data["password"],
                "active": int(data["active"]), "quota": int(data["quota"]) << 20, "tags": data.get("tags", []),
                "attribute_hash": data.get("attribute_hash", ""), "force_pw_update": data["force_pw_update"],
                "acl": data.get("acl"), "alias": not half, "messages": 0, "recovery": "",
                "rl": None if half or not data.get("rl_value") else
                {"value": data["rl_value"], "frame": data["rl_frame"]}}
        return [entry("success", ["rl_saved", address]), entry("success", ["mailbox_added", address])]

    def change(self, path, data):
        with LOCK:
            if path == "delete/mailbox":
                gone = W.mailboxes.pop(data[0], None)
                msg = ["mailbox_removed", data[0]] if gone else "access_denied"
                return self.reply(200, [entry("success" if gone else "danger", msg)])
            if path.startswith("delete/mailbox/tag/"):
                m = W.mailboxes[path.removeprefix("delete/mailbox/tag/")]
                m["tags"] = [t for t in m["tags"] if t not in data]
                return self.reply(200, [entry("success", ["mailbox_modified", m["username"]])])
            if path == "edit/mailbox":
                m = W.mailboxes.get(data["items"][0])
                if not m:
                    return self.reply(200, [entry("danger", "access_denied")])
                m["recovery"] = data["attr"].get("pw_recovery_email", m["recovery"])
                m["active"] = int(data["attr"].get("active", m["active"]))
                return self.reply(200, [entry("success", ["mailbox_modified", m["username"]])])
        return self.reply(404, {"type": "error", "msg": "route not found"})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


W = World(sys.argv[2])
Server((sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
