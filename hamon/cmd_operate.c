/* The verbs by which a person steers the cluster: switchover, maintenance, ack. */
#include "hamon/commands.h"
#include "hamon/config.h"
#include "hamon/order.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int load(const char *verb, const struct cli *c, struct config *config, struct order_talk *t)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);

        if (config_load_client(c->file, config, &errors) < 0)
                return config_refused(&errors);
        *t = (struct order_talk){ .verb = verb,
                                  .socket = config->control.socket,
                                  .timeout = config->check.timeout };
        return EX_OK;
}

static int ask_and_say(struct order_talk *t, const char *request)
{
        int r = order_ask(t, request);

        if (r == EX_OK && *t->answer)
                puts(t->answer);
        return r;
}

int cmd_switchover(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        struct order_talk t;
        char request[128] = "switchover";

        if (c->argc != 0 && (c->argc != 2 || strcmp(c->argv[0], "--to") != 0))
                return usage_error("switchover", "want [--to NODE]", c->argv[0]);
        int r = load("switchover", c, &config, &t);
        if (r != EX_OK)
                return r;
        if (c->argc == 2) {
                bool known = false;
                for (size_t i = 0; i < config.cluster.nodes.n; i++)
                        known |= str_eq(config_cluster_node(&config, i).name, c->argv[1]);
                if (!known)
                        return usage_error("switchover", "no node of [cluster] nodes", c->argv[1]);
                snprintf(request, sizeof request, "switchover %s", c->argv[1]);
        }
        return order_run(&t, request);
}

int cmd_maintenance(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        struct order_talk t;
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
        int r = load("maintenance", c, &config, &t);
        if (r != EX_OK)
                return r;
        snprintf(request, sizeof request, "maintenance %s %lld", on ? "on" : "off",
                 (long long)length);
        return ask_and_say(&t, request);
}

int cmd_ack(const struct cli *c)
{
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        struct order_talk t;

        if (c->argc > 0)
                return usage_error("ack", "unexpected argument", c->argv[0]);
        int r = load("ack", c, &config, &t);
        return r != EX_OK ? r : order_run(&t, "ack");
}
