#!/usr/bin/env python3
"""What `hamon render` prints, shown to the programs that are to read it: for clusters of one, three, five and
seven nodes, each node's own file. In network and mount namespaces of its own."""
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from render_world import BIN, MOST, SOURCE, WORK, address, conf, isolate, prepare, render, rendered, run, tidy, wait_for

SIZES = (1, 3, 5, MOST)


def every_node():
    for n in SIZES:
        for v6 in (False, True):
            for i in range(1, n + 1):
                yield n, i, v6


class Files(unittest.TestCase):
    def test_all_can_be_had(self):
        listed = re.findall(r"^([a-z]+) ", run(f"{BIN}/hamon", "-c", conf(3), "render"), re.M)
        self.assertEqual(len(listed), 9)
        for what in listed:
            text = render(what, conf(3))
            self.assertNotIn("{{", text)
            self.assertNotIn("${HAMON_", text)

    def test_keepalived(self):
        """Accepted, its interface found, and each node of a cluster with a priority of its own."""
        seen = {}
        for n, i, v6 in every_node():
            path = rendered("keepalived", conf(n, f"n{i}", v6))
            run("keepalived", "-t", "-f", path)
            with open(path) as f:
                text = f.read()
            self.assertIn("interface priv0\n", text)
            peers = re.search(r"unicast_peer {([^}]*)}", text)
            self.assertEqual(peers.group(1).split() if peers else [],
                             [address(j, v6) for j in range(1, n + 1) if j != i])
            seen.setdefault((n, v6), set()).add(int(re.search(r"priority (\d+)", text).group(1)))
        for (n, _), priorities in seen.items():
            self.assertEqual(len(priorities), n)
            self.assertLess(max(priorities), min(priorities) + 100)  # who leads has 100 more
        path = rendered("keepalived", conf(3, extra="[keepalived]\ntrack_process = on\ninstance = VI_1\n"))
        run("keepalived", "-t", "-f", path)
        with open(path) as f:
            self.assertRegex(f.read(), r"(?s)vrrp_instance VI_1 .*track_process { hamon }")

    def test_keepalived_refused(self):
        """The check of this test: keepalived does say no."""
        path = rendered("keepalived", conf(3))
        run("sed", "-i", "s/advert_int 0.2/advert_int soon/", path)
        self.assertNotEqual(subprocess.run(["keepalived", "-t", "-f", path], stderr=subprocess.DEVNULL).returncode, 0)

    def test_galera(self):
        """MariaDB knows every variable, and reads what was meant."""
        for n, i, v6 in every_node():
            path = rendered("galera", conf(n, f"n{i}", v6))
            have = dict(re.findall(r"^([a-z-]+) +(.*)$", run("mariadbd", f"--defaults-file={path}", "--user=mysql",
                                                             "--help", "--verbose"), re.M))
            host = (lambda a: f"[{a}]" if v6 else a)
            self.assertEqual(have["server-id"], str(i))
            self.assertEqual(have["wsrep-node-name"], f"n{i}")
            self.assertEqual(have["wsrep-node-address"], host(address(i, v6)))
            self.assertEqual(have["wsrep-cluster-address"],
                             "gcomm://" + ",".join(host(address(j, v6)) for j in range(1, n + 1)))
            self.assertEqual(have["innodb-flush-log-at-trx-commit"], "1")
            donors = [f"n{j}" for j in range(n, 0, -1) if j != i]
            self.assertEqual(have.get("wsrep-sst-donor", "").strip(), ",".join(donors))

    def test_nftables(self):
        for n, i, v6 in every_node():
            run("nft", "-c", "-f", rendered("nftables", conf(n, f"n{i}", v6)))
        run("nft", "-c", "-f", rendered("nftables", conf(3, extra="[firewall]\nopen = 443 51820/udp 25/tcp\n"
                                                                  "admin = 192.0.2.0/24 2001:db8::/32\n")))
        text = render("nftables", conf(3, extra="[firewall]\nopen = 51820/udp\nssh = 2222\nadmin = 192.0.2.7\n"))
        self.assertIn("udp dport 51820 accept", text)
        self.assertIn("ip saddr 192.0.2.7 tcp dport 2222 accept", text)
        self.assertNotIn("tcp dport 25 accept", text)

    def test_nginx(self):
        site = rendered("nginx", conf(3))
        path = f"{WORK}/nginx.conf"
        with open(path, "w") as f:
            f.write(f"pid {WORK}/nginx.pid; error_log stderr; events {{}}\n"
                    f"http {{ access_log off; server {{ listen 127.0.0.1:8099; include {site}; }} }}\n")
        run("nginx", "-t", "-c", path)

    def test_compose(self):
        """The override over the rig's Mailcow: each variable has a value."""
        for n, i, v6 in ((3, 2, False), (7, 7, False)):
            path = rendered("compose", conf(n, f"n{i}", v6), "override.yml")
            text = run("docker-compose", "--project-directory", f"{SOURCE}/tests/rig/mailcow", "--env-file",
                       f"{SOURCE}/tests/rig/mailcow/mailcow.conf", "-f",
                       f"{SOURCE}/tests/rig/mailcow/docker-compose.yml", "-f", path, "config")
            self.assertNotIn("variable is not set", text)
            self.assertIn("device: /mnt/mailcow-ha/vmail\n", text)
            self.assertIn(address(i) + ":4567:4567", text)
            self.assertIn(f"HAMON_NODE: n{i}\n", text)

    def test_systemd(self):
        units = f"{WORK}/units"
        os.makedirs(f"{units}/keepalived.service.d")
        for unit in os.listdir(f"{SOURCE}/templates/systemd"):
            if unit.startswith("hamon"):
                shutil.copy(f"{SOURCE}/templates/systemd/{unit}", units)
        shutil.copy("/lib/systemd/system/keepalived.service", units)
        rendered("systemd", conf(3), "units/keepalived.service.d/mailcow-ha.conf")
        more = dict(os.environ, SYSTEMD_UNIT_PATH=f"{units}:/lib/systemd/system", SYSTEMD_LOG_LEVEL="warning")
        for unit in ("keepalived.service", "hamon-firewall.service"):
            out = run("systemd-analyze", "verify", "--man=no", f"{units}/{unit}", env=more)
            ours = [line for line in out.splitlines() if "hamon" in line or "keepalived" in line or "mailcow" in line]
            self.assertEqual(ours, [])

    def test_journald(self):
        """Each key is one that journald has a parser for."""
        with open("/lib/systemd/systemd-journald", "rb") as f:
            program = f.read()
        keys = re.findall(r"^(\w+)=", render("journald", conf(3)), re.M)
        self.assertGreater(len(keys), 3)
        for key in keys:
            self.assertIn(b"Journal." + key.encode() + b"\0", program)

    def test_logrotate(self):
        path = rendered("logrotate", conf(3))
        os.chmod(path, 0o644)
        out = run("logrotate", "-d", path)
        self.assertIn("/var/log/mailcow-ha/*.log", out)
        self.assertNotIn("error:", out)

    def test_wazuh(self):
        """Well-formed, and each of its expressions reads what a real daemon writes."""
        path = rendered("wazuh", conf(3))
        with open(path) as f:
            text = f.read()
        run("xmllint", "--noout", "-", input=f"<all>{text}</all>")  # Wazuh reads several roots
        with open(f"{WORK}/wazuh.log", "w") as log:
            child = subprocess.Popen([f"{BIN}/hamon", "-c", conf(1, extra=f"[control]\nsocket = {WORK}/s\n"), "run"],
                                     stderr=log, env=dict(os.environ, HAMON_CLUSTER_NODES="",
                                                          HAMON_GALERA_PASSWORD_FILE="", HAMON_CHECK_GRACE="100ms",
                                                          HAMON_KEEPALIVED_FIFO=f"{WORK}/fifo",
                                                          HAMON_KEEPALIVED_TRACK_FILE=f"{WORK}/track",
                                                          HAMON_KEEPALIVED_STATE_FILE=f"{WORK}/vrrp",
                                                          HAMON_LOG_EVENTS=""))

        def lines():
            with open(f"{WORK}/wazuh.log") as f:
                return f.read().splitlines()
        try:
            wait_for("a line about a check that failed", lambda: any("reason=" in x for x in lines()))
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60)
        fields = {order: re.compile(expr) for expr, order in
                  re.findall(r'<regex type="pcre2">(.*?)</regex>\s*<order>(.*?)</order>', text)}
        for line in lines():
            found = fields["level,event"].search(line)
            self.assertTrue(found and found.group(1) in ("debug", "info", "warn", "error"), line)
        told = next(x for x in lines() if "reason=" in x and "msg=" in x)
        for field in ("node", "reason", "message"):
            self.assertTrue(fields[field].search(told), f"{field}: {told}")

    def test_values_are_words(self):
        """What could add a line to a file is refused, with the key's name."""
        bad = conf(3, extra="[keepalived]\ntrack_file = /run/a b{\n")
        out = run(f"{BIN}/hamon", "-c", bad, "render", "keepalived", ok=False)
        self.assertIn("keepalived.track_file", out)
        self.assertIn("cannot stand in this file", out)
        self.assertIn("unexpected argument", run(f"{BIN}/hamon", "render", "galera", "x", ok=False))
        self.assertIn("no such file", run(f"{BIN}/hamon", "render", "gallera", ok=False))

    def test_firewall_keys(self):
        for line, says in (("open = 70000", "\"70000\" is no port"), ("open = 53/sctp", "is no port"),
                           ("admin = office", "\"office\" is no network")):
            out = run(f"{BIN}/hamon", "-c", conf(3, extra=f"[firewall]\n{line}\n"), "render", "nftables", ok=False)
            self.assertIn(says, out)


def give_addresses():
    """Each node's, on one interface."""
    run("ip", "link", "add", "priv0", "type", "bridge")
    run("ip", "link", "set", "priv0", "up")
    for i in range(1, MOST + 1):
        run("ip", "addr", "add", address(i) + "/24", "dev", "priv0")
        run("ip", "addr", "add", address(i, True) + "/64", "dev", "priv0", "nodad")


if __name__ == "__main__":
    isolate()
    try:
        prepare()
        give_addresses()
        done = unittest.main(exit=False, verbosity=2)
    finally:
        tidy()
    sys.exit(not done.result.wasSuccessful())
