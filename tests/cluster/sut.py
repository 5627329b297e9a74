"""The rig as the chaos sees it, and what it tries to break: hamon, or the naive script in its place."""
import json
import os
import subprocess
import time

import writers

ALL_NODES_S, ASK_S = 60, 10
WEB = "http://127.0.0.1:9448"


class RigError(Exception):
    pass


class Rig:
    def __init__(self, program):
        self.program = program
        self.name = os.environ["RIG_NAME"]
        self.run = os.path.join(os.environ.get("RIG_DIR", "/var/tmp/mailcow-ha-rig"), self.name)
        with open(os.path.join(self.run, "size")) as f:
            self.nodes = ["n%d" % n for n in range(1, int(f.read()) + 1)]
        self.watch = writers.Watch(self.run)

    def ask(self, *args, seconds=120):
        """(exit code, output); -1 if it did not end in time."""
        try:
            ran = subprocess.run([self.program, *map(str, args)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=seconds)
        except subprocess.TimeoutExpired:
            return -1, "no answer within %d s" % seconds
        return ran.returncode, ran.stdout if ran.returncode == 0 else ran.stderr + ran.stdout

    def __call__(self, *args, seconds=120):
        code, text = self.ask(*args, seconds=seconds)
        if code != 0:
            raise RigError("rig %s: %s" % (" ".join(map(str, args)), text.strip()[-200:]))
        return text

    def on(self, node, *command, seconds=ASK_S):
        """A command in a node, which may be off, frozen or hung."""
        return self.ask("exec", node, "timeout", str(seconds), *command, seconds=seconds + 5)

    def client(self, *command):
        """A command line that runs in the client's network, without the rig in between."""
        return ["nsenter", "--net=/run/netns/%s-sw" % self.name, *command]

    def cloud(self, *words):
        return self("cloud", "say", *words)

    def unnote(self, *words):
        """Forget a fault: it is not the rig who is to mend it."""
        try:
            os.unlink(os.path.join(self.run, "faults", ":".join(words)))
        except FileNotFoundError:
            pass

    def writers(self):
        return sorted({node for node, _ in self.watch.writers()})

    def off(self):
        on = {node for node, entry in self.watch.nodes() if any(
            True for _ in self.watch.processes(entry))}
        return [n for n in self.nodes if n not in on]

    def alive(self):
        """Nodes that are neither off nor frozen."""
        found = []
        for node, entry in self.watch.nodes():
            state = writers.read(os.path.join(self.watch.cgroups, "freezer", entry, "freezer.state"))
            if "FR" not in state and any(True for _ in self.watch.processes(entry)):
                found.append(node)
        return sorted(found)


class Naive:
    """The script keeps no books: master is who writes, and its reasons are nobody's business."""

    def __init__(self, rig):
        self.rig = rig

    def masters(self):
        return self.rig.writers()

    def reason(self):
        return ""

    def endpoints(self, master):
        return ""

    def rehearse(self):
        return []

    def evidence(self):
        return []

    def unfit(self):
        unfit = []
        status = json.loads(self.rig("status", "--json"))
        for node in status["nodes"]:
            if node["galera"] != "Primary %d Synced" % len(self.rig.nodes):
                unfit.append("%s galera %s" % (node["name"], node["galera"]))
        return unfit

    def lacks(self):
        return ()

    def repair(self):
        """What its operator does in the middle of the night."""
        alive = self.rig.alive()
        for node in alive:
            self.rig.on(node, "/usr/local/sbin/naive", "stop", seconds=60)
            self.rig.on(node, "umount", "-l", "/mnt/mailcow-ha")
        self.rig.ask("volume", "detach", "--force")
        self.rig.on(alive[0], "/usr/local/sbin/naive", "start", seconds=60)

    def switchover(self, old, new):
        """As its careful operator does it: nobody's keepalived may join in meanwhile."""
        others = [n for n in self.rig.alive() if n not in (old, new)]
        for node in others:
            self.rig.on(node, "systemctl", "stop", "keepalived")
        self.rig.on(old, "/usr/local/sbin/naive", "stop", seconds=60)
        self.rig.on(new, "/usr/local/sbin/naive", "start", seconds=60)
        # keepalived learns of it afterwards: the new one becomes its master, and starts what runs.
        self.rig.on(old, "systemctl", "stop", "keepalived")
        time.sleep(1)
        for node in [old, *others]:
            self.rig.on(node, "systemctl", "start", "keepalived")

    def logs(self):
        return [("naive.log", ["cat", "/var/log/naive.log"])]


class Hamon:
    def __init__(self, rig):
        self.rig = rig

    def status(self, node):
        code, text = self.rig.on(node, "hamon", "status", "--json", seconds=3)
        try:
            return json.loads(text)
        except ValueError:
            return {"error": text.strip()[-80:]}

    def statuses(self):
        return {node: self.status(node) for node in self.rig.alive()}

    def masters(self):
        return [n for n, s in self.statuses().items() if s.get("state", "").lower() == "master"]

    def reason(self):
        """Why nobody leads, in the words of every node that can still be asked; '' if one has none."""
        words = []
        for node, s in self.statuses().items():
            why = s.get("why") or s.get("reason") or ""
            if not why and s.get("state", "").lower() != "master":
                return ""
            words.append("%s %s %s" % (node, s.get("state", "-"), why))
        return "; ".join(words)

    def unfit(self):
        unfit = []
        for node in self.rig.nodes:
            code, text = self.rig.on(node, "hamon", "check", seconds=3)
            if code != 0:
                unfit.append("%s %s" % (node, text.strip()[-80:]))
        return unfit

    def evidence(self):
        """Of each node that is unfit: what is dead there, and the last words of its database."""
        lines = []
        for node in sorted({text.split()[0] for text in self.unfit()}):
            for command in ("docker ps -a --filter status=exited --filter status=restarting --filter status=created",
                            "docker logs --tail 25 $(docker ps -aq --filter name=mysql-mailcow)"):
                text = self.rig.on(node, "sh", "-c", command + " 2>&1")[1]
                lines += ["%s: %s" % (node, line) for line in text.splitlines()]
        return lines

    def endpoints(self, master):
        """What hamon web says on any node that does not fit: '' once all of it does."""
        wrong = []
        for node in self.rig.nodes:
            leads = node == master
            want = {"/health": 200, "/ready": 200, "/health/galera": 200, "/health/database": 200,
                    "/master": 200 if leads else 503, "/standby": 503 if leads else 200,
                    **{"/health/" + part: 200 if leads else 503
                       for part in ("smtp", "imap", "volume", "webmail")}}
            urls = [word for path in want for word in ("-o", "/dev/null", WEB + path)]
            _, text = self.rig.on(node, "curl", "-s", "-m", "5", "-w", "%{http_code} ", *urls)
            for (path, code), said in zip(want.items(), text.split() + ["nothing"] * len(want)):
                if said != str(code):
                    wrong.append("%s %s says %s" % (node, path, said))
        return ", ".join(wrong)

    def rehearse(self):
        """Would each node take over? What its rehearsal found, where it did not like something."""
        failed = []
        for node in self.rig.nodes:
            code, text = self.rig.on(node, "hamon", "rehearse", seconds=60)
            if code != 0:
                failed.append("%s rehearse: %s" % (node, "; ".join(
                    line for line in text.splitlines() if not line.startswith("ok"))[-300:]))
        return failed

    def lacks(self):
        """Kinds of fault that have no victim in this build."""
        lacks = []
        if self.rig.on(self.rig.nodes[0], "systemctl", "cat", "hamon-guard")[0]:
            lacks.append("kill-guard")
        if not os.path.exists(os.path.join(self.rig.run, "traits", "watchdog")):
            lacks.append("stop-both")
        if os.path.exists(os.path.join(self.rig.run, "traits", "bare")):
            lacks.append("clock")   # its hamond has the clock of the machine
        return lacks

    def repair(self):
        """Automatic fail-over has stopped and asks for a human."""
        for node in self.rig.alive():
            self.rig.on(node, "hamon", "ack")

    def switchover(self, old, new):
        code, text = self.rig.on(old, "hamon", "switchover", "--to", new, seconds=90)
        if code != 0:
            raise RigError("hamon switchover: %s" % text.strip()[-200:])

    def logs(self):
        return [("status.json", ["hamon", "status", "--json"]), ("events", ["hamon", "events"])]


SUTS = {"naive": Naive, "hamon": Hamon}


def wait_until(seconds, condition, pause=0.2):
    """The condition's first true value, or its last false one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)
