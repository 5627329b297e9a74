#!/usr/bin/env python3
"""Two real members of a Galera whose configuration is nothing but what `hamon render galera` prints: the second
gets a full copy from the first, by mariabackup, without a password in any file."""
import os
import subprocess
import sys
import unittest

from render_world import WORK, address, conf, die_with_parent, isolate, prepare, rendered, run, tidy, wait_for

# The user for full copies: `hamon galera bootstrap` makes it.
SST_USER = ("CREATE USER IF NOT EXISTS mysql@localhost IDENTIFIED VIA unix_socket; "
            "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR ON *.* TO mysql@localhost")


class Member:
    def __init__(self, i):
        self.ns, self.dir, self.child = f"g{i}", f"{WORK}/g{i}", None
        run("ip", "netns", "add", self.ns)
        run("ip", "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        run("ip", "link", "set", f"port{i}", "master", "switch", "up")
        run("ip", "-n", self.ns, "addr", "add", address(i) + "/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self.ns, "link", "set", device, "up")
        os.makedirs(f"{self.dir}/data")
        self.cnf = rendered("galera", conf(2, f"n{i}"), f"galera-{i}.cnf")
        with open(self.cnf, "a") as f:
            f.write("\n[mysqld]\ninnodb_buffer_pool_size = 24M\nwsrep_notify_cmd =\n")
        run("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
            f"--datadir={self.dir}/data")
        run("chown", "-R", "mysql:", self.dir)

    def start(self, *more):
        self.log = f"{self.dir}/log"
        with open(self.log, "a") as log:
            self.child = subprocess.Popen(
                ["ip", "netns", "exec", self.ns, "mariadbd", f"--defaults-file={self.cnf}", "--user=mysql",
                 f"--datadir={self.dir}/data", f"--socket={self.dir}/s", f"--pid-file={self.dir}/pid",
                 *more],
                stderr=log, stdout=log, preexec_fn=die_with_parent)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def ask(self, sql):
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.dir}/s", "-uroot", "-BNe", sql],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def wait_synced(self):
        def synced():
            if self.child.poll() is not None:
                raise AssertionError("mariadbd ended:\n" + self.said()[-4000:])
            return (self.ask("SHOW STATUS LIKE 'wsrep_local_state_comment'") or "").endswith("Synced")
        wait_for(lambda: "Synced\n" + self.said()[-4000:], synced)


class Galera(unittest.TestCase):
    def test_full_copy(self):
        run("mount", "-t", "tmpfs", "run", "/run")
        run("ip", "link", "add", "switch", "type", "bridge")
        run("ip", "link", "set", "switch", "up")
        one, two = Member(1), Member(2)
        try:
            one.start("--wsrep-new-cluster")
            one.wait_synced()
            one.ask("CREATE DATABASE mail; CREATE TABLE mail.t (id INT PRIMARY KEY); INSERT INTO mail.t VALUES (42)")
            self.assertEqual(one.ask(SST_USER), "")
            two.start()
            two.wait_synced()
            self.assertEqual(two.ask("SELECT id FROM mail.t"), "42")
            self.assertIn("mariabackup", two.said())
            self.assertEqual(two.ask("SHOW STATUS LIKE 'wsrep_cluster_size'").split()[-1], "2")
            self.assertEqual(two.ask("SELECT @@server_id"), "2")
            self.assertEqual(two.ask("SELECT @@extra_port"), "3307")
        finally:
            for m in (two, one):
                if m.child:
                    m.child.kill()
                    m.child.wait()
            run("umount", "-l", "/run")


if __name__ == "__main__":
    isolate()
    try:
        prepare()
        done = unittest.main(exit=False, verbosity=2)
    finally:
        tidy()
    sys.exit(not done.result.wasSuccessful())
