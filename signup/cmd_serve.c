/* signup serve, check-config, config: everything is loaded, then served, or only looked at. */
#include "signup/commands.h"
#include "signup/note.h"
#include "signup/server.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

int load_config(const struct cli *c, struct config *config)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);

        int r = config_load(c->file, config, &errors);
        if (r == 0)
                return EX_OK;
        fputs(buf_str(&errors), stderr);
        return r == -ENOMEM ? EX_OSERR : EX_CONFIG;
}

static int load_site(const struct config *config, struct site *s)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);

        int r = site_load(config, s, &errors);
        if (r == 0)
                return EX_OK;
        fputs(errors.len > 0 ? buf_str(&errors) : "signup: out of memory\n", stderr);
        return EX_CONFIG;
}

static int serve(const struct config *config, struct site *s)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        int fd = -1;

        log_init(STDERR_FILENO, (enum log_level)config->log.level);
        if (s->db && tables_create(s->db, &error) < 0) /* until it is there nobody passes a gate */
                note(LOG_ERROR, "store_down", LS("msg", buf_str(&error)));
        buf_reset(&error);
        int r = server_listen(config, &fd, &error);
        if (r < 0) {
                note(LOG_ERROR, "no_socket", LS("msg", buf_str(&error)));
                return EX_UNAVAILABLE;
        }
        r = server_run(s, fd);
        closep(&fd);
        note(r < 0 ? LOG_ERROR : LOG_INFO, "stopped", LS("msg", r < 0 ? strerror(-r) : "drained"));
        log_done();
        return r < 0 ? EX_OSERR : EX_OK;
}

static int with_site(const struct cli *c, const char *verb,
                     int (*fn)(const struct config *config, struct site *s))
{
        CLEANUP(config_free) struct config config = { .signup = { .listen = NULL } };
        struct site s;

        if (c->argc > 0)
                return usage_error(verb, "unexpected argument", c->argv[0]);
        int code = load_config(c, &config);
        if (code == EX_OK)
                code = load_site(&config, &s);
        if (code != EX_OK)
                return code;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) { /* before there are threads */
                code = fn(&config, &s);
                curl_global_cleanup();
        }
        site_done(&s);
        return code;
}

int cmd_serve(const struct cli *c)
{
        return with_site(c, "serve", serve);
}

static int say_fine(const struct config *config, struct site *s)
{
        printf("fine: %zu languages, pages under %s/\n", s->locales.n, config->signup.base_path);
        return EX_OK;
}

int cmd_check_config(const struct cli *c)
{
        return with_site(c, "check-config", say_fine);
}

int cmd_config(const struct cli *c)
{
        CLEANUP(buf_done) struct buf out = BUF(1024 * 1024);
        CLEANUP(config_free) struct config config = { .signup = { .listen = NULL } };
        bool defaults = c->argc == 1 && strcmp(c->argv[0], "--defaults") == 0;

        if (c->argc > 1 || (c->argc == 1 && !defaults))
                return usage_error("config", "unexpected argument", c->argv[c->argc - 1]);
        int code = defaults ? EX_OK : load_config(c, &config);
        if (code != EX_OK)
                return code;
        if (conf_print(&CONFIG_SPEC, defaults ? NULL : &config, NULL, &out) < 0)
                return EX_SOFTWARE;
        fputs(buf_str(&out), stdout);
        return EX_OK;
}
