#!/usr/bin/env python3
"""`hamon init` on servers that have nothing but a mailcow.conf: what it writes, that it writes it once, what it
keeps, what it refuses, and that it can be taken back."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import server
from server import BIN, MAILCOW, Hetzner, Server

ANSWERS, CONF = "/etc/mailcow-ha/answers.conf", "/etc/mailcow-ha/hamon.conf"
SECRETS = ("/etc/mailcow-ha/cluster.secret", "/etc/mailcow-ha/galera.pass")
OVERRIDE = MAILCOW + "/docker-compose.override.yml"
GALERA = MAILCOW + "/data/conf/mysql/zz-mailcow-ha.cnf"
KEEPALIVED = "/etc/keepalived/keepalived.conf"
TOKEN = "/etc/mailcow-ha/hetzner.token"


class Init(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)
        self.n1, self.n2, self.n3 = (Server(self.tmp.name, f"n{i}", f"10.0.0.{i}") for i in (1, 2, 3))
        self.hetzner = Hetzner(self.tmp.name)
        self.addCleanup(self.hetzner.stop)
        self.answer(self.n1)

    def answer(self, s, token="rw-token", **change):
        """The example, filled in as a person would."""
        text = s.hamon("init", "--example")[0]
        values = {"nodes": "n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3", "volume.id": "mail", "ip.id": "mail4",
                  "api_url": self.hetzner.say("url") + "/v1"}
        values.update(change)
        section = None
        lines = []
        for line in text.splitlines():
            head = re.match(r"\[(\w+)\]", line)
            section = head.group(1) if head else section
            key = re.match(r"#(\w+) =", line)
            if key:
                for name in (key.group(1), f"{section}.{key.group(1)}"):
                    if name in values:
                        line = f"{key.group(1)} = {values[name]}"
            lines.append(line)
        s.put(ANSWERS, "\n".join(lines) + "\n")
        if token:
            s.put(TOKEN, token + "\n", 0o600)

    def n1_ready(self):
        self.n1.hamon("init", "--yes")
        return self.n1

    def carry(self, source, target, name=None):
        """What `init --copy` says, by hand."""
        said = source.hamon("init", "--copy", name or target.name)[0]
        for line in said.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "scp":
                self.assertEqual(words[1], "-p")
                to = words[-1].partition(":")[2]
                for f in words[2:-1]:
                    name = to + os.path.basename(f) if to.endswith("/") else to
                    shutil.copy2(source.path(f), target.path(name))
        return said

    def parsed(self, s):
        """hamon.conf as hamon has it."""
        out = s.hamon("config")[0]
        values, section = {}, None
        for line in out.splitlines():
            head = re.match(r"\[(\w+)\]", line)
            section = head.group(1) if head else section
            key = re.match(r"(\w+) = ?(.*?)\s*(;.*)?$", line)
            if key:
                values[f"{section}.{key.group(1)}"] = key.group(2)
        return values

    # ---- the way of the README ----

    def test_the_whole_way(self):
        out, _ = self.n1.hamon("init", "--yes")
        self.assertIn("+++ " + CONF, out)
        c = self.parsed(self.n1)
        for key, value in {"node.name": "n1", "node.address": "10.0.0.1", "volume.provider": "hetzner",
                           "volume.id": "7", "ip.id": "9", "ip.interface": "pub0",
                           "cluster.nodes": "n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3"}.items():
            self.assertEqual(c[key], value, key)
        self.assertRegex(c["ip.address"], r"^[0-9.]+/32$")
        self.assertRegex(c["volume.uuid"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        for f in SECRETS:
            self.assertRegex(self.n1.get(f), r"^[0-9a-f]{64}\n$")
            self.assertEqual(self.n1.mode(f), 0o600)
            self.assertNotIn(self.n1.get(f).strip(), out)
        self.assertNotEqual(self.n1.get(SECRETS[0]), self.n1.get(SECRETS[1]))
        for f in (OVERRIDE, GALERA, KEEPALIVED):
            self.assertTrue(self.n1.has(f), f)

        before = self.n1.tree()
        self.assertIn("nothing to do", self.n1.hamon("init")[0])
        self.assertEqual(self.n1.tree(), before)

        self.carry(self.n1, self.n2)
        out = self.n2.hamon("init", "--yes")[0]
        c2 = self.parsed(self.n2)
        self.assertEqual((c2["node.name"], c2["node.address"]), ("n2", "10.0.0.2"))
        self.assertEqual(c2["volume.uuid"], c["volume.uuid"])
        for f in SECRETS:
            self.assertEqual(self.n2.get(f), self.n1.get(f))
        conf = self.n2.get(MAILCOW + "/mailcow.conf")
        for key in ("DBPASS=dbpass-of-n1", "DBROOT=dbroot-of-n1", "REDISPASS=redis-of-n1"):
            self.assertIn(key + "\n", conf)
            self.assertNotIn(key, out)
        self.assertIn("DBPASS=dbpass-of-n2", self.n2.get(MAILCOW + "/mailcow.conf.before-mailcow-ha"))
        self.assertEqual(self.n2.mode(MAILCOW + "/mailcow.conf"), 0o600)
        self.assertFalse(self.n2.has("/etc/mailcow-ha/mailcow.conf.shared"))
        self.assertNotEqual(self.n2.get(KEEPALIVED), self.n1.get(KEEPALIVED))
        self.carry(self.n1, self.n2)
        self.assertTrue(self.n2.has("/etc/mailcow-ha/mailcow.conf.shared"))
        self.assertIn("nothing to do", self.n2.hamon("init", "--yes")[0])
        self.assertFalse(self.n2.has("/etc/mailcow-ha/mailcow.conf.shared"))

    def three(self):
        self.n1.hamon("init", "--yes")
        for s in (self.n2, self.n3):
            self.carry(self.n1, s)
            s.hamon("init", "--yes")
        return self.n1, self.n2, self.n3

    def test_two_servers_more(self):
        """docs/life.md: the old ones stay what they were, the new ones know all."""
        self.three()
        own = {s: re.search(r"server_id = (\d+)", s.get(GALERA)).group(1) for s in (self.n1, self.n2, self.n3)}
        more = [Server(self.tmp.name, f"n{i}", f"10.0.0.{i}") for i in (4, 5)]
        self.n1.put(ANSWERS, self.n1.get(ANSWERS).replace("n3=10.0.0.3", "n3=10.0.0.3 n4=10.0.0.4 n5=10.0.0.5"))
        self.n1.hamon("init", "--yes")
        everybody = [self.n1, self.n2, self.n3, *more]
        for s in everybody[1:]:
            self.carry(self.n1, s)
            s.hamon("init", "--yes")
        for s in everybody:
            for i in range(1, 6):
                self.assertIn(f"10.0.0.{i}", s.get(GALERA))
                self.assertIn(f"10.0.0.{i}", s.get(KEEPALIVED))
            self.assertEqual(s.get(SECRETS[0]), self.n1.get(SECRETS[0]))
            self.assertEqual(self.parsed(s)["volume.uuid"], self.parsed(self.n1)["volume.uuid"])
        ids = [re.search(r"server_id = (\d+)", s.get(GALERA)).group(1) for s in everybody]
        self.assertEqual(len(set(ids)), 5)
        self.assertEqual(ids[:3], list(own.values()))

    def test_the_first_server_is_replaced(self):
        """docs/life.md: it gets everything from another, and is what it was."""
        self.three()
        fresh = Server(self.tmp.name + "/anew", "n1", "10.0.0.1")
        self.carry(self.n2, fresh)
        fresh.hamon("init", "--yes")
        for f in (CONF, GALERA, KEEPALIVED, *SECRETS):
            self.assertEqual(fresh.get(f), self.n1.get(f), f)
        self.assertIn("DBPASS=dbpass-of-n1", fresh.get(MAILCOW + "/mailcow.conf"))

    def test_a_dry_run_changes_nothing(self):
        before = self.n1.tree()
        out = self.n1.hamon("init", "--dry-run")[0]
        self.assertIn("--- /dev/null\n+++ " + KEEPALIVED + "\n", out)
        self.assertEqual(self.n1.tree(), before)
        out = self.n1.hamon("init", code=1)[1]
        self.assertIn("--yes", out)
        self.assertEqual(self.n1.tree(), before)

    def test_a_person_at_a_terminal(self):
        os.unlink(self.n1.path(ANSWERS))
        words = ["n1=10.0.0.1 n2", "n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3", "tape", "local", "/dev/disk/by-id/x",
                 "local", "203.0.113.10/32"]
        seen = self.n1.on_terminal("init", answers=words[1:] + ["n"], code=1)
        self.assertIn("is not allowed; allowed: one of hetzner, local", seen)
        self.assertFalse(self.n1.has(ANSWERS))
        seen = self.n1.on_terminal("init", answers=words[1:] + ["y"])
        c = self.parsed(self.n1)
        self.assertEqual((c["volume.device"], c["ip.address"]), ("/dev/disk/by-id/x", "203.0.113.10/32"))
        self.assertEqual(c["volume.provider"], "local")
        self.assertIn("nothing to do", self.n1.hamon("init")[0])

    def test_killed_at_any_moment(self):
        for moment in range(1, 100, 7):
            s = Server(self.tmp.name + "/k", f"n1.{moment}", "10.0.0.1")
            self.answer(s)
            s.put(KEEPALIVED, "of somebody\n")
            # a system call that writes is its last one, each time a later one
            r = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=?rename,?renameat,?renameat2,fsync,?link,?linkat",
                                "-e", f"inject=?rename,?renameat,?renameat2,fsync,?link,?linkat:signal=KILL:when={moment}",
                                *s.command("init", "--yes")], capture_output=True, text=True, timeout=300, check=False,
                               env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # it and strace exclude each other
            self.assertIn(r.returncode, (0, -signal.SIGKILL, 137), r.stderr)
            s.hamon("init", "--yes")
            self.assertEqual(s.get(KEEPALIVED + ".before-mailcow-ha"), "of somebody\n")
            self.assertIn("nothing to do", s.hamon("init")[0])
            s.hamon("init", "--undo", "--yes")
            self.assertEqual(s.get(KEEPALIVED), "of somebody\n")
            if r.returncode == 0:
                break
        else:
            self.fail("it never came to its end")

    # ---- what is there already ----

    def test_a_foreign_file_is_kept(self):
        self.n1.put(KEEPALIVED, "of somebody\n", 0o640)
        out = self.n1.hamon("init", "--yes")[0]
        self.assertIn("it is not ours: kept as " + KEEPALIVED + ".before-mailcow-ha", out)
        self.assertEqual(self.n1.get(KEEPALIVED + ".before-mailcow-ha"), "of somebody\n")
        self.n1.put(KEEPALIVED, "of somebody else\n")
        self.assertIn("changed by hand", self.n1.hamon("init", "--yes")[0])
        self.assertEqual(self.n1.get(KEEPALIVED + ".before-mailcow-ha"), "of somebody\n")
        self.assertEqual(self.n1.get("/var/lib/mailcow-ha/edited" + KEEPALIVED), "of somebody else\n")

    def test_two_foreign_ones_are_a_question(self):
        self.n1.put(KEEPALIVED, "one\n")
        self.n1.put(KEEPALIVED + ".before-mailcow-ha", "two\n")
        self.assertIn("move one of them away", self.n1.hamon("init", "--yes", code=1)[1])
        self.assertEqual((self.n1.get(KEEPALIVED), self.n1.get(KEEPALIVED + ".before-mailcow-ha")), ("one\n", "two\n"))

    def test_an_override_of_somebody_is_merged_by_hand(self):
        self.n1.put(OVERRIDE, "services: {}\n")
        _, err = self.n1.hamon("init", "--yes", code=1)
        self.assertIn("merge " + OVERRIDE + ".mailcow-ha into it", err)
        self.assertEqual(self.n1.get(OVERRIDE), "services: {}\n")
        ours = self.n1.get(OVERRIDE + ".mailcow-ha")
        self.assertRegex(ours, r"^# mailcow-ha: merged [0-9a-f]{12}\n")
        self.n1.put(OVERRIDE, ours + "# and the own one\n")
        self.assertIn("nothing to do", self.n1.hamon("init")[0])
        self.n1.hamon("init", "--undo", "--yes")
        self.assertIn("# and the own one\n", self.n1.get(OVERRIDE))

    def test_own_keys_stay_and_ours_follow_the_answers(self):
        self.n1.hamon("init", "--yes")
        self.n1.put(CONF, self.n1.get(CONF) + "[check]\ngrace = 12s\n[probe]\nredis_password = shibboleth\n")
        self.answer(self.n1, nodes="n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3 n4=10.0.0.4 n5=10.0.0.5",
                    uuid=self.parsed(self.n1)["volume.uuid"])
        out = self.n1.hamon("init", "--yes")[0]
        self.assertNotIn("shibboleth", out)
        c = self.parsed(self.n1)
        self.assertEqual(c["check.grace"], "12s")
        self.assertIn("redis_password = shibboleth", self.n1.get(CONF))
        self.assertIn("n5=10.0.0.5", c["cluster.nodes"])
        self.assertIn("10.0.0.5", self.n1.get(GALERA))
        self.assertIn("systemctl reload keepalived", out)
        self.answer(self.n1, nodes="n1=10.0.0.1 n2=10.0.0.2 n6=10.0.0.6", uuid=c["volume.uuid"])
        self.n1.hamon("init", "--yes")
        self.assertNotIn("10.0.0.3", self.n1.get(GALERA) + self.n1.get(KEEPALIVED) + self.n1.get(CONF))

    def test_the_uuid_is_chosen_once(self):
        self.n1.hamon("init", "--yes")
        uuid = self.parsed(self.n1)["volume.uuid"]
        self.assertIn("uuid = " + uuid + "\n", self.n1.get(ANSWERS))
        self.answer(self.n1)  # forgotten in the answers: hamon.conf has it
        self.n1.hamon("init", "--yes")
        self.assertEqual(self.parsed(self.n1)["volume.uuid"], uuid)
        self.assertIn("uuid = " + uuid + "\n", self.n1.get(ANSWERS))

    def test_files_that_are_not_wanted(self):
        self.answer(self.n1, skip="nftables, journald", also="wazuh")
        self.n1.hamon("init", "--yes")
        self.assertFalse(self.n1.has("/etc/mailcow-ha/firewall.nft"))
        self.assertTrue(self.n1.has("/var/ossec/etc/decoders/mailcow-ha.xml")
                        or os.path.exists("/var/ossec/etc/decoders/mailcow-ha.xml"))
        os.unlink("/var/ossec/etc/decoders/mailcow-ha.xml")

    # ---- undo ----

    def test_undo(self):
        self.n1.put(KEEPALIVED, "of somebody\n")
        before = self.n1.tree()
        self.n1.hamon("init", "--yes")
        self.n1.put(GALERA, self.n1.get(GALERA) + "# by hand\n")
        written = self.n1.tree()
        out = self.n1.hamon("init", "--undo", "--dry-run")[0]
        self.assertIn(KEEPALIVED + ": as it was before", out)
        self.assertIn(OVERRIDE + ": taken away", out)
        self.assertIn("--yes", self.n1.hamon("init", "--undo", code=1)[1])
        self.assertEqual(self.n1.tree(), written)
        self.n1.hamon("init", "--undo", "--yes")
        after = self.n1.tree()
        self.assertTrue(after.pop("/var/lib/mailcow-ha/edited" + GALERA).endswith("# by hand\n"))
        own = ("/etc/mailcow-ha/", "/var/lib/mailcow-ha/")
        self.assertEqual({k: v for k, v in after.items() if not k.startswith(own)},
                         {k: v for k, v in before.items() if not k.startswith(own)})
        self.assertFalse(self.n1.has("/etc/systemd/system/keepalived.service.d"))
        self.assertIn("nothing to undo", self.n1.hamon("init", "--undo", "--yes")[0])

    # ---- what is refused, and how ----

    def refuses(self, s, *words, code=78):
        before = s.tree()
        _, err = s.hamon("init", "--yes", *words, code=code)
        self.assertEqual(s.tree(), before)
        return err

    def test_answers_that_are_missing(self):
        os.unlink(self.n1.path(ANSWERS))
        self.assertIn("hamon init --example >" + ANSWERS, self.refuses(self.n1))
        self.answer(self.n1, **{"nodes": "", "volume.id": "", "ip.id": ""})
        err = self.refuses(self.n1)
        for what in ("[cluster] nodes: which servers", "[volume] id: which volume", "[ip] id: which Floating IP"):
            self.assertIn(what, err)
            self.assertRegex(err, r"answers\.conf:\d+: " + re.escape(what))

    def test_answers_that_are_wrong(self):
        self.answer(self.n1, nodes="n1=10.0.0.1 n2=10.0.0.299")
        self.assertIn("\"n2=10.0.0.299\" is not name=address", self.refuses(self.n1))
        self.answer(self.n1, skip="keepalive")
        self.assertIn("there is no file \"keepalive\"", self.refuses(self.n1))
        self.answer(self.n1, skip="wazuh")
        self.assertIn("not written unless [write] also names it", self.refuses(self.n1))
        self.n1.put(ANSWERS, "[cluster]\nnode = n1\n")
        self.assertIn("unknown key \"node\"", self.refuses(self.n1))
        self.n1.hamon("init", "--nonsense", code=64)
        self.n1.hamon("init", "--answers", code=64)

    def test_who_this_is(self):
        s = Server(self.tmp.name + "/other", "mx", "10.0.0.9")
        self.answer(s)
        self.assertIn("\"mx\" is none of the nodes", self.refuses(s))
        self.assertIn("--node \"n4\" is none", self.refuses(s, "--node", "n4"))
        s = Server(self.tmp.name + "/by-address", "mx", "10.0.0.1")
        self.answer(s)
        s.hamon("init", "--yes")
        self.assertEqual(self.parsed(s)["node.name"], "n1")
        s = Server(self.tmp.name + "/both", "n1", "10.0.0.2")
        self.answer(s)
        self.assertIn("called n1, but has the address of n2", self.refuses(s))
        self.carry(self.n1_ready(), s, "n2")
        s.hamon("init", "--yes", "--node", "n2")
        self.assertEqual(self.parsed(s)["node.name"], "n2")

    def test_only_the_first_makes_secrets(self):
        self.answer(self.n2)
        self.assertIn("on n1, once hamon init ran there: hamon init --copy n2", self.refuses(self.n2))
        self.answer(self.n2, uuid="e4caf530-1b2c-4d3e-8f90-0123456789ab")
        err = self.refuses(self.n2)
        for f in SECRETS:
            self.assertIn(f + " is not here: on n1, hamon init --copy n2", err)

    def test_a_first_node_made_anew_makes_no_other_secrets(self):
        with socket.socket() as s:
            subprocess.run(["ip", "addr", "add", "10.0.0.3/32", "dev", "lo"], check=True)
            s.bind(("10.0.0.3", 9447))
            s.listen()
            err = self.refuses(self.n1)
        subprocess.run(["ip", "addr", "del", "10.0.0.3/32", "dev", "lo"], check=True)
        self.assertIn("n3 runs already and has it: on n3, hamon init --copy n1", err)
        self.n1.hamon("init", "--yes")

    def test_the_provider(self):
        self.answer(self.n1, token="nobody's")
        self.assertIn("does not know this token", self.refuses(self.n1))
        os.unlink(self.n1.path(TOKEN))
        self.assertIn("install -m 600 /dev/stdin " + TOKEN, self.refuses(self.n1))
        self.answer(self.n1, **{"volume.id": "another"})
        self.assertIn("there is no volume \"another\"", self.refuses(self.n1))
        self.answer(self.n1, **{"ip.id": "mail4 12345"})
        self.assertIn("there is no Floating IP \"12345\"", self.refuses(self.n1))
        self.answer(self.n1, api_url="http://127.0.0.1:9/v1")
        self.assertIn("does not answer", self.refuses(self.n1))
        self.answer(self.n1, **{"api_url": "http://127.0.0.1:9/v1", "volume.id": "7", "ip.id": "9",
                                "address": "198.51.100.9/32"})
        self.assertIn("does not answer", self.n1.hamon("init", "--yes")[1])

    def test_rotate_the_token(self):
        self.n1.hamon("init", "--yes")
        for token, says in (("nobody's", "missing or no token"), ("nobody", "does not know this token"),
                            ("ro-token", "may only read"), ("", "missing")):
            self.assertIn(says, self.n1.hamon("rotate", "token", stdin=token + "\n", code=1)[1])
            self.assertEqual(self.n1.get(TOKEN), "rw-token\n")
        self.n1.put(TOKEN, "old-token\n", 0o600)
        out = self.n1.hamon("rotate", "token", stdin="rw-token\n")[0]
        self.assertIn("hamon init --copy n2 n3 --run", out)
        self.assertNotIn("rw-token", out)
        self.assertEqual((self.n1.get(TOKEN), self.n1.mode(TOKEN)), ("rw-token\n", 0o600))
        seen = self.n1.on_terminal("rotate", "token", answers=["rw-token"])
        self.assertNotIn("rw-token", seen)

    def test_a_hamon_conf_that_cannot_be_read(self):
        self.n1.put(CONF, "[nodes]\n")
        self.assertIn(CONF + ":1: unknown section", self.refuses(self.n1))

    def test_no_mailcow(self):
        os.unlink(self.n1.path(MAILCOW + "/mailcow.conf"))
        self.assertIn("install Mailcow first", self.refuses(self.n1))

    def test_what_mailcow_conf_will_bring(self):
        conf = self.n1.get(MAILCOW + "/mailcow.conf").replace("HEALTHCHECK=y", "HEALTHCHECK=n")
        conf = conf.replace("HTTP_BIND=\n", "HTTP_BIND=10.0.0.1\n").replace("172.22.1", "10.0.0")
        self.n1.put(MAILCOW + "/mailcow.conf", conf + "ENABLE_IPV6=true\nSNAT_TO_SOURCE=192.0.2.1\n")
        err = self.n1.hamon("init", "--yes")[1]
        for what in ("SKIP_UNBOUND_HEALTHCHECK=y", "HTTP_BIND=10.0.0.1", "IPV4_NETWORK=10.0.0", "ENABLE_IPV6",
                     "SNAT_TO_SOURCE"):
            self.assertRegex(err, "note: .*" + re.escape(what))

    def test_copy(self):
        self.n1.hamon("init", "--yes")
        for words in (("n9",), ("n1",), ()):
            self.n1.hamon("init", "--copy", *words, code=64)
        said = self.carry(self.n1, self.n3)
        self.assertIn("ssh root@10.0.0.3 'install -d -m 755 /etc/mailcow-ha'\n", said)
        for f in (ANSWERS, TOKEN, *SECRETS):
            self.assertEqual(self.n3.get(f), self.n1.get(f))
            self.assertIn(self.n3.mode(f), (0o600, 0o644))
        said = self.n1.hamon("init", "--copy", "n2", "n3", "--run", code=1)[0]  # nobody answers there
        self.assertEqual(said.count("\n"), 2)


if __name__ == "__main__":
    server.isolate()
    assert os.path.exists(BIN + "/hamon"), BIN
    unittest.main(verbosity=2)
