"""bench.py WORK HERE HAMON [detect|cost|idle|storm]…: the four measurements and their tables. Called
by tests/bench/run inside its namespaces."""

import os
import random
import subprocess
import sys
import threading
import time

from measure import (Runs, Table, Watch, cpu, cpu_ticks, kill_and_wait, median, memory, percentile,
                     spawn)
from world import (PROJECT, SERVICES, WARM, Failure, Fake, Hamon, start_dockerd,
                   start_galera, wait_for)

WORK, HERE, BINARY = sys.argv[1:4]
PARTS = ("detect", "cost", "idle", "storm")
CHOSEN = [p for p in PARTS if p in sys.argv[4:]] or list(PARTS)
QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
KILLS, SHELL_KILLS = (20, 4) if QUICK else (100, 20)
CHECKS, SHELL_CHECKS = (100, 8) if QUICK else (500, 40)
IDLE_SECONDS = 8 if QUICK else 30
MANY, STORM = 1000, 10000
PAUSE_MS = 20  # between two `hamon check` during the storm

RANDOM = random.Random(1)  # the same run each time


def say(text):
    if sys.stderr.isatty():
        print(f"\r\033[K… {text}", end="", file=sys.stderr, flush=True)


def said():
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def table(title, **heads):
    said()
    return Table(sys.stdout, title, **heads)


# ---- (a) ----

class Keepalived(threading.Thread):
    """The script once a second, as a vrrp_script with `interval 1`, `fall 1` is run: a run that
    takes longer than the interval delays the next one."""

    def __init__(self, argv, env):
        super().__init__(daemon=True)
        self.argv, self.env = argv, env
        self.failed_at, self.runs = 0, 0
        self.ended = threading.Event()

    def run(self):
        at = time.monotonic()
        while not self.ended.is_set():
            code = subprocess.run(self.argv, env=self.env, stdout=subprocess.DEVNULL, check=False,
                                  stderr=subprocess.DEVNULL).returncode
            now = time.monotonic()
            if code:
                self.failed_at = now
            self.runs += 1
            at = max(at + 1, now)
            self.ended.wait(at - now)


def detect_hamon(docker, hamon):
    watch, deaths = Watch(hamon.track), docker.deaths()
    times = []
    for i in range(KILLS):
        say(f"(a) kill {i + 1} of {KILLS}")
        wait_for("fit again", lambda: hamon.tracked() == "0", pause=0.005)
        victim = WARM[i % len(WARM)]
        came = kill_and_wait(docker.pid(victim), watch, lambda: hamon.tracked() == "-254", deaths)
        if len(came) < 3:
            raise Failure(f"(a) kill {i + 1}: only heard of by {came}\n{hamon.look()}")
        times.append(came)
        docker.start(victim)
    wait_for("fit again", lambda: hamon.tracked() == "0")
    return times


def detect_shell(docker, argv, env):
    times = []
    k = Keepalived(argv, env)
    k.start()
    for i in range(SHELL_KILLS):
        say(f"(a) kill {i + 1} of {SHELL_KILLS}, the shell way")
        victim, seen = WARM[i % len(WARM)], k.runs
        wait_for("a whole run since", lambda: k.runs > seen)
        time.sleep(RANDOM.random())  # any moment within the second
        pid = docker.pid(victim)
        at = time.monotonic()
        os.kill(pid, 9)
        wait_for("the script to fail", lambda: k.failed_at > at, pause=0.002)
        times.append((k.failed_at - at) * 1000)
        docker.start(victim)
    k.ended.set()
    k.join()
    return times


def detect(docker, hamon, argv, env):
    times = detect_hamon(docker, hamon)
    shell = detect_shell(docker, argv, env)
    files, events, kernel = ([t[k] for t in times] for k in ("file", "engine", "kernel"))
    own = [f - k for k, f in zip(kernel, files)]
    t = table(f"(a) A container is killed: how soon does keepalived know?   {len(files)} kills, "
              f"{len(shell)} the shell way, grace 0")
    t.row("p50", median(files), median(shell))
    t.row("p99", percentile(files, 99), percentile(shell, 99), aim=50)
    t.row("worst", max(files), max(shell))
    t.row("of it the kernel: pidfd,      p50", median(kernel))
    t.row("of it hamon: pidfd to file,   p50", median(own))
    t.row("                              p99", percentile(own, 99))
    t.row("dockerd's word, the die event p50", median(events))
    t.row("                              p99", percentile(events, 99))


# ---- (b) ----

def servers(world):
    """CPU so far of those who are asked: the engine, its containerd, the database."""
    with open(WORK + "/run/docker/containerd/containerd.pid", encoding="ascii") as f:
        containerd = int(f.read())
    return sum(cpu_ticks(p) for p in (world["docker"].process.pid, containerd,
                                      world["galera"][0].pid))


def cost(world, hamon, argv, env):
    say("(b) hamon check")
    before = cpu(hamon.pid)
    ours = spawn(WORK, CHECKS, 0, hamon.check)
    daemon = (cpu(hamon.pid) - before) * 1000 / CHECKS
    say("(b) the script")
    before = servers(world)
    theirs = spawn(WORK, SHELL_CHECKS, 0, argv, env)
    asked = (servers(world) - before) * 1000 / SHELL_CHECKS
    empty = {libc: spawn(WORK, CHECKS, 0, [f"{WORK}/empty-{libc}"]) for libc in ("musl", "glibc")}
    for name, runs in (("hamon check", ours), ("naive-check.sh", theirs)):
        if runs.codes != {0}:
            raise Failure(f"(b) {name}: exit codes {runs.codes} of a fit node")
    mean, shell_mean = sum(ours.cpu) / ours.n, sum(theirs.cpu) / theirs.n
    t = table(f"(b) What does one check cost?   {ours.n} runs, {theirs.n} the shell way")
    t.row("CPU, mean, with all children", mean, shell_mean, aim=100, best="ratio")
    t.row("CPU, median", median(ours.cpu), median(theirs.cpu))
    for libc, runs in empty.items():
        t.row(f"    an empty program with {libc}", sum(runs.cpu) / runs.n)
    t.row("CPU in those it asks", daemon, asked)
    t.row("time, median", median(ours.wall), median(theirs.wall))
    t.row("time, p99", percentile(ours.wall, 99), percentile(theirs.wall, 99))
    t.row("peak RSS, biggest process", max(ours.rss), max(theirs.rss), "MiB")
    return {"ours": mean + daemon, "theirs": shell_mean + asked}


# ---- (c) ----

def idle(world, real, many, costs):
    time.sleep(3)  # the first seconds have second lists and inspections
    say(f"(c) {IDLE_SECONDS} s of nothing")
    begin, before = time.monotonic(), (cpu(real.pid), cpu(many.pid), servers(world))
    time.sleep(IDLE_SECONDS)
    used = [b - a for a, b in zip(before, (cpu(real.pid), cpu(many.pid), servers(world)))]
    share = [100 * u / (time.monotonic() - begin) for u in used]
    t = table(f"(c) What does watching cost, when nothing happens?   {IDLE_SECONDS} s, interval 1 s",
              ours="18 real", theirs=f"{MANY:,} fake", factor="")
    t.row("CPU, % of one core", share[0], share[1], "%", aim=0.3, ratio=False, best="both")
    few, lots = memory(real.pid), memory(many.pid)
    t.row("RSS", few["VmRSS"], lots["VmRSS"], "MiB", aim=12, ratio=False,
          best="both")
    t.row("    of it its own, not libraries'", few["RssAnon"], lots["RssAnon"], "MiB", ratio=False)
    t.row("RSS, peak", few["VmHWM"], lots["VmHWM"], "MiB", aim=12, ratio=False,
          best="both")
    if costs:
        t.note(f"All in all, per second: daemon and one check {share[0] * 10 + costs['ours']:.1f} ms "
               f"of CPU; the script and those it asks {costs['theirs']:.1f} ms.")


# ---- (d) ----

def weather(truth):
    """Commands for the fake: two times everything dies, starts and gets healthy as fast as it can
    send, then what is left of STORM events one by one, with exec noise on top, each possible in the
    state its container is in. What Mailcow needs runs and is healthy at the end."""
    names, state, events = list(truth), dict(truth), 6 * len(truth)
    lines = [f"storm {events}"]
    while events < STORM:
        name = RANDOM.choice(names)
        running, dice = state[name][0] == "running", RANDOM.random()
        if running and dice < 0.15:
            lines.append("exec " + name)  # a health probe: filtered by the engine
            continue
        if not running:
            lines.append("start " + name)
            state[name] = ("running", "starting")
        elif dice < 0.5:
            lines.append(f"die {name} {RANDOM.choice((0, 1, 137))}")
            state[name] = ("exited", "none")
        else:
            word = RANDOM.choice(("healthy", "healthy", "unhealthy"))
            lines.append(f"health {name} {word}")
            state[name] = ("running", word)
        events += 1
    for name in SERVICES:
        if state[name][0] != "running":
            lines.append("start " + name)
        lines.append(f"health {name} healthy")
    return lines


def wrong_states(status, truth):
    """How many services hamon sees otherwise than the engine's own list; a name that only one of
    them has counts too."""
    seen = {c["service"]: (c["state"], c["health"]) for c in status["containers"]}
    differ = [n for n in truth if seen.get(n) != truth[n]]
    ghosts = [n for n, s in seen.items() if n not in truth and s[0] != "missing"]
    return len(differ) + len(ghosts)


def still(fake):
    """Waits until hamon asks no more: no inspection for a while. Returns the last stats."""
    last, since = fake.stats(), time.monotonic()
    end = since + 60
    while time.monotonic() - since < 2.5 and time.monotonic() < end:
        time.sleep(0.1)
        now = fake.stats()
        if now["inspect"] != last["inspect"]:
            since = time.monotonic()
        last = now
    return last, since


def storm(fake, hamon):
    say(f"(d) {STORM} events")
    lines = weather(fake.docker.list())
    before, used = fake.stats(), cpu(hamon.pid)
    sampler = subprocess.Popen([WORK + "/spawn", "0", str(PAUSE_MS), *hamon.check],
                               stdout=subprocess.PIPE, text=True)
    begin = time.monotonic()
    for line in lines:
        fake.say(line)
    sent, peak = time.monotonic(), memory(hamon.pid)["VmHWM"]
    truth = fake.docker.list()
    wait_for("(d) the right picture", lambda: wrong_states(hamon.status(), truth) == 0 or
             time.monotonic() - sent > 15, 20)
    right = time.monotonic()
    sampler.terminate()
    checks = Runs(sampler.communicate()[0])
    after, quiet = still(fake)
    used = cpu(hamon.pid) - used
    time.sleep(1.2)  # a turn of the tick
    status, truth = hamon.status(), fake.docker.list()
    wrong = wrong_states(status, truth)
    count = after["sent"] - before["sent"]

    t = table(f"(d) A storm: {count:,} events over {MANY:,} containers in {sent - begin:.1f} s",
              theirs="", factor="")
    t.row("last event to right picture", (right - sent) * 1000, aim=1000)
    t.row("last event to last inspection", max(0, quiet - sent) * 1000)
    t.row("CPU, all of it", used * 1000)
    t.row("    per event", used * 1e6 / count, unit="µs")
    t.row("inspections", after["inspect"] - before["inspect"], unit="")
    t.row("longest `hamon check` meanwhile", max(checks.wall), aim=1000)
    t.row("    median of " + str(checks.n), median(checks.wall))
    t.row("RSS, peak while events come", peak, unit="MiB", aim=12)
    t.row("    after `status --json` of all", memory(hamon.pid)["VmHWM"], unit="MiB")
    t.row("wrong states at the end", wrong, unit="", aim=0)
    t.row("wrong verdicts at the end", int(status["verdict"] != "fit"), unit="", aim=0)
    return wrong + (status["verdict"] != "fit")


# ---- all ----

def word(*argv):
    out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    return next((w.strip(",") for w in out if w[:1].isdigit()), "?")


def machine():
    print(f"\nMailcow HA, measured on {os.cpu_count()} cores, Linux {os.uname().release}, dockerd "
          f"{word('dockerd', '--version')}, docker {word('docker', '--version')}, MariaDB "
          f"{word('mariadbd', '--version').split('-')[0]}; load {os.getloadavg()[0]:.1f}"
          f"{'; quick' if QUICK else ''}", flush=True)
    print("The shell way: tests/bench/naive-check.sh, every second by keepalived.", flush=True)


def build_world():
    say("Galera")
    world = {"galera": start_galera(WORK)}
    say("dockerd and 18 containers")
    world["docker"] = start_dockerd(WORK)
    return world


def main():
    machine()
    world = build_world()
    docker, galera = world["docker"], world["galera"]
    # rise 1 only so that the next kill need not wait for two ticks
    real = Hamon(WORK, BINARY, "real", docker.path, galera, grace="0s", rise=1)
    script = os.path.join(HERE, "naive-check.sh")
    argv = ["sh", script]
    env = {**os.environ, "DOCKER_HOST": "unix://" + docker.path, "PROJECT": PROJECT,
           "SERVICES": " ".join(WARM), "MYCNF": WORK + "/my.cnf"}
    wrong, costs = 0, None

    if "detect" in CHOSEN:
        detect(docker, real, argv, env)
    if "cost" in CHOSEN:
        costs = cost(world, real, argv, env)
    if "idle" in CHOSEN or "storm" in CHOSEN:
        fake = Fake(WORK, os.path.join(HERE, "../fake/fake_docker.py"), MANY)
        many = Hamon(WORK, BINARY, "many", fake.engine, galera)
        still(fake)
        if "idle" in CHOSEN:
            idle(world, real, many, costs)
        if "storm" in CHOSEN:
            wrong = storm(fake, many)
    print(f"\n{'Every aim is met.' if not Table.missed else f'Aims missed: {Table.missed}.'}",
          flush=True)
    return 1 if wrong else 0


try:
    sys.exit(main())
except Failure as e:
    said()
    print(f"bench: {e}", file=sys.stderr)
    sys.exit(1)
