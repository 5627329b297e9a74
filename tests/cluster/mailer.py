#!/usr/bin/env python3
"""A mail client that never gives up: sends numbered messages at a steady rate, each again and again
until it gets its 250, as an MTA would, and writes down every attempt. Python standard library only.

    mailer.py send   --to HOST[:PORT] --log FILE [--rate 8] [--seconds N] [--drain 60]
    mailer.py report --log FILE --imap HOST[:PORT] [--user NAME:PASSWORD]... [--faults FILE]
                     [--patience 90] [--details FILE]

send ends after N seconds or on SIGTERM, when each message has its answer or the drain time is over.
report reads all mailboxes and prints one line: acked= lost= duplicates= unexplained= rejected= ...
(ledger.py says what counts as what). It exits with 1 if something was lost or is unexplained.

The log is JSON lines. "new": a message; "try": one attempt with its result r (ok, temp, perm, or
refused, timeout, lost: no answer) and how far it came (at: connect, banner, ehlo, mail, rcpt, data,
dot). t is CLOCK_MONOTONIC, w the wall clock.
"""
import argparse
import asyncio
import json
import random
import re
import secrets
import signal
import sys
import time

import ledger

CONNECT_S, REPLY_S, DOT_S = 1.0, 4.0, 10.0
BACKOFF_S, BACKOFF_MAX_S = 0.5, 4.0
FRESH_MAX, RETRIES_MAX = 40, 8  # connections at a time
SENDER = "alice@example.test"
BOXES = ("bob@rig.test", "alice@rig.test")


class Answer(Exception):
    """The attempt is over: r, code and text of what the server said (or did not say)."""

    def __init__(self, r, code=0, text=""):
        super().__init__(r)
        self.r, self.code, self.text = r, code, text


class Log:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def close(self):
        self.file.close()

    def write(self, **entry):
        entry = {"t": round(time.monotonic(), 4), "w": round(time.time(), 4), **entry}
        self.file.write(json.dumps(entry) + "\n")


class Attempt:
    """One SMTP session for one message. Its deadlines are asyncio.timeout's: wait_for() of Python before
    3.12 forgets that it was cancelled if what it waits for is ready at the same time."""

    def __init__(self, host, port, ident, to, body):
        self.host, self.port, self.ident, self.to, self.body = host, port, ident, to, body
        self.at, self.banner = "connect", ""

    async def reply(self, reader, seconds, want):
        """One reply, however many lines; 4xx, 5xx and silence end the attempt."""
        lines = []
        while True:
            async with asyncio.timeout(seconds):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                raise Answer("lost", text="connection closed")
            lines.append(line.decode("utf-8", "replace").rstrip())
            if len(line) < 5 or line[3:4] != b"-":
                break
        code, text = lines[-1][:3], lines[-1][4:]
        if code[:1] == "5":
            raise Answer("perm", int(code), text)
        if not code.startswith(want):
            raise Answer("temp", int(code) if code.isdigit() else 0, text)
        return text

    async def step(self, reader, writer, at, line, want="2", seconds=REPLY_S):
        self.at = at
        writer.write(line.encode() + b"\r\n")
        return await self.reply(reader, seconds, want)

    async def talk(self, reader, writer):
        self.at = "banner"
        self.banner = await self.reply(reader, REPLY_S, "220")
        await self.step(reader, writer, "ehlo", "EHLO client.example.test")
        await self.step(reader, writer, "mail", "MAIL FROM:<%s>" % SENDER)
        await self.step(reader, writer, "rcpt", "RCPT TO:<%s>" % self.to)
        await self.step(reader, writer, "data", "DATA", "354")
        # From here on the server may have it, whatever we hear.
        text = await self.step(reader, writer, "dot", self.body + "\r\n.", seconds=DOT_S)
        writer.write(b"QUIT\r\n")
        raise Answer("ok", 250, text)

    async def run(self):
        writer = None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self.host, self.port)
            await self.talk(reader, writer)
        except Answer as answer:
            return answer
        except TimeoutError:
            return Answer("timeout")
        except OSError as e:
            return Answer("refused" if self.at == "connect" else "lost", text=str(e))
        finally:
            if writer:
                writer.close()


class Mailer:
    def __init__(self, host, port, log, rate):
        self.host, self.port, self.log, self.rate = host, port, log, rate
        self.run_id = secrets.token_hex(4)
        self.random = random.Random(self.run_id)
        self.fresh, self.again = asyncio.Semaphore(FRESH_MAX), asyncio.Semaphore(RETRIES_MAX)
        self.stop, self.open = asyncio.Event(), set()

    def message(self, ident):
        filler = "x" * self.random.randrange(70)
        lines = ["From: <%s>" % SENDER, "Subject: chaos %s" % ident, "X-Chaos: %s" % ident,
                 "Message-ID: <%s@client.example.test>" % ident, "",
                 "Message %s" % ident] + [filler] * self.random.randrange(20)
        return "\r\n".join(lines)

    async def deliver(self, number):
        ident = "%s-%d" % (self.run_id, number)
        to, body = BOXES[number % len(BOXES)], self.message(ident)
        self.log.write(e="new", id=ident, to=to)
        wait = BACKOFF_S
        n = 0
        while True:
            n += 1
            attempt = Attempt(self.host, self.port, ident, to, body)
            async with self.fresh if n == 1 else self.again:
                begun = round(time.monotonic(), 4)
                try:
                    answer = await attempt.run()
                except asyncio.CancelledError:
                    answer = Answer("timeout", text="the run ended")
                    self.stop.set()
            queued = re.search(r"queued as (\S+)", answer.text)
            self.log.write(e="try", id=ident, n=n, begun=begun, r=answer.r, at=attempt.at,
                           code=answer.code, text=answer.text[:120], banner=attempt.banner[:60],
                           qid=queued.group(1) if queued and answer.r == "ok" else "")
            if answer.r in ("ok", "perm") or answer.text == "the run ended":
                return
            await asyncio.sleep(wait * self.random.uniform(0.8, 1.2))
            wait = min(wait * 2, BACKOFF_MAX_S)

    async def send(self, seconds, drain, count=0):
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self.stop.set)
        begun, number = loop.time(), 0
        self.log.write(e="begin", run=self.run_id, rate=self.rate)
        while not (self.stop.is_set() or seconds and loop.time() - begun >= seconds or
                   count and number >= count):
            number += 1
            task = loop.create_task(self.deliver(number))
            self.open.add(task)
            task.add_done_callback(self.open.discard)
            pause = begun + number / self.rate - loop.time()
            try:
                await asyncio.wait_for(self.stop.wait(), max(pause, 0.001))
            except TimeoutError:
                pass
        if self.open:
            await asyncio.wait(set(self.open), timeout=drain)
        left = set(self.open)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self.log.write(e="end", sent=number, unanswered=len(left))


def endpoint(text, port):
    host, _, own = text.partition(":")
    return host, int(own or port)


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    send = verbs.add_parser("send")
    send.add_argument("--to", required=True)
    send.add_argument("--rate", type=float, default=8)
    send.add_argument("--seconds", type=float, default=0)
    send.add_argument("--drain", type=float, default=60)
    report = verbs.add_parser("report")
    report.add_argument("--imap", required=True)
    report.add_argument("--user", action="append", default=[])
    report.add_argument("--faults")
    report.add_argument("--patience", type=float, default=90)
    report.add_argument("--details")
    for verb in (send, report):
        verb.add_argument("--log", required=True)
    a = parser.parse_args()
    if a.verb == "send":
        async def run():
            await Mailer(*endpoint(a.to, 25), Log(a.log), a.rate).send(a.seconds, a.drain)
        asyncio.run(run())
        return 0
    users = a.user or ["%s:secret" % box for box in BOXES]
    return ledger.report(a.log, endpoint(a.imap, 143), users, a.faults, a.patience, a.details)


if __name__ == "__main__":
    sys.exit(main())
