"""Rulers: percentiles, CPU and memory out of /proc, a wait for a file to change, and the table."""

import ctypes
import math
import os
import select
import subprocess
import time

CLOCK_TICK = os.sysconf("SC_CLK_TCK")
IN_CLOSE_WRITE, IN_MOVED_TO = 0x8, 0x80
BOLD, GREEN, RED, DIM, PLAIN = "\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m"


def percentile(values, p):
    """Nearest rank: always one of the values."""
    v = sorted(values)
    return v[max(0, math.ceil(p / 100 * len(v)) - 1)]


def median(values):
    return percentile(values, 50)


def cpu(pid):
    """Seconds of CPU a process has used, in nanosecond steps where the kernel tells."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9
    except FileNotFoundError:
        return cpu_ticks(pid)


def cpu_ticks(pid):
    """The same in ticks of 10 ms, threads that have ended included."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / CLOCK_TICK


def memory(pid):
    """VmRSS, VmHWM, RssAnon … in MiB."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        fields = dict(line.split(":", 1) for line in f)
    return {k: int(v.split()[0]) / 1024 for k, v in fields.items() if v.endswith(" kB\n")}


class Watch:
    """inotify on the directory of one file; read() drains it."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, os.path.dirname(path).encode(),
                                                 IN_CLOSE_WRITE | IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def read(self):
        try:
            os.read(self.fd, 65536)
        except BlockingIOError:
            pass


def kill_and_wait(pid, watch, changed, deaths, seconds=10.0):
    """kill -9, then wait until the kernel says so (pidfd), the engine does (its `die` event) and the
    file has changed. Returns the milliseconds to each as a dict; what did not come is missing."""
    poll, came, pidfd = select.poll(), {}, os.pidfd_open(pid)
    watch.read()
    for fd in (watch.fd, deaths.fileno(), pidfd):
        poll.register(fd, select.POLLIN)
    start = time.monotonic_ns()
    os.kill(pid, 9)
    while len(came) < 3:
        ready = poll.poll(seconds * 1000)
        ms = (time.monotonic_ns() - start) / 1e6
        if not ready:
            break
        for fd, _ in ready:
            if fd == pidfd:
                came["kernel"] = ms
                poll.unregister(pidfd)
            elif fd == watch.fd:
                watch.read()
                if "file" not in came and changed():
                    came["file"] = ms
            else:
                deaths.recv(65536)
                came.setdefault("engine", ms)
    os.close(pidfd)
    return came


class Runs:
    """What spawn(1) of ours printed: lists of ms, ms, MiB, and exit codes."""

    def __init__(self, text):
        rows = [tuple(map(int, line.split())) for line in text.splitlines() if line.count(" ") == 3]
        self.n = len(rows)
        self.wall = [r[0] / 1000 for r in rows]
        self.cpu = [r[1] / 1000 for r in rows]
        self.rss = [r[2] / 1024 for r in rows]
        self.codes = {r[3] for r in rows}


def spawn(work, count, pause, argv, env=None):
    return Runs(subprocess.check_output([work + "/spawn", str(count), str(pause), *argv], text=True,
                                        env=env))


def number(value, unit):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    digits = 0 if value >= 100 or value == int(value) and value >= 10 else 1 if value >= 10 else 2
    if unit in ("", "×"):
        digits = 0 if value >= 10 or value == int(value) else 1
    text = f"{value:,.{digits}f}"
    return text + ("" if unit in ("×", "") else " ") + unit


class Table:
    """Rows of label, ours, theirs, how many times less, and the aim with ok or missed. What the aim
    is about: best = "less" our number, "ratio" theirs / ours, "both" the greater of the two."""

    missed = 0

    def __init__(self, out, title, ours="hamon", theirs="shell way", factor="less by"):
        self.out, self.colour = out, out.isatty()
        self.line()
        self.line(self.paint(BOLD, title))
        self.line(self.paint(DIM, f"    {'':34}{ours:>12}{theirs:>14}{factor:>10}"))

    def paint(self, code, text):
        return code + text + PLAIN if self.colour else text

    def line(self, text=""):
        print(text.rstrip(), file=self.out, flush=True)

    def row(self, label, ours, theirs=None, unit="ms", aim=None, ratio=True, best="less"):
        factor = ""
        if ratio and isinstance(ours, (int, float)) and isinstance(theirs, (int, float)) and ours:
            factor = number(theirs / ours, "×")
        text = f"    {label:<34}{number(ours, unit):>12}{number(theirs, unit):>14}{factor:>10}"
        if aim is not None:
            both = max(v for v in (ours, theirs) if v is not None) if best == "both" else ours
            value = theirs / ours if best == "ratio" else both
            fine = value >= aim if best == "ratio" else value <= aim if aim == 0 else value < aim
            sign = "≥" if best == "ratio" else "=" if aim == 0 else "<"
            goal = f"{sign} {number(aim, '×' if best == 'ratio' else unit)}"
            word = self.paint(GREEN, "ok") if fine else self.paint(RED, "missed")
            text += f"    aim {goal:<10} {word}"
            Table.missed += not fine
        self.line(text)

    def note(self, text):
        self.line(self.paint(DIM, "    " + text))
