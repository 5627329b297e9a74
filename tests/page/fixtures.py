#!/usr/bin/env python3
"""Snapshots for the page: what `hamon status --json` says in the states people meet, with what the parts of the web
process report. fixtures.py NAME prints one, fixtures.py lists them."""
import copy
import json
import sys

WARM = ("unbound", "netfilter", "mysql", "postfix-tlspol", "memcached", "clamd", "olefy", "dockerapi")
ACTIVE = ("redis", "dovecot", "postfix", "rspamd", "php-fpm", "nginx", "sogo", "acme", "ofelia")
OPTIONAL = ("netfilter", "postfix-tlspol", "memcached", "clamd", "olefy", "sogo", "acme", "ofelia")
PROBES = {"smtp": "220 mail.example.org ESMTP", "submission": "220, STARTTLS", "smtps": "220", "imap": "* OK", "imaps": "* OK",
          "pop3": "+OK", "pop3s": "+OK", "sieve": "OK", "https": "200", "redis": "+PONG", "rspamd": "pong",
          "volume": "written and read in 3 ms"}
DAY = 86400000


def check(name, message, required=True, verdict="up", reason="ok", since=3 * DAY):
    return {"name": name, "verdict": verdict, "reason": reason, "message": message, "since_ms": since, "required": required}


def node(name, state="standby", verdict="fit", reason="ok", age=400, **more):
    i = int(name[1:])
    return {"name": name, "address": f"10.0.0.{i}", "role": "master" if state == "master" else "standby", "state": state,
            "verdict": verdict, "reason": reason, "age_ms": age, "self": False, "holder": False,
            "candidate": state == "standby" and verdict == "fit", "mounted": state == "master", **more}


def status(self="n1", leader="n1"):
    nodes = [node("n1"), node("n2"), node("n3")]
    for n in nodes:
        n["self"] = n["name"] == self
        if n["name"] == leader:
            n.update(state="master", role="master", candidate=False, holder=True, mounted=True)
    here = self == leader
    checks = [check("docker", "answers"), check("galera", "Primary, Synced, 3 members")]
    checks += [check(s + "-mailcow", "running, healthy", s not in OPTIONAL) for s in WARM]
    if here:
        checks += [check(s + "-mailcow", "running", s not in OPTIONAL) for s in ACTIVE]
        checks += [check(p, m, p not in ("smtps", "pop3", "pop3s", "sieve"), since=7 * 3600000) for p, m in PROBES.items()]
    return {"node": self, "role": "master" if here else "standby", "verdict": "fit", "reason": "ok",
            "message": "everything this node needs works", "age_ms": 300, "since_ms": 7 * 3600000, "version": "0.1.0",
            "state": "master" if here else "standby", "why": "", "repair": "", "epoch": 7,
            "lease": {"holder": leader, "epoch": 7, "age_ms": 800, "valid_ms": 9200 if here else 0, "known": True},
            "breaker": {"open": False, "until_ms": 0}, "nodes": nodes,
            "volume": {"provider": "hetzner", "answers": True, "age_ms": 4000, "attached_to": leader, "mount": "/mnt/mailcow",
                       "mounted": here},
            "ip": {"provider": "hetzner", "interface": "eth0", "outbound_missing": False,
                   "addresses": [{"address": "203.0.113.25", "here": here}, {"address": "2001:db8::25", "here": here}]},
            "checks": checks,
            "galera": {"status": "Primary", "state": "Synced", "size": 3, "ready": True, "connected": True},
            "containers": []}


def extra():
    history = [{"ago_ms": (119 - i) * 60000 + 20000, "delivery_ms": 620 + (i * 37) % 260 + (900 if i in (31, 77) else 0),
                "login_ms": 90 + (i * 13) % 60, "reason": "ok"} for i in range(120)]
    return {"canary": {"enabled": True, "ok": True, "reason": "ok", "message": "", "ago_ms": 20000, "delivery_ms": 840,
                       "login_ms": 110, "p50_ms": 740, "p95_ms": 870, "login_p50_ms": 115, "login_p95_ms": 148,
                       "history": history},
            "certificates": [{"service": s, "address": "203.0.113.25", "subject": "mail.example.org", "days_left": 61,
                              "reason": "ok"} for s in ("smtp", "imaps", "https")],
            "alerts": {"queued": 0, "sent": 14, "failed": 0, "dropped": 0,
                       "targets": [{"name": "phone", "format": "ntfy", "ok": True, "error": ""},
                                   {"name": "team", "format": "mattermost", "ok": True, "error": ""}]},
            "rehearsal": {"ok": True, "ago_ms": 9 * 3600000, "findings": [{"check": "token", "verdict": "ok", "message": ""}]},
            "failovers": [
                {"epoch": 5, "node": "n2", "began": "2026-11-20T21:00:03.120Z", "kind": "switchover", "result": "done",
                 "total_ms": 9800, "phases": [{"name": "drain", "ms": 2900}, {"name": "volume detach", "ms": 1800},
                                              {"name": "volume attach", "ms": 2100}, {"name": "volume mount", "ms": 400},
                                              {"name": "services", "ms": 2200}, {"name": "probes", "ms": 400}]},
                {"epoch": 6, "node": "n3", "began": "2026-11-25T03:22:16.123Z", "kind": "failover", "result": "failed",
                 "total_ms": 31000, "phases": [{"name": "lease", "ms": 4200}, {"name": "volume attach", "ms": 26800}]},
                {"epoch": 7, "node": "n1", "began": "2026-11-25T03:22:48.000Z", "kind": "failover", "result": "done",
                 "total_ms": 14100, "phases": [{"name": "lease", "ms": 6100}, {"name": "volume attach", "ms": 3900},
                                               {"name": "volume mount", "ms": 700}, {"name": "services", "ms": 2800},
                                               {"name": "probes", "ms": 600}]}]}


def event(at, kind, level="info", **more):
    return {"at": at, "node": "n1", "kind": kind, "level": level, "epoch": 7, **more}


EVENTS = [event("2026-11-25T03:22:47.100Z", "peer", "warn", **{"from": "n3", "to": "timed_out", "detail": "no answer in time"}),
          event("2026-11-25T03:22:48.000Z", "state", **{"from": "standby", "to": "claiming", "reason": "claim",
                                                        "detail": "its turn: the lease is free"}),
          event("2026-11-25T03:22:54.100Z", "lease", to="won"),
          event("2026-11-25T03:22:54.110Z", "hook", to="promote", detail="master.sh after n3", reason="lease_won"),
          event("2026-11-25T03:23:02.100Z", "hook_end", to="done", ms=7990),
          event("2026-11-25T03:23:02.110Z", "state", **{"from": "promoting", "to": "master", "reason": "hook_ok",
                                                        "detail": "promotion is done"})]


def snap(s, x=None, events=None, age=300, now=None):
    return {"status": s, "extra": extra() if x is None else x, "events": EVENTS if events is None else events, "age_ms": age,
            "now": now}


def find(s, kind, name):
    return next(o for o in s[kind] if o["name"] == name)


def spoil(s, name, verdict, reason, message, since=42000):
    find(s, "checks", name).update(verdict=verdict, reason=reason, message=message, since_ms=since)


def healthy():
    return snap(status())


def standby():
    """The same cluster, seen by a node that does not serve."""
    return snap(status("n2"), {k: v for k, v in extra().items() if k != "canary"})


def degraded():
    s, x = status(), extra()
    find(s, "nodes", "n3").update(state="", role="unknown", verdict="unknown", reason="stale", age_ms=340000, candidate=False)
    find(s, "nodes", "n2").update(verdict="unfit", reason="galera_not_synced", candidate=False)
    s["galera"]["size"] = 2
    spoil(s, "galera", "up", "ok", "Primary, Synced, 2 members", 340000)
    spoil(s, "olefy-mailcow", "down", "container_exited", "exited with code 137, out of memory")
    x["certificates"][2]["days_left"] = 6
    x["alerts"]["targets"][0].update(ok=False, error="403 from https://ntfy.example.org: <script>alert(1)</script>")
    x["rehearsal"] = {"ok": False, "ago_ms": 9 * 3600000,
                      "findings": [{"check": "images", "verdict": "fail", "message": "no image for clamd-mailcow"}]}
    return snap(s, x)


def failing_over():
    """n1 went silent as the master; this page is that of n2, which takes over."""
    s = status("n2", "n2")
    s.update(role="standby", state="promoting", why="this node is being made the master", reason="stack_down",
             message="keepalived proposes this node, and nobody has started its active services yet")
    s["checks"] = [c for c in s["checks"] if c["name"] in ("docker", "galera") or c["name"][:-8] in WARM]
    find(s, "nodes", "n2").update(state="promoting", role="standby", mounted=False)
    find(s, "nodes", "n1").update(state="", role="unknown", verdict="unknown", reason="stale", age_ms=9400, candidate=False)
    s["galera"]["size"] = 2
    s["volume"].update(attached_to="", mounted=False)
    for a in s["ip"]["addresses"]:
        a["here"] = False
    x = {k: v for k, v in extra().items() if k != "canary"}
    return snap(s, x, now={**event("2026-11-28T18:00:00.000Z", "now"), "node": "n2",
                           "detail": "master.sh runs (promote), for 2.4 s", "to": "promoting"})


def halted():
    s = status("n1", "")
    s.update(role="standby", state="halted", why="the breaker keeps this node from leading; hamon ack ends that")
    s["checks"] = [c for c in s["checks"] if c["name"] in ("docker", "galera") or c["name"][:-8] in WARM]
    s["breaker"] = {"open": True, "until_ms": 1260000}
    s["lease"].update(holder="", valid_ms=0, age_ms=95000)
    find(s, "nodes", "n1").update(state="halted", candidate=False, mounted=False)
    find(s, "nodes", "n2").update(verdict="unfit", reason="docker_refused", candidate=False)
    find(s, "nodes", "n3").update(state="maintenance", candidate=False)
    s["volume"].update(attached_to="", mounted=False)
    for a in s["ip"]["addresses"]:
        a["here"] = False
    return snap(s, {k: v for k, v in extra().items() if k != "canary"})


def partly():
    s, x = status(), extra()
    s.update(verdict="unfit", reason="container_exited", message="dovecot-mailcow: exited with code 1", since_ms=42000)
    find(s, "nodes", "n1").update(verdict="unfit", reason="container_exited")
    spoil(s, "dovecot-mailcow", "down", "container_exited", "exited with code 1")
    for p in ("imap", "imaps", "pop3", "pop3s", "sieve"):
        spoil(s, p, "down", "probe_refused", "connection refused")
    s["repair"] = "dovecot-mailcow"
    return snap(s, x)


def undelivered():
    """All probes are content, and mail does not come through."""
    s, x = status(), extra()
    x["canary"].update(ok=False, reason="no_delivery", message="accepted, and not in the mailbox after 30 s", p95_ms=30000)
    for h in x["canary"]["history"][-4:]:
        h.update(delivery_ms=-1, reason="no_delivery")
    return snap(s, x)


def silent():
    return snap(status(), age=47000)


def nothing():
    return {"status": None, "extra": {}, "events": [], "age_ms": 0, "now": None}


def alone():
    """Of no cluster: hamon watches, keepalived leads."""
    s = status()
    for key in ("nodes", "lease", "breaker", "volume", "ip", "state", "why", "repair", "epoch"):
        del s[key]
    return snap(s, {})


def crowd():
    """Nine nodes with long names, and hostile words wherever words may come from."""
    s = status()
    evil = "</title><script>alert('x')</script>\"><img src=x onerror=alert(1)>"
    s["nodes"] = [copy.deepcopy(node(f"n{i}", age=300 * i)) for i in range(1, 10)]
    s["nodes"][0].update(self=True, holder=True, state="master", mounted=True, candidate=False, name="n1" + evil)
    for i, n in enumerate(s["nodes"][1:]):
        n["name"] = f"mail-node-number-{i}.internal.example.org"
    s["node"] = s["version"] = s["why"] = s["nodes"][3]["reason"] = s["volume"]["mount"] = evil
    s["ip"]["addresses"][0]["address"] = evil
    spoil(s, "olefy-mailcow", "down", evil, evil)
    x = extra()
    x["certificates"][0].update(service=evil, reason=evil)
    x["alerts"]["targets"][0].update(name=evil, error=evil, ok=False)
    x["failovers"][0].update(node=evil, kind=evil, result=evil, began=evil)
    x["failovers"][0]["phases"][0]["name"] = evil
    x["canary"].update(ok=False, reason=evil, message=evil)
    x["rehearsal"] = {"ok": False, "ago_ms": 1, "findings": [{"check": evil, "verdict": evil, "message": evil}]}
    return snap(s, x, [event("2026-11-25T03:22:47.100Z", evil, "error", detail=evil, reason=evil)])


FIXTURES = {f.__name__: f for f in (healthy, standby, degraded, failing_over, halted, partly, undelivered, silent, nothing,
                                    alone, crowd)}

if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("\n".join(FIXTURES))
    else:
        json.dump(FIXTURES[sys.argv[1]](), sys.stdout)
