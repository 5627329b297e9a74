#!/usr/bin/env python3
"""Proof of one writer. Two witnesses, both outside of the nodes:

    writers.py watch RIG_RUN FILE    ten times a second: which nodes have the volume's image mounted
                                     read-write, through an attachment that still reaches it, with a
                                     process that can run? Writes changes to FILE until it is killed
    writers.py judge RIG_RUN [FILE]  prints attachments= torn= writes= double_writers=, tells each case
                                     on standard error, exits with 1 if there is one

RIG_RUN is the rig's directory. The first witness is the watch's FILE: two writers in two samples in a
row. The second is the log of the storage itself (RIG_NBD=1: an nbdkit for each attachment logs each
request that reached the image): a write of an attachment after a newer one had begun to write. A case
is a pair of attachments, or of nodes on one attachment, however long it lasted. Torn: how often a device
was taken from under a live mount. The storage let nobody else write then, but it is no way to treat mail.

A frozen node is no writer while it is frozen, and one whose device was torn away none at all.
"""
import datetime
import json
import os
import re
import sys
import time

PERIOD_S = 0.1
OPENED, TORN = "attach", "rip"


# ---- the first witness: who could write at this moment ----

def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


class Watch:
    def __init__(self, run):
        self.run, self.name = run, os.path.basename(run)
        own = os.path.join(run, "cgroup")
        self.cgroups = own if os.path.isdir(own) else "/sys/fs/cgroup"

    def attachments(self):
        """{"7:3": number} of all that reach the image."""
        found, directory = {}, os.path.join(self.run, "volume", "live")
        try:
            numbers = os.listdir(directory)
        except OSError:
            return {}
        for number in numbers:
            loop = read(os.path.join(directory, number)).split()[1:]
            if loop:
                found["7:" + loop[0][len("/dev/loop"):]] = int(number)
        return found

    def nodes(self):
        prefix = self.name + "-n"
        for entry in os.listdir(os.path.join(self.cgroups, "pids")):
            if entry.startswith(prefix) and entry[len(prefix):].isdigit():
                yield "n" + entry[len(prefix):], entry

    def processes(self, entry):
        for directory, _, _ in os.walk(os.path.join(self.cgroups, "pids", entry)):
            yield from read(os.path.join(directory, "cgroup.procs")).split()

    def writers(self):
        """{(node, attachment)}: every mount namespace with a process in it is looked at."""
        attachments, found = self.attachments(), set()
        for node, entry in self.nodes() if attachments else ():
            if "FR" in read(os.path.join(self.cgroups, "freezer", entry, "freezer.state")):
                continue
            seen = set()
            for pid in self.processes(entry):
                try:
                    namespace = os.readlink("/proc/%s/ns/mnt" % pid)
                except OSError:
                    continue  # it has ended, or is a zombie
                if namespace not in seen:
                    seen.add(namespace)
                    found |= {(node, n) for n in
                              mounted(read("/proc/%s/mountinfo" % pid), attachments)}
        return found

    def loop(self, path):
        before, last, samples, slowest = None, time.monotonic(), 0, 0.0
        with open(path, "a", buffering=1) as log:
            while True:
                writers = sorted(self.writers())
                now = time.monotonic()
                samples, slowest, last = samples + 1, max(slowest, now - last), now
                if writers != before or samples % 100 == 0:
                    log.write(json.dumps({"t": round(now, 3), "w": round(time.time(), 3),
                                          "writers": writers, "samples": samples,
                                          "slowest_ms": round(slowest * 1000)}) + "\n")
                    slowest = 0.0
                before = writers
                time.sleep(PERIOD_S)


def mounted(mountinfo, attachments):
    """Numbers of the attachments that this mount table has read-write, and whose file system lives."""
    for line in mountinfo.splitlines():
        words = line.split()
        if len(words) > 9 and words[2] in attachments:
            own, file_system = words[5].split(","), words[-1].split(",")
            if "rw" in own and "rw" in file_system and not {"emergency_ro", "shutdown"} & set(
                    file_system):
                yield attachments[words[2]]


def cases_seen(rows):
    """Pairs of writers that two samples in a row saw: one may fall into the moment of a change."""
    cases = {}
    for row, following in zip(rows, rows[1:] + [None]):
        writers = [tuple(w) for w in row["writers"]]
        # A row stands until the next one: both samples saw it if that is not simply the next sample.
        if len({node for node, _ in writers}) < 2 or (
                following and following["samples"] - row["samples"] < 2):
            continue
        for a in writers:
            for b in writers:
                if a[0] < b[0]:
                    cases.setdefault((a, b), row["w"])
    return cases


# ---- the second witness: what reached the image ----

WRITE = re.compile(r"(\S+ \S+) connection=(\d+) (\.\.\.)?(?:Write|Zero|Trim) id=(\d+)(.*)")


def wall(text):
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").timestamp()


def writes(lines):
    """Times at which writes that succeeded began."""
    begun, done = {}, []
    for line in lines:
        m = WRITE.match(line)
        if not m:
            continue
        at, connection, end, ident, rest = m.groups()
        if not end:
            begun[connection, ident] = wall(at)
        elif "return=0" in rest:
            done.append(begun.pop((connection, ident), wall(at)))
    return sorted(done)


def cases_written(logs):
    """logs: {number: times}. {(older, newer): how many writes of the older came too late}"""
    cases = {}
    for newer, times in logs.items():
        for older in logs if times else ():
            late = sum(t > times[0] for t in logs[older]) if older < newer else 0
            if late:
                cases[older, newer] = late
    return cases


def judge(run, watched):
    logs, nodes, torn, directory = {}, {}, 0, os.path.join(run, "log", "writes")
    for line in read(os.path.join(run, "log", "attachments")).splitlines():
        _, number, node, what = line.split()[:4]
        if what == OPENED:
            nodes[int(number)] = node
        torn += what == TORN
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        with open(os.path.join(directory, name)) as f:
            logs[int(name.partition(".")[0])] = writes(f)
    written = cases_written(logs)
    seen = cases_seen([json.loads(r) for r in read(watched).splitlines()]) if watched else {}
    for (older, newer), late in written.items():
        print("double writer: %d writes of attachment %d (%s) after %d (%s) had begun to write"
              % (late, older, nodes.get(older), newer, nodes.get(newer)), file=sys.stderr)
    for (a, b), at in seen.items():
        print("double writer: %s (attachment %d) and %s (attachment %d) at %.1f" % (*a, *b, at),
              file=sys.stderr)
    # One case may have two witnesses.
    both = {tuple(sorted((a[1], b[1]))) for a, b in seen} | set(written)
    print("attachments=%d torn=%d writes=%d double_writers=%d"
          % (len(nodes), torn, sum(map(len, logs.values())), len(both)))
    return 1 if both else 0


def main():
    verb, run, *rest = sys.argv[1:] or ["help", ""]
    run = run.rstrip("/")
    if verb == "watch" and len(rest) == 1:
        Watch(run).loop(rest[0])
    if verb == "judge" and len(rest) <= 1:
        sys.exit(judge(run, rest[0] if rest else None))
    sys.exit(__doc__)


if __name__ == "__main__":
    main()
