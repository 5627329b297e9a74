/* `hamon upgrade`: the judgement on what the daemon says, and the file that tells how far it is. */
#include "hamon/setup/upgrade_plan.h"
#include "hamon/setup/upgrade_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- may it? ---- */

/* What differs from three fit nodes with Mailcow "a", of which n1 leads. */
struct odd {
        const char *n1, *n2, *n3; /* "state verdict images"; a word "-" = as usual */
        const char *galera;       /* "status state size" */
        const char *self;         /* NULL: n2 */
        bool nobody;
        enum upgrade_bar bar;
        const char *about, *next; /* next: "" = nobody */
};

static const struct odd ODDS[] = {
        { NULL, NULL, NULL, NULL, NULL, false, UPGRADE_MAY, "n2", "" },
        { NULL, NULL, NULL, NULL, "n3", false, UPGRADE_MAY, "n3", "" },
        { NULL, NULL, NULL, NULL, NULL, true, UPGRADE_NOBODY_LEADS, "n2", "" },
        { NULL, NULL, "none - -", NULL, NULL, false, UPGRADE_SILENT, "n3", "" },
        { NULL, NULL, "maintenance - -", NULL, NULL, false, UPGRADE_OTHER_MAINTENANCE, "n3", "" },
        { NULL, NULL, "- unfit -", NULL, NULL, false, UPGRADE_OTHER_UNFIT, "n3", "" },
        { "- unknown -", NULL, NULL, NULL, NULL, false, UPGRADE_OTHER_UNFIT, "n1", "" },
        { NULL, NULL, NULL, "Primary Synced 2", NULL, false, UPGRADE_GALERA, "n2", "" },
        { NULL, NULL, NULL, "Primary Donor 3", NULL, false, UPGRADE_GALERA, "n2", "" },
        { NULL, NULL, NULL, "non-Primary Synced 3", NULL, false, UPGRADE_GALERA, "n2", "" },
        { NULL, "maintenance - -", NULL, NULL, NULL, false, UPGRADE_OWN_MAINTENANCE, "n2", "" },
        { NULL, "- unfit -", NULL, NULL, NULL, false, UPGRADE_MAY, "n2", "" }, /* it may mend it */
        /* the leader: last */
        { NULL, NULL, NULL, NULL, "n1", false, UPGRADE_MASTER_LAST, "n2", "" },
        { NULL, "- - b", NULL, NULL, "n1", false, UPGRADE_MASTER_LAST, "n3", "n2" },
        { NULL, "- - b", "- - c", NULL, "n1", false, UPGRADE_MASTER_LAST, "n3", "n2" },
        { NULL, "- - b", "- - none", NULL, "n1", false, UPGRADE_MASTER_LAST, "n3", "n2" },
        { NULL, "- - b", "- - b", NULL, "n1", false, UPGRADE_MAY_HAND_OVER, "n1", "n2" },
        /* after it */
        { NULL, "- - b", NULL, NULL, NULL, false, UPGRADE_MAY, "n2", "n3" },
        { NULL, "- - b", "- - b", NULL, NULL, false, UPGRADE_MAY, "n2", "n1" },
        { "- - b", "- - b", "- - b", NULL, NULL, false, UPGRADE_MAY, "n2", "" },
};

static void add_node(cJSON *list, const char *name, const char *odd, bool self, bool leads)
{
        char state[16], verdict[16], images[16];
        cJSON *o = cJSON_CreateObject(), *mailcow;

        assert_int_equal(sscanf(odd ? odd : "- - -", "%15s %15s %15s", state, verdict, images), 3);
        bool silent = str_eq(state, "none"), mute = str_eq(images, "none");
        cJSON_AddStringToObject(o, "name", name);
        cJSON_AddStringToObject(o, "state",
                                silent          ? ""
                                : *state != '-' ? state
                                : leads         ? "master"
                                                : "standby");
        cJSON_AddStringToObject(o, "verdict",
                                silent            ? "unknown"
                                : *verdict == '-' ? "fit"
                                                  : verdict);
        cJSON_AddStringToObject(o, "reason", "ok");
        cJSON_AddBoolToObject(o, "self", self);
        cJSON_AddBoolToObject(o, "holder", leads);
        mailcow = cJSON_AddObjectToObject(o, "mailcow");
        cJSON_AddStringToObject(mailcow, "images", mute ? "" : *images == '-' ? "a" : images);
        cJSON_AddItemToArray(list, o);
}

static cJSON *status_of(const struct odd *c)
{
        const char *self = c->self ? c->self : "n2";
        cJSON *root = cJSON_CreateObject(), *nodes, *galera;
        char status[16], state[16];
        int size;

        assert_int_equal(sscanf(c->galera ? c->galera : "Primary Synced 3", "%15s %15s %d", status,
                                state, &size),
                         3);
        cJSON_AddStringToObject(root, "verdict", "fit");
        cJSON_AddStringToObject(root, "message", "all is well");
        nodes = cJSON_AddArrayToObject(root, "nodes");
        add_node(nodes, "n1", c->n1, str_eq(self, "n1"), !c->nobody);
        add_node(nodes, "n2", c->n2, str_eq(self, "n2"), false);
        add_node(nodes, "n3", c->n3, str_eq(self, "n3"), false);
        galera = cJSON_AddObjectToObject(root, "galera");
        cJSON_AddStringToObject(galera, "status", status);
        cJSON_AddStringToObject(galera, "state", state);
        cJSON_AddNumberToObject(galera, "size", size);
        return root;
}

static void judgement(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ODDS); i++) {
                struct upgrade_view v;
                size_t about = 99;
                cJSON *status = status_of(&ODDS[i]);
                assert_int_equal(upgrade_view_parse(status, &v), 0);
                enum upgrade_bar bar = upgrade_may(&v, &about);
                size_t next = upgrade_next(&v);
                const char *name = next == v.n ? "" : v.nodes[next].name;
                if (bar != ODDS[i].bar || !str_eq(v.nodes[about].name, ODDS[i].about) ||
                    !str_eq(name, ODDS[i].next))
                        fail_msg("row %zu: %s about %s, next \"%s\"", i, UPGRADE_BARS[bar].name,
                                 v.nodes[about].name, name);
                assert_string_equal(v.message, "all is well");
                cJSON_Delete(status);
        }
}

static void no_sense(void **unused)
{
        static const char *const CASES[] = {
                "{}",
                "[]",
                "3",
                "{\"nodes\":3}",
                "{\"nodes\":[]}",
                "{\"nodes\":[{\"name\":\"n1\",\"self\":false}]}",
                "{\"nodes\":[1,2,3,4,5,6,7,8,9,{\"self\":true}]}",
        };
        struct upgrade_view v = { .n = 77 };

        (void)unused;
        assert_int_equal(upgrade_view_parse(NULL, &v), -EBADMSG);
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                cJSON *o = cJSON_Parse(CASES[i]);
                assert_int_equal(upgrade_view_parse(o, &v), -EBADMSG);
                cJSON_Delete(o);
        }
        assert_int_equal(v.n, 77);
}

static void every_bar_has_its_words(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < UPGRADE_BARS_; i++)
                assert_true(UPGRADE_BARS[i].name && UPGRADE_BARS[i].sentence);
        for (size_t i = 0; i < UPGRADE_STEPS_; i++)
                assert_non_null(UPGRADE_STEPS[i]);
}

/* ---- how far it is ---- */

static void state_there_and_back(void **unused)
{
        struct upgrade_state s = { .step = UPGRADE_WARM,
                                   .from = { "2026-06", "30062026_1500", "00ff" },
                                   .failed = "update.sh ended\nwith=1" },
                             t;
        char text[1024], small[40];

        (void)unused;
        assert_int_equal(upgrade_state_format(&s, text, sizeof text), 0);
        assert_int_equal(upgrade_state_parse(text, &t), 0);
        assert_int_equal(t.step, UPGRADE_WARM);
        assert_true(release_same(&t.from, &s.from));
        assert_string_equal(t.failed, "update.sh ended with=1");
        assert_int_equal(upgrade_state_format(&s, small, sizeof small), -ENOSPC);
        for (unsigned i = 0; i < UPGRADE_STEPS_; i++) {
                s = (struct upgrade_state){ .step = (enum upgrade_step)i };
                assert_int_equal(upgrade_state_format(&s, text, sizeof text), 0);
                assert_int_equal(upgrade_state_parse(text, &t), 0);
                assert_int_equal(t.step, i);
                assert_string_equal(t.failed, "");
        }
}

static void state_that_is_damaged(void **unused)
{
        static const char *const CASES[] = {
                "",
                "step=warm\n",
                "step=boil\nversion=\nschema=\nimages=\nfailed=\n",
                "step=warm\nversion=\nschema=\nimages=\n",
                "step=fit\nversion=01234567890123456789012345678901\nschema=\nimages=\nfailed=\n",
        };
        struct upgrade_state s = { .step = UPGRADE_FIT };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                assert_int_equal(upgrade_state_parse(CASES[i], &s), -EBADMSG);
        assert_int_equal(s.step, UPGRADE_FIT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(judgement),
                cmocka_unit_test(no_sense),
                cmocka_unit_test(every_bar_has_its_words),
                cmocka_unit_test(state_there_and_back),
                cmocka_unit_test(state_that_is_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
