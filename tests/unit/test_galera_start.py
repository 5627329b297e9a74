#!/usr/bin/env python3
"""templates/container/galera-start with doubles of what it starts, and once with a real mariadbd."""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "templates/container/galera-start"
UUID = "5d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"
OTHER = "6d2f7c2a-0b1e-11f0-9c3a-2b7a3c1d4e5f"
NONE = "00000000-0000-0000-0000-000000000000"
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

MARIADBD = """#!/bin/sh
[ -e "$DOUBLE/broken" ] && { echo "InnoDB: no" >&2; exit 1; }
echo "2026-11-28 [Note] WSREP: Recovered position: $(cat "$DOUBLE/position")" >&2
"""
WSREP = ["--wsrep-on=1", "--wsrep-provider=/usr/lib/galera/libgalera_smm.so", "--binlog-format=ROW",
         "--innodb-buffer-pool-size=8M", "--wsrep-cluster-address=gcomm://",
         "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:0"]
ENTRY = '#!/bin/sh\nprintf "%s\\n" "$@" >"$DOUBLE/started"\n'


def uptime():
    return int(float(Path("/proc/uptime").read_text().split()[0]))


class GaleraStart(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="galera-start-"))
        self.data, self.share, self.bin = (self.dir / n for n in ("data", "share", "bin"))
        self.data.mkdir()
        self.bin.mkdir()
        self.double("mariadbd", MARIADBD)
        self.double("docker-entrypoint.sh", ENTRY)

    def tearDown(self):
        shutil.rmtree(self.dir)

    def double(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def member(self, position=UUID + ":42", uuid=UUID, seqno="-1"):
        (self.data / "mysql").mkdir()
        (self.data / "ibdata1").touch()
        (self.dir / "position").write_text(position)
        (self.data / "grastate.dat").write_text(
            f"# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   {seqno}\nsafe_to_bootstrap: 0\n")
        (self.data / "gvwstate.dat").write_text(f"my_uuid: {UUID}\n#vwbeg\nview_id: 3 {UUID} 7\n#vwend\n")

    def order(self, **words):
        order = {"order": "bootstrap", "boot": BOOT, "until": uptime() + 60, "uuid": UUID, "seqno": 42} | words
        self.share.mkdir(exist_ok=True)
        (self.share / "order").write_text("".join(f"{k}={v}\n" for k, v in order.items()))

    def start(self, *words):
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "DOUBLE": str(self.dir),
               "GALERA_START_DATA": str(self.data), "GALERA_START_SHARE": str(self.share)}
        done = subprocess.run(["sh", str(SCRIPT), *words], env=env, capture_output=True, text=True, timeout=60)
        started = self.dir / "started"
        return done, started.read_text().split("\n")[:-1] if started.exists() else None

    def shared(self, name):
        path = self.share / name
        return path.read_text() if path.exists() else ""

    def test_joins_with_its_position(self):
        self.member()
        _, words = self.start("mariadbd", "--x=1")
        self.assertEqual(words, ["mariadbd", "--x=1", f"--wsrep-start-position={UUID}:42"])
        self.assertIn(f"uuid={UUID}\nseqno=42\nview=3_{UUID}_7\nunusable=0\n", self.shared("position"))
        self.assertIn(f"boot={BOOT}\n", self.shared("position"))
        self.assertTrue((self.data / "gvwstate.dat").exists())

    def test_nothing_yet(self):
        _, words = self.start()
        self.assertEqual(words, ["mariadbd"])
        self.assertIn(f"uuid={NONE}\nseqno=-1\n", self.shared("position"))
        self.assertTrue((self.data / "mysql").is_dir(), "the image would make a database for nothing")

    def test_first_of_all(self):
        self.order(uuid=NONE, seqno=-1)
        _, words = self.start()
        self.assertEqual(words, ["mariadbd", "--wsrep-new-cluster"])
        self.assertFalse((self.data / "mysql").exists(), "the image would make no database")

    def test_first_of_all_after_a_vain_join(self):
        self.start()
        self.order(uuid=NONE, seqno=-1)
        self.assertEqual(self.start()[1], ["mariadbd", "--wsrep-new-cluster"])
        self.assertFalse((self.data / "mysql").exists(), "the image would make no database")

    def test_a_database_that_was_no_member(self):
        self.member(position=NONE + ":-1")
        (self.data / "grastate.dat").unlink()
        self.order(uuid=NONE, seqno=-1)
        self.assertEqual(self.start()[1], ["mariadbd", "--wsrep-new-cluster"])

    def test_bootstrap(self):
        self.member()
        self.order()
        _, words = self.start()
        self.assertEqual(words, ["mariadbd", "--wsrep-new-cluster", f"--wsrep-start-position={UUID}:42"])
        self.assertIn("safe_to_bootstrap: 1\n", (self.data / "grastate.dat").read_text())
        self.assertFalse((self.data / "gvwstate.dat").exists())
        self.assertEqual(self.shared("outcome"), f"obeyed {UUID}:42\n")
        self.assertEqual(self.start()[1], ["mariadbd", f"--wsrep-start-position={UUID}:42"], "it serves once")

    def test_the_numbers_leap(self):
        self.member(seqno="42")
        self.order(onward=1000000042)
        _, words = self.start()
        self.assertEqual(words, ["mariadbd", "--wsrep-new-cluster", f"--wsrep-start-position={UUID}:1000000042"])
        self.assertEqual(self.shared("outcome"), f"obeyed {UUID}:42\n")
        self.assertRegex((self.data / "grastate.dat").read_text(), "seqno: +-1\n")

    def test_orders_that_are_refused(self):
        cases = {
            "before the last boot": {"boot": OTHER},
            "too late": {"until": uptime() - 1},
            "no time": {"until": ""},
            "another position": {"seqno": 41},
            "another cluster": {"uuid": OTHER},
            "something else": {"order": "dance"},
            "on from below": {"onward": 42},
            "on from nowhere": {"onward": "4x"},
        }
        self.member()
        for name, words in cases.items():
            with self.subTest(name):
                self.order(**words)
                _, started = self.start()
                self.assertEqual(started, ["mariadbd", f"--wsrep-start-position={UUID}:42"])
                self.assertRegex(self.shared("outcome"), "^refused .")
                self.assertFalse((self.share / "order").exists())

    def test_a_cut_off_copy_is_no_beginning(self):
        self.member()
        (self.data / "sst_in_progress").touch()
        (self.dir / "broken").touch()
        self.order(uuid=NONE, seqno=-1)
        _, words = self.start()
        self.assertEqual(words, ["mariadbd"], "it fetches the rest, without a look at InnoDB")
        self.assertIn("cut off", self.shared("outcome"))
        self.assertIn("unusable=1\n", self.shared("position"))

    def test_given_up_by_galera(self):
        self.member(uuid=NONE)
        self.order(uuid=NONE, seqno=-1)
        self.assertEqual(self.start()[1], ["mariadbd"])

    def test_broken_data_is_not_overwritten(self):
        self.member()
        (self.dir / "broken").touch()
        done, words = self.start()
        self.assertIsNone(words)
        self.assertEqual(done.returncode, 1)
        self.assertIn("hamon galera join --discard", done.stderr)

    def test_donors(self):
        self.member()
        self.share.mkdir()
        (self.share / "donors").write_text("n3,n1\n")
        self.assertIn("--wsrep-sst-donor=n3,n1", self.start()[1])
        (self.share / "donors").write_text("n3;rm -rf /\n")
        self.assertNotIn("donor", " ".join(self.start()[1]))

    def test_a_share_that_cannot_be_written(self):
        self.member()
        self.share.write_text("a file")
        done, words = self.start()
        self.assertIn(f"--wsrep-start-position={UUID}:42", words)
        self.assertIn("cannot be written", done.stderr)

    def test_other_programs(self):
        self.assertEqual(self.start("bash", "-c", "true")[1], ["bash", "-c", "true"])
        self.assertEqual(self.start("--help")[1][:2], ["mariadbd", "--help"])

    def stopped(self):
        for _ in range(600):
            if not (self.data / "s").exists():
                return self.server.wait(60)
            subprocess.run(["sleep", "0.1"], check=True)
        return self.fail("it does not stop")

    @contextlib.contextmanager
    def served(self, *words):
        """A real member of one, which is killed in the end: a function that asks it."""
        sql = ["mariadb", f"--socket={self.data}/s", "-uroot", "-N", "-e"]
        with (self.dir / "log").open("w") as log:
            self.server = server = subprocess.Popen(["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.data}", *self.user,
                                       *WSREP, f"--socket={self.data}/s", "--skip-networking", *words],
                                      stdout=subprocess.DEVNULL, stderr=log)
        try:
            for _ in range(600):
                if subprocess.run([*sql, "select 1"], capture_output=True).returncode == 0:
                    break
                self.assertIsNone(server.poll(), (self.dir / "log").read_text())
                subprocess.run(["sleep", "0.1"], check=True)
            yield lambda text: subprocess.run([*sql, text], check=True, capture_output=True, text=True).stdout
        finally:
            server.kill()
            server.wait()

    def test_a_real_one(self):
        """Real InnoDB files, written by a member of one, which is killed: the position is its last commit. And
        where an order says that the numbers leap, they do, and are on disk."""
        self.user = ["--user=mysql"] if os.getuid() == 0 else []
        self.dir.chmod(0o755)
        if self.user:
            shutil.chown(self.data, "mysql")
        subprocess.run(["mariadb-install-db", f"--datadir={self.data}", "--skip-test-db", *self.user], check=True,
                       capture_output=True, timeout=120)
        last = "show status like 'wsrep_last_committed'"
        with self.served("--wsrep-new-cluster") as ask:
            ask("create database d; create table d.t (i int primary key);"
                "insert into d.t values (1); insert into d.t values (2)")
            said = ask(last).split()[1]
        self.assertRegex((self.data / "grastate.dat").read_text(), r"seqno: +-1")
        # the double of the option file that the image has
        self.double("mariadbd", f"#!/bin/sh\nexec /usr/sbin/mariadbd --no-defaults \"$@\" {' '.join(WSREP)}\n")
        done, words = self.start()
        self.assertIsNotNone(words, done.stderr)
        found = re.fullmatch(r"--wsrep-start-position=([0-9a-f-]{36}):" + said, words[-1])
        self.assertTrue(found, (words, said))

        self.order(uuid=found[1], seqno=said, onward=int(said) + 1000000000)
        words = self.start()[1]
        with self.served(*words[1:]) as ask:
            ask("insert into d.t values (3)")
            self.assertGreater(int(ask(last).split()[1]), int(said) + 1000000000)
            leapt = int(ask(last).split()[1])
            ask("shutdown")
            self.stopped()
        self.assertEqual(self.start()[1][-1], f"--wsrep-start-position={found[1]}:{leapt}")

        # once more, after a stop in good order: Galera has its own note of where it stands then
        self.assertRegex((self.data / "grastate.dat").read_text(), f"seqno: +{leapt}\n")
        self.order(uuid=found[1], seqno=leapt, onward=leapt + 1000000000)
        with self.served(*self.start()[1][1:]) as ask:
            ask("insert into d.t values (4)")
            self.assertGreater(int(ask(last).split()[1]), leapt + 1000000000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
