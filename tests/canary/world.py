"""A real postfix and a real dovecot of our own, in a network, a process and a mount namespace of their own:
everything ends with the test, and nothing of this machine is touched."""
import os
import shutil
import signal
import subprocess
import sys
import time

MAILBOX = "canary@mail.test"
PASSWORD = "a canary's secret"
PATIENCE = 60
UNSHARED = "MHA_CANARY_UNSHARED"


def unshare():
    """Run this program again, alone."""
    if os.environ.get(UNSHARED):
        return
    os.environ[UNSHARED] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable,
                          *sys.argv])


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def listens(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        return f"0100007F:{port:04X} 00000000:0000 0A" in table.read()


def pids(*names):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/comm", encoding="utf-8") as comm:
                if entry.isdigit() and comm.read().strip() in names:
                    found.append(int(entry))
        except OSError:
            pass
    return found


class World:
    def __init__(self, work):
        self.work = work
        self.postfix = self.dovecot = None
        os.chmod(work, 0o755)
        run("ip", "link", "set", "lo", "up")
        for name, size in (("vmail", "4m"), ("queue", "8m")):
            os.makedirs(self.at(name))
            run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.at(name))
        os.makedirs(self.at("index"))  # on another disk, as Mailcow has them
        run("chown", "65534:65534", self.at("vmail"), self.at("index"))
        os.makedirs(self.at("data"))
        shutil.chown(self.at("data"), "postfix")
        self.certificate("good", "+90 days")
        self.certificate("soon", "+5 days")
        self.certificate("expired", "-2 days")
        self.write("users", f"{MAILBOX}:{{PLAIN}}{PASSWORD}\n")
        self.write("wrong_token", "/^token / REPLACE token 00\n")
        self.write_postfix()
        self.write_dovecot("good")

    def at(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.at(name), mode)

    def certificate(self, name, end):
        """Signed by itself; one that has run out can be had only from `openssl ca`."""
        config = self.at("ca/ca.cnf")
        self.write("ca/ca.cnf", f"""[ca]
default_ca = own
[own]
database = {self.at("ca/index")}
rand_serial = yes
new_certs_dir = {self.at("ca")}
default_md = sha256
policy = any
x509_extensions = names
unique_subject = no
[any]
commonName = supplied
[names]
subjectAltName = DNS:mail.test
[req]
distinguished_name = any
""")
        self.write("ca/index", "")
        key, request = self.at(f"{name}.key"), self.at(f"ca/{name}.csr")
        run("openssl", "req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", key, "-out", request, "-subj", "/CN=mail.test",
            "-config", config)
        stamps = [run("date", "-u", "-d", day, "+%Y%m%d%H%M%SZ").strip() for day in ("-30 days", end)]
        run("openssl", "ca", "-batch", "-selfsign", "-config", config, "-keyfile", key, "-in", request, "-out",
            self.at(f"{name}.crt"), "-startdate", stamps[0], "-enddate", stamps[1], "-notext")
        os.chmod(key, 0o600)

    # ---- postfix ----

    def write_postfix(self):
        self.write("postfix/main.cf", f"""compatibility_level = 3.6
queue_directory = {self.at("queue")}
data_directory = {self.at("data")}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {self.at("postfix.log")}
maillog_file_prefixes = {self.work}
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
virtual_mailbox_domains = mail.test
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:[127.0.0.1]:24
recipient_delimiter = +
message_size_limit = 102400
smtpd_tls_cert_file = {self.at("good.crt")}
smtpd_tls_key_file = {self.at("good.key")}
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self.at("auth")}
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
service_throttle_time = 1s
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
""")
        services = ["smtp inet n - n - - smtpd"]
        for name, mode in (("submission", "smtpd_tls_security_level=encrypt"), ("smtps", "smtpd_tls_wrappermode=yes")):
            services.append(f"{name} inet n - n - - smtpd -o {mode} -o smtpd_sasl_auth_enable=yes")
        services.append("postlog unix-dgram n - n - 1 postlogd")
        for name in ("rewrite trivial-rewrite", "bounce bounce", "defer bounce", "trace bounce", "verify verify", "lmtp lmtp",
                     "smtp smtp", "error error", "retry error", "discard discard", "anvil anvil", "scache scache",
                     "proxymap proxymap"):
            services.append(f"{name.split()[0]} unix - - n - - {name.split()[1]}")
        services += ["flush unix n - n 1000? 0 flush", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                     "pickup unix n - n 60 1 pickup", "showq unix n - n - - showq", "tlsmgr unix - - n 1000? 1 tlsmgr"]
        self.write("postfix/master.cf", "\n".join(services) + "\n")

    def start_postfix(self):
        self.postfix = subprocess.Popen(["postfix", "-c", self.at("postfix"), "start-fg"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for port in (25, 465, 587):
            wait_for(f"postfix on port {port}", lambda port=port: listens(port))

    def stop_postfix(self):
        run("postfix", "-c", self.at("postfix"), "stop")
        self.postfix.wait(PATIENCE)
        wait_for("postfix to be gone", lambda: not listens(25))

    def postconf(self, setting):
        """All new connections go by it: its processes are started anew."""
        self.stop_postfix()
        name = setting.split("=")[0].strip()
        if setting.endswith("="):
            run("postconf", "-c", self.at("postfix"), "-X", name)
        else:
            run("postconf", "-c", self.at("postfix"), "-e", setting)
        self.start_postfix()

    def empty_queue(self):
        run("postsuper", "-c", self.at("postfix"), "-d", "ALL")

    # ---- dovecot ----

    def write_dovecot(self, certificate):
        self.write("dovecot.conf", f"""base_dir = {self.at("run")}
state_dir = {self.at("state")}
log_path = {self.at("dovecot.log")}
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{self.at(certificate + ".crt")}
ssl_key = <{self.at(certificate + ".key")}
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:{self.at("vmail")}/%n:INDEX={self.at("index")}/%n
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = username_format=%u {self.at("users")}
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={self.at("vmail")}/%n allow_all_users=yes
}}
service auth {{
  unix_listener {self.at("auth")} {{
    mode = 0666
  }}
}}
service lmtp {{
  process_min_avail = 1
  process_limit = 1
  inet_listener lmtp {{
    address = 127.0.0.1
    port = 24
  }}
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  inet_listener imap {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
  }}
}}
""")

    def start_dovecot(self):
        self.dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.at("dovecot.conf")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for port in (24, 993):
            wait_for(f"dovecot on port {port}", lambda port=port: listens(port))
        wait_for("dovecot's processes", lambda: pids("lmtp") and pids("imap-login"))

    def stop_dovecot(self):
        self.dovecot.send_signal(signal.SIGTERM)
        self.dovecot.wait(PATIENCE)
        wait_for("dovecot to be gone", lambda: not listens(993))

    def mails(self, folder=""):
        total = 0
        for sub in ("new", "cur"):
            path = os.path.join(self.at("vmail"), "canary", folder, sub)
            total += len(os.listdir(path)) if os.path.isdir(path) else 0
        return total

    # ---- both ----

    def fill(self, name):
        file = os.open(os.path.join(self.at(name), "filling"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while True:
                os.write(file, b"x" * 4096)
        except OSError:
            pass  # no room is left
        finally:
            os.close(file)

    def unfill(self, name):
        os.unlink(os.path.join(self.at(name), "filling"))

    def logs(self):
        text = ""
        for name in ("postfix.log", "dovecot.log"):
            if os.path.exists(self.at(name)):
                with open(self.at(name), encoding="utf-8", errors="replace") as file:
                    text += f"---- {name}\n" + "".join(file.readlines()[-40:])
        return text
