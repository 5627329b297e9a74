#!/usr/bin/env python3
"""`hamon sync` between real processes over TLS: what a standby takes, what it leaves, what it refuses."""

import os
import socket
import stat
import subprocess
import unittest

from world import BIN, SECRET, World, until


class Sync(unittest.TestCase):
    def test_everything(self):
        with World() as w:
            n1, n2 = w.nodes
            n1.write("data/assets/ssl/key.pem", "KEY 1", 0o600)
            n1.write("data/assets/ssl/cert.pem", "CERT 1")
            n1.write("data/conf/postfix/extra.cf", "a = b\n")
            n1.write("data/conf/mysql/zz-mailcow-ha.cnf", "of n1")
            n1.write("data/hooks/empty", "")
            n1.write("data/conf/big", "x" * 3_000_000)
            os.chown(n1.mailcow / "data/assets/ssl/key.pem", 0, 65534)
            os.symlink("cert.pem", n1.mailcow / "data/assets/ssl/link.pem")
            os.symlink("/etc/shadow", n1.mailcow / "data/assets/ssl/out.pem")
            os.symlink("../../../../etc", n1.mailcow / "data/conf/out")
            os.mkfifo(n1.mailcow / "data/conf/fifo")
            n1.write("mailcow.conf", "# n1\nDBPASS=master\nHTTP_BIND=1.2.3.4\nNEW=\"a b\"\n")
            n2.write("data/conf/mysql/zz-mailcow-ha.cnf", "of n2")
            n2.write("data/conf/nginx/mine.conf", "stays")
            until(lambda: n2.now("--dry-run")[:1] == (0,), "in step")
            self.assertEqual(n2.status()["reason"], "in_step")
            self.assertEqual(n2.read("data/assets/ssl/key.pem"), "KEY 1")
            key = os.lstat(n2.mailcow / "data/assets/ssl/key.pem")
            self.assertEqual((stat.S_IMODE(key.st_mode), key.st_gid), (0o600, 65534))
            self.assertEqual(n2.read("data/conf/big"), "x" * 3_000_000)
            self.assertEqual(n2.read("data/hooks/empty"), "")
            self.assertEqual(os.readlink(n2.mailcow / "data/assets/ssl/link.pem"), "cert.pem")
            for path in ("data/assets/ssl/out.pem", "data/conf/out", "data/conf/fifo", ".hamon-sync"):
                self.assertFalse(os.path.lexists(n2.mailcow / path), path)
            self.assertEqual(n2.read("data/conf/mysql/zz-mailcow-ha.cnf"), "of n2")
            self.assertEqual(n2.read("data/conf/nginx/mine.conf"), "stays")
            self.assertEqual(n2.read("mailcow.conf"),
                             f"# of n2\nDBPASS=master\nHTTP_BIND={n2.address}\nNEW=\"a b\"\n")
            until(lambda: n1.status()["digest"] == n2.status()["digest"] != "", "the same digest on both")

            n1.write("data/assets/ssl/cert.pem", "CERT 2")
            (n1.mailcow / "data/conf/postfix/extra.cf").unlink()
            until(lambda: n2.read("data/assets/ssl/cert.pem") == "CERT 2", "a renewed certificate arrives")
            until(lambda: n2.read("data/conf/postfix/extra.cf") is None, "what came and is gone goes")
            self.assertEqual(n2.read("data/conf/nginx/mine.conf"), "stays")

            # changed on the standby: the master's word stands, the other is kept aside
            n2.write("data/assets/ssl/cert.pem", "CERT of n2")
            until(lambda: n2.read("data/assets/ssl/cert.pem") == "CERT 2", "the master's word stands")
            kept = n2.dir / "lib/kept/data%2Fassets%2Fssl%2Fcert.pem"
            self.assertEqual(kept.read_text(), "CERT of n2")
            self.assertEqual(stat.S_IMODE(kept.stat().st_mode), 0o600)

    def test_the_lead_moves(self):
        with World(3) as w:
            n1, n2, n3 = w.nodes
            n1.write("data/hooks/a", "1")
            until(lambda: n2.read("data/hooks/a") == n3.read("data/hooks/a") == "1", "both have it")
            w.lead("n2", 2)
            n2.write("data/hooks/a", "2")
            until(lambda: n1.read("data/hooks/a") == n3.read("data/hooks/a") == "2", "from the new master")
            # one that still believes it leads, in an epoch that is over, is not believed
            n1.daemon.holder, n1.daemon.epoch = "n1", 1
            n1.write("data/hooks/a", "old")
            code, said, err = n3.now("--from", "n1")
            self.assertNotEqual(code, 0)
            self.assertIn("an epoch that is over", err + said["message"])
            self.assertEqual(n3.read("data/hooks/a"), "2")
            # nobody leads
            w.lead("", 3)
            code, said, _ = n3.now()
            self.assertEqual((code, said["reason"]), (75, "no_leader"))

    def test_without_a_daemon_here(self):
        with World(3, without=("n3",)) as w:
            n1, n2, n3 = w.nodes
            w.lead("n2", 4)
            n3.daemon.holder = None
            n2.write("data/hooks/a", "x")
            code, said, _ = n3.now("--dry-run")
            self.assertEqual((code, said["reason"], said["leader"]), (1, "behind", "n2"))
            self.assertIn({"what": "new", "path": "data/hooks/a"}, said["changes"])
            self.assertIsNone(n3.read("data/hooks/a"))
            code, said, _ = n3.now()
            self.assertEqual((code, said["reason"], said["conf_keys"]), (0, "in_step", "DBPASS"))
            self.assertEqual(n3.read("data/hooks/a"), "x")
            code, said, _ = n3.now()
            self.assertEqual((code, said["changes"]), (0, []))
            self.assertEqual(n1.now("--from", "n9")[0], 75)

    def test_secrets(self):
        with World() as w:
            n1, n2 = w.nodes
            n1.write("data/hooks/a", "1")
            until(lambda: n2.read("data/hooks/a") == "1", "it arrives")
            n1.set_secret("f" * 64)
            code, said, err = n2.now()
            self.assertEqual((code, said["reason"]), (71, "bad_secret"), err)
            # while it is changed both stand in the file
            n1.set_secret("f" * 64 + "\n" + SECRET)
            self.assertEqual(n2.now()[0], 0)
            n2.set_secret("f" * 64 + "\n" + SECRET)
            self.assertEqual(n2.now()[0], 0)
            n1.set_secret(SECRET)
            self.assertEqual(n2.now()[0], 0)
            n2.secret.chmod(0o644)
            self.assertIn("chmod 600", n2.now()[1]["message"])

    def test_strangers(self):
        with World() as w:
            n1, n2 = w.nodes
            n1.write("data/hooks/a", "1")
            until(lambda: n2.read("data/hooks/a") == "1", "it arrives")
            # another address than a node's is hung up on, unread
            with socket.socket() as s:
                s.bind(("127.0.77.99", 0))
                s.connect((n1.address, w.port))
                s.settimeout(60)
                try:
                    s.sendall(b"\x16\x03\x01")
                    self.assertEqual(s.recv(100), b"")
                except ConnectionError:
                    pass
            # TLS without the key, from a node's address; also with a PSK of one's own
            for how in ([], ["-psk", "ab" * 48, "-psk_identity", "hamon-sync 1 n2 n1 0011223344556677"]):
                said = subprocess.run(["openssl", "s_client", "-connect", f"{n1.address}:{w.port}", "-bind",
                                       n2.address, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384", *how],
                                      input=b"", capture_output=True, timeout=120, check=False)
                self.assertNotEqual(said.returncode, 0)
                self.assertIn(b"alert", said.stderr)
            # silent ones take a few places for a time; the service lives
            crowd = [socket.create_connection((n1.address, w.port), source_address=(n2.address, 0)) for _ in range(30)]
            for s in crowd:
                s.close()
            until(lambda: n2.now()[0] == 0, "served again")

    def test_links_on_the_standby(self):
        """A container that may write there cannot turn our writes elsewhere."""
        with World(start=False) as w:
            n1, n2 = w.nodes
            outside = w.dir / "outside"
            outside.mkdir()
            (outside / "a.cf").write_text("untouched")
            n1.write("data/conf/postfix/a.cf", "new")
            n1.write("data/conf/postfix/b.cf", "new")
            n1.start()
            until(lambda: n2.now()[0] == 0, "taken once")
            (n2.mailcow / "data/conf/postfix/a.cf").unlink()
            os.symlink(outside / "a.cf", n2.mailcow / "data/conf/postfix/a.cf")
            self.assertEqual(n2.now()[0], 0)
            self.assertEqual((outside / "a.cf").read_text(), "untouched")
            self.assertFalse((n2.mailcow / "data/conf/postfix/a.cf").is_symlink())
            subprocess.run(["rm", "-r", n2.mailcow / "data/conf/postfix"], check=True)
            os.symlink(outside, n2.mailcow / "data/conf/postfix")
            code, said, err = n2.now()
            self.assertNotEqual(code, 0, said)
            self.assertEqual(sorted(os.listdir(outside)), ["a.cf"])
            self.assertEqual((outside / "a.cf").read_text(), "untouched")

    def test_other_mailcow_and_maintenance(self):
        with World(without=("n2",)) as w:
            n1, n2 = w.nodes
            self.assertEqual(n2.now()[0], 0)
            n2.write("docker-compose.yml", "services:\n  a:\n    image: mailcow/a:2\n")
            n2.write("data/conf/nginx/new.conf", "of the new Mailcow")
            n1.write("data/conf/nginx/new.conf", "of the old Mailcow")
            n1.write("data/assets/ssl/cert.pem", "renewed")
            code, said, _ = n2.now()
            self.assertEqual((code, said["reason"]), (0, "other_mailcow"))
            self.assertEqual(n2.read("data/conf/nginx/new.conf"), "of the new Mailcow")
            self.assertEqual(n2.read("data/assets/ssl/cert.pem"), "renewed")
            n1.write("data/assets/ssl/cert.pem", "again")
            n2.daemon.maintenance = True
            code, said, _ = n2.now()
            self.assertEqual((code, said["reason"]), (0, "maintenance"))
            self.assertEqual(n2.read("data/assets/ssl/cert.pem"), "renewed")

    def test_what_the_leader_cannot_name(self):
        """Its reason reaches who asked, and nothing is changed there."""
        with World(without=("n2",)) as w:
            n1, n2 = w.nodes
            self.assertEqual(n2.now()[0], 0)
            n1.write("mailcow.conf", "DBPASS=a\x01b\n")
            n1.write("data/hooks/a", "1")
            code, said, _ = n2.now()
            self.assertEqual((code, said["reason"]), (71, "error"))
            self.assertIn("mailcow.conf: a control character is in it", said["message"])
            self.assertIsNone(n2.read("data/hooks/a"))

    def test_no_cluster(self):
        """Like the guard: enabled on a node that is of no cluster yet, it runs and does nothing."""
        with World(start=False) as w:
            n1 = w.nodes[0]
            text = (n1.dir / "hamon.conf").read_text()
            (n1.dir / "hamon.conf").write_text("".join(line + "\n" for line in text.splitlines()
                                                       if not line.startswith(("[cluster]", "nodes =", "secret_file ="))))
            n1.start()
            until(lambda: "nothing to keep in step" in (n1.dir / "log").read_text(), "it says so")
            self.assertIsNone(n1.process.poll())
            self.assertFalse((n1.dir / "run/sync").exists())
            self.assertEqual(n1.hamon("now").returncode, 78)

    def test_words(self):
        with World(start=False) as w:
            n2 = w.nodes[1]
            for words in (["then"], ["status", "--dry-run"], ["now", "--from"]):
                self.assertEqual(n2.hamon(*words).returncode, 64, words)
            self.assertIn("has not looked yet", n2.hamon("status").stdout)
            n2.conf("paths = ../etc /etc a//b\n")
            done = n2.hamon("now")
            self.assertEqual(done.returncode, 78)
            self.assertEqual(done.stderr.count("is no path beneath"), 3)


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main(verbosity=2)
