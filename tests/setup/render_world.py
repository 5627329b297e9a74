"""The tests of what `hamon render` prints: namespaces of their own, configurations, rendered files."""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("MHA_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MHA_BIN") or os.path.join(SOURCE, "build/debug/bin")
MOST = 7  # nodes
WORK = tempfile.mkdtemp(prefix="render-") if os.environ.get("RENDER_INSIDE") == "1" else None


def isolate():
    """Start this program again where it can break nothing."""
    if os.environ.get("RENDER_INSIDE") != "1":
        os.environ["RENDER_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private", sys.executable] + sys.argv)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def run(*argv, ok=True, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)
    if ok and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def wait_for(what, condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what() if callable(what) else what}")
        time.sleep(0.05)


def address(i, v6=False):
    return f"fd00::{i}" if v6 else f"10.9.0.{i}"


def conf(n, name="n1", v6=False, extra=""):
    """hamon.conf of node `name` of n; the file's path."""
    path = f"{WORK}/hamon-{n}-{name}-{v6}.conf"
    nodes = " ".join(f"n{i}={address(i, v6)}" for i in range(1, n + 1))
    with open(path, "w") as f:
        f.write(f"[node]\nname = {name}\n[cluster]\nname = mail\nnodes = {nodes}\n[volume]\nprovider = local\n"
                "device = /dev/sdb\nuuid = e4caf530-1b2c-4d3e-8f90-0123456789ab\nmount = /mnt/mailcow-ha\n" + extra)
    return path


def render(what, config):
    done = subprocess.run([f"{BIN}/hamon", "-c", config, "render", what], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{what}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def rendered(what, config, name=None):
    path = f"{WORK}/{name or what}"
    with open(path, "w") as f:
        f.write(render(what, config))
    return path


def prepare():
    """Everything of this test on a tmpfs, programs where an installation has them."""
    os.chmod(WORK, 0o755)
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "render", WORK)
    os.makedirs(f"{WORK}/upper")
    os.makedirs(f"{WORK}/worker")
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir=/usr/sbin,upperdir={WORK}/upper,workdir={WORK}/worker", "/usr/sbin")
    shutil.copy(f"{BIN}/hamon", "/usr/sbin/hamon")
    run("ip", "link", "set", "lo", "up")


def tidy():
    os.chdir("/")
    subprocess.run(["umount", "-l", "/usr/sbin", WORK])
    os.rmdir(WORK)
