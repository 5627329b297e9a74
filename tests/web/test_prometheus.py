#!/usr/bin/env python3
"""Debian's Prometheus and promtool: the format of /metrics, a scrape of three nodes, every query of
the Grafana dashboard returns data, every alert rule is silent on a healthy cluster and fires on what
it is for."""

import json
import re
import subprocess
import unittest

import prom
from world import SOURCE, World, until

MONITORING = SOURCE / "templates/monitoring"
RULES = MONITORING / "hamon.rules.yml"


def rules():
    """The rules as Prometheus itself reads them are asked of it; here only their names."""
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text(encoding="utf-8"), re.M)


def queries():
    board = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$job", prom.JOB)


def check(status, name):
    return next(c for c in status["checks"] if c["name"] == name)


def promotion(result, epoch):
    """Events of a node that takes over from one that fell silent."""
    def event(second, **more):
        return dict({"at": f"2026-11-28T16:57:{second:02}.000Z", "node": "n1", "level": "info", "epoch": epoch}, **more)
    return [event(20, kind="state", **{"from": "standby", "to": "claiming"}),
            event(21, kind="state", **{"from": "claiming", "to": "promoting"}),
            event(21, kind="hook", to="promote", detail="master.sh after n2"),
            event(22, kind="step", detail="volume attach: volume 1001", ms=400),
            event(22, kind="step", detail="volume mount: it is mounted", ms=460),
            event(24, kind="step", detail="stack start: new mail is taken", ms=2900),
            event(24, kind="step", detail="ip assign: 1 address at this node", ms=700),
            event(25, kind="step", detail="stack start: 9 of 10 had to be started", ms=3600),
            event(26, kind="hook_end", to="done", ms=4000),
            event(26, kind="state", **{"from": "promoting", "to": result})]


def plant(p, name):
    """Break what the rule is for."""
    n = {k: w.status for k, w in p.nodes.items()}
    deeds = {
        "HamonSilent": lambda: p.nodes["n3"].mode("hang"),
        "HamonNobodyLeads": lambda: n["n1"].update(role="standby"),
        "HamonTwoLead": lambda: n["n2"]["lease"].update(valid_ms=5000),
        "HamonMasterUnfit": lambda: n["n1"].update(verdict="unfit"),
        "HamonStandbyUnfit": lambda: n["n2"].update(verdict="unknown"),
        "HamonNobodyCouldTakeOver": lambda: (n["n2"].update(verdict="unfit"), n["n3"].update(verdict="unfit")),
        "HamonBreakerOpen": lambda: n["n2"]["breaker"].update(open=True),
        "HamonFailedOver": lambda: p.nodes["n1"].why.extend(promotion("master", 8)),
        "HamonPromotionFailed": lambda: p.nodes["n1"].why.extend(promotion("demoting", 9)),
        "HamonCheckDown": lambda: check(n["n1"], "imap").update(verdict="down"),
        "HamonGaleraAlone": lambda: n["n3"]["galera"].update(status="non-Primary"),
        "HamonGaleraIncomplete": lambda: n["n1"]["galera"].update(size=2),
        "HamonOutOfStep": lambda: n["n1"]["nodes"][2]["sync"].update(reason="unreachable", well=False, out_ms=900000),
        "HamonProviderSilent": lambda: n["n2"]["volume"].update(answers=False),
        "HamonAddressMissing": lambda: n["n1"]["ip"]["addresses"][1].update(here=False),
        "HamonOutboundMissing": lambda: n["n1"]["ip"].update(outbound_missing=True),
        "HamonContainerRestarts": lambda: n["n1"]["containers"][0].update(restarts=9),
        "HamonCanaryFails": lambda: parts('canary_ok{reason="ok"} 1', 'canary_ok{reason="no_delivery"} 0'),
        "HamonCanarySlow": lambda: parts("login_p95_seconds 0.3", "login_p95_seconds 2.5"),
        "HamonCertificateExpires": lambda: parts("5184000", "86400"),
        "HamonAlertsStuck": lambda: parts("alerts_queued 0", "alerts_queued 2"),
        "HamonRehearsalFailed": lambda: parts("rehearsal_ok 1", "rehearsal_ok 0"),
        "HamonRehearsalOld": lambda: parts("rehearsal_age_seconds 3600", "rehearsal_age_seconds 300000"),
    }
    deeds[name]()
    for w in p.nodes.values():
        w.tell()
    return deeds.keys()


def parts(old, new):
    assert old in prom.Parts.text, old
    prom.Parts.text = prom.Parts.text.replace(old, new)


def heal(p):
    prom.Parts.text = prom.PARTS
    for name, w in p.nodes.items():
        w.status = prom.standby(name) if name != "n1" else json.loads(json.dumps(prom.world.HEALTHY))
        w.mode("")
        w.tell()


class Format(unittest.TestCase):
    def promtool(self, *words, text=None):
        r = subprocess.run(["promtool", *words], input=text, text=True, capture_output=True, check=False)
        self.assertEqual((r.returncode, r.stdout + r.stderr if text else ""), (0, ""), r.stdout + r.stderr)

    def test_promtool_likes_the_metrics(self):
        with World() as w:
            self.promtool("check", "metrics", text=w.get("/metrics").text)
            self.assertIn("version=0.0.4", w.get("/metrics").headers["Content-Type"])
            w.mode("hang")
            w.until(lambda: "\nhamon_up 0\n" in w.get("/metrics").text)
            self.promtool("check", "metrics", text=w.get("/metrics").text)

    def test_promtool_likes_the_rules(self):
        self.promtool("check", "rules", str(RULES))

    def test_the_doubles_metrics_exist(self):
        table = (SOURCE / "hamon/web/metrics_table.c").read_text(encoding="utf-8")
        for name in re.findall(r"^hamon_\w+", prom.PARTS, re.M):
            self.assertIn(f'"{name}"', table)


class Scrape(unittest.TestCase):
    def test_dashboard_and_rules(self):
        with prom.Prometheus(RULES) as p:
            found = until(lambda: [r for g in p.api("rules")["groups"] for r in g["rules"]], "rules are read")
            self.assertEqual([r["name"] for r in found], rules())
            for rule in found:
                p.query_until(rule["query"], there=False)  # on a healthy cluster
            for rule in found:
                with self.subTest(rule=rule["name"]):
                    plant(p, rule["name"])
                    p.query_until(rule["query"])
                    heal(p)
            until(lambda: all(r["health"] == "ok" for g in p.api("rules")["groups"] for r in g["rules"]),
                  "every rule was evaluated")
            for title, expr in queries():
                with self.subTest(panel=title):
                    p.query_until(expr)

    def test_dashboard_and_rules_name_metrics_that_exist(self):
        table = (SOURCE / "hamon/web/metrics_table.c").read_text(encoding="utf-8")
        text = RULES.read_text(encoding="utf-8") + " ".join(q for _, q in queries())
        for name in set(re.findall(r"\bhamon_\w+", text)):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertIn(f'"{base}"', table, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
