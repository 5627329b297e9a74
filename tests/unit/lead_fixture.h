/* The leading part of the daemon in a world of its own: a real database with the lease's row, a
 * node whose facts the test says, hooks that are a few lines of shell each, two peers on the real
 * channel, and a double of the guard. It lives in a network and a mount namespace, so that ports
 * and /var/lib are its own. */
#pragma once

#include "harness.h"

#include "disk.h" /* of the two, this one has no statics that shadow */
#include "hamon/epoch_file.h"
#include "hamon/lead.h"
#include "hamon/peer.h"
#include "hamon/peer_state.h"
#include "hamon/store_sql.h"
#include "lib/log.h"
#include "tests/unit/galera_server.h"
#include "tests/unit/guard_double.h"

#include <event2/event.h>
#include <inttypes.h>
#include <sys/sysmacros.h>

#define SECRET "a secret of the cluster"

enum { LEAD_PATIENCE_MS = 40000, LEAD_TICK_MS = 50, OTHERS = 2, HEARD_MAX = 16 };

static const struct store_names ROW_NAMES = { .database = "hamon",
                                              .lease = STORE_LEASE,
                                              .me = "n1" };
static const char *const ADDRESSES[] = { "127.0.0.11", "127.0.0.12", "127.0.0.13" };

struct other { /* n2, n3 */
        struct peer *peer;
        struct peer_state says;
        bool lets_go; /* from the moment on in which n1 has the lease, it says that it is clean */
        int hole;     /* a listener that never answers, instead of it */
        char heard[HEARD_MAX][128];
        unsigned n;
};

static struct lead_world {
        struct tmp tmp;
        char vol[64], image[64];
        struct loop loop;
        struct timer tick;
        struct config config;
        struct node node;
        struct lead *lead;
        struct events *events;
        struct guard_double guard;
        struct other others[OTHERS];
        bool active, judging;
        bool hung;                         /* what is active runs, and does not work */
        const char *lease, *grace, *stale; /* for world_configure() */
        unsigned peer_port;
        char members[128]; /* of the database, as this node sees them */
        struct buf answer;
} lw;

/* ---- the database ---- */

/* One value. */
static inline const char *sql_value(const char *query)
{
        static char value[256];
        MYSQL *my = mysql_init(NULL);

        value[0] = '\0';
        if (!mysql_real_connect(my, NULL, "root", NULL, NULL, 0, path, 0) ||
            mysql_query(my, query) != 0)
                fail_msg("%s: %s", query, mysql_error(my));
        MYSQL_RES *res = mysql_store_result(my);
        MYSQL_ROW r = res ? mysql_fetch_row(res) : NULL;
        if (r && r[0])
                str_copy(value, sizeof value, r[0]);
        mysql_free_result(res);
        mysql_close(my);
        return value;
}

static inline bool row_holder(const char *want)
{
        return str_eq(sql_value("SELECT holder FROM hamon.lease"), want);
}

/* Another node takes the lease, as its daemon would. */
static inline void row_taken_by(const char *who)
{
        char q[256];

        snprintf(q, sizeof q,
                 "UPDATE hamon.lease SET holder='%s',incarnation=22,token=5,epoch=epoch+1,"
                 "beat=beat+1",
                 who);
        sql(q);
}

static inline void database_up(void)
{
        CLEANUP(buf_done) struct buf q = BUF(4096);

        server_install();
        server_start(true);
        sql("CREATE USER hamon@'%' IDENTIFIED BY 'lead-password'");
        assert_int_equal(store_sql_create_database(&q, &ROW_NAMES), 0);
        sql(buf_str(&q));
        for (enum store_table t = 0; t < TABLE_COUNT_; t++) {
                buf_reset(&q);
                assert_int_equal(store_sql_create_table(&q, &ROW_NAMES, t), 0);
                sql(buf_str(&q));
                buf_reset(&q);
                assert_int_equal(store_sql_grant(&q, &ROW_NAMES, t, "hamon"), 0);
                sql(buf_str(&q));
        }
        buf_reset(&q);
        assert_int_equal(store_sql_insert_lease(&q, &ROW_NAMES), 0);
        sql(buf_str(&q));
}

/* ---- the guard ---- */

static inline void guard_down(void)
{
        guard_double_down(&lw.guard);
}

static inline void guard_up(enum guard_mood mood)
{
        guard_double_up(&lw.guard, &lw.loop, at(&lw.tmp, "guard.sock"), mood);
}

/* ---- the peers ---- */

static inline void on_other(void *arg, const char *from, enum peer_command command,
                            const char *words, struct buf *out)
{
        struct other *o = arg;

        assert_string_equal(from, "n1");
        if (command == PEER_STATE) {
                if (o->lets_go && row_holder("n1")) {
                        str_copy(o->says.state, sizeof o->says.state, "standby");
                        o->says.mounted = false;
                }
                assert_int_equal(peer_state_write(out, &o->says), 0);
                return;
        }
        if (command == PEER_GALERA) { /* asked as long as the database is down */
                buf_adds(out, "error: not known yet");
                return;
        }
        assert_true(o->n < HEARD_MAX);
        snprintf(o->heard[o->n++], sizeof o->heard[0], "%s %s", PEER_COMMANDS[command], words);
        buf_adds(out, "ok");
}

static inline bool other_heard(size_t i, const char *begins)
{
        const struct other *o = &lw.others[i];

        for (unsigned k = 0; k < o->n; k++)
                if (strncmp(o->heard[k], begins, strlen(begins)) == 0)
                        return true;
        return false;
}

static inline void other_down(size_t i)
{
        peer_free(lw.others[i].peer);
        lw.others[i].peer = NULL;
        closep(&lw.others[i].hole);
        lw.others[i].hole = -1;
}

/* n2 is others[0], n3 others[1]; a fit standby, unless the test says something else. */
static inline void other_up(size_t i, const char *secret)
{
        static const char *const NAMES[] = { "n1", "n2", "n3" };
        struct other *o = &lw.others[i];
        struct peer_node nodes[OTHERS + 1];

        for (size_t k = 0; k <= OTHERS; k++)
                nodes[k] = (struct peer_node){ NAMES[k], ADDRESSES[k], lw.peer_port };
        const struct peer_config pc = { .address = ADDRESSES[i + 1],
                                        .port = lw.peer_port,
                                        .nodes = nodes,
                                        .n_nodes = OTHERS + 1,
                                        .me = i + 1,
                                        .secret = secret };
        *o = (struct other){ .hole = -1, .says = { .candidate = true, .incarnation = 22 } };
        str_copy(o->says.name, sizeof o->says.name, NAMES[i + 1]);
        str_copy(o->says.role, sizeof o->says.role, "standby");
        str_copy(o->says.state, sizeof o->says.state, "standby");
        str_copy(o->says.verdict, sizeof o->says.verdict, "fit");
        str_copy(o->says.reason, sizeof o->says.reason, "ok");
        str_copy(o->says.vrrp, sizeof o->says.vrrp, "backup");
        /* a child forked just now has the listener before it, until it runs and closes it */
        EVENTUALLY(peer_new(&lw.loop, &pc, on_other, o, &o->peer) == 0);
}

/* It takes connections and says nothing: no answer in time. */
static inline void other_silent(size_t i)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)lw.peer_port) };
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        other_down(i);
        inet_pton(AF_INET, ADDRESSES[i + 1], &a.sin_addr);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        EVENTUALLY(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
        assert_int_equal(listen(fd, 64), 0);
        lw.others[i].hole = fd;
}

/* ---- the node ---- */

static inline void world_containers(bool active)
{
        const enum ctr_state on = lw.hung ? CTR_PAUSED : CTR_RUNNING;
        const struct container_facts run = { .state = CTR_RUNNING },
                                     a1 = { .state = active ? on : CTR_CREATED };

        node_containers_begin(&lw.node);
        assert_int_equal(node_container(&lw.node, "w1", &run, 0, 1), 0);
        assert_int_equal(node_container(&lw.node, "a1", &a1, 0, 1), 0);
        node_containers_end(&lw.node);
}

static inline void world_judge(void)
{
        struct galera_facts g = { .reach = DB_OK,
                                  .wsrep_on = true,
                                  .primary = true,
                                  .ready = true,
                                  .connected = true,
                                  .local_state = WSREP_SYNCED,
                                  .size = 1,
                                  .cluster_status = "Primary",
                                  .state_comment = "Synced" };
        msec_t now = loop_now(&lw.loop);

        if (!lw.judging || !lw.node.config)
                return;
        str_copy(g.members, sizeof g.members, lw.members);
        for (const char *p = g.members; (p = strchr(p, ',')); p++)
                g.size++;
        node_engine(&lw.node, ENGINE_OK, "", true);
        world_containers(lw.active);
        node_galera(&lw.node, &g, now);
        node_eval(&lw.node, FOLD_TICK, now, NULL, NULL);
}

static inline void on_world_changed(void *arg)
{
        (void)arg;
        node_set_lead(&lw.node, lead_role(lw.lead));
        world_judge();
        lead_wake(lw.lead);
}

/* What the hooks did shows: they leave a file "active" behind. */
static inline void on_world_tick(void *arg)
{
        (void)arg;
        timer_set(&lw.tick, LEAD_TICK_MS);
        lw.active = access(at(&lw.tmp, "active"), F_OK) == 0;
        world_judge();
        if (lw.lead)
                lead_tick(lw.lead);
}

static inline void world_turn(void)
{
        lw.loop.now_valid = false;
        assert_int_equal(event_base_loop(lw.loop.base, EVLOOP_ONCE), 0);
}

/* Goes out by itself: cmocka cuts off a message after a kilobyte, which then is the log's head. */
static inline const char *log_tail(void)
{
        CLEANUP(freep) char *all = NULL;
        size_t len = 0;

        if (read_file(at(&lw.tmp, "log"), 4 * 1024 * 1024, &all, &len) < 0)
                return "no log";
        fputs(len > 6000 ? all + len - 6000 : all, stderr);
        return "the log is above";
}

#define TURN_UNTIL(condition)                                                         \
        for (msec_t end_ = clock_ms() + LEAD_PATIENCE_MS; !(condition); world_turn()) \
                if (clock_ms() > end_)                                                \
        fail_msg("never came true: %s\n%s", #condition, log_tail())

/* It stays true for so long: for what must not happen. */
#define TURN_WHILE(ms, condition)                                              \
        for (msec_t end_ = clock_ms() + (ms); clock_ms() < end_; world_turn()) \
                if (!(condition))                                              \
        fail_msg("did not stay true: %s\n%s", #condition, log_tail())

/* ---- hooks ---- */

static inline void PRINTF(2, 3) hook_does(const char *mode, const char *fmt, ...)
{
        char name[32], text[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        snprintf(name, sizeof name, "do.%s", mode);
        put_file(at(&lw.tmp, name), "%s\n", text);
}

static inline unsigned hooks_in(const char *file, const char *mode)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;
        unsigned n = 0;

        if (read_file(at(&lw.tmp, file), 65536, &text, NULL) < 0)
                return 0;
        for (char *w = strtok_r(text, "\n", &rest); w; w = strtok_r(NULL, "\n", &rest))
                n += strcmp(w, mode) == 0;
        return n;
}

/* How often a hook was begun in this mode. */
static inline unsigned hook_ran(const char *mode)
{
        return hooks_in("ran", mode);
}

/* How often one came to its end: what is damaged before that, it may still mend. What it left
 * behind may be gone or back again by then: the next one does not wait for us to look. */
static inline unsigned hook_over(const char *mode)
{
        return hooks_in("over", mode);
}

static inline bool hook_had(const char *mode, const char *line)
{
        char name[32];

        snprintf(name, sizeof name, "env.%s", mode);
        return file_has(at(&lw.tmp, name), line);
}

static inline void make_hooks(void)
{
        static const char *const FILES[] = { "hooks/master.sh", "hooks/backup.sh" };
        static const char *const AWAY[] = { "switchover", "demote", "fence" };
        const char *d = lw.tmp.path;

        assert_int_equal(mkdir(at(&lw.tmp, "hooks"), 0755), 0);
        for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
                put_file(at(&lw.tmp, FILES[i]),
                         "#!/bin/sh\nenv >%s/env.$HAMON_MODE\necho $HAMON_MODE >>%s/ran\n"
                         ". %s/do.$HAMON_MODE\nrc=$?\necho $HAMON_MODE >>%s/over\nexit $rc\n",
                         d, d, d, d);
                assert_int_equal(chmod(at(&lw.tmp, FILES[i]), 0755), 0);
        }
        hook_does("promote",
                  "[ ! -e %s/active ] || touch %s/two\nmount -t tmpfs mha %s && touch %s/active", d,
                  d, lw.vol, d);
        hook_does("recover", "touch %s/active", d);
        for (size_t i = 0; i < ARRAY_SIZE(AWAY); i++)
                hook_does(AWAY[i], "rm -f %s/active; umount %s 2>/dev/null || :", d, lw.vol);
}

/* ---- the daemon's part ---- */

static inline void world_configure(const char *more)
{
        const char *d = lw.tmp.path;

        put_file(at(&lw.tmp, "conf"),
                 "[node]\nname = n1\n[mailcow]\ndir = %s\n"
                 "[cluster]\nnodes = n1=127.0.0.11, n2=127.0.0.12, n3=127.0.0.13\n"
                 "secret_file = %s/secret\n[lease]\n%s"
                 "[check]\ninterval = 1s\ntimeout = 5s\ngrace = %s\nstale = %s\n"
                 "[stack]\nwarm = w1\nactive = a1\noptional =\nignore =\n"
                 "[galera]\nsocket = %s\npeer_port = %u\npassword_file = %s/password\n"
                 "[volume]\nprovider = local\ndevice = %s\nuuid = " DISK_UUID "\nmount = %s\n"
                 "[local]\nfence_command = /bin/true\n[hooks]\ndir = %s/hooks\n"
                 "[probe]\ndisabled = smtp submission smtps imap imaps sieve https redis rspamd "
                 "volume\n[control]\nsocket = %s/sock\n[log]\nevents = %s/events\n%s",
                 d, d, lw.lease, lw.grace, lw.stale, path, port, d, lw.image, lw.vol, d, d, d,
                 more);
}

static inline int world_lead_new(void)
{
        static char conf[128];

        str_copy(conf, sizeof conf, at(&lw.tmp, "conf"));
        const struct lead_needs needs = { .loop = &lw.loop,
                                          .file = conf,
                                          .config = &lw.config,
                                          .node = &lw.node,
                                          .events = lw.events,
                                          .changed = on_world_changed };

        return lead_new(&needs, &lw.lead);
}

static inline void world_load(void)
{
        CLEANUP(buf_done) struct buf errors = BUF(16384);

        if (config_load(at(&lw.tmp, "conf"), &lw.config, &errors, NULL) < 0)
                fail_msg("%s", buf_str(&errors));
        assert_int_equal(node_init(&lw.node, &lw.config, ROLE_STANDBY, loop_now(&lw.loop)), 0);
        assert_int_equal(events_new(&lw.loop, lw.config.log.events, "n1", &lw.events), 0);
        world_judge();
}

static inline void world_start(void)
{
        world_load();
        assert_int_equal(world_lead_new(), 0);
}

/* The daemon ends, and nothing else does. */
static inline void world_stop(void)
{
        lead_free(lw.lead);
        lw.lead = NULL;
        events_free(lw.events);
        lw.events = NULL;
        if (lw.node.config)
                node_done(&lw.node);
        if (lw.config.node.name)
                config_free(&lw.config);
        memset(&lw.node, 0, sizeof lw.node);
        memset(&lw.config, 0, sizeof lw.config);
}

static inline const struct ha *ha_now(void)
{
        return lead_ha(lw.lead);
}

static inline bool is_state(enum ha_state s)
{
        return ha_now()->state == s;
}

/* What the control socket would answer. */
static inline const char *asks(enum request req, const char *words)
{
        buf_reset(&lw.answer);
        lead_request(lw.lead, req, words, &lw.answer);
        return buf_str(&lw.answer);
}

static inline bool answers(enum request req, const char *words, const char *begins)
{
        return strncmp(asks(req, words), begins, strlen(begins)) == 0;
}

static inline void become_master(void)
{
        TURN_UNTIL(is_state(ST_MASTER));
}

/* ---- set up, tear down ---- */

static inline int world_group_setup(void **unused)
{
        static const char *const LO[] = { "/sbin/ip", "link", "set", "lo", "up", NULL };

        (void)unused;
        signal(SIGPIPE, SIG_IGN);
        if (!disk_able() || unshare(CLONE_NEWNET) < 0 ||
            mount("mha", "/var/lib", "tmpfs", 0, "mode=0755") < 0)
                return -1;
        pid_t ip = start(LO, NULL, NULL, 0);
        if (wait_end(&ip) != 0)
                return -1;
        database_up();
        return 0;
}

static inline int world_setup(void **unused)
{
        (void)unused;
        memset(&lw, 0, sizeof lw);
        buf_init(&lw.answer, 65536);
        lw.judging = true;
        lw.peer_port = PEER_PORT;
        lw.grace = "20s";
        lw.stale = "1h";
        lw.lease = "ttl = 60s\nrenew = 300ms\n";
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,127.0.0.12:3306,127.0.0.13:3306");
        assert_int_equal(tmp_make(&lw.tmp), 0);
        assert_int_equal(chmod(lw.tmp.path, 0755), 0);
        str_copy(lw.vol, sizeof lw.vol, at(&lw.tmp, "vol"));
        str_copy(lw.image, sizeof lw.image, at(&lw.tmp, "disk"));
        assert_int_equal(mkdir(lw.vol, 0755), 0);
        assert_int_equal(mknod(lw.image, S_IFBLK | 0600, makedev(7, 0)), 0); /* never opened */
        CLEANUP(closep) int fd = open(at(&lw.tmp, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        log_init(fd, LOG_DEBUG);
        make_hooks();
        put_file(at(&lw.tmp, "secret"), SECRET "\n");
        put_file(at(&lw.tmp, "password"), "lead-password\n");
        chmod(at(&lw.tmp, "secret"), 0600);
        chmod(at(&lw.tmp, "password"), 0600);
        unlink("/var/lib/mailcow-ha/maintenance");
        sql("UPDATE hamon.lease SET holder='',incarnation=0,token=0,epoch=epoch+1,beat=beat+1,"
            "failovers=0,loser=''");
        assert_int_equal(loop_init(&lw.loop), 0);
        assert_int_equal(timer_init(&lw.tick, &lw.loop, on_world_tick, NULL), 0);
        timer_set(&lw.tick, 0);
        guard_up(GUARD_GOOD);
        other_up(0, SECRET);
        other_up(1, SECRET);
        world_configure("");
        return 0;
}

static inline int world_teardown(void **unused)
{
        (void)unused;
        if (access(at(&lw.tmp, "two"), F_OK) == 0)
                fail_msg("promoted over what still ran\n%s", log_tail());
        world_stop();
        guard_down();
        other_down(0);
        other_down(1);
        timer_done(&lw.tick);
        loop_done(&lw.loop);
        log_done();
        umount2(lw.vol, MNT_DETACH);
        tmp_remove(&lw.tmp);
        buf_done(&lw.answer);
        return 0;
}

#define LEAD_CASE(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
