#!/usr/bin/env python3
"""What `hamon rehearse` left is shown by `hamond web` while it is true: rehearsal.c."""

import json
import time
import unittest

from world import World


def result(ok=True, at_ms=None, **more):
    return {"ok": ok, "node": "n1", "at": "2026-11-28T03:12:07Z", "took_ms": 912,
            "at_ms": int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) if at_ms is None else at_ms,
            "findings": [{"check": "volume mount", "verdict": "ok" if ok else "fail", "message": "<b>"}],
            **more}


def seen(w):
    return w.get("/status.json").json["web"].get("rehearsal")


class Rehearsal(unittest.TestCase):
    def test_the_last_one_is_told(self):
        with World() as w:
            self.assertIsNone(seen(w))
            w.put("rehearsal.json", json.dumps(result()))
            w.until(lambda: seen(w))
            told = seen(w)
            age = told.pop("ago_ms")
            self.assertTrue(0 <= age < 600000, age)
            self.assertEqual(told, {"ok": True, "at": "2026-11-28T03:12:07Z", "took_ms": 912,
                                    "findings": [{"check": "volume mount", "verdict": "ok", "message": "<b>"}]})
            w.put("rehearsal.json", json.dumps(result(ok=False)))
            w.until(lambda: seen(w)["ok"] is False)
            self.assertEqual(seen(w)["findings"][0]["verdict"], "fail")
            (w.dir / "rehearsal.json").unlink()
            w.until(lambda: seen(w) is None)

    def test_what_makes_no_sense_is_not(self):
        good = result()
        with World() as w:
            for bad in ("", "{", "[]", "null", json.dumps(result(at_ms=1e15)), json.dumps(result(at_ms=-1)),
                        json.dumps(result(at_ms="now")), json.dumps(result(ok="yes")),
                        json.dumps({k: v for k, v in good.items() if k != "at_ms"}), " " * 300000):
                w.put("rehearsal.json", json.dumps(good))
                w.until(lambda: seen(w))
                w.put("rehearsal.json", bad)
                w.until(lambda: seen(w) is None, bad[:60])

    def test_it_is_bounded(self):
        with World() as w:
            w.put("rehearsal.json", json.dumps(result(findings=[{"check": "x"}, 7, None] * 500)))
            w.until(lambda: seen(w))
            findings = seen(w)["findings"]
            self.assertEqual(findings, [{"check": "x", "verdict": "", "message": ""}] * 64)


if __name__ == "__main__":
    unittest.main(verbosity=2)
