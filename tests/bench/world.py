"""What the benchmark needs of the world: a dockerd with Mailcow's eighteen services (busybox inside),
a Galera cluster of one, a fake engine with a thousand containers, and hamon watching them. All of it
lives in the directory and the namespaces that tests/bench/run made; nothing here cleans up."""

import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
import time
from urllib.parse import quote

PROJECT = "mailcow"
WARM = ("unbound-mailcow", "mysql-mailcow", "dockerapi-mailcow")  # warm and not optional
SERVICES = WARM + (
    "netfilter-mailcow", "redis-mailcow", "dovecot-mailcow", "postfix-mailcow",
    "postfix-tlspol-mailcow", "rspamd-mailcow", "php-fpm-mailcow", "nginx-mailcow", "sogo-mailcow",
    "memcached-mailcow", "clamd-mailcow", "olefy-mailcow", "acme-mailcow", "watchdog-mailcow",
    "ofelia-mailcow")
LABEL = "com.docker.compose."


class Failure(Exception):
    """The run itself did not work."""


def wait_for(what, test, seconds=30.0, pause=0.02):
    end = time.monotonic() + seconds
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def start(log, *argv):
    with open(log, "wb") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def tail(log, lines=5):
    with open(log, encoding="utf-8", errors="replace") as f:
        return "".join(f.readlines()[-lines:])


def ask(path, line):
    """One line to a unix socket, everything it answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(line.encode() + b"\n")
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Docker:
    """The Engine API, as far as we need it."""

    def __init__(self, path):
        self.path = path
        self.ids = {}

    def call(self, method, url, body=None, raw=None):
        c = UnixHTTP(self.path)
        data = raw if raw is not None else json.dumps(body).encode() if body else None
        kind = "application/x-tar" if raw else "application/json"
        c.request(method, url, data, {"Content-Type": kind})
        answer = c.getresponse()
        text = answer.read()
        c.close()
        if answer.status >= 300 and answer.status != 304:
            raise Failure(f"docker {method} {url}: {answer.status} {text.decode()[:200]}")
        return json.loads(text) if text[:1] in (b"{", b"[") and raw is None else text

    def alive(self):
        try:
            return self.call("GET", "/_ping")
        except OSError:
            return None

    def import_busybox(self):
        path = subprocess.check_output(["sh", "-c", "command -v busybox"], text=True).strip()
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as t:
            t.add(os.path.realpath(path), "busybox")
        self.call("POST", "/images/create?fromSrc=-&repo=bench", raw=tar.getvalue())

    def create(self, service):
        config = {"Image": "bench", "Cmd": ["/busybox", "sleep", "1000000"],
                  "Labels": {LABEL + "project": PROJECT, LABEL + "service": service,
                             LABEL + "oneoff": "False", LABEL + "container-number": "1"},
                  "HostConfig": {"NetworkMode": "none"}}
        if service == "clamd-mailcow":
            config["Healthcheck"] = {"Test": ["CMD", "/busybox", "true"], "Interval": 30 * 10**9}
        name = f"{PROJECT}-{service}-1"
        self.ids[service] = self.call("POST", "/containers/create?name=" + name, config)["Id"]

    def start(self, service):
        self.call("POST", f"/containers/{self.ids[service]}/start")

    def pid(self, service):
        return self.call("GET", f"/containers/{self.ids[service]}/json")["State"]["Pid"]

    def list(self):
        """service -> (state, health) of every container of ours."""
        found = {}
        for c in self.call("GET", "/containers/json?all=1"):
            word = c["Status"].rpartition("(")[2].rstrip(")").removeprefix("health: ")
            known = c["State"] == "running" and word in ("starting", "healthy", "unhealthy")
            found[c["Labels"][LABEL + "service"]] = (c["State"], word if known else "none")
        return found

    def deaths(self):
        """A socket on which every `die` event arrives (and a header first)."""
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        want = quote(json.dumps({"event": ["die"]}))
        s.sendall(f"GET /events?filters={want} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(4096)
        return s


def start_dockerd(work):
    root, sock = work + "/docker", work + "/run/docker.sock"
    os.makedirs(root)
    with open(root + "/daemon.json", "w", encoding="utf-8") as f:
        f.write("{}\n")
    log = root + "/log"
    p = start(log, "dockerd", "--config-file", root + "/daemon.json", "--data-root", root + "/data",
              "--exec-root", work + "/run/docker", "-p", root + "/pid", "-H", "unix://" + sock,
              "--bridge=none", "--iptables=false", "--ip-forward=false",
              "--cgroup-parent=/" + os.path.basename(work))
    d = Docker(sock)
    wait_for("dockerd", lambda: d.alive() or died(p, log), 60)
    d.process = p
    d.import_busybox()
    for s in SERVICES:
        d.create(s)
        d.start(s)
    return d


def died(process, log):
    if process.poll() is not None:
        raise Failure(f"{process.args[0]} ended:\n{tail(log)}")


def start_galera(work):
    """A cluster of one; hamon's user has no rights. Returns (process, socket, password file)."""
    d, sock = work + "/mysql", work + "/run/mysqld.sock"
    log = work + "/mysql.log"
    install = ["mariadb-install-db", "--no-defaults", "--user=root", "--datadir=" + d,
               "--skip-test-db", "--auth-root-authentication-method=normal"]
    made = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if made.returncode:
        raise Failure("mariadb-install-db:\n" + made.stdout[-1000:])
    provider = next(p for p in ("/usr/lib/galera/libgalera_smm.so",
                                "/usr/lib64/galera-4/libgalera_smm.so") if os.path.exists(p))
    p = start(log, "mariadbd", "--no-defaults", "--user=root", "--datadir=" + d, "--socket=" + sock,
              "--skip-networking", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
              "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
              "--pid-file=" + work + "/mysqld.pid", "--wsrep-on=ON", "--wsrep-provider=" + provider,
              "--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster",
              "--wsrep-node-address=127.0.0.1", "--wsrep-sst-method=rsync",
              "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:4567;gcache.size=8M")

    def sql(text):
        return subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", sock, "-NBe", text],
                              capture_output=True, text=True, check=False).stdout

    wait_for("Galera", lambda: "ON" in sql("SHOW STATUS LIKE 'wsrep_ready'") or died(p, log), 90,
             0.1)
    sql("CREATE USER hamon@localhost IDENTIFIED BY 'bench'")
    secret = work + "/galera.pass"
    with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as f:
        f.write("bench\n")
    with open(os.open(work + "/my.cnf", os.O_CREAT | os.O_WRONLY, 0o600), "w",
              encoding="utf-8") as f:
        f.write(f"[client]\nuser=hamon\npassword=bench\nsocket={sock}\n")
    return p, sock, secret


class Hamon:
    """One daemon with a directory of its own."""

    def __init__(self, work, binary, name, engine, galera, **check):
        self.dir = f"{work}/run/{name}"
        os.makedirs(self.dir)
        self.binary, self.file, self.track = binary, self.dir + "/hamon.conf", self.dir + "/track"
        self.socket = self.dir + "/hamon.sock"
        keys = {
            "node": {"name": name},
            "mailcow": {"dir": self.dir},
            "docker": {"socket": engine, "project": PROJECT},
            "galera": {"socket": galera[1], "password_file": galera[2]},
            "check": check,
            "keepalived": {"track_file": self.track, "fifo": self.dir + "/fifo",
                           "state_file": self.dir + "/vrrp"},
            "control": {"socket": self.socket},
        }
        with open(self.file, "w", encoding="utf-8") as f:
            for section, pairs in keys.items():
                f.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in pairs.items()))
        log = self.dir + "/log"
        self.process = start(log, binary, "-c", self.file, "run")
        try:
            wait_for(f"hamon {name} fit", lambda: self.tracked() == "0" or died(self.process, log))
        except Failure as e:
            raise Failure(f"{e}\n{self.look()}\n{tail(log)}") from e

    @property
    def pid(self):
        return self.process.pid

    @property
    def check(self):
        return [self.binary, "-c", self.file, "check"]

    def tracked(self):
        try:
            with open(self.track, encoding="ascii") as f:
                return f.read().strip()
        except FileNotFoundError:
            return None

    def look(self):
        try:
            return ask(self.socket, "status")
        except OSError as e:
            return f"no answer on its control socket: {e}"

    def status(self):
        return json.loads(ask(self.socket, "status-json"))


class Fake:
    """tests/fake/fake_docker.py, driven over its control socket."""

    def __init__(self, work, script, count):
        self.engine, self.control = work + "/run/fake.sock", work + "/run/fake.control"
        log = work + "/fake.log"
        self.process = start(log, "python3", "-B", script, "--with-parent", self.engine,
                             self.control)
        wait_for("fake engine", lambda: os.path.exists(self.control) or died(self.process, log))
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        wait_for("fake engine", lambda: self.sock.connect_ex(self.control) == 0)
        self.file = self.sock.makefile("r")
        self.docker = Docker(self.engine)
        for s in SERVICES:
            self.say(f"add 1 service={s} health=healthy project={PROJECT}")
        self.say(f"add {count - len(SERVICES)} service=svc health=healthy project={PROJECT}")

    def say(self, command):
        self.sock.sendall(command.encode() + b"\n")
        answer = self.file.readline()
        if not answer.startswith("ok"):
            raise Failure(f"fake engine: {command}: {answer}")
        return answer[3:]

    def stats(self):
        return json.loads(self.say("stats"))
