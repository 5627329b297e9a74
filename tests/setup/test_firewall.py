#!/usr/bin/env python3
"""Packets through the rendered firewall: a node with a public and a private side and a container whose ports are
published as Docker does it, by DNAT."""
import select
import socket
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

from render_world import conf, die_with_parent, isolate, prepare, rendered, run, tidy

NODE, PUBLIC, BOX = "10.9.0.1", "198.51.100.1", "172.22.1.5"
OPEN_HERE = (22, 25, 3306, 4567, 9447, 9999)  # what listens on the node itself
OPEN_BOX = (993, 4568, 8080)                  # published ports of the container

SEND = """
import socket, sys
kind, source, to, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) if kind == "vrrp" else \
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((source, 0))
s.sendto(b"mark", (to, 0 if kind == "vrrp" else port))
"""


def sysctl(name, value, ns=None):
    run(*(("ip", "netns", "exec", ns) if ns else ()), "sh", "-c", f"echo {value} >/proc/sys/net/ipv4/{name}")


def side(name, device, here, there, bridge=None):
    """A neighbour in a namespace of its own behind `device`."""
    run("ip", "netns", "add", name)
    run("ip", "link", "add", device if not bridge else "veth9", "type", "veth", "peer", "name", "eth0", "netns", name)
    if bridge:
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", "veth9", "master", bridge, "up")
        device = bridge
    run("ip", "addr", "add", here + "/24", "dev", device)
    run("ip", "link", "set", device, "up")
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "addr", "add", there + "/24", "dev", "eth0")
    run("ip", "-n", name, "link", "set", "eth0", "up")
    run("ip", "-n", name, "route", "add", "default", "via", here)


def listeners(ports, ns=None):
    code = ("import socket, time\nkeep = []\nfor p in %r:\n s = socket.socket(); s.setsockopt(1, 2, 1)\n"
            " s.bind(('0.0.0.0', p)); s.listen(64); keep.append(s)\nprint('up', flush=True)\ntime.sleep(9999)" % (ports,))
    child = subprocess.Popen([*(("ip", "netns", "exec", ns) if ns else ()), sys.executable, "-c", code],
                             stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    if child.stdout.readline() != "up\n":
        raise AssertionError("no listeners")
    child.stdout.close()
    return child


def connects(ns, to, port):
    prefix = ("ip", "netns", "exec", ns) if ns else ()
    return subprocess.run([*prefix, "nc", "-z", "-w", "6", to, str(port)], timeout=60).returncode == 0


def reached(table):
    """All at once: those that are dropped wait for nothing."""
    with ThreadPoolExecutor(len(table)) as pool:
        return list(pool.map(lambda row: connects(*row[:3]), table))


class Firewall(unittest.TestCase):
    def setUp(self):
        self.children = []
        self.addCleanup(self.away)
        run("mount", "-t", "tmpfs", "netns", "/run")
        side("peer", "priv0", NODE, "10.9.0.2")
        side("world", "pub0", PUBLIC, "198.51.100.2")
        side("box", "br-mailcow", "172.22.1.1", BOX, bridge="br-mailcow")
        sysctl("ip_forward", 1)
        for device in ("all", "pub0", "priv0"):
            sysctl(f"conf/{device}/rp_filter", 0)  # the rules alone are to notice a forged sender
        self.children.append(listeners(OPEN_HERE))
        self.children.append(listeners(OPEN_BOX, "box"))
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
            "table ip nat { chain PREROUTING { type nat hook prerouting priority dstnat\n"
            + "".join(f"fib daddr type local tcp dport {p} dnat to {BOX}:{p}\n" for p in OPEN_BOX) + "}\n}\n"))
        self.docker = run("nft", "list", "table", "ip", "nat")

    def away(self):
        for child in self.children:
            child.kill()
            child.wait()
        for ns in ("peer", "world", "box"):
            run("ip", "netns", "del", ns, ok=False)
        for device in ("priv0", "pub0", "veth9", "br-mailcow"):
            run("ip", "link", "del", device, ok=False)
        run("nft", "flush", "ruleset")
        run("umount", "-l", "/run")

    def hears(self, sock, ns, *words):
        """Does this socket get what is sent from that side?"""
        run("ip", "netns", "exec", ns, sys.executable, "-c", SEND, *words)
        got = bool(select.select([sock], [], [], 1)[0])
        if got:
            sock.recv(2048)
        return got

    def test_packets(self):
        table = [
            # from, to, port, with the firewall; without it all of them are reached
            ("world", PUBLIC, 25, True), ("world", PUBLIC, 22, True), ("world", PUBLIC, 993, True),
            ("world", PUBLIC, 3306, False), ("world", PUBLIC, 4567, False), ("world", PUBLIC, 9447, False),
            ("world", PUBLIC, 9999, False), ("world", PUBLIC, 4568, False), ("world", PUBLIC, 8080, False),
            ("world", NODE, 4567, False),  # the private address, by way of the public side
            ("peer", NODE, 3306, True), ("peer", NODE, 4567, True), ("peer", NODE, 4568, True),
            ("peer", NODE, 9447, True), ("peer", NODE, 25, True), ("peer", NODE, 22, True),
            ("peer", NODE, 9999, False), ("peer", NODE, 8080, False),
            ("box", "172.22.1.1", 9999, True), ("box", PUBLIC, 25, True), (None, BOX, 8080, True),
        ]
        for row, got in zip(table, reached(table)):
            self.assertTrue(got, f"without: {row}")
        rules = rendered("nftables", conf(3))
        for _ in range(2):  # loaded again: the same
            run("nft", "-f", rules)
        for row, got in zip(table, reached(table)):
            self.assertEqual(got, row[3], row)
        run("ip", "netns", "exec", "world", "ping", "-c", "1", "-W", "20", PUBLIC)
        self.assertEqual(run("nft", "list", "table", "ip", "nat"), self.docker)
        run("nft", "delete", "table", "inet", "mailcow_ha")  # as hamon-firewall.service is stopped
        self.assertTrue(connects("world", PUBLIC, 9999))

    def test_forged(self):
        """A peer's address on the envelope is not enough; VRRP and Galera's group from a peer are heard."""
        run("ip", "-n", "world", "addr", "add", "10.9.0.3/32", "dev", "eth0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
                socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as vrrp:
            udp.bind(("0.0.0.0", 4567))
            ways = [("peer", "udp", "10.9.0.2", NODE, "4567", udp, True), ("peer", "vrrp", "10.9.0.2", NODE, "0", vrrp, True),
                    ("world", "udp", "10.9.0.3", PUBLIC, "4567", udp, False),
                    ("world", "vrrp", "10.9.0.3", PUBLIC, "0", vrrp, False),
                    ("world", "vrrp", "198.51.100.2", PUBLIC, "0", vrrp, False)]
            for ns, kind, source, to, port, sock, _ in ways:
                self.assertTrue(self.hears(sock, ns, kind, source, to, port), f"without: {ns} {kind} {source}")
            run("nft", "-f", rendered("nftables", conf(3)))
            for ns, kind, source, to, port, sock, want in ways:
                self.assertEqual(self.hears(sock, ns, kind, source, to, port), want, f"{ns} {kind} {source}")


if __name__ == "__main__":
    isolate()
    try:
        prepare()
        done = unittest.main(exit=False, verbosity=2)
    finally:
        tidy()
    sys.exit(not done.result.wasSuccessful())
