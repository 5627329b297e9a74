/* signup pending: who waits for approval, and what becomes of it. */
#include "signup/commands.h"
#include "signup/config.h"
#include "signup/mailcow.h"
#include "signup/note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int list(struct mailcow *m, struct caller *c, struct buf *error)
{
        CLEANUP(buf_done) struct buf out = BUF(4 * 1024 * 1024);

        int r = mailcow_pending(m, c, &out, error);
        if (r == 0)
                fputs(buf_str(&out), stdout);
        return r;
}

static int run(struct mailcow *m, struct caller *c, const struct cli *cli)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        int r;

        if (cli->argc == 1)
                r = list(m, c, &error);
        else
                r = mailcow_decide(m, c, cli->argv[1], strcmp(cli->argv[0], "approve") == 0,
                                   &error);
        if (r == 0)
                return EX_OK;
        fprintf(stderr, "signup pending: %s\n", buf_str(&error));
        return r == -ENOENT ? EX_DATAERR : EX_UNAVAILABLE;
}

static bool understood(const struct cli *c)
{
        if (c->argc == 1)
                return strcmp(c->argv[0], "list") == 0;
        return c->argc == 2 &&
               (strcmp(c->argv[0], "approve") == 0 || strcmp(c->argv[0], "reject") == 0);
}

int cmd_pending(const struct cli *cli)
{
        CLEANUP(config_free) struct config config = { .signup = { .listen = NULL } };
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        struct mailcow *m = NULL;
        struct caller *c = NULL;

        if (!understood(cli))
                return usage_error("pending", "wants", "list, approve ADDRESS or reject ADDRESS");
        int code = load_config(cli, &config);
        if (code != EX_OK)
                return code;
        log_init(STDERR_FILENO, LOG_WARN);
        if (mailcow_new(&config, &m, &errors) < 0 || caller_new(&c) < 0) {
                fputs(buf_str(&errors), stderr);
                code = EX_CONFIG;
        } else {
                code = run(m, c, cli);
        }
        caller_free(c);
        mailcow_free(m);
        return code;
}
