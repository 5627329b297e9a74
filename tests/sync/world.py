"""Nodes that keep in step, as real `hamond sync` processes on loopback addresses of their own, each in
front of a double of its daemon's control socket. Everything waits for its condition."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("MHA_BIN", SOURCE / "build/debug/bin"))
PATIENCE = int(os.environ.get("SYNC_PATIENCE", "120"))
SECRET = "0123456789abcdef" * 4


def until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.05)
    return result


class Daemon(threading.Thread):
    """Answers `status-json` as the daemon would; `holder` None: it hangs up."""

    def __init__(self, path, name):
        super().__init__(daemon=True)
        self.name_, self.holder, self.epoch, self.maintenance = name, "", 1, False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(64)

    def state(self):
        if self.maintenance:
            return "maintenance"
        return "master" if self.holder == self.name_ else "standby"

    def run(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn:
                with contextlib.suppress(ConnectionError):
                    conn.recv(1024)
                if self.holder is None:
                    continue
                lease = {"holder": self.holder, "epoch": self.epoch, "known": True,
                         "valid_ms": 5000 if self.holder == self.name_ else 0}
                answer = {"node": self.name_, "lease": lease, "state": self.state()}
                with contextlib.suppress(ConnectionError):  # who asked may have been killed
                    conn.sendall(json.dumps(answer).encode() + b"\n")


class Node:
    def __init__(self, world, number):
        self.world, self.name, self.address = world, f"n{number}", f"127.0.77.{number}"
        self.dir = world.dir / self.name
        self.mailcow = self.dir / "mailcow"
        self.process = None
        for sub in ("data/conf/postfix", "data/conf/nginx", "data/assets/ssl", "data/hooks", "data/web/inc"):
            (self.mailcow / sub).mkdir(parents=True)
        self.write("docker-compose.yml", "services:\n  a:\n    image: mailcow/a:1\n")
        self.write("mailcow.conf", f"# of {self.name}\nDBPASS=secret-{self.name}\nHTTP_BIND={self.address}\n")
        self.secret = self.dir / "secret"
        self.set_secret(SECRET)
        self.daemon = Daemon(self.dir / "sock", self.name)
        self.daemon.start()

    def set_secret(self, text):
        self.secret.write_text(text + "\n")
        self.secret.chmod(0o600)

    def conf(self, more=""):
        nodes = " ".join(f"{n.name}={n.address}" for n in self.world.nodes)
        text = (f"[node]\nname = {self.name}\naddress = {self.address}\n[mailcow]\ndir = {self.mailcow}\n"
                f"[cluster]\nnodes = {nodes}\nsecret_file = {self.secret}\n"
                f"[volume]\nprovider = local\nuuid = u\nmount = /m\ndevice = /dev/x\n"
                f"[galera]\npassword_file =\n[control]\nsocket = {self.dir}/sock\n[log]\nlevel = debug\n"
                f"[sync]\nlisten = {self.address}:{self.world.port}\ninterval = 500ms\n"
                f"state = {self.dir}/run/sync\ndir = {self.dir}/lib\n{more}")
        (self.dir / "hamon.conf").write_text(text)

    def write(self, path, text, mode=0o644):
        file = self.mailcow / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path):
        try:
            return (self.mailcow / path).read_text()
        except OSError:
            return None

    def start(self):
        self.log = (self.dir / "log").open("ab")
        self.process = subprocess.Popen([BIN / "hamond", "-c", self.dir / "hamon.conf", "sync"], stderr=self.log)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None
            self.log.close()

    def hamon(self, *words):
        return subprocess.run([BIN / "hamond", "-c", self.dir / "hamon.conf", "sync", *words],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)

    def now(self, *words):
        done = self.hamon("now", "--json", *words)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr

    def status(self):
        return json.loads(self.hamon("status", "--json").stdout)


class World:
    def __init__(self, n=2, start=True, without=()):
        """without: nodes whose service does not run."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mha-sync."))
        with socket.socket() as s:
            s.bind(("127.0.77.1", 0))
            self.port = s.getsockname()[1]
        self.nodes = []
        for i in range(1, n + 1):
            self.nodes.append(Node(self, i))
        for node in self.nodes:
            node.conf()
        self.started = [node for node in self.nodes if start and node.name not in without]

    def lead(self, name, epoch=1):
        for node in self.nodes:
            node.daemon.holder, node.daemon.epoch = name, epoch

    def __enter__(self):
        self.lead("n1")
        for node in self.started:
            node.start()
        until(self.answers, "all listen")
        return self

    def answers(self):
        for node in self.started:
            with socket.socket() as s:
                if s.connect_ex((node.address, self.port)) != 0:
                    return False
        return True

    def __exit__(self, kind, *_):
        for node in self.nodes:
            node.stop()
            node.daemon.socket.close()
            if kind:
                log = node.dir / "log"
                sys.stderr.write(f"--- {node.name}\n{log.read_text()[-6000:] if log.exists() else ''}\n")
        shutil.rmtree(self.dir, ignore_errors=True)
