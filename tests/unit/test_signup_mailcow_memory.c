/* Each allocation of cJSON's fails once while Mailcow is asked and its answers are read: nothing is
 * lost, nothing is taken for an answer that it is not, and what was not sent is known as such. */
#include "signup_fixture.h"

#include "signup/mailcow_impl.h"

#include <cjson/cJSON.h>

static size_t calls, failing; /* the call that fails, from 1 on; 0 = none */

static void *allocate(size_t size)
{
        return ++calls == failing ? NULL : malloc(size);
}

static void arm(size_t call)
{
        calls = 0;
        failing = call;
}

static int setup(void **state)
{
        cJSON_InitHooks(&(cJSON_Hooks){ allocate, free });
        return make_tmp(state);
}

static int teardown(void **state)
{
        cJSON_InitHooks(NULL);
        return remove_tmp(state);
}

/* Runs fn with its first, second, ... allocation failing, until none did. */
static void each(void (*fn)(bool failed))
{
        size_t n = 0;

        do {
                arm(++n);
                fn(true);
                assert_true(n < 1000);
        } while (calls >= n);
        arm(0);
        fn(false);
        assert_true(n > 2);
}

static void read_action(bool failed)
{
        static const char DONE[] = "[{\"type\":\"success\",\"msg\":[\"mailbox_added\",\"a@b\"]}]",
                          ERROR[] = "{\"type\":\"error\",\"msg\":\"authentication failed\"}";
        struct mc_action a;

        mc_parse_action(DONE, strlen(DONE), "mailbox_added", &a);
        bool garbage = a.shape == MC_GARBAGE;
        assert_true(a.shape == MC_DONE || (failed && garbage));
        mc_parse_action(ERROR, strlen(ERROR), "mailbox_added", &a);
        assert_true(a.shape == MC_ERROR || (failed && !garbage && a.shape == MC_GARBAGE));
}

static void read_things(bool failed)
{
        static const char BOX[] = "{\"username\":\"a@b\",\"active_int\":1,\"messages\":3}",
                          DOMAINS[] =
                                  "[{\"domain_name\":\"a.b\",\"active_int\":1,\"tags\":[\"t\"]}]",
                          POLICY[] = "{\"length\":\"12\"}";
        CLEANUP(buf_done) struct buf out = BUF(4096);
        struct password_policy policy;
        struct mc_mailbox box;

        int r = mc_parse_mailbox(BOX, strlen(BOX), &box);
        assert_true(r == 0 ? box.exists && box.active && box.used : failed && r == -EBADMSG);
        r = mc_parse_domains(DOMAINS, strlen(DOMAINS), "t", &out);
        assert_true(r == 0 ? str_eq(buf_str(&out), "a.b\n") : failed && r == -EBADMSG);
        r = mc_parse_policy(POLICY, strlen(POLICY), &policy);
        assert_true(r == 0 ? policy.length == 12 : failed && r == -EBADMSG);
}

static void edit(bool failed)
{
        cJSON *body = mc_edit("a@b", "active", "1");
        char *text = body ? cJSON_PrintUnformatted(body) : NULL;

        if (text)
                assert_string_equal(text, "{\"attr\":{\"active\":\"1\"},\"items\":[\"a@b\"]}");
        else
                assert_true(failed);
        free(text);
        cJSON_Delete(body);
}

/* Nobody listens on port 1: what was made in full is refused there, all else is not sent. */
static char *words[] = { (char *)(uintptr_t) "one", (char *)(uintptr_t) "two" };
static struct config config = { .mailcow = { .url = (char *)(uintptr_t) "http://127.0.0.1:1",
                                             .ca_file = (char *)(uintptr_t) "",
                                             .timeout = 5000 },
                                .mailbox = { .quota_mib = 1,
                                             .acl = { words, 2 },
                                             .tags = { words, 2 },
                                             .rate_limit = (char *)(uintptr_t) "20/h",
                                             .pending_tag = (char *)(uintptr_t) "waits" } };
static struct mailcow *mailcow;
static struct caller *caller;

static void create(bool failed)
{
        static const struct account ACCOUNT = { .local_part = "a",
                                                .domain = "b.c",
                                                .address = "a@b.c",
                                                .password = "umbrella tree",
                                                .recovery = "d@e.f" };
        char *marker = (char *)(uintptr_t) "signup-0";
        const struct strlist markers = { &marker, 1 };
        bool active;

        (void)failed;
        assert_int_equal(mailcow_create(mailcow, caller, &ACCOUNT, &markers, true, &active),
                         MC_DOWN);
        assert_false(mailcow_is_making(mailcow, &markers));
}

static void test_answers(void **state)
{
        (void)state;
        each(read_action);
        each(read_things);
}

static void test_questions(void **state)
{
        CLEANUP(buf_done) struct buf errors = BUF(1024);
        struct mc_reply reply;

        (void)state;
        put_file(at(&tmp, "key"), "AAAAAA-BBBBBB\n");
        assert_int_equal(chmod(at(&tmp, "key"), 0600), 0);
        config.mailcow.api_key_file = (char *)(uintptr_t)at(&tmp, "key");
        assert_int_equal(mailcow_new(&config, &mailcow, &errors), 0);
        assert_int_equal(caller_new(&caller), 0);
        each(edit);
        each(create);
        mc_post(mailcow, caller, "add/mailbox", NULL, "mailbox_added", &reply);
        assert_true(reply.error == -ENOMEM && !reply.sent && reply.action.shape == MC_NOTHING);
        caller_free(caller);
        mailcow_free(mailcow);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_questions),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
