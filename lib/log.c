/* The logger of log.h. A line is built in one fixed buffer and leaves in one write that never
 * waits: a socket (journald) gets MSG_DONTWAIT, anything else is opened anew through /proc/self/fd
 * with O_NONBLOCK, because that flag on the inherited description would change it for our parent
 * (the operator's terminal) too. */
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const LOG_LEVELS[] = { "debug", "info", "warn", "error", NULL };

enum { LINE_MAX_BYTES = 2048 };

static struct {
        int fd;
        bool owned, socket;
        enum log_level min;
        const char *node;
        uint64_t dropped, reported;
} out = { .fd = STDERR_FILENO, .min = LOG_INFO };

struct line {
        char s[LINE_MAX_BYTES];
        size_t len;
};

void log_init(int fd, enum log_level min)
{
        struct stat st;
        char path[32];

        log_done();
        out.min = min;
        out.fd = fd;
        out.socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
        if (out.socket)
                return;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int again = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (again >= 0) {
                out.fd = again;
                out.owned = true;
        }
}

void log_done(void)
{
        if (out.owned)
                close(out.fd);
        out.owned = out.socket = false;
        out.fd = STDERR_FILENO;
        out.dropped = out.reported = 0;
}

void log_set_level(enum log_level min)
{
        out.min = min;
}

void log_set_node(const char *name)
{
        out.node = name;
}

uint64_t log_dropped(void)
{
        return out.dropped;
}

static void put(struct line *l, const char *s, size_t len)
{
        size_t room = sizeof l->s - 1 - l->len; /* one byte stays for the newline */

        len = MIN(len, room);
        memcpy(l->s + l->len, s, len);
        l->len += len;
}

static void puts_(struct line *l, const char *s)
{
        put(l, s, strlen(s));
}

static bool plain(const char *s)
{
        if (!*s)
                return false;
        for (; *s; s++)
                if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
                        return false;
        return true;
}

/* The one escaping function for log values: quotes and control characters cannot forge a field. */
static void put_value(struct line *l, const char *s)
{
        if (plain(s)) {
                puts_(l, s);
                return;
        }
        puts_(l, "\"");
        for (; *s; s++) {
                char esc[8];
                unsigned char c = (unsigned char)*s;
                if (c == '"' || c == '\\')
                        snprintf(esc, sizeof esc, "\\%c", c);
                else if (c == '\n')
                        snprintf(esc, sizeof esc, "\\n");
                else if (c < ' ' || c == 0x7f)
                        snprintf(esc, sizeof esc, "\\x%02x", c);
                else
                        snprintf(esc, sizeof esc, "%c", c);
                puts_(l, esc);
        }
        puts_(l, "\"");
}

static void put_str_field(struct line *l, const char *key, const char *value)
{
        puts_(l, " ");
        puts_(l, key);
        puts_(l, "=");
        put_value(l, value);
}

static void put_field(struct line *l, const struct log_field *f)
{
        char num[24];

        if (f->str) {
                put_str_field(l, f->key, f->str);
                return;
        }
        snprintf(num, sizeof num, "%lld", (long long)f->num);
        put_str_field(l, f->key, num);
}

static bool leave(const struct line *l)
{
        ssize_t n = out.socket ? send(out.fd, l->s, l->len, MSG_DONTWAIT | MSG_NOSIGNAL)
                               : write(out.fd, l->s, l->len);

        return n == (ssize_t)l->len;
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields)
{
        struct line l = { .len = 0 };

        if (level < out.min)
                return;

        puts_(&l, "level=");
        puts_(&l, LOG_LEVELS[level]);
        put_str_field(&l, "event", event);
        if (out.node)
                put_str_field(&l, "node", out.node);
        for (const struct log_field *f = fields; f->key; f++)
                put_field(&l, f);
        if (out.dropped > out.reported) {
                struct log_field lost = LI("log_lines_lost", out.dropped - out.reported);
                put_field(&l, &lost);
        }
        l.s[l.len++] = '\n';

        if (leave(&l))
                out.reported = out.dropped;
        else
                out.dropped++;
}
