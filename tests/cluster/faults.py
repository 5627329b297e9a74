"""Every kind of fault the chaos knows, as a table. A kind strikes (and says what it did), is held for a
while, and is healed. What the system itself has to mend is not healed: a service that was killed."""
import collections
import time

import sut

TTL_S = 10          # [lease] ttl: some faults must outlast it
BEYOND = (TTL_S + 4, TTL_S + 8)
DOCKER_S = 20       # a node's Docker begins to start within this
SHORT, MIDDLE = (3, 6), (8, 12)
SERVICES = ("redis", "dovecot", "postfix", "rspamd", "php-fpm", "nginx")

# klass: what its recovery times are listed under; only: the one SUT it makes sense for
Kind = collections.namedtuple("Kind", "klass hold strike heal only", defaults=(None, None))


class Blow:
    """What a fault may use: the rig, the dice, who leads now."""

    def __init__(self, rig, sut, dice, master):
        self.rig, self.sut, self.dice = rig, sut, dice
        self.master = master
        self.standbys = [n for n in rig.nodes if n != master]
        self.healing = []

    def fault(self, *words):
        self.rig("fault", *words)
        self.healing.append(words)
        return " ".join(words)

    def standby(self):
        return self.dice.choice(self.standbys)

    def anyone(self):
        return self.dice.choice(self.rig.nodes)

    def heal(self):
        """All of it, whatever fails on the way; what failed."""
        return "; ".join(text.strip()[-100:] for code, text in (
            self.rig.ask("heal", *words) for words in reversed(self.healing)) if code != 0)


def kill_service(b):
    service = b.dice.choice(SERVICES)
    b.rig("fault", "kill", b.master, service)
    b.rig.unnote("kill", b.master[1:], service + "-mailcow")
    return "kill %s %s" % (b.master, service)


def kill_active(b):
    """One that mail cannot do without, and that no restart policy brings back."""
    service = b.dice.choice(("postfix", "dovecot"))
    b.rig("fault", "kill", b.master, service)
    b.rig.unnote("kill", b.master[1:], service + "-mailcow")
    return "kill %s %s" % (b.master, service)


def hang_service(b):
    service = b.dice.choice(SERVICES)
    b.rig("fault", "hang", b.master, service)
    b.rig.unnote("hang", b.master[1:], service + "-mailcow")
    return "hang %s %s" % (b.master, service)


def simple(kind, where):
    """One fault of the rig, on: master, standby or anyone."""
    def strike(b):
        node = {"master": lambda: b.master, "standby": b.standby, "anyone": b.anyone}[where]()
        return b.fault(kind, node)
    return strike


def power_twice(b):
    """Once more while Docker starts, after which it has half of its notes: what runs warm there is in danger."""
    node = b.standby()
    b.rig("fault", "power", node)
    b.rig("fault", "boot", node)
    sut.wait_until(DOCKER_S, lambda: "stale sandbox" in b.rig.on(
        node, "journalctl", "-q", "--no-pager", "-u", "docker")[1], pause=0.05)
    time.sleep(b.dice.uniform(0, 0.8))
    return b.fault("power", node) + " while it boots"


def stop_both(b):
    """Only the watchdog is left to end a master that does not know what time it is."""
    return b.fault("guard-stop", b.master) + " + " + b.fault("hamon-stop", b.master)


def disk(kind):
    return lambda b: b.fault(kind)


def cut_pair(b):
    return b.fault("cut-pair", b.master, b.standby())


def quorum(b):
    return " + ".join([b.fault("cut", node) for node in b.standbys])


def database_restart(b):
    b.rig.on(b.master, "docker", "restart", "-t", "45", "mailcowdockerized_mysql-mailcow_1",
             seconds=60)
    return "restart %s mysql" % b.master


def upgrade(b):
    """`make install && systemctl restart hamon-guard hamon` on the master."""
    b.rig.on(b.master, "sh", "-ec", "for f in hamon hamond; do cp /usr/sbin/$f /usr/sbin/$f.new; "
             "mv /usr/sbin/$f.new /usr/sbin/$f; done; systemctl restart hamon-guard hamon", seconds=60)
    return "upgrade %s" % b.master


def clock(b):
    return b.fault("clock", b.master, b.dice.choice(("+3600", "-3600", "+86400", "-5")))


def switchover(b):
    to = b.standby()
    b.sut.switchover(b.master, to)
    return "switchover %s to %s" % (b.master, to)


def api(words, then):
    """The cloud's API has a fault while something happens that needs it."""
    def strike(b):
        b.rig.cloud(*words)
        return "api %s, %s" % (" ".join(words[:4]), then(b))
    return strike


def api_heal(b):
    b.rig.cloud("clear")
    return b.heal()


def two(b):
    """Two at once; the first one of them may take the master away."""
    kinds = b.dice.sample(PAIRS, 2)
    return " + ".join([KINDS[kind].strike(b) for kind in kinds])


KINDS = {
    "kill-service": Kind("service", SHORT, kill_service),
    "kill-active": Kind("service", SHORT, kill_active),
    "hang-service": Kind("service", MIDDLE, hang_service),
    "kill-dockerd": Kind("dockerd", MIDDLE, simple("dockerd-kill", "master")),
    "kill-mariadbd": Kind("database", MIDDLE, simple("galera-kill", "master")),
    "kill-keepalived": Kind("watcher", SHORT, simple("keepalived-kill", "anyone")),
    "kill-hamon": Kind("watcher", SHORT, simple("hamon-kill", "master"), only="hamon"),
    "kill-guard": Kind("watcher", SHORT, simple("guard-kill", "master"), only="hamon"),
    "upgrade": Kind("upgrade", SHORT, upgrade, only="hamon"),
    "stop-hamon": Kind("watcher", BEYOND, simple("hamon-stop", "master"), only="hamon"),
    "stop-both": Kind("watcher", BEYOND, stop_both, only="hamon"),
    "cut-master": Kind("network", BEYOND, simple("cut", "master")),
    "cut-standby": Kind("network", MIDDLE, simple("cut", "standby")),
    "deaf-master": Kind("network", BEYOND, simple("cut-in", "master")),
    "mute-master": Kind("network", BEYOND, simple("cut-out", "master")),
    "cut-pair": Kind("network", BEYOND, cut_pair),
    "cable-master": Kind("network", BEYOND, simple("cable", "master")),
    "freeze-master": Kind("freeze", BEYOND, simple("freeze", "master")),
    "power-master": Kind("power", MIDDLE, simple("power", "master")),
    "power-standby": Kind("standby", MIDDLE, simple("power", "standby")),
    "power-twice": Kind("standby", SHORT, power_twice),
    "quorum": Kind("quorum", BEYOND, quorum),
    "restart-database": Kind("database", SHORT, database_restart),
    "api-429": Kind("api", MIDDLE, api(("fault", "any", "20", "429", "2"), simple("power", "master")), api_heal),
    "api-5xx": Kind("api", MIDDLE, api(("fault", "any", "9999", "status", "503"), simple("power", "master")), api_heal),
    "api-stuck": Kind("api", MIDDLE, api(("act", "attach", "1", "stuck"), simple("power", "master")), api_heal),
    "api-slow": Kind("api", MIDDLE, api(("fault", "any", "50", "slow", "1500"), simple("power", "master")), api_heal),
    "api-down": Kind("api", MIDDLE, api(("fault", "any", "9999", "close"), kill_service), api_heal),
    "detach-refused": Kind("api", MIDDLE, api(("fault", "detach", "5", "locked"), simple("power", "master")), api_heal),
    "disk-full": Kind("disk", MIDDLE, disk("disk-full")),
    "disk-hang": Kind("disk", BEYOND, disk("disk-hang")),
    "disk-error": Kind("disk", BEYOND, disk("disk-error")),
    "clock": Kind("clock", MIDDLE, clock, only="hamon"),
    "switchover": Kind("planned", SHORT, switchover),
    "two": Kind("two", BEYOND, two),
}
PAIRS = ("kill-service", "kill-keepalived", "cut-standby", "kill-mariadbd", "power-master",
         "power-standby", "cut-master", "kill-dockerd")


def order(dice, sut, lacks):
    """Kinds without end: each once before one comes again. lacks: what is not there to be killed."""
    while True:
        names = [n for n, kind in KINDS.items() if kind.only in (None, sut) and n not in lacks]
        dice.shuffle(names)
        yield from names
