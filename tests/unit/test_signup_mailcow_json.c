/* signup/mailcow_json.c: every shape of an answer that was measured on the real API. */
#include "signup_fixture.h"

#include "signup/mailcow_json.h"

static void test_actions(void **state)
{
        static const struct {
                const char *body;
                enum mc_shape shape;
                const char *key;
        } CASES[] = {
                { "", MC_NOTHING, "" },
                { " \r\n", MC_NOTHING, "" },
                { "[{\"type\":\"success\",\"msg\":[\"rl_saved\",\"a@b\"]},"
                  "{\"type\":\"success\",\"msg\":[\"mailbox_added\",\"a@b\"]}]",
                  MC_DONE, "" },
                { "[{\"type\":\"success\",\"msg\":\"mailbox_added\"}]", MC_DONE, "" },
                { "[{\"type\":\"success\",\"msg\":[\"rl_saved\",\"a@b\"]}]", MC_DANGER, "" },
                { "[{\"type\":\"warning\",\"msg\":\"tags\"},{\"type\":\"danger\",\"msg\":[\"object_"
                  "exists\",\"a@b\"]},{\"type\":\"danger\",\"msg\":\"later\"}]",
                  MC_DANGER, "object_exists" },
                { "[{\"type\":\"danger\",\"msg\":[\"mailbox_added\"]}]", MC_DANGER,
                  "mailbox_added" },
                { "[{\"type\":\"danger\",\"msg\":[\"max_mailbox_exceeded\",2,2]}]", MC_DANGER,
                  "max_mailbox_exceeded" },
                { "[{\"type\":\"danger\",\"msg\":[2]},1,null,[]]", MC_DANGER, "" },
                { "[{\"type\":\"danger\",\"msg\":\"a\\nb\\u00e9\"}]", MC_DANGER, "a?b??" },
                { "{\"type\":\"error\",\"msg\":\"authentication failed\"}", MC_ERROR,
                  "authentication failed" },
                { "{\"type\":\"success\",\"msg\":\"Task completed\"}", MC_ERROR, "Task completed" },
                { "[]", MC_DANGER, "" },
                { "{}", MC_ERROR, "" },
                { "null", MC_GARBAGE, "no JSON" },
                { "<center>Connection to database failed", MC_GARBAGE, "no JSON" },
                { "[{\"type\":\"success\",\"msg\":[\"mailbox_added\"", MC_GARBAGE, "no JSON" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct mc_action a;
                mc_parse_action(CASES[i].body, strlen(CASES[i].body), "mailbox_added", &a);
                if (a.shape != CASES[i].shape)
                        fail_msg("%s: shape %d", CASES[i].body, (int)a.shape);
                assert_string_equal(a.key, CASES[i].key);
        }
}

static int mailbox(const char *body, struct mc_mailbox *m)
{
        return mc_parse_mailbox(body, strlen(body), m);
}

static void test_mailbox(void **state)
{
        struct mc_mailbox m;

        (void)state;
        assert_int_equal(mailbox("{}", &m), 0);
        assert_false(m.exists);
        assert_int_equal(
                mailbox("{\"username\":\"a@b\",\"active_int\":1,\"name\":\"A\",\"messages\":0,"
                        "\"attributes\":{\"attribute_hash\":\"signup-1\"},\"rl\":false,"
                        "\"rl_scope\":\"domain\",\"quota_used\":0,\"created\":\"2026-11-22\"}",
                        &m),
                0);
        assert_true(m.exists && m.active && !m.limited && !m.used && !m.recovery);
        assert_string_equal(m.marker, "signup-1");
        assert_int_equal(mailbox("{\"username\":\"a@b\",\"active\":\"0\",\"messages\":\"3\",\"rl\":"
                                 "{\"value\":\"20\"},\"rl_scope\":\"mailbox\"}",
                                 &m),
                         0);
        assert_true(!m.active && m.limited && m.used);
        assert_string_equal(m.marker, "");
        assert_int_equal(mailbox("{\"username\":\"a@b\",\"last_imap_login\":5}", &m), 0);
        assert_true(m.used);
        assert_int_equal(
                mailbox("{\"username\":\"a@b\",\"attributes\":{\"recovery_email\":\"c@d\"}}", &m),
                0);
        assert_true(m.recovery);
        assert_int_equal(mailbox("", &m), -EBADMSG);
        assert_int_equal(mailbox("[]", &m), -EBADMSG);
        assert_int_equal(mailbox("{\"type\":\"error\",\"msg\":\"x\"}", &m), -EBADMSG);
        assert_int_equal(mailbox("{\"name\":\"x\"}", &m), -EBADMSG);
}

static void test_policy(void **state)
{
        static const char TEXT[] = "{\"length\":\"12\",\"chars\":\"1\",\"special_chars\":\"0\","
                                   "\"lowerupper\":1,\"numbers\":true}";
        struct password_policy p;

        (void)state;
        assert_int_equal(mc_parse_policy(TEXT, strlen(TEXT), &p), 0);
        assert_int_equal(p.length, 12);
        assert_true(p.chars && !p.special && p.lowerupper && p.numbers);
        assert_int_equal(mc_parse_policy("{}", 2, &p), -EBADMSG);
        assert_int_equal(mc_parse_policy("[]", 2, &p), -EBADMSG);
        assert_int_equal(mc_parse_policy("{\"length\":-5}", 13, &p), 0);
        assert_int_equal(p.length, 0);
}

static void lists(const char *body, const char *want, bool pending)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);
        int r = pending ? mc_parse_pending(body, strlen(body), "t", &out)
                        : mc_parse_domains(body, strlen(body), "t", &out);

        if (!want) {
                assert_int_equal(r, -EBADMSG);
                return;
        }
        assert_int_equal(r, 0);
        assert_string_equal(buf_str(&out), want);
}

static void test_lists(void **state)
{
        (void)state;
        lists("{}", "", false);
        lists("[{\"domain_name\":\"a.b\",\"active_int\":1,\"tags\":[\"t\"]},"
              "{\"domain_name\":\"off.b\",\"active_int\":0,\"tags\":[\"t\"]},"
              "{\"domain_name\":\"bad\\n.b\",\"active_int\":1,\"tags\":[\"t\"]},"
              "{\"domain_name\":\"mx.b\",\"active_int\":1,\"backupmx_int\":1,\"tags\":[\"t\"]},"
              "{\"domain_name\":\"other.b\",\"active_int\":1,\"tags\":[\"tt\"]},"
              "{\"domain_name\":\"none.b\",\"active_int\":1,\"tags\":[]}]",
              "a.b\n", false);
        lists("{\"domain_name\":\"a.b\",\"active_int\":\"1\",\"tags\":[\"t\"]}", "a.b\n", false);
        lists("", NULL, false);
        lists("{\"type\":\"error\",\"msg\":\"x\"}", NULL, false);
        lists("[{\"username\":\"a@b\",\"name\":\"A\\nB\",\"created\":\"then\",\"active_int\":0,"
              "\"tags\":[\"t\"]},{\"username\":\"c@b\",\"active_int\":1,\"tags\":[\"t\"]}]",
              "a@b\tA B\tthen\n", true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_actions),
                cmocka_unit_test(test_mailbox),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_lists),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
