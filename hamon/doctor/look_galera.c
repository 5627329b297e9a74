/* The database of this node and of the others: settings that Galera and hamon rely on, and what
 * differs between the nodes. All of it is read with hamon's own user, which needs no rights for
 * that. */
#include "hamon/ask.h"
#include "hamon/doctor/doctor.h"
#include "lib/secret.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CONNECT_MS = 1500, ANSWER_MS = 1500, SUSPECT_MS = 3000, SKEW_MS = 2000, VALUE = 1024 };

/* What one question brings: one field per column, in this order. */
struct settings {
        char version[64], server_id[24], now_ms[24], wsrep_on[8], provider[256],
                cluster_address[VALUE], options[4096], sst[32], notify[256], autoinc[8], flush[8],
                non_pk[8];
        char status[24], state[32], size[8], cert_failures[24], bf_aborts[24];
        bool have;
};

#define AT(f)                                                                   \
        {                                                                       \
                offsetof(struct settings, f), sizeof(((struct settings *)0)->f) \
        }
static const struct {
        size_t offset, size;
} COLUMNS[] = { AT(version),         AT(server_id), AT(now_ms), AT(wsrep_on), AT(provider),
                AT(cluster_address), AT(options),   AT(sst),    AT(notify),   AT(autoinc),
                AT(flush),           AT(non_pk),    AT(status), AT(state),    AT(size),
                AT(cert_failures),   AT(bf_aborts) };
#undef AT

#define STATUS(name)                                                                              \
        "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='" name \
        "')"
static const char QUESTION[] =
        "SELECT "
        "@@version,@@server_id,ROUND(UNIX_TIMESTAMP(NOW(3))*1000),@@wsrep_on,@@wsrep_provider,"
        "@@wsrep_cluster_address,@@wsrep_provider_options,@@wsrep_sst_method,@@wsrep_notify_"
        "cmd,"
        "@@innodb_autoinc_lock_mode,@@innodb_flush_log_at_trx_commit,"
        "@@wsrep_certify_nonPK," STATUS("wsrep_cluster_status") "," STATUS(
                "wsrep_local_state_"
                "comment") "," STATUS("wsrep_cluster_size") "," STATUS("wsrep_local_cert_"
                                                                       "failures") "," STATUS("wsre"
                                                                                              "p_"
                                                                                              "loca"
                                                                                              "l_"
                                                                                              "bf_"
                                                                                              "abor"
                                                                                              "ts");

static void on_row(void *arg, const char *const *values, unsigned columns)
{
        struct settings *s = arg;

        for (unsigned i = 0; i < columns && i < ARRAY_SIZE(COLUMNS); i++)
                str_copy((char *)s + COLUMNS[i].offset, COLUMNS[i].size,
                         values[i] ? values[i] : "");
        s->have = columns == ARRAY_SIZE(COLUMNS);
}

static struct sql_config local(const struct config *c, const char *password)
{
        return (struct sql_config){ .socket = c->galera.socket,
                                    .host = c->galera.host,
                                    .port = (unsigned)c->galera.port,
                                    .user = c->galera.user,
                                    .password = password,
                                    .connect = CONNECT_MS,
                                    .answer = ANSWER_MS };
}

/* ---- this node ---- */

static void where_it_is(const struct config *c, struct flaw *f)
{
        if (*c->galera.socket)
                found_at(f, "%s", c->galera.socket);
        else
                found_at(f, "%s:%u", c->galera.host, (unsigned)c->galera.port);
}

static void no_database(struct doctor *d, const struct ask_sql *a)
{
        struct flaw *f = found(d, F_DATABASE, "%s", *a->text ? a->text : "it does not answer");

        where_it_is(&d->config, f);
        if (a->error == 1045 || a->error == 1698)
                found_fix(f, "hamon store init (it makes the user with the password of [galera] "
                             "password_file)");
        else
                found_fix(f,
                          "cd %s && docker compose up -d mysql-mailcow; docker compose logs --tail "
                          "50 mysql-mailcow",
                          d->config.mailcow.dir);
}

/* The value of a key in "a = b; c = d". */
static bool provider_option(const char *options, const char *key, char *ret, size_t size)
{
        size_t len = strlen(key);

        for (const char *p = options; *p; p += strcspn(p, ";"), p += *p == ';') {
                p += strspn(p, " ");
                const char *equal = p + strcspn(p, "=;");
                if (strncmp(p, key, len) != 0 || (p[len] != ' ' && p[len] != '=') || *equal != '=')
                        continue;
                equal += 1 + strspn(equal + 1, " ");
                size_t n = strcspn(equal, "; ");
                if (n >= size)
                        return false;
                memcpy(ret, equal, n);
                ret[n] = '\0';
                return true;
        }
        return false;
}

/* "PT5S", "PT0.3S" in ms; -1 = not of this form. */
static int period(const char *s)
{
        char *end;

        if (strncmp(s, "PT", 2) != 0)
                return -1;
        double seconds = strtod(s + 2, &end);
        return str_eq(end, "S") && seconds >= 0 && seconds < 10000 ? (int)(seconds * 1000) : -1;
}

struct rule { /* one setting, one value */
        size_t offset;
        const char *want[3]; /* any of them */
        enum flaw_id id;
        const char *name, *fix;
};
#define AT(f) offsetof(struct settings, f)
static const struct rule RULES[] = {
        { AT(autoinc),
          { "2" },
          F_GALERA_AUTOINC,
          "innodb_autoinc_lock_mode",
          "innodb_autoinc_lock_mode = 2" },
        { AT(non_pk),
          { "1", "ON" },
          F_GALERA_NON_PK,
          "wsrep_certify_nonPK",
          "wsrep_certify_nonPK = ON" },
        { AT(flush),
          { "1" },
          F_GALERA_FLUSH,
          "innodb_flush_log_at_trx_commit",
          "innodb_flush_log_at_trx_commit = 1" },
        { AT(sst),
          { "mariabackup" },
          F_GALERA_SST,
          "wsrep_sst_method",
          "wsrep_sst_method = mariabackup" },
};
#undef AT

static void mysqld_fix(const struct doctor *d, struct flaw *f, const char *line)
{
        found_at(f, "%s/data/conf/mysql/", d->config.mailcow.dir);
        found_fix(f,
                  "[mysqld]\n%s\nin a .cnf file there, then restart mysql-mailcow, one node after "
                  "the other",
                  line);
}

static void judge_rules(struct doctor *d, const struct settings *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
                const struct rule *r = &RULES[i];
                const char *have = (const char *)s + r->offset;
                bool good = false;
                for (size_t w = 0; w < ARRAY_SIZE(r->want) && r->want[w]; w++)
                        good = good || strcasecmp(have, r->want[w]) == 0;
                if (!good)
                        mysqld_fix(d, found(d, r->id, "%s is %s", r->name, have), r->fix);
        }
}

static void judge_addresses(struct doctor *d, const struct settings *s)
{
        CLEANUP(buf_done) struct buf lost = BUF(256), all = BUF(512);
        const struct config *c = &d->config;
        char line[600];

        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(c, i);
                buf_addf(&all, "%s%s", i > 0 ? "," : "", n.address);
                if (!strstr(s->cluster_address, n.address))
                        buf_addf(&lost, " %s", n.address);
        }
        if (lost.len == 0)
                return;
        struct flaw *f = found(d, F_GALERA_ADDRESS, "wsrep_cluster_address is \"%s\", without%s",
                               s->cluster_address, buf_str(&lost));
        snprintf(line, sizeof line, "wsrep_cluster_address = gcomm://%s", buf_str(&all));
        mysqld_fix(d, f, line);
}

static void judge_state(struct doctor *d, const struct settings *s)
{
        const struct config *c = &d->config;
        uint64_t size = 0, cert = 0, aborts = 0;
        struct flaw *f;

        if (strcasecmp(s->status, "Primary") != 0 || strcasecmp(s->state, "Synced") != 0) {
                f = found(d, F_GALERA_STATE, "it is %s, %s", s->status, s->state);
                where_it_is(c, f);
                found_fix(f, "hamon status on every node; if none is Primary, see BREAK-GLASS in "
                             "man hamon");
        }
        parse_uint(s->size, 0, 1000, &size);
        if (size < c->cluster.nodes.n) {
                f = found(d, F_GALERA_SIZE, "%" PRIu64 " of %zu nodes are in the cluster", size,
                          c->cluster.nodes.n);
                where_it_is(c, f);
                found_fix(f, "on the missing one: cd %s && docker compose up -d mysql-mailcow",
                          c->mailcow.dir);
        }
        parse_uint(s->cert_failures, 0, UINT64_MAX, &cert);
        parse_uint(s->bf_aborts, 0, UINT64_MAX, &aborts);
        if (cert + aborts == 0)
                return;
        f = found(d, F_GALERA_COLLISION,
                  "%" PRIu64 " writes here lost against another node's since its start",
                  cert + aborts);
        where_it_is(c, f);
        found_fix(f, "find who else writes: SHOW FULL PROCESSLIST on the standbys; no active "
                     "service may run there");
}

static void judge_hints(struct doctor *d, const struct settings *s)
{
        char value[32];

        if (provider_option(s->options, "evs.suspect_timeout", value, sizeof value) &&
            period(value) > SUSPECT_MS)
                mysqld_fix(d, found(d, F_GALERA_TIMERS, "evs.suspect_timeout is %s", value),
                           "wsrep_provider_options = "
                           "\"evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;"
                           "evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT4S;evs.install_"
                           "timeout=PT5S\"");
        if (!*s->notify)
                mysqld_fix(d, found(d, F_GALERA_NOTIFY, "wsrep_notify_cmd is empty"),
                           "wsrep_notify_cmd = \"/usr/local/bin/hamon notify-galera\"");
}

static void judge(struct doctor *d, const struct settings *s)
{
        bool on = (strcasecmp(s->wsrep_on, "1") == 0 || strcasecmp(s->wsrep_on, "ON") == 0) &&
                  *s->provider && strcasecmp(s->provider, "none") != 0;

        if (!on) {
                mysqld_fix(d,
                           found(d, F_GALERA_OFF, "wsrep_on = %s, wsrep_provider = %s", s->wsrep_on,
                                 s->provider),
                           "wsrep_on = ON\nwsrep_provider = /usr/lib/galera/libgalera_smm.so");
                return;
        }
        judge_state(d, s);
        judge_rules(d, s);
        judge_addresses(d, s);
        judge_hints(d, s);
}

/* ---- the others ---- */

static void compare(struct doctor *d, const struct settings *me, const struct settings *peer,
                    int64_t skew, const char *name)
{
        struct flaw *f;

        if (!str_eq(me->version, peer->version)) {
                f = found(d, F_VERSION, "MariaDB is %s here and %s on %s", me->version,
                          peer->version, name);
                found_at(f, "node %s", name);
                found_fix(f, "update Mailcow on each node to the same version, the standbys first");
        }
        if (str_eq(me->server_id, peer->server_id))
                mysqld_fix(d,
                           found(d, F_SERVER_ID, "server_id is %s here and on %s", me->server_id,
                                 name),
                           "server_id = a number of its own on each node");
        if (llabs((long long)skew) <= SKEW_MS)
                return;
        f = found(d, F_SKEW, "the clock of %s is %+.1f s from ours", name, (double)skew / 1000);
        found_at(f, "node %s", name);
        found_fix(f, "timedatectl on both nodes; systemctl restart systemd-timesyncd (or chrony)");
}

static int64_t wall_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Their clock was read between two looks at ours. */
static int64_t skew_of(const struct settings *s, int64_t before, int64_t after)
{
        uint64_t theirs;

        if (parse_uint(s->now_ms, 0, INT64_MAX, &theirs) < 0)
                return 0;
        if ((int64_t)theirs < before)
                return (int64_t)theirs - before;
        return (int64_t)theirs > after ? (int64_t)theirs - after : 0;
}

/* `own`: the error our own member gave; the same once more is no news. */
static void look_peer(struct doctor *d, const struct settings *me, unsigned own,
                      const char *password, size_t i)
{
        const struct cluster_node n = config_cluster_node(&d->config, i);
        CLEANUP(freep) struct settings *peer = calloc(1, sizeof *peer);
        struct sql_config c = local(&d->config, password);
        struct ask_sql a;

        if (!peer)
                return;
        c.socket = NULL;
        c.host = n.address;
        c.port = (unsigned)d->config.galera.peer_port;
        int64_t before = wall_ms();
        int r = ask_sql(&c, QUESTION, on_row, peer, &a);
        if (r == 0 && peer->have && me->have) {
                compare(d, me, peer, skew_of(peer, before, wall_ms()), n.name);
                return;
        }
        if (r == 0 || (a.error >= 2000 && a.error < 3000) || r == -ETIMEDOUT || a.error == own)
                return; /* no way there: the look at the peers says that */
        struct flaw *f = found(d, F_PEER_DATABASE, "%s refuses %s: %s", n.name,
                               d->config.galera.user, a.text);
        found_at(f, "%s:%u", n.address, c.port);
        found_fix(f, "hamon store init on the master (the user must be '%s'@'%%')",
                  found_word(d->config.galera.user));
}

static void look_store(struct doctor *d, const char *password)
{
        struct sql_config c = local(&d->config, password);
        char statement[160];
        struct ask_sql a;

        snprintf(statement, sizeof statement, "SELECT COUNT(*) FROM `%s`.lease",
                 found_word(d->config.galera.database));
        if (ask_sql(&c, statement, NULL, NULL, &a) == 0 || !a.sent)
                return;
        struct flaw *f = found(d, F_STORE, "%s", a.text);
        found_at_key(d, f, &d->config.galera.database);
        found_fix(f, "hamon store init");
}

void look_galera(struct doctor *d)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        CLEANUP(secret_wipe) char *password = NULL;
        struct ask_sql a = { .error = 0 };

        if (secret_read(d->config.galera.password_file, &password, &error) < 0)
                return; /* a finding of the look at the configuration */
        CLEANUP(freep) struct settings *me = calloc(1, sizeof *me);
        if (!me)
                return;
        struct sql_config c = local(&d->config, password);
        if (ask_sql(&c, QUESTION, on_row, me, &a) < 0) {
                no_database(d, &a);
        } else if (me->have) {
                judge(d, me);
                if (d->config.cluster.nodes.n > 0)
                        look_store(d, password);
        }
        for (size_t i = 0; i < d->config.cluster.nodes.n; i++)
                if ((int)i != config_cluster_rank(&d->config))
                        look_peer(d, me, a.error, password, i);
}
