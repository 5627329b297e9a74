"""A real MariaDB for the tests of the portal."""
import os
import pwd
import subprocess
import tempfile

from stack import wait_for

PASSWORD = "pass-word of the database"


class Database:
    """mariadbd with a datadir of its own, on a unix socket only."""

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="mha-db.")
        self.dir = self.tmp.name
        self.user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        os.chmod(self.dir, 0o755)
        os.mkdir(self.dir + "/data")
        if os.geteuid() == 0:
            mysql = pwd.getpwnam("mysql")
            for path in (self.dir, self.dir + "/data"):
                os.chown(path, mysql.pw_uid, mysql.pw_gid)
        subprocess.run(["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal",
                        "--skip-test-db", f"--datadir={self.dir}/data", f"--user={self.user}"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        fd = os.open(self.dir + "/pass", os.O_WRONLY | os.O_CREAT, 0o600)
        os.fchown(fd, os.geteuid(), os.getegid())
        os.write(fd, PASSWORD.encode())
        os.close(fd)
        self.child = None
        self.start()
        self.sql("CREATE DATABASE hamon", f"CREATE USER hamon@localhost IDENTIFIED BY '{PASSWORD}'",
                 "GRANT ALL ON hamon.* TO hamon@localhost")

    def start(self):
        self.child = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--user={self.user}", f"--datadir={self.dir}/data", "--skip-networking",
             f"--socket={self.dir}/sock", f"--pid-file={self.dir}/data/pid", "--innodb-buffer-pool-size=16M",
             "--performance-schema=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the database", lambda: self.query("SELECT 1") == "1", 60)

    def query(self, text):
        return subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{self.dir}/sock", "-N", "-e", text],
                              capture_output=True, text=True, check=False).stdout.strip()

    def sql(self, *statements):
        for text in statements:
            subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{self.dir}/sock", "-e", text], check=True)

    def conf(self):
        return {"store.kind": "galera", "store.socket": self.dir + "/sock", "store.password_file": self.dir + "/pass"}

    def stop(self):
        self.child.kill()
        self.child.wait()

    def remove(self):
        self.stop()
        self.tmp.cleanup()
