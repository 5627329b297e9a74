/* A daemon that is away for a moment while an operation runs (a restart) is asked again. */
#include "hamon/order.h"

#include "hamon/client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { FOLLOW_PAUSE_MS = 200, SILENT_MAX = 50 };

int order_ask(struct order_talk *t, const char *request)
{
        CLEANUP(buf_done) struct buf answer = BUF(ORDER_ANSWER);

        t->answer[0] = '\0';
        int r = client_ask(t->socket, request, t->timeout, &answer);
        if (r < 0) {
                fprintf(stderr, "%s: the daemon does not answer (%s: %s)\n", t->verb, t->socket,
                        strerror(-r));
                return EX_UNAVAILABLE;
        }
        const char *text = buf_str(&answer);
        bool ok = strncmp(text, "ok", 2) == 0;
        const char *rest = text + (ok ? 2 : strncmp(text, "error: ", 7) == 0 ? 7 : 0);
        str_copy(t->answer, sizeof t->answer, rest + (*rest == ' '));
        size_t len = strlen(t->answer);
        if (len > 0 && t->answer[len - 1] == '\n')
                t->answer[len - 1] = '\0';
        if (ok)
                return EX_OK;
        fprintf(stderr, "%s: %s\n", t->verb, t->answer);
        return strstr(t->answer, "only root") ? EX_NOPERM : EXIT_FAILURE;
}

/* "operation N" answers "ok running|done|failed SENTENCE". */
static int follow(struct order_talk *t, const char *number)
{
        const struct timespec pause = { .tv_nsec = FOLLOW_PAUSE_MS * 1000000L };
        char request[64], last[ORDER_ANSWER] = "";
        unsigned silent = 0;

        snprintf(request, sizeof request, "operation %s", number);
        for (;;) {
                int r = order_ask(t, request);
                if (r == EX_UNAVAILABLE && ++silent < SILENT_MAX) {
                        nanosleep(&pause, NULL);
                        continue;
                }
                if (r != EX_OK)
                        return r;
                silent = 0;
                size_t len = strcspn(t->answer, " ");
                const char *sentence = t->answer + len + (t->answer[len] == ' ');
                bool running = strncmp(t->answer, "running", len) == 0;
                if (*sentence && strcmp(sentence, last) != 0) {
                        puts(sentence);
                        fflush(stdout);
                        str_copy(last, sizeof last, sentence);
                }
                if (!running)
                        return strncmp(t->answer, "done", len) == 0 ? EX_OK : EXIT_FAILURE;
                nanosleep(&pause, NULL);
        }
}

int order_run(struct order_talk *t, const char *request)
{
        char number[24];
        int r = order_ask(t, request);

        if (r != EX_OK)
                return r;
        str_copy(number, sizeof number, t->answer);
        return follow(t, number);
}
