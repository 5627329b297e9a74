/* One talk; take_line() is the dialog. */
#include "lib/imap.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 200, SECRET_SIZE = 1400, COMMAND_MAX = 8192 };

enum step { GREETING, STARTTLS, LOGIN, COMMAND, IDLE, BYE };

struct imap {
        struct talk *talk;
        enum step step;
        bool starttls, connected, leaving;
        unsigned tag;
        char secret[SECRET_SIZE]; /* base64 of what AUTHENTICATE PLAIN wants */
        char *literal;
        size_t coming; /* bytes of a literal that are not here yet */
        const char *awaits;
        struct buf data;
        imap_fn fn;
        void *arg;
};

void imap_free(struct imap *i)
{
        if (!i)
                return;
        talk_free(i->talk);
        explicit_bzero(i->secret, sizeof i->secret);
        free(i->literal);
        buf_done(&i->data);
        free(i);
}

/* ---- answers ---- */

/* i may be gone after this. */
static void answer(struct imap *i, int error, const char *why)
{
        imap_fn fn = i->fn;
        struct buf data = i->data; /* the next command begins with none */

        i->fn = NULL;
        i->awaits = "";
        free(take_ptr(i->literal));
        buf_init(&i->data, IMAP_ANSWER_MAX);
        if (fn)
                fn(i->arg, &(struct imap_answer){ .error = error,
                                                  .connected = i->connected,
                                                  .message = why,
                                                  .data = buf_str(&data),
                                                  .len = data.len });
        buf_done(&data);
}

static void fail(struct imap *i, int error, const char *why)
{
        i->step = BYE;
        talk_leave(i->talk);
        answer(i, error, why);
}

/* Foreign bytes go into a log and a terminal. */
static void show(const char *line, struct buf *out)
{
        for (const char *p = line; *p && p - line < SHOWN_MAX; p++)
                buf_addf(out, "%c", isprint((unsigned char)*p) ? *p : '?');
        if (!*line)
                buf_adds(out, "an empty line");
}

/* What a NO means: RFC 9051, 7.1, and what Dovecot says without a code when a disk is full. */
static const struct no_row {
        const char *text;
        int error;
} NO[] = {
        { "[OVERQUOTA]", -ENOSPC },   { "[LIMIT]", -ENOSPC },
        { "disk space", -ENOSPC },    { "Quota exceeded", -ENOSPC },
        { "[UNAVAILABLE]", -EAGAIN }, { "[INUSE]", -EAGAIN },
        { "[SERVERBUG]", -EAGAIN },   { "[AUTHENTICATIONFAILED]", -EACCES },
};

static int meaning(const struct imap *i, const char *status)
{
        if (strncasecmp(status, "NO", 2) != 0)
                return -EPROTO;
        for (size_t k = 0; k < ARRAY_SIZE(NO); k++)
                if (strcasestr(status, NO[k].text))
                        return NO[k].error;
        return i->step == LOGIN ? -EACCES : -EPERM;
}

static void refuse(struct imap *i, int error, const char *line)
{
        CLEANUP(buf_done) struct buf why = BUF(1024);

        buf_addf(&why, "%s: %s: ", talk_where(i->talk), i->awaits);
        show(line, &why);
        if (i->step == COMMAND && error != -EPROTO && error != -EFBIG) {
                i->step = IDLE;
                answer(i, error, buf_str(&why));
        } else {
                fail(i, error, buf_str(&why));
        }
}

/* ---- the dialog ---- */

static void say(struct imap *i, enum step step, const char *awaits, const char *text)
{
        char tag[16];

        i->step = step;
        i->awaits = awaits;
        snprintf(tag, sizeof tag, "a%u ", ++i->tag);
        talk_say(i->talk, tag, strlen(tag));
        talk_say(i->talk, text, strlen(text));
        talk_say(i->talk, "\r\n", 2);
}

static void log_in(struct imap *i)
{
        say(i, LOGIN, "answer to the login", "AUTHENTICATE PLAIN");
}

static bool take_greeting(struct imap *i, const char *line)
{
        if (strncasecmp(line, "* OK", 4) != 0) {
                refuse(i, strncasecmp(line, "* BYE", 5) == 0 ? -EAGAIN : -EPROTO, line);
                return false;
        }
        if (i->starttls)
                say(i, STARTTLS, "answer to STARTTLS", "STARTTLS");
        else
                log_in(i);
        return true;
}

static bool take_status(struct imap *i, const char *line, const char *status)
{
        if (strncasecmp(status, "OK", 2) != 0) {
                refuse(i, meaning(i, status), line);
        } else if (i->step == STARTTLS) {
                talk_secure(i->talk);
                return false;
        } else {
                explicit_bzero(i->secret, sizeof i->secret);
                i->step = IDLE;
                answer(i, 0, "answered");
        }
        return true;
}

/* "… {123}" at the end of a line: so many bytes follow that are none. -1 = not so. */
static int64_t literal_size(const char *line)
{
        const char *brace = strrchr(line, '{');
        char digits[24];
        uint64_t n;

        if (!brace || !str_copy(digits, sizeof digits, brace + 1))
                return -1;
        char *end = strchr(digits, '}');
        if (!end || end[1])
                return -1;
        *end = '\0';
        return parse_uint(digits, 0, INT32_MAX, &n) == 0 ? (int64_t)n : -1;
}

static bool take_untagged(struct imap *i, const char *line, size_t len)
{
        int64_t n = literal_size(line);

        buf_add(&i->data, line, len);
        buf_adds(&i->data, "\n");
        if (i->data.error || n > IMAP_ANSWER_MAX) {
                refuse(i, -EFBIG, "it has no end");
                return false;
        }
        if (n > 0) {
                i->coming = (size_t)n;
                talk_expect(i->talk, i->coming);
        }
        return true;
}

static bool take_more(struct imap *i, const char *line)
{
        const char *what = i->step == LOGIN ? i->secret : i->literal;

        if (!what || !*what) {
                refuse(i, -EPROTO, line);
                return false;
        }
        talk_say(i->talk, what, strlen(what));
        talk_say(i->talk, "\r\n", 2);
        if (i->step == LOGIN)
                explicit_bzero(i->secret, sizeof i->secret);
        else
                free(take_ptr(i->literal));
        return true;
}

static bool on_line(void *arg, const char *line, size_t len)
{
        struct imap *i = arg;
        char tag[16];

        snprintf(tag, sizeof tag, "a%u ", i->tag);
        if (i->step == GREETING)
                return take_greeting(i, line);
        if (i->step == IDLE || i->step == BYE)
                return true; /* news nobody asked for */
        if (strncmp(line, tag, strlen(tag)) == 0)
                return take_status(i, line, line + strlen(tag));
        if (line[0] == '+')
                return take_more(i, line);
        if (i->step != COMMAND && strncmp(line, "* ", 2) == 0)
                return true; /* capabilities */
        return take_untagged(i, line, len);
}

static void on_bytes(void *arg, const char *data, size_t len)
{
        struct imap *i = arg;

        i->coming -= MIN(i->coming, len);
        buf_add(&i->data, data, len);
        if (i->data.error)
                refuse(i, -EFBIG, "it has no end");
}

static void on_open(void *arg)
{
        struct imap *i = arg;

        i->connected = true;
        if (i->step == STARTTLS)
                log_in(i);
}

static void on_end(void *arg, int error, enum talk_stage stage, const char *why)
{
        struct imap *i = arg;
        char text[512];

        i->step = BYE;
        if (i->leaving)
                error = 0;
        snprintf(text, sizeof text, "%s", why);
        if (stage == TALK_OPEN && *i->awaits)
                snprintf(text, sizeof text,
                         error == -ETIMEDOUT ? "%s: no %s in time" : "%s hung up before its %s",
                         talk_where(i->talk), i->awaits);
        answer(i, error || i->leaving ? error : -ECONNRESET, text);
}

/* ---- the outside ---- */

static int set_secret(struct imap *i, const struct mail_server *s, struct buf *why)
{
        char both[SECRET_SIZE / 4 * 3 - 3];

        if (!s->user || !*s->user || !s->password || s->tls == TALK_PLAIN) {
                buf_adds(why, "IMAP wants a user, a password and TLS");
                return -EINVAL;
        }
        int len = snprintf(both, sizeof both, "%c%s%c%s", '\0', s->user, '\0', s->password);
        if (len < 0 || (size_t)len >= sizeof both) {
                buf_adds(why, "user name and password are too long");
                return -EINVAL;
        }
        EVP_EncodeBlock((unsigned char *)i->secret, (const unsigned char *)both, len);
        explicit_bzero(both, sizeof both);
        return 0;
}

int imap_open(struct loop *l, const struct mail_server *s, imap_fn fn, void *arg, struct buf *why,
              struct imap **ret)
{
        struct imap *i = calloc(1, sizeof *i);

        if (!i)
                return -ENOMEM;
        i->fn = fn;
        i->arg = arg;
        i->awaits = "greeting";
        i->starttls = s->tls == TALK_STARTTLS;
        buf_init(&i->data, IMAP_ANSWER_MAX);
        int r = set_secret(i, s, why);
        if (r == 0) {
                const struct talk_config c = { .host = s->host,
                                               .address = s->address,
                                               .port = s->port,
                                               .tls = s->tls,
                                               .verify = s->verify,
                                               .ca_file = s->ca_file,
                                               .timeout = s->timeout,
                                               .arg = i,
                                               .on_open = on_open,
                                               .on_line = on_line,
                                               .on_bytes = on_bytes,
                                               .on_end = on_end };
                r = talk_new(l, &c, &i->talk);
                if (r < 0)
                        buf_addf(why, "\"%s\", port %u: %s", s->host, s->port, strerror(-r));
        }
        if (r < 0) {
                imap_free(i);
                return r;
        }
        *ret = i;
        return 0;
}

int imap_do(struct imap *i, const struct imap_command *c, imap_fn fn, void *arg)
{
        if (i->step == BYE)
                return -ENOTCONN;
        if (i->step != IDLE)
                return -EBUSY;
        if (strpbrk(c->text, "\r\n") || strlen(c->text) > COMMAND_MAX)
                return -EINVAL;
        i->literal = c->literal ? strdup(c->literal) : NULL;
        if (c->literal && !i->literal)
                return -ENOMEM;
        i->fn = fn;
        i->arg = arg;
        say(i, COMMAND, c->awaits, c->text);
        return 0;
}

const char *imap_awaits(const struct imap *i)
{
        return i->awaits;
}

bool imap_leave(struct imap *i, imap_fn fn, void *arg)
{
        if (i->step != IDLE)
                return false;
        i->fn = fn;
        i->arg = arg;
        i->leaving = true;
        say(i, BYE, "", "LOGOUT");
        talk_leave(i->talk);
        return true;
}

size_t imap_search(const char *data, uint32_t *all, size_t max)
{
        size_t n = 0;

        for (const char *p = data; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
                if (strncasecmp(p, "* SEARCH", 8) != 0)
                        continue;
                for (const char *d = p + 8; *d == ' ' && n < max;) {
                        uint64_t value = 0;
                        size_t digits = strspn(++d, "0123456789");
                        for (size_t k = 0; k < digits && value <= UINT32_MAX; k++)
                                value = value * 10 + (uint64_t)(d[k] - '0');
                        if (digits == 0 || value == 0 || value > UINT32_MAX)
                                break;
                        all[n++] = (uint32_t)value;
                        d += digits;
                }
        }
        return n;
}
