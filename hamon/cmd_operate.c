/* The verbs by which a person steers the cluster: switchover, maintenance, ack. Each is one request
 * to this node's daemon, which decides and does; what takes time is watched here until it is done.
 */
#include "hamon/client.h"
#include "hamon/commands.h"
#include "hamon/config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_SIZE = 4096, FOLLOW_PAUSE_MS = 200 };

struct talk {
        const char *verb;
        struct config config;
        char answer[ANSWER_SIZE]; /* its first line, without the newline */
};

static void talk_done(struct talk *t)
{
        config_free(&t->config);
}

static int load(struct talk *t, const struct cli *c)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);

        return config_load_client(c->file, &t->config, &errors) < 0 ? config_refused(&errors) : 0;
}

/* EX_OK: t->answer is what follows "ok ". */
static int ask(struct talk *t, const char *request)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_SIZE);

        t->answer[0] = '\0';
        int r = client_ask(t->config.control.socket, request, t->config.check.timeout, &answer);
        if (r < 0) {
                fprintf(stderr, "%s: the daemon does not answer (%s: %s)\n", t->verb,
                        t->config.control.socket, strerror(-r));
                return EX_UNAVAILABLE;
        }
        answer.data[strcspn(answer.data, "\n")] = '\0';
        bool ok = strncmp(answer.data, "ok", 2) == 0;
        const char *rest = answer.data + (ok ? 2 : strncmp(answer.data, "error: ", 7) == 0 ? 7 : 0);
        str_copy(t->answer, sizeof t->answer, rest + (*rest == ' '));
        if (ok)
                return EX_OK;
        fprintf(stderr, "%s: %s\n", t->verb, t->answer);
        return strstr(t->answer, "only root") ? EX_NOPERM : EXIT_FAILURE;
}

static int ask_and_say(struct talk *t, const char *request)
{
        int r = ask(t, request);

        if (r == EX_OK && *t->answer)
                puts(t->answer);
        return r;
}

/* The daemon numbers what it was asked to do. "operation N" answers "ok running|done|failed
 * SENTENCE": each new sentence is shown until it has ended. The deadline is the daemon's; a daemon
 * that is away for a moment (a restart) is asked again. */
static int follow(struct talk *t, const char *number)
{
        const struct timespec pause = { .tv_nsec = FOLLOW_PAUSE_MS * 1000000L };
        char request[64], last[ANSWER_SIZE] = "";
        unsigned silent = 0;

        snprintf(request, sizeof request, "operation %s", number);
        for (;;) {
                int r = ask(t, request);
                if (r == EX_UNAVAILABLE && ++silent < 50) {
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

int cmd_switchover(const struct cli *c)
{
        CLEANUP(talk_done) struct talk t = { .verb = "switchover" };
        char request[128] = "switchover", number[24];

        if (c->argc != 0 && (c->argc != 2 || strcmp(c->argv[0], "--to") != 0))
                return usage_error("switchover", "want [--to NODE]", c->argv[0]);
        int r = load(&t, c);
        if (r != 0)
                return r;
        if (c->argc == 2) {
                bool known = false;
                for (size_t i = 0; i < t.config.cluster.nodes.n; i++)
                        known |= str_eq(config_cluster_node(&t.config, i).name, c->argv[1]);
                if (!known)
                        return usage_error("switchover", "no node of [cluster] nodes", c->argv[1]);
                snprintf(request, sizeof request, "switchover %s", c->argv[1]);
        }
        r = ask(&t, request);
        if (r != EX_OK)
                return r;
        str_copy(number, sizeof number, t.answer);
        return follow(&t, number);
}

int cmd_maintenance(const struct cli *c)
{
        CLEANUP(talk_done) struct talk t = { .verb = "maintenance" };
        bool on = c->argc > 0 && strcmp(c->argv[0], "on") == 0;
        bool off = c->argc == 1 && strcmp(c->argv[0], "off") == 0;
        bool timed = c->argc == 3 && strcmp(c->argv[1], "--for") == 0;
        msec_t length = 0;
        char request[64];

        if (!off && (!on || (c->argc != 1 && !timed)))
                return usage_error("maintenance", "want on [--for TIME] or off",
                                   c->argc > 0 ? c->argv[0] : "nothing");
        if (timed && (parse_duration(c->argv[2], &length) < 0 || length <= 0))
                return usage_error("maintenance", "not a duration such as 30m or 2h", c->argv[2]);
        int r = load(&t, c);
        if (r != 0)
                return r;
        snprintf(request, sizeof request, "maintenance %s %lld", on ? "on" : "off",
                 (long long)length);
        return ask_and_say(&t, request);
}

static int plain(const struct cli *c, const char *verb, const char *request)
{
        CLEANUP(talk_done) struct talk t = { .verb = verb };

        if (c->argc > 0)
                return usage_error(verb, "unexpected argument", c->argv[0]);
        int r = load(&t, c);
        return r != 0 ? r : ask_and_say(&t, request);
}

int cmd_ack(const struct cli *c)
{
        return plain(c, "ack", "ack");
}
