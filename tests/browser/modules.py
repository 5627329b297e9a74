"""What tests in a real Chromium need besides Debian's packages: two from npm, by tests/browser/package-lock.json, kept in
build/browser. modules() puts them there, or ends the test as skipped where npm cannot be reached."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(SOURCE, "build/browser")
SKIPPED = 77  # tests/CMakeLists.txt


def modules():
    deps = os.path.join(SOURCE, "tools/deps")
    subprocess.run([deps, "browser"], check=True)
    if not shutil.which("npm"):
        subprocess.run([deps, "npm"], check=True)
    os.makedirs(WORK + "/shots", exist_ok=True)
    lock = "package-lock.json"
    old = os.path.join(WORK, lock)
    new = os.path.join(HERE, lock)
    if os.path.exists(old) and os.path.isdir(WORK + "/node_modules") and open(old, "rb").read() == open(new, "rb").read():
        return
    for name in ("package.json", lock):
        shutil.copy(os.path.join(HERE, name), WORK)
    npm = ["timeout", "240", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run(npm, cwd=WORK, check=False).returncode:
        shutil.rmtree(WORK + "/node_modules", ignore_errors=True)
        os.remove(old)
        print("skipped: npm could not fetch the two packages of tests/browser/package-lock.json")
        sys.exit(SKIPPED)
