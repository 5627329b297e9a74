#!/usr/bin/env python3
"""Two files of chaos.py --times side by side: the naive script's and hamon's."""
import json
import sys

import ledger


def three(values):
    return [ledger.percentile(values, p) for p in (50, 95, 100)]


def main():
    naive, hamon = (json.load(open(path)) for path in sys.argv[1:])
    print("%-10s %22s %22s %6s" % ("", "naive p50/p95/max ms", "hamon p50/p95/max ms", "p50 x"))
    for klass in sorted(set(naive) | set(hamon)):
        old, new = three(naive.get(klass, [])), three(hamon.get(klass, []))
        ratio = "%.2f" % (new[0] / old[0]) if old[0] and new[0] else "-"
        print("%-10s %22s %22s %6s" % (klass, *("/".join(str(v or "-") for v in t)
                                                for t in (old, new)), ratio))


if __name__ == "__main__":
    main()
