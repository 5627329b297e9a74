/* Two questions a round, one after the other: `status-json`, then `why`. The answer to `why` is the
 * daemon's memory; what of it is new is what none of our last lines equals. No file is read while
 * we serve: a disk that hangs must not keep anybody from hearing so. */
#include "hamon/web/source.h"

#include "hamon/web/ask.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FILE_MAX = 4 * EVENT_FILE_MAX, LOOK_BACK = 2 * EVENT_MEMORY };

struct source {
        struct loop *loop;
        const struct config *config;
        void (*fn)(void *arg);
        void *arg;
        struct timer tick;
        struct ask *ask;
        msec_t asked;
        int told; /* the error that was logged last */

        cJSON *status;
        msec_t at;
        struct event_line now;
        bool now_known;
        struct event_line events[SNAP_EVENTS];
        msec_t happened[SNAP_EVENTS]; /* loop time */
        size_t n;
        uint64_t n_ever;
};

/* ---- events ---- */

static bool same(const struct event_line *a, const struct event_line *b)
{
        return a->at_ms == b->at_ms && a->epoch == b->epoch && a->took == b->took &&
               strcmp(a->kind, b->kind) == 0 && strcmp(a->from, b->from) == 0 &&
               strcmp(a->to, b->to) == 0 && strcmp(a->reason, b->reason) == 0 &&
               strcmp(a->detail, b->detail) == 0;
}

static bool known(const struct source *s, const struct event_line *e)
{
        size_t look = MIN(s->n, (size_t)LOOK_BACK);

        for (size_t i = s->n - look; i < s->n; i++)
                if (same(&s->events[i], e))
                        return true;
        return false;
}

static void add_event(struct source *s, const struct event_line *e, msec_t happened)
{
        if (s->n == SNAP_EVENTS) { /* a quarter at a time: moving costs */
                enum { LESS = SNAP_EVENTS / 4 };
                s->n -= LESS;
                memmove(s->events, s->events + LESS, s->n * sizeof s->events[0]);
                memmove(s->happened, s->happened + LESS, s->n * sizeof s->happened[0]);
        }
        s->n_ever++;
        s->happened[s->n] = happened;
        s->events[s->n++] = *e;
}

static void take_why(struct source *s, char *answer, msec_t now)
{
        char *rest = NULL;
        struct event_line e;

        for (char *line = strtok_r(answer, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                if (events_parse(line, &e) < 0)
                        continue;
                if (strcmp(e.kind, EVENTS[EVENT_NOW].name) == 0) {
                        s->now = e;
                        s->now_known = true;
                } else if (!known(s, &e)) {
                        add_event(s, &e, now - MAX(0, e.ago));
                }
        }
}

static int64_t wall_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void read_events(struct source *s, const char *path)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;
        struct event_line e;
        msec_t now = loop_now(s->loop);
        int64_t wall = wall_ms();

        int r = read_file(path, FILE_MAX, &text, NULL);
        if (r < 0) {
                if (r != -ENOENT)
                        log_event(LOG_WARN, "events", LS("file", path), LS("error", strerror(-r)));
                return;
        }
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (events_parse(line, &e) == 0)
                        add_event(s, &e, now - MAX(0, wall - e.at_ms));
}

static void read_history(struct source *s)
{
        const char *path = s->config->log.events;
        char older[4096];

        if (!*path)
                return;
        snprintf(older, sizeof older, "%s.1", path);
        read_events(s, older);
        read_events(s, path);
}

/* ---- asking ---- */

/* The first failure of a kind, and its end: a daemon that is away for an hour is two lines. */
static void tell(struct source *s, int error)
{
        if (error == s->told)
                return;
        s->told = error;
        log_event(error < 0 ? LOG_WARN : LOG_INFO, "daemon",
                  LS("socket", s->config->control.socket),
                  LS("msg", error < 0 ? strerror(-error) : "answers"));
}

static void on_why(void *arg, int error, const char *answer)
{
        struct source *s = arg;
        char *copy = error < 0 ? NULL : strdup(answer);

        s->ask = NULL;
        if (copy)
                take_why(s, copy, loop_now(s->loop));
        free(copy);
        s->fn(s->arg);
}

static void on_status(void *arg, int error, const char *answer)
{
        struct source *s = arg;
        cJSON *status = error < 0 ? NULL : cJSON_Parse(answer);

        s->ask = NULL;
        if (error == 0 && !cJSON_IsObject(status)) {
                cJSON_Delete(status);
                status = NULL;
                error = -EBADMSG;
        }
        tell(s, error);
        if (status) {
                cJSON_Delete(s->status);
                s->status = status;
                s->at = s->asked;
        }
        if (error == 0)
                error = ask_start(s->loop, s->config->control.socket, "why",
                                  s->config->check.timeout, on_why, s, &s->ask);
        if (error < 0)
                s->fn(s->arg);
}

static void on_tick(void *arg)
{
        struct source *s = arg;

        timer_set(&s->tick, s->config->check.interval);
        if (s->ask)
                return; /* it has its own deadline */
        s->asked = loop_now(s->loop);
        int r = ask_start(s->loop, s->config->control.socket, "status-json",
                          s->config->check.timeout, on_status, s, &s->ask);
        if (r < 0)
                tell(s, r);
}

int source_new(struct loop *l, const struct config *c, void (*fn)(void *arg), void *arg,
               struct source **ret)
{
        struct source *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        *s = (struct source){ .loop = l, .config = c, .fn = fn, .arg = arg };
        int r = timer_init(&s->tick, l, on_tick, s);
        if (r < 0) {
                source_free(s);
                return r;
        }
        read_history(s);
        timer_set(&s->tick, 0);
        *ret = s;
        return 0;
}

void source_free(struct source *s)
{
        if (!s)
                return;
        ask_cancel(s->ask);
        timer_done(&s->tick);
        cJSON_Delete(s->status);
        free(s);
}

void source_snap(struct source *s, struct snap *ret)
{
        msec_t now = loop_now(s->loop);

        for (size_t i = 0; i < s->n; i++)
                s->events[i].ago = now - s->happened[i];
        *ret = (struct snap){ .status = s->status,
                              .at = s->at,
                              .events = s->events,
                              .n_events = s->n,
                              .n_ever = s->n_ever,
                              .now = s->now_known ? &s->now : NULL };
}
