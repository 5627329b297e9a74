#!/usr/bin/env python3
"""Rolling upgrades while mail comes in all the time, on a rig that is up. Called by the script "upgrade".

Ends with planned_ms=… hamon_ms=… mailcow_ms=… acked=… lost=… …; exit 0 only if nothing was lost or
is unexplained, an upgrade of hamon and of the standbys' Mailcow did not interrupt mail, and that of the leader did
so for no longer than the planned switchovers of the same run.
"""
import argparse
import json
import random
import sys
import time

import chaos
import ledger
import sut

SWITCHOVERS = 3
UPGRADE_S = 600
SLACK = 1.5, 1000  # times the slowest switchover, and milliseconds: two cores are shared with others


class Upgrade(chaos.Chaos):
    def __init__(self, args):
        super().__init__(args)
        self.times = {}

    def measure(self, klass, what, deed):
        """How long mail was away while `deed` was done, and until all is well again."""
        row = {"number": len(self.struck) + 1, "name": klass, "class": klass, "w": time.time()}
        begin, before = time.monotonic(), self.leader()
        try:
            said = deed()
        except sut.RigError as e:
            said, _ = ", in vain", self.bad.append("%s: %s" % (what, e))
        after = sut.wait_until(chaos.SETTLE_S, self.well)
        if not after:
            self.bad.append("%s: no single master: %s" % (what, self.sut.reason()))
        row["w_end"] = time.time()
        row["rto_ms"], _, _ = ledger.outage(self.acks.read(), begin, time.monotonic())
        self.struck.append(row)
        with open(self.path("faults.jsonl"), "a") as f:
            f.write(json.dumps(row) + "\n")
        self.times.setdefault(klass, []).append(row["rto_ms"])
        print("  %-38s %6d ms  %s -> %s  in %d s%s" % (
            what, row["rto_ms"], before, after or "-", time.monotonic() - begin, said or ""), flush=True)
        if not sut.wait_until(chaos.FIT_S, lambda: not self.sut.unfit()):
            self.bad.append("%s: not fit: %s" % (what, "; ".join(self.sut.unfit())))

    def switchover(self):
        old = self.leader()
        new = next(n for n in self.rig.nodes if n != old)
        self.measure("planned", "switchover %s to %s" % (old, new), lambda: self.sut.switchover(old, new))

    def hamon(self, tree):
        def deed():
            self.rig("hamon-install", tree, seconds=180)
            versions = {self.sut.status(n).get("version") for n in self.rig.nodes}
            return ", now %s" % ", ".join(map(str, versions))
        self.measure("hamon", "hamon, one node after the other", deed)

    def upgrade(self, node, code, *words):
        got, text = self.rig.on(node, "hamon", "upgrade", "--yes", seconds=UPGRADE_S)
        missing = [w for w in words if w not in text]
        if got != code or missing:
            self.bad.append("hamon upgrade on %s: %d, not %d; lacks %s in: %s" % (
                node, got, code, missing, text.strip()[-600:]))

    def mailcow(self):
        leader = self.leader()
        first, second = [n for n in self.rig.nodes if n != leader]
        self.upgrade(leader, 1, "has not been upgraded, and the leader comes last")
        self.measure("standby", "Mailcow on %s" % first, lambda: self.upgrade(
            first, 0, "Mailcow 2026-08 is here", "next: hamon upgrade on %s\n" % second))
        self.upgrade(leader, 1, "%s has not been upgraded" % second)
        self.measure("standby", "Mailcow on %s" % second, lambda: self.upgrade(
            second, 0, "next: hamon upgrade on %s, which leads and hands over first" % leader))
        self.measure("mailcow", "Mailcow on %s, which leads" % leader, lambda: self.upgrade(
            leader, 0, "it leads, and hands over first", "all nodes have Mailcow 2026-08"))
        self.upgrade(leader, 0, "nothing to do on %s: Mailcow 2026-08 is the latest" % leader)
        for node in self.rig.nodes:
            _, text = self.rig.on(node, "docker", "ps", "-a", "--format", "{{.Image}}")
            images = text.split()
            if len(images) < 18 or not all(i.endswith("-next") for i in images):
                self.bad.append("%s has containers of another release: %s" % (node, images))
        mark = self.rig.on(self.leader(), "cat", "/mnt/mailcow-ha/.hamon-schema")[1].strip()
        if mark != "05082026_1130":
            self.bad.append("the volume says schema %s" % mark)

    def run(self):
        self.begin()
        if not sut.wait_until(chaos.START_S, self.well):
            self.bad.append("no single master after %d s: %s" % (chaos.START_S, self.sut.reason()))
            return
        sut.wait_until(chaos.FIT_S, lambda: not self.sut.unfit())
        for _ in range(SWITCHOVERS):
            self.switchover()
        self.hamon(self.args.new)
        self.mailcow()
        self.switchover()  # the old leader leads again, with the new Mailcow

    def summary(self, n):
        planned = self.times.get("planned", [0])
        stall = max(chaos.INTERRUPTED_MS, min(planned) / 2)  # a machine that is busy with others
        for klass, most in (("hamon", stall), ("standby", stall),
                            ("mailcow", SLACK[0] * max(planned) + SLACK[1])):
            for ms in self.times.get(klass, [10 ** 9]):
                if ms > most:
                    self.bad.append("%s: %d ms, and at most %d are as they should be" % (klass, ms, most))
        self.accuse(n)
        print("planned_ms=%s hamon_ms=%s standby_ms=%s mailcow_ms=%s acked=%d lost=%d duplicates=%d unexplained=%d "
              "double_writers=%d" % (*("/".join(map(str, self.times.get(k, ["-"]))) for k in (
                  "planned", "hamon", "standby", "mailcow")), *(n.get(k, -1) for k in (
                      "acked", "lost", "duplicates", "unexplained", "double_writers"))))


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--rig", "--sut", "--dir", "--new"):
        parser.add_argument(flag, required=True)
    args = parser.parse_args()
    args.seed = random.randrange(10 ** 6)
    return chaos.carry_out(Upgrade(args))


if __name__ == "__main__":
    sys.exit(main())
