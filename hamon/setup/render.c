/* RENDERS[], and `hamon render`. */
#include "hamon/setup/render.h"

#include "hamon/setup/render_text.h"
#include "hamon/setup/render_values.h"
#include "hamon/verb.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct render_file RENDERS[RENDER_COUNT_] = {
        [RENDER_KEEPALIVED] = { "keepalived", "VRRP between the nodes: who seems alive",
                                "/etc/keepalived/keepalived.conf", "systemctl reload keepalived",
                                0644, true, false },
        [RENDER_GALERA] = { "galera", "Mailcow's MariaDB as a member of a Galera cluster",
                            "{{mailcow.dir}}/data/conf/mysql/zz-mailcow-ha.cnf",
                            "hamon galera restart", 0644, true, false },
        [RENDER_NGINX] = { "nginx", "the sign-up page in Mailcow's web server",
                           "{{mailcow.dir}}/data/conf/nginx/site.signup.custom",
                           "docker compose restart nginx-mailcow", 0644, false, true },
        [RENDER_COMPOSE] = { "compose", "Mailcow's containers on this node",
                             "{{mailcow.dir}}/docker-compose.override.yml",
                             "docker compose up --no-start", 0644, true, false },
        [RENDER_SYSTEMD] = { "systemd", "keepalived is started again, and after hamon",
                             "/etc/systemd/system/keepalived.service.d/mailcow-ha.conf",
                             "systemctl daemon-reload", 0644, false, false },
        [RENDER_NFTABLES] = { "nftables", "which ports the world reaches, and which the nodes only",
                              "/etc/mailcow-ha/firewall.nft",
                              "systemctl reload-or-restart hamon-firewall", 0644, true, false },
        [RENDER_LOGROTATE] = { "logrotate", "log files of hamon's verbs",
                               "/etc/logrotate.d/mailcow-ha", NULL, 0644, false, false },
        [RENDER_JOURNALD] = { "journald", "the journal survives a power loss, and is bounded",
                              "/etc/systemd/journald.conf.d/mailcow-ha.conf",
                              "systemctl restart systemd-journald", 0644, false, false },
        [RENDER_WAZUH] = { "wazuh", "decoders for hamon's log lines",
                           "/var/ossec/etc/decoders/mailcow-ha.xml", NULL, 0640, false, true },
};

enum render_what render_find(const char *name)
{
        unsigned i = 0;

        while (i < RENDER_COUNT_ && strcmp(RENDERS[i].name, name) != 0)
                i++;
        return (enum render_what)i;
}

int render(enum render_what what, const struct config *c, struct buf *out, struct buf *errors)
{
        const struct template_words words = { render_value, render_items, c };
        const char *name = RENDERS[what].name, *text = RENDER_TEXT[what];

        if (what == RENDER_COMPOSE)
                return template_fill_env(name, text, "HAMON_", &words, out, errors);
        return template_fill(name, text, &words, out, errors);
}

int render_path(enum render_what what, const struct config *c, struct buf *out, struct buf *errors)
{
        const struct template_words words = { render_value, render_items, c };

        return template_fill(RENDERS[what].name, RENDERS[what].path, &words, out, errors);
}

/* ---- hamon render ---- */

static int print_list(const struct config *c)
{
        for (unsigned i = 0; i < RENDER_COUNT_; i++) {
                CLEANUP(buf_done) struct buf path = BUF(8192), errors = BUF(8192);
                const bool known = render_path((enum render_what)i, c, &path, &errors) == 0;
                printf("%-10s  %s\n%-10s  %s\n", RENDERS[i].name, RENDERS[i].help, "",
                       known ? buf_str(&path) : RENDERS[i].path);
        }
        return EX_OK;
}

static int print_one(const char *file, enum render_what what, const struct config *c)
{
        CLEANUP(buf_done) struct buf out = BUF(RENDER_MAX), errors = BUF(8192);

        int r = render(what, c, &out, &errors);
        if (r < 0) {
                fprintf(stderr, "%s: %s", file,
                        errors.len > 0 ? buf_str(&errors) : "the file would be too long\n");
                return EX_CONFIG;
        }
        fputs(buf_str(&out), stdout);
        return EX_OK;
}

int render_command(const char *file, int argc, char **argv)
{
        struct config c;
        enum render_what what = argc > 0 ? render_find(argv[0]) : RENDER_COUNT_;

        if (argc > 1 || (argc == 1 && what == RENDER_COUNT_)) {
                fprintf(stderr, "render: %s: %s (try `hamon help render`)\n",
                        argc > 1 ? "unexpected argument" : "there is no such file", argv[argc - 1]);
                return EX_USAGE;
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        int code = argc == 0 ? print_list(&c) : print_one(file, what, &c);
        config_free(&c);
        return code;
}
