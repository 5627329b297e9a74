#!/usr/bin/env python3
"""The judge of the write logs, with logs made by hand. (planted does it with a real second writer.)"""
import contextlib
import io
import json
import os
import tempfile
import unittest

import writers

MOUNT = "31 25 {dev} / /mnt/mailcow-ha rw,relatime shared:9 - ext4 /dev/sdb {options}\n"


def log(*seconds, status=0, kind="Write"):
    lines = []
    for ident, s in enumerate(seconds):
        stamp = "2026-01-01 00:00:%09.6f connection=1" % s
        lines.append("%s %s id=%d offset=0x0 count=0x1000 fua=0 ..." % (stamp, kind, ident))
        lines.append("%s ...%s id=%d return=%d" % (stamp, kind, ident, status))
    return lines


class Writes(unittest.TestCase):
    def test_only_what_changes_the_image_and_succeeds(self):
        self.assertEqual(len(writers.writes(log(1, 2, 3))), 3)
        self.assertEqual(len(writers.writes(log(1, kind="Zero") + log(2, kind="Trim"))), 2)
        self.assertEqual(writers.writes(log(1, kind="Read") + log(2, kind="Flush")), [])
        self.assertEqual(writers.writes(log(1, status=-1)), [])
        self.assertEqual(writers.writes(["", "nonsense", "2026-01-01"]), [])

    def test_cases(self):
        for logs, cases in (
                ({1: [1, 2], 2: [3, 4], 3: [5]}, {}),
                ({1: [1, 2], 2: [], 3: [5]}, {}),
                ({1: [1, 5], 2: [3, 4]}, {(1, 2): 1}),
                ({1: [1, 5, 6], 2: [3, 4], 3: [5.5]}, {(1, 2): 2, (1, 3): 1}),
                ({}, {})):
            self.assertEqual(writers.cases_written(logs), cases)


class Mounts(unittest.TestCase):
    def test_what_counts_as_mounted(self):
        for dev, options, want in (("7:3", "rw,errors=remount-ro", [5]),
                                   ("7:4", "rw", []),
                                   ("7:3", "ro", []),
                                   ("7:3", "rw,emergency_ro", []),
                                   ("7:3", "rw,shutdown", [])):
            text = MOUNT.format(dev=dev, options=options)
            self.assertEqual(list(writers.mounted(text, {"7:3": 5})), want)
        self.assertEqual(list(writers.mounted("short line\n", {"7:3": 5})), [])

    def rows(self, *steps):
        return [{"w": float(n), "samples": n, "writers": w} for n, w in steps]

    def test_two_samples_in_a_row(self):
        one, two, both = [["n1", 1]], [["n2", 2]], [["n1", 1], ["n2", 2]]
        self.assertEqual(writers.cases_seen(self.rows((1, one), (50, []), (60, two))), {})
        self.assertEqual(writers.cases_seen(self.rows((1, one), (50, both), (51, two))), {})
        self.assertEqual(len(writers.cases_seen(self.rows((1, one), (50, both), (52, two)))), 1)
        self.assertEqual(len(writers.cases_seen(self.rows((1, one), (50, both)))), 1)

    def test_one_attachment_two_nodes(self):
        rows = self.rows((1, [["n1", 4], ["n3", 4]]), (9, []))
        self.assertEqual(list(writers.cases_seen(rows)), [(("n1", 4), ("n3", 4))])


class Judge(unittest.TestCase):
    def judge(self, logs, watched=()):
        with tempfile.TemporaryDirectory() as run:
            os.makedirs(run + "/log/writes")
            with open(run + "/log/attachments", "w") as f:
                for number in logs:
                    f.write("1.0 %d n%d attach /dev/loop0\n1.5 %d n%d rip\n" % ((number,) * 4))
            for number, lines in logs.items():
                with open("%s/log/writes/%d.log" % (run, number), "w") as f:
                    f.write("\n".join(lines))
            with open(run + "/watched", "w") as f:
                f.writelines(json.dumps(row) + "\n" for row in watched)
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                code = writers.judge(run, run + "/watched")
            return code, out.getvalue().strip()

    def test_one_after_the_other(self):
        self.assertEqual(self.judge({1: log(1, 2), 2: log(3, 4)}),
                         (0, "attachments=2 torn=2 writes=4 double_writers=0"))

    def test_late(self):
        self.assertEqual(self.judge({1: log(1, 4), 2: log(3, 5)}),
                         (1, "attachments=2 torn=2 writes=4 double_writers=1"))

    def test_two_witnesses_of_one_case(self):
        watched = [{"w": 1.0, "samples": 1, "writers": [["n1", 1], ["n2", 2]]}]
        self.assertEqual(self.judge({1: log(1, 4), 2: log(3, 5)}, watched)[1],
                         "attachments=2 torn=2 writes=4 double_writers=1")
        self.assertEqual(self.judge({1: log(1, 2), 2: log(3, 5)}, watched),
                         (1, "attachments=2 torn=2 writes=4 double_writers=1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
