#!/usr/bin/env python3
"""SIGHUP and `hamond web`: a new hamon.conf counts, a bad one does not, and nobody has to start it again."""

import signal
import unittest

from world import World


class Reload(unittest.TestCase):
    def write(self, w, more=""):
        (w.dir / "hamon.conf").write_text("".join(f"[{s}]\n{lines}" for s, lines in w.sections.items()) + more,
                                          encoding="utf-8")

    def test_a_new_configuration(self):
        with World() as w:
            self.healthy(w)
            (w.dir / "token").write_text("t" * 32 + "\n", encoding="ascii")
            (w.dir / "token").chmod(0o600)
            w.sections["web"] += f"token_file = {w.dir}/token\n"
            self.write(w)
            w.web.send_signal(signal.SIGHUP)
            w.until(lambda: "event=reload" in w.log(), "the reload")
            w.until(lambda: w.get("/health").status == 401, "the token counts")  # not heard between two lives
            self.healthy(w, {"Authorization": "Bearer " + "t" * 32})
            self.assertIsNone(w.web.poll())
            self.assertEqual(w.log().count("event=start"), 2)

    def test_a_bad_one_is_refused(self):
        with World() as w:
            self.write(w, "[web]\nlistn = 127.0.0.1:1\n")
            w.web.send_signal(signal.SIGHUP)
            w.until(lambda: "the old configuration stays in force" in w.log(), "the refusal")
            self.assertIn("listn", w.log())
            self.healthy(w)
            self.assertEqual(w.log().count("event=start"), 1)

    @staticmethod
    def healthy(w, headers=None):
        """Soon: a new life answers before it has heard from the daemon (503), and the daemon's word may be late."""
        w.until(lambda: w.get("/health", headers=headers).status == 200, "the page says healthy")


if __name__ == "__main__":
    unittest.main(verbosity=2)
