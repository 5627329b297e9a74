#!/usr/bin/env python3
"""The portal as a container: the image as it is shipped, the compose override as it is shipped over the rig's
stand-in for Mailcow's file, nginx in front, on a Docker engine of its own (box). Mailcow's API is the double,
behind that nginx as in Mailcow."""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import unittest

from stack import SOURCE, Browser, Stack, wait_for

BOX = os.environ.get("BOX_DIR", "")
KEY = "AAAAAA-BBBBBB-CCCCCC-DDDDDD-EEEEEE"
NAME, API_PORT, UID = "mailcowdockerized_signup-mailcow_1", 18000, 9000

NGINX = """
worker_processes 1;
error_log /dev/stderr warn;
events { worker_connections 512; }
http {
    access_log off;
    server {
        listen 443 ssl;
        server_name mail.example.org;
        ssl_certificate /etc/nginx/conf.d/cert.pem;
        ssl_certificate_key /etc/nginx/conf.d/cert.key;
        location /api/ { proxy_pass http://172.22.1.1:%d; }
        include /etc/nginx/conf.d/site.*.custom;
    }
}
""" % API_PORT

# What the stand-in lacks of Mailcow, and a certificate that nobody's list has.
TEST_YML = """
services:
  nginx-mailcow:
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./data/conf/nginx:/etc/nginx/conf.d:ro"]
    networks: {mailcow-network: {aliases: [nginx, mail.example.org]}}
  mysql-mailcow: # one member; its data go with the box
    command:
      - sh
      - -c
      - >-
        chown mysql /run/mysqld && mariadb-install-db --no-defaults --user=mysql --skip-test-db
        --auth-root-authentication-method=socket && exec mariadbd --no-defaults --user=mysql
        --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock --skip-networking
  signup-mailcow:
    healthcheck: {interval: 2s}
    volumes: ["./data/conf/nginx/cert.pem:/etc/mailcow-ha/cert.pem:ro"]
"""

CONF = """
[signup]
title = Example Mail
domains = example.org
[mailcow]
url = https://mail.example.org
ca_file = /etc/mailcow-ha/cert.pem
[gate]
min_age = 0s
[limit]
attempts = off
per_address = off
"""

STORE = """
[store]
kind = galera
socket = /var/run/mysqld/mysqld.sock
"""


def run(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=900, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout.strip()


def write(path, text, uid=0, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chown(path, uid, uid)
    os.chmod(path, mode)


class Container(unittest.TestCase):
    port = 443  # a Browser asks 127.0.0.1 there: nginx publishes it, as Mailcow's does

    @classmethod
    def setUpClass(cls):
        cls.images()
        cls.files()
        cls.compose("up", "-d", "--no-deps", "nginx-mailcow", "signup-mailcow")
        with open(BOX + "/fake.log", "wb") as log:  # on the host's end of Mailcow's network, which now is there
            cls.fake = subprocess.Popen([sys.executable, SOURCE + "/tests/fake/fake_mailcow.py", str(API_PORT), KEY,
                                         "172.22.1.1"], stdout=log, stderr=log)
        wait_for("the portal behind nginx", cls.answers, 60)

    @classmethod
    def tearDownClass(cls):
        cls.fake.terminate()
        cls.fake.wait(20)

    @classmethod
    def compose(cls, *words):
        files = ("docker-compose.yml", "docker-compose.override.yml", "test.yml")
        return run("docker-compose", *(w for f in files for w in ("-f", f)), *words, cwd=cls.dir)

    @classmethod
    def images(cls):
        for name, tar in zip(("mailrig:test", "debian:bookworm-slim"), os.environ["BOX_IMAGES"].splitlines()):
            with open(tar, "rb") as f:
                run("docker", "import", "-", name, stdin=f)
        run(SOURCE + "/tools/image")

    @classmethod
    def files(cls):
        """A server's /opt/mailcow-dockerized and /etc/mailcow-ha (the box has an /etc of its own)."""
        cls.dir = BOX + "/mailcow"
        shutil.copytree(SOURCE + "/tests/rig/mailcow", cls.dir)
        shutil.copy(SOURCE + "/templates/container/docker-compose.override.yml", cls.dir)
        shutil.copytree(SOURCE + "/templates/nginx", cls.dir + "/data/conf/nginx")
        with open(cls.dir + "/mailcow.conf", encoding="utf-8") as f:
            write(cls.dir + "/.env", f.read().replace("@KEY@", "test"))
        write(cls.dir + "/nginx.conf", NGINX)
        write(cls.dir + "/test.yml", TEST_YML)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=mail.example.org", "-addext", "subjectAltName=DNS:mail.example.org", "-keyout",
            cls.dir + "/data/conf/nginx/cert.key", "-out", cls.dir + "/data/conf/nginx/cert.pem")
        write("/etc/mailcow-ha/signup.conf", CONF)
        write("/etc/mailcow-ha/mailcow.key", KEY + "\n", UID, 0o400)
        write("/etc/mailcow-ha/signup.secret", "0123456789abcdef" * 4 + "\n", UID, 0o400)

    @classmethod
    def connection(cls):
        return Stack.connection(cls)

    @classmethod
    def page(cls):
        try:
            return Browser(cls).get().text
        except OSError:
            return ""

    @classmethod
    def answers(cls):
        return 'name="ticket"' in cls.page()

    @classmethod
    def api(cls, path, data=None):
        c = http.client.HTTPConnection("172.22.1.1", API_PORT, timeout=20)
        c.request("POST" if data is not None else "GET", path, json.dumps(data) if data is not None else None)
        answer = json.loads(c.getresponse().read())
        c.close()
        return answer

    @staticmethod
    def inspect(what):
        return run("docker", "inspect", "-f", "{{" + what + "}}", NAME)

    @staticmethod
    def logs():
        return subprocess.run(["docker", "logs", NAME], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=True).stdout

    @staticmethod
    def inside(*words):
        return run("docker", "exec", NAME, *words)

    def assert_created(self, b, address):
        self.assertEqual(b.status, 200, b.errors() or b.text[:300])
        self.assertIn('id="address"', b.text)
        self.assertTrue(self.api("/_state")["mailboxes"][address]["alias"])

    def test_signs_up_by_calculation(self):
        self.assert_created(Browser(self).sign_up(local_part="first"), "first@example.org")
        state = self.api("/_state")
        self.assertEqual(state["mailboxes"]["first@example.org"]["active"], 1)

    def test_health(self):
        b = Browser(self).get("/signup/health")
        self.assertEqual((b.status, b.text), (200, '{"status":"ok"}\n'))
        wait_for("healthy", lambda: self.inspect(".State.Health.Status") == "healthy", 120)

    def test_a_hang_is_unhealthy(self):
        run("docker", "kill", "-s", "STOP", NAME)  # its socket still accepts
        try:
            wait_for("unhealthy", lambda: self.inspect(".State.Health.Status") == "unhealthy", 180)
        finally:
            run("docker", "kill", "-s", "CONT", NAME)
        wait_for("healthy again", lambda: self.inspect(".State.Health.Status") == "healthy", 120)

    def test_it_can_do_nothing_else(self):
        self.assertEqual(self.inspect(".Config.User"), "9000:9000")
        status = dict(line.split(":\t", 1) for line in self.inside("cat", "/proc/1/status").splitlines())
        self.assertEqual({status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"], status["Uid"].split()), ("1", ["9000"] * 4))
        for path in ("/x", "/tmp/x", "/usr/sbin/x", "/run/secrets/x", "/etc/mailcow-ha/signup.conf"):
            said = run("docker", "exec", "-u", "0", NAME, "sh", "-c", f"(: >>{path}) 2>&1 || :")  # not even root
            self.assertIn("Read-only file system", said, path)
        for secret in ("mailcow.key", "signup.secret"):
            self.assertEqual(self.inside("stat", "-c", "%a %u", "/run/secrets/" + secret), "400 9000")
        self.assertEqual(self.inspect(".HostConfig.PortBindings"), "map[]")
        self.assertNotIn(KEY, self.inspect("json .Config") + self.logs())

    def test_commands_of_the_operator(self):
        self.assertIn("fine: 5 languages", self.compose("run", "--rm", "signup-mailcow", "check-config"))
        Browser(self).sign_up(local_part="robot", website="http://spam.example")
        self.assertIn("robot@example.org\t", self.inside("signup", "pending", "list"))

    def test_restart(self):
        b = Browser(self).get()
        fields = b.form(local_part="patient")
        run("docker", "restart", NAME)
        wait_for("the portal after its restart", self.answers, 60)
        self.assert_created(b.post(fields), "patient@example.org")

    def test_stop_finishes_what_it_has(self):
        self.api("/_next", {"add": ["slow"]})
        b = Browser(self).get()
        t = threading.Thread(target=b.post, args=(b.form(local_part="drain"),))
        t.start()
        wait_for("the add under way", lambda: "drain" in str(self.api("/_state")["requests"]))
        run("docker", "stop", NAME)
        t.join()
        self.assert_created(b, "drain@example.org")
        self.assertEqual((self.inspect(".State.ExitCode"), self.inspect(".Config.StopTimeout")), ("0", "40"))
        self.assertIn("msg=drained", self.logs())
        self.compose("restart", "nginx-mailcow")      # must start without the portal's name
        wait_for("nginx without a portal", lambda: "try again in a moment" in self.page(), 60)
        self.compose("up", "-d", "--no-deps", "signup-mailcow")
        wait_for("the portal again", self.answers, 60)

    def test_with_the_database(self):
        """What the template has in comments, for invites and for several nodes."""
        with open(self.dir + "/docker-compose.override.yml", encoding="utf-8") as f:
            text, n = re.subn(r"(?m)^( +)# (?=SIGNUP_STORE|(- )?galera\.pass|- mysql-socket)", r"\1", f.read())
        self.assertEqual(n, 4)
        write(self.dir + "/docker-compose.override.yml", text)
        write("/etc/mailcow-ha/signup.conf", CONF.replace("min_age = 0s", "min_age = 0s\nkinds = invite pow") + STORE)
        write("/etc/mailcow-ha/galera.pass", "of the database\n", UID, 0o400)
        self.compose("up", "-d", "--no-deps", "mysql-mailcow")
        sql = ["docker", "exec", NAME.replace("signup", "mysql"), "mariadb", "--no-defaults", "-S",
               "/run/mysqld/mysqld.sock", "-e"]
        wait_for("the database", lambda: subprocess.run([*sql, "SELECT 1"], capture_output=True, check=False,
                                                        timeout=60).returncode == 0, 120)
        run(*sql, "CREATE DATABASE hamon; CREATE USER hamon@localhost IDENTIFIED BY 'of the database'; "
                  "GRANT ALL ON hamon.* TO hamon@localhost")
        self.compose("up", "-d", "--no-deps", "signup-mailcow")
        wait_for("the portal with a database", self.answers, 60)
        code = self.inside("signup", "invite", "new", "--uses", "1")
        b = Browser(self).sign_up(local_part="friend", gate="invite", invite=code)
        self.assert_created(b, "friend@example.org")
        self.assertEqual(Browser(self).sign_up(local_part="friend2", gate="invite", invite=code).errors(), {"gate"})
        self.assertNotIn(code, self.logs())


if __name__ == "__main__":
    if not BOX:  # which has no network
        os.environ["BOX_IMAGES"] = run(SOURCE + "/tests/signup/images")
        os.execv(SOURCE + "/tests/signup/box", ["box", sys.executable, *sys.argv])
    unittest.main(verbosity=2)
