/* keepalived's files. The track_file is checked by reading it and put right by rename, because
 * keepalived takes a deleted, emptied or garbled one for 0 = fit. The fifo is read as a level: of
 * what came in one wake-up only the last state counts. Should the fifo be deleted or replaced, a
 * new one is made and the old one stays open beside it: a running keepalived goes on writing to the
 * old one until it is reloaded. */
#include "hamon/keepalived.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const VRRP_STATES[VRRP_COUNT_] = {
        [VRRP_UNKNOWN] = "UNKNOWN", [VRRP_BACKUP] = "BACKUP", [VRRP_MASTER] = "MASTER",
        [VRRP_FAULT] = "FAULT",     [VRRP_STOP] = "STOP",
};

enum {
        LINE_MAX_BYTES = 256,
        READ_BYTES = 4096,
        READS_PER_TURN = 16, /* one full pipe; more waits for the next turn of the loop */
        STATE_FILE_BYTES = 32,
};

struct ear {
        struct keepalived *owner;
        struct event *ev; /* NULL = closed */
        int fd;
        dev_t dev;
        ino_t ino;
        char line[LINE_MAX_BYTES]; /* what came since the last newline */
        size_t len;
        bool too_long;
};

struct keepalived {
        struct loop *loop;
        keepalived_fn fn;
        void *arg;
        char *track_file, *fifo, *state_file, *instance;
        enum vrrp_state state;
        struct ear ears[2]; /* the fifo, and the one it replaced */
        unsigned current;
        bool complained; /* about a fifo that cannot be made, once */
};

struct batch { /* of one wake-up */
        enum vrrp_state last;
        unsigned garbage;
};

/* ---- one line ---- */

struct words {
        const char *s;
        size_t len;
};

static const struct word_row {
        const char *word;
        enum vrrp_state state; /* UNKNOWN: news of keepalived, but no change of state */
} WORDS[] = {
        { "MASTER", VRRP_MASTER },
        { "BACKUP", VRRP_BACKUP },
        { "FAULT", VRRP_FAULT },
        { "STOP", VRRP_STOP },
        { "DELETED", VRRP_STOP }, /* the instance went with a reload (notify_deleted) */
        { "MASTER_RX_LOWER_PRI", VRRP_UNKNOWN },
        { "MASTER_PRIORITY", VRRP_UNKNOWN },
        { "BACKUP_PRIORITY", VRRP_UNKNOWN },
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static void trim_end(struct words *w)
{
        while (w->len > 0 && is_blank(w->s[w->len - 1]))
                w->len--;
}

/* Cuts the last word off; empty if there is none. */
static struct words cut_last(struct words *w)
{
        trim_end(w);
        size_t end = w->len;
        while (w->len > 0 && !is_blank(w->s[w->len - 1]))
                w->len--;
        return (struct words){ w->s + w->len, end - w->len };
}

static bool is_number(struct words w)
{
        for (size_t i = 0; i < w.len; i++)
                if (w.s[i] < '0' || w.s[i] > '9')
                        return false;
        return w.len > 0;
}

static bool is_word(struct words w, const char *word)
{
        return w.len == strlen(word) && strncasecmp(w.s, word, w.len) == 0;
}

/* What stands before the state: nothing, or INSTANCE|GROUP and a name, which may hold blanks. */
static bool is_origin(struct words w)
{
        size_t kind = 0;

        trim_end(&w);
        if (w.len == 0)
                return true;
        while (kind < w.len && !is_blank(w.s[kind]))
                kind++;
        struct words first = { w.s, kind };
        if (!is_word(first, "INSTANCE") && !is_word(first, "GROUP"))
                return false;
        while (kind < w.len && is_blank(w.s[kind]))
                kind++;
        struct words name = { w.s + kind, w.len - kind };
        if (name.len > 0 && name.s[0] == '"')
                return name.len > 2 && name.s[name.len - 1] == '"';
        return name.len > 0;
}

static void trim_start(struct words *w)
{
        while (w->len > 0 && is_blank(*w->s)) {
                w->s++;
                w->len--;
        }
}

/* The state, or what stands in its place; what stands before it is left in `rest`. */
static struct words cut_state(const char *line, struct words *rest)
{
        *rest = (struct words){ line, strlen(line) };
        trim_start(rest);
        struct words word = cut_last(rest);
        return is_number(word) ? cut_last(rest) : word; /* a number is the priority */
}

/* 0 and UNKNOWN: a line of keepalived's that tells no state. */
static int parse_line(const char *line, enum vrrp_state *ret)
{
        struct words rest, word = cut_state(line, &rest);

        if (!is_origin(rest))
                return -EINVAL;

        for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
                if (is_word(word, WORDS[i].word)) {
                        *ret = WORDS[i].state;
                        return 0;
                }
        }
        return -EINVAL;
}

int keepalived_parse(const char *line, enum vrrp_state *ret)
{
        enum vrrp_state s;

        int r = parse_line(line, &s);
        if (r < 0)
                return r;
        if (s == VRRP_UNKNOWN)
                return -EINVAL;
        *ret = s;
        return 0;
}

bool keepalived_concerns(const char *line, const char *instance)
{
        static const char KIND[] = "INSTANCE";
        struct words name;

        cut_state(line, &name);
        trim_end(&name);
        if (!*instance || name.len == 0)
                return true;
        if (name.len < sizeof KIND || strncasecmp(name.s, KIND, sizeof KIND - 1) != 0 ||
            !is_blank(name.s[sizeof KIND - 1]))
                return false;
        name.s += sizeof KIND - 1;
        name.len -= sizeof KIND - 1;
        trim_start(&name);
        if (name.len >= 2 && name.s[0] == '"') {
                name.s++;
                name.len -= 2;
        }
        return name.len == strlen(instance) && memcmp(name.s, instance, name.len) == 0;
}

/* ---- files ---- */

static int put_file(const char *path, const char *data)
{
        int r = write_file_atomic(path, 0644, data, strlen(data));

        if (r != -ENOENT)
                return r;
        r = make_parents(path); /* /run is empty after a boot */
        return r < 0 ? r : write_file_atomic(path, 0644, data, strlen(data));
}

static enum vrrp_state recall(const char *path)
{
        CLEANUP(freep) char *text = NULL;

        if (!*path || read_file(path, STATE_FILE_BYTES, &text, NULL) < 0)
                return VRRP_UNKNOWN;
        text[strcspn(text, "\n")] = '\0';
        for (unsigned s = 0; s < VRRP_COUNT_; s++)
                if (strcmp(text, VRRP_STATES[s]) == 0)
                        return (enum vrrp_state)s;
        return VRRP_UNKNOWN;
}

static void remember(const struct keepalived *k)
{
        char text[STATE_FILE_BYTES];

        if (!*k->state_file)
                return;
        snprintf(text, sizeof text, "%s\n", VRRP_STATES[k->state]);
        int r = put_file(k->state_file, text);
        if (r < 0)
                log_event(LOG_WARN, "vrrp_state_file", LS("file", k->state_file),
                          LS("error", strerror(-r)));
}

enum vrrp_state keepalived_state(const struct keepalived *k)
{
        return k->state;
}

void keepalived_set_state(struct keepalived *k, enum vrrp_state s)
{
        if (s == k->state)
                return;
        k->state = s;
        remember(k);
}

/* ---- the fifo ---- */

static void end_line(struct ear *e, struct batch *b)
{
        enum vrrp_state s = VRRP_UNKNOWN;

        e->line[e->len] = '\0';
        if (e->too_long || memchr(e->line, '\0', e->len) || parse_line(e->line, &s) < 0)
                b->garbage++;
        if (s != VRRP_UNKNOWN && keepalived_concerns(e->line, e->owner->instance))
                b->last = s;
        e->len = 0;
        e->too_long = false;
}

static void feed(struct ear *e, const char *data, size_t len, struct batch *b)
{
        for (size_t i = 0; i < len; i++) {
                if (data[i] == '\n')
                        end_line(e, b);
                else if (e->len < sizeof e->line - 1)
                        e->line[e->len++] = data[i];
                else
                        e->too_long = true;
        }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        struct ear *e = arg;
        struct keepalived *k = e->owner;
        struct batch b = { .last = VRRP_UNKNOWN };
        char data[READ_BYTES];

        (void)what;
        for (int i = 0; i < READS_PER_TURN; i++) {
                ssize_t n = read(fd, data, sizeof data);
                if (n <= 0)
                        break; /* drained: we hold a writing end ourselves, so there is no EOF */
                feed(e, data, (size_t)n, &b);
        }
        if (b.garbage > 0)
                log_event(LOG_WARN, "vrrp_fifo", LS("file", k->fifo), LI("garbage", b.garbage));
        if (b.last == VRRP_UNKNOWN || b.last == k->state)
                return;
        keepalived_set_state(k, b.last);
        k->fn(k->arg, b.last); /* may free k */
}

static void ear_close(struct ear *e)
{
        if (!e->ev)
                return;
        event_free(e->ev);
        close(e->fd);
        *e = (struct ear){ .fd = -1 };
}

static int make_fifo(const char *path)
{
        if (mkfifo(path, 0600) == 0 || errno == EEXIST)
                return 0;
        if (errno != ENOENT)
                return -errno;
        int r = make_parents(path);
        if (r < 0)
                return r;
        return mkfifo(path, 0600) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Only a fifo of ours or root's: another's owner could tell us any role. */
static bool is_our_fifo(const struct stat *st)
{
        return S_ISFIFO(st->st_mode) && (st->st_uid == geteuid() || st->st_uid == 0);
}

static int open_fifo(const char *path, struct stat *ret_st)
{
        struct stat st;

        int r = make_fifo(path);
        if (r < 0)
                return r;
        if (lstat(path, &st) < 0)
                return -errno;
        if (!is_our_fifo(&st)) /* before open(): opening a device may do things */
                return -ENXIO;

        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !is_our_fifo(&st)) {
                close(fd);
                return -ENXIO;
        }
        *ret_st = st;
        return fd;
}

static int ear_open(struct keepalived *k, struct ear *e)
{
        struct stat st = { .st_ino = 0 };

        int fd = open_fifo(k->fifo, &st);
        if (fd < 0)
                return fd;
        struct event *ev =
                event_new(k->loop->base, fd, (short)(EV_READ | EV_PERSIST), on_readable, e);
        if (!ev || event_add(ev, NULL) < 0) {
                if (ev)
                        event_free(ev);
                close(fd);
                return -ENOMEM;
        }

        ear_close(e);
        *e = (struct ear){ .owner = k, .ev = ev, .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
        return 0;
}

static bool fifo_is_ours(const struct keepalived *k)
{
        const struct ear *e = &k->ears[k->current];
        struct stat st;

        return e->ev && lstat(k->fifo, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_dev == e->dev &&
               st.st_ino == e->ino;
}

/* The fifo is looked at whenever the track file is. */
static void keep_listening(struct keepalived *k)
{
        if (!*k->fifo || fifo_is_ours(k))
                return;

        int r = ear_open(k, &k->ears[!k->current]);
        if (r == 0)
                k->current = !k->current;
        if (r == 0 || !k->complained)
                log_event(LOG_WARN, "vrrp_fifo", LS("file", k->fifo),
                          LS("msg", r < 0 ? strerror(-r) : "made anew: please reload keepalived"));
        k->complained = r < 0;
}

/* ---- the track file ---- */

static bool file_is(const char *path, const char *want, size_t len)
{
        struct stat st;
        char have[16];

        CLEANUP(closep)
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if (!S_ISREG(st.st_mode) || (st.st_mode & 07777) != 0644 || st.st_uid != geteuid() ||
            st.st_size != (off_t)len)
                return false;
        return pread(fd, have, sizeof have, 0) == (ssize_t)len && memcmp(have, want, len) == 0;
}

static bool track_is(const struct keepalived *k, int value)
{
        char want[16];
        int len = snprintf(want, sizeof want, "%d\n", value);

        return file_is(k->track_file, want, (size_t)len);
}

bool keepalived_track_valid(const struct keepalived *k)
{
        return !*k->track_file || track_is(k, TRACK_FIT) || track_is(k, TRACK_UNFIT);
}

int keepalived_track(struct keepalived *k, int value)
{
        char want[16];

        keep_listening(k);
        if (!*k->track_file || track_is(k, value))
                return 0;
        snprintf(want, sizeof want, "%d\n", value);
        int r = put_file(k->track_file, want);
        return r < 0 ? r : 1;
}

/* ---- life ---- */

static bool copy(char **dst, const char *src)
{
        *dst = strdup(src ? src : "");
        return *dst;
}

int keepalived_new(struct loop *l, const struct keepalived_config *c, keepalived_fn fn, void *arg,
                   struct keepalived **ret)
{
        struct keepalived *k = calloc(1, sizeof *k);
        if (!k)
                return -ENOMEM;
        k->loop = l;
        k->fn = fn;
        k->arg = arg;

        int r = 0;
        if (!copy(&k->track_file, c->track_file) || !copy(&k->fifo, c->fifo) ||
            !copy(&k->state_file, c->state_file) || !copy(&k->instance, c->instance))
                r = -ENOMEM;
        else if (*k->fifo)
                r = ear_open(k, &k->ears[0]);
        if (r < 0) {
                keepalived_free(k);
                return r;
        }
        k->state = recall(k->state_file);
        *ret = k;
        return 0;
}

void keepalived_free(struct keepalived *k)
{
        if (!k)
                return;
        ear_close(&k->ears[0]);
        ear_close(&k->ears[1]);
        free(k->track_file);
        free(k->fifo);
        free(k->state_file);
        free(k->instance);
        free(k);
}
