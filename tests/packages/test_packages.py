#!/usr/bin/env python3
"""The Debian packages (tools/deb --once): looked at, and then installed, upgraded, removed and purged in a Debian that
has nothing but what they depend on (root), also with a systemd as process 1 (boot), all of it in a box. Beside that
they are built once more, to be compared."""
import filecmp
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

SOURCE = os.path.abspath(os.path.dirname(__file__) + "/../..")
PACKAGES = os.environ.get("MHA_PACKAGES", "")  # where they are
AGAIN = SOURCE + "/build/packages"
BOX = os.environ.get("BOX_DIR", "")
NAMES = ("mailcow-ha", "mailcow-ha-signup")
MANIFEST = "/var/lib/mailcow-ha/init.manifest"  # hamon/setup/manifest.h
CLUSTER = """
[cluster]
nodes = n1=127.0.0.1 n2=127.0.0.2 n3=127.0.0.3
[volume]
provider = hetzner
id = 1001
uuid = e4caf530-0000-4000-8000-000000000000
mount = /mnt/mailcow-ha
[hetzner]
token_file = /etc/mailcow-ha/hetzner.token
"""


def run(*argv, ok=0, **options):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
                          stdin=subprocess.DEVNULL, **options)
    if ok is not None and done.returncode != ok:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def deb(name):
    (path,) = glob.glob(f"{PACKAGES}/{name}_*.deb")
    return path


def field(path, name):
    return run("dpkg-deb", "-f", path, name).strip()


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").digest()


def tree(top):
    """What lies below TOP, without what dpkg itself keeps."""
    skip = ("/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/systemd/deb-systemd-helper", "/tmp", "/run", "/debs")
    found = {}
    for folder, folders, files in os.walk(top):
        place = folder[len(top):]
        if place.startswith(skip):
            folders[:] = []
            continue
        for name in folders + files:
            path = folder + "/" + name
            found[place + "/" + name] = os.path.isfile(path) and not os.path.islink(path) and digest(path)
    return found


class Build(unittest.TestCase):
    def test_lintian(self):
        run("lintian", "--fail-on", "error,warning", "--allow-root", *glob.glob(PACKAGES + "/*.changes"))

    def test_what_is_said_twice(self):
        """The version, and what it takes to build."""
        version = run("dpkg-parsechangelog", "-l", SOURCE + "/debian/changelog", "-S", "Version").strip()
        self.assertEqual(version, read(SOURCE + "/VERSION").strip())
        depends = re.search(r"(?ms)^Build-Depends:\n(.*?)\n\n", read(SOURCE + "/debian/control")).group(1)
        have = {line.strip(" ,") for line in depends.splitlines()} - {"debhelper-compat (= 13)"}
        self.assertEqual(have, set(re.findall(r"(?m)^build +(\S+)", read(SOURCE + "/packages.apt"))))

    def test_libraries_are_listed(self):
        for name in NAMES:
            top = f"{BOX}/sbom-{name}"
            run("dpkg-deb", "-x", deb(name), top)
            bom = json.loads(read(f"{top}/usr/share/doc/{name}/sbom.cdx.json"))
            self.assertEqual((bom["bomFormat"], bom["specVersion"]), ("CycloneDX", "1.5"))
            refs = {c["bom-ref"] for c in bom["components"]} | {name}
            for edge in bom["dependencies"]:
                self.assertLessEqual({edge["ref"], *edge["dependsOn"]}, refs)
            linked = {c["name"]: c["properties"][0]["value"] for c in bom["components"] if c["type"] == "library"}
            direct = {n for n, how in linked.items() if how == "direct"}
            needs = {re.sub(r"[ (].*", "", d.strip()) for d in field(deb(name), "Depends").split(",")}
            self.assertEqual(direct, {n for n in needs if n.startswith("lib")})
            if name == "mailcow-ha":
                self.assertEqual({n for n, how in linked.items() if how == "static"}, {"musl-dev", "libinih-dev"})

    def test_holds_what_make_install_installs(self):
        """And `make uninstall` takes all of that away."""
        top = BOX + "/install"
        run("make", "-s", "install", f"DESTDIR={top}", cwd=SOURCE)

        def files(where):
            return {re.sub(r"\.gz$", "", re.sub(r"^/lib/", "/usr/lib/", p)) for p, what in tree(where).items()
                    if not os.path.isdir(where + p) and "/share/doc/" not in p}
        packed = set()
        for name in NAMES:
            run("dpkg-deb", "-x", deb(name), f"{BOX}/files-{name}")
            packed |= files(f"{BOX}/files-{name}")
        packed -= {p for p in packed if p.startswith(("/usr/share/lintian", "/usr/lib/sysusers.d"))}
        self.assertEqual(packed, files(top))
        run("make", "-s", "uninstall", f"DESTDIR={top}", cwd=SOURCE)
        self.assertEqual(files(top), set())


class Root(unittest.TestCase):
    """A fresh root for each test: the tarball's below, a tmpfs above. self.deb(): the packages as it sees them."""

    @classmethod
    def setUpClass(cls):
        if not os.path.isdir(BOX + "/base"):
            os.mkdir(BOX + "/base")
            run("tar", "-C", BOX + "/base", "-xf", os.environ["MHA_ROOT"])
            os.mkdir(BOX + "/base/debs")
            for name in NAMES:
                shutil.copy(deb(name), f"{BOX}/base/debs/{name}.deb")
                cls.make_previous(name)

    @classmethod
    def make_previous(cls, name):
        """The build before: an older version, another description of each unit, and a file that is no more."""
        top = f"{BOX}/previous-{name}"
        run("dpkg-deb", "-R", deb(name), top)
        control = read(top + "/DEBIAN/control")
        write(top + "/DEBIAN/control", re.sub(r"(?m)^(Version: .*)$", r"\1~previous", control))
        for unit in glob.glob(top + "/lib/systemd/system/*"):
            write(unit, read(unit).replace("Description=", "Description=old "))
        write(f"{top}/usr/share/{name}-was-here", "")
        run("dpkg-deb", "-Znone", "--root-owner-group", "-b", top, f"{BOX}/base/debs/{name}-previous.deb")

    def setUp(self):
        self.dir = f"{BOX}/{self.id()}"
        os.mkdir(self.dir)
        run("mount", "-t", "tmpfs", "-o", "size=1g", "root", self.dir)
        for name in ("up", "work", "m"):
            os.mkdir(f"{self.dir}/{name}")
        self.root = self.dir + "/m"
        run("mount", "-t", "overlay", "-o", f"lowerdir={BOX}/base,upperdir={self.dir}/up,workdir={self.dir}/work",
            "root", self.root)
        self.addCleanup(run, "umount", "-R", "-l", self.dir)

    def enter(self):
        return ["chroot", self.root]

    def sh(self, *argv, ok=0):
        return run(*self.enter(), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
                   "DEBIAN_FRONTEND=noninteractive", *argv, ok=ok)

    def install(self, *names, ok=0):
        return self.sh("dpkg", "-i", *(f"/debs/{n}.deb" for n in names), ok=ok)

    def write(self, path, text, mode=0o644):
        write(self.root + path, text, mode)

    def exists(self, path):
        return os.path.lexists(self.root + path)

    def installed(self, name):
        return self.sh("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name, ok=None)[1:2] == "i"


class Life(Root):
    """Without systemd, as in an image that is being made."""

    def configured(self):
        """What `hamon init` and a person leave."""
        files = {"hamon.conf": "[node]\nname = n1\n", "cluster.secret": "s\n", "answers.conf": "a\n",
                 "alerts.d/phone.conf": "p\n", "master.d/mine": "#!/bin/sh\n"}
        for name, text in files.items():
            self.write("/etc/mailcow-ha/" + name, text, 0o600)
        self.write("/var/lib/mailcow-ha/events", "{}\n")
        return {"/etc/mailcow-ha/" + name: text for name, text in files.items()}

    def assert_kept(self, files):
        for path, text in files.items():
            self.assertEqual(read(self.root + path), text, path)

    def test_life(self):
        before = tree(self.root)
        self.install("mailcow-ha-previous")
        self.assertEqual(os.listdir(self.root + "/etc/systemd/system/multi-user.target.wants"),
                         os.listdir(BOX + "/base/etc/systemd/system/multi-user.target.wants"), "nothing is enabled")
        files = self.configured()
        self.install("mailcow-ha")
        self.assertFalse(self.exists("/usr/share/mailcow-ha-was-here"))
        self.assert_kept(files)
        self.assertIn(read(SOURCE + "/VERSION").strip(), self.sh("hamon", "version"))
        self.assertNotIn("not found", self.sh("ldd", "/usr/libexec/mailcow-ha/hamond"))
        self.sh("hamon", "config")
        self.sh("dpkg", "-r", "mailcow-ha")
        self.assertFalse(self.exists("/usr/sbin/hamon"))
        self.assert_kept(files)
        self.install("mailcow-ha")
        self.assert_kept(files)
        self.sh("dpkg", "-P", "mailcow-ha")
        self.assertEqual(tree(self.root), before)

    def test_the_portal(self):
        before = tree(self.root)
        self.install("mailcow-ha-signup-previous")
        files = {f"/etc/mailcow-ha/{n}": n for n in ("signup.conf", "signup.secret", "mailcow.key")}
        for path, text in files.items():
            self.write(path, text, 0o600)
        self.install("mailcow-ha-signup", "mailcow-ha")
        self.assertNotIn("not found", self.sh("ldd", "/usr/sbin/signup"))
        self.assertTrue(self.sh("getent", "passwd", "9000").startswith("mailcow-signup:"))
        files_of_hamon = self.configured()
        self.sh("dpkg", "-P", "mailcow-ha")
        self.assert_kept(files)
        self.assertEqual({"/etc/mailcow-ha/" + n for n in os.listdir(self.root + "/etc/mailcow-ha")}, set(files))
        self.install("mailcow-ha")
        files_of_hamon = self.configured()
        self.sh("dpkg", "-P", "mailcow-ha-signup")
        self.assert_kept(files_of_hamon)
        self.assertFalse([path for path in files if self.exists(path)])
        self.sh("dpkg", "-P", "mailcow-ha")
        left = {path for path, what in tree(self.root).items() if before.get(path) != what}
        users = {f"/etc/{n}{m}" for n in ("passwd", "group", "shadow", "gshadow") for m in ("", "-")}
        self.assertLessEqual(left, users | {"/etc/.pwd.lock"})

    def test_somebody_is_9000(self):
        self.sh("useradd", "-u", "9000", "alice")
        self.assertIn("user 9000 is alice", self.install("mailcow-ha-signup"))

    def test_purge_touches_no_mail(self):
        self.install("mailcow-ha")
        self.write("/mnt/mailcow-ha/vmail/mail", "of somebody")
        self.write("/opt/mailcow-dockerized/docker-compose.override.yml", "# of mailcow-ha\n")
        self.assertIn("hamon move out", self.sh("dpkg", "-P", "mailcow-ha"))
        self.assertEqual(read(self.root + "/mnt/mailcow-ha/vmail/mail"), "of somebody")
        self.assertTrue(self.exists("/opt/mailcow-dockerized/docker-compose.override.yml"))

    def test_what_init_wrote_is_told(self):
        self.install("mailcow-ha")
        self.assertEqual(self.sh("hamon", "init", "--undo", "--dry-run").strip(), "nothing to undo")
        self.assertNotIn("hamon init", self.sh("dpkg", "-r", "mailcow-ha"))
        self.install("mailcow-ha")
        self.write("/etc/keepalived/keepalived.conf", "# of init\n")
        sum_ = digest(self.root + "/etc/keepalived/keepalived.conf").hex()
        self.write(MANIFEST, "%s /etc/keepalived/keepalived.conf\n" % sum_)
        said = self.sh("dpkg", "-r", "mailcow-ha")
        self.assertIn("hamon init --undo", said)
        self.assertIn("/etc/keepalived/keepalived.conf", said)
        self.assertTrue(self.exists("/etc/keepalived/keepalived.conf"))


class Machine(Root):
    """With a systemd that runs."""
    units = ("hamon-guard.service", "hamon.service", "hamon-web.service", "hamon-sync.service")

    def setUp(self):
        super().setUp()
        self.log = open(self.dir + "/boot.log", "w+b")
        self.addCleanup(self.log.close)
        self.boot = subprocess.Popen([SOURCE + "/tests/packages/boot", self.dir], stdout=self.log, stderr=self.log,
                                     stdin=subprocess.DEVNULL)
        self.addCleanup(self.power_off)
        self.init = ""
        self.wait_for("systemd", self.is_up)
        self.install("mailcow-ha-previous")
        self.assertEqual([u for u in self.units if self.active(u)], [], "nothing is started")
        self.write("/etc/mailcow-ha/hamon.conf", "[node]\nname = n1\n")
        self.write("/etc/mailcow-ha/galera.pass", "x\n", 0o600)

    def power_off(self):
        self.boot.kill()
        self.boot.wait(60)

    def wait_for(self, what, condition, seconds=600):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.boot.poll() is not None:
                self.log.seek(0)
                self.fail(f"never came: {what}\n{self.log.read().decode(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def is_up(self):
        try:
            self.init = read(f"/proc/{self.boot.pid}/task/{self.boot.pid}/children").split()[0]
        except (IndexError, FileNotFoundError):
            return False
        return self.sh("systemctl", "is-system-running", ok=None).strip() in ("running", "degraded")

    def enter(self):
        return ["nsenter", "-t", self.init, *"-m -n -p -u -i -C -r -w --".split()]

    def active(self, unit):
        return self.sh("systemctl", "is-active", unit, ok=None).strip() == "active"

    def pid(self, unit):
        return self.sh("systemctl", "show", "-p", "MainPID", "--value", unit).strip()

    def start(self, *units):
        self.sh("systemctl", "start", *units)
        for unit in units:
            self.assertTrue(self.active(unit), unit)
        return {unit: self.pid(unit) for unit in units}

    def test_upgrade_restarts_what_runs(self):
        self.sh("systemctl", "enable", "hamon-guard.service")
        before = self.start("hamon-guard.service", "hamon.service", "hamon-rehearse.timer")
        self.install("mailcow-ha")
        for unit, pid in before.items():
            self.assertTrue(self.active(unit), unit)
            self.assertTrue(pid in ("", "0") or self.pid(unit) != pid, unit)
            self.assertEqual(self.sh("systemctl", "show", "-p", "NeedDaemonReload", "--value", unit).strip(), "no")
            self.assertNotIn("old ", self.sh("systemctl", "show", "-p", "Description", unit))
        self.assertFalse(self.active("hamon-web.service"), "what did not run")
        self.assertEqual(self.sh("systemctl", "show", "-p", "ExecMainStartTimestamp", "--value",
                                 "hamon-rehearse.service").strip(), "", "what runs once")
        self.assertEqual(self.sh("systemctl", "is-enabled", "hamon-guard.service").strip(), "enabled")
        self.assertEqual(self.sh("systemctl", "is-enabled", "hamon.service", ok=1).strip(), "disabled")

    def test_upgrade_with_a_configuration_that_is_refused(self):
        before = self.start(*self.units)
        self.write("/etc/mailcow-ha/hamon.conf", "[node]\nname = n1\n[check]\nis_no_more = 1\n")
        said = self.install("mailcow-ha")
        self.assertIn("was not restarted", said)
        self.assertIn('hamon.conf:4: unknown key "is_no_more"', said)
        self.assertEqual(before, {unit: self.pid(unit) for unit in self.units})
        self.assertTrue(self.installed("mailcow-ha"))

    def test_a_node_that_leads_keeps_it(self):
        self.write("/etc/mailcow-ha/hamon.conf", "[node]\nname = n1\n" + CLUSTER)
        before = self.start("hamon-guard.service")
        os.makedirs(self.root + "/mnt/mailcow-ha", exist_ok=True)
        self.sh("mount", "-t", "tmpfs", "volume", "/mnt/mailcow-ha")
        for verb in ("-r", "-P"):
            said = self.sh("dpkg", verb, "mailcow-ha", ok=1)
            self.assertIn("hamon switchover", said)
            self.assertTrue(self.installed("mailcow-ha"))
            self.assertEqual(before, {unit: self.pid(unit) for unit in before})
        self.install("mailcow-ha")  # an upgrade is no removal
        self.assertTrue(self.active("hamon-guard.service"))
        self.sh("umount", "/mnt/mailcow-ha")
        conf = read(self.root + "/etc/mailcow-ha/hamon.conf")
        self.write("/etc/mailcow-ha/hamon.conf", conf + "is_no_more = 1\n")  # nobody can tell
        self.sh("dpkg", "-P", "mailcow-ha", ok=1)
        self.write("/etc/mailcow-ha/hamon.conf", conf)
        self.sh("dpkg", "-P", "mailcow-ha")
        self.assertEqual(self.sh("systemctl", "list-units", "-q", "--all", "hamon*").strip(), "")
        self.assertFalse(self.exists("/run/mailcow-ha"))

    def test_remove_stops_and_purge_forgets(self):
        self.install("mailcow-ha")
        self.sh("systemctl", "enable", *self.units, "hamon-rehearse.timer")
        self.start(*self.units, "hamon-rehearse.timer")
        self.sh("dpkg", "-r", "mailcow-ha")
        self.assertEqual([u for u in (*self.units, "hamon-rehearse.timer") if self.active(u)], [])
        self.install("mailcow-ha")
        self.assertEqual(self.sh("systemctl", "is-enabled", *self.units).split(), ["enabled"] * len(self.units))
        self.sh("dpkg", "-P", "mailcow-ha")
        wants = glob.glob(self.root + "/etc/systemd/system/*.wants/hamon*")
        self.assertEqual(wants, [])
        self.assertFalse(self.exists("/etc/mailcow-ha"))


class Twice(unittest.TestCase):
    """Last, because the second build, as different as it can be, goes on beside all the others."""
    build = None

    @classmethod
    def begin(cls):
        cls.build = subprocess.Popen(
            ["sh", "-c", f"umask 077; exec '{SOURCE}/tools/deb' '{AGAIN}'"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "JOBS": "1", "HOME": "/nonexistent"})

    @classmethod
    def setUpClass(cls):
        if not cls.build:
            cls.begin()

    def test_the_same_again(self):
        """Another folder, language, time zone and umask give the same packages, byte for byte."""
        said, _ = self.build.communicate(timeout=1200)
        self.assertEqual(self.build.returncode, 0, said[-3000:])
        for path in glob.glob(PACKAGES + "/*.deb"):
            other = AGAIN + "/" + os.path.basename(path)
            if not filecmp.cmp(path, other, shallow=False):
                for name, which in (("one", path), ("other", other)):
                    run("dpkg-deb", "-R", which, f"{BOX}/unpacked-{name}")
                self.fail(os.path.basename(path) + ":\n" +
                          run("diff", "-rq", BOX + "/unpacked-one", BOX + "/unpacked-other", ok=None))
        self.assertEqual(len(glob.glob(PACKAGES + "/*.deb")), len(glob.glob(AGAIN + "/*.deb")))


if __name__ == "__main__":
    if not BOX:  # MHA_PACKAGES=DIR: built elsewhere
        PACKAGES = PACKAGES or run(SOURCE + "/tools/deb", "--once").split()[-1]
        tar = run(SOURCE + "/tests/packages/root", *map(deb, NAMES)).split()[-1]
        os.execve(SOURCE + "/tests/signup/box", ["box", sys.executable, *sys.argv],
                  {**os.environ, "MHA_PACKAGES": PACKAGES, "MHA_ROOT": tar, "BOX_ENGINE": "no"})
    if all(word.startswith("-") for word in sys.argv[1:]):  # all of it
        Twice.begin()
    unittest.main(verbosity=2)
