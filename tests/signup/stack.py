"""nginx with our site include, signup, and the double of Mailcow's API, on this machine, for one test."""
import hashlib
import http.client
import html
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or os.path.join(SOURCE, "build/debug/bin")
SIGNUP = os.environ.get("MHA_SIGNUP") or BIN + "/signup"  # tests of speed and memory take the optimised one
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 80"><rect x="8" y="20" width="84" height="52" rx="5"
fill="#f5d76e"/><path d="M8 24l42 30 42-30" fill="none" stroke="#b58863" stroke-width="5"/></svg>"""

NGINX = """
daemon off;
worker_processes 1;
user root;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    include /etc/nginx/mime.types;
    client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {dir}/cert.pem;
        ssl_certificate_key {dir}/cert.key;
        add_header X-Frame-Options SAMEORIGIN;
        location /img/ {{ root {dir}; }}
        include {dir}/site.signup.custom;
        location / {{ default_type text/html; return 200 '<!DOCTYPE html><title>Mailcow</title>'; }}
    }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.02)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class Stack:
    """conf: {"section.key": value} over what the test needs; signups: how many instances, one socket each."""

    def __init__(self, conf=None, signups=1):
        self.tmp = tempfile.TemporaryDirectory(prefix="mha-signup.")
        self.dir = self.tmp.name
        os.chmod(self.dir, 0o755)
        self.port, self.api_port = free_port(), free_port()
        self.children, self.conf = [], conf or {}
        self.key = "AAAAAA-BBBBBB-CCCCCC-DDDDDD-EEEEEE"
        self.secret("key", self.key)
        self.secret("secret", "0123456789abcdef0123456789abcdef")
        self.start("fake", ["python3", SOURCE + "/tests/fake/fake_mailcow.py", str(self.api_port), self.key])
        self.signup = [self.start_signup(i) for i in range(signups)]
        self.start_nginx()
        wait_for("the double", lambda: self.connects(self.api_port))
        wait_for("nginx", lambda: self.connects(self.port))

    def secret(self, name, text):
        fd = os.open(os.path.join(self.dir, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, (text + "\n").encode())
        os.close(fd)

    @staticmethod
    def connects(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def start(self, name, argv, stdin=subprocess.DEVNULL, env=None):
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            env = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=2", **(env or {})}  # or memory never looks flat
            child = subprocess.Popen(argv, stdin=stdin, stdout=log, stderr=log, env=env)
        self.children.append(child)
        return child

    def config_file(self, i=0):
        values = {
            "signup.listen": f"{self.dir}/{i}.sock", "signup.data_dir": SOURCE, "signup.threads": "16",
            "signup.domains": "example.org", "signup.title": "Example Mail", "signup.mode": "open",
            "signup.contact": "help@example.org", "mailcow.hostname": "mail.example.org",
            "mailcow.url": f"http://127.0.0.1:{self.api_port}", "mailcow.timeout": "2s",
            "mailcow.api_key_file": f"{self.dir}/key", "gate.secret_file": f"{self.dir}/secret",
            "gate.min_age": "0s", "gate.kinds": "image pow", "limit.attempts": "off", "limit.pages": "off",
            "limit.per_address": "off", "limit.per_network": "off", "limit.per_domain": "off", "limit.global": "off",
            "mailbox.quota_mib": "512", **self.conf}
        path = f"{self.dir}/signup{i}.conf"
        sections = {}
        for key, value in values.items():
            sections.setdefault(key.split(".")[0], []).append(f"{key.split('.')[1]} = {value}")
        with open(path, "w", encoding="utf-8") as f:
            for section, lines in sections.items():
                f.write(f"[{section}]\n" + "\n".join(lines) + "\n")
        return path

    def start_signup(self, i=0):
        child = self.start(f"signup{i}", [SIGNUP, "-c", self.config_file(i)])
        wait_for("signup", lambda: os.path.exists(f"{self.dir}/{i}.sock") or child.poll() is not None)
        if child.poll() is not None:
            raise AssertionError(self.log(i))
        return child

    def start_nginx(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-keyout", self.dir + "/cert.key", "-out",
                        self.dir + "/cert.pem"], check=True, stderr=subprocess.DEVNULL)
        os.makedirs(self.dir + "/img")
        with open(self.dir + "/img/cow_mailcow.svg", "w", encoding="utf-8") as f:
            f.write(LOGO)
        self.upstream(0, False)
        with open(self.dir + "/nginx.conf", "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=self.dir, port=self.port))
        self.nginx = self.start("nginx", ["nginx", "-c", self.dir + "/nginx.conf", "-e", self.dir + "/nginx.log"])

    def upstream(self, i, reload=True, where=None):
        """The site include as it is shipped; only the name of the upstream is ours."""
        with open(SOURCE + "/templates/nginx/site.signup.custom", encoding="utf-8") as f:
            text = f.read()
        want = "set $signup signup-mailcow:9000;"
        assert text.count(want) == 1
        with open(self.dir + "/site.signup.custom", "w", encoding="utf-8") as f:
            f.write(text.replace(want, f"set $signup {where or f'unix:{self.dir}/{i}.sock'};"))
        if reload:
            old = self.workers()
            self.nginx.send_signal(signal.SIGHUP)
            wait_for("nginx's new workers, and the end of the old ones",
                     lambda: (now := self.workers()) and not now & old)

    def workers(self):
        return set(subprocess.run(["pgrep", "-P", str(self.nginx.pid)], stdout=subprocess.PIPE, check=False).stdout.split())

    def log(self, i=0):
        with open(f"{self.dir}/signup{i}.log", encoding="utf-8") as f:
            return f.read()

    def api(self, path, data=None):
        c = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=60)
        c.request("POST" if data is not None else "GET", path, json.dumps(data) if data is not None else None)
        answer = json.loads(c.getresponse().read())
        c.close()
        return answer

    def connection(self):
        context = ssl._create_unverified_context()  # pylint: disable=protected-access
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=120, context=context)

    def state(self):
        return self.api("/_state")

    def mailbox(self, address):
        return self.state()["mailboxes"].get(address)

    def command(self, *words):
        return subprocess.run([SIGNUP, "-c", self.config_file(0), *words], capture_output=True, text=True,
                              timeout=60, check=False)

    def stop(self):
        codes = []
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
            try:
                codes.append(child.wait(60))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                codes.append(None)
        self.tmp.cleanup()
        return codes


class Handed:
    """A portal whose socket outlives it, as with systemd's socket units: made here, inherited by one process after
    another, so that who comes while none is there waits in its queue."""

    def __init__(self, stack, i, program=SIGNUP):
        self.stack, self.i, self.path, self.starts = stack, i, f"{stack.dir}/handed{i}.sock", 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.listen(1024)
        conf, stack.conf = stack.conf, {**stack.conf, "signup.listen": "inherited"}
        self.argv = [program, "-c", stack.config_file(i)]
        stack.conf = conf
        self.start()

    def start(self):
        self.child = self.stack.start(f"signup{self.i}", self.argv, self.socket)
        self.starts += 1
        wait_for("started", lambda: self.stack.log(self.i).count("event=started") == self.starts or
                 self.child.poll() is not None, 60)
        assert self.child.poll() is None, self.stack.log(self.i)

    def stop(self):
        """Ends it; what it has begun it finishes."""
        self.child.terminate()
        return self.child.wait(60)

    def close(self):
        code = self.stop()
        self.socket.close()
        return code


class Browser:
    """What a browser without scripts does: keeps cookies, follows the form."""

    def __init__(self, stack, headers=None):
        self.stack, self.cookies, self.headers = stack, {}, headers or {}
        self.status, self.head, self.text, self.data = 0, None, "", b""

    def send(self, method, path, body=None, headers=None):
        c = self.stack.connection()
        h = {"Host": f"localhost:{self.stack.port}", **self.headers, **(headers or {})}
        if self.cookies:
            h["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        c.request(method, path, body, {k: v for k, v in h.items() if v is not None})
        r = c.getresponse()
        self.data = r.read()
        self.status, self.head = r.status, r.headers
        self.text = self.data.decode("utf-8", "replace")
        for cookie in r.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        c.close()
        return self

    def get(self, path="/signup/", **headers):
        return self.send("GET", path, headers=headers)

    def post(self, fields, path="/signup/", **headers):
        h = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://localhost:{self.stack.port}",
             "Sec-Fetch-Site": "same-origin", **headers}
        return self.send("POST", path, urllib.parse.urlencode(fields), h)

    def hidden(self, name):
        found = re.search(f'name="{name}"[^>]* value="([^"]*)"', self.text)
        return html.unescape(found.group(1)) if found else ""

    def errors(self):
        return set(re.findall(r'id="([a-z0-9_]+)-error"', self.text))

    def form(self, **over):
        """The fields of the page at hand, with the proof of work done."""
        fields = {"csrf": self.hidden("csrf"), "ticket": self.hidden("ticket"), "name": "Zoë O'Neil",
                  "local_part": "zoe", "domain": "example.org", "password": "umbrella <&>\"' 42",
                  "recovery": "", "website": "", "gate": "pow"}
        if self.hidden("gate") == "pass":
            fields["gate"] = "pass"
        fields.update(over)
        fields.setdefault("password2", fields["password"])
        if fields.get("gate") == "pow" and "pow" not in fields:
            bits = int(re.search(r'data-pow="(\d+)"', self.text).group(1))
            fields["pow"] = solve(fields["ticket"], bits)
        return {k: v for k, v in fields.items() if v is not None}

    def sign_up(self, **over):
        self.get()
        return self.post(self.form(**over))


def solve(ticket, bits):
    n = 0
    while True:
        digest = hashlib.pbkdf2_hmac("sha256", ticket.encode(), b"signup-pow:%d" % n, 5000)
        if int.from_bytes(digest[:4], "big") >> (32 - bits) == 0:
            return str(n)
        n += 1
