"""What the mailer's log and the mailboxes say when they are laid side by side.

lost         got its 250 and is in no mailbox
duplicates   copies beyond the first one
unexplained  copies that nothing explains. Explained is a copy of another queue id only by an attempt
             that ended without an answer after its final dot, or with Postfix's "queue file write
             error" while a fault lasted (what the disk took before it failed comes back with it); one
             of the same queue id (the queue delivered twice) only by a fault that struck between the
             two deliveries
rejected     got a 5xx: an MTA would have sent it back
open         had no answer when the run ended

Two wall clocks are compared, both of this machine: the nodes of the rig share it.
"""
import email.parser
import email.utils
import imaplib
import json
import re
import sys
import time

WALL_SLACK_S = 2  # a Received line has whole seconds
SOCKET_S = 20


def read_lines(path):
    rows = []
    with open(path) as f:
        for line in f:
            try:
                rows.append(json.loads(line))
            except ValueError:
                pass  # the last line of a run that was killed
    return rows


class Log:
    """Per message: was it acked, refused, how many attempts ended in doubt; and all 250s in time."""

    def __init__(self, rows):
        self.acked, self.rejected, self.doubts, self.known = {}, set(), {}, set()
        self.write_errors = {}  # wall clock times
        self.acks = []
        for row in rows:
            ident = row.get("id")
            if row["e"] == "new":
                self.known.add(ident)
            elif row["e"] == "try":
                if row["r"] == "ok":
                    self.acked[ident] = row
                    self.acks.append(row["t"])
                elif row["r"] == "perm":
                    self.rejected.add(ident)
                elif row["at"] == "dot" and row["r"] in ("timeout", "lost"):
                    self.doubts[ident] = self.doubts.get(ident, 0) + 1
                elif row["at"] == "dot" and "queue file write error" in row["text"]:
                    self.write_errors.setdefault(ident, []).append(row["w"])
        self.acks.sort()

    def open(self):
        return self.known - set(self.acked) - self.rejected


# ---- mailboxes ----

def copy_of(header):
    """(id, {qid, at}) of one message's header text; None if it is none of ours."""
    h = email.parser.HeaderParser().parsestr(header)
    ident = (h.get("X-Chaos") or "").strip()
    if not ident:
        return None
    qid, at = "?", None
    for received in h.get_all("Received") or []:  # the last hop is the first line
        stamp = email.utils.parsedate_tz(received.rpartition(";")[2].strip())
        if at is None and stamp:
            at = email.utils.mktime_tz(stamp)
        found = re.search(r"\(Postfix\)\s+with\s+E?SMTPS?A?\s+id\s+(\S+?)[;\s]", received)
        if found:
            qid = found.group(1)
    return ident, {"qid": qid, "at": at}


class Reader:
    """Reads only what is new: mailboxes of ten thousand messages are read more than once."""

    def __init__(self, server, users):
        self.server, self.users, self.seen, self.copies = server, users, {}, {}

    def boxes(self, imap):
        for line in imap.list()[1]:
            if line and b"\\Noselect" not in line:
                yield re.sub(rb'^\([^)]*\) (?:"[^"]*"|NIL) ', b"", line).decode()

    def read(self):
        for user in self.users:
            name, _, password = user.partition(":")
            imap = imaplib.IMAP4(*self.server, timeout=SOCKET_S)
            try:
                imap.login(name, password)
                for box in self.boxes(imap):
                    self.read_box(imap, name, box)
            finally:
                imap.shutdown()

    def read_box(self, imap, name, box):
        imap.select(box, readonly=True)
        validity = imap.response("UIDVALIDITY")[1][0]
        key = (name, box, validity)
        first = self.seen.get(key, 0) + 1
        _, rows = imap.uid("fetch", "%d:*" % first, "(UID BODY.PEEK[HEADER])")
        for row in rows:
            if not isinstance(row, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", row[0]).group(1))
            if uid < first:  # "n:*" names the last one even if there is no n
                continue
            self.seen[key] = max(self.seen.get(key, 0), uid)
            copy = copy_of(row[1].decode("utf-8", "replace"))
            if copy:
                copy[1].update(box="%s/%s" % (name, box), uid=uid)
                self.copies.setdefault(copy[0], []).append(copy[1])

    def read_until(self, wanted, patience):
        """Read until all that is wanted is there, or patience ends."""
        end, error = time.monotonic() + patience, None
        while True:
            try:
                self.read()
                error = None
            except (OSError, imaplib.IMAP4.error) as e:
                error = e
            missing = set(wanted) - set(self.copies)
            if (not missing and not error) or time.monotonic() > end:
                return error
            time.sleep(1)


# ---- judgement ----

def between(faults, a, b):
    """Did a fault strike, or last, somewhere between these two wall clock times?"""
    return any(f["w"] <= b + WALL_SLACK_S and f.get("w_end", f["w"]) >= a - WALL_SLACK_S
               for f in faults)


def unexplained_copies(ident, copies, log, faults):
    queues = {}
    for copy in copies:
        queues.setdefault(copy["qid"], []).append(copy)
    allowed = (ident in log.acked) + log.doubts.get(ident, 0) + sum(
        between(faults, w, w) for w in log.write_errors.get(ident, ()))
    bad = max(0, len(queues) - allowed)
    for same in queues.values():
        times = sorted(c["at"] or 0 for c in same)
        bad += sum(not between(faults, a, b) for a, b in zip(times, times[1:]))
    return bad


def judge(log, copies, faults):
    """The numbers of the report, and which messages are behind them."""
    names = {"lost": sorted(set(log.acked) - set(copies)), "rejected": sorted(log.rejected),
             "open": sorted(log.open()), "duplicates": [], "unexplained": []}
    duplicates = unexplained = 0
    for ident, found in sorted(copies.items()):
        if ident not in log.known:
            continue  # of an earlier run
        duplicates += len(found) - 1
        if len(found) > 1:
            names["duplicates"].append(ident)
        bad = unexplained_copies(ident, found, log, faults)
        unexplained += bad
        if bad:
            names["unexplained"].append(ident)
    return {"acked": len(log.acked), "lost": len(names["lost"]), "duplicates": duplicates,
            "unexplained": unexplained, "rejected": len(names["rejected"]),
            "open": len(names["open"]), "names": names}


# ---- recovery time ----

def outage(acks, begin, end):
    """The longest time without a 250 that overlaps [begin, end): (milliseconds, last 250 before, first
    after). If none came any more, it lasts until the end and first is None."""
    times = [t for t in acks if t < end]
    before = [t for t in times if t <= begin][-1:] or [begin]
    times = before + [t for t in times if t > begin]
    gaps = [(b - a, a, b) for a, b in zip(times, times[1:])]
    gaps.append((end - times[-1], times[-1], None))
    longest = max(gaps, key=lambda g: g[0])
    return round(longest[0] * 1000), longest[1], longest[2]


def percentile(values, p):
    """Nearest rank; None without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)] if ordered else None


def report(log_path, server, users, faults_path, patience, details):
    log = Log(read_lines(log_path))
    faults = read_lines(faults_path) if faults_path else []
    reader = Reader(server, users)
    error = reader.read_until(log.acked, patience)
    found = judge(log, reader.copies, faults)
    if error:
        print("mailboxes could not be read to the end: %s" % error, file=sys.stderr)
    if details:
        with open(details, "w") as f:
            json.dump({**found, "copies": reader.copies}, f, indent=1)
    print(" ".join("%s=%d" % (k, v) for k, v in found.items() if k != "names"))
    return 1 if error or found["lost"] or found["unexplained"] else 0
