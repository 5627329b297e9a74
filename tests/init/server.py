"""A server for the tests of `hamon init`: directories of its own in place of /etc, /opt, /run and /var/lib, a host
name, an address, in namespaces of the test; Mailcow is a mailcow.conf, Hetzner tests/fake/fake_hetzner.py."""
import ctypes
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import time

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or os.path.join(SOURCE, "build/debug/bin")
DIRS = ("/etc", "/opt", "/run", "/var/lib")
MAILCOW = "/opt/mailcow-dockerized"


def isolate():
    """Start this program again where it can break nothing."""
    if os.environ.get("INIT_INSIDE") != "1":
        os.environ["INIT_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--uts", "--propagation", "private", sys.executable]
                  + sys.argv)
    for command in ("link set lo up", "link add priv0 type veth peer name pub0", "link set priv0 up",
                    "link set pub0 up", "route add default dev pub0"):
        subprocess.run(["ip", *command.split()], check=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


class Hetzner:
    def __init__(self, directory):
        path = directory + "/hetzner"
        self.child = subprocess.Popen([sys.executable, SOURCE + "/tests/fake/fake_hetzner.py", "--with-parent", path])
        self.sock = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 120
        while self.sock.connect_ex(path) != 0:
            if time.monotonic() > end:
                raise AssertionError("fake_hetzner.py does not answer")
            time.sleep(0.02)
        self.file = self.sock.makefile("rw")

    def say(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        answer = self.file.readline().strip()
        assert answer == "ok" or answer.startswith("ok "), (line, answer)
        return answer[3:]

    def stop(self):
        self.file.close()
        self.sock.close()
        self.child.kill()
        self.child.wait()


class Server:
    def __init__(self, directory, name, address):
        self.base, self.name, self.address = f"{directory}/{name}", name, address
        for d in DIRS:
            os.makedirs(self.base + d)
        for f in ("passwd", "group", "nsswitch.conf", "hosts"):
            shutil.copy("/etc/" + f, self.base + "/etc/" + f)
        for d in ("etc/mailcow-ha", "etc/keepalived", "opt/mailcow-dockerized/data/conf/mysql"):
            os.makedirs(f"{self.base}/{d}")
        self.put(MAILCOW + "/mailcow.conf", MAILCOW_CONF.format(name=name), 0o600)

    def path(self, name):
        return self.base + name

    def put(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def get(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def has(self, name):
        return os.path.lexists(self.path(name))

    def mode(self, name):
        return os.stat(self.path(name)).st_mode & 0o7777

    def tree(self):
        """Every file with its text, but what only locks."""
        found = {}
        for top in DIRS:
            for where, _, files in os.walk(self.base + top):
                for f in files:
                    name = os.path.join(where, f)[len(self.base):]
                    if not name.endswith(".lock"):
                        found[name] = self.get(name)
        return found

    def command(self, *words):
        """argv that runs hamon as this server."""
        script = "".join(f'mount --bind "{self.base}{d}" {d} && ' for d in DIRS)
        script = (f"ip addr flush dev priv0 && ip addr add {self.address}/24 dev priv0 && hostname {self.name} && "
                  + script + 'exec "$@"')
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", BIN + "/hamon", *words]

    def hamon(self, *words, code=0, stdin=""):
        r = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True, timeout=300,
                           preexec_fn=die_with_parent, check=False)
        if r.returncode != code:
            raise AssertionError(f"{self.name}: hamon {' '.join(words)}: {r.returncode}, not {code}:\n"
                                 f"{r.stdout}\n{r.stderr}")
        return r.stdout, r.stderr

    def on_terminal(self, *words, answers=(), code=0):
        """The same with a person who answers each question; all that was on the terminal."""
        pid, fd = pty.fork()
        if pid == 0:
            argv = self.command(*words)
            os.execvp(argv[0], argv)
        seen, asked, left, end = "", 0, list(answers), time.monotonic() + 300
        while time.monotonic() < end:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data.decode()
            if left and seen[asked:].endswith("? "):
                asked = len(seen)
                os.write(fd, (left.pop(0) + "\n").encode())
        os.close(fd)
        got = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if got != code:
            raise AssertionError(f"{self.name}: hamon {' '.join(words)}: {got}, not {code}:\n{seen}")
        return seen


MAILCOW_CONF = """\
# ------------------------------
# mailcow web ui configuration
# ------------------------------
MAILCOW_HOSTNAME=mail.example.org
MAILCOW_PASS_SCHEME=BLF-CRYPT

DBNAME=mailcow
DBUSER=mailcow
DBPASS=dbpass-of-{name}
DBROOT=dbroot-of-{name}
REDISPASS=redis-of-{name}

HTTP_BIND=
HTTPS_BIND=
SQL_PORT=127.0.0.1:13306
COMPOSE_PROJECT_NAME=mailcowdockerized
DOCKER_COMPOSE_VERSION=native
IPV4_NETWORK=172.22.1
IPV6_NETWORK=fd4d:6169:6c63:6f77::/64
SKIP_UNBOUND_HEALTHCHECK=y
"""
