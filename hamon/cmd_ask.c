/* The verbs that ask the daemon: check, status, notify, notify-galera. */
#include "hamon/client.h"
#include "hamon/cmd_watch.h"
#include "hamon/commands.h"
#include "hamon/config.h"
#include "hamon/core/verdict.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 8 * 1024 * 1024, WATCH_SECONDS = 1 };

static int print_check(enum fitness f, const char *line)
{
        puts(line);
        return (int)f;
}

/* No answer is an answer too: exit 2, in the same form. */
static int cannot_tell(int r)
{
        enum reason why = r == -ETIMEDOUT ? REASON_TIMEOUT : REASON_NO_DAEMON;
        char line[256];

        snprintf(line, sizeof line, "unknown role=unknown reason=%s age_ms=-1 msg=\"%s\"",
                 reason_name(why), reason_sentence(why));
        return print_check(UNSURE, line);
}

/* -EPROTO: that is no line of ours, or not the whole of it. */
static int fitness_of(const char *answer)
{
        for (unsigned i = 0; i < FITNESS_COUNT_; i++) {
                size_t len = strlen(FITNESSES[i]);
                if (strncmp(answer, FITNESSES[i], len) == 0 && answer[len] == ' ' &&
                    strchr(answer, '\n'))
                        return (int)i;
        }
        return -EPROTO;
}

static int load(const struct cli *c, struct config *config)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);

        if (config_load_client(c->file, config, &errors) == 0)
                return 0;
        return config_refused(&errors);
}

int cmd_check(const struct cli *c)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };

        if (c->argc > 0)
                return usage_error("check", "unexpected argument", c->argv[0]);
        int r = load(c, &config);
        if (r != 0)
                return r;

        /* A daemon that was started a moment ago gets the time to look around. */
        r = client_ask_until(config.control.socket, "check", " reason=starting ",
                             config.check.timeout * 9 / 10, &answer);
        if (r == 0)
                r = fitness_of(buf_str(&answer));
        if (r < 0)
                return cannot_tell(r);
        answer.data[strcspn(answer.data, "\n")] = '\0';
        return print_check((enum fitness)r, answer.data);
}

/* What everything but check says when the daemon gives no answer. */
static int no_answer(const char *verb, const struct config *config, int r)
{
        fprintf(stderr, "%s: %s (%s: %s)\n", verb,
                reason_sentence(r == -ETIMEDOUT ? REASON_TIMEOUT : REASON_NO_DAEMON),
                config->control.socket, strerror(-r));
        return EX_UNAVAILABLE;
}

static int ask_and_print(const char *verb, const struct config *config, const char *request,
                         bool terminal)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);

        int r = client_ask(config->control.socket, request, config->check.timeout, &answer);
        if (r < 0)
                return no_answer(verb, config, r);
        if (strncmp(answer.data, "error: ", 7) == 0) {
                fprintf(stderr, "%s: %s", verb, answer.data + 7);
                return EX_NOPERM;
        }
        if (terminal)
                show_text(answer.data);
        else
                fputs(answer.data, stdout);
        fflush(stdout);
        return EX_OK;
}

int cmd_status(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        bool json = false, watch = false;

        for (int i = 0; i < c->argc; i++) {
                if (strcmp(c->argv[i], "--json") == 0)
                        json = true;
                else if (strcmp(c->argv[i], "--watch") == 0)
                        watch = true;
                else
                        return usage_error("status", "unexpected argument", c->argv[i]);
        }
        int r = load(c, &config);
        if (r != 0)
                return r;

        bool terminal = !json && is_terminal();
        if (watch && terminal)
                return watch_status(&config);
        do {
                r = ask_and_print("status", &config, json ? "status-json" : "status", terminal);
                struct timespec ts = { .tv_sec = WATCH_SECONDS };
                if (watch)
                        nanosleep(&ts, NULL);
        } while (watch && !ferror(stdout)); /* a daemon that is away may come back */
        return r;
}

/* Join the arguments into one request line; they are few and short. */
static int request_of(const char *name, const struct cli *c, char *dst, size_t size)
{
        size_t len = (size_t)snprintf(dst, size, "%s", name);

        for (int i = 0; i < c->argc; i++) {
                size_t more = strlen(c->argv[i]);
                if (strchr(c->argv[i], '\n') || len + more + 2 > size)
                        return -EINVAL;
                dst[len++] = ' ';
                memcpy(dst + len, c->argv[i], more + 1);
                len += more;
        }
        return 0;
}

int cmd_notify(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        char request[400];

        if (c->argc == 0)
                return usage_error("notify", "missing argument", "MASTER|BACKUP|FAULT|STOP");
        if (request_of("notify", c, request, sizeof request) < 0)
                return usage_error("notify", "not a VRRP state", c->argv[0]);
        int r = load(c, &config);
        if (r != 0)
                return r;
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        r = client_ask(config.control.socket, request, config.check.timeout, &answer);
        if (r < 0)
                return no_answer("notify", &config, r);
        if (strcmp(answer.data, "ok\n") == 0)
                return EX_OK;
        fprintf(stderr, "notify: %s", answer.data);
        return strstr(answer.data, "root") ? EX_NOPERM : EX_USAGE;
}

/* MariaDB waits for us inside its view change: what it says is not read, the daemon is only told to
 * look now, and whatever goes wrong here is no fault of the database's. It may run in a container
 * that has the socket but no configuration, so a missing file means the default socket. */
int cmd_notify_galera(const struct cli *c)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        const char *socket = "/run/mailcow-ha/hamon.sock";

        if (access(c->file, R_OK) == 0 && config_load_client(c->file, &config, &errors) == 0)
                socket = config.control.socket;
        int r = client_ask(socket, "galera", 200, &answer);
        if (r < 0)
                fprintf(stderr, "notify-galera: %s: %s\n", socket, strerror(-r));
        return EX_OK;
}
