/* One function per protocol in DIALOGS[]. Sources: RFC 5321 (SMTP), 3207 (STARTTLS), 9051 (IMAP),
 * 5804 (ManageSieve), 9112 (HTTP/1), the RESP specification (redis). */
#include "hamon/probe_proto.h"

#include <ctype.h>
#include <string.h>

static bool starts(const char *line, const char *word)
{
        return strncmp(line, word, strlen(word)) == 0;
}

/* Foreign bytes go into a log and a terminal. */
static enum proto_next bad(const char *line, struct buf *why)
{
        buf_adds(why, "answers ");
        for (size_t i = 0; i < 80 && line[i]; i++)
                buf_addf(why, "%c", isprint((unsigned char)line[i]) ? line[i] : '?');
        if (!*line)
                buf_adds(why, "with an empty line");
        return PROTO_FAIL;
}

/* The last line of an answer "250-a" "250-b" "250 c". */
static bool is_last(const char *line)
{
        return strlen(line) >= 3 && line[3] != '-';
}

enum { SMTP_GREETING, SMTP_EHLO, SMTP_STARTTLS };

static enum proto_next smtp(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        static const char *const WANT[] = { "220", "250", "220" };

        if (!starts(line, WANT[p->step]))
                return bad(line, why);
        if (p->step == SMTP_EHLO && strcasecmp(line + MIN(strlen(line), 4U), "STARTTLS") == 0)
                p->starttls = true;
        if (!is_last(line))
                return PROTO_MORE;
        if (p->step == SMTP_STARTTLS)
                return PROTO_TLS;
        if (p->step == SMTP_GREETING) {
                buf_adds(say, "EHLO hamon.local\r\n");
                p->step = SMTP_EHLO;
                return PROTO_MORE;
        }
        if (p->kind != KIND_SUBMISSION) {
                buf_adds(say, "QUIT\r\n");
                return PROTO_PASS;
        }
        if (!p->starttls) {
                buf_adds(why, "does not offer STARTTLS");
                return PROTO_FAIL;
        }
        buf_adds(say, "STARTTLS\r\n");
        p->step = SMTP_STARTTLS;
        return PROTO_MORE;
}

static enum proto_next imap(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        (void)p;
        if (!starts(line, "* OK") && !starts(line, "* PREAUTH"))
                return bad(line, why);
        buf_adds(say, "a LOGOUT\r\n");
        return PROTO_PASS;
}

static enum proto_next pop3(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        (void)p;
        if (!starts(line, "+OK"))
                return bad(line, why);
        buf_adds(say, "QUIT\r\n");
        return PROTO_PASS;
}

static enum proto_next sieve(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        if (*line == '"')
                return PROTO_MORE; /* a capability */
        if (p->lines < 2 || strncasecmp(line, "OK", 2) != 0)
                return bad(line, why);
        buf_adds(say, "LOGOUT\r\n");
        return PROTO_PASS;
}

/* The status of "HTTP/1.1 200 OK", 0 if it is no such line. */
static unsigned http_status(const char *line)
{
        unsigned status = 0;

        if (!starts(line, "HTTP/1.") || strlen(line) < 12 || line[8] != ' ')
                return 0;
        for (size_t i = 9; i < 12; i++) {
                if (!isdigit((unsigned char)line[i]))
                        return 0;
                status = status * 10 + (unsigned)(line[i] - '0');
        }
        return status;
}

static enum proto_next web(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        unsigned status = http_status(line);

        (void)say;
        if (status < 200 || (p->kind == KIND_RSPAMD ? status != 200 : status >= 500))
                return bad(line, why);
        return PROTO_PASS;
}

enum { REDIS_AUTH, REDIS_PING };

static enum proto_next redis(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        (void)say;
        if (p->step == REDIS_AUTH) { /* the PING behind it tells if that was enough */
                p->step = REDIS_PING;
                return *line == '+' || *line == '-' ? PROTO_MORE : bad(line, why);
        }
        return strcmp(line, "+PONG") == 0 ? PROTO_PASS : bad(line, why);
}

static enum proto_next nothing(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        (void)p;
        (void)say;
        return bad(line, why);
}

static enum proto_next (*const DIALOGS[KIND_COUNT_])(struct proto *, const char *, struct buf *,
                                                     struct buf *) = {
        [KIND_SMTP] = smtp,  [KIND_SUBMISSION] = smtp, [KIND_IMAP] = imap,
        [KIND_POP3] = pop3,  [KIND_SIEVE] = sieve,     [KIND_WEB] = web,
        [KIND_RSPAMD] = web, [KIND_REDIS] = redis,     [KIND_VOLUME] = nothing,
};

void proto_begin(struct proto *p, struct buf *say)
{
        switch (p->kind) {
        case KIND_WEB:
                buf_addf(say, "GET / HTTP/1.0\r\nHost: %s\r\nUser-Agent: hamon\r\n\r\n", p->host);
                break;
        case KIND_RSPAMD:
                buf_adds(say, "GET /ping HTTP/1.0\r\nUser-Agent: hamon\r\n\r\n");
                break;
        case KIND_REDIS:
                p->step = *p->password ? REDIS_AUTH : REDIS_PING;
                if (*p->password) /* counted, so that any byte may be in it */
                        buf_addf(say, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(p->password),
                                 p->password);
                buf_adds(say, "*1\r\n$4\r\nPING\r\n");
                break;
        default:
                break;
        }
}

enum proto_next proto_line(struct proto *p, const char *line, struct buf *say, struct buf *why)
{
        if (++p->lines > PROTO_LINES_MAX) {
                buf_adds(why, "answers without end");
                return PROTO_FAIL;
        }
        return DIALOGS[p->kind](p, line, say, why);
}

enum proto_next proto_secured(struct proto *p, struct buf *say)
{
        (void)p;
        buf_adds(say, "QUIT\r\n");
        return PROTO_PASS;
}

const char *proto_awaits(const struct proto *p)
{
        static const char *const SMTP_WAITS[] = { "greeting", "answer to EHLO",
                                                  "answer to STARTTLS" };

        if (p->kind == KIND_SMTP || p->kind == KIND_SUBMISSION)
                return SMTP_WAITS[p->step];
        return p->kind == KIND_IMAP || p->kind == KIND_SIEVE ? "greeting" : "answer";
}
