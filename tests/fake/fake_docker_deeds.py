"""What the double of the Docker engine does when it is asked to: POST /containers/ID/start, stop,
kill, update, unpause. A container has a mind of its own; `set REF key=value` changes it:

    policy        restart policy: no (first), always, unless-stopped, on-failure
    start_ms      how long its start takes            stop_ms   how long it takes to obey SIGTERM
    stubborn      True: only SIGKILL ends it          undead    True: not even that
    start_error   the engine's sentence (blanks as _) with which starts fail, "none" (first)
    start_fails   how many starts fail with it, -1 = each
    exits         True: it ends by itself, with code 3, as soon as it was started
"""

import json
import threading
import time
from urllib.parse import parse_qs, urlsplit

DEEDS = ("start", "stop", "kill", "update", "unpause")


class Mind:
    def init_mind(self):
        self.policy = "no"
        self.start_ms = self.stop_ms = 0
        self.stubborn = self.undead = self.exits = False
        self.start_error, self.start_fails = "none", -1
        self.ended = threading.Event()


class Deeds:
    def forget_deeds(self):
        self.deeds, self.deeds_now, self.deeds_most = [], 0, 0

    def deed(self, c, target, body):
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        if parts[0].startswith("v1."):
            parts.pop(0)
        if len(parts) != 3 or parts[0] != "containers" or parts[2] not in DEEDS:
            return self.answer(c, "error", 404, {"message": "page not found"})
        verb, query = parts[2], parse_qs(url.query)
        with self.lock:
            k = self.containers.get(parts[1])
            if not k:
                return self.answer(c, verb, 404, {"message": "No such container: " + parts[1]})
            note = verb
            if verb == "stop":
                note += "/" + query.get("t", ["-"])[0]
            self.deeds.append(note + ":" + k.service)
            self.deeds_now += 1
            self.deeds_most = max(self.deeds_most, self.deeds_now)
        try:
            if self.modes[verb] == "ok":
                status, answer = getattr(self, "deed_" + verb)(k, query, body)
            else:
                status, answer = 200, {}  # answer() does what the mode says
        finally:
            with self.lock:
                self.deeds_now -= 1  # before it is answered: the next one may come at once
        self.answer(c, verb, status, answer)

    def happen(self, k, action, word=None):
        with self.lock:
            self.emit(self.change(k, action, word))

    def deed_start(self, k, _query, _body):
        time.sleep(k.start_ms / 1000)
        with self.lock:
            if k.state == "running":
                return 304, b""
            if k.state == "paused":
                return 409, {"message": "cannot start a paused container, try unpause instead"}
            if k.start_error != "none" and k.start_fails:
                k.start_fails -= 1
                return 500, {"message": k.start_error.replace("_", " ")}
            k.ended.clear()
            self.happen(k, "start")
            if k.exits:
                self.happen(k, "die", 3)
        return 204, b""

    def deed_stop(self, k, query, _body):
        grace = float(query.get("t", ["10"])[0])
        if k.state in ("exited", "created"):
            return 304, b""
        if k.undead or k.stubborn:
            patience = 3600 if k.undead else grace
            killed = k.ended.wait(patience)
            code = 137
        else:
            killed = k.ended.wait(min(k.stop_ms / 1000, grace))
            code = 0 if k.stop_ms / 1000 <= grace else 137
        if not killed:
            self.happen(k, "die", code)
        return 204, b""

    def deed_kill(self, k, _query, _body):
        if k.state not in ("running", "paused", "restarting"):
            return 409, {"message": "Container %s is not running" % k.id}
        if not k.undead:
            self.happen(k, "die", 137)
            k.ended.set()
        return 204, b""

    def deed_unpause(self, k, _query, _body):
        if k.state != "paused":
            return 500, {"message": "Container %s is not paused" % k.id}
        self.happen(k, "unpause")
        return 204, b""

    def deed_update(self, k, _query, body):
        k.policy = json.loads(body)["RestartPolicy"]["Name"]
        return 200, {"Warnings": None}
