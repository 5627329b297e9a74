#!/usr/bin/env python3
"""Is the mailer right? Against servers that lose, double, refuse, hang and lie (doubles.py), and with
logs made by hand for what takes a power cut. Ten seconds."""
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import types
import unittest

import doubles
import ledger
import mailer

mailer.CONNECT_S, mailer.REPLY_S, mailer.DOT_S = 0.3, 0.3, 0.3
mailer.BACKOFF_S, mailer.BACKOFF_MAX_S = 0.05, 0.1
USERS = ["%s:secret" % box for box in mailer.BOXES]
MESSAGES = 10


class Rig:
    """Sends ten messages to a server with these fates; what the log says, and the judgement."""

    def __init__(self, fates=None, answers=(), mute=0, drain=5, faults=(), port=0):
        store = doubles.Store(fates or {})
        smtp = doubles.Server(doubles.Smtp, store, answers, mute)
        imap = doubles.Server(doubles.Imap, store)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "log")
            log = mailer.Log(path)
            m = mailer.Mailer("127.0.0.1", port or smtp.port, log, rate=100)
            asyncio.run(m.send(0, drain, MESSAGES))
            log.close()
            self.rows = ledger.read_lines(path)
        self.log = ledger.Log(self.rows)
        self.reader = ledger.Reader(("127.0.0.1", imap.port), USERS)
        self.error = self.reader.read_until(self.log.acked, 0)
        self.found = ledger.judge(self.log, self.reader.copies, faults)
        for server in (smtp, imap):
            server.shutdown()
            server.server_close()

    def results(self):
        return {(r["r"], r["at"]) for r in self.rows if r["e"] == "try"}


class Mailer(unittest.TestCase):
    def check(self, rig, **want):
        self.assertIsNone(rig.error)
        expected = dict(acked=MESSAGES, lost=0, duplicates=0, unexplained=0, rejected=0, open=0)
        expected.update(want)
        self.assertEqual({k: v for k, v in rig.found.items() if k != "names"}, expected)

    def test_all_well(self):
        rig = Rig()
        self.check(rig)
        self.assertEqual(rig.results(), {("ok", "dot")})
        self.assertTrue(all(r["qid"] and r["banner"] for r in rig.rows if r["e"] == "try"))

    def test_lost(self):
        rig = Rig({3: "lose", 8: "lose"})
        self.check(rig, lost=2)
        self.assertEqual([n.rpartition("-")[2] for n in rig.found["names"]["lost"]], ["3", "8"])

    def test_stored_twice_is_unexplained(self):
        self.check(Rig({2: "twice"}), duplicates=1, unexplained=1)

    def test_temporary_errors_are_tried_again(self):
        rig = Rig({5: "later-dot"}, answers=["451 4.7.1 later"] * 4)
        self.check(rig)
        self.assertIn(("temp", "rcpt"), rig.results())
        self.assertIn(("temp", "dot"), rig.results())

    def test_stored_in_spite_of_a_451_is_unexplained(self):
        self.check(Rig({5: "later-stored"}), duplicates=1, unexplained=1)

    def test_a_failing_disk_may_have_kept_it(self):
        self.check(Rig({5: "disk-stored"}), duplicates=1, unexplained=1)
        self.check(Rig({5: "disk-stored"}, faults=[{"w": time.time()}]), duplicates=1)
        self.check(Rig({5: "later-stored"}, faults=[{"w": time.time()}]), duplicates=1,
                   unexplained=1)

    def test_a_5xx_is_a_failure_and_not_tried_again(self):
        rig = Rig({6: "reject-dot"}, answers=["250 ok", "550 5.1.1 no"])
        self.check(rig, acked=MESSAGES - 2, rejected=2)

    def test_silence_after_the_dot(self):
        self.check(Rig({4: "silent"}))
        self.check(Rig({4: "silent-stored"}), duplicates=1)
        self.check(Rig({4: "hangup-stored"}), duplicates=1)

    def test_silence_before_the_dot_excuses_nothing(self):
        rig = Rig({4: "twice"}, mute=3)
        self.check(rig, duplicates=1, unexplained=1)
        self.assertIn(("timeout", "banner"), rig.results())

    def test_one_doubt_excuses_one_copy(self):
        rig = Rig({4: "silent-stored"})
        ident = rig.found["names"]["duplicates"][0]
        rig.reader.copies[ident].append({"qid": "another", "at": time.time()})
        self.assertEqual(ledger.judge(rig.log, rig.reader.copies, [])["unexplained"], 1)

    def test_nobody_there(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # not listening
            rig = Rig(port=s.getsockname()[1], drain=0.5)
        self.check(rig, acked=0, open=MESSAGES)
        self.assertEqual(rig.results() - {("timeout", "connect")}, {("refused", "connect")})

    def test_the_end_is_not_missed_by_who_has_just_heard(self):
        async def cancelled_with_a_reply():
            loop = asyncio.get_running_loop()
            line = loop.create_future()
            reader = types.SimpleNamespace(readline=lambda: line)
            task = loop.create_task(mailer.Attempt("127.0.0.1", 25, "x-1", "", "").reply(reader, 5, "220"))
            await asyncio.sleep(0.01)
            line.set_result(b"220 hello\r\n")
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
        asyncio.run(cancelled_with_a_reply())

    def test_what_is_under_way_at_the_end_is_in_doubt(self):
        rig = Rig({n: "silent-stored" for n in range(1, MESSAGES + 1)}, drain=0.1)
        self.check(rig, acked=0, open=MESSAGES)
        self.assertEqual(len(rig.log.doubts), MESSAGES)

    def test_delivered_again_by_the_queue(self):
        self.check(Rig({7: "redeliver"}), duplicates=1, unexplained=1)
        now = time.time()
        self.check(Rig({7: "redeliver"}, faults=[{"w": now}]), duplicates=1)
        self.check(Rig({7: "redeliver"}, faults=[{"w": now - 60}]), duplicates=1, unexplained=1)
        self.check(Rig({7: "redeliver"}, faults=[{"w": now - 60, "w_end": now}]), duplicates=1)
        self.check(Rig({7: "stranger"}, faults=[{"w": now + 300}]), duplicates=1)
        self.check(Rig({7: "stranger"}, faults=[{"w": now + 900}]), duplicates=1, unexplained=1)


class Imap(unittest.TestCase):
    def test_reads_only_what_is_new(self):
        store = doubles.Store({})
        imap = doubles.Server(doubles.Imap, store)
        reader = ledger.Reader(("127.0.0.1", imap.port), USERS)
        for n in (1, 2, 3):
            store.put(mailer.BOXES[0], "X-Chaos: a-%d\r\n\r\nx" % n, "Q%d" % n)
            reader.read()
            reader.read()
            self.assertEqual(len(reader.copies), n)
            self.assertTrue(all(len(c) == 1 for c in reader.copies.values()))
        imap.shutdown()
        imap.server_close()

    def test_a_server_that_is_away_is_an_error(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            reader = ledger.Reader(("127.0.0.1", s.getsockname()[1]), USERS)
            self.assertIsNotNone(reader.read_until([], 0))


class Outage(unittest.TestCase):
    def test_longest_gap(self):
        acks = [1.0, 1.1, 1.2, 3.2, 3.3, 3.4, 9.0]
        self.assertEqual(ledger.outage(acks, 1.25, 4), (2000, 1.2, 3.2))
        self.assertEqual(ledger.outage(acks, 3.35, 10), (5600, 3.4, 9.0))
        self.assertEqual(ledger.outage(acks, 1.0, 1.25), (100, 1.0, 1.1))
        self.assertEqual(ledger.outage(acks, 3.5, 8), (4600, 3.4, None))
        self.assertEqual(ledger.outage([], 1, 2), (1000, 1, None))

    def test_percentiles(self):
        self.assertIsNone(ledger.percentile([], 50))
        self.assertEqual([ledger.percentile(range(1, 21), p) for p in (50, 95, 100)], [10, 19, 20])
        self.assertEqual(ledger.percentile([7], 50), 7)


class Command(unittest.TestCase):
    """As it is called: send until SIGTERM, then report."""

    def run_report(self, fates):
        here = os.path.dirname(os.path.abspath(__file__))
        program = [sys.executable, os.path.join(here, "mailer.py")]
        store = doubles.Store(fates)
        smtp, imap = doubles.Server(doubles.Smtp, store), doubles.Server(doubles.Imap, store)
        with tempfile.TemporaryDirectory() as directory:
            log = os.path.join(directory, "log")
            send = subprocess.Popen(program + ["send", "--to", "127.0.0.1:%d" % smtp.port, "--log",
                                               log, "--rate", "50"])
            end = time.monotonic() + 20
            while time.monotonic() < end and not (
                    os.path.exists(log) and len(ledger.Log(ledger.read_lines(log)).acked) > 10):
                time.sleep(0.05)
            send.terminate()
            self.assertEqual(send.wait(20), 0)
            ran = subprocess.run(program + ["report", "--log", log, "--imap",
                                            "127.0.0.1:%d" % imap.port, "--patience", "1"],
                                 capture_output=True, text=True)
        for server in (smtp, imap):
            server.shutdown()
            server.server_close()
        return ran

    def test_clean(self):
        ran = self.run_report({})
        self.assertRegex(ran.stdout, r"^acked=\d+ lost=0 duplicates=0 unexplained=0 rejected=0 ")
        self.assertEqual(ran.returncode, 0)

    def test_loss_is_told_by_the_exit_code(self):
        ran = self.run_report({2: "lose"})
        self.assertRegex(ran.stdout, r" lost=1 ")
        self.assertEqual(ran.returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
