"""The two sides of tests/bench/signup behind one nginx: the portal, and the same form and an equivalent picture in PHP
(php-fpm, GD, Twig). And wrk, which loads them."""
import http.client
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../signup"))
# pylint: disable=wrong-import-position
from signup_pages import write_all
from stack import SOURCE, Stack, free_port, wait_for

WORKERS = 4  # of php-fpm
THREADS = 64
TITLE, CONTACT = "Example Mail", "help@example.org"

NGINX = """
daemon off;
worker_processes 1;
user {user};
pid {dir}/nginx.pid;
error_log {dir}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    include /etc/nginx/mime.types;
    client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    gzip on;                                    # as Mailcow's; wrk does not ask for it
    server {{
        listen 127.0.0.1:{port};
        include {dir}/site.signup.custom;
    }}
    server {{
        listen 127.0.0.1:{php_port};
        location ~ ^/(form|twig|captcha)$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {dir}/php/$1.php;
            fastcgi_buffer_size 16k;
            fastcgi_buffers 16 16k;
            fastcgi_pass unix:{dir}/php.sock;
        }}
    }}
}}
"""

FPM = """
[global]
error_log = {dir}/fpm.log
daemonize = no
[www]
{owner}
listen = {dir}/php.sock
listen.mode = 0666
listen.backlog = 511
pm = static
pm.max_children = {workers}
"""

# What is needed and no more, as a lean server has it; Debian's JIT is off.
INI = """
extension = ctype
extension = gd
extension = mbstring
zend_extension = opcache
opcache.enable = 1
opcache.enable_cli = 1
opcache.validate_timestamps = 0
expose_php = 0
"""

# as signup/request.c sends them
HEADERS = (
    "Cache-Control: no-store",
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Referrer-Policy: same-origin",
    "Cross-Origin-Opener-Policy: same-origin", "Cross-Origin-Resource-Policy: same-origin",
    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()", "X-Robots-Tag: noindex",
    "Strict-Transport-Security: max-age=31536000")


def php_literal(value):
    if isinstance(value, dict):
        return "[" + ", ".join(f"{php_literal(k)} => {php_literal(v)}" for k, v in value.items()) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(php_literal(v) for v in value) + "]"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


class World(Stack):
    """Both sides up. `own` is the portal's process."""

    def __init__(self):
        self.php_port = free_port()
        super().__init__({"signup.threads": str(THREADS), "gate.kinds": "image audio pow", "signup.title": TITLE,
                          "signup.contact": CONTACT, "limit.pages": "1000000/1s"})
        self.own = self.signup[0]
        self.names = []

    def start_nginx(self):
        self.upstream(0, False)
        with open(self.dir + "/nginx.conf", "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=self.dir, port=self.port, php_port=self.php_port,
                                 user="root" if os.geteuid() == 0 else "nobody"))
        self.nginx = self.start("nginx", ["nginx", "-c", self.dir + "/nginx.conf", "-e", self.dir + "/nginx.log"])

    # ---- PHP ----

    def start_php(self):
        """After the portal's page was seen: where its static files are is in there."""
        page = fetch(self.port, "/signup/")[1].decode()
        php = self.dir + "/php"
        shutil.copytree(HERE + "/php", php)
        os.makedirs(php + "/templates/cache")
        names = write_all(SOURCE + "/templates/signup", php + "/templates")
        with open(php + "/config.php", "w", encoding="utf-8") as f:
            f.write("<?php\nreturn " + php_literal(self.php_config(names, page)) + ";\n")
        self.write("php.ini", INI)
        root = os.geteuid() == 0
        self.write("fpm.conf", FPM.format(dir=self.dir, workers=WORKERS, owner="user = www-data" if root else ""))
        if root:
            shutil.chown(php + "/templates/cache", "www-data")
        self.php = self.start("php", [fpm(), "-c", self.dir + "/php.ini", "-y", self.dir + "/fpm.conf"],
                              env={"PHP_INI_SCAN_DIR": ""})
        wait_for("php-fpm", lambda: os.path.exists(self.dir + "/php.sock") and len(self.php_pids()) == WORKERS)

    def php_config(self, names, page):
        locales = {}
        for file in sorted(os.listdir(SOURCE + "/locales")):
            code = file.split(".")[1]
            with open(f"{SOURCE}/locales/{file}", encoding="utf-8") as f:
                locales[code[:2]] = {"code": code, "name": json.load(f)["_name"]}
        values = dict.fromkeys(names, "")
        values.update({"asset:" + name: re.search(r'"(/signup/s/%s\.[0-9a-f]+\.%s)"' % tuple(name.split(".")), page)[1]
                       for name in ("signup.css", "theme.js", "signup.js", "pow.js")})
        values.update({"base": "/signup", "title": TITLE, "contact": CONTACT, "login_url": "/", "domains": [],
                       "errors": [], "one_domain": "example.org", "has_image": "on", "has_audio": "on",
                       "has_pow": "on", "many_gates": "on", "captcha_shown": "on", "on_image": "on",
                       "first_gate": "pow"})
        for name, found in (("logo", r'class="logo" src="([^"]*)"'), ("pow", r'data-pow="(\d+)"'),
                            ("login_url", r'<a href="([^"]*)">Log in'),
                            ("policy", r'id="password-hint">[^<]*are fine\. ([^<]*)<')):
            match = re.search(found, page)
            values[name] = match.group(1) if match else ""
        rules = dict(re.findall(r"^#?([a-z_]+) = (\d+)$", self.command("config").stdout, re.M))
        values["filled"] = {"{" + key + "}": rules[key] for key in ("local_min", "local_max", "password_min",
                                                                    "password_max", "name_max")}
        values.update({key: rules[key] for key in ("local_max", "password_max", "name_max")})
        return {"locales": SOURCE + "/locales", "secret": "the key of the benchmark: no secret", "languages": locales,
                "values": values, "headers": HEADERS}

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def php_log(self):
        with open(self.dir + "/fpm.log", encoding="utf-8") as f, open(self.dir + "/nginx.log", encoding="utf-8") as g:
            return (f.read() + g.read())[-2000:]

    def php_pids(self):
        with open(f"/proc/{self.php.pid}/task/{self.php.pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]

    def own_pids(self):
        return [self.own.pid]

    # ---- load ----

    def paths(self, name, paths):
        self.write(name + ".paths", "".join(p + "\n" for p in paths))

    def wrk(self, port, name, clients, seconds):
        out = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s",
                              HERE + "/load.lua", f"http://127.0.0.1:{port}", "--", f"{self.dir}/{name}.paths"],
                             capture_output=True, text=True, check=True).stdout
        return json.loads(out.splitlines()[-1])


def record(kind, data):
    return struct.pack(">BBHHBB", 1, kind, 1, len(data), 0, 0) + data


def fastcgi_get(path, uri):
    """One request as nginx sends it, straight to a unix socket: what came on FCGI_STDOUT."""
    params = b""
    for name, value in (("REQUEST_METHOD", "GET"), ("REQUEST_URI", uri), ("REMOTE_ADDR", "127.0.0.1"),
                        ("QUERY_STRING", ""), ("HTTP_HOST", "localhost")):
        params += bytes((len(name), len(value))) + name.encode() + value.encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(path)
        s.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
        data = b"".join(iter(lambda: s.recv(65536), b""))
    out = b""
    while data:
        kind, length, padding = struct.unpack(">xBxxHBx", data[:8])
        out += data[8:8 + length] if kind == 6 else b""
        data = data[8 + length + padding:]
    return out


def fpm():
    for directory in ("/usr/sbin", "/usr/bin"):
        found = sorted(f for f in os.listdir(directory) if re.fullmatch(r"php-fpm\d[\d.]*", f))
        if found:
            return f"{directory}/{found[-1]}"
    raise SystemExit("bench: no php-fpm; make bench-signup installs it")


def fetch(port, path, headers=""):
    """One GET over a connection of its own: (head, body)."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n".encode())
        data = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise AssertionError(f"{path}: {head.decode(errors='replace')}")
    return head.decode(), body
