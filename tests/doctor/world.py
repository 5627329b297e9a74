"""A node without a fault, for the tests of `hamon doctor`: in network and mount namespaces of its own,
with a copy of /etc, doubles of Docker, Hetzner, the DNS and the daemon, and a real Galera of three."""
import ctypes
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or os.path.join(SOURCE, "build/debug/bin")
sys.path.append(os.path.join(SOURCE, "tests/fake"))
from fake_dns import Dns  # noqa: E402

HOST, FLOAT, FLOAT6 = "mail.example.org", "198.51.100.9", "2001:db8:9::1"
UUID = "e4caf530-1b2c-4d3e-8f90-0123456789ab"
NODES = {"n1": "127.0.0.1", "n2": "127.0.0.2", "n3": "127.0.0.3"}
WARM = ["unbound-mailcow", "netfilter-mailcow", "mysql-mailcow", "postfix-tlspol-mailcow", "memcached-mailcow",
        "clamd-mailcow", "olefy-mailcow", "dockerapi-mailcow"]
ACTIVE = ["redis-mailcow", "dovecot-mailcow", "postfix-mailcow", "rspamd-mailcow", "php-fpm-mailcow",
          "nginx-mailcow", "sogo-mailcow", "acme-mailcow", "ofelia-mailcow"]


def isolate():
    """Start this program again where it can break nothing."""
    if os.environ.get("DOCTOR_INSIDE") != "1":
        os.environ["DOCTOR_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private", sys.executable] + sys.argv)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def run(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, **more)


def wait_for(what, condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what() if callable(what) else what}")
        time.sleep(0.05)


class Control:
    """One-line commands to a double, each answered by one line."""

    def __init__(self, script, *args):
        path = args[-1]
        self.child = subprocess.Popen([sys.executable, f"{SOURCE}/tests/fake/{script}", "--with-parent", *args])
        wait_for(script, lambda: os.path.exists(path))
        self.sock = socket.socket(socket.AF_UNIX)
        wait_for(script + " answers", lambda: self.sock.connect_ex(path) == 0)
        self.file = self.sock.makefile("rw")

    def say(self, command):
        self.file.write(command + "\n")
        self.file.flush()
        answer = self.file.readline()
        if not answer.startswith("ok"):
            raise AssertionError(f"{command}: {answer}")
        return answer[3:].strip()


class Daemon(threading.Thread):
    """What the daemon answers to `status-json`."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.status = path, {}
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(8)
        self.start()

    def run(self):
        while True:
            c, _ = self.sock.accept()
            with c:
                if c.recv(512) == b"status-json\n":
                    c.sendall(json.dumps(self.status).encode() + b"\n")


class Member:
    """One mariadbd of the three, on its node's address."""
    WELL = {"binlog-format": "ROW", "innodb-autoinc-lock-mode": "2", "innodb-flush-log-at-trx-commit": "1",
            "wsrep-sst-method": "mariabackup", "wsrep-notify-cmd": "/bin/true",
            "wsrep-cluster-address": "gcomm://" + ",".join(NODES.values())}

    def __init__(self, root, name, port):
        self.name, self.address, self.port = name, NODES[name], port
        self.dir = f"{root}/{name}"
        self.child = None

    def start(self, new=False, wait=True, **more):
        n = self.name[1:]
        options = {**self.WELL, "wsrep-on": "ON", "wsrep-provider": "/usr/lib/galera/libgalera_smm.so",
                   "wsrep-cluster-name": "doctor", "wsrep-node-name": self.name, "wsrep-node-address": self.address,
                   "wsrep-provider-options":
                       f"gmcast.listen_addr=tcp://{self.address}:4567;ist.recv_addr={self.address}:4568;"
                       "gcache.size=16M;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT3S;evs.inactive_timeout=PT9S;"
                       "evs.install_timeout=PT9S",
                   "server-id": n, "datadir": self.dir + "/data", "socket": self.dir + "/sock", "port": str(self.port),
                   "bind-address": self.address, "pid-file": self.dir + "/pid", "tmpdir": self.dir,
                   "innodb-buffer-pool-size": "16M", "innodb-log-file-size": "8M", "performance-schema": "0",
                   **{k.replace("_", "-"): v for k, v in more.items()}}
        argv = ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "--pdeathsig=KILL",
                "mariadbd", "--no-defaults"] + [f"--{k}={v}" for k, v in options.items()]
        with open(self.dir + "/log", "ab") as log:
            self.child = subprocess.Popen(argv + (["--wsrep-new-cluster"] if new else []), stdout=log, stderr=log)
        wait_for(lambda: f"{self.name} is up: {self.log()}", self.synced if wait else lambda: self.ask("SELECT 1") == "1")

    def log(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def synced(self):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.name} ended: {self.log()}")
        return self.ask("SHOW STATUS LIKE 'wsrep_local_state_comment'").endswith("Synced")

    def ask(self, *statements):
        return subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{self.dir}/sock", "-N", "-e",
                               ";".join(statements)], capture_output=True, text=True, check=False).stdout.strip()

    def sql(self, *statements):
        run("mariadb", "--no-defaults", "-uroot", f"-S{self.dir}/sock", "-e", ";".join(statements))

    def stop(self):
        if self.child:
            self.child.terminate()
            self.child.wait()
        self.child = None


class World:
    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="mha-doctor.")
        self.dir = self.tmp.name
        os.chmod(self.dir, 0o755)
        self.mailcow = self.dir + "/mailcow"
        self.conf_path = self.dir + "/hamon.conf"
        self.guard, self.strange = None, False
        self.make_network()
        self.make_etc()
        self.make_files()
        self.dns, self.daemon = Dns(), Daemon(self.dir + "/hamon.sock")
        self.listeners = [self.listen(a, 9447) for a in list(NODES.values())[1:]]
        self.docker = Control("fake_docker.py", self.dir + "/engine", self.dir + "/docker")
        self.hetzner = Control("fake_hetzner.py", self.dir + "/hetzner")
        self.members = [Member(self.dir, n, 13306 if n == "n1" else 3306) for n in NODES]
        self.make_database()
        self.calm()

    def path(self, name):
        return f"{self.dir}/{name}"

    # ---- the machine ----

    @staticmethod
    def make_network():
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        run("ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
        run("ip", "link", "set", "eth0", "up")

    def make_etc(self):
        copy = self.path("etc")
        run("cp", "-a", "/etc", copy)
        run("mount", "--bind", copy, "/etc")
        self.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.put("/etc/keepalived/hamon", "#!/bin/sh\n", 0o755)  # keepalived wants it where only root writes
        for target in ("multi-user.target.wants", "sysinit.target.wants"):
            shutil.rmtree("/etc/systemd/system/" + target, ignore_errors=True)
            os.makedirs("/etc/systemd/system/" + target)
        for unit in ("hamon", "hamon-guard", "keepalived", "docker"):
            os.symlink(f"/lib/systemd/system/{unit}.service",
                       f"/etc/systemd/system/multi-user.target.wants/{unit}.service")
        os.symlink("/lib/systemd/system/systemd-timesyncd.service",
                   "/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service")

    @staticmethod
    def put(path, text, mode=0o644):
        # a new file each time: resolv.conf may be a link out of our /etc
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    @staticmethod
    def listen(address, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(64)
        threading.Thread(target=World.greet, args=(s,), daemon=True).start()
        return s

    @staticmethod
    def greet(listener):
        while True:
            try:
                listener.accept()[0].close()
            except OSError:  # it was closed
                return

    def make_files(self):
        for name in ("mnt", "hooks"):
            os.makedirs(self.path(name))
        for name in ("master.sh", "backup.sh"):
            self.put(self.path("hooks/" + name), "#!/bin/sh\n", 0o755)
        self.put(self.path("galera.pass"), "word\n", 0o600)
        self.put(self.path("cluster.secret"), "0123456789abcdef" * 2 + "\n", 0o600)
        self.put(self.path("hetzner.token"), "rw-token\n", 0o600)
        with open(self.path("disk"), "wb") as f:
            f.truncate(8 << 20)
        run("mkfs.ext4", "-q", "-U", UUID, self.path("disk"))
        self.certificate(90, HOST)

    def certificate(self, days, name):
        """One that began ten days ago, since only a CA can say when one begins."""
        ssl, ca = self.mailcow + "/data/assets/ssl", self.path("ca")
        shutil.rmtree(ca, ignore_errors=True)
        os.makedirs(ssl, exist_ok=True)
        os.makedirs(ca)
        self.put(ca + "/index.txt", "")
        self.put(ca + "/conf", f"[ca]\ndefault_ca = me\n[me]\ndatabase = {ca}/index.txt\nnew_certs_dir = {ca}\n"
                 "rand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
                 f"[names]\nsubjectAltName = DNS:{name}\n[req]\ndistinguished_name = none\n[none]\n")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config",
            ca + "/conf", "-keyout", ssl + "/key.pem", "-out", ca + "/request", "-subj", "/CN=" + name,
            stderr=subprocess.DEVNULL)
        when = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400)) for d in (-10, days)]
        run("openssl", "ca", "-batch", "-selfsign", "-config", ca + "/conf", "-extensions", "names", "-keyfile",
            ssl + "/key.pem", "-in", ca + "/request", "-out", ssl + "/cert.pem", "-startdate", when[0], "-enddate",
            when[1], stderr=subprocess.DEVNULL)

    # ---- what is told of it ----

    def conf(self, **change):
        """hamon.conf with changes: section__key = value, None takes the line out."""
        values = {
            "node": {"name": "n1", "address": "127.0.0.1"},
            "cluster": {"name": "doctor", "nodes": " ".join(f"{n}={a}" for n, a in NODES.items()),
                        "secret_file": self.path("cluster.secret")},
            "mailcow": {"dir": self.mailcow}, "docker": {"socket": self.path("engine")},
            "galera": {"password_file": self.path("galera.pass")},
            "keepalived": {}, "check": {}, "stack": {}, "local": {},
            "volume": {"provider": "hetzner", "id": "7", "uuid": UUID, "mount": self.path("mnt"),
                       "device": self.path("disk")},
            "ip": {"provider": "hetzner", "id": "9 10", "address": f"{FLOAT}/32 {FLOAT6}/64", "interface": "eth0"},
            "hetzner": {"api_url": self.hetzner.say("url") + "/v1", "token_file": self.path("hetzner.token"),
                        "server": "n1"},
            "hooks": {"dir": self.path("hooks")}, "watchdog": {"mode": "off"},
            "control": {"socket": self.path("hamon.sock")}, "log": {"events": self.path("log/events")}}
        for key, value in change.items():
            section, _, name = key.partition("__")
            values[section][name] = value
        text = ""
        for section, keys in values.items():
            text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None)
        self.put(self.conf_path, text)

    def mailcow_conf(self, **change):
        values = {"MAILCOW_HOSTNAME": HOST, "COMPOSE_PROJECT_NAME": "mailcow", "DBNAME": "mailcow",
                  "DBUSER": "mailcow", "DBPASS": "'its word'", "SQL_PORT": "127.0.0.1:13306",
                  "IPV4_NETWORK": "172.22.1", "IPV6_NETWORK": "fd4d:6169:6c63:6f77::/64", **change}
        self.put(self.mailcow + "/mailcow.conf", "".join(f"{k}={v}\n" for k, v in values.items()), 0o600)

    def keepalived_conf(self, edit=lambda text: text):
        self.put("/etc/keepalived/keepalived.conf", edit("""# as README.md shows it
global_defs {
    vrrp_version 3
    enable_script_security
    script_user root
    vrrp_notify_fifo /run/mailcow-ha/keepalived.fifo
}
vrrp_track_file hamon {
    file /run/mailcow-ha/track
    weight 1
}
vrrp_script hamon {
    script "/etc/keepalived/hamon check"
    interval 1
    timeout 2
    fall 2
    rise 1
}
vrrp_instance MAIL {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 50
    advert_int 0.2
    unicast_src_ip 127.0.0.1
    unicast_peer {
        127.0.0.2
        127.0.0.3
    }
    virtual_ipaddress {
        192.0.2.51/32 dev lo scope host
    }
    track_file { hamon }
    track_script { hamon }
}
"""))

    # ---- the database ----

    def make_database(self):
        mysql, first = pwd.getpwnam("mysql"), self.members[0]
        for m in self.members:
            os.makedirs(m.dir)
            os.chown(m.dir, mysql.pw_uid, mysql.pw_gid)
        run("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
            f"--datadir={first.dir}/data", "--user=mysql", stderr=subprocess.DEVNULL)
        first.start(new=True)
        first.sql("CREATE DATABASE mailcow", "CREATE USER mailcow@'%' IDENTIFIED BY 'its word'",
                  "GRANT ALL ON mailcow.* TO mailcow@'%'",
                  "CREATE TABLE mailcow.domain (domain VARCHAR(255) PRIMARY KEY, active INT, backupmx INT)",
                  "INSERT INTO mailcow.domain VALUES ('example.org',1,0),('off.example',0,0),('relay.example',1,1)",
                  "CREATE TABLE mailcow.tags_domain (tag_name VARCHAR(255), UNIQUE KEY (tag_name))")
        # what `hamon store init` makes
        self.mailcow_conf()
        self.conf(galera__socket=first.dir + "/sock")
        run(BIN + "/hamond", "-c", self.conf_path, "store", "init")
        first.stop()
        for m in self.members[1:]:  # the same data and the same position: nothing has to be sent to them
            run("cp", "-a", first.dir + "/data", m.dir + "/data")
            if os.path.exists(m.dir + "/data/gvwstate.dat"):
                os.unlink(m.dir + "/data/gvwstate.dat")
        first.start(new=True)
        for m in self.members[1:]:
            m.start()

    # ---- a node without a fault ----

    def calm(self):
        """Everything as it should be (but for the members of the database)."""
        self.conf()
        self.mailcow_conf()
        self.keepalived_conf()
        self.put("/etc/fstab", "# none\n")
        self.daemon.status = {"version": self.version(), "state": "STANDBY", "verdict": "fit", "reason": "ok", "why": ""}
        self.calm_docker()
        self.hetzner.say("reset")
        for kind, ident in (("volume", 7), ("ip", 9), ("ip", 10)):
            self.hetzner.say(f"""put {kind} {ident} protection '{{"delete": true}}'""")
        self.calm_dns()
        if not self.guard:
            self.start_guard()

    @staticmethod
    def version():
        with open(SOURCE + "/VERSION", encoding="ascii") as f:
            return f.read().split()[0]

    def calm_docker(self):
        say, base = self.docker.say, self.mailcow
        say("reset")
        say(f"about 27.3.1 {self.dir}")
        files = f"{base}/docker-compose.yml,{base}/docker-compose.override.yml"
        for service in WARM + ACTIVE + ["watchdog-mailcow"]:
            warm = service in WARM
            say(f"add 1 service={service} state={'running' if warm else 'exited'}")
            say(f"set {service} policy={'always' if warm else 'no'} files={files}")
        say("set dovecot-mailcow mounts=mailcow_vmail-vol-1:/var/vmail,mailcow_crypt-vol-1:/mail_crypt/ ports=993,143")
        say("set redis-mailcow mounts=mailcow_redis-vol-1:/data/")
        say(f"set postfix-mailcow mounts={self.path('mnt')}/postfix:/var/spool/postfix ports=0.0.0.0:25,0.0.0.0:587")
        for name in ("vmail", "crypt", "redis"):
            say(f"volume mailcow_{name}-vol-1 {self.path('mnt')}/{name}")

    def calm_dns(self):
        self.dns.deaf = False
        self.dns.records = {
            (HOST, "A"): [FLOAT], (HOST, "AAAA"): [FLOAT6],
            ("9.100.51.198.in-addr.arpa", "PTR"): [HOST],
            ("1." + "0." * 19 + "9.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): [HOST],
            ("example.org", "MX"): [HOST], ("example.org", "TXT"): ["v=spf1 mx -all", "other=1"],
            ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=none"]}

    def start_guard(self):
        self.guard = subprocess.Popen([BIN + "/hamond", "-c", self.conf_path, "guard"], stderr=subprocess.DEVNULL,
                                      preexec_fn=die_with_parent)
        wait_for("the guard", lambda: os.path.exists(self.path("guard.sock")))

    def stop_guard(self):
        self.guard.kill()
        self.guard.wait()
        self.guard = None
        if os.path.exists(self.path("guard.sock")):
            os.unlink(self.path("guard.sock"))

    # ---- the doctor ----

    def whole(self):
        """All three are in: a pause of this machine may have taken one out for a moment."""
        return all(m.ask("SHOW STATUS LIKE 'wsrep_cluster_size'", "SHOW STATUS LIKE 'wsrep_cluster_status'",
                         "SHOW STATUS LIKE 'wsrep_local_state'").split() ==
                   ["wsrep_cluster_size", "3", "wsrep_cluster_status", "Primary", "wsrep_local_state", "4"]
                   for m in self.members if m.child and not self.strange)

    def doctor(self, *words):
        p = subprocess.run([BIN + "/hamond", "-c", self.conf_path, "doctor", *words], capture_output=True, text=True,
                           check=False, timeout=1200, env={**os.environ, "NO_COLOR": "1"})
        if p.returncode not in (0, 1):
            raise AssertionError(f"doctor ended with {p.returncode}: {p.stdout}{p.stderr}")
        if re.search("Sanitizer|runtime error", p.stderr):
            raise AssertionError(p.stderr)
        return p

    def findings(self):
        for _ in range(3):
            wait_for("the database is whole", self.whole, 600)
            began = time.monotonic()
            p = self.doctor("--json")
            if time.monotonic() - began < 20:
                break  # else this machine stood still, and deadlines passed for nothing
        answer = json.loads(p.stdout)
        counts = [answer[s + "s"] for s in ("error", "warning", "hint")]
        if p.returncode != (sum(counts[:2]) > 0) or len(answer["findings"]) != sum(counts):
            raise AssertionError(p.stdout)
        return answer["findings"]

    def end(self):
        if self.guard:
            self.stop_guard()
        for m in self.members:
            m.stop()
        for c in (self.docker, self.hetzner):
            c.child.kill()
            c.child.wait()
        run("umount", "--lazy", "/etc")
        self.tmp.cleanup()
