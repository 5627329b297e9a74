"""Where the time of a fail-over went, seen from outside, so that it is the same for hamon and the naive
script: milliseconds from the fault until each step was done.

    claim     hamon's log: it is CLAIMING (hamon only)
    lease     hamon's log: it is PROMOTING (hamon only)
    freed     the volume was taken from the old master
    attached  it was given to the new one
    mounted   the new one can write to it (known to a tenth of a second)
    address   the floating address leads to the new one
    mail      the first 250
"""
import json
import re

import ledger

ORDER = ("claim", "lease", "freed", "attached", "mounted", "address", "mail")
STATES = {"CLAIMING": "claim", "PROMOTING": "lease"}


def first(times, begin, end):
    inside = [t for t in times if begin <= t <= end]
    return min(inside) if inside else None


def phases(row, last, attachments, addresses, watched, journal):
    """row: a fault; last: wall clock of the first 250 after it; the others are lines of their logs.
    {phase: ms}, without what did not happen."""
    begin, end, to = row["w_blow"], last, row["to"]
    moves = [line.split() for line in attachments if len(line.split()) > 3]
    found = {
        "freed": first([float(m[0]) for m in moves if m[3] in ("detach", "rip")], begin, end),
        "attached": first([float(m[0]) for m in moves if m[3] == "attach" and m[2] == to], begin, end),
        "mounted": first([w["w"] for w in watched if to in [node for node, _ in w["writers"]]],
                         begin, end),
        "address": first([float(a.split()[0]) for a in addresses if a.split()[1] == to], begin, end),
        "mail": end,
    }
    for line in journal:
        state = re.match(r"(\d+\.\d+) .*event=state .*\bto=(\w+)", line)
        if state and state.group(2).upper() in STATES:
            name, at = STATES[state.group(2).upper()], float(state.group(1))
            if begin <= at <= end and name not in found:
                found[name] = at
    return {k: round((found[k] - begin) * 1000) for k in ORDER if found.get(k) is not None}


def medians(rows):
    """One line for the rows of a class that had a fail-over."""
    parts = []
    for name in ORDER:
        values = [row["phases"][name] for row in rows if name in row.get("phases", {})]
        if values:
            parts.append("%s=%d" % (name, ledger.percentile(values, 50)))
    return " ".join(parts)


def lines(path):
    try:
        with open(path) as f:
            return f.read().splitlines()
    except OSError:
        return []


def watched(path):
    return [json.loads(line) for line in lines(path) if line.endswith("}")]
