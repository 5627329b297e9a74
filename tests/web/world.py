"""The real `hamond web` in front of a double of the daemon's control socket, for tests.

    with World() as w:
        w.status["verdict"] = "unfit"; w.tell()
        w.until(lambda: w.get("/health").status == 503)

Everything waits for its condition with a generous deadline. MHA_BIN names the programs' directory."""

import copy
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("MHA_BIN", SOURCE / "build/debug/bin"))
PATIENCE = 60

HEALTHY = json.loads((HERE / "healthy.json").read_text(encoding="utf-8"))


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, what="", patience=PATIENCE):
    """Wait for a condition; what it raises because nobody answers yet counts as not yet."""
    end = time.monotonic() + patience
    last = None
    while True:
        try:
            result = condition()
            if result:
                return result
        except (OSError, http.client.HTTPException) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError(f"never came true: {what or condition} ({last})")
        time.sleep(0.02)


class World:
    """conf: more lines of hamon.conf, as {"web": "token_file = …\\n", "section": "lines"}."""

    def __init__(self, conf=None, status=None, start=True):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mha-web."))
        self.port = free_port()
        self.status = copy.deepcopy(status or HEALTHY)
        self.why = []
        self.children = []
        self.web = self.control = None
        self.sections = {
            "node": f"name = {self.status['node']}\n",
            "mailcow": f"dir = {self.dir}\n",
            "check": "interval = 100ms\ntimeout = 2s\nstale = 5s\n",
            "galera": "password_file =\n",
            "control": f"socket = {self.dir}/sock\n",
            "log": f"events = {self.dir}/events\n",
            "alert": f"dir = {self.dir}/alerts.d\nstate = {self.dir}/alerts\n",
            "web": f"listen = 127.0.0.1:{self.port}\n",
        }
        for section, lines in (conf or {}).items():
            self.sections[section] = self.sections.get(section, "") + lines
        self.want_start = start

    def __enter__(self):
        try:
            self.tell()
            self.start_control()
            if self.want_start:
                self.start_web()
                self.until(lambda: self.get("/health").json.get("reason") != "hamon_silent", "web starts")
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        log = self.dir / "web.log"
        if kind and log.exists():
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-8000:])
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the double ----

    def put(self, name, data):
        """Replace a file in one move: it may be read at any moment."""
        new = self.dir / (name + ".new")
        new.write_bytes(data if isinstance(data, bytes) else data.encode())
        new.rename(self.dir / name)

    def tell(self):
        """What the daemon says from now on: self.status, self.why (events as dicts, oldest first)."""
        self.put("status.json", json.dumps(self.status) + "\n")
        self.put("why", "".join(json.dumps(e) + "\n" for e in self.why) or "\n")

    def mode(self, mode):
        self.put("mode", mode)

    def start_control(self):
        script = SOURCE / "tests/fake/fake_control.py"
        self.control = subprocess.Popen([sys.executable, str(script), str(self.dir / "sock"), str(self.dir)])
        self.children.append(self.control)
        self.until((self.dir / "sock").exists, "the double listens")

    def asked(self):
        path = self.dir / "asked"
        return path.read_text(encoding="ascii").count("\n") if path.exists() else 0

    # ---- hamond web ----

    def start_web(self, env=None):
        conf = self.dir / "hamon.conf"
        conf.write_text("".join(f"[{s}]\n{lines}" for s, lines in self.sections.items()), encoding="utf-8")
        with open(self.dir / "web.log", "ab") as log:
            self.web = subprocess.Popen([str(BIN / "hamond"), "-c", str(conf), "web"], stdout=log, stderr=log,
                                        env=dict(os.environ, **(env or {})))
        self.children.append(self.web)

    def log(self):
        return (self.dir / "web.log").read_text(encoding="utf-8", errors="replace")

    def request(self, path, method="GET", headers=None, timeout=PATIENCE):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **kw):
        return self.request(path, **kw)

    @staticmethod
    def until(condition, what=""):
        return until(condition, what)
