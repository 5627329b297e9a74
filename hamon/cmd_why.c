/* The daemon's memory as sentences: how long ago, what, and why; the last line is the present. */
#include "hamon/cmd_why.h"

#include "hamon/client.h"
#include "hamon/config.h"
#include "hamon/core/reason.h"
#include "hamon/events.h"
#include <errno.h>
#include <string.h>
#include <sysexits.h>

enum { ANSWER_MAX = 1024 * 1024, TEXT_MAX = 1600 };

/* Two units are enough: "3 h 12 min". */
static char *ago(msec_t ms, char *dst, size_t size)
{
        long long s = (long long)ms / 1000;

        if (s < 60)
                snprintf(dst, size, "%lld.%lld s", s, (long long)ms % 1000 / 100);
        else if (s < 3600)
                snprintf(dst, size, "%lld min %lld s", s / 60, s % 60);
        else if (s < 24 * 3600)
                snprintf(dst, size, "%lld h %lld min", s / 3600, s % 3600 / 60);
        else
                snprintf(dst, size, "%lld d %lld h", s / (24 * 3600), s % (24 * 3600) / 3600);
        return dst;
}

static void print(const char *line)
{
        char text[TEXT_MAX], when[48];
        struct event_line e;

        if (events_parse(line, &e) < 0)
                puts(line); /* the daemon adds what is no event */
        else if (strcmp(e.kind, EVENTS[EVENT_NOW].name) == 0)
                printf("%18s  %s\n", "now", events_line_text(&e, text, sizeof text));
        else
                printf("%14s ago  %s\n", ago(MAX(0, e.ago), when, sizeof when),
                       events_line_text(&e, text, sizeof text));
}

static int ask(const struct config *c, bool json)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        char *rest = NULL;

        int r = client_ask(c->control.socket, "why", c->check.timeout, &answer);
        if (r < 0) {
                fprintf(stderr, "why: %s (%s: %s)\n",
                        reason_sentence(r == -ETIMEDOUT ? REASON_TIMEOUT : REASON_NO_DAEMON),
                        c->control.socket, strerror(-r));
                return EX_UNAVAILABLE;
        }
        if (strncmp(answer.data, "error: ", 7) == 0) {
                fprintf(stderr, "why: %s", answer.data + 7);
                return EX_UNAVAILABLE;
        }
        if (json) {
                fputs(answer.data, stdout);
                return EX_OK;
        }
        for (char *line = strtok_r(answer.data, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest))
                print(line);
        return EX_OK;
}

int why_command(const char *file, int argc, char **argv)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        bool json = argc == 1 && strcmp(argv[0], "--json") == 0;
        struct config c;

        if (argc > json) {
                fprintf(stderr, "why: unexpected argument: %s (try `hamon help why`)\n",
                        argv[argc - 1]);
                return EX_USAGE;
        }
        if (config_load_client(file, &c, &errors) < 0) {
                fprintf(stderr, "%s", buf_str(&errors));
                return EX_CONFIG;
        }
        int code = ask(&c, json);
        config_free(&c);
        return code;
}
