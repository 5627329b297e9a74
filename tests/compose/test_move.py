#!/usr/bin/env python3
"""`hamon volume format` and `hamon move in|out` on a real Docker engine (box) and a loop device: what Mailcow had is
the shared volume's afterwards, byte for byte, and comes back; the program is killed after each thing it does."""
import glob
import os
import stat
import subprocess
import unittest

from engine import BIN, BOX, DIR, MOUNT, OVERRIDE, PROJECT, SHARED
from engine import compose, enter_box, files, images, override_here, read, run, write

UUID = "6b1c6c1e-6df2-4d25-9d5b-0a8f1f2f7e11"
IMAGE, CONF, BEFORE = BOX + "/volume.img", BOX + "/hamon.conf", "-before-ha"
EMPTY = {"mysql-vol-1"}  # of a server that joins, its database too is put aside

HAMON_CONF = """
[node]
name = {node}
address = 127.0.0.2
[mailcow]
dir = {dir}
[volume]
provider = local
device = {device}
uuid = {uuid}
mount = {mount}
"""

# In PATH before the real ones. After each deed, once per deed of a whole series of runs, who did it is killed.
# What `hamon init` does is not looked at here: --undo takes the override away.
WRAPPER = """#!/bin/sh
name=${{0##*/}}
case $name,$* in
docker,ps* | docker,volume\\ ls* | docker,volume\\ inspect* | docker-compose,config* | rsync,-aHAXn*) deed= ;;
docker,update* | docker,stop* | docker,rm*) deed="$name $1" ;;
rsync,* | docker,* | docker-compose,* | hamon,*) deed="$name $*" ;;
*) deed= ;; # df, du
esac
code=0
case $name,$* in
hamon,*init\\ --undo*) rm -f {dir}/docker-compose.override.yml ;;
hamon,*) {bin}/hamon "$@" || code=$? ;;
docker-compose,config) # asked by each run: said once for the same files
	kept={box}/config.$(cat ./*.yml mailcow.conf | md5sum | cut -c1-32)
	[ -e "$kept" ] || PATH={path} "$name" "$@" >"$kept.new" || code=$?
	[ -e "$kept" ] || [ "$code" != 0 ] || mv "$kept.new" "$kept"
	[ "$code" != 0 ] || cat "$kept"
	;;
*) PATH={path} "$name" "$@" || code=$? ;;
esac
if [ -n "$deed" ] && [ -n "${{DEEDS:-}}" ]; then
	n=$(grep -cxF "$deed" "$DEEDS.run")
	echo "$deed" >>"$DEEDS.run"
	if ! grep -qxF "$deed #$n" "$DEEDS"; then
		echo "$deed #$n" >>"$DEEDS"
		kill -KILL "$PPID"
	fi
fi
exit "$code"
"""


def where(volume):
    return f"{BOX}/docker/volumes/{PROJECT}_{volume}/_data"


def put(path, text, uid=0, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(path, text, mode)
    os.chown(path, uid, uid)


def listing(top):
    """All that a copy must keep, of everything below."""
    ret, first = {}, {}
    for path, dirs, names in os.walk(top):
        for name in dirs + names + ([""] if path == top else []):
            full = os.path.join(path, name)
            st, rel = os.lstat(full), os.path.relpath(full, top)
            content = None
            if stat.S_ISREG(st.st_mode):
                with open(full, "rb") as f:
                    content = f.read()
            elif stat.S_ISLNK(st.st_mode):
                content = os.readlink(full)
            attributes = {a: os.getxattr(full, a, follow_symlinks=False)
                          for a in os.listxattr(full, follow_symlinks=False)}
            same = first.setdefault(st.st_ino, rel) if st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode) else None
            ret[rel] = (stat.filemode(st.st_mode), st.st_uid, st.st_gid, content, attributes, same,
                        st.st_mtime_ns if stat.S_ISREG(st.st_mode) else 0)
    return ret


def hamon(*words, check=True, env=None):
    done = subprocess.run([BIN + "/hamon", "-c", CONF, *words], capture_output=True, text=True, check=False,
                          timeout=600, stdin=subprocess.DEVNULL,
                          env={**os.environ, "PATH": BOX + "/wrap:" + os.environ["PATH"], **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(f"hamon {' '.join(words)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


class Move(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        images()
        files()
        os.mkdir(BOX + "/wrap")
        text = WRAPPER.format(box=BOX, dir=DIR, bin=BIN, path=os.environ["PATH"])
        for name in ("docker", "docker-compose", "rsync", "hamon"):
            write(f"{BOX}/wrap/{name}", text, 0o755)
        os.makedirs("/etc/mailcow-ha", exist_ok=True)
        os.makedirs("/run/mailcow-ha", exist_ok=True)
        os.makedirs("/var/lib/mailcow-ha", exist_ok=True)  # the box's own: a move under way is remembered there
        run("mount", "-t", "tmpfs", "state", "/var/lib/mailcow-ha")
        put("/etc/mailcow-ha/galera.pass", "x\n", mode=0o600)

    def setUp(self):
        self.device = None
        self.addCleanup(self.clean)
        run("truncate", "-s", "96M", IMAGE)
        self.device = run("losetup", "--find", "--show", IMAGE)
        self.node("n1")

    def clean(self):
        while os.path.ismount(MOUNT):
            run("umount", MOUNT)
        if self.device:
            run("losetup", "-d", self.device)
        os.unlink(IMAGE)
        for path in (DIR + "/docker-compose.override.yml", "/var/lib/mailcow-ha/move-out"):
            if os.path.exists(path):
                os.unlink(path)
        ids = run("docker", "ps", "-aq").split()
        if ids:
            run("docker", "rm", "-f", *ids)
        names = run("docker", "volume", "ls", "-q").split()
        if names:
            run("docker", "volume", "rm", *names)

    def node(self, name):
        write(CONF, HAMON_CONF.format(node=name, dir=DIR, device=self.device, uuid=UUID, mount=MOUNT))

    # ---- Mailcow ----

    @staticmethod
    def override():
        text = read(OVERRIDE).replace("${HAMON_NODE}", "n1").replace("${HAMON_ADDRESS}", "127.0.0.2")
        text = text.replace("${HAMON_MOUNT:-/mnt/mailcow-ha}", MOUNT)
        write(DIR + "/docker-compose.override.yml", override_here(text))

    def mailcow(self):
        """A Mailcow that runs, with something of each kind in it."""
        compose("up", "--no-start", override=None)
        vmail = where("vmail-vol-1") + "/example.org/alice/Maildir"
        for n in range(20):
            put(f"{vmail}/cur/{n}.host:2,S", f"mail {n}\n" * n, 5000, 0o600)
        os.link(f"{vmail}/cur/1.host:2,S", f"{vmail}/.Copies.1")
        os.symlink("cur", vmail + "/latest")
        os.setxattr(f"{vmail}/cur/2.host:2,S", "user.note", b"keep me")
        put(vmail + "/name with blanks\nand a line", "odd", 5000)
        put(where("vmail-index-vol-1") + "/alice/dovecot.index", "\0\1\2", 5000, 0o600)
        put(where("crypt-vol-1") + "/ecprivkey.pem", "a key", 401, 0o440)
        put(where("postfix-vol-1") + "/deferred/A/A1B2", "a mail that waits", 100, 0o700)
        put(where("sogo-userdata-backup-vol-1") + "/alice", "calendar", 999)
        put(where("mysql-vol-1") + "/ibdata1", "the database", 999, 0o660)
        for service in ("redis", "dovecot", "postfix", "mysql", "unbound"):
            run("docker", "start", f"{PROJECT}_{service}-mailcow_1")

    @staticmethod
    def running():
        return set(run("docker", "ps", "--format", "{{.Names}}").split())

    @staticmethod
    def volumes():
        return {v.removeprefix(PROJECT + "_") for v in run("docker", "volume", "ls", "-q").split()}

    @staticmethod
    def bound_to(volume):
        """Nothing: it is an ordinary one, or there is none."""
        return run("docker", "volume", "inspect", "-f", "{{index .Options \"device\"}}", f"{PROJECT}_{volume}",
                   check=False).stdout.strip()

    def content(self, of=where):
        """Of each volume but redis, which writes when it stops; of that, the key that was in it."""
        return {v: listing(of(v)) for v in SHARED if v != "redis-vol-1"}

    @staticmethod
    def on_volume(volume):
        return f"{MOUNT}/{SHARED[volume]}"

    def mount(self):
        run("mount", self.device, MOUNT)

    def format(self):
        hamon("volume", "format", "--yes")

    # ---- the file system ----

    def test_format(self):
        self.format()
        self.assertEqual(run("blkid", "-p", "-o", "value", "-s", "UUID", self.device), UUID)
        self.mount()
        write(MOUNT + "/a-mail", "here")
        self.assertIn("mounted", hamon("volume", "format", "--yes", check=False).stderr)
        run("umount", MOUNT)
        self.assertIn(UUID, hamon("volume", "format", "--yes").stdout)  # done already
        self.mount()
        self.assertEqual(read(MOUNT + "/a-mail"), "here")

    def test_format_never_wipes(self):
        table = b"\0" * 446 + bytes([0, 0, 2, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") \
            + (100000).to_bytes(4, "little") + b"\0" * 48 + b"\x55\xaa"
        swap = b"\0" * 1024 + (1).to_bytes(4, "little") + (1000).to_bytes(4, "little") + b"\0" * 3054 + b"SWAPSPACE2"
        nameless = b"\0" * 8192 + b"somebody's own format" * 100
        for what, content in (("ext4", None), ("partitions", table), ("swap", swap), ("nameless", nameless)):
            with self.subTest(what):
                run("dd", "if=/dev/zero", "of=" + self.device, "bs=1M", "count=96", check=False)
                if content is None:
                    run("mkfs.ext4", "-q", self.device)
                else:
                    with open(self.device, "wb") as f:
                        f.write(content)
                before = run("sha256sum", self.device)
                done = hamon("volume", "format", "--yes", check=False)
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertEqual(run("sha256sum", self.device), before)

    def test_format_asks(self):
        done = hamon("volume", "format", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--yes", done.stderr)
        self.assertEqual(run("blkid", "-p", self.device, check=False).stdout, "")

    # ---- there and back ----

    def test_there_and_back(self):
        self.format()
        self.mailcow()
        before = self.content()
        database = listing(where("mysql-vol-1"))
        self.override()
        hamon("move", "in", "--from-here", "--dry-run")
        self.assertEqual(self.content(), before)
        self.assertEqual(len(self.running()), 5)
        hamon("move", "in", "--from-here", "--yes")
        self.assert_in(before)
        self.assertEqual(listing(where("mysql-vol-1")), database)
        self.assertNotIn(f"{PROJECT}_dovecot-mailcow_1", self.running())
        self.assertIn(f"{PROJECT}_unbound-mailcow_1", self.running())  # the warm set is on
        self.assertNotIn(f"{PROJECT}_mysql-mailcow_1", self.running())  # but what `hamon galera` is to start
        hamon("move", "in", "--from-here", "--yes")  # nothing to do
        self.assertIn(f"{PROJECT}_mysql-mailcow_1", self.running())  # a member by now
        self.assert_in(before)

        self.mount()
        put(MOUNT + "/vmail/example.org/alice/Maildir/new/late", "a mail of the cluster's time", 5000)
        later = self.content(self.on_volume)
        run("umount", MOUNT)
        hamon("move", "out", "--yes")
        self.assertEqual(self.content(), later)
        self.assertEqual(listing(where("mysql-vol-1")), database)
        self.assertFalse(os.path.exists(DIR + "/docker-compose.override.yml"))
        self.assertFalse(os.path.ismount(MOUNT))
        self.assertEqual({self.bound_to(v) for v in SHARED}, {""})

    def assert_in(self, before):
        self.assertFalse(os.path.ismount(MOUNT))
        self.assertEqual({v: self.bound_to(v) for v in SHARED}, {v: f"{MOUNT}/{d}" for v, d in SHARED.items()})
        self.assertEqual(self.content(lambda v: where(v + BEFORE)), before)  # kept
        self.mount()
        self.assertEqual(self.content(self.on_volume), before)
        self.assertTrue(os.path.exists(MOUNT + "/redis/dump.rdb"))
        run("umount", MOUNT)
        restart = run("docker", "inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", f"{PROJECT}_dovecot-mailcow_1")
        self.assertEqual(restart, "no")

    def test_another_server_joins(self):
        self.format()
        self.mailcow()
        before, database = self.content(), listing(where("mysql-vol-1"))
        self.override()
        self.node("n2")
        hamon("move", "in", "--yes")
        self.assertEqual(self.content(lambda v: where(v + BEFORE)), before)
        self.assertEqual(listing(where("mysql-vol-1" + BEFORE)), database)
        self.assertEqual(os.listdir(where("mysql-vol-1")), [])
        put(where("mysql-vol-1") + "/ibdata1", "a copy of the cluster's", 999)
        hamon("move", "in", "--yes")
        self.assertEqual(os.listdir(where("mysql-vol-1")), ["ibdata1"])  # it stays at a second run
        hamon("move", "out", "--kept", "--yes")
        self.assertEqual(self.content(), before)
        self.assertEqual(listing(where("mysql-vol-1")), database)
        self.assertFalse({v for v in self.volumes() if v.endswith(BEFORE)})

    # ---- killed ----

    def until_done(self, *words, still):
        """Killed after each thing it does, and begun again, until nothing new is left to be killed after."""
        deeds, runs = BOX + "/deeds", 0
        write(deeds, "")
        while True:
            write(deeds + ".run", "")
            done = hamon(*words, "--yes", check=False, env={"DEEDS": deeds})
            still()
            if done.returncode == 0:
                return read(deeds).splitlines()
            self.assertEqual(done.returncode, -9, done.stdout[-2000:] + done.stderr[-2000:])
            runs += 1
            self.assertLess(runs, 120)

    def test_killed_after_each_thing_it_does(self):
        self.format()
        self.mailcow()
        before, database = self.content(), listing(where("mysql-vol-1"))
        self.override()

        def is_there():
            for v, content in before.items():  # whole, in one of the two, at any time
                places = [p for p in (where(v), where(v + BEFORE)) if os.path.isdir(p) and os.listdir(p)
                          and not (self.bound_to(v) and p == where(v))]
                self.assertIn(content, [listing(p) for p in places], v)

        deeds = self.until_done("move", "in", "--from-here", still=is_there)
        self.assertGreater(len(deeds), 30, deeds)
        self.assert_in(before)
        self.assertEqual(listing(where("mysql-vol-1")), database)

        def is_on_the_volume():
            mounted = os.path.ismount(MOUNT)
            if not mounted:
                self.mount()
            self.assertEqual(self.content(self.on_volume), before)
            if not mounted:
                run("umount", MOUNT)

        deeds = self.until_done("move", "out", still=is_on_the_volume)
        self.assertGreater(len(deeds), 12, deeds)
        self.assertEqual(self.content(), before)
        self.assertEqual(listing(where("mysql-vol-1")), database)
        self.assertFalse(os.path.exists(DIR + "/docker-compose.override.yml"))

    # ---- refused ----

    def assert_refused(self, word, *words):
        done = hamon("move", *words, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(word, done.stderr + done.stdout)

    def test_refused_with_nothing_changed(self):
        self.format()
        self.mailcow()
        before, running = self.content(), self.running()
        self.assert_refused("render compose", "in", "--from-here", "--yes")  # no override yet
        self.override()
        self.assert_refused("--yes", "in", "--from-here")                    # nobody there to be asked
        put(where("vmail-vol-1") + "/large", "x" * (100 << 20))
        self.assert_refused("too small", "in", "--from-here", "--yes")
        os.unlink(where("vmail-vol-1") + "/large")
        while os.path.ismount(MOUNT):
            run("umount", MOUNT)
        self.mount()
        write(MOUNT + "/.hamon-layout", "version=1\nfilled_from=n3\nat=2026-01-01T00:00:00Z\n")
        run("umount", MOUNT)
        self.assert_refused("n3", "in", "--from-here", "--yes")              # another server's mail is on it
        self.assertEqual(self.content(), before)
        self.assertEqual(self.running(), running)
        self.assertFalse(glob.glob(f"{BOX}/docker/volumes/*{BEFORE}"))


if __name__ == "__main__":
    if not BOX:
        enter_box()
    unittest.main(verbosity=2)
