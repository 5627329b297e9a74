#!/usr/bin/env python3
"""A double of the Hetzner Cloud API for tests: servers, volumes, floating IPs, actions that take
time and lock the server, and every fault we know. Python standard library only.

    fake_hetzner.py [--with-parent] [--listen ADDRESS:PORT] [--mover COMMAND] CONTROL_SOCKET

With a mover an action is done by "COMMAND attach|detach|assign|unassign|poweroff|poweron ID SERVER"
(SERVER: the one that gets or loses it), at once, and ends when that has ended and the action's time
is over; if it fails, the action fails and nothing changes. So the double can move real things.

It is ready once CONTROL_SOCKET accepts; `url` there tells where the API is. Debian's hcloud works
against it (HCLOUD_ENDPOINT). The world at first: servers 41 n1, 42 n2, 43 n3 in fsn1, 44 far in
nbg1; volume 7 mail in fsn1, attached to none; floating IPs 9 (v4) and 10 (v6), assigned to none;
tokens "rw-token" and "ro-token". Each command is answered by one line: "ok …" or "error …".

    url                        http://127.0.0.1:PORT; the API is below /v1, metadata at /metadata
    reset                      the world as at first, no faults, counters 0
    put KIND ID FIELD JSON     KIND: server volume ip; sets one field of it
    get KIND ID FIELD          its value as JSON
    add KIND ID NAME [ARG]     a new one; ARG: location of server and volume, address of the ip
    remove KIND ID
    date N                     its clock (the header Date) is N seconds ahead of ours
    self ID                    the server that metadata names
    action-ms N [KIND]         how long an action (of that kind) takes from now on (20 at first)
    lock SERVER N              somebody else's action on it for N ms
    stat NAME                  a counter: attach detach assign unassign poweroff label (requests that
                               were to change something), double (attach of what is attached or being
                               attached), automount (true was asked for), overlap (change of a server
                               with an action under way), requests, polls, no_bearer, metadata_bearer
    fault WHERE N WHAT [ARG]   for the next N requests. WHERE: volume ip server servers action attach
                               detach assign unassign poweroff label metadata any. WHAT: an error
                               code of the API (locked, token_readonly, ...; ARG = its message), or
          429 SECONDS          with RateLimit-Reset so far ahead; 0: without the header
          status CODE          an answer of that status whose body is no JSON
          hang                 no answer
          close                no answer, connection closed
          lost                 done as asked, but the connection is reset instead of an answer
          garbage              200 with a body that is no JSON
          half                 half of the body as if it were whole
          cut                  half of the body, then closed
          slow MS              done as asked, answered so much later
    act WHERE N WHAT [ARG]     for the next N actions of that kind. WHAT: stuck (running for ever),
                               fail (ARG = code), trap (succeeds, and its error object is filled),
                               lazy (succeeds, but the world shows it ARG ms later)
    clear                      no more faults and fates; actions that are stuck fail now
    quit
"""

import ctypes
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CREATED = "2024-01-01T00:00:00+00:00"
STATUS = {"locked": 423, "conflict": 409, "rate_limit_exceeded": 429, "unauthorized": 401,
          "token_readonly": 403, "forbidden": 403, "not_found": 404, "invalid_input": 422,
          "server_error": 500, "service_error": 503, "unavailable": 503, "bad_gateway": 502,
          "timeout": 504, "maintenance": 503, "resource_unavailable": 503, "protected": 423,
          "resource_locked": 423, "no_space_left_in_location": 422}
COMMANDS = {"attach": "attach_volume", "detach": "detach_volume", "assign": "assign_floating_ip",
            "unassign": "unassign_floating_ip", "poweroff": "stop_server", "poweron": "start_server"}
MOVER_S = 120


class Refusal(Exception):
    def __init__(self, code, message=""):
        super().__init__(code)
        self.code, self.message = code, message or "refused: " + code


def location(name):
    return {"id": 1, "name": name, "description": name, "country": "DE", "city": name,
            "latitude": 50.0, "longitude": 12.0, "network_zone": "eu-central"}


def server(ident, name, place):
    n = ident - 40
    return {"id": ident, "name": name, "status": "running", "created": CREATED, "locked": False,
            "public_net": {
                "ipv4": {"id": n, "ip": "192.0.2.%d" % n, "blocked": False, "dns_ptr": name},
                "ipv6": {"id": n + 10, "ip": "2001:db8:%d::/64" % n, "blocked": False,
                         "dns_ptr": []},
                "floating_ips": [], "firewalls": []},
            "private_net": [], "location": location(place),
            "datacenter": {"id": 1, "name": place + "-dc1", "description": place,
                           "location": location(place),
                           "server_types": {"supported": [], "available": [],
                                            "available_for_migration": []}},
            "server_type": {"id": 1, "name": "cx11", "description": "CX11", "cores": 1,
                            "memory": 2.0, "disk": 20, "prices": [], "storage_type": "local",
                            "cpu_type": "shared", "architecture": "x86"},
            "image": None, "iso": None, "rescue_enabled": False, "backup_window": None,
            "outgoing_traffic": 0, "ingoing_traffic": 0, "included_traffic": 0,
            "protection": {"delete": False, "rebuild": False}, "labels": {}, "volumes": [],
            "load_balancers": [], "primary_disk_size": 20, "placement_group": None}


def volume(ident, name, place):
    return {"id": ident, "name": name, "created": CREATED, "server": None, "status": "available",
            "location": location(place), "size": 10, "format": None,
            "linux_device": "/dev/disk/by-id/scsi-0HC_Volume_%d" % ident,
            "labels": {"owner": "us"}, "protection": {"delete": False}}


def floating_ip(ident, name, ip, kind):
    return {"id": ident, "name": name, "description": name, "ip": ip, "type": kind, "server": None,
            "dns_ptr": [], "home_location": location("fsn1"), "blocked": False, "created": CREATED,
            "protection": {"delete": False}, "labels": {}}


class World:
    """All state; whoever touches it holds `lock`."""

    def __init__(self):
        self.lock = threading.RLock()
        self.generation = 0
        self.mover = []
        self.reset()

    def reset(self):
        self.generation += 1
        self.things = {
            "server": {i: server(i, n, p) for i, n, p in (
                (41, "n1", "fsn1"), (42, "n2", "fsn1"), (43, "n3", "fsn1"), (44, "far", "nbg1"))},
            "volume": {7: volume(7, "mail", "fsn1")},
            "ip": {9: floating_ip(9, "mail4", "198.51.100.9", "ipv4"),
                   10: floating_ip(10, "mail6", "2001:db8:9::", "ipv6")}}
        self.actions, self.running, self.faults, self.acts, self.stuck = {}, {}, [], [], []
        self.count = dict.fromkeys(
            list(COMMANDS) + ["label", "double", "automount", "overlap", "requests", "polls",
                              "no_bearer", "metadata_bearer"], 0)
        self.action_ms, self.kind_ms, self.self_id, self.next_action = 20, {}, 41, 1000
        self.ahead_s = 0

    def thing(self, kind, ident):
        if not str(ident).isdigit() or int(ident) not in self.things[kind]:
            raise Refusal("not_found", "%s with ID '%s' not found" % (kind, ident))
        return self.things[kind][int(ident)]

    def take(self, plan, where):
        """The first planned fault or fate for this place, once."""
        for row in plan:
            if row["where"] in (where, "any"):
                row["n"] -= 1
                if row["n"] <= 0:
                    plan.remove(row)
                return row["what"], row["arg"]
        return None, ""

    def busy(self, ident):
        return self.running.get(ident, 0) > 0

    def occupy(self, servers, step):
        for s in servers:
            self.running[s] = self.running.get(s, 0) + step
            if s in self.things["server"]:
                self.things["server"][s]["locked"] = self.busy(s)

    def later(self, ms, run):
        generation = self.generation

        def fire():
            with self.lock:
                if self.generation == generation:
                    run()
        t = threading.Timer(ms / 1000, fire)
        t.daemon = True
        t.start()

    def move(self, ms, command, end):
        """The mover does it, with the world unlocked; then end(done)."""
        generation, since = self.generation, time.monotonic()

        def work():
            try:
                done = subprocess.run(self.mover + command, stdin=subprocess.DEVNULL,
                                      timeout=MOVER_S).returncode == 0
            except (OSError, subprocess.TimeoutExpired) as e:
                print("mover %s: %s" % (" ".join(command), e), file=sys.stderr)
                done = False
            time.sleep(max(0, ms / 1000 - (time.monotonic() - since)))
            with self.lock:
                if self.generation == generation:
                    end(done)
        threading.Thread(target=work, daemon=True).start()

    def start_action(self, kind, servers, resources, effect):
        what, arg = self.take(self.acts, kind)
        self.next_action += 1
        a = {"id": self.next_action, "command": COMMANDS[kind], "status": "running", "progress": 0,
             "started": CREATED, "finished": None, "resources": resources, "error": None}
        self.actions[a["id"]] = a
        self.occupy(servers, 1)

        def end(done=True):
            failed = what in ("fail", "stuck") or not done
            self.occupy(servers, -1)
            a.update(progress=100, finished=CREATED, status="error" if failed else "success")
            if failed or what == "trap":
                a["error"] = {"code": what != "stuck" and arg or "action_failed",
                              "message": "Action failed"}
            if what == "lazy":
                self.later(int(arg), effect)
            elif not failed:
                effect()
        ms = self.kind_ms.get(kind, self.action_ms)
        if what == "stuck":
            self.stuck.append(end)
        elif self.mover and what != "fail":
            target = next((s for s in servers if isinstance(s, int)), 0)
            self.move(ms, [kind, str(resources[-1]["id"]), str(target)], end)
        else:
            self.later(ms, end)
        return a

    def begin(self, kind, ident, body):
        """POST …/actions/…: checks as the API makes them, then an action."""
        self.count[kind] += 1
        if kind in ("poweroff", "poweron"):
            s = self.thing("server", ident)
            servers, resources = [s["id"]], [{"id": s["id"], "type": "server"}]

            def effect():
                s["status"] = "off" if kind == "poweroff" else "running"
        else:
            is_volume = kind in ("attach", "detach")
            t = self.thing("volume" if is_volume else "ip", ident)
            gives = kind in ("attach", "assign")
            target = self.thing("server", body.get("server"))["id"] if gives else None
            key = ("volume" if is_volume else "ip", t["id"])
            if kind == "attach":
                self.count["automount"] += body.get("automount") is not False
                if t["server"] is not None or self.running.get(key, 0):
                    self.count["double"] += 1
                if t["server"] is not None:
                    raise Refusal("volume_already_attached")
                if t["location"]["name"] != self.thing("server", target)["location"]["name"]:
                    raise Refusal("invalid_input", "volume and server are in different locations")
            if not gives and t["server"] is None:
                raise Refusal("invalid_input", "not attached")
            servers = [s for s in (target if gives else t["server"],) if s is not None]
            servers.append(key)
            resources = [{"id": s, "type": "server"} for s in servers[:-1]]
            resources.append({"id": t["id"], "type": "volume" if is_volume else "floating_ip"})

            def effect():
                t["server"] = target
                for s in self.things["server"].values():
                    s["volumes"] = [v["id"] for v in self.things["volume"].values()
                                    if v["server"] == s["id"]]
                    s["public_net"]["floating_ips"] = [
                        i["id"] for i in self.things["ip"].values() if i["server"] == s["id"]]
        if any(self.busy(s) for s in servers):
            self.count["overlap"] += 1
            raise Refusal("locked")
        return self.start_action(kind, servers, resources, effect)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer is one segment: no delayed ACK
    world = None
    PLURALS = {"servers": "server", "volumes": "volume", "floating_ips": "ip"}
    ENVELOPES = {"server": "server", "volume": "volume", "ip": "floating_ip"}

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate((timestamp or time.time()) + self.world.ahead_s, usegmt=True)

    def where(self, method, parts):
        """The word that faults go by."""
        if parts[:1] == ["metadata"]:
            return "metadata"
        parts = parts[1:]
        if "actions" in parts:
            return "action" if parts[0] == "actions" else parts[-1]
        if method == "PUT":
            return "label"
        kind = self.PLURALS.get(parts[0] if parts else "", "none")
        return kind + "s" if len(parts) == 1 else kind

    def page(self, name, rows):
        return {name: rows, "meta": {"pagination": {
            "page": 1, "per_page": 50, "previous_page": None, "next_page": None, "last_page": 1,
            "total_entries": len(rows)}}}

    def route(self, method, parts, query, body):
        """(status, JSON) of a request that no fault spoils."""
        w = self.world
        if parts[0] == "metadata":
            w.count["metadata_bearer"] += "Authorization" in self.headers
            return 200, str(w.self_id)
        token = self.headers.get("Authorization", "")
        w.count["no_bearer"] += not token.startswith("Bearer ")
        if token not in ("Bearer rw-token", "Bearer ro-token"):
            raise Refusal("unauthorized", "unable to authenticate")
        if method != "GET" and token == "Bearer ro-token":
            raise Refusal("token_readonly", "the token is read-only")
        parts = parts[1:]
        if parts[:1] == ["actions"]:
            w.count["polls"] += 1
            if len(parts) == 1:
                return 200, self.page("actions", [w.actions[int(i)] for i in query.get("id", [])
                                                  if int(i) in w.actions])
            if not parts[1].isdigit() or int(parts[1]) not in w.actions:
                raise Refusal("not_found")
            return 200, {"action": w.actions[int(parts[1])]}
        kind = self.PLURALS.get(parts[0] if parts else "")
        if not kind:
            raise Refusal("not_found")
        if method == "GET" and len(parts) == 1:
            rows = [t for t in w.things[kind].values()
                    if query.get("name", [t["name"]]) == [t["name"]]]
            return 200, self.page(parts[0], rows)
        if method == "POST" and len(parts) == 4 and parts[2] == "actions" and parts[3] in COMMANDS:
            return 201, {"action": w.begin(parts[3], parts[1], body)}
        t = w.thing(kind, parts[1])
        if method == "PUT":
            w.count["label"] += 1
            t["labels"] = body.get("labels", t["labels"])
        elif method != "GET":
            raise Refusal("not_found")
        return 200, {self.ENVELOPES[kind]: t}

    def answer(self, status, text, headers=(), part=None):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        if part == "half":
            data = data[:len(data) // 2]
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2] if part == "cut" else data)
        self.close_connection = self.close_connection or part == "cut"

    def refuse(self, code, message="", headers=()):
        self.answer(STATUS.get(code, 422), json.dumps(
            {"error": {"code": code, "message": message, "details": None}}), headers)

    def spoil(self, what, arg):
        """True if the fault took the place of the request."""
        if what == "429":
            now = time.time()
            headers = [("RateLimit-Limit", "3600"), ("RateLimit-Remaining", "0"),
                       ("RateLimit-Reset", str(int(now) + int(arg)))] if arg != "0" else []
            self.refuse("rate_limit_exceeded", "limit reached", headers)
        elif what == "status":
            self.answer(int(arg), "<html>something between us</html>")
        elif what == "hang":
            self.rfile.read(1)  # until the client gives up
            self.close_connection = True
        elif what == "close":
            self.close_connection = True
        elif what == "garbage":
            self.answer(200, "{]")
        elif what and what not in ("lost", "half", "cut", "slow"):
            self.refuse(what, arg)
        else:
            return False
        return True

    def serve(self):
        method, url = self.command, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = [p for p in url.path.split("/") if p] or [""]
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {}
        w = self.world
        with w.lock:
            w.count["requests"] += 1
            what, arg = w.take(w.faults, self.where(method, parts))
        if self.spoil(what, arg):
            return
        try:
            with w.lock:
                status, answer = self.route(method, parts, parse_qs(url.query), body)
                text = answer if isinstance(answer, str) else json.dumps(answer)
        except Refusal as r:
            self.refuse(r.code, r.message)
            return
        if what == "lost":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if what == "slow":
            time.sleep(int(arg) / 1000)
        self.answer(status, text, part=what)

    do_GET = do_POST = do_PUT = serve


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that went away


class Control:
    def __init__(self, world, url):
        self.w, self.url = world, url

    def do_url(self):
        return self.url

    def do_reset(self):
        self.w.reset()

    def do_put(self, kind, ident, field, value):
        self.w.thing(kind, ident)[field] = json.loads(value)

    def do_get(self, kind, ident, field):
        return json.dumps(self.w.thing(kind, ident)[field])

    def do_add(self, kind, ident, name, arg=""):
        ident = int(ident)
        if kind == "ip":
            t = floating_ip(ident, name, arg, "ipv6" if ":" in arg else "ipv4")
        else:
            t = (server if kind == "server" else volume)(ident, name, arg or "fsn1")
        self.w.things[kind][ident] = t

    def do_remove(self, kind, ident):
        del self.w.things[kind][int(ident)]

    def do_date(self, ahead):
        self.w.ahead_s = int(ahead)

    def do_self(self, ident):
        self.w.self_id = ident

    def do_action_ms(self, ms, kind=""):
        if kind:
            self.w.kind_ms[kind] = int(ms)
        else:
            self.w.action_ms = int(ms)

    def do_lock(self, ident, ms):
        self.w.occupy([int(ident)], 1)
        self.w.later(int(ms), lambda: self.w.occupy([int(ident)], -1))

    def do_stat(self, name):
        return str(self.w.count[name])

    def do_fault(self, where, n, what, arg=""):
        self.w.faults.append({"where": where, "n": int(n), "what": what, "arg": arg})

    def do_act(self, where, n, what, arg=""):
        self.w.acts.append({"where": where, "n": int(n), "what": what, "arg": arg})

    def do_clear(self):
        self.w.faults, self.w.acts, ends = [], [], self.w.stuck
        self.w.stuck = []
        for end in ends:
            end()

    def do_quit(self):
        os._exit(0)

    def run(self, line):
        try:
            name, *args = shlex.split(line)
            with self.w.lock:
                return ("ok %s" % (getattr(self, "do_" + name.replace("-", "_"))(*args) or "")).strip()
        except Exception as e:  # the test is told, whatever it was
            return "error %s: %s" % (type(e).__name__, e)

    def serve(self, c):
        try:
            with c, c.makefile("r") as commands, c.makefile("w") as answers:
                for line in commands:
                    answers.write(self.run(line) + "\n")
                    answers.flush()
        except (OSError, ValueError):
            pass


def main():
    args = sys.argv[1:]
    address, port, mover = "127.0.0.1", 0, ""
    if args[:1] == ["--with-parent"]:
        args = args[1:]
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if args[:1] == ["--listen"]:
        address, _, port = args[1].rpartition(":")
        args = args[2:]
    if args[:1] == ["--mover"]:
        mover = args[1]
        args = args[2:]
    if len(args) != 1:
        sys.exit(__doc__)
    sys.setswitchinterval(0.001)
    Handler.world = World()
    Handler.world.mover = shlex.split(mover)
    http = Server((address, int(port)), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    control = Control(Handler.world, "http://%s:%d" % http.server_address[:2])
    if os.path.exists(args[0]):
        os.unlink(args[0])
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(args[0])
        s.listen(8)
        while True:
            c, _ = s.accept()
            threading.Thread(target=control.serve, args=(c,), daemon=True).start()


if __name__ == "__main__":
    main()
