/* Each verb looks first, refuses what could make a second cluster, and waits until the member is
 * what was asked for. What a member does at its start is in templates/container/galera-start. */
#include "hamon/cmd_galera.h"

#include "hamon/cmd_galera_recover.h"
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

enum {
        MINUTE = 60000,
        ORDER_VALID = 2 * MINUTE, /* from the order to the start it is for */
        COPY = 240 * MINUTE,
};

/* What mariabackup needs, of a user that only this machine's own mysqld can be: by its socket. */
#define COPY_USER "mysql@localhost"

static const char *const COPY_USER_SQL[] = {
        "CREATE USER IF NOT EXISTS " COPY_USER " IDENTIFIED VIA unix_socket",
        "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO " COPY_USER,
};

/* ---- the other nodes ---- */

static bool is_me(const struct step *s, size_t i)
{
        return (int)i == config_cluster_rank(&s->config);
}

/* R: a second first member would be a second cluster. 0: on no other node is one. */
static int nobody_else(struct step *s)
{
        for (size_t i = 0; i < s->config.cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(&s->config, i);
                if (is_me(s, i) || step_is_named(s->off, n.name))
                        continue;
                enum member_port p = member_port(n.address);
                step_pulse(s);
                if (p == PORT_OPEN)
                        return step_end(s, STEP_FAILED,
                                        "on %s (%s) a member listens already. Here: hamon galera "
                                        "join. If it only waits for a first one: docker stop "
                                        "its " MEMBER_SERVICE,
                                        n.name, n.address);
                if (p == PORT_SILENT)
                        return step_end(s, STEP_FAILED,
                                        "%s (%s) does not answer: whether it is a member cannot be "
                                        "known from here. Only if it surely is none: --off %s",
                                        n.name, n.address, n.name);
        }
        return 0;
}

static int somebody_else(struct step *s)
{
        for (size_t i = 0; i < s->config.cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(&s->config, i);
                if (!is_me(s, i) && member_port(n.address) == PORT_OPEN)
                        return 0;
                step_pulse(s);
        }
        return step_end(s, STEP_FAILED,
                        "no member listens on another node. The first one: hamon galera bootstrap, "
                        "on the node whose data counts");
}

static int without_cluster(struct step *s)
{
        return step_end(s, STEP_FAILED, "%s: [cluster] nodes is empty: there is no other node",
                        s->file);
}

/* ---- bootstrap ---- */

static int make_copy_user(struct step *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(COPY_USER_SQL); i++) {
                int r = member_say(s, COPY_USER_SQL[i]);
                if (r < 0)
                        return step_end(s, STEP_FAILED,
                                        "the database runs, but user " COPY_USER
                                        ", who copies it to other nodes, could not be made: as "
                                        "root of the database: %s; %s",
                                        COPY_USER_SQL[0], COPY_USER_SQL[1]);
        }
        return 0;
}

/* Data that was a member before is not begun with again, but by the word of a person: others may
 * have more of it. */
static int fit_to_begin(struct step *s, const struct galera_data *d)
{
        if (d->unusable)
                return step_end(s, STEP_FAILED,
                                "the data here is a copy that was cut off, or given up by Galera; "
                                "another member must have it: hamon galera join");
        if (d->member && !(s->flags & STEP_ACCEPT_LOSS))
                return step_end(s, STEP_FAILED,
                                "the data here was in a cluster already (%s): others may have more "
                                "of it. hamon galera recover finds that out; --accept-loss goes on",
                                d->grastate.uuid);
        return 0;
}

static int begin(struct step *s)
{
        struct galera_position p;
        struct galera_facts f = { .reach = DB_UNKNOWN };
        struct galera_data d;

        int code = member_stop(s);
        if (code == 0)
                code = member_data(s, &d);
        if (code != 0)
                return code;
        if (!galera_data_position(&d, &p))
                return step_end(s, STEP_TEMPORARY,
                                "where the data stands is not known until it is started once: "
                                "docker start its " MEMBER_SERVICE ", and this again");
        int r = galera_order(GALERA_SHARE, &p, d.member, clock_ms() + ORDER_VALID);
        if (r < 0)
                return step_end_error(s, r, GALERA_SHARE);
        code = member_start(s);
        if (code != 0) {
                galera_order_revoke(GALERA_SHARE);
                return code;
        }
        if (!member_await(s, &f))
                return step_end(s, STEP_TEMPORARY, "the database is no first member");
        code = make_copy_user(s);
        return code ? code
                    : step_end(s, STEP_DONE,
                               "the database is the first member of %s. Next: hamon store init, "
                               "then hamon galera join on the others",
                               f.cluster_uuid);
}

static int bootstrap_run(struct step *s)
{
        struct galera_data d;
        struct galera_facts f = { .reach = DB_UNKNOWN };
        int code;

        if (s->config.cluster.nodes.n == 0)
                return without_cluster(s);
        member_ask(s, &f);
        if (member_is_primary(&f)) {
                code = make_copy_user(s);
                return code ? code
                            : step_end(s, STEP_ALREADY, "it is a member of a cluster of %u",
                                       f.size);
        }
        code = member_data(s, &d);
        if (code == 0)
                code = fit_to_begin(s, &d);
        if (code == 0)
                code = nobody_else(s);
        return code ? code : begin(s);
}

/* ---- join ---- */

/* What was no member is not thrown away: it is Mailcow's database from before. */
static int make_room(struct step *s, const struct galera_data *d)
{
        bool discard = s->flags & STEP_DISCARD;

        if (d->there && !d->member && !d->unusable)
                return member_set_aside(s, "-before-ha");
        return discard && (d->there || d->member) ? member_set_aside(s, "-discarded") : 0;
}

/* R: a copy that comes in is not cut off: its member would be killed at the end of its time, and a
 * large database be copied from the beginning. One with nothing yet is about to ask for it. Who has
 * left the group waits for nothing any more. */
static bool is_copying(struct step *s, const struct galera_facts *f, const struct galera_data *d)
{
        bool nothing = !d->there && !d->member;

        return !(s->flags & STEP_DISCARD) && !galera_has_left(f) && (d->unusable || nothing) &&
               member_runs(s);
}

static int start_anew(struct step *s, const struct galera_data *d)
{
        int code = member_stop(s);

        if (code == 0)
                code = make_room(s, d);
        return code ? code : member_start(s);
}

static int join_run(struct step *s)
{
        struct galera_data d;
        struct galera_facts f = { .reach = DB_UNKNOWN };

        if (s->config.cluster.nodes.n == 0)
                return without_cluster(s);
        member_ask(s, &f);
        if (member_is_synced(&f))
                return step_end(s, STEP_ALREADY, "it is a synced member of a cluster of %u",
                                f.size);
        int code = somebody_else(s);
        if (code == 0)
                code = member_data(s, &d);
        if (code == 0 && is_copying(s, &f, &d))
                step_note(s, MEMBER_SERVICE " runs: the copy that comes in is waited for");
        else if (code == 0)
                code = start_anew(s, &d);
        if (code != 0)
                return code;
        if (!member_await(s, &f))
                return step_end(s, STEP_TEMPORARY, "it is no synced member yet");
        return step_end(s, STEP_DONE, "it is a synced member of a cluster of %u", f.size);
}

/* ---- restart ---- */

static int may_restart(struct step *s, const struct galera_facts *f)
{
        if (step_ask(s) == 0 && s->grant.ok)
                return step_end(s, STEP_FAILED,
                                "this node leads: mail would wait for its database. First: hamon "
                                "switchover");
        if (!member_is_synced(f))
                return step_end(s, STEP_FAILED,
                                "it is no synced member: hamon galera join, or recover");
        if (f->size < s->config.cluster.nodes.n)
                return step_end(s, STEP_TEMPORARY,
                                "only %u of %zu members are there: one more away is one too many",
                                f->size, s->config.cluster.nodes.n);
        return 0;
}

static int restart_run(struct step *s)
{
        struct galera_facts f = { .reach = DB_UNKNOWN };

        member_ask(s, &f);
        int code = may_restart(s, &f);
        if (code == 0)
                code = member_stop(s);
        if (code == 0)
                code = member_start(s);
        if (code != 0)
                return code;
        if (!member_await(s, &f))
                return step_end(s, STEP_TEMPORARY, "it is no synced member yet");
        return step_end(s, STEP_DONE,
                        "it runs anew, a synced member of %u. Then the next node; the one that "
                        "leads comes last, after hamon switchover",
                        f.size);
}

/* ---- position ---- */

static int position_run(struct step *s)
{
        struct galera_position p;
        struct galera_facts f = { .reach = DB_UNKNOWN };
        struct galera_data d;

        member_ask(s, &f);
        if (f.reach == DB_OK && galera_is_uuid(f.cluster_uuid) && f.last_committed >= 0) {
                str_copy(p.uuid, sizeof p.uuid, f.cluster_uuid);
                p.seqno = f.last_committed;
        } else {
                int code = member_data(s, &d);
                if (code != 0)
                        return code;
                if (!galera_data_position(&d, &p))
                        return step_end(s, STEP_TEMPORARY,
                                        "not known: " MEMBER_SERVICE
                                        " has not been started in this boot, or went on since");
        }
        if (!s->json)
                return printf("%s:%" PRId64 "\n", p.uuid, p.seqno) > 0 ? EX_OK : EX_IOERR;
        cJSON_AddStringToObject(s->json, "uuid", p.uuid);
        cJSON_AddNumberToObject(s->json, "seqno", (double)p.seqno);
        return step_end(s, STEP_DONE, "%s:%" PRId64, p.uuid, p.seqno);
}

/* ---- status ---- */

static void add_json(struct step *s, const struct galera_facts *f, const struct galera_data *d)
{
        struct galera_position p;

        cJSON_AddBoolToObject(s->json, "primary", member_is_primary(f));
        cJSON_AddBoolToObject(s->json, "synced", member_is_synced(f));
        cJSON_AddNumberToObject(s->json, "size", f->reach == DB_OK ? f->size : 0);
        cJSON_AddStringToObject(s->json, "cluster", f->cluster_uuid);
        cJSON_AddNumberToObject(s->json, "last_committed", (double)f->last_committed);
        cJSON_AddBoolToObject(s->json, "unusable", d->unusable);
        if (galera_data_position(d, &p)) {
                cJSON_AddStringToObject(s->json, "data_uuid", p.uuid);
                cJSON_AddNumberToObject(s->json, "data_seqno", (double)p.seqno);
        }
}

static int status_run(struct step *s)
{
        struct galera_position p;
        struct galera_facts f = { .reach = DB_UNKNOWN };
        struct galera_data d;
        char stands[96] = "not known until it is started";

        member_ask(s, &f);
        int code = member_data(s, &d);
        if (code != 0)
                return code;
        if (s->json)
                add_json(s, &f, &d);
        if (f.reach == DB_OK)
                return step_end(s, member_is_synced(&f) ? STEP_DONE : STEP_TEMPORARY,
                                "%s, %s, %u of %zu members (%s), cluster %s at %" PRId64,
                                f.cluster_status, f.state_comment, f.size,
                                s->config.cluster.nodes.n, f.members, f.cluster_uuid,
                                f.last_committed);
        if (d.unusable)
                str_copy(stands, sizeof stands, "unusable: a copy that was cut off");
        else if (galera_data_position(&d, &p))
                snprintf(stands, sizeof stands, "%s:%" PRId64, p.uuid, p.seqno);
        return step_end(s, STEP_TEMPORARY, "the database does not answer (%s); its data: %s%s",
                        f.text, d.there ? "" : "none; ", stands);
}

static const struct step_verb VERBS[] = {
        { .name = "status", .flags = STEP_COMMON, .timeout = MINUTE, .run = status_run },
        { .name = "position", .flags = STEP_COMMON, .timeout = MINUTE, .run = position_run },
        { .name = "bootstrap",
          .flags = STEP_COMMON | STEP_OFF | STEP_ACCEPT_LOSS,
          .timeout = 10 * MINUTE,
          .run = bootstrap_run },
        { .name = "join", .flags = STEP_COMMON | STEP_DISCARD, .timeout = COPY, .run = join_run },
        { .name = "recover",
          .flags = STEP_COMMON | STEP_PLAN | STEP_ACCEPT_LOSS | STEP_AUTO | STEP_FENCE | STEP_OFF,
          .timeout = 10 * MINUTE,
          .run = galera_recover_run },
        { .name = "restart", .flags = STEP_COMMON, .timeout = 10 * MINUTE, .run = restart_run },
};

/* The daemon asks while a person's command has the lock. */
static const struct step_verb WORD[] = {
        { .timeout = MINUTE / 4, .run = galera_word_run },
};

int galera_command(const char *file, int argc, char **argv)
{
        if (argc == 1 && strcmp(argv[0], "word") == 0)
                return step_main("galera-word", WORD, 1, file, 0, argv);
        return step_main("galera", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
