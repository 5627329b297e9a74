#!/usr/bin/env python3
"""`hamon status` where standard output is a terminal: a real one (a pty), of any size, that is given back at the end."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import unittest

from world import BIN, World, until

TEXT = """n1  master  unfit (container_exited) for 42s
  dovecot-mailcow: exited with code 1

  CHECK                      VERDICT  SINCE  STATE
  docker                     up          3d  answers
  dovecot-mailcow            down       42s  exited with code 1 [active]
"""


class Terminal:
    """A program on a pty; `screen` is all it has written."""

    def __init__(self, args, cols=80, rows=24, **env):
        self.master, slave = pty.openpty()
        self.size(cols, rows)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **env}
        self.process = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
        os.close(slave)
        self.screen = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def size(self, cols, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.screen += data.decode("utf-8", "replace")

    def frames(self):
        return self.screen.split("\033[H")[1:]

    def end(self, sig=signal.SIGINT):
        self.process.send_signal(sig)
        code = self.process.wait(60)
        self.reader.join(60)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


class Watch(unittest.TestCase):
    def setUp(self):
        self.world = World(start=False)
        self.world.__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)
        self.world.put("status", TEXT)
        self.conf = self.world.dir / "hamon.conf"
        self.conf.write_text("".join(f"[{s}]\n{lines}" for s, lines in self.world.sections.items()), encoding="utf-8")

    def terminal(self, *args, **kw):
        t = Terminal([str(BIN / "hamon"), "-c", str(self.conf), "status", *args], **kw)
        self.addCleanup(t.close)
        return t

    def test_frames_over_one_another_and_the_screen_given_back(self):
        t = self.terminal("--watch")
        until(lambda: len(t.frames()) >= 3, "three frames")
        self.assertIn("\033[31mdown\033[0m", t.frames()[0])
        self.assertEqual(t.screen.count("\033[2J"), 1)  # once, at the beginning: nothing flickers
        self.world.put("status", TEXT.replace("down ", "up   "))
        until(lambda: "\033[31mdown" not in t.frames()[-2], "the new picture")
        self.assertEqual(t.end(), -signal.SIGINT)
        self.assertTrue(t.screen.startswith("\033[?1049h\033[?25l"))
        self.assertTrue(t.screen.endswith("\033[?25h\033[?1049l"), repr(t.screen[-40:]))

    def test_every_signal_gives_the_screen_back(self):
        for sig in signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            with self.subTest(sig):
                t = self.terminal("--watch")
                until(t.frames, "a frame")
                self.assertEqual(t.end(sig), -sig)
                self.assertTrue(t.screen.endswith("\033[?25h\033[?1049l"), repr(t.screen[-40:]))

    def test_a_daemon_that_is_away(self):
        t = self.terminal("--watch")
        until(t.frames, "a frame")
        self.world.control.kill()
        self.world.control.wait()
        until(lambda: "NO ANSWER for" in t.frames()[-1] and "dovecot" in t.frames()[-1], "what was, and that it was")
        self.world.start_control()
        until(lambda: len(t.frames()) > 1 and "NO ANSWER" not in t.frames()[-2] + t.frames()[-1], "it is back")

    def test_none_was_ever_there(self):
        self.world.control.kill()
        self.world.control.wait()
        t = self.terminal("--watch")
        until(lambda: t.frames() and "NO ANSWER: hamon is not running" in t.frames()[-1], "it says so")

    def test_narrow_and_resized(self):
        t = self.terminal("--watch", cols=30, rows=40)
        until(lambda: len(t.frames()) >= 2, "frames")
        for line in re.sub(r"\033\[[?0-9;]*[A-Za-z]", "", t.frames()[0]).splitlines():
            self.assertLessEqual(len(line), 30, line)
        self.assertIn("exited with code 1", t.frames()[0].replace("\033[K\r\n    ", " "))
        t.size(80, 4)
        os.kill(t.process.pid, signal.SIGWINCH)
        until(lambda: "more lines below" in t.frames()[-1], "it fits")
        self.assertLessEqual(t.frames()[-1].count("\n"), 3)

    def test_colour_is_no_must(self):
        for env in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
            with self.subTest(env):
                t = self.terminal(**env)
                self.assertEqual(t.process.wait(60), 0)
                until(lambda t=t: "answers" in t.screen, "the text")
                self.assertNotIn("\033[3", t.screen)
        t = self.terminal(NO_COLOR="")
        t.process.wait(60)
        until(lambda: "\033[32mup\033[0m" in t.screen, "colour")

    def test_no_terminal_no_colour(self):
        args = [str(BIN / "hamon"), "-c", str(self.conf), "status"]
        self.assertEqual(subprocess.run(args, stdout=subprocess.PIPE, check=True, text=True).stdout, TEXT)
        with subprocess.Popen([*args, "--watch"], stdout=subprocess.PIPE, text=True) as p:
            seen = "".join(p.stdout.readline() for _ in range(2 * TEXT.count("\n")))
            p.kill()
        self.assertEqual(seen, 2 * TEXT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
