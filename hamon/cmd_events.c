/* Reads the spool, the older file first; no daemon is needed. Lines that are none of ours (half of
 * one after a power cut) are passed over. */
#include "hamon/cmd_events.h"

#include "hamon/config.h"
#include "hamon/events.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { FILE_MAX = 4 * EVENT_FILE_MAX, DEFAULT_N = 50, N_MAX = 100000, TEXT_MAX = 1600 };

struct wish {
        bool json;
        uint64_t n;
        int64_t since_ms; /* Unix time */
};

struct found { /* the last ones, in a ring */
        const char **lines;
        size_t n, max;
};

static int mistake(const char *what, const char *arg)
{
        fprintf(stderr, "events: %s%s (try `hamon help events`)\n", what, arg);
        return EX_USAGE;
}

static int64_t now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int parse_words(int argc, char **argv, struct wish *w)
{
        for (int i = 0; i < argc; i++) {
                const char *next = i + 1 < argc ? argv[i + 1] : "";
                msec_t since;
                if (strcmp(argv[i], "--json") == 0) {
                        w->json = true;
                } else if (strcmp(argv[i], "-n") == 0) {
                        if (parse_uint(next, 1, N_MAX, &w->n) < 0)
                                return mistake("-n wants a number: ", next);
                        i++;
                } else if (strcmp(argv[i], "--since") == 0) {
                        if (parse_duration(next, &since) < 0)
                                return mistake("--since wants a time as in 90s, 15m or 1h: ", next);
                        w->since_ms = now_ms() - since;
                        i++;
                } else {
                        return mistake("unexpected argument: ", argv[i]);
                }
        }
        return EX_OK;
}

static void take_lines(char *text, const struct wish *w, struct found *f)
{
        char *rest = NULL;
        struct event_line e;

        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (events_parse(line, &e) == 0 && e.at_ms >= w->since_ms)
                        f->lines[f->n++ % f->max] = line;
}

static void print(const struct found *f, bool json)
{
        for (size_t i = f->n > f->max ? f->n - f->max : 0; i < f->n; i++) {
                const char *line = f->lines[i % f->max];
                char text[TEXT_MAX];
                struct event_line e;
                if (json)
                        puts(line);
                else if (events_parse(line, &e) == 0)
                        printf("%s %s %s\n", e.at, *e.node ? e.node : "-",
                               events_line_text(&e, text, sizeof text));
        }
}

/* A file that is not there holds nothing. */
static int read_one(const char *path, char **ret)
{
        int r = read_file(path, FILE_MAX, ret, NULL);

        if (r == 0 || r == -ENOENT)
                return 0;
        fprintf(stderr, "events: %s: %s\n", path, strerror(-r));
        return r == -EACCES ? EX_NOPERM : EX_OSERR;
}

static int print_last(char *older, char *newer, const struct wish *w)
{
        struct found f = { .lines = calloc(w->n, sizeof(char *)), .max = w->n };

        if (!f.lines)
                return EX_OSERR;
        if (older)
                take_lines(older, w, &f);
        if (newer)
                take_lines(newer, w, &f);
        print(&f, w->json);
        free(f.lines);
        return EX_OK;
}

static int show(const char *path, const struct wish *w)
{
        CLEANUP(freep) char *older = NULL;
        CLEANUP(freep) char *newer = NULL;
        char old[4096];

        snprintf(old, sizeof old, "%s.1", path);
        int code = read_one(old, &older);
        if (code == EX_OK)
                code = read_one(path, &newer);
        return code == EX_OK ? print_last(older, newer, w) : code;
}

int events_command(const char *file, int argc, char **argv)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        struct wish w = { .n = DEFAULT_N, .since_ms = INT64_MIN };
        struct config c;

        int code = parse_words(argc, argv, &w);
        if (code != EX_OK)
                return code;
        if (config_load_client(file, &c, &errors) < 0) {
                fprintf(stderr, "%s", buf_str(&errors));
                return EX_CONFIG;
        }
        if (*c.log.events)
                code = show(c.log.events, &w);
        else
                fputs("events: none are kept ([log] events is empty)\n", stderr);
        config_free(&c);
        return code;
}
