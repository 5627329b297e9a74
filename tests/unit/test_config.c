/* config.c and services.c: the table itself, the defaults, and what no single row can check. How
 * files are parsed is test_conf's business. */
#include "harness.h"

#include "hamon/config.h"
#include "hamon/services.h"
#include "lib/log.h"

static struct tmp tmp;

static int setup(void **state)
{
        (void)state;
        return tmp_make(&tmp);
}

static int teardown(void **state)
{
        (void)state;
        unsetenv("HAMON_CHECK_GRACE");
        unsetenv("HAMON_GALERA_PORT");
        tmp_remove(&tmp);
        return 0;
}

/* Load `text`, with mailcow.dir in our directory. */
static int load(const char *text, struct config *c, struct buf *errors)
{
        put_file(at(&tmp, "conf"), "[mailcow]\ndir = %s\n%s", tmp.path, text);
        return config_load(at(&tmp, "conf"), c, errors, NULL);
}

/* ---- the table ---- */

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];

                assert_non_null(o->section);
                assert_non_null(o->key);
                assert_non_null(o->def);
                assert_non_null(o->help);
                size_t len = strlen(o->help);
                if (len < 10 || o->help[len - 1] != '.')
                        fail_msg("%s.%s: its help is no sentence", o->section, o->key);
                assert_true(o->offset < sizeof(struct config));
                assert_true(o->max == 0 || o->min <= o->max);
                assert_int_equal(o->type == OPT_CHOICE, o->choices != NULL);
                if (o->type == OPT_UINT || o->type == OPT_DURATION)
                        assert_true(o->max > 0); /* every number has an upper limit */

                for (size_t k = 0; k < i; k++) {
                        const struct option *p = &CONFIG_SPEC.options[k];
                        if (str_eq(p->section, o->section) && str_eq(p->key, o->key))
                                fail_msg("%s.%s stands there twice", o->section, o->key);
                        assert_int_not_equal(p->offset, o->offset);
                }
                for (size_t k = 1; k < i; k++) /* a section is one block */
                        if (str_eq(CONFIG_SPEC.options[k - 1].section, o->section))
                                assert_string_equal(CONFIG_SPEC.options[k].section, o->section);
        }
}

/* The contract: these keys others rely on. */
static void test_contract(void **state)
{
        static const char *const KEYS[] = {
                "node.name",
                "node.address",
                "docker.socket",
                "docker.project",
                "stack.warm",
                "stack.ignore",
                "galera.socket",
                "galera.host",
                "galera.port",
                "galera.user",
                "galera.password_file",
                "galera.database",
                "check.interval",
                "check.timeout",
                "check.resync",
                "check.grace",
                "check.rise",
                "check.fall",
                "check.stale",
                "keepalived.track_file",
                "keepalived.fifo",
                "control.socket",
                "log.level",
                "volume.provider",
                "volume.id",
                "volume.device",
                "volume.uuid",
                "volume.mount",
                "volume.fstype",
                "ip.provider",
                "ip.id",
                "ip.address",
                "ip.interface",
                "hetzner.api_url",
                "hetzner.token_file",
                "hetzner.server",
                "hetzner.poweroff",
                "local.fence_command",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
                bool found = false;
                for (size_t k = 0; k < CONFIG_SPEC.n_options && !found; k++) {
                        char name[64];
                        snprintf(name, sizeof name, "%s.%s", CONFIG_SPEC.options[k].section,
                                 CONFIG_SPEC.options[k].key);
                        found = str_eq(name, KEYS[i]);
                }
                if (!found)
                        fail_msg("no row for %s", KEYS[i]);
        }
}

static void test_defaults(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        char host[64] = "";

        (void)state;
        assert_int_equal(load("", &c, &errors), 0);
        gethostname(host, sizeof host - 1);
        assert_string_equal(c.node.name, host);
        assert_string_equal(c.docker.socket, "/run/docker.sock");
        assert_string_equal(c.docker.project, "mailcowdockerized");
        assert_string_equal(c.galera.host, "127.0.0.1");
        assert_int_equal(c.galera.port, 13306);
        assert_int_equal(c.check.interval, 1000);
        assert_int_equal(c.check.grace, 10000);
        assert_string_equal(c.control.socket, "/run/mailcow-ha/hamon.sock");
        assert_int_equal(c.log.level, LOG_INFO);
}

/* ---- services ---- */

static size_t count(const struct strlist *l, const char *name)
{
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += str_eq(l->v[i], name);
        return n;
}

static void test_services(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        size_t optional = 0;

        (void)state;
        assert_int_equal(load("", &c, &errors), 0);
        assert_int_equal(N_SERVICES, 18);
        for (size_t i = 0; i < N_SERVICES; i++) {
                const struct service_row *s = &SERVICES[i];
                const struct strlist *lists[SET_COUNT_] = { [SET_WARM] = &c.stack.warm,
                                                            [SET_ACTIVE] = &c.stack.active,
                                                            [SET_IGNORED] = &c.stack.ignore };

                for (unsigned set = 0; set < SET_COUNT_; set++)
                        if (count(lists[set], s->name) != (set == s->set ? 1 : 0))
                                fail_msg("%s: SERVICES[] and the list of %s disagree", s->name,
                                         SETS[set]);
                if (s->set != SET_IGNORED && strlist_has(&c.stack.optional, s->name) != s->optional)
                        fail_msg("%s: SERVICES[] and stack.optional disagree", s->name);
                optional += s->set != SET_IGNORED && s->optional;
                assert_non_null(s->why);
                assert_true(strlen(s->why) > 5);
                for (const char *need = s->needs; *need; need += strspn(need, " ")) {
                        char name[64];
                        size_t len = strcspn(need, " ");
                        assert_true(len < sizeof name);
                        memcpy(name, need, len);
                        name[len] = '\0';
                        if (!service_find(name))
                                fail_msg("%s needs %s, which is none of Mailcow's", s->name, name);
                        need += len;
                }
        }
        assert_int_equal(c.stack.warm.n + c.stack.active.n + c.stack.ignore.n, N_SERVICES);
        assert_int_equal(c.stack.optional.n, optional);
}

/* Mailcow's own ways to write a port. */
static void test_where(void **state)
{
        static const struct {
                const char *value, *address;
                unsigned port; /* 0 = refused */
        } ROWS[] = {
                { "25", "10.0.0.1", 25 },
                { "127.0.0.1:7654", "127.0.0.1", 7654 },
                { "0.0.0.0:25", "10.0.0.1", 25 },
                { "[::]:25", "10.0.0.1", 25 },
                { ":25", "10.0.0.1", 25 },
                { "[::1]:25", "::1", 25 },
                { "65535", "10.0.0.1", 65535 },
                { "65536", "", 0 },
                { "0", "", 0 },
                { "", "", 0 },
                { "mail:25", "", 0 },
                { "127.0.0.1", "", 0 },
                { "127.0.0.1:", "", 0 },
                { "[::1:25", "", 0 },
                { "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8", 9 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                char address[64] = "";
                unsigned port = 0;
                int r = config_probe_where(ROWS[i].value, "10.0.0.1", address, sizeof address,
                                           &port);
                if (r != (ROWS[i].port ? 0 : -EINVAL) || port != ROWS[i].port ||
                    strcmp(address, ROWS[i].address) != 0)
                        fail_msg("\"%s\": %d, %s, %u", ROWS[i].value, r, address, port);
        }
}

/* ---- what no single row can check ---- */

static const struct refusal {
        const char *text, *error; /* NULL = accepted */
} REFUSALS[] = {
        { "[stack]\nwarm = a b\nactive = b\n", "[stack] b stands in both warm and active" },
        { "[stack]\nactive = c\nignore = c\n", "[stack] c stands in both active and ignore" },
        { "[stack]\nwarm = d\nignore = d\n", "[stack] d stands in both warm and ignore" },
        { "[stack]\nwarm = postfix-mailcow\n", "postfix-mailcow stands in both warm and active" },
        { "[stack]\nwarm = a\nactive = b\noptional = a b\nignore = c\n", NULL },
        { "[check]\ninterval = 3s\ntimeout = 2s\nstale = 5s\n", "stale must be longer than" },
        { "[check]\ninterval = 3s\ntimeout = 2s\nstale = 5001ms\n", NULL },
        { "[check]\ninterval = 10s\n", "stale must be longer than" },
        { "[galera]\nhost = mysql-mailcow\n", "\"mysql-mailcow\" is not a numeric address" },
        { "[galera]\nhost =\n", "is not a numeric address" },
        { "[galera]\nhost = 127.1\n", "is not a numeric address" },
        { "[galera]\nhost = ::1\n", NULL },
        { "[galera]\nhost = 172.22.1.2\n", NULL },
        { "[galera]\nhost = any\nsocket = /run/mysqld.sock\n", NULL },
        { "[galera]\nuser =\n", "[galera] user must not be empty" },
        { "[probe]\nhost = localhost\n", "[probe] host: \"localhost\" is not a numeric address" },
        { "[probe]\nsmtp = 0\n", "[probe] smtp: \"0\" is neither a port nor address:port" },
        { "[probe]\nimap = mail:143\n", "[probe] imap: \"mail:143\" is neither" },
        { "[probe]\nimap = 127.0.0.1:\n", "[probe] imap: \"127.0.0.1:\" is neither" },
        { "[probe]\nimap = x\ndisabled = imap\n", NULL },
        { "[probe]\nimap = [::1]:143\nsmtp = 0.0.0.0:25\nhost = ::1\n", NULL },
        { "[probe]\ndisabled = imap, nntp\n", "[probe] disabled: there is no probe \"nntp\"" },
        { "[check]\ngrace = 10\n", "conf:4:" },
        { "[check]\nrise = 0\n", "conf:4:" },
        { "[check]\nrise = 3\nfall = many\n", "conf:5:" },
        { "[check]\nretries = 3\n", "conf:4:" },
        { "[chekc]\n", "conf:3:" },
        { "[log]\nlevel = loud\n", "debug, info, warn, error" },
        { "[docker]\nsocket = docker.sock\n", "conf:4:" },
        { "[docker]\nsocket =\n", "conf:4:" },
        { "[galera]\nport = 65536\n", "from 1 to 65535" },
};

static void test_refusals(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(8192);
                CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
                const char *want = REFUSALS[i].error;

                int r = load(REFUSALS[i].text, &c, &errors);
                if (!want ? r != 0 : r >= 0 || !strstr(buf_str(&errors), want))
                        fail_msg("%s-> %d %s", REFUSALS[i].text, r, buf_str(&errors));
                if (r < 0) { /* each line names the file; nothing is kept */
                        assert_non_null(strstr(buf_str(&errors), tmp.path));
                        assert_null(c.node.name);
                }
        }
}

static void test_web_listen(void **unused)
{
        static const struct {
                const char *text, *error; /* error: NULL = it is fine */
        } CASES[] = {
                { "listen = 127.0.0.1", NULL },
                { "listen = 127.0.0.1:80 [::1]:80, 10.1.2.3 fd00::1", NULL },
                { "listen = 192.168.255.255 172.31.0.1 100.127.0.1 [fe80::1]:9", NULL },
                { "listen = 203.0.113.5:80\ntoken_file = /x", NULL },
                { "listen =", "want one to 4 addresses" },
                { "listen = ::1 ::1 ::1 ::1 ::1", "want one to 4 addresses" },
                { "listen = localhost:80", "\"localhost:80\" is not address:port" },
                { "listen = 127.0.0.1:0", "\"127.0.0.1:0\" is not address:port" },
                { "listen = 203.0.113.5:80", "203.0.113.5 is no private address" },
                { "listen = 0.0.0.0", "0.0.0.0 is no private address" },
                { "listen = 172.32.0.1", "172.32.0.1 is no private address" },
                { "listen = 2001:db8::1", "2001:db8::1 is no private address" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(8192);
                CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
                char text[256];
                snprintf(text, sizeof text, "[web]\n%s\n", CASES[i].text);
                int r = load(text, &c, &errors);
                if (!CASES[i].error ? r != 0 : r >= 0 || !strstr(buf_str(&errors), CASES[i].error))
                        fail_msg("%s-> %d %s", text, r, buf_str(&errors));
        }
}

static void test_peer_listen(void **unused)
{
        static const struct {
                const char *text, *address;
                unsigned port; /* 0 = refused */
        } CASES[] = {
                { "", "10.0.0.1", 9447 },
                { "10.0.0.9", "10.0.0.9", 9447 },
                { "10.0.0.9:12", "10.0.0.9", 12 },
                { "::1", "::1", 9447 },
                { "[::1]", "::1", 9447 },
                { "[fd00::2]:65535", "fd00::2", 65535 },
                { "10.0.0.9:", "", 0 },
                { "10.0.0.9:0", "", 0 },
                { "10.0.0.9:65536", "", 0 },
                { "host:1", "", 0 },
                { "[::1", "", 0 },
                { "[::1]x", "", 0 },
                { ":9447", "", 0 },
                { "[10.0.0.9]:7", "10.0.0.9", 7 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                char address[64] = "";
                unsigned port = 0;
                int r = config_peer_listen(CASES[i].text, "10.0.0.1", address, sizeof address,
                                           &port);
                if (r != (CASES[i].port ? 0 : -EINVAL) || port != CASES[i].port ||
                    strcmp(address, CASES[i].address) != 0)
                        fail_msg("\"%s\": %d %s %u", CASES[i].text, r, address, port);
        }
}

#define CLUSTER "[node]\nname = n1\n[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.2\n"
#define DEVICE  "[volume]\nprovider = local\ndevice = /dev/sdb\nuuid = x\nmount = /mnt\n"

/* [mailcow] and dir are lines 1 and 2. */
static const struct place {
        const char *text, *line;
} PLACES[] = {
        { "[stack]\nwarm = a b\n\nactive = b\n", "conf:6: [stack] b stands in both warm" },
        { "[stack]\nwarm = postfix-mailcow\n", "conf:4: [stack] postfix-mailcow stands" },
        { "[check]\ninterval = 3s\ntimeout = 2s\nstale = 5s\n", "conf:6: [check] stale must" },
        { "[check]\n# slow\ninterval = 10s\n", "conf:5: [check] stale must" },
        { "[check]\ntimeout = 30s\n", "conf:4: [check] stale must" },
        { "[galera]\nhost = mysql\n", "conf:4: [galera] host: \"mysql\"" },
        { "[galera]\nport = 1\nuser =\n", "conf:5: [galera] user" },
        { "[volume]\nprovider = local\n", "conf:4: [volume] device must" },
        { "[volume]\nprovider = hetzner\nid = x\n", "conf:5: [volume] id must" },
        { "[ip]\nprovider = local\n", "conf:4: [ip] address must" },
        { "[ip]\nprovider = hetzner\n", "conf:4: [ip] id must" },
        { "[ip]\nprovider = hetzner\nid = 1\n  two\n", "conf:5: [ip] id: \"two\"" },
        { "[probe]\nhost = ::1\nimap = x\n", "conf:5: [probe] imap: \"x\"" },
        { "[probe]\ndisabled = nntp\n", "conf:4: [probe] disabled: there" },
        { "[lease]\nrenew = 4s\n", "conf:4: [lease] renew must" },
        { "[lease]\nttl = 2s\n", "conf:4: [lease] renew must" },
        { "[node]\nname = n9\n[cluster]\nnodes = n1=10.0.0.1\n",
          "conf:4: [cluster] nodes: this node, \"n9\"" },
        { "[cluster]\nnodes = n1=10.0.0.1 n2\n", "conf:4: [cluster] nodes: \"n2\" is not" },
        { "[node]\nname = n1\n[cluster]\nnodes = n1=10.0.0.1\n", "conf:6: [volume] provider" },
        { "[node]\nname = n1\n[cluster]\nnodes = n1=10.0.0.1\n[volume]\nprovider = local\n"
          "device = /dev/sdb\n",
          "conf:8: [volume] provider" },
        { CLUSTER DEVICE "[peer]\nlisten = here\n",
          "conf:13: [peer] listen: \"here\" is not address:port, as in 10.0.0.1:9447" },
        { CLUSTER DEVICE "[peer]\nlisten = 10.0.0.2:9447\n",
          "conf:13: [peer] listen: the others ask this node at 10.0.0.1 ([cluster] nodes), not at "
          "10.0.0.2" },
        { CLUSTER DEVICE "[lease]\nttl = 2400ms\nrenew = 500ms\n",
          "conf:13: [lease] ttl must be at least 2500ms where a watchdog is required" },
        { CLUSTER DEVICE "[local]\nfence_command = /bin/true\n[lease]\nttl = 2s\nrenew = 500ms\n"
                         "[watchdog]\nmode = required\n",
          "conf:15: [lease] ttl must be at least 2500ms" },
};

static const char *const GOOD_CLUSTERS[] = {
        CLUSTER DEVICE,
        CLUSTER DEVICE "[peer]\nlisten = 10.0.0.1:1\n",
        CLUSTER DEVICE "[peer]\nlisten = 0.0.0.0\n",
        CLUSTER DEVICE "[peer]\nlisten = [::]:9\n",
        CLUSTER DEVICE "[lease]\nttl = 2500ms\nrenew = 500ms\n",
        CLUSTER DEVICE "[local]\nfence_command = /bin/true\n[lease]\nttl = 1s\nrenew = 300ms\n",
        CLUSTER DEVICE "[lease]\nttl = 1s\nrenew = 300ms\n[watchdog]\nmode = off\n",
        "[watchdog]\nmode = required\n[lease]\nttl = 1s\nrenew = 300ms\n", /* of no cluster */
        "[node]\nname = n1\n[cluster]\nnodes = n1=fd00::1 n2=fd00::2\n" DEVICE
        "[peer]\nlisten = [fd00:0::1]:9447\n",
};

static void test_good_clusters(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(GOOD_CLUSTERS); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(8192);
                CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

                if (load(GOOD_CLUSTERS[i], &c, &errors) < 0)
                        fail_msg("%s-> %s", GOOD_CLUSTERS[i], buf_str(&errors));
        }
}

/* What a reload can change, and what it cannot. */
static void test_restart(void **state)
{
        static const struct {
                const char *before, *after, *keys;
        } CASES[] = {
                { CLUSTER DEVICE, CLUSTER DEVICE, "" },
                { CLUSTER DEVICE,
                  CLUSTER DEVICE
                  "[lease]\nttl = 20s\n[check]\ngrace = 1s\n[watchdog]\nmode = off\n",
                  "lease.ttl, watchdog.mode" },
                { CLUSTER DEVICE "[local]\nfence_command = /bin/true\n",
                  CLUSTER DEVICE "[local]\nfence_command = /bin/true\n[lease]\nttl = 20s\n", "" },
                { CLUSTER DEVICE,
                  "[node]\nname = n2\n[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.3\n" DEVICE
                  "[peer]\nlisten = 0.0.0.0\n[log]\nevents = /x\n",
                  "node.name, cluster.nodes, peer.listen, log.events" },
                { "", "[node]\nname = n7\n[volume]\nid = 8\n[lease]\nttl = 20s\n", "" },
                { "", "[control]\nsocket = /x/y\n", "control.socket" },
                { "", CLUSTER DEVICE,
                  "node.name, cluster.nodes, volume.provider, volume.device, "
                  "volume.uuid, volume.mount" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(8192), keys = BUF(8192);
                CLEANUP(config_free) struct config a = { .node = { .name = NULL } };
                CLEANUP(config_free) struct config b = { .node = { .name = NULL } };

                assert_int_equal(load(CASES[i].before, &a, &errors), 0);
                assert_int_equal(load(CASES[i].after, &b, &errors), 0);
                config_restart(&a, &b, &keys);
                assert_string_equal(buf_str(&keys), CASES[i].keys);
        }
}

static void test_places(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(PLACES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(8192);
                CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

                assert_true(load(PLACES[i].text, &c, &errors) < 0);
                if (!strstr(buf_str(&errors), PLACES[i].line))
                        fail_msg("%s-> %s", PLACES[i].text, buf_str(&errors));
        }
}

/* The value may come from elsewhere: then that is where to look. */
static void test_places_elsewhere(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(8192);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        (void)state;
        setenv("HAMON_CHECK_STALE", "1s", 1);
        assert_true(load("", &c, &errors) < 0);
        unsetenv("HAMON_CHECK_STALE");
        assert_memory_equal(buf_str(&errors), "environment HAMON_CHECK_STALE: [check] stale", 44);

        buf_reset(&errors);
        put_file(at(&tmp, "mailcow.conf"), "# ports\nIMAP_PORT=mail:143\n");
        assert_true(load("", &c, &errors) < 0);
        assert_non_null(strstr(buf_str(&errors), "mailcow.conf:2: [probe] imap: \"mail:143\""));
}

static void test_all_mistakes_are_told(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(8192);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        (void)state;
        assert_true(load("[stack]\nwarm = a\nactive = a\n[check]\nstale = 1s\n[galera]\nhost = x\n",
                         &c, &errors) < 0);
        assert_non_null(strstr(buf_str(&errors), "both warm and active"));
        assert_non_null(strstr(buf_str(&errors), "stale must be longer"));
        assert_non_null(strstr(buf_str(&errors), "numeric address"));
}

static void test_unreadable(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        (void)state;
        assert_true(config_load(at(&tmp, "none"), &c, &errors, NULL) < 0);
        assert_non_null(strstr(buf_str(&errors), "none"));
        assert_null(c.node.name);
}

/* ---- where values come from ---- */

static size_t row_of(const char *section, const char *key)
{
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++)
                if (str_eq(CONFIG_SPEC.options[i].section, section) &&
                    str_eq(CONFIG_SPEC.options[i].key, key))
                        return i;
        fail_msg("no row for %s.%s", section, key);
        return 0;
}

static void test_sources(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        CLEANUP(freep) struct conf_source *from = calloc(CONFIG_SPEC.n_options, sizeof *from);

        (void)state;
        assert_non_null(from);
        put_file(at(&tmp, "mailcow.conf"), "COMPOSE_PROJECT_NAME=cow\nSQL_PORT=none\n");
        assert_true(load("", &c, &errors) < 0);
        assert_non_null(strstr(buf_str(&errors), "mailcow.conf:2:"));

        put_file(at(&tmp, "mailcow.conf"), "COMPOSE_PROJECT_NAME=cow\nSQL_PORT=127.0.0.1:3307\n");
        setenv("HAMON_CHECK_GRACE", "7s", 1);
        put_file(at(&tmp, "conf"), "[mailcow]\ndir = %s\n[check]\ngrace = 3s\n", tmp.path);
        buf_reset(&errors);
        assert_int_equal(config_load(at(&tmp, "conf"), &c, &errors, from), 0);
        assert_string_equal(c.docker.project, "cow");
        assert_int_equal(c.galera.port, 3307);
        assert_int_equal(c.check.grace, 7000);
        assert_int_equal(from[row_of("docker", "project")].origin, ORIGIN_MAILCOW);
        assert_int_equal(from[row_of("docker", "project")].line, 1);
        assert_int_equal(from[row_of("check", "grace")].origin, ORIGIN_ENV);
        assert_int_equal(from[row_of("mailcow", "dir")].origin, ORIGIN_FILE);
        assert_int_equal(from[row_of("check", "rise")].origin, ORIGIN_DEFAULT);
        config_free(&c);

        /* the file beats mailcow.conf, the environment beats the file */
        setenv("HAMON_GALERA_PORT", "1234", 1);
        assert_int_equal(load("[docker]\nproject = mine\n[galera]\nport = 99\n", &c, &errors), 0);
        assert_string_equal(c.docker.project, "mine");
        assert_int_equal(c.galera.port, 1234);
        config_free(&c);

        setenv("HAMON_GALERA_PORT", "none", 1);
        buf_reset(&errors);
        assert_true(load("", &c, &errors) < 0);
        assert_non_null(strstr(buf_str(&errors), "HAMON_GALERA_PORT"));
}

/* The small clients do not look into mailcow.conf. */
static void test_client(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        (void)state;
        put_file(at(&tmp, "mailcow.conf"), "SQL_PORT=nonsense\n");
        put_file(at(&tmp, "conf"), "[mailcow]\ndir = %s\n[control]\nsocket = /tmp/s\n", tmp.path);
        assert_int_equal(config_load_client(at(&tmp, "conf"), &c, &errors), 0);
        assert_string_equal(c.control.socket, "/tmp/s");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_rows),
                T(test_contract),
                T(test_defaults),
                T(test_services),
                T(test_where),
                T(test_refusals),
                T(test_places),
                T(test_restart),
                T(test_good_clusters),
                T(test_peer_listen),
                T(test_web_listen),
                T(test_places_elsewhere),
                T(test_all_mistakes_are_told),
                T(test_unreadable),
                T(test_sources),
                T(test_client),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
