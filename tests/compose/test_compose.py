#!/usr/bin/env python3
"""compose.override.yml over Mailcow's layout (mailcow/): what docker-compose makes of the two, then on a Docker engine
of its own (box) whether a container can start without the shared volume, and the redis-server that turns dump.rdb."""
import json
import os
import re
import time
import unittest

import yaml

from engine import BOX, FIXTURE, MOUNT, OVERRIDE, SHARED, SOURCE
from engine import compose, enter_box, files, images, override_here, read, run, wait_for, write

OWN = {"mysql-vol-1", "mysql-socket-vol-1", "rspamd-vol-1", "postfix-tlspol-vol-1", "sogo-web-vol-1", "clamd-db-vol-1"}
STATEFUL = {"redis-mailcow", "dovecot-mailcow", "postfix-mailcow", "sogo-mailcow", "watchdog-mailcow"}
WARM = {"unbound-mailcow", "netfilter-mailcow", "mysql-mailcow", "postfix-tlspol-mailcow", "memcached-mailcow",
        "clamd-mailcow", "olefy-mailcow", "dockerapi-mailcow"}
REDIS = "mailcowdockerized_redis-mailcow_1"


def config(override=OVERRIDE):
    return yaml.safe_load(compose("config", override=override, cwd=FIXTURE))


def mounts(service):
    """target -> (what is mounted, mode)"""
    ret = {}
    for v in service.get("volumes", []):
        if isinstance(v, dict):
            ret[v["target"]] = (v["source"], "ro" if v.get("read_only") else "rw")
        else:
            what, target, *mode = v.split(":")
            ret[target.rstrip("/")] = (what, mode[0] if mode else "rw")
    return ret


class Config(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plain, cls.ours = config(None), config()

    def test_it_has_every_service_and_volume(self):
        self.assertEqual(len(self.plain["services"]), 18)
        self.assertEqual(set(self.plain["services"]), {s for s in self.ours["services"] if s != "signup-mailcow"})
        self.assertEqual(set(self.ours["volumes"]), SHARED.keys() | OWN)

    def test_each_class_of_volume_is_where_it_belongs(self):
        for name, where in SHARED.items():
            self.assertEqual(self.ours["volumes"][name], {"driver": "local", "driver_opts": {
                "type": "none", "o": "bind", "device": MOUNT + "/" + where}}, name)
        for name in OWN:
            self.assertFalse(self.ours["volumes"][name], name)

    def test_mounts_are_mailcows_and_never_copied_to_the_shared_volume(self):
        for name, service in self.plain["services"].items():
            before, after = mounts(service), mounts(self.ours["services"][name])
            self.assertEqual({t: w for t, (w, _) in before.items()},
                             {t: w for t, (w, _) in after.items() if t in before}, name)
            for target in after.keys() - before.keys():  # ours: host paths, nothing of Mailcow hidden
                self.assertTrue(after[target][0].startswith(("/usr/", "/run/mailcow-ha")), (name, target))
            for target, (what, mode) in after.items():
                self.assertEqual(mode == "nocopy", what in SHARED, (name, target))

    def test_docker_starts_at_boot_what_is_warm_and_nothing_else(self):
        for name, service in self.ours["services"].items():
            if name != "signup-mailcow":
                self.assertEqual(service["restart"], "always" if name in WARM else "no", name)

    def test_what_mailcow_waits_for_stays_as_it_is(self):
        for name, service in self.plain["services"].items():
            self.assertEqual(service.get("depends_on"), self.ours["services"][name].get("depends_on"), name)

    def test_the_resolver_is_asked_soon(self):
        self.assertEqual(self.ours["services"]["unbound-mailcow"]["healthcheck"], {"interval": "5s", "retries": 18})

    def test_ports_are_mailcows_and_galera_only_private(self):
        for name, service in self.plain["services"].items():
            more = [p for p in self.ours["services"][name].get("ports", []) if p not in service.get("ports", [])]
            self.assertEqual(len(more), 4 if name == "mysql-mailcow" else 0, name)
            for port in more:
                self.assertRegex(port, r"^127\.0\.0\.2:(3306:3307|4444:4444|4567:4567|4568:4568)/tcp$")
        self.assertIn("0.0.0.0:80:80/tcp", self.ours["services"]["nginx-mailcow"]["ports"])

    def test_the_watchdog_does_not_act(self):
        self.assertEqual(self.plain["services"]["watchdog-mailcow"]["environment"]["USE_WATCHDOG"], "y")
        self.assertEqual(self.ours["services"]["watchdog-mailcow"]["environment"]["USE_WATCHDOG"], "n")

    def test_the_portal_is_the_one_that_stands_alone(self):
        alone = config(SOURCE + "/templates/container/docker-compose.override.yml")["services"]["signup-mailcow"]
        ours = dict(self.ours["services"]["signup-mailcow"])
        self.assertEqual(ours.pop("profiles"), ["signup"])
        self.assertEqual(ours, alone)
        names = compose("config", "--services", cwd=FIXTURE)
        self.assertIn("signup-mailcow", names)

    def test_a_galera_on_the_host(self):
        """What the comment at the end of the file says, done."""
        text = re.sub(r"(?ms)^  mysql-mailcow:\n.*?(?=^  # ---- the sign-up)", "", read(OVERRIDE))
        entry = re.search(r"(?m)^  # +(mysql-mailcow: \{.*)$", text).group(1)
        text = text.replace("services:\n", f"services:\n  {entry}\n", 1)
        text, n = re.subn(r"(?m)^  # (mysql-socket-vol-1: \{)", r"  \1", text)
        self.assertEqual(n, 1)
        path = f"/tmp/compose-host-galera.{os.getpid()}.yml"
        write(path, text)
        try:
            made = config(path)
        finally:
            os.unlink(path)
        self.assertEqual(made["services"]["mysql-mailcow"]["entrypoint"], ["sleep", "infinity"])
        self.assertEqual(made["volumes"]["mysql-socket-vol-1"]["driver_opts"]["device"], "/run/mysqld")


class Engine(unittest.TestCase):
    """Each test begins without containers, volumes and mount."""

    @classmethod
    def setUpClass(cls):
        images()
        files()
        cls.override = BOX + "/override.yml"
        write(cls.override, override_here(read(OVERRIDE)))

    def setUp(self):
        self.addCleanup(self.clean)

    def clean(self):
        self.up("down", "-v", "--timeout", "0")
        if os.path.ismount(MOUNT):
            run("umount", MOUNT)

    def up(self, *words, check=True, override=None):
        return compose(*words, override=override or self.override, check=check)

    @staticmethod
    def mount():
        run("mount", "-t", "tmpfs", "-o", "size=64m", "shared", MOUNT)
        for where in SHARED.values():
            os.mkdir(f"{MOUNT}/{where}")

    @staticmethod
    def start(service):
        return run("docker", "start", f"mailcowdockerized_{service}_1", check=False)

    def test_nothing_stateful_starts_without_the_volume(self):
        self.up("up", "--no-start")  # a standby creates them all
        for service in sorted(STATEFUL):
            done = self.start(service)
            self.assertNotEqual(done.returncode, 0, service)
            self.assertIn(MOUNT, done.stderr, service)
        self.assertEqual(os.listdir(MOUNT), [])  # and Docker made no directory there
        for service in ("unbound-mailcow", "rspamd-mailcow", "dockerapi-mailcow"):
            self.assertEqual(self.start(service).returncode, 0, service)
        asked = run("docker", "inspect", "-f", "{{json .Config.Healthcheck}}", "mailcowdockerized_unbound-mailcow_1")
        self.assertEqual(json.loads(asked), {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10 ** 9, "Retries": 18})
        self.mount()
        for service in sorted(STATEFUL):
            done = self.start(service)
            self.assertEqual(done.returncode, 0, done.stderr)
        run("docker", "exec", "mailcowdockerized_dovecot-mailcow_1", "touch", "/var/vmail/a-mail")
        self.assertEqual(os.listdir(MOUNT + "/vmail"), ["a-mail"])  # and nothing of the image's

    def test_nocopy_is_what_lets_a_standby_create_them(self):
        path = BOX + "/copies.yml"
        write(path, read(self.override).replace(":nocopy", ""))
        done = self.up("up", "--no-start", override=path, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_an_existing_volume_is_no_obstacle_that_goes_unseen(self):
        compose("up", "--no-start", override=None)  # a Mailcow that was there before
        done = self.up("up", "--no-start", check=False)
        self.assertNotEqual(done.returncode, 0)     # so `hamon move in` comes first
        self.assertIn("vol-1", done.stderr)

    # ---- redis ----

    @staticmethod
    def cli(*words):
        return run("docker", "exec", "-e", "REDISCLI_AUTH=of-redis", REDIS, "redis-cli", *words, check=False).stdout.strip()

    def redis(self, override=None):
        self.up("up", "-d", "--no-deps", "--force-recreate", "redis-mailcow", override=override)
        wait_for("redis", lambda: self.cli("ping") == "PONG")

    def old_dump(self, keys):
        """What a Mailcow before us left: a dump.rdb, and in it what must never be lost."""
        self.mount()
        path = BOX + "/old.yml"
        write(path, re.sub(r"(?m)^      - type: bind\n        source: .*redis-server\n(        .*\n){2}", "",
                           read(self.override)))
        self.redis(path)
        self.assertEqual(self.cli("config", "get", "appendonly").split(), ["appendonly", "no"])
        self.cli("hset", "DKIM_PRIV_KEYS", "dkim.example.org", "a private key")
        self.cli("eval", f"for i = 1, {keys} do redis.call('set', 'k' .. i, string.rep('v', 100)) end", "0")
        self.assertEqual(self.cli("save"), "OK")
        run("docker", "rm", "-f", REDIS)

    def assert_all_there(self, keys):
        self.assertEqual(self.cli("hget", "DKIM_PRIV_KEYS", "dkim.example.org"), "a private key")
        self.assertEqual(self.cli("dbsize"), str(keys + 1))
        self.assertEqual(self.cli("config", "get", "appendonly").split(), ["appendonly", "yes"])

    def test_redis_turns_its_dump(self):
        self.old_dump(1000)
        self.redis()
        self.assert_all_there(1000)
        self.assertEqual(self.cli("set", "late", "1"), "OK")
        run("docker", "kill", REDIS)  # as SIGKILL of a fence: no save
        run("docker", "start", REDIS)
        wait_for("redis", lambda: self.cli("ping") == "PONG")
        self.assert_all_there(1001)
        self.assertEqual(run("docker", "logs", REDIS, check=False).stderr.count("becomes an append-only file"), 1)

    def test_redis_killed_while_it_turns(self):
        keys = 200000
        self.old_dump(keys)
        self.up("up", "--no-start", "--no-deps", "redis-mailcow")
        unfinished = 0
        for n in range(8):
            run("docker", "start", REDIS)
            time.sleep(0.1 * n)
            run("docker", "kill", REDIS, check=False)
            files = os.listdir(MOUNT + "/redis/appendonlydir") if os.path.isdir(MOUNT + "/redis/appendonlydir") else []
            unfinished += not any(f.endswith(".manifest") for f in files)
        self.assertGreater(unfinished, 0)
        run("docker", "start", REDIS)
        wait_for("redis", lambda: self.cli("ping") == "PONG")
        self.assert_all_there(keys)

    def test_redis_does_not_begin_anew_over_what_it_cannot_read(self):
        self.mount()
        write(MOUNT + "/redis/dump.rdb", "REDIS0010 this is damaged")
        self.up("up", "--no-start", "--no-deps", "redis-mailcow")
        run("docker", "start", REDIS)
        self.assertNotEqual(run("docker", "wait", REDIS), "0")
        self.assertIn("nothing was changed", run("docker", "logs", REDIS, check=False).stderr)
        self.assertEqual(read(MOUNT + "/redis/dump.rdb"), "REDIS0010 this is damaged")

    def test_an_empty_redis_starts(self):
        self.mount()
        self.redis()
        self.assertEqual(self.cli("dbsize"), "0")
        self.assertEqual(self.cli("config", "get", "appendonly").split(), ["appendonly", "yes"])


if __name__ == "__main__":
    if not BOX:
        enter_box()
    unittest.main(verbosity=2)
