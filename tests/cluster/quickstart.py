#!/usr/bin/env python3
"""README.md's way on a bare rig that is up (called by the script "quickstart"): its commands in order, chaos
between the way in and the way back, and at the end three Mailcows of their own with all the mail in them."""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time

import readme
import sut

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK_S, ALL_WELL_S, SERVES_S = 400, 90, 90
USERS, FLOAT = ("bob", "alice"), "10.77.0.100"
MAILCOW = "/opt/mailcow-dockerized"
CONTAINER = "mailcowdockerized_%s-mailcow_1"
WAY_BACK = "### The way back"

# What a person types into the files that README.md has edited.
EDITOR = r"""#!/bin/sh
set -eu
case $1 in
*answers.conf)
	set_to() { sed -i "/^\[$1\]/,/^\[/s|^[#; ]*$2 *=.*|$2 = $3|" answers.conf; }
	set_to cluster nodes 'n1=10.77.0.11 n2=10.77.0.12 n3=10.77.0.13'
	set_to volume id mail
	set_to ip id mail4
	set_to hetzner api_url http://10.77.0.1:8080/v1
	;;
*hetzner.token) echo rw-token >"$1" ;;
*) echo "editor: who edits $1?" >&2 && exit 1 ;;
esac
"""
# As chaos.conf: many faults in a short time are what the breaker is there to stop.
BREAKER = "\n[breaker]\nsecurity_wait = 0s\nmax_failovers = 100\n"


class Failed(Exception):
    pass


class Quickstart:
    def __init__(self, args):
        self.args, self.rig = args, sut.Rig(args.rig)
        self.sut = sut.Hamon(self.rig)
        self.begin, self.master = time.monotonic(), None
        shutil.rmtree(args.dir, ignore_errors=True)
        os.makedirs(args.dir)
        with open(args.readme) as f:
            text = f.read()
        there, _, back = text.partition(WAY_BACK)
        self.there, self.back = readme.blocks(there), readme.blocks(back)
        if not self.there or not self.back:
            raise Failed("README.md has no commands for a test, or no %r" % WAY_BACK)

    def say(self, text):
        print("%6.1fs  %s" % (time.monotonic() - self.begin, text), flush=True)

    # ---- a node ----

    def on(self, node, script, seconds=60):
        code, text = self.rig.on(node, "sh", "-ec", script, seconds=seconds)
        if code != 0:
            raise Failed("%s: %s: %s" % (node, script, text.strip()[-400:]))
        return text

    def put(self, node, path, data, mode):
        subprocess.run([self.args.rig, "exec", "-i", node, "sh", "-c", 'rm -f "$0" && cat >"$0" && chmod "$1" "$0"',
                        path, mode], input=data, check=True)

    def prepare(self, node):
        with open(self.args.deb, "rb") as f:
            self.put(node, "/root/" + os.path.basename(self.args.deb), f.read(), "644")
        self.put(node, "/usr/bin/editor", EDITOR.encode(), "755")

    def nodes_of(self, where):
        """The master of "every server, the master last" is who has, or last had, the volume."""
        if not where.startswith("every server"):
            return where.replace(",", " ").split()
        at = self.rig("volume", "where").strip()
        self.master = at if at != "none" else self.master
        last = where.endswith("the master last")
        if last or where.endswith("the master first"):
            return sorted(self.rig.nodes, key=lambda node: (node == self.master) == last)
        return self.rig.nodes

    def type_in(self, node, code):
        """What is said there goes to a file of the node's, each command with the second it begins in."""
        first = code.split("\n")[0].split("  ")[0]
        session = os.path.join(self.args.dir, "session-" + node)
        with open(session, "a") as log:
            log.write("\n==== %s\n%s----\n" % (node, code))
        began = time.monotonic()
        ran = subprocess.run(
            [sys.executable, os.path.join(HERE, "readme.py"), str(BLOCK_S), session, self.args.rig,
             "exec", "-i", node, "bash", "-exc", "PS4='+ ${SECONDS}s '\ncd /root\n" + code])
        self.say("%s: %s... %.1f s" % (node, first, time.monotonic() - began))
        if ran.returncode != 0:
            with open(session, errors="replace") as log:
                tail = log.read()[-3000:]
            raise Failed("%s: exit code %d of:\n%s\nits last words:\n%s" % (
                node, ran.returncode, code, tail))

    def block(self, where, code):
        """On one after the other; of "every server" README.md says no order: on all at once."""
        nodes = self.nodes_of(where)
        if where != "every server":
            for node in nodes:
                self.type_in(node, code)
            return
        with concurrent.futures.ThreadPoolExecutor(len(nodes)) as people:
            for done in [people.submit(self.type_in, node, code) for node in nodes]:
                done.result()

    # ---- mail ----

    def imap(self, address, user, command, path="INBOX"):
        ran = subprocess.run(
            self.rig.client("curl", "-s", "-m", "10", "--user", "%s@rig.test:secret" % user,
                            "imap://%s/%s" % (address, path), "-X", command),
            stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        return ran.stdout if ran.returncode == 0 else ""

    def count(self, address, user):
        lines = [line for line in self.imap(address, user, "SEARCH ALL").split("\n") if "SEARCH" in line]
        return len(lines[0].split()) - 2 if lines else -1

    def before(self, address, user):
        """How many of the messages from before the cluster are there."""
        lines = self.imap(address, user, "SEARCH SUBJECT before").split("\n")
        return len([w for line in lines if "SEARCH" in line for w in line.split()[2:]])

    def send(self, address, subject):
        return subprocess.run(
            self.rig.client("swaks", "--server", address, "--to", "bob@rig.test", "--from", "a@example.test",
                            "--header", "Subject: " + subject), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode == 0

    def must(self, seconds, what, condition):
        value = sut.wait_until(seconds, condition)
        if not value:
            raise Failed("waited %d s in vain: %s" % (seconds, what))
        return value

    # ---- the parts ----

    def well(self):
        writing = self.rig.writers()
        return len(writing) == 1 and self.sut.masters() == writing and not self.sut.unfit() and writing[0]

    def cluster(self):
        """One leads, all are fit, and the mail of before is at the floating address."""
        leads = self.must(ALL_WELL_S, "one node leads and all are fit: " + str(self.sut.unfit()), self.well)
        for user in USERS:
            self.must(SERVES_S, "%s's mail at %s" % (user, FLOAT), lambda user=user: self.before(FLOAT, user) == 5)
        self.say("%s leads, the mail of before is there" % leads)

    def in_step(self):
        """What only one of them had before is on all: certificates, and passwords by `hamon init` already."""
        files = "cd %s/data/assets/ssl; sha256sum *.pem | sort" % MAILCOW
        self.must(ALL_WELL_S, "the servers are in step", lambda: all(
            '"in_step"' in text or '"leads"' in text
            for text in (self.rig.on(node, "hamon", "sync", "status", "--json")[1] for node in self.rig.nodes)))
        if len({self.on(node, files) for node in self.rig.nodes}) != 1:
            raise Failed("the servers say that they are in step, and their certificates differ")
        self.say("certificates and configuration are the same on all")

    def chaos(self):
        for node in self.rig.nodes:
            self.on(node, "printf '%s' >>/etc/mailcow-ha/hamon.conf; systemctl restart hamon" % BREAKER.replace(
                "\n", "\\n"))
        self.must(ALL_WELL_S, "one node leads and all are fit", self.well)
        command = [sys.executable, os.path.join(HERE, "chaos.py"), "--rig", self.args.rig, "--sut", "hamon",
                   "--faults", str(self.args.faults), "--seed", str(self.args.seed), "--only", self.args.only,
                   "--dir", os.path.join(self.args.dir, "chaos")]
        if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
            raise Failed("the cluster did not pass the chaos")
        self.say("%d faults survived" % self.args.faults)

    def doctor(self):
        for node in self.rig.nodes:
            code, text = self.rig.on(node, "hamon", "doctor", seconds=60)
            if code != 0:
                raise Failed("%s: hamon doctor: exit code %d\n%s" % (node, code, text.strip()))
        self.say("doctor is content on every server")

    def single(self, node, counted):
        """A Mailcow of its own, with nothing of ours, and all the mail."""
        address = "10.77.0.1" + node[1:]
        self.must(SERVES_S, "%s: 18 containers run" % node, lambda: self.on(
            node, "docker ps -q --filter label=com.docker.compose.project=mailcowdockerized | wc -l").strip() == "18")
        left = self.on(node, "ls -d /usr/sbin/hamon* /etc/mailcow-ha /var/lib/mailcow-ha /usr/lib/mailcow-ha "
                       "/etc/keepalived/keepalived.conf %s/docker-compose.override.yml "
                       "%s/data/conf/mysql/*hamon* %s/data/conf/mysql/*-ha.cnf 2>/dev/null || :" % ((MAILCOW,) * 3))
        if left.strip():
            raise Failed("%s: left behind: %s" % (node, left.split()))
        ours = [line for line in self.on(node, "nft list tables; ip -o addr show dev eth0").split("\n")
                if "hamon" in line or "mailcow_ha" in line or FLOAT in line]
        if ours:
            raise Failed("%s: still in its network: %s" % (node, ours))
        policies = set(self.on(node, "docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' $(docker ps -aq)").split())
        if policies != {"always"}:
            raise Failed("%s: restart policies %s" % (node, sorted(policies)))
        for user in USERS:
            self.must(SERVES_S, "%s: %d messages for %s" % (node, counted[user], user),
                      lambda user=user: self.count(address, user) == counted[user])
            if self.before(address, user) != 5:
                raise Failed("%s: %s has %d of 5 messages of before" % (node, user, self.before(address, user)))
        key = self.on(node, "docker exec %s cat /mail_crypt/ecprivkey.pem" % (CONTAINER % "dovecot")).strip()
        dkim = self.on(node, ". %s/mailcow.conf; docker exec %s redis-cli -a $REDISPASS --no-auth-warning hget "
                       "DKIM_PRIV_KEYS rig.test" % (MAILCOW, CONTAINER % "redis")).strip()
        if (key, dkim) != ("key-of-the-mailboxes", "key-of-the-signatures"):
            raise Failed("%s: keys are %r and %r" % (node, key, dkim))
        self.must(SERVES_S, "%s takes mail" % node, lambda: self.send(address, "after"))
        self.must(SERVES_S, "%s delivers it" % node, lambda: self.count(address, "bob") == counted["bob"] + 1)
        self.say("%s: a Mailcow of its own, %d messages" % (node, sum(counted.values())))

    def run(self):
        for node in self.rig.nodes:
            self.prepare(node)
        for where, code in self.there:
            self.block(where, code)
        self.cluster()
        self.in_step()
        self.doctor()
        if self.args.stop == "in":
            return
        self.chaos()
        self.doctor()
        counted = {user: self.count(FLOAT, user) for user in USERS}
        if min(counted.values()) < 5:
            raise Failed("mailboxes: %s" % counted)
        for where, code in self.back:
            self.block(where, code)
        for node in self.rig.nodes:
            self.single(node, counted)


def main():
    parser = argparse.ArgumentParser()
    for name in ("rig", "deb", "dir", "readme"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--faults", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--stop", choices=("in", ""), default="", help="in: only the way in")
    quickstart = Quickstart(parser.parse_args())
    try:
        quickstart.run()
    except (Failed, sut.RigError) as e:
        print("FAILED: %s" % e)
        return 1
    print("README.md's way: three servers, %d faults, and back in %.0f s" % (
        quickstart.args.faults, time.monotonic() - quickstart.begin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
