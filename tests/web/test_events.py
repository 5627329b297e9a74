#!/usr/bin/env python3
"""What happened, as `hamond web` knows it: each event once, whether it came from the file, from the
daemon's memory, or from both; fail-overs of this node with their phases, of others as seen from here."""

import json
import unittest

from world import World


def event(at, kind, **more):
    return dict({"at": f"2026-11-28T{at}Z", "node": "n1", "kind": kind, "level": "info", "epoch": 0}, **more)


def promotion(minute, epoch, detail="master.sh", result="master"):
    def at(second):
        return f"16:{minute:02}:{second}"
    return [event(at("20.000"), "state", **{"from": "standby", "to": "claiming"}),
            event(at("20.010"), "state", epoch=epoch, **{"from": "claiming", "to": "promoting"}),
            event(at("20.020"), "hook", epoch=epoch, to="promote", detail=detail),
            event(at("20.420"), "step", epoch=epoch, detail="volume attach: volume 1001", ms=400),
            event(at("24.000"), "hook_end", epoch=epoch, to="done", ms=3980),
            event(at("24.000"), "state", epoch=epoch, **{"from": "promoting", "to": result})]


def counted(w, kind, level="info"):
    return {(e["kind"], e["level"]): e["n"] for e in w.get("/status.json").json["web"]["events"]}.get((kind, level), 0)


def failovers(w):
    return w.get("/status.json").json["web"]["failovers"]


class Events(unittest.TestCase):
    def test_each_once(self):
        old = [event("10:00:00.000", "start"), *promotion(1, 3)]
        with World(start=False) as w:
            # the older file, half a line of a power cut, then what the daemon still remembers
            w.put("events.1", "".join(json.dumps(e) + "\n" for e in old[:3]) + '{"at":"2026-')
            w.put("events", "".join(json.dumps(e) + "\n" for e in old[3:]))
            w.why = [dict(e, ago_ms=5000) for e in old[2:]]
            w.tell()
            w.start_web()
            w.until(lambda: failovers(w))
            self.assertEqual([f["epoch"] for f in failovers(w)], [3])
            # what was before our start is no news; what comes now is, and once
            w.why += [dict(event("11:00:00.000", "verdict", level="warn"), ago_ms=10)]
            w.tell()
            w.until(lambda: counted(w, "verdict", "warn") == 1)
            asked = w.asked()
            w.until(lambda: w.asked() > asked + 6)
            self.assertEqual(counted(w, "verdict", "warn"), 1)
            self.assertEqual(counted(w, "state"), 0)
            # the daemon starts anew and has forgotten all
            w.why = [dict(event("12:00:00.000", "start"), ago_ms=10)]
            w.tell()
            w.until(lambda: counted(w, "start") == 1)
            self.assertEqual([f["epoch"] for f in failovers(w)], [3])

    def test_memory_is_bounded(self):
        with World() as w:
            for round_ in range(12):
                w.why = [dict(event(f"1{i % 10}:{round_:02}:{i % 60:02}.{i:03}", "step", detail=f"{round_}.{i}"), ago_ms=1)
                         for i in range(128)]
                w.tell()
                w.until(lambda n=round_: counted(w, "step") == 128 * (n + 1))

    def test_no_events_file_is_fine_and_one_that_is_none_is_told(self):
        with World(start=False) as w:
            (w.dir / "events").mkdir()
            w.start_web()
            w.until(lambda: w.get("/health").status == 200)
            self.assertIn("event=events", w.log())


class Failovers(unittest.TestCase):
    def test_of_this_node(self):
        with World() as w:
            w.why = [dict(e, ago_ms=9) for e in promotion(5, 8)]
            w.tell()
            w.until(lambda: failovers(w))
            f = failovers(w)[0]
            self.assertEqual((f["kind"], f["result"], f["node"], f["total_ms"]), ("switchover", "done", "n1", 4000))
            self.assertEqual([(p["name"], p["ms"]) for p in f["phases"]], [("claim", 10), ("attach", 410), ("checks", 3580)])
            metrics = w.get("/metrics").text
            for line in ('hamon_failovers_total{kind="switchover",result="done"} 1',
                         'hamon_failovers_total{kind="failover",result="done"} 0',
                         'hamon_failover_duration_seconds_sum{kind="switchover"} 4',
                         'hamon_failover_phase_seconds_bucket{phase="attach",le="0.25"} 0',
                         'hamon_failover_phase_seconds_bucket{phase="attach",le="0.5"} 1',
                         'hamon_failover_phase_seconds_count{phase="attach"} 1'):
                self.assertIn(line + "\n", metrics)

    def lead(self, w, name, epoch, state):
        w.status["lease"].update(holder=name, epoch=epoch, valid_ms=0)
        w.status.update(role="standby", state="standby")
        for n in w.status["nodes"]:
            n["holder"] = n["name"] == name
            n["state"] = state if n["name"] == name else "standby"
        w.tell()

    def test_of_another_node(self):
        """n1 lets go while it is well, n2 takes over; then n2 is unfit, and n3 does."""
        with World() as w:
            self.lead(w, "n2", 9, "promoting")
            w.until(lambda: failovers(w))
            f = failovers(w)[0]
            self.assertEqual((f["epoch"], f["node"], f["from"], f["kind"], f["result"]), (9, "n2", "n1", "switchover", "running"))
            self.lead(w, "n2", 9, "master")
            w.until(lambda: failovers(w)[0]["result"] == "done")
            w.status["nodes"][1]["verdict"] = "unfit"
            w.tell()
            w.until(lambda: any(n["name"] == "n2" and n["verdict"] == "unfit" for n in w.get("/status.json").json["nodes"]))
            asked = w.asked()
            w.until(lambda: w.asked() > asked + 3)  # it was seen so
            self.lead(w, "n3", 11, "promoting")
            w.until(lambda: len(failovers(w)) == 2)
            f = failovers(w)[1]
            self.assertEqual((f["node"], f["from"], f["kind"]), ("n3", "n2", "failover"))
            self.lead(w, "", 11, "")  # it came to nothing
            w.until(lambda: failovers(w)[1]["result"] == "failed")

    def test_who_leads_when_we_come_is_no_failover(self):
        with World() as w:
            asked = w.asked()
            w.until(lambda: w.asked() > asked + 6)
            self.assertEqual(failovers(w), [])


class Kuma(unittest.TestCase):
    def test_what_its_monitors_go_by(self):
        """HTTP(s): a status of 200-299. Keyword: its text in the body. JSON query: the value at `ok`."""
        with World() as w:
            r = w.get("/health", headers={"User-Agent": "Uptime-Kuma/1.23", "Accept": "text/html,*/*"})
            self.assertTrue(200 <= r.status < 300)
            self.assertIn('"ok":true', r.text)
            self.assertIs(r.json["ok"], True)
            w.status.update(verdict="unfit", reason="galera_donor")
            w.tell()
            w.until(lambda: w.get("/health").status == 503)
            self.assertNotIn('"ok":true', w.get("/health").text)
            self.assertIs(w.get("/health").json["ok"], False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
