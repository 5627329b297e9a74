/* status.c: the JSON holds every key of the contract with the right type and value, whatever the
 * names and messages are; the text fits a terminal. */
#include "harness.h"

#include "hamon/status.h"
#include <cjson/cJSON.h>

static struct fixture {
        struct tmp tmp;
        struct config config;
        struct node node;
        msec_t now;
} fx;

static int setup(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);

        (void)state;
        fx = (struct fixture){ .now = 1000000 };
        if (tmp_make(&fx.tmp) < 0)
                return -1;
        put_file(at(&fx.tmp, "conf"), "[node]\nname = n1\n[stack]\nwarm = w1\nactive = a1\n"
                                      "optional = a1\nignore = i1\n");
        if (config_load_client(at(&fx.tmp, "conf"), &fx.config, &errors) < 0)
                return -1;
        return node_init(&fx.node, &fx.config, ROLE_STANDBY, fx.now);
}

static int teardown(void **state)
{
        (void)state;
        node_done(&fx.node);
        config_free(&fx.config);
        tmp_remove(&fx.tmp);
        return 0;
}

static void container(const char *name, enum ctr_state s, enum ctr_health h, int64_t since)
{
        struct container_facts f = { .state = s, .health = h };

        assert_int_equal(node_container(&fx.node, name, &f, 4, since), 0);
}

static void fill(void)
{
        struct galera_facts g = { .reach = DB_OK,
                                  .wsrep_on = true,
                                  .primary = true,
                                  .ready = true,
                                  .connected = true,
                                  .local_state = WSREP_SYNCED,
                                  .size = 3,
                                  .conf_id = 17,
                                  .last_committed = 9007199254740991,
                                  .recv_queue = 5,
                                  .cluster_status = "Primary",
                                  .state_comment = "Synced",
                                  .cluster_uuid = "6f0b6d0e-0000-11ef-8000-000000000000",
                                  .evs_delayed = "tcp://10.0.0.3:4567" };

        node_engine(&fx.node, ENGINE_OK, "", true);
        node_containers_begin(&fx.node);
        container("w1", CTR_RUNNING, HEALTH_HEALTHY, 1700000000);
        container("a1", CTR_CREATED, HEALTH_NONE, 0);
        container("i1", CTR_EXITED, HEALTH_NONE, 1700000001);
        node_containers_end(&fx.node);
        node_galera(&fx.node, &g, fx.now);
        node_eval(&fx.node, FOLD_TICK, fx.now, NULL, NULL);
}

static cJSON *json(void)
{
        CLEANUP(buf_done) struct buf out = BUF(4 * 1024 * 1024);

        assert_int_equal(status_json(&fx.node, NULL, fx.now, &out), 0);
        assert_int_equal(out.data[out.len - 1], '\n');
        assert_ptr_equal(strchr(out.data, '\n'), out.data + out.len - 1); /* one line */
        cJSON *root = cJSON_ParseWithOpts(out.data, NULL, 0);
        if (!root)
                fail_msg("no JSON: %s", out.data);
        return root;
}

/* ---- the contract ---- */

enum type { STRING, NUMBER, BOOL, LIST, OBJECT, NUMBER_OR_NULL };

static const struct key {
        const char *in; /* "" = top; checks, containers: of each element */
        const char *name;
        enum type type;
} KEYS[] = {
        { "", "node", STRING },
        { "", "role", STRING },
        { "", "verdict", STRING },
        { "", "reason", STRING },
        { "", "message", STRING },
        { "", "age_ms", NUMBER },
        { "", "since_ms", NUMBER },
        { "", "version", STRING },
        { "", "config_mark", STRING },
        { "", "checks", LIST },
        { "", "galera", OBJECT },
        { "", "containers", LIST },
        { "checks", "name", STRING },
        { "checks", "verdict", STRING },
        { "checks", "reason", STRING },
        { "checks", "message", STRING },
        { "checks", "since_ms", NUMBER },
        { "checks", "took_ms", NUMBER },
        { "checks", "required", BOOL },
        { "galera", "status", STRING },
        { "galera", "state", STRING },
        { "galera", "size", NUMBER },
        { "galera", "ready", BOOL },
        { "galera", "connected", BOOL },
        { "galera", "last_committed", NUMBER },
        { "galera", "conf_id", NUMBER },
        { "galera", "cluster_uuid", STRING },
        { "galera", "recv_queue", NUMBER },
        { "galera", "flow_control_paused_ns", NUMBER },
        { "galera", "cert_failures", NUMBER },
        { "galera", "bf_aborts", NUMBER },
        { "galera", "evs_delayed", STRING },
        { "containers", "service", STRING },
        { "containers", "state", STRING },
        { "containers", "health", STRING },
        { "containers", "restarts", NUMBER },
        { "containers", "set", STRING },
        { "containers", "optional", BOOL },
        { "containers", "since", NUMBER_OR_NULL },
};

static bool is_type(const cJSON *v, enum type t)
{
        switch (t) {
        case STRING:
                return cJSON_IsString(v);
        case NUMBER:
                return cJSON_IsNumber(v);
        case BOOL:
                return cJSON_IsBool(v);
        case LIST:
                return cJSON_IsArray(v);
        case OBJECT:
                return cJSON_IsObject(v);
        case NUMBER_OR_NULL:
                return cJSON_IsNumber(v) || cJSON_IsNull(v);
        }
        return false;
}

static void check_object(const cJSON *o, const char *in)
{
        int known = 0;

        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
                if (strcmp(KEYS[i].in, in) != 0)
                        continue;
                known++;
                if (!is_type(cJSON_GetObjectItemCaseSensitive(o, KEYS[i].name), KEYS[i].type))
                        fail_msg("%s.%s is missing or of another type", in, KEYS[i].name);
        }
        if (cJSON_GetArraySize(o) != known)
                fail_msg("%s has %d keys, %d are known here", in, cJSON_GetArraySize(o), known);
}

static void check_contract(const cJSON *root)
{
        const cJSON *o;

        check_object(root, "");
        check_object(cJSON_GetObjectItem(root, "galera"), "galera");
        cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "checks")) check_object(o, "checks");
        cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "containers"))
                check_object(o, "containers");
}

static const char *string(const cJSON *o, const char *key)
{
        return cJSON_GetStringValue(cJSON_GetObjectItem(o, key));
}

static double number(const cJSON *o, const char *key)
{
        return cJSON_GetNumberValue(cJSON_GetObjectItem(o, key));
}

static const cJSON *named(const cJSON *list, const char *key, const char *name)
{
        const cJSON *o;

        cJSON_ArrayForEach(o, list) if (str_eq(string(o, key), name)) return o;
        return NULL;
}

static void test_contract(void **state)
{
        (void)state;
        fill();
        fx.now += 2500;
        cJSON *root = json();
        check_contract(root);
        assert_string_equal(string(root, "node"), "n1");
        assert_string_equal(string(root, "role"), "standby");
        assert_string_equal(string(root, "verdict"), "fit");
        assert_string_equal(string(root, "reason"), "ok");
        assert_string_equal(string(root, "version"), MHA_VERSION);
        assert_int_equal(number(root, "age_ms"), 2500);
        assert_int_equal(number(root, "since_ms"), 2500);

        const cJSON *checks = cJSON_GetObjectItem(root, "checks");
        assert_int_equal(cJSON_GetArraySize(checks), 4); /* docker, galera, a1, w1; not i1 */
        assert_non_null(named(checks, "name", "docker"));
        assert_null(named(checks, "name", "i1"));
        assert_string_equal(string(named(checks, "name", "w1"), "message"), "running, healthy");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(named(checks, "name", "a1"), "required")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(named(checks, "name", "w1"), "required")));

        const cJSON *galera = cJSON_GetObjectItem(root, "galera");
        assert_string_equal(string(galera, "status"), "Primary");
        assert_string_equal(string(galera, "state"), "Synced");
        assert_int_equal(number(galera, "size"), 3);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(galera, "ready")));
        assert_true((int64_t)number(galera, "last_committed") == 9007199254740991);

        const cJSON *list = cJSON_GetObjectItem(root, "containers");
        assert_int_equal(cJSON_GetArraySize(list), 3);
        const cJSON *w1 = named(list, "service", "w1");
        assert_string_equal(string(w1, "state"), "running");
        assert_string_equal(string(w1, "health"), "healthy");
        assert_string_equal(string(w1, "set"), "warm");
        assert_int_equal(number(w1, "restarts"), 4);
        assert_int_equal(number(w1, "since"), 1700000000);
        assert_string_equal(string(named(list, "service", "a1"), "set"), "active");
        assert_string_equal(string(named(list, "service", "i1"), "set"), "ignored");
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(named(list, "service", "a1"), "since")));
        cJSON_Delete(root);
}

/* Before the first judgement and right after a reload nobody has looked yet; it must hold too. */
static void test_before_anything_is_known(void **state)
{
        (void)state;
        cJSON *root = json();
        check_contract(root);
        assert_string_equal(string(root, "verdict"), "unknown");
        assert_string_equal(string(root, "reason"), "starting");
        const cJSON *galera = cJSON_GetObjectItem(root, "galera");
        assert_string_equal(string(galera, "status"), "unknown");
        assert_int_equal(number(galera, "last_committed"), -1);
        assert_string_equal(
                string(named(cJSON_GetObjectItem(root, "containers"), "service", "w1"), "state"),
                "missing");
        cJSON_Delete(root);
}

static void test_after_reconfigure(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024), names = BUF(4096);
        struct config old = fx.config;

        (void)state;
        fill();
        for (int i = 0; i < 100; i++) /* enough to move the table */
                buf_addf(&names, "%s new%d", i % 10 ? "" : "\n   ", i);
        put_file(at(&fx.tmp, "conf"), "[node]\nname = n2\n[stack]\nactive = a1\nwarm =%s\n",
                 buf_str(&names));
        int r = config_load_client(at(&fx.tmp, "conf"), &fx.config, &errors);
        if (r < 0)
                fail_msg("%s", buf_str(&errors));
        assert_int_equal(node_reconfigure(&fx.node, &fx.config), 0);
        config_free(&old);
        cJSON *root = json();
        check_contract(root);
        assert_string_equal(string(root, "node"), "n2");
        cJSON_Delete(root);
        assert_int_equal(status_text(&fx.node, NULL, fx.now, &out), 0);
}

/* Nothing of it can break out of its string. */
static void test_hostile_strings(void **state)
{
        static const char EVIL[] = "\"},{\"x\":\"</script>\\\n\r\t\x01\x1b[2J\x7f\xc3\xa4";
        struct galera_facts g = { .reach = DB_ERROR };

        (void)state;
        str_copy(g.text, sizeof g.text, EVIL);
        node_engine(&fx.node, ENGINE_ERROR, EVIL, true);
        node_containers_begin(&fx.node);
        container(EVIL, CTR_DEAD, HEALTH_NONE, 1);
        node_containers_end(&fx.node);
        for (int i = 0; i < 20; i++)
                node_galera(&fx.node, &g, fx.now += 1000);
        node_eval(&fx.node, FOLD_TICK, fx.now, NULL, NULL);
        cJSON *root = json();
        check_contract(root);
        assert_non_null(named(cJSON_GetObjectItem(root, "containers"), "service", EVIL));
        cJSON_Delete(root);
}

static void test_thousand(void **state)
{
        char name[32];

        (void)state;
        node_engine(&fx.node, ENGINE_OK, "", true);
        node_containers_begin(&fx.node);
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof name, "service-%04d", i);
                container(name, CTR_RUNNING, HEALTH_NONE, 1);
        }
        node_containers_end(&fx.node);
        node_eval(&fx.node, FOLD_TICK, fx.now, NULL, NULL);
        cJSON *root = json();
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "containers")), 1002);
        cJSON_Delete(root);
}

static void test_buffer_too_small(void **state)
{
        CLEANUP(buf_done) struct buf json_out = BUF(100), text_out = BUF(100);

        (void)state;
        fill();
        assert_int_equal(status_json(&fx.node, NULL, fx.now, &json_out), -EFBIG);
        assert_int_equal(status_text(&fx.node, NULL, fx.now, &text_out), -EFBIG);
}

/* ---- for people ---- */

static const struct age_case {
        msec_t age;
        const char *text;
} AGES[] = {
        { 0, " for 0s\n" },         { 119999, " for 119s\n" },
        { 120000, " for 2m\n" },    { 7199999, " for 119m\n" },
        { 7200000, " for 2h\n" },   { 172799999, " for 47h\n" },
        { 172800000, " for 2d\n" }, { 86400000LL * 999, " for 999d\n" },
};

static void test_text(void **state)
{
        (void)state;
        fill();
        for (size_t i = 0; i < ARRAY_SIZE(AGES); i++) {
                CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
                assert_int_equal(status_text(&fx.node, NULL, fx.now + AGES[i].age, &out), 0);
                if (!strstr(buf_str(&out), AGES[i].text))
                        fail_msg("%s", buf_str(&out));
        }

        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
        assert_int_equal(status_text(&fx.node, NULL, fx.now, &out), 0);
        const char *text = buf_str(&out);
        assert_memory_equal(text, "n1  standby  fit (ok)", 21);
        assert_non_null(strstr(text, "docker "));
        assert_non_null(strstr(text, "Primary, Synced, 3 members"));
        assert_non_null(strstr(text, "running, healthy [warm]"));
        assert_non_null(strstr(text, "[active] (optional)"));
        assert_null(strstr(text, "i1"));
        for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
                assert_true(strcspn(p, "\n") <= 80);
}

/* ---- a cluster ---- */

static struct ha ha;

#define NODE(name_, address_, role_, state_, verdict_, reason_, age_, ...)          \
        {                                                                           \
                .name = name_, .address = address_, .role = role_, .state = state_, \
                .verdict = verdict_, .reason = reason_, .age = (age_), __VA_ARGS__  \
        }

static struct status_cluster cluster(void)
{
        const struct ha_config hc = { .lease = { .ttl = 10000, .renew = 1000 } };
        struct status_cluster c = {
                .ha = &ha,
                .nodes = { NODE("n1", "10.0.0.11", "standby", "standby", "fit", "ok", 120,
                                .self = true, .candidate = true),
                           NODE("n2", "10.0.0.12", "master", "master", "fit", "ok", 900,
                                .leads = true, .mounted = true,
                                .mailcow = { "2026-06", "30062026_1500", "00ff" },
                                .sync = { "unreachable", "0123456789abcdef", 700000 }),
                           NODE("node-three", "10.0.0.13", "unknown", "", "unknown", "stale", -1,
                                .self = false) },
                .n_nodes = 3,
                .volume = { .provider = "hetzner",
                            .mount = "/mnt/mail",
                            .at = "n2",
                            .answers = true,
                            .age = 4000 },
                .ip = { .provider = "hetzner",
                        .interface = "eth0",
                        .addresses = { { .text = "192.0.2.9", .here = true },
                                       { .text = "2001:db8::9" } },
                        .n = 2 },
        };

        ha_init(&ha, &hc, "n1", 7, fx.now);
        return c;
}

static void test_cluster_json(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
        struct status_cluster c = cluster();

        (void)state;
        fill();
        assert_int_equal(status_json(&fx.node, &c, fx.now, &out), 0);
        cJSON *root = cJSON_Parse(buf_str(&out));
        assert_non_null(root);
        const cJSON *nodes = cJSON_GetObjectItem(root, "nodes");
        assert_int_equal(cJSON_GetArraySize(nodes), 3);
        const cJSON *n2 = named(nodes, "name", "n2"), *n3 = named(nodes, "name", "node-three");
        assert_string_equal(string(n2, "role"), "master");
        assert_string_equal(string(n2, "verdict"), "fit");
        assert_string_equal(string(n2, "reason"), "ok");
        assert_string_equal(string(n2, "address"), "10.0.0.12");
        assert_true(number(n2, "age_ms") == 900);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(n2, "holder")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(n2, "mounted")));
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(n3, "mounted")));
        assert_true(number(n3, "age_ms") == -1);
        assert_string_equal(string(n3, "state"), "");
        const cJSON *mailcow = cJSON_GetObjectItem(n2, "mailcow");
        assert_string_equal(string(mailcow, "version"), "2026-06");
        assert_string_equal(string(mailcow, "schema"), "30062026_1500");
        assert_string_equal(string(mailcow, "images"), "00ff");
        assert_string_equal(string(cJSON_GetObjectItem(n3, "mailcow"), "version"), "");
        const cJSON *sync = cJSON_GetObjectItem(n2, "sync");
        assert_string_equal(string(sync, "reason"), "unreachable");
        assert_string_equal(string(sync, "message"), "who leads cannot be asked");
        assert_string_equal(string(sync, "digest"), "0123456789abcdef");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(sync, "well")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(sync, "late")));
        assert_true(number(sync, "out_ms") == 700000);
        sync = cJSON_GetObjectItem(n3, "sync");
        assert_string_equal(string(sync, "reason"), "");
        assert_null(cJSON_GetObjectItem(sync, "well"));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(named(nodes, "name", "n1"), "self")));
        const cJSON *volume = cJSON_GetObjectItem(root, "volume");
        assert_string_equal(string(volume, "attached_to"), "n2");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(volume, "mounted")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(volume, "answers")));
        const cJSON *list = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "ip"), "addresses");
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(named(list, "address", "192.0.2.9"), "here")));
        assert_true(
                cJSON_IsFalse(cJSON_GetObjectItem(named(list, "address", "2001:db8::9"), "here")));
        cJSON_Delete(root);
}

static void test_cluster_text(void **state)
{
        static const char *const LINES[] = {
                "\n  n1             10.0.0.11       standby     fit       here  ok, could lead\n",
                "\n* n2             10.0.0.12       master      fit         0s  ok\n",
                "\n  node-three     10.0.0.13       unknown     unknown  never  stale\n",
                "\n  sync     n2 is not in step for 11m: who leads cannot be asked\n",
                "\n  volume   not mounted here; provider hetzner says it is at n2 (4s ago)\n",
                "\n  address  192.0.2.9 is here, on eth0\n",
                "\n  address  2001:db8::9 is not here on eth0\n",
        };
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
        struct status_cluster c = cluster();

        (void)state;
        fill();
        assert_int_equal(status_text(&fx.node, &c, fx.now, &out), 0);
        for (size_t i = 0; i < ARRAY_SIZE(LINES); i++)
                if (!strstr(buf_str(&out), LINES[i]))
                        fail_msg("no %s in\n%s", LINES[i], buf_str(&out));
        for (const char *p = buf_str(&out); *p; p += strcspn(p, "\n") + 1)
                assert_true(strcspn(p, "\n") <= 80);
        buf_reset(&out);
        c.volume.answers = false;
        assert_int_equal(status_text(&fx.node, &c, fx.now, &out), 0);
        assert_non_null(strstr(buf_str(&out), "provider hetzner does not answer (4s ago)\n"));
        assert_null(strstr(buf_str(&out), "mailcow")); /* one of them is no difference */
        buf_reset(&out);
        c.nodes[0].mailcow = (struct release){ "2026-08", "05082026_1130", "00fe" };
        assert_int_equal(status_text(&fx.node, &c, fx.now, &out), 0);
        assert_non_null(strstr(buf_str(&out),
                               "\n  mailcow  is not the same everywhere; hamon upgrade goes on\n"
                               "  mailcow  n1 has 2026-08\n  mailcow  n2 has 2026-06\n"
                               "  mailcow  node-three has a version that is not known\n"));
        c.nodes[0].mailcow = c.nodes[1].mailcow;
        buf_reset(&out);
        assert_int_equal(status_text(&fx.node, &c, fx.now, &out), 0);
        assert_null(strstr(buf_str(&out), "mailcow"));
        buf_reset(&out);
        c.volume.age = -1;
        c.volume.mounted = true;
        assert_int_equal(status_text(&fx.node, &c, fx.now, &out), 0);
        assert_non_null(strstr(buf_str(&out),
                               "volume   mounted here; provider hetzner was not asked yet\n"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_contract),
                T(test_before_anything_is_known),
                T(test_after_reconfigure),
                T(test_hostile_strings),
                T(test_thousand),
                T(test_buffer_too_small),
                T(test_text),
                T(test_cluster_json),
                T(test_cluster_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
