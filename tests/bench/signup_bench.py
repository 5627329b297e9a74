"""signup_bench.py COST: the portal beside PHP, row by row of the table (tests/bench/README.md). COST is signup_cost.c,
compiled. Every number in the table is measured in this run; exit 1: something failed, or was not equal."""
import collections
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import time

from measure import cpu, median, memory, percentile
from signup_world import CONTACT, HERE, THREADS, WORKERS, World, fastcgi_get, fetch
# pylint: disable=wrong-import-order
from signup_pages import bare
from stack import SIGNUP, Browser, Handed, wait_for

COST = sys.argv[1]
QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
ROUNDS, SECONDS = (2, 1) if QUICK else (5, 3)
PICTURES, TRIES = (200, 2000) if QUICK else (500, 20000)
PICTURE_URLS, RESTARTS, COLD_STARTS = 64, 8, 5
MANY, FEW = 32, 8  # clients: for requests per second and p99; for processor time


def say(text):
    print("… " + text, file=sys.stderr, flush=True)


# ---- one process ----

def numbers(argv, env=None):
    """Columns of numbers that a program prints."""
    out = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, **(env or {})}).stdout
    return list(zip(*((float(w) for w in line.split()) for line in out.splitlines())))


def pictures(world):
    say("pictures in one process")
    ours, theirs, sizes = [], [], ([], [])
    php = ["php", "-c", world.dir + "/php.ini", HERE + "/php/captcha.php"]
    for _ in range(ROUNDS):
        for argv, env, used, size in (([COST, "image"], None, ours, sizes[0]),
                                      (php, {"PHP_INI_SCAN_DIR": ""}, theirs, sizes[1])):
            times, lengths = numbers([*argv, str(PICTURES)], env)
            used.append(median(times) / 1000)
            size.extend(lengths)
    return median(ours), median(theirs), median(sizes[0]) / 1000, median(sizes[1]) / 1000


def tries():
    say("tries")
    return (percentile(numbers([COST, "try", str(TRIES)])[0], 99) / 1000,
            median(numbers([COST, "pow", str(TRIES // 40)])[0]) / 1000)


# ---- behind nginx ----

class Target:
    """Something that is loaded: what each round said."""

    def __init__(self, world, name, port, paths, pids):
        self.world, self.name, self.port, self.pids = world, name, port, pids
        self.rates, self.p99s, self.costs, self.failed = [], [], [], 0
        world.paths(name, paths)

    def load(self, clients, seconds):
        done = self.world.wrk(self.port, self.name, clients, seconds)
        self.failed += done["failed"]
        return done

    def round(self):
        done = self.load(MANY, SECONDS)
        self.rates.append(done["requests"] / done["seconds"])
        self.p99s.append(done["p99"])
        pids = self.pids()
        before = sum(cpu(p) for p in pids)
        done = self.load(FEW, SECONDS)
        self.costs.append((sum(cpu(p) for p in pids) - before) * 1e6 / done["requests"])

    rate = property(lambda self: median(self.rates))
    p99 = property(lambda self: median(self.p99s))
    cost = property(lambda self: median(self.costs))


def picture_paths(world):
    pages = [fetch(world.port, "/signup/")[1].decode() for _ in range(PICTURE_URLS)]
    return {kind: [re.search(rf'src="(/signup/captcha/[^"]+\.{kind})"', p).group(1) for p in pages]
            for kind in ("jpg", "wav")}


def behind_nginx(world, media):
    targets = {t.name: t for t in (
        Target(world, "page", world.port, ["/signup/"], world.own_pids),
        Target(world, "form", world.php_port, ["/form"], world.php_pids),
        Target(world, "captcha", world.port, media["jpg"], world.own_pids),
        Target(world, "php-captcha", world.php_port, ["/captcha"], world.php_pids),
        Target(world, "twig", world.php_port, ["/twig"], world.php_pids))}
    order = list(targets.values())
    for t in order:
        t.load(FEW, 1)  # warm
    for i in range(ROUNDS):
        for t in order:
            say(f"round {i + 1} of {ROUNDS}: {t.name}")
            t.round()
        order.reverse()
    for t in order:
        if t.failed:
            raise AssertionError(f"{t.name}: {t.failed} requests failed\n{world.log()[-2000:]}")
    return targets


def same_pages(world):
    """The three pages say the same, or nothing is compared."""
    heads, pages = {}, {}
    for name, port, path in (("ours", world.port, "/signup/"), ("form", world.php_port, "/form"),
                             ("twig", world.php_port, "/twig")):
        head, body = fetch(port, path)
        heads[name] = {h.split(":")[0].lower() for h in head.split("\r\n")[1:]} - {
            "content-length", "transfer-encoding", "connection", "date", "server"}
        pages[name] = bare(body.decode())
    for name in ("form", "twig"):
        if pages[name] != pages["ours"]:
            at = len(os.path.commonprefix([pages[name], pages["ours"]]))
            raise AssertionError(f"{name} is another page from {at} on: …{pages[name][at:at + 200]}… "
                                 f"for …{pages['ours'][at:at + 200]}…\n{world.php_log()}")
        if heads[name] != heads["ours"]:
            raise AssertionError(f"{name} has other headers: {heads[name] ^ heads['ours']}")


def weight(world):
    """KB of the page as it is, and of its own scripts as they go over the wire."""
    head, page = fetch(world.port, "/signup/")
    scripts = set(re.findall(r'"(/signup/s/[^"]+\.js)"', page.decode()))
    if len(scripts) != 3 or CONTACT not in page.decode():
        raise AssertionError(f"an unexpected page: {head}")
    return len(page) / 1000, sum(len(fetch(world.port, s, "Accept-Encoding: gzip\r\n")[1]) for s in scripts) / 1000


# ---- memory ----

def sign_ups(world):
    """All threads at once have a form that Mailcow is slow with."""
    say(f"{THREADS} sign-ups side by side")
    world.api("/_next", {"add": ["slow"] * THREADS})

    def one(i):
        b = Browser(world).get()
        for _ in range(60):
            b.post(b.form(local_part=f"bench{i}x"))
            if b.status != 503 or "ticket" not in b.text:
                break
        return b.status

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        ends = collections.Counter(pool.map(one, range(THREADS)))
    if ends != {200: THREADS}:
        raise AssertionError(f"sign-ups ended as {ends}\n{world.log()[-2000:]}")


def all_threads(world, media):
    """Each kind of page by as many clients as there are threads; MiB at the most so far."""
    say(f"{THREADS} clients")
    world.paths("wav", media["wav"])
    for name in ("page", "captcha", "wav"):
        if world.wrk(world.port, name, THREADS, SECONDS)["failed"]:
            raise AssertionError(f"{THREADS} clients of {name}: some failed")
    return memory(world.own.pid)["VmHWM"], max(memory(p)["VmHWM"] for p in world.php_pids())


# ---- start and end ----

def restarts(world, media):
    say(f"{RESTARTS} restarts under load")
    portal = Handed(world, 7)
    world.upstream(7, where="unix:" + portal.path)
    world.paths("restart", [p for picture in media["jpg"] for p in ("/signup/", picture)])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(world.wrk, world.port, "restart", 16, RESTARTS * 2 + 2)
        for _ in range(RESTARTS):
            time.sleep(1.5)
            if portal.stop() != 0:
                raise AssertionError(world.log(7)[-2000:])
            portal.start()
        if load.done():
            raise AssertionError("the load was over before the restarts were")
        done = load.result()
    portal.close()
    world.upstream(0)
    return done["failed"], done["requests"]


def cold_start(world):
    path = world.dir + "/cold.sock"
    world.conf["signup.listen"] = "inherited"
    config = world.config_file(8)
    del world.conf["signup.listen"]
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(16)
        start = time.monotonic()
        child = world.start("cold", [SIGNUP, "-c", config], s)
        page = fastcgi_get(path, "/signup/")
        end = time.monotonic()
    os.unlink(path)
    child.terminate()
    if child.wait(30) != 0 or b'id="signup"' not in page:
        raise AssertionError(f"a cold start without a page: {page[:500]}")
    return (end - start) * 1000


# ---- the table ----

class Table:
    """Markdown, ready for the README. A row is met when each of its conditions is."""

    def __init__(self):
        self.missed = []
        print("| # | what | goal | ours | PHP | ratio | |\n|---|---|---|---|---|---|---|")

    def row(self, number, what, goal, ours, php="", ratio="", met=()):
        if not all(met):
            self.missed.append(number)
        print(f"| {number} | {what} | {goal} | {ours} | {php} | {ratio} | {'met' if all(met) else '**missed**'} |",
              flush=True)


def times(a, b):
    return f"{a / b:.1f} ×"


def print_table(m):
    t, page, form, twig = Table(), m["page"], m["form"], m["twig"]
    captcha, php, picture = m["captcha"], m["php-captcha"], m["pictures"]
    t.row("P1", "a picture, one process, processor time", "≤ 0.35 ms, ≥ 14 ×", f"{picture[0]:.3f} ms",
          f"{picture[1]:.2f} ms", times(picture[1], picture[0]), (picture[0] <= 0.35, picture[1] >= 14 * picture[0]))
    t.row("P2", f"pictures per second, {MANY} clients", "≥ 8 ×", f"{captcha.rate:,.0f}", f"{php.rate:,.0f}",
          times(captcha.rate, php.rate), (captcha.rate >= 8 * php.rate,))
    t.row("P3", "processor time of a picture's request", "≥ 12 ×", f"{captcha.cost:.0f} µs", f"{php.cost:,.0f} µs",
          times(php.cost, captcha.cost), (php.cost >= 12 * captcha.cost,))
    t.row("P4", f"pages per second, {MANY} clients; Twig", "≥ 8 ×", f"{page.rate:,.0f}", f"{twig.rate:,.0f}",
          times(page.rate, twig.rate), (page.rate >= 8 * twig.rate,))
    t.row("P5", "processor time of a page; Twig", "≤ 60 µs, ≥ 12 ×", f"{page.cost:.0f} µs", f"{twig.cost:.0f} µs",
          times(twig.cost, page.cost), (page.cost <= 60, twig.cost >= 12 * page.cost))
    t.row("P6", "processor time of a page; plain PHP", "≥ 2 ×", f"{page.cost:.0f} µs", f"{form.cost:.0f} µs",
          times(form.cost, page.cost), (form.cost >= 2 * page.cost,))
    t.row("P6", f"pages per second, {MANY} clients; plain PHP", "≥ 1.2 ×", f"{page.rate:,.0f}", f"{form.rate:,.0f}",
          times(page.rate, form.rate), (page.rate >= 1.2 * form.rate,))
    t.row("P7", f"p99 of a page, {MANY} clients; Twig", "≤ 8 ms", f"{page.p99:.1f} ms", f"{twig.p99:.1f} ms",
          times(twig.p99, page.p99), (page.p99 <= 8,))
    t.row("P7", f"p99 of a picture, {MANY} clients", "≤ 20 ms", f"{captcha.p99:.1f} ms", f"{php.p99:.0f} ms",
          times(php.p99, captcha.p99), (captcha.p99 <= 20,))
    own, worker = m["memory"]
    t.row("P8", f"memory at the most (RSS), {THREADS} threads; one PHP worker of {WORKERS}", "≤ 25 MiB",
          f"{own:.1f} MiB", f"{worker:.1f} MiB", times(worker, own), (own <= 25,))
    t.row("P9", "a picture's size", "≤ 7 KB", f"{picture[2]:.1f} KB", f"{picture[3]:.1f} KB",
          times(picture[3], picture[2]), (picture[2] <= 7,))
    html, scripts = m["weight"]
    t.row("P10", "the page's HTML; its own scripts, gzip", "≤ 12 KB; ≤ 10 KB", f"{html:.1f} KB; {scripts:.1f} KB",
          met=(html <= 12, scripts <= 10))
    failed, requests = m["restarts"]
    t.row("P11", f"failed requests, {RESTARTS} restarts under load", "0", f"{failed} of {requests:,}",
          met=(failed == 0, requests > 1000))
    t.row("P12", f"from exec to the first page, median of {COLD_STARTS}", "≤ 100 ms", f"{m['cold']:.0f} ms",
          met=(m["cold"] <= 100,))
    verify, pow_ = m["tries"]
    t.row("P13", "a try: checked and spent, p99; proof of work, median", "≤ 1 ms; ≤ 2 ms",
          f"{verify:.3f} ms; {pow_:.2f} ms", met=(verify <= 1, pow_ <= 2))
    return t.missed


def main():
    world, m = World(), {}
    try:
        sign_ups(world)
        world.start_php()
        same_pages(world)
        media = picture_paths(world)
        m["weight"], m["pictures"], m["tries"] = weight(world), pictures(world), tries()
        m.update(behind_nginx(world, media))
        m["memory"] = all_threads(world, media)
        m["restarts"] = restarts(world, media)
        say(f"{COLD_STARTS} cold starts")
        m["cold"] = median([cold_start(world) for _ in range(COLD_STARTS)])
    finally:
        world.stop()
    print(f"\n{os.cpu_count()} cores, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}"
          f"{'; quick' if QUICK else ''}\n")
    missed = print_table(m)
    print(f"\nMissed: {', '.join(missed)}" if missed else "\nEvery goal is met.")


if __name__ == "__main__":
    main()
