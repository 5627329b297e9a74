/* STEPS[] says per step which answer is good and what is waited for; take_answer() what comes next.
 */
#include "lib/smtp.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { LINES_MAX = 256, SHOWN_MAX = 200, NAME_MAX_ = 320, SECRET_MAX_ = 1024 };

static const struct step {
        const char *awaits;
        int good; /* its first digits: 2 = any 2xx, 334 = just that */
} STEPS[SMTP_STEP_COUNT_] = {
        [SMTP_GREETING] = { "greeting", 220 },
        [SMTP_HELLO] = { "answer to EHLO", 250 },
        [SMTP_STARTTLS] = { "answer to STARTTLS", 220 },
        [SMTP_LOGIN] = { "answer to the login", 235 },
        [SMTP_LOGIN_USER] = { "question for the user name", 334 },
        [SMTP_LOGIN_PASSWORD] = { "question for the password", 334 },
        [SMTP_SENDER] = { "answer to MAIL FROM", 2 },
        [SMTP_RECIPIENT] = { "answer to RCPT TO", 2 },
        [SMTP_DATA] = { "answer to DATA", 354 },
        [SMTP_MESSAGE] = { "answer to the message", 2 },
        [SMTP_QUIT] = { "goodbye", 221 },
};

const char *smtp_awaits(enum smtp_step step)
{
        return STEPS[step].awaits;
}

/* ---- what may be said at all ---- */

/* An address goes into a command line: nothing that could end it, or its angle brackets. */
static bool address_fine(const char *a)
{
        const char *at = strrchr(a, '@');

        if (!at || at == a || !at[1] || strlen(a) > NAME_MAX_)
                return false;
        for (const char *p = a; *p; p++)
                if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("<>\",;\\", *p))
                        return false;
        return true;
}

static int check_addresses(const struct smtp_message *m, struct buf *why)
{
        size_t n = 0;

        if (*m->from && !address_fine(m->from)) {
                buf_addf(why, "\"%s\" is no address to send from", m->from);
                return -EINVAL;
        }
        for (; m->to[n]; n++)
                if (!address_fine(m->to[n])) {
                        buf_addf(why, "\"%s\" is no address to send to", m->to[n]);
                        return -EINVAL;
                }
        if (n == 0 || n > SMTP_RECIPIENTS_MAX) {
                buf_addf(why, "%zu recipients; 1 to %d are possible", n, SMTP_RECIPIENTS_MAX);
                return -EINVAL;
        }
        return 0;
}

int smtp_check(const struct smtp *s, bool tls, struct buf *why)
{
        if (s->user && !tls) {
                buf_adds(why, "a password is not sent without TLS");
                return -EINVAL;
        }
        if (s->user && (strlen(s->user) > NAME_MAX_ || strlen(s->password) > SECRET_MAX_)) {
                buf_addf(why, "user name or password are too long (%d, %d)", NAME_MAX_,
                         SECRET_MAX_);
                return -EINVAL;
        }
        for (const char *p = s->helo; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("-.:[]_", *p)) {
                        buf_addf(why, "\"%s\" is no name to greet with", s->helo);
                        return -EINVAL;
                }
        return s->message ? check_addresses(s->message, why) : 0;
}

/* ---- what the server says ---- */

/* Foreign bytes go into a log and a terminal. */
static void show(const char *line, struct buf *out)
{
        for (const char *p = line; *p && p - line < SHOWN_MAX; p++)
                buf_addf(out, "%c", isprint((unsigned char)*p) ? *p : '?');
        if (!*line)
                buf_adds(out, "an empty line");
}

/* "250-text", "250 text", "250": the code; -1 if it is none. */
static int code_of(const char *line, bool *ret_last)
{
        for (size_t i = 0; i < 3; i++)
                if (!isdigit((unsigned char)line[i]))
                        return -1;
        if (line[3] != '\0' && line[3] != ' ' && line[3] != '-')
                return -1;
        *ret_last = line[3] != '-';
        return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

static bool has_word(const char *list, const char *word)
{
        size_t len = strlen(word);

        for (const char *p = list; *p;) {
                size_t n = strcspn(p, " =");
                if (n == len && strncasecmp(p, word, n) == 0)
                        return true;
                p += n;
                p += strspn(p, " =");
        }
        return false;
}

static void note_offer(struct smtp *s, const char *line)
{
        const char *text = line[3] ? line + 4 : "";

        if (strcasecmp(text, "STARTTLS") == 0)
                s->offers.starttls = true;
        if (strcasecmp(text, "8BITMIME") == 0)
                s->offers.eightbit = true;
        if (strncasecmp(text, "AUTH", 4) == 0) {
                s->offers.plain = s->offers.plain || has_word(text, "PLAIN");
                s->offers.login = s->offers.login || has_word(text, "LOGIN");
        }
}

static int meaning(const struct smtp *s, int code)
{
        bool login = s->step >= SMTP_LOGIN && s->step <= SMTP_LOGIN_PASSWORD;

        if (code >= 400 && code < 500)
                return -EAGAIN;
        if (code >= 500 && code < 600)
                return login ? -EACCES : -EPERM;
        return -EPROTO;
}

static enum smtp_next fail(struct buf *say, int error, int *ret_error)
{
        buf_adds(say, "QUIT\r\n");
        *ret_error = error;
        return SMTP_FAILED;
}

static enum smtp_next lacks(const char *what, struct buf *say, struct buf *why, int *ret_error)
{
        buf_addf(why, "does not offer %s", what);
        return fail(say, -ENOTSUP, ret_error);
}

static enum smtp_next refused(struct smtp *s, const char *line, struct buf *say, struct buf *why,
                              int *ret_error)
{
        buf_addf(why, "%s: ", STEPS[s->step].awaits);
        show(line, why);
        return fail(say, meaning(s, s->code), ret_error);
}

/* ---- what we say ---- */

static void add_base64(struct buf *out, const unsigned char *data, size_t len)
{
        char text[2 * (NAME_MAX_ + SECRET_MAX_)]; /* 4/3 of it, and a NUL */

        EVP_EncodeBlock((unsigned char *)text, data, (int)len);
        buf_addf(out, "%s\r\n", text);
        explicit_bzero(text, sizeof text);
}

static void say_plain(const struct smtp *s, struct buf *say)
{
        char both[NAME_MAX_ + SECRET_MAX_ + 3];
        int len = snprintf(both, sizeof both, "%c%s%c%s", '\0', s->user, '\0', s->password);

        buf_adds(say, "AUTH PLAIN ");
        add_base64(say, (const unsigned char *)both, (size_t)len);
        explicit_bzero(both, sizeof both);
}

static enum smtp_next say_sender(struct smtp *s, struct buf *say)
{
        if (!s->message) {
                buf_adds(say, "QUIT\r\n");
                return SMTP_DONE;
        }
        buf_addf(say, "MAIL FROM:<%s>%s\r\n", s->message->from,
                 s->offers.eightbit ? " BODY=8BITMIME" : "");
        s->step = SMTP_SENDER;
        return SMTP_MORE;
}

static enum smtp_next after_hello(struct smtp *s, struct buf *say, struct buf *why, int *ret_error)
{
        if (s->starttls && !s->secured) {
                if (!s->offers.starttls)
                        return lacks("STARTTLS", say, why, ret_error);
                buf_adds(say, "STARTTLS\r\n");
                s->step = SMTP_STARTTLS;
                return SMTP_MORE;
        }
        if (!s->user)
                return say_sender(s, say);
        if (!s->offers.plain && !s->offers.login)
                return lacks("a login with a password (AUTH PLAIN or LOGIN)", say, why, ret_error);
        if (s->offers.plain)
                say_plain(s, say);
        else
                buf_adds(say, "AUTH LOGIN\r\n");
        s->step = s->offers.plain ? SMTP_LOGIN : SMTP_LOGIN_USER;
        return SMTP_MORE;
}

static enum smtp_next say_recipient(struct smtp *s, struct buf *say)
{
        const char *to = s->message->to[s->next++];

        if (to)
                buf_addf(say, "RCPT TO:<%s>\r\n", to);
        else
                buf_adds(say, "DATA\r\n");
        s->step = to ? SMTP_RECIPIENT : SMTP_DATA;
        return SMTP_MORE;
}

/* One that does not exist must not keep the others from their mail. */
static enum smtp_next after_recipient(struct smtp *s, const char *line, bool good, struct buf *say,
                                      struct buf *why, int *ret_error)
{
        if (good)
                s->accepted++;
        else if (s->refused++ == 0) {
                CLEANUP(buf_done) struct buf text = BUF(sizeof s->first);
                show(line, &text);
                str_copy(s->first, sizeof s->first, buf_str(&text));
                s->first_error = meaning(s, s->code);
        }
        if (s->message->to[s->next] || s->accepted > 0)
                return say_recipient(s, say);
        buf_addf(why, "%s: %s", STEPS[SMTP_RECIPIENT].awaits, s->first);
        return fail(say, s->first_error, ret_error);
}

static enum smtp_next take_good(struct smtp *s, struct buf *say, struct buf *why, int *ret_error)
{
        switch (s->step) {
        case SMTP_GREETING:
                buf_addf(say, "EHLO %s\r\n", s->helo);
                s->step = SMTP_HELLO;
                return SMTP_MORE;
        case SMTP_HELLO:
                return after_hello(s, say, why, ret_error);
        case SMTP_STARTTLS:
                return SMTP_SECURE;
        case SMTP_LOGIN_USER:
                add_base64(say, (const unsigned char *)s->user, strlen(s->user));
                s->step = SMTP_LOGIN_PASSWORD;
                return SMTP_MORE;
        case SMTP_LOGIN_PASSWORD:
                add_base64(say, (const unsigned char *)s->password, strlen(s->password));
                s->step = SMTP_LOGIN;
                return SMTP_MORE;
        case SMTP_LOGIN:
                return say_sender(s, say);
        case SMTP_SENDER:
                return say_recipient(s, say);
        case SMTP_DATA:
                s->step = SMTP_MESSAGE;
                return smtp_wire(s->message->data, say) == 0 ? SMTP_MORE
                                                             : fail(say, -ENOMEM, ret_error);
        default: /* SMTP_MESSAGE: it is theirs now */
                buf_adds(say, "QUIT\r\n");
                s->step = SMTP_QUIT;
                return SMTP_DONE;
        }
}

enum smtp_next smtp_line(struct smtp *s, const char *line, struct buf *say, struct buf *why,
                         int *ret_error)
{
        bool last = true;
        int code = code_of(line, &last);
        int good = STEPS[s->step].good;

        s->code = code < 0 ? 0 : code;
        if (code < 0 || ++s->lines > LINES_MAX) {
                buf_addf(why, "%s: ", STEPS[s->step].awaits);
                if (code < 0)
                        show(line, why);
                else
                        buf_adds(why, "it has no end");
                return fail(say, -EPROTO, ret_error);
        }
        bool fine = code == good || (good < 10 && code / 100 == good);
        if (fine && s->step == SMTP_HELLO)
                note_offer(s, line);
        if (!last)
                return SMTP_MORE;
        s->lines = 0;
        if (s->step == SMTP_RECIPIENT)
                return after_recipient(s, line, fine, say, why, ret_error);
        return fine ? take_good(s, say, why, ret_error) : refused(s, line, say, why, ret_error);
}

/* What was offered in the clear counts for nothing. */
void smtp_secured(struct smtp *s, struct buf *say)
{
        s->secured = true;
        s->offers.starttls = s->offers.plain = s->offers.login = s->offers.eightbit = false;
        buf_addf(say, "EHLO %s\r\n", s->helo);
        s->step = SMTP_HELLO;
}

int smtp_wire(const char *data, struct buf *out)
{
        for (const char *p = data; *p;) {
                size_t len = strcspn(p, "\r\n");
                if (*p == '.')
                        buf_adds(out, ".");
                buf_add(out, p, len);
                buf_adds(out, "\r\n");
                p += len;
                if (*p == '\r')
                        p++;
                if (*p == '\n')
                        p++;
        }
        return buf_adds(out, ".\r\n");
}
