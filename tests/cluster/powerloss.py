#!/usr/bin/env python3
"""All nodes lose power, one after the other within two seconds, under mail load and with rows being
written; then all boot. Called by the script "powerloss".

While they are off the test looks by itself where each node's data stands: `mariadbd --wsrep-recover` on a
copy. Whoever became the first member by an order of hamon must have stood highest; at most one may have;
never are two nodes each the only member of a Primary component; each row whose INSERT was acknowledged is
there afterwards; all nodes have the same rows; mail serves again by itself, and nothing of it is lost.

Kinds of round, in turn: the memberships that Galera kept are lost too, so that hamon has to choose; they are
kept; one node stays off until mail serves without it, and has rows on its disk that the others had only in
memory, which is Galera's limit: they are lost, and must not live on there beside others; two nodes are cut
for good, and on the one that is left somebody does what docs/runbook.md says; one node stays off that has
no more than the others.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import chaos
import ledger
import sut

SOCKET = "/var/lib/docker/volumes/mailcowdockerized_mysql-socket-vol-1/_data/mysqld.sock"
DATA = "docker/volumes/mailcowdockerized_mysql-vol-1/_data"
PROVIDER = "/usr/lib/galera/libgalera_smm.so"
STAGGER_S, WELL_S, WHOLE_S = 2.0, 300, 180
ROUNDS = ("no views", "with views", "absent ahead", "one is left", "one absent")
AHEAD, AHEAD_S = 3, 20
SILENT_S, BY_HAND_S = 60, 180
STATE = ("SELECT GROUP_CONCAT(variable_value ORDER BY variable_name SEPARATOR ' ') FROM "
         "information_schema.global_status WHERE variable_name IN ('WSREP_CLUSTER_SIZE',"
         "'WSREP_CLUSTER_STATUS','WSREP_LOCAL_STATE_COMMENT')")


class Rows(threading.Thread):
    """One row after the other at the node that leads; what was acknowledged is remembered."""

    def __init__(self, loss):
        super().__init__(daemon=True)
        self.loss, self.node, self.acked, self.next, self.over = loss, None, [], 1, False

    def run(self):
        while not self.over:
            if not self.node:
                time.sleep(0.2)
                continue
            code, _ = self.loss.sql(self.node, "INSERT INTO powerloss.t VALUES (%d)" % self.next)
            if code == 0:
                self.acked.append(self.next)
            self.next += 1


class Watch(threading.Thread):
    """Two nodes that are each alone in a Primary component are two databases."""

    def __init__(self, loss):
        super().__init__(daemon=True)
        self.loss, self.over, self.looks, self.split = loss, False, 0, ""

    def run(self):
        while not self.over:
            states = {n: self.loss.state(n) for n in self.loss.rig.alive()}
            alone = [n for n, s in states.items() if s.startswith("1 Primary")]
            self.looks += any(states.values())
            if len(alone) > 1:
                self.split = "alone and Primary at once: %s" % alone
            time.sleep(0.3)


class PowerLoss(chaos.Chaos):
    def sql(self, node, statement):
        try:
            return self.rig.on(node, "mariadb", "-uroot", "-N", "-B", "--connect-timeout=2",
                               "--socket=" + SOCKET, "-e", statement, seconds=20)
        except (sut.RigError, OSError):
            return 1, ""

    def state(self, node):
        code, text = self.sql(node, STATE)
        return text.strip() if code == 0 else ""

    def data(self, node):
        return os.path.join(self.rig.run, node, DATA)

    def position(self, node):
        """Where its data stands, by MariaDB alone; the node is off."""
        with tempfile.TemporaryDirectory(dir=self.rig.run) as copy:
            place = os.path.join(copy, "data")
            subprocess.run(["cp", "-a", "--sparse=always", self.data(node), place], check=True)
            for name in glob.glob(place + "/*.cache") + glob.glob(place + "/gvwstate.dat"):
                os.unlink(name)
            said = subprocess.run(
                ["mariadbd", "--no-defaults", "--datadir=" + place, "--user=root", "--wsrep-on=1",
                 "--wsrep-provider=" + PROVIDER, "--wsrep-cluster-address=gcomm://",
                 "--binlog-format=ROW", "--innodb-buffer-pool-size=16M", "--wsrep-recover"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120).stdout
        found = re.findall(r"Recovered position: *([0-9a-f-]{36}):(-?\d+)", said)
        if not found:
            raise sut.RigError("%s: no position: %s" % (node, said[-500:]))
        return found[-1][0], int(found[-1][1])

    def order_obeyed(self, node):
        _, text = self.rig.on(node, "cat", "/run/mailcow-ha/galera/outcome")
        found = re.search(r"obeyed ([0-9a-f-]{36}):(-?\d+)", text)
        return (found[1], int(found[2])) if found else None

    def begin(self):
        super().begin()
        self.rows, self.first = Rows(self), True

    def prepare(self, leader):
        self.sql(leader, "CREATE DATABASE IF NOT EXISTS powerloss;"
                         "CREATE TABLE IF NOT EXISTS powerloss.t (n INT PRIMARY KEY)")
        self.rows.start()

    def run_ahead(self, leader):
        """Rows on the leader's disk that the others have only got: how many were acknowledged before."""
        lock = "{ echo 'FLUSH TABLES WITH READ LOCK;'; sleep 60; } | mariadb -uroot --socket=" + SOCKET
        others = [n for n in self.rig.nodes if n != leader]
        before = len(self.rows.acked)
        for node in others:
            self.rig.on(node, "sh", "-c", "(%s) >/dev/null 2>&1 &" % lock)
        if not sut.wait_until(AHEAD_S, lambda: all(self.waiting(n) >= AHEAD for n in others)):
            self.bad.append("the others keep up: nothing is ahead")
        return before

    def waiting(self, node):
        _, text = self.sql(node, "SHOW STATUS LIKE 'wsrep_local_recv_queue'")
        return int((text.split() or ["0"])[-1])

    def cut(self, nodes, forget):
        """All off, at a random moment; where does the data stand?"""
        self.rows.node = None
        for node in nodes:
            self.rig("fault", "power", node)
            time.sleep(self.dice.uniform(0, STAGGER_S / len(nodes)))
        places = {node: self.position(node) for node in nodes}
        for node in nodes:
            view = os.path.join(self.data(node), "gvwstate.dat")
            if forget and os.path.exists(view):
                os.unlink(view)
        return places

    def boot(self, nodes):
        for node in self.dice.sample(nodes, len(nodes)):
            self.rig.ask("fault", "boot", node)
            time.sleep(self.dice.uniform(0, 2))

    def by_hand(self, number, left, away):
        """docs/runbook.md, "One of three is left"."""
        force = ["hamon", "takeover", "--force", "--fence", ",".join(away)]
        recover = ["hamon", "galera", "recover", "--accept-loss"]
        if not sut.wait_until(SILENT_S, lambda: " ".join(recover) in self.rig.on(left, *force, seconds=60)[1],
                              pause=2):
            self.bad.append("loss %d: takeover does not say what is to be done" % number)
        for command in (recover, force):
            code, text = self.rig.on(left, *command, seconds=BY_HAND_S)
            if code:
                self.bad.append("loss %d: %s: %d, %s" % (number, " ".join(command), code, text.strip()[-300:]))

    def judge_choice(self, number, places, absent, must):
        best = max(seqno for node, (_, seqno) in places.items() if node != absent)
        chosen = {n: p for n in self.rig.nodes if (p := self.order_obeyed(n))}
        if len(chosen) > 1:
            self.bad.append("loss %d: two first members: %s" % (number, chosen))
        if must and not chosen:
            self.bad.append("loss %d: nobody was ordered to be the first" % number)
        for node, (uuid, seqno) in chosen.items():
            if places.get(node, (uuid, seqno)) != (uuid, seqno) or seqno < best:
                self.bad.append("loss %d: chose %s at %d, of %s" % (number, node, seqno, places))
        return ",".join(chosen) or "found each other"

    def judge_rows(self, number, safe):
        """`safe` rows, the first that were acknowledged, are surely on more disks than one."""
        rows = {}
        for node in self.rig.nodes:
            _, text = self.sql(node, "SELECT n FROM powerloss.t")
            rows[node] = {int(n) for n in text.split() if n.isdigit()}
            lost = set(self.rows.acked[:safe]) - rows[node]
            if lost:
                self.bad.append("loss %d: %s lacks %d rows: %s" % (
                    number, node, len(lost), sorted(lost)[:5]))
        odd = set.union(*rows.values()) - set.intersection(*rows.values())
        if odd:
            self.bad.append("loss %d: not all nodes have the same: %s" % (
                number, {n: sorted(r & odd)[:5] for n, r in rows.items()}))
        gone = set(self.rows.acked) - set.union(*rows.values())
        self.rows.acked = [n for n in self.rows.acked if n not in gone]
        return len(gone)

    def whole(self):
        return all(self.state(n) == "3 Primary Synced" for n in self.rig.nodes)

    def come_back(self, number, off, away):
        """Mail serves without who is away, then they come too. Who leads, and when mail served."""
        self.boot([n for n in off if n not in away])
        left = [n for n in self.rig.nodes if n not in off]
        if left:
            self.by_hand(number, left[0], away)
        leads = sut.wait_until(WELL_S, self.well) or ""
        served = time.monotonic()
        if not set(away) <= set(self.rig.off()):
            self.bad.append("loss %d: of %s one is on, which nobody ordered" % (number, away))
        self.boot(away)
        return leads, served

    def lose(self, number):
        kind = self.args.only or ROUNDS[(number - 1) % len(ROUNDS)]
        leader = self.leader()
        if self.first:
            self.first = False
            self.prepare(leader)
        self.rows.node = leader
        time.sleep(self.dice.uniform(2, 8))
        row = {"number": number, "name": "powerloss", "class": "powerloss", "from": leader,
               "note": "", "t": time.monotonic(), "w": time.time()}
        row["w_blow"] = row["w"]
        watch = Watch(self)
        nodes = self.dice.sample(self.rig.nodes, len(self.rig.nodes))
        off = nodes[:2] if kind == "one is left" else nodes
        away = {"absent ahead": [leader], "one absent": nodes[:1], "one is left": off}.get(kind, [])
        safe = self.run_ahead(leader) if kind == "absent ahead" else None
        places = self.cut(off, kind == "no views")
        booted = time.monotonic()
        watch.start()
        row["to"], served = self.come_back(number, off, away)
        if not sut.wait_until(WHOLE_S, self.whole, pause=1):
            self.bad.append("loss %d: not whole again: %s" % (
                number, {n: self.state(n) for n in self.rig.nodes}))
        watch.over = True
        watch.join(60)
        if watch.split or not watch.looks:
            self.bad.append("loss %d: %s" % (number, watch.split or "nobody watched"))
        if not row["to"]:
            self.bad.append("loss %d: mail does not serve again: %s" % (number, self.sut.reason()))
        row["w_end"] = time.time()
        row["rto_ms"], _, _ = ledger.outage(self.acks.read(), row["t"], time.monotonic())
        row["interrupted"] = True
        first = self.judge_choice(number, places, leader if safe else None, kind != "with views")
        gone = self.judge_rows(number, safe)
        if safe and not gone:
            self.bad.append("loss %d: nothing was ahead, so this round proves nothing" % number)
        self.keep_row(row)
        print("%3d  %-12s first: %-16s at %s; mail %.1f s after the boot, led by %s; %d rows%s" % (
            number, kind, first,
            " ".join("%s=%d%s" % (n, places[n][1], " (away)" if n in away else "")
                     for n in sorted(places)), served - booted,
            row["to"] or "-", len(self.rows.acked),
            ", %d only on %s are gone" % (gone, leader) if gone else ""), flush=True)

    def keep_row(self, row):
        self.struck.append(row)
        with open(self.path("faults.jsonl"), "a") as f:
            f.write(chaos.json.dumps(row) + "\n")

    def run(self):
        self.begin()
        if not sut.wait_until(chaos.START_S, self.well):
            self.bad.append("no single master at first: %s" % self.sut.reason())
            return
        print("seed %s; first: who was told to be the first member; at: where the data stood" %
              self.args.seed, flush=True)
        for number in range(1, self.args.faults + 1):
            self.lose(number)
        self.rows.over = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rig", required=True)
    parser.add_argument("--faults", type=int, default=len(ROUNDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=ROUNDS, help="rounds of this kind alone")
    parser.add_argument("--dir", required=True)
    args = parser.parse_args()
    args.sut, args.times = "hamon", None
    return chaos.carry_out(PowerLoss(args))


if __name__ == "__main__":
    sys.exit(main())
