#!/usr/bin/env python3
"""How fast was a fault seen? Reads a node's journal (JSON, from lib.sh: journal) on standard input
and prints milliseconds from T0 to: the first notice, the verdict that is not fit, keepalived entering
FAULT, and keepalived leaving it; then the reason. "-" = did not happen.

usage: times.py T0 [HEALED] (epoch seconds); what came after HEALED is only the way back
"""
import json
import re
import sys

t0 = float(sys.argv[1])
healed = float(sys.argv[2]) - t0 if len(sys.argv) > 2 else float("inf")
first = {}


def note(what, at, word=None):
    first.setdefault(what, (at, word))


for raw in sys.stdin:
    entry = json.loads(raw)
    text = entry.get("MESSAGE", "")
    at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6 - t0
    if at < 0 or not isinstance(text, str):
        continue
    reason = re.search(r"reason=(\S+)", text)
    verdict = re.search(r"event=verdict .*\bto=(\S+)", text)
    if at < healed and "event=check" in text and re.search(r"to=(suspect|down)", text):
        note("noticed", at, reason.group(1))
    if at < healed and verdict and verdict.group(1) != "fit":
        note("noticed", at, reason.group(1))
        note("unfit", at, reason.group(1))
    state = re.search(r"Entering (\S+) STATE", text)
    if state and state.group(1) == "FAULT":
        note("keepalived", at, state.group(1))
    elif state and "keepalived" in first:
        note("back", at)


def ms(what):
    return f"{first[what][0] * 1000:.0f}" if what in first else "-"


word = (first.get("unfit") or first.get("noticed") or (0, "-"))[1]
print(ms("noticed"), ms("unfit"), ms("keepalived"), ms("back"), word)
