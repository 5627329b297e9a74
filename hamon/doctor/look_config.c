/* hamon.conf beyond what its loader sees, the secrets, the hooks, and Mailcow's own files. */
#include "hamon/doctor/doctor.h"

#include "lib/secret.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_LEAST = 32, FILE_MAX = 256 * 1024 };

static bool others_write(const struct stat *st)
{
        return st->st_uid != 0 || (st->st_mode & (S_IWGRP | S_IWOTH));
}

static void look_file_mode(struct doctor *d)
{
        struct stat st;

        if (stat(d->file, &st) < 0 || !others_write(&st))
                return;
        struct flaw *f = found(d, F_CONFIG_MODE, "others than root may write it");
        found_at(f, "%s", d->file);
        found_fix(f, "chown root:root %s && chmod 644 %s", d->file, d->file);
}

/* ---- secrets ---- */

static void look_secret(struct doctor *d, char *const *value, const char *make, size_t least)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        CLEANUP(secret_wipe) char *secret = NULL;
        const char *path = *value;
        struct stat st;

        if (secret_read(path, &secret, &error) < 0) {
                struct flaw *f = found(d, F_SECRET, "%s", buf_str(&error));
                bool there = stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
                found_at_key(d, f, value);
                if (there)
                        found_fix(f, "chown root:root %s && chmod 600 %s", path, path);
                else
                        found_fix(f, "%s | install -m 600 /dev/stdin %s", make, path);
                return;
        }
        if (!secret || strlen(secret) >= least)
                return;
        struct flaw *f = found(d, F_SECRET_WEAK, "%s: %zu characters", path, strlen(secret));
        found_at_key(d, f, value);
        found_fix(f,
                  "openssl rand -hex 32 | install -m 600 /dev/stdin %s\n"
                  "copy it to every node, then on each: systemctl restart hamon",
                  path);
}

static void look_secrets(struct doctor *d)
{
        const struct config *c = &d->config;
        bool cluster = c->cluster.nodes.n > 0;

        look_secret(d, &c->galera.password_file, "echo PASSWORD", 0);
        if (cluster)
                look_secret(d, &c->cluster.secret_file, "openssl rand -hex 32", SECRET_LEAST);
        if (c->volume.provider == CONFIG_HETZNER || c->ip.provider == CONFIG_HETZNER)
                look_secret(d, &c->hetzner.token_file, "echo TOKEN", 0);
}

/* ---- the cluster ---- */

static void look_nodes(struct doctor *d)
{
        const struct config *c = &d->config;
        struct flaw *f;

        if (c->cluster.nodes.n == 0) {
                f = found(d, F_SOLO, "[cluster] nodes is empty");
                found_at_key(d, f, &c->cluster.nodes);
                found_fix(f, "[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3");
        } else if (c->cluster.nodes.n < 3) {
                f = found(d, F_NODES, "there are %zu nodes, three are needed for a quorum",
                          c->cluster.nodes.n);
                found_at_key(d, f, &c->cluster.nodes);
                found_fix(f, "add a third node; one that runs Galera alone and is kept in "
                             "`hamon maintenance on` is enough");
        }
}

static void look_hook(struct doctor *d, const char *name)
{
        const char *dir = d->config.hooks.dir, *wrong = NULL;
        char path[4200];
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (stat(path, &st) < 0)
                wrong = strerror(errno);
        else if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
                wrong = "it is no program";
        else if (others_write(&st))
                wrong = "others than root may write it, and it runs as root";
        if (!wrong)
                return;
        struct flaw *f = found(d, F_HOOK, "%s: %s", path, wrong);
        found_at_key(d, f, &d->config.hooks.dir);
        if (stat(path, &st) < 0)
                found_fix(f, "make install (in the source of mailcow-ha), or set [hooks] dir");
        else
                found_fix(f, "chown root:root %s && chmod 755 %s", path, path);
}

/* ---- Mailcow's files ---- */

static void look_mailcow(struct doctor *d)
{
        const struct mailcow *m = &d->mailcow;
        struct flaw *f;
        struct stat st;

        if (!m->read) {
                f = found(d, F_MAILCOW, "%s cannot be read: %s", m->path, strerror(errno));
                found_at_key(d, f, &d->config.mailcow.dir);
                found_fix(f, "[mailcow]\ndir = DIRECTORY OF mailcow.conf");
                return;
        }
        if (stat(m->path, &st) == 0 && (st.st_mode & 077)) {
                f = found(d, F_MAILCOW_MODE, "others may read it (mode %o)", st.st_mode & 0777U);
                found_at(f, "%s", m->path);
                found_fix(f, "chmod 600 %s", m->path);
        }
        if (*m->project && !str_eq(m->project, d->config.docker.project)) {
                f = found(d, F_PROJECT, "hamon watches the project \"%s\", Mailcow's is \"%s\"",
                          d->config.docker.project, m->project);
                found_at_key(d, f, &d->config.docker.project);
                found_fix(f, "take the line `project = ...` out of [docker]; it is read from "
                             "mailcow.conf");
        }
}

static void look_outbound_net(struct doctor *d)
{
        const struct config *c = &d->config;
        char network[MAILCOW_VALUE + 8];

        if (c->ip.provider == CONFIG_NONE || !c->ip.outbound || !*d->mailcow.ipv4_network)
                return;
        snprintf(network, sizeof network, "%s.0/24", d->mailcow.ipv4_network);
        if (strlist_has(&c->ip.outbound_networks, network))
                return;
        struct flaw *f = found(d, F_OUTBOUND_NET,
                               "Mailcow's containers are in %s, which is not listed", network);
        found_at_key(d, f, &c->ip.outbound_networks);
        found_fix(f, "[ip]\noutbound_networks = %s%s%s", network,
                  *d->mailcow.ipv6_network ? ", " : "", d->mailcow.ipv6_network);
}

/* Source NAT makes it the service address; a fixed one of this node would win over that. */
static void look_postfix(struct doctor *d)
{
        static const char *const KEYS[] = { "smtp_bind_address", "smtp_bind_address6" };
        CLEANUP(freep) char *text = NULL;
        char path[4200], value[256];

        snprintf(path, sizeof path, "%s/data/conf/postfix/extra.cf", d->config.mailcow.dir);
        if (read_file(path, FILE_MAX, &text, NULL) < 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
                if (!mailcow_postfix(text, KEYS[i], value, sizeof value) || !*value ||
                    config_is_service_address(&d->config, value))
                        continue;
                struct flaw *f =
                        found(d, F_BIND_ADDRESS, "%s = %s is no service address", KEYS[i], value);
                found_at(f, "%s", path);
                found_fix(
                        f,
                        "take the line %s out; outgoing mail leaves by the service address anyway",
                        KEYS[i]);
        }
        const char *want = d->config.probe.name;
        if (!*want || ((!mailcow_postfix(text, "smtp_helo_name", value, sizeof value) &&
                        !mailcow_postfix(text, "myhostname", value, sizeof value)) ||
                       strcasecmp(value, want) == 0 || strchr(value, '$')))
                return;
        struct flaw *f =
                found(d, F_DNS_HELO, "postfix calls itself %s, Mailcow's name is %s", value, want);
        found_at(f, "%s", path);
        found_fix(f, "myhostname = %s", want);
}

void look_config(struct doctor *d)
{
        const struct config *c = &d->config;

        look_file_mode(d);
        look_secrets(d);
        look_nodes(d);
        if (c->cluster.nodes.n > 0) {
                look_hook(d, "master.sh");
                look_hook(d, "backup.sh");
        }
        look_mailcow(d);
        look_outbound_net(d);
        look_postfix(d);
}
