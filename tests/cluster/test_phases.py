#!/usr/bin/env python3
"""Phases of a fail-over, from logs made by hand."""
import unittest

import phases

ROW = {"w_blow": 100.0, "to": "n2"}
ATTACHMENTS = ["90.0 1 n1 attach /dev/loop0", "100.5 1 n1 rip", "100.9 2 n2 attach /dev/loop1",
               "104.0 2 n2 detach", "short line"]
ADDRESSES = ["90.2 n1", "101.5 n2"]
WATCHED = [{"w": 90.1, "writers": [["n1", 1]]}, {"w": 100.6, "writers": []},
           {"w": 101.0, "writers": [["n2", 2]]}]
JOURNAL = ["99.0 level=info event=state from=STANDBY to=CLAIMING by=hint",
           "100.2 level=info event=state from=STANDBY to=CLAIMING by=hint",
           "100.3 level=info event=state from=claiming to=promoting by=lease_won", "nonsense"]


class Phases(unittest.TestCase):
    def test_each_step(self):
        self.assertEqual(phases.phases(ROW, 102.0, ATTACHMENTS, ADDRESSES, WATCHED, JOURNAL), {
            "claim": 200, "lease": 300, "freed": 500, "attached": 900, "mounted": 1000,
            "address": 1500, "mail": 2000})

    def test_what_did_not_happen_is_not_there(self):
        self.assertEqual(phases.phases(ROW, 102.0, [], [], [], []), {"mail": 2000})
        self.assertEqual(phases.phases({"w_blow": 100.0, "to": "n3"}, 102.0, ATTACHMENTS, ADDRESSES,
                                       WATCHED, []), {"freed": 500, "mail": 2000})

    def test_medians(self):
        rows = [{"phases": {"freed": n, "mail": 10 * n}} for n in (1, 2, 9)] + [{}]
        self.assertEqual(phases.medians(rows), "freed=2 mail=20")
        self.assertEqual(phases.medians([{}]), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
