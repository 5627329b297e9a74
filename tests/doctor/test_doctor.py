#!/usr/bin/env python3
"""`hamon doctor` against planted mistakes: on a node without a fault it says nothing; each row of CASES
plants one, expects exactly the findings it names, each with a place and a fix, and takes it back. A kind
of finding that no case plants is a failure. usage: test_doctor.py [WORD]: only cases with that word."""
import re
import sys
import time

import cases_node  # noqa: F401  each adds its rows
import cases_cluster  # noqa: F401
from case import CASES
from world import SOURCE, World, isolate


def table():
    """The kinds of findings, as the program has them."""
    with open(SOURCE + "/hamon/doctor/flaw.c", encoding="utf-8") as f:
        return re.findall(r'^ +(?:ERROR|WARN|HINT)\(F_\w+, "(\w+)"', f.read(), re.M)


def judge(w, names, says, fix):
    """What is wrong with what the doctor says; "" = nothing."""
    have = w.findings()
    told = [f["finding"] for f in have]
    if sorted(told) != sorted(names):
        return f"expected {' '.join(names)}, found: {have}"
    if told != sorted(told, key=table().index):
        return f"not ranked: {told}"
    for f in have:
        if not all(f[k] for k in ("what", "where", "why", "fix")) or re.search("[^ -~\n]", f["what"] + f["where"] + f["fix"]):
            return f"not whole: {f}"
    if names and not any(says in f["what"] + f["where"] for f in have):
        return f'nobody says "{says}": {have}'
    if names and not any(fix in f["fix"] for f in have):
        return f'nobody mends by "{fix}": {have}'
    return ""


def main():
    isolate()
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [c for c in CASES if word in c[0] or any(word in n for n in c[1])]
    began, failed = time.monotonic(), 0
    w = World()
    try:
        good = judge(w, (), "", "") or (w.doctor().stdout != "n1: nothing found in 12 looks\n" and w.doctor().stdout)
        print(f"a node without a fault: {good or 'nothing found'}", flush=True)
        failed += bool(good)
        for name, names, says, fix, plant in chosen:
            back = plant(w)
            wrong = judge(w, names, says, fix)
            if back:
                back()
            w.calm()
            failed += bool(wrong)
            print(f"{'FAIL' if wrong else 'ok  '} {name}: {wrong or ' '.join(names)}", flush=True)
        lost = set(table()) - {n for c in CASES for n in c[1]}
        if lost:
            print("no case plants:", *sorted(lost))
            failed += 1
    finally:
        w.end()
    print(f"{len(chosen)} mistakes, {failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
