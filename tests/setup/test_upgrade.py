#!/usr/bin/env python3
"""`hamon upgrade` as a process: a double of Mailcow's update.sh, of compose, of the daemon and of Docker
around it, in a mount namespace of its own."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or os.path.join(SOURCE, "build/debug/bin")
STATE = "/var/lib/mailcow-ha"
PATIENCE = 300
COMPOSE = """#!/bin/sh
echo "$(basename "$0") $*" >>"{dir}/composed"
[ ! -e "{dir}/slow" ] || sleep 1
[ ! -e "{dir}/broken" ] || {{ echo "no such image"; exit 17; }}
"""


def isolate():
    if os.environ.get("UPGRADE_INSIDE") != "1":
        os.environ["UPGRADE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable] + sys.argv)
    for path in (STATE, "/usr/local/bin"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "test", path], check=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never came: " + (what() if callable(what) else what))
        time.sleep(0.02)


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Daemon(threading.Thread):
    """This node's daemon, n2 of three; n1 leads. What it is asked to do it does at once."""

    def __init__(self, path, mailcow):
        super().__init__(daemon=True)
        self.mailcow, self.orders, self.lock = mailcow, [], threading.Lock()
        self.me, self.verdict, self.galera = "n2", "fit", ("Primary", "Synced", 3)
        self.nodes = {n: {"state": "standby", "verdict": "fit", "images": "old"} for n in ("n1", "n2", "n3")}
        self.nodes["n1"]["state"] = "master"
        self.pause = 0  # before an order is obeyed
        self.fit_after = None  # verdict is fit once this is true
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(64)

    def images(self):
        return read(os.path.join(self.mailcow, "docker-compose.yml")).split("image: ")[-1].strip()

    def leads(self):
        return [n for n, v in self.nodes.items() if v["state"] == "master"][:1]

    def status(self):
        fit = self.verdict == "fit" and (not self.fit_after or self.fit_after())
        nodes = []
        for name, n in self.nodes.items():
            images = self.images() if name == self.me else n["images"]
            nodes.append({"name": name, "state": n["state"], "verdict": n["verdict"], "reason": "ok",
                          "self": name == self.me, "holder": [name] == self.leads(),
                          "mailcow": {"version": "of-" + images, "schema": "", "images": images}})
        status, state, size = self.galera
        return {"node": self.me, "verdict": "fit" if fit else "unfit", "nodes": nodes,
                "message": "all is well" if fit else "mysql-mailcow is not there",
                "galera": {"status": status, "state": state, "size": size}}

    def answer(self, line):
        with self.lock:
            if line == "status-json":
                return json.dumps(self.status())
            time.sleep(self.pause)
            self.orders.append(line)
            me = self.nodes[self.me]
            if line.startswith("maintenance on"):
                if me["state"] == "master":
                    self.nodes["n3" if self.me != "n3" else "n2"]["state"] = "master"
                me["state"] = "maintenance"
            elif line.startswith("maintenance off"):
                me["state"] = "standby"
            elif line != "mailcow":
                return "error: what?"
            return "ok"

    def run(self):
        while True:
            conn, _ = self.sock.accept()
            try:
                with conn:
                    line = conn.makefile().readline().strip()
                    conn.sendall((self.answer(line) + "\n").encode())
            except OSError:
                pass  # who asked was killed


class Docker:
    def __init__(self, folder):
        self.engine, control = os.path.join(folder, "docker.sock"), os.path.join(folder, "docker.ctl")
        self.child = subprocess.Popen([sys.executable, SOURCE + "/tests/fake/fake_docker.py", "--with-parent",
                                       self.engine, control])
        self.sock = socket.socket(socket.AF_UNIX)
        wait_for("the double of Docker", lambda: os.path.exists(control) and self.sock.connect_ex(control) == 0)
        self.file = self.sock.makefile("rw")

    def say(self, command):
        self.file.write(command + "\n")
        self.file.flush()
        answer = self.file.readline()
        assert answer.startswith("ok"), (command, answer)
        return answer[3:].strip()

    def stop(self):
        self.file.close()
        self.sock.close()
        self.child.kill()
        self.child.wait()


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="mha-upgrade.")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        for name in os.listdir(STATE):
            os.unlink(os.path.join(STATE, name))
        self.mailcow = os.path.join(self.dir, "mailcow")
        self.release(self.mailcow, "old", "30062026_1500")
        self.release(os.path.join(self.mailcow, "next"), "new", "05082026_1130")
        put(self.mailcow + "/mailcow.conf", "COMPOSE_PROJECT_NAME=mailcow\nDOCKER_COMPOSE_VERSION=native\n")
        shutil.copy(SOURCE + "/tests/fake/update.sh", self.mailcow)
        for name in ("docker", "docker-compose"):
            put("/usr/local/bin/" + name, COMPOSE.format(dir=self.dir), 0o755)
        self.docker = Docker(self.dir)
        self.addCleanup(self.docker.stop)
        self.docker.say("add 1 service=mysql-mailcow state=created")
        self.docker.say("add 1 service=postfix-mailcow state=created")
        self.daemon = Daemon(self.dir + "/sock", self.mailcow)
        self.daemon.start()
        self.conf = self.dir + "/hamon.conf"
        put(self.dir + "/secret", "a" * 32 + "\n", 0o600)
        put(self.conf, f"""[node]
name = n2
address = 10.0.0.2
[cluster]
name = mail
nodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3
secret_file = {self.dir}/secret
[volume]
provider = local
device = /dev/null
mount = {self.dir}/volume
uuid = e4caf530-1b2c-4d3e-8f90-0123456789ab
[mailcow]
dir = {self.mailcow}
[docker]
socket = {self.docker.engine}
project = mailcow
[stack]
warm = mysql-mailcow
active = postfix-mailcow
[check]
timeout = 20s
stale = 2m
[control]
socket = {self.dir}/sock
""")

    @staticmethod
    def release(where, images, schema):
        put(where + "/docker-compose.yml", "services:\n  a:\n    image: " + images + "\n")
        put(where + "/data/web/inc/init_db.inc.php", f'<?php\n  $db_version = "{schema}";\n')
        put(where + "/data/web/inc/app_info.inc.php", f'<?php\n  $MAILCOW_GIT_VERSION="of-{images}";\n')

    # ---- running ----

    def start(self, *words):
        return subprocess.Popen([BIN + "/hamon", "-c", self.conf, "upgrade", *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=die_with_parent)

    def run_it(self, code, *words, says=()):
        out = self.start(*words)
        text = out.communicate(timeout=PATIENCE)[0]
        for want in says:
            self.assertIn(want, text)
        self.assertEqual(out.returncode, code, text)
        return text

    def composed(self):
        return read(self.dir + "/composed").splitlines()

    def state(self):
        return dict(line.split("=", 1) for line in read(STATE + "/upgrade").splitlines())

    def untouched(self):
        self.assertEqual(self.daemon.orders, [])
        self.assertEqual(self.composed(), [])
        self.assertEqual(self.state(), {})

    def through(self):
        """All of it has been done, and nothing is left."""
        self.assertEqual(self.state(), {})
        self.assertEqual(self.daemon.nodes["n2"]["state"], "standby")
        self.assertEqual(self.daemon.images(), "new")
        self.assertIn("start:mysql-mailcow", self.docker.say("deeds"))
        self.assertNotIn("start:postfix-mailcow", self.docker.say("deeds"))
        self.assertFalse(os.path.exists(self.mailcow + "/overlap"))

    # ---- the tests ----

    def test_words(self):
        self.run_it(64, "--now", says=["unexpected argument: --now"])
        self.run_it(64, says=["asks on a terminal; without one add --yes"])
        self.untouched()
        os.unlink(self.mailcow + "/update.sh")
        self.run_it(1, "--yes", says=["update.sh: No such file", "[mailcow] dir"])
        self.untouched()

    def test_all_of_it(self):
        text = self.run_it(0, "--yes", says=[
            "n2 has Mailcow of-old", "until it is back, no other node may fail", "1/6 maintenance on",
            "Mailcow of-new is here", "schema 30062026_1500 becomes 05082026_1130", "6/6 maintenance off",
            "next: hamon upgrade on n3\n"])
        self.assertNotIn("hands over", text)
        self.assertEqual(self.composed(), ["docker compose config -q", "docker compose down",
                                           "docker compose up --no-start --remove-orphans"])
        self.assertEqual(self.daemon.orders, ["maintenance on 0", "mailcow", "maintenance off 0"])
        self.through()
        self.assertIn("update.sh: done", read(STATE + "/upgrade.log"))
        self.daemon.orders.clear()
        self.run_it(0, "--yes", says=["nothing to do on n2: Mailcow of-new is the latest",
                                      "next: hamon upgrade on n3"])
        self.assertEqual(self.daemon.orders, [])
        self.daemon.nodes["n3"]["images"] = "new"
        self.run_it(0, says=["next: hamon upgrade on n1, which leads and hands over first"])
        self.daemon.nodes["n1"]["images"] = "new"
        self.run_it(0, says=["all nodes have Mailcow of-new"])

    def test_standalone_compose(self):
        put(self.mailcow + "/mailcow.conf", "COMPOSE_PROJECT_NAME=mailcow\nDOCKER_COMPOSE_VERSION=standalone\n")
        self.run_it(0, "--yes")
        self.assertEqual(self.composed()[-1], "docker-compose up --no-start --remove-orphans")
        self.through()

    def test_dry_run(self):
        self.run_it(0, "--dry-run", says=["n2 has Mailcow of-old", "2/6 update.sh --force --skip-start"])
        self.untouched()

    def test_what_bars_it(self):
        """All at once, each with a daemon and a state of its own: it gives the others some seconds to be heard."""
        own_state = 'mount -t tmpfs test "$1"; where=$1; shift; code=0; "$@" || code=$?; ' \
                    '[ ! -e "$where/upgrade" ] || echo "it left a state"; exit "$code"'
        begun = []
        for change, says in (
                (lambda d: d.nodes["n3"].update(state="maintenance"), "n3 is in maintenance"),
                (lambda d: d.nodes["n3"].update(state=""), "n3 is not heard"),
                (lambda d: d.nodes["n3"].update(verdict="unfit"), "n3 is not fit"),
                (lambda d: d.nodes["n1"].update(state="standby"), "n2 sees nobody lead"),
                (lambda d: setattr(d, "galera", ("Primary", "Synced", 2)), "n2 does not see every member"),
                (lambda d: d.nodes["n2"].update(state="maintenance"), "n2 is in maintenance, and not by"),
                (lambda d: (d.nodes["n1"].update(state="standby"), d.nodes["n2"].update(state="master")),
                 "n1 has not been upgraded, and the leader comes last")):
            d = Daemon(f"{self.dir}/sock{len(begun)}", self.mailcow)
            change(d)
            d.start()
            conf = f"{self.conf}.{len(begun)}"
            put(conf, read(self.conf).replace("/sock\n", f"/sock{len(begun)}\n"))
            begun.append((d, says, subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", own_state, "sh", STATE,
                 BIN + "/hamon", "-c", conf, "upgrade", "--yes"], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)))
        for d, says, child in begun:
            text = child.communicate(timeout=PATIENCE)[0]
            self.assertIn(says, text)
            self.assertNotIn("it left a state", text)
            self.assertEqual((child.returncode, d.orders), (1, []), text)
        self.untouched()

    def test_no_network(self):
        put(self.mailcow + "/no-network", "")
        self.run_it(1, "--yes", says=["update.sh --check ended with 99: update.sh: A problem", "Nothing was changed"])
        self.untouched()

    def test_no_daemon(self):
        put(self.conf, read(self.conf).replace("/sock\n", "/none\n"))
        self.run_it(1, "--yes", says=["/none: No such file"])
        self.untouched()

    def test_the_leader_hands_over(self):
        self.daemon.nodes["n1"].update(state="standby", images="new")
        self.daemon.nodes["n3"]["images"] = "new"
        self.daemon.nodes["n2"]["state"] = "master"
        self.run_it(0, "--yes", says=["it leads, and hands over first", "all nodes have Mailcow of-new"])
        self.assertEqual(self.daemon.leads(), ["n3"])
        self.assertEqual(self.daemon.orders[0], "maintenance on 0")
        self.through()

    def test_update_replaces_itself(self):
        put(self.mailcow + "/exits", "again\nagain\nok\n")
        self.run_it(0, "--yes")
        self.through()

    def test_a_failed_update_stays_in_maintenance(self):
        for how, says in (("early", "Cannot resolve the registry"), ("late", "Oh no, something went wrong.")):
            put(self.mailcow + "/exits", how + "\n")
            self.run_it(1, "--yes", says=["update.sh ended with 1: update.sh: " + says,
                                          "stays in maintenance. Mend it"])
            self.assertEqual(self.state()["step"], "update")
            self.assertIn(says, self.state()["failed"])
            self.assertEqual(self.daemon.nodes["n2"]["state"], "maintenance")
            self.run_it(0, "--dry-run", says=["goes on at \"update.sh --force --skip-start\", where: update.sh "
                                              "ended with 1"])
        put(self.dir + "/broken", "")
        self.run_it(1, "--yes", says=["the compose file is broken"])
        os.unlink(self.dir + "/broken")
        self.run_it(0, "--yes", says=["goes on at", "schema 30062026_1500 becomes"])
        self.through()

    def test_given_up(self):
        """Who ends maintenance by hand has decided otherwise: the rules of the beginning hold again."""
        put(self.mailcow + "/exits", "early\n")
        self.run_it(1, "--yes")
        self.daemon.nodes["n2"]["state"] = "standby"
        self.daemon.nodes["n3"]["state"] = "maintenance"
        self.run_it(1, "--yes", says=["given up", "n3 is in maintenance"])
        self.daemon.nodes["n3"]["state"] = "standby"
        self.run_it(0, "--yes", says=["given up"])
        self.through()

    def test_waits_until_it_is_fit(self):
        self.daemon.fit_after = lambda: "start:mysql-mailcow" in seen["deeds"] and seen["go"]
        seen = {"deeds": "", "go": False}
        child = self.start("--yes")
        wait_for("the step", lambda: self.state().get("step") == "fit")
        seen["deeds"] = self.docker.say("deeds")
        time.sleep(1)
        self.assertIsNone(child.poll())
        self.assertEqual(self.daemon.nodes["n2"]["state"], "maintenance")
        seen["go"] = True
        text = child.communicate(timeout=PATIENCE)[0]
        self.assertEqual(child.returncode, 0, text)
        self.assertIn("  mysql-mailcow is not there\n", text)
        self.through()

    def test_killed_at_every_step(self):
        for step in ("maintenance", "update", "containers", "warm", "fit", "back"):
            with self.subTest(step=step):
                self.tearDown()
                self.doCleanups()
                self.setUp()
                if step in ("update", "containers"):  # in which compose is called
                    put(self.dir + "/slow", "")
                held = {"fit": step == "fit"}
                self.daemon.fit_after = lambda h=held: not h["fit"]
                self.docker.say("set mysql-mailcow start_ms=700")
                self.daemon.pause = 0.5
                child = self.start("--yes")
                wait_for(lambda s=step: s + ", but " + str(self.state()),
                         lambda s=step: self.state().get("step") == s or child.poll() is not None)
                self.assertIsNone(child.poll())
                child.kill()
                child.communicate()
                held["fit"], self.daemon.pause = False, 0  # what is left of it need not be slow
                if os.path.exists(self.dir + "/slow"):
                    os.unlink(self.dir + "/slow")
                self.run_it(0, "--yes")
                self.through()

    def test_what_was_left_running_is_waited_for(self):
        put(self.mailcow + "/exits", "hang\nok\n")
        child = self.start("--yes")
        wait_for("update.sh", lambda: "docker compose down" in self.composed())
        child.kill()
        child.communicate()
        self.assertTrue(os.path.isdir(self.mailcow + "/running"))
        child, text = self.start("--yes"), ""
        for line in child.stdout:
            text += line
            if "what it started, is still at work" in line:
                put(self.mailcow + "/let-go", "")
        self.assertEqual(child.wait(PATIENCE), 0, text)
        self.assertIn("is still at work", text)
        self.assertIn("goes on at", text)
        child.stdout.close()
        self.through()


if __name__ == "__main__":
    isolate()
    unittest.main(verbosity=2)
