"""Mistakes on one node: files, daemon, machine, certificates, Docker."""
import hashlib
import os

from case import case
from world import FLOAT, HOST, run


# ---- hamon.conf, secrets, hooks, Mailcow's files ----


@case("config", says="hamon.conf:", fix="edit ")
def bad_key(w):
    w.put(w.conf_path, "[node]\nname = n1\n[check]\ngraze = 5s\n")


@case("config", "config", says="stale")
def two_mistakes(w):
    w.conf(check__stale="1s", galera__user="")


@case("config_mode", fix="chmod 644")
def config_for_everybody(w):
    os.chmod(w.conf_path, 0o666)


@case("secret", says="cluster.secret: others can read it", fix="chmod 600")
def readable_secret(w):
    os.chmod(w.path("cluster.secret"), 0o644)
    return lambda: os.chmod(w.path("cluster.secret"), 0o600)


@case("secret", says="no.token", fix="install -m 600 /dev/stdin")
def no_token(w):
    w.conf(hetzner__token_file=w.path("no.token"))


@case("secret_weak", fix="openssl rand -hex 32")
def short_secret(w):
    w.put(w.path("cluster.secret"), "mailcow\n", 0o600)
    return lambda: w.put(w.path("cluster.secret"), "0123456789abcdef" * 2 + "\n", 0o600)


@case("nodes", says="2 nodes")
def two_nodes(w):
    w.conf(cluster__nodes="n1=127.0.0.1 n2=127.0.0.2")


@case("solo", says="nodes is empty")
def no_cluster(w):
    w.conf(cluster__nodes="")


@case("hook", says="master.sh: it is no program", fix="chmod 755")
def hook_without_x(w):
    os.chmod(w.path("hooks/master.sh"), 0o644)
    return lambda: os.chmod(w.path("hooks/master.sh"), 0o755)


@case("hook", says="others than root may write it")
def hook_of_everybody(w):
    os.chmod(w.path("hooks/backup.sh"), 0o777)
    return lambda: os.chmod(w.path("hooks/backup.sh"), 0o755)


@case("hook", "hook", says="No such file")
def no_hooks(w):
    w.conf(hooks__dir=w.path("nothing"))


@case("cert", "mailcow", says="No such file")
def wrong_mailcow(w):
    # its names are then unknown: project and port as mailcow.conf had them
    w.conf(mailcow__dir=w.path("nothing"), docker__project="mailcow")


@case("mailcow_mode", fix="chmod 600")
def passwords_for_everybody(w):
    os.chmod(w.mailcow + "/mailcow.conf", 0o644)


# ---- what hamon init wrote ----

JOURNALD = "/etc/systemd/journald.conf.d/mailcow-ha.conf"


def written(text, have):
    """A manifest that knows the file with `text`, and a file that has another one; None: it is gone."""
    made = not os.path.isdir("/var/lib/mailcow-ha")
    os.makedirs("/var/lib/mailcow-ha", exist_ok=True)
    run("mount", "-t", "tmpfs", "none", "/var/lib/mailcow-ha")  # in the test's own namespace
    with open("/var/lib/mailcow-ha/init.manifest", "w", encoding="utf-8") as f:
        f.write(f"{hashlib.sha256(text.encode()).hexdigest()} {JOURNALD}\n")
    os.makedirs(os.path.dirname(JOURNALD), exist_ok=True)
    if have is not None:
        with open(JOURNALD, "w", encoding="utf-8") as f:
            f.write(have)

    def back():
        if have is not None:
            os.unlink(JOURNALD)
        run("umount", "/var/lib/mailcow-ha")
        if made:
            os.rmdir("/var/lib/mailcow-ha")
    return back


@case("file", says="not as it would today", fix="hamon init")
def file_of_an_older_version(w):
    return written("[Journal]\n", "[Journal]\n")


@case("file", says="it is gone", fix="hamon init")
def file_that_is_gone(w):
    return written("[Journal]\n", None)


@case("file_hand", says="changed by hand", fix="hamon init --dry-run")
def file_of_a_hand(w):
    return written("[Journal]\n", "[Journal]\nStorage=none\n")


@case("project", *["container_missing"] * 9, says="otherproject")
def other_project(w):
    w.conf(docker__project="otherproject")


@case("outbound_net", says="172.22.1.0/24", fix="outbound_networks = 172.22.1.0/24")
def other_network(w):
    w.conf(ip__outbound_networks="172.30.0.0/24")


@case("bind_address", says="smtp_bind_address = 10.0.0.5")
def bound_to_node(w):
    path = w.mailcow + "/data/conf/postfix/extra.cf"
    w.put(path, "# ours\nsmtp_bind_address =\n  10.0.0.5\n")
    return lambda: os.unlink(path)


@case("dns_helo", says="n1.example.org", fix="myhostname = " + HOST)
def other_helo(w):
    path = w.mailcow + "/data/conf/postfix/extra.cf"
    w.put(path, f"smtp_bind_address = {FLOAT}\nmyhostname = n1.example.org\n")
    return lambda: os.unlink(path)


# ---- the daemon ----


@case("daemon", says="is not running", fix="systemctl enable --now hamon")
def no_daemon(w):
    os.rename(w.path("hamon.sock"), w.path("hamon.off"))
    return lambda: os.rename(w.path("hamon.off"), w.path("hamon.sock"))


@case("daemon_version", says="hamon 0.0.9", fix="systemctl restart hamon")
def old_daemon(w):
    w.daemon.status["version"] = "0.0.9"


@case("halted", says="three fail-overs", fix="hamon ack")
def breaker_open(w):
    w.daemon.status.update(state="halted", why="three fail-overs within an hour")


@case("unfit", says="galera_refused")
def unfit(w):
    w.daemon.status.update(verdict="unfit", reason="galera_refused", message="nobody there\x1b[2J")


def in_step(w, **sync):
    w.daemon.status["nodes"] = [{"name": "n2", "sync": {"reason": ""}}, {"name": "n1", "self": True, "sync": sync}]


@case("sync", says="has not run", fix="systemctl enable --now hamon-sync")
def no_sync(w):
    in_step(w, reason="")


@case("sync", says="the secrets differ", fix="hamon sync now")
def out_of_step(w):
    in_step(w, reason="bad_secret", message="the secrets differ", late=True)


@case("guard", fix="systemctl enable --now hamon-guard")
def no_guard(w):
    w.stop_guard()


# ---- the machine ----


@case("fstab", says="/etc/fstab:2", fix="sed -i '2s")
def volume_in_fstab(w):
    w.put("/etc/fstab", "# disks\nUUID=E4CAF530-1b2c-4d3e-8f90-0123456789ab /mnt/mail ext4 defaults 0 2\n"
          f"{w.path('disk')} /mnt/x ext4 noauto,defaults 0 2\n")


@case("mount_busy", says="letters", fix="mkdir")
def letters_below_the_mount(w):
    w.put(w.path("mnt/letters"), "")
    return lambda: os.unlink(w.path("mnt/letters"))


@case("volume_uuid", says="e4caf530", fix="uuid = e4caf530")
def other_uuid(w):
    w.conf(volume__uuid="11111111-2222-3333-4444-555555555555")


@case("disk", says="Docker's data", fix="docker image prune")
def full_disk(w):
    os.makedirs(w.path("full"), exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", w.path("full"))
    with open(w.path("full/x"), "wb") as f:
        f.write(bytes(252 * 1024))
    w.docker.say("about 27.3.1 " + w.path("full"))
    return lambda: run("umount", w.path("full"))


@case("disk", says="inodes", fix="du -xh")
def no_inodes(w):
    os.makedirs(w.path("log"), exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "nr_inodes=4", "tmpfs", w.path("log"))
    for i in range(3):
        w.put(w.path(f"log/{i}"), "")
    return lambda: run("umount", w.path("log"))


@case("boot", says="hamon.service is not started at boot", fix="systemctl enable hamon")
def not_at_boot(w):
    link = "/etc/systemd/system/multi-user.target.wants/hamon.service"
    target = os.readlink(link)
    os.unlink(link)
    return lambda: os.symlink(target, link)


@case("clock", fix="systemd-timesyncd")
def no_clock(w):
    link = "/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service"
    target = os.readlink(link)
    os.unlink(link)
    return lambda: os.symlink(target, link)


@case("interface", says="eth9")
def no_interface(w):
    w.conf(ip__interface="eth9")


@case("nft", fix="apt-get install -y nftables")
def no_nft(w):
    run("mount", "--bind", "/dev/null", "/usr/sbin/nft")
    return lambda: run("umount", "/usr/sbin/nft")


@case("fence", says="a watchdog is needed", fix="modprobe softdog")
def no_watchdog(w):
    w.conf(watchdog__mode="required", watchdog__device=w.path("no.watchdog"))


@case("fence", says="it is no program")
def bad_fence_command(w):
    w.put(w.path("fence"), "#!/bin/sh\n")
    w.conf(volume__provider="local", local__fence_command=w.path("fence"))


@case("look", says='look "certificate"', fix="dmesg")
def a_look_that_hangs(w):
    path = w.mailcow + "/data/assets/ssl/cert.pem"
    os.rename(path, path + ".off")
    os.mkfifo(path)
    return lambda: os.rename(path + ".off", path)


# ---- certificates ----


def certificate(w, days, name):
    w.certificate(days, name)
    return lambda: w.certificate(90, HOST)


@case("cert_soon", says="expires in")
def soon_expired(w):
    return certificate(w, 5, HOST)


@case("cert", says="has expired")
def expired(w):
    return certificate(w, -1, HOST)


@case("cert_name", says="not for " + HOST)
def other_name(w):
    return certificate(w, 90, "www.example.org")


@case("cert_key", says="another certificate's")
def other_key(w):
    key = w.mailcow + "/data/assets/ssl/key.pem"
    with open(key, encoding="ascii") as f:
        good = f.read()
    w.certificate(90, HOST)
    w.put(key, good)
    return lambda: w.certificate(90, HOST)


# ---- Docker ----


@case("docker", says="does not answer", fix="systemctl restart docker")
def docker_hangs(w):
    w.docker.say("mode version hang")


@case("docker", says="status 500")
def docker_is_ill(w):
    w.docker.say("mode list 500")


@case("docker_old", says="20.10.24")
def old_docker(w):
    w.docker.say("about 20.10.24 " + w.dir)


@case("container_missing", says="redis-mailcow", fix="docker compose up --no-start redis-mailcow")
def no_redis(w):
    w.docker.say("forget redis-mailcow")


@case("restart", says="restart: always", fix="docker update --restart=no")
def dovecot_by_docker(w):
    w.docker.say("set dovecot-mailcow policy=always")


@case("warm_restart", says="mysql-mailcow", fix="docker update --restart=always")
def database_not_at_boot(w):
    w.docker.say("set mysql-mailcow policy=no")


@case("rival", says="watchdog-mailcow runs", fix="docker stop")
def watchdog_runs(w):
    w.docker.say("set watchdog-mailcow state=running")


@case("override", says="2 containers", fix="docker compose up --no-start")
def made_without_override(w):
    for s in ("redis-mailcow", "dovecot-mailcow"):
        w.docker.say(f"set {s} files={w.mailcow}/docker-compose.yml")


@case("volume_bound", says="/var/vmail", fix="vmail-vol-1: {driver: local")
def mails_on_the_node(w):
    w.docker.say("volume mailcow_vmail-vol-1 /srv/vmail")


@case("volume_bound", says="a volume of Docker's own", fix="redis-vol-1")
def redis_of_docker(w):
    w.docker.say("set redis-mailcow mounts=other:/data")


@case("port_bound", says="port 25 of postfix-mailcow is bound to 203.0.113.77")
def smtp_at_one_address(w):
    w.docker.say("set postfix-mailcow ports=203.0.113.77:25,587")
