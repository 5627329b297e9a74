#!/usr/bin/env python3
"""A double of the Docker engine for tests and benchmarks: enough of the Engine API over a unix
socket, driven by one-line commands over a second one. Python standard library only.

    fake_docker.py [--with-parent] ENGINE_SOCKET CONTROL_SOCKET

It is ready once CONTROL_SOCKET accepts. Each command is answered by one line: "ok …" or "error …".
REF is a compose service name (the newest container of that name) or an id. Default project: mailcow.

  Containers
    add N [service=S] [state=W] [health=W] [project=P] [oneoff=True] [code=N] [ident=ID] [events=1]
                          N containers; names S (N = 1) or S-0 … S-(N-1); quiet unless events=1
    start REF | die REF [CODE] | pause REF | unpause REF | oom REF | create REF | destroy REF
    health REF starting|healthy|unhealthy
    exec REF              the three exec_* events of a health probe
    restarting REF [CODE] die, and the state is then "restarting" (restart policy)
    set REF key=value …   change without an event: state health code restarts oom error service project
                          pid (of the first process, told while it is up; 0 at first), address, source (of
                          its mount), depends (the label), files (compose files), mounts (VOLUME or
                          /directory, a colon, /destination; commas between), ports (published:
                          25,127.0.0.1:19991), image (its name), image_is (same, other, gone), and
                          those of fake_docker_deeds.py
    forget REF            remove without an event
    clear                 remove all without an event
    storm N               N events (die, start, healthy in turn) over all containers, fast
  Deeds (fake_docker_deeds.py)
    POST /containers/ID/start, stop, kill, update, unpause, as the engine does them
    deeds                 those that were asked for so far, in order: start:SERVICE stop:SERVICE …
                          and how many were under way at once
  Faults
    mode ENDPOINT MODE    ENDPOINT: ping version events list inspect image, start stop kill update
                          unpause, all
                          MODE: ok, hang (no answer), 500, garbage (text, no JSON), close (no answer,
                          connection closed), cut (half of the body, then closed), short (half of the
                          body as if it were whole), stall (half of the body, then nothing), slow (in
                          small pieces with pauses), big (one endless object)
    hold | release        lists are answered with what they saw, but only after `release`
    raw TEXT              put TEXT (\\n allowed) into every event stream
    mute | unmute         event streams stay open but say nothing (events are lost)
    half-close            shut down the sending half of every event stream
    drop                  close every event stream in the middle of a chunk
    refuse                close everything; the socket file stays (connection refused)
    gone                  close everything and remove the socket file
    listen                accept again
    restart [X]           refuse + listen, speaking API X from then on
    api X [MIN]           newest and oldest API version, 1.41 and 1.12 at first
  The engine itself
    about VERSION ROOT    what /version and /info tell (20.10.24 and /var/lib/docker at first)
    volume NAME DEVICE    a local volume that is bound to a directory; asked for alone, it lies there
  Control
    stats                 one line of JSON: requests per endpoint, inspect_max (at once), streams,
                          containers, sent (events)
    reset                 as if it had just been started
    quit
"""

import collections
import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit

sys.dont_write_bytecode = True
from fake_docker_deeds import DEEDS, Deeds  # noqa: E402
from fake_docker_model import IMAGE, Container, Filters  # noqa: E402

PIECE = 32  # events per write in a storm


class Fault(Exception):
    """The connection ends here."""


class Engine(Deeds):
    def __init__(self, path):
        self.path = path
        self.lock = threading.RLock()
        self.connections, self.inspecting = set(), 0
        self.released = threading.Event()
        self.listener = None
        self.reset()

    def reset(self):
        self.refuse()
        self.containers, self.by_service, self.streams = {}, {}, []
        self.modes = collections.defaultdict(lambda: "ok")
        self.count = collections.Counter()
        self.inspect_max = self.sent = 0
        self.api, self.min_api = "1.41", "1.12"
        self.muted = False
        self.version, self.root, self.volumes = "20.10.24", "/var/lib/docker", {}
        self.forget_deeds()
        self.released.set()
        self.listen()

    # ---- the socket ----

    def listen(self):
        if self.listener:
            return
        if os.path.exists(self.path):
            os.unlink(self.path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(self.path)
        s.listen(128)
        self.listener = s
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                if self.listener is not listener:
                    c.close()
                    return
                self.connections.add(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def refuse(self, gone=False):
        with self.lock:
            if self.listener:
                self.listener.shutdown(socket.SHUT_RDWR)
                self.listener.close()
                self.listener = None
            if gone and os.path.exists(self.path):
                os.unlink(self.path)
            for c in self.connections:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.connections.clear()
            self.streams = []

    # ---- HTTP ----

    def serve(self, c):
        try:
            with c, c.makefile("rb") as f:
                while True:
                    line = f.readline(65536).split()
                    if len(line) != 3:
                        return
                    length = 0
                    while header := f.readline(65536).strip():
                        name, _, value = header.partition(b":")
                        if name.lower() == b"content-length":
                            length = int(value)
                    body = f.read(length)
                    if line[0] == b"POST":
                        self.deed(c, line[1].decode(), body)
                    else:
                        self.request(c, line[1].decode())
        except (Fault, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(c)
                self.streams = [s for s in self.streams if s[0] is not c]

    def request(self, c, target):
        url = urlsplit(target)
        path, query = unquote(url.path), parse_qs(url.query)
        parts = path.strip("/").split("/")
        if parts[0].startswith("v1."):
            version = parts.pop(0)[1:]
            bad = self.version_error(version)
            if bad:
                return self.answer(c, "error", 400, {"message": bad})
        if parts == ["_ping"]:
            return self.answer(c, "ping", 200, b"OK")
        if parts == ["version"]:
            return self.answer(c, "version", 200, {"Version": self.version, "ApiVersion": self.api,
                                                   "MinAPIVersion": self.min_api, "Os": "linux"})
        if parts == ["info"]:
            return self.answer(c, "version", 200, {"DockerRootDir": self.root})
        if parts == ["volumes"]:
            return self.answer(c, "version", 200, {"Volumes": [
                {"Name": n, "Driver": "local", "Options": {"type": "none", "o": "bind", "device": d}}
                for n, d in self.volumes.items()], "Warnings": None})
        if len(parts) == 2 and parts[0] == "volumes":
            place = self.volumes.get(parts[1])
            return self.answer(c, "version", 200 if place else 404, {"Name": parts[1], "Mountpoint": place} if place
                               else {"message": "no such volume"})
        filters = Filters(query.get("filters", [""])[0])
        if parts == ["events"]:
            return self.stream(c, filters)
        if parts == ["containers", "json"]:
            every = query.get("all", ["0"])[0] in ("1", "true")
            return self.list(c, filters, every)
        if len(parts) == 3 and parts[0] == "containers" and parts[2] == "json":
            return self.inspect(c, parts[1])
        if len(parts) > 2 and parts[0] == "images" and parts[-1] == "json":
            return self.image(c, "/".join(parts[1:-1]))
        return self.answer(c, "error", 404, {"message": "page not found"})

    def version_error(self, version):
        n, low, high = (tuple(map(int, v.split("."))) for v in (version, self.min_api, self.api))
        if n > high:
            return f"client version {version} is too new. Maximum supported API version is {self.api}"
        if n < low:
            return (f"client version {version} is too old. "
                    f"Minimum supported API version is {self.min_api}")
        return None

    def list(self, c, filters, every):
        with self.lock:
            items = [json.dumps(k.summary()) for k in self.containers.values()
                     if filters.labels(k.labels()) and (every or k.state == "running")]
        self.answer(c, "list", 200, ("[" + ",".join(items) + "]\n").encode())

    def inspect(self, c, ref):
        with self.lock:
            k = self.containers.get(ref)
            self.inspecting += 1
            self.inspect_max = max(self.inspect_max, self.inspecting)
        try:
            if k:
                self.answer(c, "inspect", 200, k.detail())
            else:
                self.answer(c, "inspect", 404, {"message": "No such container: " + ref})
        finally:
            with self.lock:
                self.inspecting -= 1

    def image(self, c, name):
        with self.lock:
            kinds = [k.image_is for k in self.containers.values() if k.image == name]
        if not kinds or kinds[0] == "gone":
            return self.answer(c, "image", 404, {"message": "No such image: " + name})
        image = IMAGE if kinds[0] == "same" else "sha256:" + "1" * 64
        return self.answer(c, "image", 200, {"Id": image, "RepoTags": [name]})

    def stream(self, c, filters):
        self.count["events"] += 1
        self.start_fault(c, "events")
        # a client may act the moment it has the header: subscribe first, under the lock
        with self.lock:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
            self.streams.append((c, filters))
        while c.recv(4096):
            pass
        raise Fault

    def start_fault(self, c, endpoint):
        mode = self.modes[endpoint]
        if mode == "hang":
            while c.recv(4096):
                pass
        if mode in ("hang", "close"):
            raise Fault
        if mode == "500":
            body = b'{"message":"the fake is ill"}\n'
            c.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n%s"
                      % (len(body), body))
            raise Fault
        if mode == "garbage":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<h1>Oops</h1"[:-1] + b">")
            raise Fault
        return mode

    def answer(self, c, endpoint, status, body):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode() + b"\n"
        self.count[endpoint] += 1
        if endpoint == "list" and not self.released.is_set():
            self.released.wait()
        mode = self.start_fault(c, endpoint)
        if mode == "short":
            body = body[:len(body) // 2]
        word = {200: "OK", 400: "Bad Request", 404: "Not Found"}.get(status, "Status")
        head = (f"HTTP/1.1 {status} {word}\r\nContent-Type: application/json\r\n"
                f"Api-Version: {self.api}\r\n").encode()
        if endpoint == "ping" or len(body) < 2048 and mode == "ok":
            c.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            return
        c.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        self.body(c, mode, body)

    def body(self, c, mode, body):
        if mode == "big":
            c.sendall(chunk(b'[{"Id":"'))
            while True:
                c.sendall(chunk(b"a" * 65536))
        if mode in ("cut", "stall"):
            c.sendall(chunk(body[:len(body) // 2]))
            if mode == "stall":
                while c.recv(4096):
                    pass
            raise Fault
        size = max(1, len(body) // 16) if mode == "slow" else 32768
        for i in range(0, len(body), size):
            c.sendall(chunk(body[i:i + size]))
            if mode == "slow":
                time.sleep(0.03)
        c.sendall(b"0\r\n\r\n")

    # ---- events ----

    def emit(self, *events):
        if self.muted:
            return
        for c, filters in list(self.streams):
            mine = [chunk(json.dumps(e).encode() + b"\n") for e in events if filters.event(e)]
            if mine:
                self.try_send(c, b"".join(mine))
                self.sent += len(mine)

    def find(self, ref):
        k = self.containers.get(ref) or self.by_service.get(ref)
        if not k:
            raise KeyError("no container " + ref)
        return k

    def add(self, k):
        self.containers[k.id] = k
        self.by_service[k.service] = k

    def forget(self, k):
        self.containers.pop(k.id, None)
        if self.by_service.get(k.service) is k:
            del self.by_service[k.service]

    def change(self, k, action, word=None):
        """Carry out one action on a container; returns its event."""
        now, more = time.time(), {}
        if action == "start":
            k.state, k.started, k.code, k.oom, k.error = "running", now, 0, False, ""
            k.health = "starting" if k.check else "none"
        elif action in ("die", "restarting"):
            k.state = "exited" if action == "die" else "restarting"
            k.finished, k.code = now, int(word or 0)
            k.restarts += action == "restarting"
            action, more = "die", {"exitCode": str(k.code)}
        elif action == "pause":
            k.state = "paused"
        elif action == "unpause":
            k.state = "running"
        elif action == "oom":
            k.oom = True
        elif action == "health":
            if word not in ("starting", "healthy", "unhealthy"):
                raise ValueError("no such health: %s" % word)
            k.health, k.check, action = word, True, "health_status: " + word
        elif action == "destroy":
            self.forget(k)
        elif action != "create":
            raise KeyError("no command " + action)
        return k.event(action, **more)

    def storm(self, n):
        ks, batch = list(self.containers.values()), []
        for i in range(n):
            k, turn = ks[i % len(ks)], i // len(ks) % 3
            if turn == 2 and not k.check:
                turn = 0
            batch.append(self.change(k, ("die", "start", "health")[turn],
                                     "healthy" if turn == 2 else None))
            if len(batch) == PIECE:
                self.send(batch)
                batch.clear()
        self.send(batch)

    def send(self, batch):
        with self.lock:
            self.emit(*batch)

    def end_streams(self, how):
        for c, _ in self.streams:
            if how == "drop":
                self.try_send(c, b"40\r\n{\"half")
            c.shutdown(socket.SHUT_RDWR if how == "drop" else socket.SHUT_WR)

    @staticmethod
    def try_send(c, data):
        try:
            c.sendall(data)
        except OSError:
            pass  # a stream its reader has left


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Control:
    """The one-line commands; each method gets the words after the command."""

    def __init__(self, engine):
        self.e = engine

    def run(self, line):
        words = line.split()
        if not words:
            return "error empty"
        name = words[0].replace("-", "_")
        try:
            if name == "storm":  # lists and inspections go on meanwhile
                self.e.storm(int(words[1]))
                return "ok"
            with self.e.lock:
                if hasattr(self, "do_" + name):
                    rest = [line.partition(" ")[2]] if name == "raw" else words[1:]
                    return "ok " + str(getattr(self, "do_" + name)(*rest) or "")
                k = self.e.find(words[1]) if len(words) > 1 else None
                if not k:
                    raise KeyError("no command " + name)
                self.e.emit(self.e.change(k, name, *words[2:3]))
                return "ok " + k.id
        except (KeyError, ValueError, TypeError, OSError, IndexError) as x:
            return "error " + str(x).replace("\n", " ")

    def do_add(self, n, *pairs):
        options = dict(p.split("=", 1) for p in pairs)
        base, loud = options.pop("service", "svc"), options.pop("events", "0") == "1"
        for i in range(int(n)):
            k = Container(base if n == "1" else f"{base}-{i}", **options)
            self.e.add(k)
            if loud:
                self.e.emit(k.event("create"))
        return k.id

    def do_exec(self, ref):
        k = self.e.find(ref)
        self.e.emit(*(k.event(a) for a in ("exec_create: sh -c true", "exec_start: sh -c true",
                                           "exec_die")))

    def do_set(self, ref, *pairs):
        k = self.e.find(ref)
        for key, value in (p.split("=", 1) for p in pairs):
            kind = type(getattr(k, key))
            setattr(k, key, value == "True" if kind is bool else kind(value))
        k.check = k.check or k.health != "none"

    def do_forget(self, ref):
        self.e.forget(self.e.find(ref))

    def do_clear(self):
        self.e.containers.clear()
        self.e.by_service.clear()

    def do_mode(self, endpoint, mode):
        known = ("ping", "version", "events", "list", "inspect", "image") + DEEDS
        if mode not in ("ok", "hang", "500", "garbage", "close", "cut", "short", "stall", "slow",
                        "big") or endpoint not in known + ("all",):
            raise ValueError("no such endpoint or mode")
        for name in known if endpoint == "all" else (endpoint,):
            self.e.modes[name] = mode

    def do_hold(self):
        self.e.released.clear()

    def do_release(self):
        self.e.released.set()

    def do_raw(self, text):
        data = text.encode().decode("unicode_escape").encode("latin-1")
        for c, _ in self.e.streams:
            self.e.try_send(c, chunk(data))

    def do_mute(self):
        self.e.muted = True

    def do_unmute(self):
        self.e.muted = False

    def do_half_close(self):
        self.e.end_streams("half")

    def do_drop(self):
        self.e.end_streams("drop")

    def do_refuse(self):
        self.e.refuse()

    def do_gone(self):
        self.e.refuse(gone=True)

    def do_listen(self):
        self.e.listen()

    def do_restart(self, *api):
        self.e.refuse()
        self.e.api = api[0] if api else self.e.api
        self.e.listen()

    def do_api(self, api, low="1.12"):
        self.e.api, self.e.min_api = api, low

    def do_about(self, version, root):
        self.e.version, self.e.root = version, root

    def do_volume(self, name, device):
        self.e.volumes[name] = device

    def do_stats(self):
        e = self.e
        names = ("ping", "version", "events", "list", "inspect", "error")
        return json.dumps({**{n: e.count[n] for n in names}, "inspect_max": e.inspect_max,
                           "streams": len(e.streams), "containers": len(e.containers),
                           "sent": e.sent})

    def do_deeds(self):
        return " ".join(self.e.deeds) + " most=%d" % self.e.deeds_most

    def do_reset(self):
        self.e.reset()

    def do_quit(self):
        os._exit(0)

    def serve(self, c):
        try:
            # one file for both would throw away what it has read ahead when it writes
            with c, c.makefile("r") as commands, c.makefile("w") as answers:
                for line in commands:
                    answers.write(self.run(line.rstrip("\n")) + "\n")
                    answers.flush()
        except (OSError, ValueError):
            pass


def main():
    args = sys.argv[1:]
    if args[:1] == ["--with-parent"]:
        args = args[1:]
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if len(args) != 2:
        sys.exit(__doc__)
    sys.setswitchinterval(0.001)
    engine, path = Engine(args[0]), args[1]
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(8)
        control = Control(engine)
        while True:
            c, _ = s.accept()
            threading.Thread(target=control.serve, args=(c,), daemon=True).start()


if __name__ == "__main__":
    main()
