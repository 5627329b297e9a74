"""What the double of the Docker engine knows: containers as the engine tells them, and the filters
of a query."""

import hashlib
import itertools
import json
import time

from fake_docker_deeds import Mind

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONEOFF = "com.docker.compose.oneoff"
IMAGE = "sha256:" + "0" * 64


def stamp(t):
    if not t:
        return "0001-01-01T00:00:00Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%09dZ" % (t % 1 * 1e9)


class Container(Mind):
    numbers = itertools.count()

    def __init__(self, service, project="mailcow", state="running", health="none", oneoff="False",
                 code="0", ident=""):
        n = next(self.numbers)
        self.id = ident or hashlib.sha256(b"%d" % n).hexdigest()
        self.service, self.project, self.oneoff = service, project, oneoff
        self.state, self.health, self.code = state, health, int(code)
        self.check = health != "none"
        self.restarts, self.oom, self.pid, self.error = 0, False, 0, ""
        self.address, self.depends, self.source = "172.22.1.9", "none", "/var/lib/docker/vol"
        self.image, self.image_is, self.ports = "mailcow/" + service + ":1", "same", "none"
        self.files = self.mounts = ""
        self.init_mind()
        self.created = time.time() - 100
        self.started = self.created + 1 if state != "created" else 0
        self.finished = self.created + 2 if state in ("exited", "dead", "restarting") else 0

    def labels(self):
        labels = {PROJECT: self.project, SERVICE: self.service, ONEOFF: self.oneoff,
                  "com.docker.compose.container-number": "1"}
        if self.files:
            labels["com.docker.compose.project.config_files"] = self.files
        if self.depends != "none":  # docker-compose 1.29 does not write it
            labels["com.docker.compose.depends_on"] = self.depends.strip("-")
        return labels

    def status(self):
        text = {"created": "Created", "dead": "Dead", "removing": "Removal In Progress",
                "exited": "Exited (%d) 3 minutes ago", "paused": "Up 2 hours (Paused)",
                "restarting": "Restarting (%d) 2 seconds ago", "running": "Up 2 hours"}
        s = text.get(self.state, self.state)
        if "%d" in s:
            s %= self.code
        if self.state == "running" and self.health != "none":
            s += " (health: starting)" if self.health == "starting" else f" ({self.health})"
        return s

    def summary(self):
        return {"Id": self.id, "Names": [f"/{self.project}-{self.service}-1"],
                "Image": "mailcow/" + self.service, "ImageID": IMAGE,
                "Command": "/docker-entrypoint.sh run", "Created": int(self.created), "Ports": [],
                "Labels": self.labels(), "State": self.state, "Status": self.status(),
                "HostConfig": {"NetworkMode": self.project + "_mailcow-network"},
                "NetworkSettings": {"Networks": {"net": {"IPAddress": self.address}}},
                "Mounts": [{"Type": "volume", "Name": "vol", "Destination": "/var", "RW": True,
                            "Source": self.source}]}

    def mount(self, text):
        source, _, destination = text.partition(":")
        if source.startswith("/"):
            return {"Type": "bind", "Source": source, "Destination": destination, "RW": True}
        return {"Type": "volume", "Name": source, "Source": "/var/lib/docker/volumes/%s/_data" % source,
                "Destination": destination, "RW": True}

    def detail(self):
        up = self.state in ("running", "paused", "restarting")
        pid = self.pid if up and self.state != "restarting" else 0
        state = {"Status": self.state, "Running": up, "Paused": self.state == "paused",
                 "Restarting": self.state == "restarting", "OOMKilled": self.oom,
                 "Dead": self.state == "dead", "Pid": pid, "ExitCode": self.code, "Error": self.error,
                 "StartedAt": stamp(self.started), "FinishedAt": stamp(self.finished)}
        config = {"Labels": self.labels(), "Image": self.image}
        if self.check:
            state["Health"] = {"Status": self.health, "FailingStreak": 0, "Log": []}
            config["Healthcheck"] = {"Test": ["CMD-SHELL", "true"]}
        return {"Id": self.id, "Created": stamp(self.created), "State": state,
                "RestartCount": self.restarts, "Name": "/" + self.service, "Config": config,
                "Image": IMAGE, "Mounts": [self.mount(m) for m in self.mounts.split(",") if m],
                "HostConfig": {"RestartPolicy": {"Name": self.policy, "MaximumRetryCount": 0},
                               "PortBindings": self.bindings()}}

    def bindings(self):
        ports = {}
        for word in [] if self.ports == "none" else self.ports.split(","):
            address, _, port = word.rpartition(":")
            ports.setdefault(port + "/tcp", []).append({"HostIp": address, "HostPort": port})
        return ports

    def event(self, action, **more):
        now = time.time()
        return {"status": action, "id": self.id, "from": "mailcow/" + self.service,
                "Type": "container", "Action": action, "scope": "local", "time": int(now),
                "timeNano": int(now * 1e9),
                "Actor": {"ID": self.id, "Attributes": {
                    **self.labels(), "image": "mailcow/" + self.service, "name": self.service,
                    **more}}}


class Filters:
    """{"label":["k=v"],…} or {"label":{"k=v":true}}; several keys are a conjunction."""

    def __init__(self, text):
        raw = json.loads(text) if text else {}
        self.f = {k: list(v) for k, v in raw.items()}

    def labels(self, labels):
        for want in self.f.get("label", []):
            k, eq, v = want.partition("=")
            if k not in labels or (eq and labels[k] != v):
                return False
        return True

    def event(self, e):
        types, actions = self.f.get("type"), self.f.get("event")
        if types and e["Type"] not in types:
            return False
        if actions:  # as moby: one of these words makes every comparison one of prefixes
            fuzzy = {"health_status", "exec_create", "exec_start"} & set(actions)
            hit = any(e["Action"].startswith(a) if fuzzy else e["Action"] == a for a in actions)
            if not hit:
                return False
        return self.labels(e["Actor"]["Attributes"])
