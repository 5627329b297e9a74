/* A chain of commands, each with the callback that starts the next; finish() is the only end. Older
 * canaries that came too late are deleted along the way, but none of the last hour: another node
 * may wait for it. */
#include "hamon/web/canary_run.h"

#include "hamon/core/probes.h"
#include "lib/child.h"
#include "lib/imap.h"
#include "lib/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>

#define HEADER "X-Mailcow-HA-Canary"

enum {
        ID_BYTES = 12,
        TOKEN_BYTES = 16,
        POLL_MIN = 50,
        POLL_MAX = 500,
        LOOK_MS = 5000, /* to look where it went, each step */
        OLD_SECONDS = 3600,
        ROOM_MS = 300,
        ROOM_LEAST = 16 * 1024, /* bytes: a mail, and what an index grows by */
        MAILS_MAX = 100,        /* that are deleted in one run */
};

struct canary_run {
        struct loop *loop;
        const struct config *c;
        canary_fn fn;
        void *arg;
        char *password;
        struct imap *imap;
        struct mail *mail;
        struct timer kick, poll, deadline;
        msec_t began, sent_at, wait, delivery, login;
        char id[2 * ID_BYTES + 1], token[2 * TOKEN_BYTES + 1];
        char smtp_at[80], imap_at[80]; /* for the sentences */
        enum canary_reason reason;     /* what it will end with */
        char message[384];
        uint32_t mails[MAILS_MAX]; /* to be deleted */
        size_t n_mails;
        bool waiting, missing; /* for the mail; it did not come */
};

void canary_run_free(struct canary_run *r)
{
        if (!r)
                return;
        mail_cancel(r->mail);
        imap_free(r->imap);
        timer_done(&r->kick);
        timer_done(&r->poll);
        timer_done(&r->deadline);
        secret_wipe(&r->password);
        free(r);
}

static msec_t look_time(const struct canary_run *r)
{
        return MAX(r->c->canary.timeout, (msec_t)LOOK_MS);
}

static void PRINTF(3, 4)
        settle(struct canary_run *r, enum canary_reason reason, const char *fmt, ...)
{
        va_list ap;

        r->reason = reason;
        va_start(ap, fmt);
        vsnprintf(r->message, sizeof r->message, fmt, ap);
        va_end(ap);
}

static void tell(struct canary_run *r)
{
        const struct canary_result result = { .reason = r->reason,
                                              .message = r->message,
                                              .delivery = r->delivery,
                                              .login = r->login };

        r->fn(r->arg, &result);
        canary_run_free(r);
}

static void on_left(void *arg, const struct imap_answer *a)
{
        (void)a;
        tell(arg);
}

static void finish(struct canary_run *r)
{
        timer_clear(&r->deadline);
        timer_clear(&r->poll);
        if (!r->imap || !imap_leave(r->imap, on_left, r))
                tell(r);
}

/* The next command, or the end. */
static void go(struct canary_run *r, const char *text, const char *awaits, const char *literal,
               imap_fn fn)
{
        const struct imap_command c = { .text = text, .awaits = awaits, .literal = literal };
        int error = imap_do(r->imap, &c, fn, r);

        if (error == 0)
                return;
        if (r->reason == CANARY_OK)
                settle(r, canary_of_imap(error, true), "%s hung up", r->imap_at);
        finish(r);
}

/* ---- away with it ---- */

static void uid_set(const struct canary_run *r, struct buf *out)
{
        for (size_t i = 0; i < r->n_mails; i++)
                buf_addf(out, i ? ",%u" : "%u", r->mails[i]);
}

static void on_gone(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error < 0 && r->reason == CANARY_OK)
                settle(r, canary_of_imap(a->error, true), "it cannot be deleted: %s", a->message);
        finish(r);
}

static void on_marked(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;
        CLEANUP(buf_done) struct buf text = BUF(4096);

        if (a->error < 0) {
                on_gone(r, a);
                return;
        }
        buf_adds(&text, "UID EXPUNGE ");
        uid_set(r, &text);
        go(r, buf_str(&text), "answer to EXPUNGE", NULL, on_gone);
}

static void clear_away(struct canary_run *r)
{
        CLEANUP(buf_done) struct buf text = BUF(4096);

        if (r->n_mails == 0) {
                finish(r);
                return;
        }
        buf_adds(&text, "UID STORE ");
        uid_set(r, &text);
        buf_adds(&text, " +FLAGS.SILENT (\\Deleted)");
        go(r, buf_str(&text), "answer to STORE", NULL, on_marked);
}

static void on_old(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error == 0) /* not every server can search by age */
                r->n_mails += imap_search(a->data, r->mails + r->n_mails, MAILS_MAX - r->n_mails);
        clear_away(r);
}

static void find_old(struct canary_run *r)
{
        char text[96];

        snprintf(text, sizeof text, "UID SEARCH HEADER " HEADER " \"\" OLDER %d", OLD_SECONDS);
        go(r, text, "answer to SEARCH", NULL, on_old);
}

static void find_it(struct canary_run *r, imap_fn fn)
{
        char text[96];

        snprintf(text, sizeof text, "UID SEARCH HEADER " HEADER " %s", r->id);
        go(r, text, "answer to SEARCH", NULL, fn);
}

/* ---- it did not come: where is it? ---- */

static void on_late(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error == 0)
                r->n_mails = imap_search(a->data, r->mails, MAILS_MAX);
        find_old(r);
}

static void on_inbox_again(void *arg, const struct imap_answer *a)
{
        (void)a;
        find_it(arg, on_late);
}

static void back_to_inbox(struct canary_run *r)
{
        go(r, "SELECT INBOX", "answer to SELECT", NULL, on_inbox_again);
}

struct room {
        char path[256];
        uint64_t bytes, files;
};

static int measure(void *arg)
{
        struct room *room = arg;
        struct statvfs st;

        if (statvfs(room->path, &st) < 0)
                return -errno;
        room->bytes = (uint64_t)st.f_bavail * st.f_frsize;
        room->files = st.f_files ? st.f_favail : UINT64_MAX; /* some count none */
        return 0;
}

/* Dovecot calls a full disk an internal error, so the volume is looked at, in a child: a dead disk
 * hangs whoever asks. We wait for it, but only here, where mail is down already. */
static bool volume_full(const struct canary_run *r)
{
        struct room room = { .bytes = 0 };

        if (!*r->c->volume.mount || !str_copy(room.path, sizeof room.path, r->c->volume.mount) ||
            child_call(measure, &room, sizeof room, ROOM_MS, NULL) < 0)
                return false;
        return room.bytes < ROOM_LEAST || room.files == 0;
}

static void on_appended(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;
        const char *before = r->missing ? "it did not come, and " : "";

        if (a->error == -ENOSPC)
                settle(r, CANARY_FULL, "%s%s", before, a->message);
        else if (a->error < 0 && volume_full(r))
                settle(r, CANARY_FULL, "%s%s; %s is full", before, a->message, r->c->volume.mount);
        else if (a->error < 0 && r->missing)
                settle(r, canary_of_imap(a->error, true), "%s%s", before, a->message);
        else if (a->error < 0) {
                size_t len = strlen(r->message);
                snprintf(r->message + len, sizeof r->message - len, "; %s", a->message);
        }
        if (!r->missing || a->error == -ETIMEDOUT || a->error == -ECONNRESET)
                finish(r);
        else
                back_to_inbox(r);
}

/* Is there room for a mail at all? The mail server says so only when its own disk is full. */
static void try_to_store(struct canary_run *r)
{
        char text[64], note[256];

        snprintf(note, sizeof note,
                 HEADER ": %s\r\nSubject: canary\r\n\r\nIs there room for a mail?\r\n", r->id);
        snprintf(text, sizeof text, "APPEND INBOX {%zu}", strlen(note));
        timer_set(&r->deadline, look_time(r));
        go(r, text, "answer to APPEND", note, on_appended);
}

static void on_junk_searched(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        r->n_mails = a->error == 0 ? imap_search(a->data, r->mails, MAILS_MAX) : 0;
        if (r->n_mails == 0) {
                try_to_store(r);
                return;
        }
        settle(r, CANARY_JUNK, "it arrived in the folder Junk");
        clear_away(r);
}

static void on_junk_selected(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error == 0)
                find_it(r, on_junk_searched);
        else
                try_to_store(r); /* there is no such folder */
}

static void look_for_it(struct canary_run *r)
{
        r->missing = true;
        r->waiting = false;
        settle(r, CANARY_NO_DELIVERY, "%s took it %lld ms ago, and it has not arrived", r->smtp_at,
               (long long)(loop_now(r->loop) - r->sent_at));
        timer_set(&r->deadline, look_time(r));
        go(r, "SELECT Junk", "answer to SELECT", NULL, on_junk_selected);
}

/* ---- it came ---- */

static void on_fetched(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;
        CLEANUP(buf_done) struct buf line = BUF(128);

        if (a->error < 0) {
                settle(r, canary_of_imap(a->error, true), "it arrived and cannot be read: %s",
                       a->message);
                finish(r);
                return;
        }
        buf_addf(&line, "token %s", r->token);
        if (!memmem(a->data, a->len, line.data, line.len)) {
                r->delivery = -1;
                settle(r, CANARY_WRONG_TOKEN, "it arrived, but its token is not the one sent");
        }
        find_old(r);
}

static void on_searched(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;
        char text[64];

        if (a->error < 0) {
                settle(r, canary_of_imap(a->error, true), "%s", a->message);
                finish(r);
                return;
        }
        r->n_mails = imap_search(a->data, r->mails, MAILS_MAX);
        if (r->n_mails == 0) {
                r->wait = MIN(r->wait * 3 / 2, (msec_t)POLL_MAX);
                timer_set(&r->poll, r->wait);
                return;
        }
        r->waiting = false;
        r->delivery = loop_now(r->loop) - r->sent_at;
        timer_set(&r->deadline, look_time(r));
        snprintf(text, sizeof text, "UID FETCH %u BODY.PEEK[]", r->mails[0]);
        go(r, text, "answer to FETCH", NULL, on_fetched);
}

static void on_poll(void *arg)
{
        struct canary_run *r = arg;

        if (loop_now(r->loop) - r->sent_at >= r->c->canary.timeout)
                look_for_it(r);
        else
                find_it(r, on_searched);
}

/* ---- sending ---- */

static void on_sent(void *arg, const struct mail_result *m)
{
        struct canary_run *r = arg;

        r->mail = NULL;
        if (m->error < 0) {
                settle(r, canary_of_smtp(m), "%s", m->message);
                finish(r);
                return;
        }
        r->waiting = true;
        r->wait = POLL_MIN;
        timer_set(&r->deadline, r->c->canary.timeout + look_time(r)); /* if IMAP hangs */
        on_poll(r);
}

static void write_message(const struct canary_run *r, const char *from, struct buf *out)
{
        static const char TEXT[] = "Mailcow HA sends itself a mail to see whether mail works. This "
                                   "one may be deleted.";
        time_t now = time(NULL);
        struct tm tm;
        char date[64];

        gmtime_r(&now, &tm);
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
        buf_addf(out, "From: <%s>\nTo: <%s>\nSubject: canary %s\nDate: %s\nMessage-ID: <%s@%s>\n",
                 from, r->c->canary.mailbox, r->id, date, r->id,
                 strrchr(r->c->canary.mailbox, '@') + 1);
        buf_addf(out, HEADER ": %s\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n", r->id);
        buf_addf(out, "Content-Type: text/plain; charset=us-ascii\n\n%s\n\ntoken %s\n", TEXT,
                 r->token);
}

static const struct through_row {
        enum probe probe;
        enum talk_tls tls;
        bool login;
} THROUGH[] = {
        [CONFIG_THROUGH_SMTP] = { PROBE_SMTP, TALK_PLAIN, false },
        [CONFIG_THROUGH_SUBMISSION] = { PROBE_SUBMISSION, TALK_STARTTLS, true },
        [CONFIG_THROUGH_SMTPS] = { PROBE_SMTPS, TALK_TLS, true },
};

static int server_of(const struct canary_run *r, enum probe probe, char address[64], char where[80],
                     struct mail_server *ret)
{
        const struct config *c = r->c;
        unsigned port = 0;
        int e = config_probe_where(config_probe_value(c, probe), c->probe.host, address, 64, &port);

        snprintf(where, 80, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
        *ret = (struct mail_server){ .host = *c->probe.name ? c->probe.name : address,
                                     .address = address,
                                     .port = port,
                                     .helo = c->probe.name,
                                     .timeout = c->canary.timeout };
        return e;
}

static void send_it(struct canary_run *r)
{
        const struct through_row *row = &THROUGH[r->c->canary.through];
        const char *from = *r->c->canary.from ? r->c->canary.from : r->c->canary.mailbox;
        const char *const to[] = { r->c->canary.mailbox, NULL };
        CLEANUP(buf_done) struct buf data = BUF(4096), why = BUF(512);
        struct mail_server s;
        char address[64] = "";

        int e = server_of(r, row->probe, address, r->smtp_at, &s);
        s.tls = row->tls;
        s.user = row->login ? r->c->canary.mailbox : NULL;
        s.password = row->login ? r->password : NULL;
        write_message(r, from, &data);
        r->sent_at = loop_now(r->loop);
        if (e == 0)
                e = mail_send(r->loop, &s,
                              &(struct smtp_message){ .from = from, .to = to, .data = data.data },
                              on_sent, r, &why, &r->mail);
        if (e < 0) {
                settle(r, CANARY_SETUP, "%s: %s", PROBES[row->probe].name,
                       why.len ? buf_str(&why) : "it is published nowhere");
                finish(r);
        }
}

/* ---- logging in ---- */

static void on_selected(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error < 0) {
                settle(r, canary_of_imap(a->error, true), "%s", a->message);
                try_to_store(r); /* a full disk may be why */
                return;
        }
        timer_clear(&r->deadline); /* sending has its own */
        send_it(r);
}

static void on_login(void *arg, const struct imap_answer *a)
{
        struct canary_run *r = arg;

        if (a->error < 0) {
                enum canary_reason reason = canary_of_imap(a->error, false);
                if (reason == CANARY_TLS_FAILED && a->connected)
                        reason = CANARY_IMAP_DOWN; /* it speaks, but no IMAP */
                settle(r, reason, "%s", a->message);
                finish(r);
                return;
        }
        r->login = loop_now(r->loop) - r->began;
        go(r, "SELECT INBOX", "answer to SELECT", NULL, on_selected);
}

static void on_deadline(void *arg)
{
        struct canary_run *r = arg;
        const char *awaits = r->imap ? imap_awaits(r->imap) : "";

        settle(r, r->login < 0 ? CANARY_IMAP_SILENT : CANARY_MAILBOX_FAILED, "%s%s: no %s in time",
               r->missing ? "it did not come, and " : "", r->imap_at, *awaits ? awaits : "mail");
        imap_free(take_ptr(r->imap));
        finish(r);
}

static void on_kick(void *arg)
{
        struct canary_run *r = arg;
        CLEANUP(buf_done) struct buf why = BUF(512);
        struct mail_server s;
        char address[64] = "";

        r->began = loop_now(r->loop);
        int e = secret_read(r->c->canary.password_file, &r->password, &why);
        if (e == 0)
                e = server_of(r, PROBE_IMAPS, address, r->imap_at, &s);
        if (e == 0) {
                s.tls = TALK_TLS;
                s.user = r->c->canary.mailbox;
                s.password = r->password;
                s.timeout = 12 * look_time(r); /* each step has its own */
                timer_set(&r->deadline, r->c->canary.timeout);
                e = imap_open(r->loop, &s, on_login, r, &why, &r->imap);
        }
        if (e < 0) {
                settle(r, CANARY_SETUP, "%s", why.len ? buf_str(&why) : strerror(-e));
                finish(r);
        }
}

static int fill_random(char *text, size_t bytes)
{
        unsigned char raw[TOKEN_BYTES];

        if (bytes > sizeof raw || getrandom(raw, bytes, 0) != (ssize_t)bytes)
                return -EIO;
        hex_text(raw, bytes, text);
        return 0;
}

int canary_run_new(struct loop *l, const struct config *c, canary_fn fn, void *arg,
                   struct canary_run **ret)
{
        struct canary_run *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        *r = (struct canary_run){
                .loop = l, .c = c, .fn = fn, .arg = arg, .delivery = -1, .login = -1
        };
        str_copy(r->message, sizeof r->message, "delivered");
        int e = fill_random(r->id, ID_BYTES);
        if (e == 0)
                e = fill_random(r->token, TOKEN_BYTES);
        if (e == 0)
                e = timer_init(&r->kick, l, on_kick, r);
        if (e == 0)
                e = timer_init(&r->poll, l, on_poll, r);
        if (e == 0)
                e = timer_init(&r->deadline, l, on_deadline, r);
        if (e < 0) {
                canary_run_free(r);
                return e;
        }
        timer_set(&r->kick, 0);
        *ret = r;
        return 0;
}
