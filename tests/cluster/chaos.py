#!/usr/bin/env python3
"""The chaos itself, on a rig that is up: a mail client at work, faults one after the other, and what
became of the mail. Called by the script "chaos".

Ends with faults=… acked=… lost=… duplicates=… unexplained=… double_writers=… rto_p50_ms=…
rto_p95_ms=… rto_max_ms=…; exit 0 only if nothing is lost, unexplained or written twice, nothing was
rejected, and after each fault one node led, or said why none does.

The recovery time of a fault is the longest time without a 250 from the last one before it until all is
well again; what never came to INTERRUPTED_MS is no interruption and in no percentile.
"""
import argparse
import ctypes
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import faults
import ledger
import phases
import sut

INTERRUPTED_MS = 700
START_S, SETTLE_S, FIT_S, WEB_S = 180, 120, 60, 20
SERVING_S, SERVING_ACKS = 1.5, 4    # so many 250s within so long: mail flows
RATE = 8


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Acks:
    """The times of the 250s, read from the mailer's log as it grows."""

    def __init__(self, path):
        self.path, self.file, self.times, self.rest = path, None, [], ""

    def read(self):
        if not self.file and os.path.exists(self.path):
            self.file = open(self.path)
        if self.file:
            *lines, self.rest = (self.rest + self.file.read()).split("\n")
            for line in lines:
                if '"r": "ok"' in line:
                    self.times.append(json.loads(line)["t"])
        return self.times

    def flowing(self):
        since = time.monotonic() - SERVING_S
        return sum(t > since for t in self.read()[-50:]) >= SERVING_ACKS


class Chaos:
    def __init__(self, args):
        self.rig = sut.Rig(args.rig)
        self.sut = sut.SUTS[args.sut](self.rig)
        self.args, self.dice = args, random.Random(args.seed)
        self.dir = os.path.join(args.dir, "%s-%d" % (args.seed, os.getpid()))
        os.makedirs(self.dir, exist_ok=True)
        self.acks = Acks(self.path("mail.jsonl"))
        self.struck, self.bad, self.children = [], [], []
        self.told_why = False

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *command):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.children.append(child)
        return child

    def begin(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.start(sys.executable, os.path.join(here, "writers.py"), "watch", self.rig.run,
                   self.path("writers.jsonl"))
        self.mailer = self.start(*self.rig.client(
            sys.executable, os.path.join(here, "mailer.py"), "send", "--to", "10.77.0.100", "--log",
            self.path("mail.jsonl"), "--rate", str(RATE), "--drain", "90"))

    # ---- one fault ----

    def well(self):
        """The one master, if there is exactly one, it alone writes, and mail flows."""
        writing = self.rig.writers()
        if len(writing) != 1 or not self.acks.flowing():
            return None
        return writing[0] if self.sut.masters() == writing else None

    def leader(self):
        return self.well() or (self.rig.writers() or self.rig.nodes)[0]

    def strike(self, number, name):
        kind = faults.KINDS[name]
        master = self.leader()
        blow = faults.Blow(self.rig, self.sut, self.dice, master)
        row = {"number": number, "name": name, "class": kind.klass, "from": master, "note": ""}
        begin, row["w"] = time.monotonic(), time.time()
        try:
            row["what"] = kind.strike(blow)
        except sut.RigError as e:
            self.heal(kind, blow, row)
            print("     %-16s did not strike: %s" % (name, e), flush=True)
            return
        # Where the rig had to look for its victim first, it noted the moment of the blow.
        try:
            moment = float(self.rig("moment")) - row["w"]
        except sut.RigError:
            moment = 0  # there was none yet
        row["t"], row["w_blow"] = begin + max(0.0, moment), row["w"] + max(0.0, moment)
        time.sleep(self.dice.uniform(*kind.hold))
        self.heal(kind, blow, row)
        row["to"] = sut.wait_until(SETTLE_S, self.well) or ""
        end = time.monotonic()
        row["w_end"] = time.time()
        row["rto_ms"], _, after = ledger.outage(self.acks.read(), row["t"], end)
        row["interrupted"] = row["rto_ms"] >= INTERRUPTED_MS
        if row["interrupted"] and after and row["to"] != row["from"]:
            row["phases"] = self.phases(row, row["w"] + after - begin)
        self.conclude(row, after)

    def phases(self, row, after):
        """Times are of one wall clock; hamon's, which may have been moved, is not asked: journald is."""
        log, journal = os.path.join(self.rig.run, "log"), []
        if self.args.sut == "hamon":
            _, text = self.rig.on(row["to"], "journalctl", "-q", "--no-pager", "-u", "hamon", "-o",
                                  "json", "--output-fields=MESSAGE", "--since", "@%.3f" % row["w"])
            for entry in map(json.loads, filter(lambda line: line.startswith("{"), text.splitlines())):
                journal.append("%.6f %s" % (int(entry["__REALTIME_TIMESTAMP"]) / 1e6,
                                            entry.get("MESSAGE", "")))
        return phases.phases(row, after, phases.lines(os.path.join(log, "attachments")),
                             phases.lines(os.path.join(log, "address")),
                             phases.watched(self.path("writers.jsonl")), journal)

    def heal(self, kind, blow, row):
        try:
            failed = (kind.heal or faults.Blow.heal)(blow)
        except sut.RigError as e:
            failed = str(e)
        if kind.klass == "planned" and self.rig.off():
            self.bad.append("fault %d: a planned switchover switched off %s" % (row["number"], self.rig.off()))
        self.power_on()
        if failed:
            row["note"] += " heal: %s" % failed

    def power_on(self):
        """Who was powered off, by us or as a fence, is switched on again by somebody some day."""
        for node in self.rig.off():
            self.rig.ask("fault", "boot", node)

    def conclude(self, row, after):
        """One line of the table; and everybody gets the time to be a candidate again."""
        self.power_on()
        if not row["to"]:
            reason = self.sut.reason()
            row["note"] += " no master: %s" % (reason or "and nobody says why")
            if not reason:
                self.bad.append("fault %d: no master, no reason" % row["number"])
            self.sut.repair()
            helped = sut.wait_until(SETTLE_S, self.well)
            row["note"] += "; a human helped: %s" % (helped or "in vain")
        fit = sut.wait_until(FIT_S, lambda: not self.sut.unfit())
        if not fit:
            row["note"] += " not fit again: %s" % "; ".join(self.sut.unfit())
        elif row["to"]:
            self.ask_endpoints(row)
        self.struck.append(row)
        with open(self.path("faults.jsonl"), "a") as f:
            f.write(json.dumps(row) + "\n")
        rto = "%d ms" % row["rto_ms"] if row["interrupted"] else "-"
        if row["interrupted"] and after is None:
            rto += "+"
        print("%3d  %-16s %9s  %2s -> %-2s  %s%s" % (
            row["number"], row["name"], rto, row["from"], row["to"] or "-", row["what"],
            "  (%s)" % row["note"].strip() if row["note"] else ""), flush=True)
        if not fit and not self.told_why:
            self.told_why = True    # once: the next faults would tell the same
            for line in self.sut.evidence():
                print("     %s" % line[:300], flush=True)

    def ask_endpoints(self, row):
        """All is well: so each endpoint of each node has to say."""
        wrong = ""  # the last answers: asked once more, a node may be on its way again

        def fits():
            nonlocal wrong
            wrong = self.sut.endpoints(self.leader())
            return not wrong

        if not sut.wait_until(WEB_S, fits):
            self.bad.append("fault %d: over HTTP %s" % (row["number"], wrong))

    # ---- the whole ----

    def run(self):
        self.begin()
        first = sut.wait_until(START_S, self.well)
        if not first:
            self.bad.append("no single master after %d s: writers %s, masters %s, %s" % (
                START_S, self.rig.writers(), self.sut.masters(), self.sut.reason()))
            return
        print("seed %s, %s leads; recovery is from the last 250 before to the first after" % (
            self.args.seed, first))
        print("  #  fault              recovery  led by    what", flush=True)
        only = self.args.only.split(",") if self.args.only else None
        names = itertools.cycle(only) if only else faults.order(
            self.dice, self.args.sut, self.sut.lacks())
        for name in itertools.islice(names, 2 * self.args.faults):
            if len(self.struck) < self.args.faults:
                self.strike(len(self.struck) + 1, name)
        if len(self.struck) < self.args.faults:
            self.bad.append("only %d faults could be struck" % len(self.struck))

    def end(self):
        """No more mail; what was accepted is looked for in the mailboxes."""
        self.rig.ask("heal")
        self.rig.ask("cloud", "say", "clear")
        sut.wait_until(SETTLE_S, self.well)
        sut.wait_until(FIT_S, lambda: not self.sut.unfit())
        sut.wait_until(FIT_S, lambda: not self.sut.rehearse(), pause=2)
        self.bad += self.sut.rehearse()
        self.mailer.send_signal(signal.SIGTERM)
        try:
            self.mailer.wait(120)
        except subprocess.TimeoutExpired:
            self.bad.append("the mailer does not end")
            self.mailer.kill()
        here = os.path.dirname(os.path.abspath(__file__))
        open(self.path("faults.jsonl"), "a").close()
        mail = subprocess.run(self.rig.client(
            sys.executable, os.path.join(here, "mailer.py"), "report", "--log",
            self.path("mail.jsonl"), "--imap", "10.77.0.100", "--faults", self.path("faults.jsonl"),
            "--patience", "120", "--details", self.path("mail.json")), stdout=subprocess.PIPE,
            text=True)
        written = subprocess.run([sys.executable, os.path.join(here, "writers.py"), "judge",
                                  self.rig.run, self.path("writers.jsonl")], stdout=subprocess.PIPE,
                                 text=True)
        self.stop()
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", mail.stdout + written.stdout)}

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()

    def accuse(self, n):
        """What must never be, and everything else that went wrong."""
        for what in ("lost", "unexplained", "double_writers", "rejected"):
            if n.get(what, 1):
                self.bad.append("%s=%s" % (what, n.get(what, "unknown")))
        if n.get("acked", 0) == 0:
            self.bad.append("no mail was accepted at all")
        for text in self.bad:
            print("  FAILED: %s" % text)

    def summary(self, n):
        times = {}
        for row in self.struck:
            if row["interrupted"]:
                times.setdefault(row["class"], []).append(row["rto_ms"])
        for klass, values in sorted(times.items()):
            print("  %-10s n=%-3d p50=%-6d p95=%-6d max=%d ms" % (
                klass, len(values), *(ledger.percentile(values, p) for p in (50, 95, 100))))
            steps = phases.medians([row for row in self.struck if row["class"] == klass])
            if steps:
                print("             medians, ms after the fault: %s" % steps)
        every = [v for values in times.values() for v in values]
        p50, p95, most = (ledger.percentile(every, p) or 0 for p in (50, 95, 100))
        print("  %d of %d faults interrupted mail; attachments=%d torn=%d writes=%d "
              "rejected=%d open=%d" % (len(every), len(self.struck), *(n.get(k, -1) for k in (
                  "attachments", "torn", "writes", "rejected", "open"))))
        self.accuse(n)
        if self.args.times:
            with open(self.args.times, "w") as f:
                json.dump(times, f)
        print("faults=%d acked=%d lost=%d duplicates=%d unexplained=%d double_writers=%d "
              "rto_p50_ms=%d rto_p95_ms=%d rto_max_ms=%d" % (
                  len(self.struck), *(n.get(k, -1) for k in (
                      "acked", "lost", "duplicates", "unexplained", "double_writers")),
                  p50, p95, most))

    def keep(self):
        """What is needed to understand what went wrong."""
        shutil.copytree(os.path.join(self.rig.run, "log"), self.path("rig"), dirs_exist_ok=True)
        for node in self.rig.alive():
            commands = [("journal", ["journalctl", "-q", "--no-pager", "-o", "short-precise"]),
                        ("docker", ["docker", "ps", "-a"]), *self.sut.logs()]
            for name, command in commands:
                with open(self.path("%s.%s" % (node, name)), "w") as f:
                    f.write(self.rig.on(node, *command, seconds=20)[1])
        print("  logs: %s" % self.dir)


def carry_out(chaos):
    """All of it, whatever comes in between. The exit code."""
    try:
        chaos.run()
        numbers = chaos.end()
    finally:
        chaos.stop()
    chaos.summary(numbers)
    if chaos.bad or os.environ.get("KEEP"):
        chaos.keep()
    else:
        shutil.rmtree(chaos.dir)
    return 1 if chaos.bad else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rig", required=True)
    parser.add_argument("--sut", choices=sut.SUTS, default="hamon")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--times", help="file for the recovery times of each class, as JSON")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return carry_out(Chaos(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
