"""What the tests on a Docker engine of their own (tests/signup/box) share: images, and Mailcow's directory."""
import os
import shutil
import subprocess
import sys
import time

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or SOURCE + "/build/debug/bin"
BOX = os.environ.get("BOX_DIR", "")
DIR, MOUNT, LIB = BOX + "/mailcow", BOX + "/mnt", BOX + "/lib"
OVERRIDE = SOURCE + "/compose.override.yml"
FIXTURE = SOURCE + "/tests/compose/mailcow"
PROJECT = "mailcowdockerized"
SHARED = {"vmail-vol-1": "vmail", "vmail-index-vol-1": "vmail-index", "crypt-vol-1": "crypt", "redis-vol-1": "redis",
          "postfix-vol-1": "postfix", "sogo-userdata-backup-vol-1": "sogo-backup"}


def run(*argv, check=True, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout.strip() if check else done


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.05)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def compose(*words, override=OVERRIDE, check=True, cwd=None):
    env = {"PATH": os.environ["PATH"], "HOME": "/", "HAMON_NODE": "n2", "HAMON_ADDRESS": "127.0.0.2",
           "HAMON_MOUNT": MOUNT}
    files = ["-f", "docker-compose.yml"] + (["-f", override] if override else [])
    return run("docker-compose", "--env-file", "mailcow.conf", *files, *words, cwd=cwd or DIR, env=env, check=check)


def images():
    """The rig's, with something everywhere a shared volume is mounted, as Mailcow's images have."""
    mail, tiny = os.environ["BOX_IMAGES"].splitlines()
    root, ours = BOX + "/tiny", BOX + "/tiny.tar"
    os.mkdir(root)
    run("tar", "-C", root, "-xf", tiny)
    for path in ("var/vmail", "var/vmail_index", "mail_crypt", "var/lib/zeyple", "var/spool/postfix", "sogo_backup"):
        os.makedirs(f"{root}/{path}")
        write(f"{root}/{path}/of-the-image", "")
    run("tar", "-C", root, "-cf", ours, ".")
    for name, tar, more in (("mailrig:test", mail, []), ("tinyrig:test", ours, []),
                            ("tinyrig:unbound", ours, ["--change", "HEALTHCHECK --interval=2s CMD true"])):
        with open(tar, "rb") as f:
            run("docker", "import", *more, "-", name, stdin=f)


def files():
    """Mailcow's directory; in LIB, for /usr/lib/mailcow-ha and /usr/sbin/hamon, which are the machine's."""
    shutil.copytree(FIXTURE, DIR)
    os.makedirs(DIR + "/data/conf/mysql", exist_ok=True)
    os.symlink("mailcow.conf", DIR + "/.env")
    shutil.copytree(SOURCE + "/templates/container", LIB)
    write(LIB + "/hamon", "#!/bin/sh\n", 0o755)
    write(LIB + "/galera-start", "#!/bin/sh\nexec /placeholder 3306\n", 0o755)
    os.mkdir(MOUNT)


def override_here(text):
    return text.replace("source: /usr/lib/mailcow-ha", "source: " + LIB).replace("source: /usr/sbin/hamon",
                                                                                 f"source: {LIB}/hamon")


def enter_box():
    """Again from the start, in a box, which has no network."""
    os.environ["BOX_IMAGES"] = run(SOURCE + "/tests/compose/images")
    os.execv(SOURCE + "/tests/signup/box", ["box", sys.executable, *sys.argv])
