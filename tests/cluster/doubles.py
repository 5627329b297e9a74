"""An SMTP and an IMAP server in one process for the mailer's own test, with every sin a mail server
can commit. What becomes of the nth message (from 1) is one of FATES, by default "ok"; what goes
wrong before there is a message is told as a number of greetings not given and a list of answers to
the first RCPTs."""
import email.utils
import itertools
import socketserver
import threading
import time

FATES = {
    "ok": "stored, 250",
    "lose": "250, stored nowhere",
    "twice": "stored under two queue ids, one 250",
    "redeliver": "stored twice under one queue id, 250",
    "later-dot": "451 after the dot the first time",
    "later-stored": "451 after the dot the first time, and yet stored",
    "disk-stored": "451 queue file write error after the dot the first time, and yet stored",
    "reject-dot": "550 after the dot",
    "silent": "nothing after the dot the first time, nothing stored",
    "silent-stored": "nothing after the dot the first time, and yet stored",
    "hangup-stored": "connection closed after the dot the first time, and yet stored",
    "stranger": "stored, 250, and again much later under the same queue id",
}


class Store:
    def __init__(self, fates):
        self.fates, self.tries, self.boxes = fates, {}, {}
        self.lock, self.queue = threading.Lock(), itertools.count(1)

    def put(self, to, body, qid, at=None):
        stamp = email.utils.formatdate(at or time.time())
        text = ("Received: from mail by dovecot with LMTP id x for <%s>; %s\r\n"
                "Received: from client (client [10.0.0.1])\r\n\tby mail.rig.test (Postfix) with "
                "ESMTP id %s\r\n\tfor <%s>; %s\r\n" % (to, stamp, qid, to, stamp)) + body
        self.boxes.setdefault(to, []).append(text)

    def accept(self, to, body):
        """(what to answer after the dot; None: nothing, False: hang up)."""
        number = int(body.partition("X-Chaos: ")[2].split("\r\n")[0].rpartition("-")[2])
        fate = self.fates.get(number, "ok")
        again = self.tries[number] = self.tries.get(number, 0) + 1
        qid, yes = "Q%d" % next(self.queue), "250 2.0.0 Ok: queued as %s"
        if again > 1 and fate not in ("reject-dot",):
            fate = "ok"
        if fate in ("ok", "twice", "redeliver", "later-stored", "silent-stored", "hangup-stored",
                    "disk-stored", "stranger"):
            self.put(to, body, qid)
        if fate == "twice":
            self.put(to, body, "Q%d" % next(self.queue))
        if fate == "redeliver":
            self.put(to, body, qid)
        if fate == "stranger":
            self.put(to, body, qid, time.time() + 600)
        if fate in ("later-dot", "later-stored"):
            return "451 4.3.0 later"
        if fate == "disk-stored":
            return "451 4.3.0 Error: queue file write error"
        if fate == "reject-dot":
            return "550 5.7.1 no"
        if fate.startswith("silent"):
            return None
        if fate.startswith("hangup"):
            return False
        return yes % qid


class Smtp(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        store = self.server.store
        with store.lock:
            self.server.mute -= 1
            mute = self.server.mute >= 0
        if mute:
            self.rfile.read(1)
            return
        self.say("220 double ESMTP")
        to = ""
        for raw in self.rfile:
            line = raw.decode().rstrip()
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250-double\r\n250 PIPELINING")
            elif verb == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
                self.say(self.server.rcpt())
            elif verb == "DATA":
                self.say("354 go on")
                body = b""
                for raw_body in self.rfile:
                    if raw_body == b".\r\n":
                        break
                    body += raw_body
                with store.lock:
                    answer = store.accept(to, body.decode())
                if answer is None:
                    self.rfile.read(1)
                if not answer:
                    return
                self.say(answer)
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


class Imap(socketserver.StreamRequestHandler):
    """LOGIN, LIST, EXAMINE, UID FETCH of headers; all but the INBOX are empty."""
    disable_nagle_algorithm = True

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("* OK [CAPABILITY IMAP4rev1] double")
        user, box = "", ""
        for raw in self.rfile:
            tag, _, rest = raw.decode().rstrip().partition(" ")
            words = rest.replace('"', "").split()
            verb = words[0].upper()
            if verb == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1")
            elif verb == "LOGIN":
                user = words[1]
            elif verb == "LIST":
                self.say('* LIST (\\HasNoChildren) "/" Junk')
                self.say('* LIST (\\HasNoChildren) "/" INBOX')
                self.say('* LIST (\\Noselect) "/" Nothing')
            elif verb == "EXAMINE":
                box = words[1]
                self.say("* %d EXISTS" % len(self.texts(user, box)))
                self.say("* OK [UIDVALIDITY 7] fine")
            elif verb == "UID":
                first = int(words[2].partition(":")[0])
                texts = self.texts(user, box)
                for n in range(min(first, len(texts)) or 1, len(texts) + 1):
                    header = (texts[n - 1].partition("\r\n\r\n")[0] + "\r\n\r\n").encode()
                    self.wfile.write(b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n" % (n, n, len(header)))
                    self.wfile.write(header + b")\r\n")
            self.say(tag + " OK done")

    def texts(self, user, box):
        with self.server.store.lock:
            return list(self.server.store.boxes.get(user, [])) if box == "INBOX" else []


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler, store, answers=(), mute=0):
        self.store, self.answers, self.mute = store, list(answers), mute
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def rcpt(self):
        with self.store.lock:
            return self.answers.pop(0) if self.answers else "250 ok"

    def handle_error(self, request, client_address):
        pass  # a client that went away

    @property
    def port(self):
        return self.server_address[1]
