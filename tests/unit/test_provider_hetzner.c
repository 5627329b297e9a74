/* The hetzner provider over real sockets against tests/fake/fake_hetzner.py: what every provider
 * owes, then one row or case per fact of the API: which errors pass by themselves and which do not,
 * what is never sent, what proves what. */
#include "hamon/provider/hetzner.h"
#include "tests/fake/fake_hetzner.h"
#include "tests/unit/provider_fixture.h"

static struct fake_hetzner fake = { .control = -1 };

static void provide(const char *token, const char *self)
{
        char api[96], metadata[96];
        const struct hetzner_config c = { .api_url = api,
                                          .metadata_url = metadata,
                                          .token = token,
                                          .server = self,
                                          .poll = 5,
                                          .retry = 5,
                                          .request_timeout = 400 };

        snprintf(api, sizeof api, "%s/v1", fake.url);
        snprintf(metadata, sizeof metadata, "%s/metadata", fake.url);
        if (px.p)
                px.p->ops->free(take_ptr(px.p));
        assert_int_equal(hetzner_new(&px.loop, &c, &px.p), 0);
}

static int start_fake(void **unused)
{
        (void)unused;
        return fake_hetzner_start(&fake);
}

static int stop_fake(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        return 0;
}

static int set_up(void **unused)
{
        (void)unused;
        if (px_set_up() != 0)
                return -1;
        hetzner_say(&fake, "reset");
        provide("rw-token", NULL);
        return 0;
}

/* Whatever a test did: this is never done. */
static int tear_down(void **unused)
{
        (void)unused;
        px_tear_down();
        assert_int_equal(hetzner_stat(&fake, "double"), 0);
        assert_int_equal(hetzner_stat(&fake, "automount"), 0);
        assert_int_equal(hetzner_stat(&fake, "overlap"), 0);
        assert_int_equal(hetzner_stat(&fake, "no_bearer"), 0);
        assert_int_equal(hetzner_stat(&fake, "metadata_bearer"), 0);
        return 0;
}

static void server_of(const char *kind, const char *id, const char *want)
{
        assert_string_equal(hetzner_say(&fake, "get %s %s server", kind, id), want);
}

static void conformance(void **unused)
{
        const struct conformance w = { .volume = "7", .ip = "9", .server = "41", .attaches = true };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CONFORMANCE); i++) {
                hetzner_say(&fake, "reset");
                memset(px.run, 0, sizeof px.run);
                provide("rw-token", NULL);
                CONFORMANCE[i].run(&w);
        }
}

/* ---- faults that pass: each at each place, and the work is done exactly once ---- */

static void passing_faults(void **unused)
{
        static const char *const FAULTS[] = {
                "locked",      "conflict",    "429 0",        "429 1",       "429 3000",
                "timeout",     "bad_gateway", "server_error", "maintenance", "service_error",
                "unavailable", "status 502",  "status 503",   "status 500",  "close",
                "garbage",     "half",        "cut",          "hang",        "resource_unavailable",
                "lost",        "slow 600",
        };
        static const char *const PLACES[] = { "volume", "server", "attach", "action" };

        (void)unused;
        for (size_t f = 0; f < ARRAY_SIZE(FAULTS); f++)
                for (size_t p = 0; p < ARRAY_SIZE(PLACES); p++) {
                        hetzner_say(&fake, "reset");
                        hetzner_say(&fake, "fault %s 1 %s", PLACES[p], FAULTS[f]);
                        last_heard = FAULTS[f];
                        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
                        server_of("volume", "7", "42");
                        assert_in_range(hetzner_stat(&fake, "attach"), 1, 2);
                        assert_int_equal(hetzner_stat(&fake, "double"), 0);
                        assert_int_equal(hetzner_stat(&fake, "overlap"), 0);
                }
}

/* An answer that never came: the change may be under way. Looked for, not sent again. */
static void lost_answers(void **unused)
{
        static const struct {
                const char *op, *fault;
        } ROWS[] = { { "attach", "lost" },
                     { "attach", "slow 600" },
                     { "attach", "half" },
                     { "attach", "cut" } };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                hetzner_say(&fake, "reset");
                hetzner_say(&fake, "action-ms 300");
                hetzner_say(&fake, "fault %s 1 %s", ROWS[i].op, ROWS[i].fault);
                EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
                assert_int_equal(hetzner_stat(&fake, "attach"), 1);
                assert_int_equal(hetzner_stat(&fake, "double"), 0);
        }
}

/* ---- faults that do not pass ---- */

static void lasting_faults(void **unused)
{
        static const struct {
                const char *fault;
                int error;
                const char *words;
        } ROWS[] = {
                { "not_found", -ENOENT, "there is none" },
                { "unauthorized", -EACCES, "does not know this token" },
                { "token_readonly", -EACCES, "may only read" },
                { "forbidden", -EACCES, "may not" },
                { "protected", -EACCES, "protected" },
                { "resource_locked", -EACCES, "support" },
                { "user_action_required", -EIO, "powered off and on" },
                { "limit_exceeded_error", -EIO, "too many volumes" },
                { "no_space_left_in_location", -EIO, "full" },
                { "invalid_input 'bad field'", -EIO, "invalid_input: bad field" },
                { "status 401", -EACCES, "token" },
                { "status 418", -EIO, "refused" },
                { "invalid_input 'the token rw-token is bad'", -EIO, "unexpected" },
        };
        static const char *const PLACES[] = { "volume", "server", "attach" };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                for (size_t p = 0; p < ARRAY_SIZE(PLACES); p++) {
                        hetzner_say(&fake, "reset");
                        hetzner_say(&fake, "fault %s 1 %s", PLACES[p], ROWS[i].fault);
                        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "42");
                        assert_int_equal(px.run[0].error, ROWS[i].error);
                        if (!strstr(px.run[0].text, ROWS[i].words))
                                fail_msg("%s: %s", ROWS[i].fault, px.run[0].text);
                        assert_non_null(strstr(px.run[0].text, "attach volume 7 to server 42"));
                        assert_in_range(hetzner_stat(&fake, "attach"), 0, 1);
                }
}

static void named_things(void **unused)
{
        (void)unused;
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "8", .server = "42");
        assert_non_null(strstr(px.run[0].text, "volume 8: there is none"));
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "49");
        assert_non_null(strstr(px.run[0].text, "server 49: there is none"));
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "44");
        assert_non_null(strstr(px.run[0].text, "the volume is in fsn1, the server in nbg1"));
        assert_int_equal(hetzner_stat(&fake, "attach"), 0);
        EXPECT(PROVIDER_FAILED, server_get, .server = "nobody");
        assert_int_equal(px.run[0].error, -ENOENT);
        EXPECT(PROVIDER_FAILED, ip_get, .id = "11");
        assert_non_null(strstr(px.run[0].text, "floating IP 11"));
}

static void tokens(void **unused)
{
        (void)unused;
        provide("ro-token", NULL);
        EXPECT(PROVIDER_DONE, volume_get, .id = "7");
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "42");
        assert_non_null(strstr(px.run[0].text, "make one that may write"));
        provide("wrong-token", NULL);
        EXPECT(PROVIDER_FAILED, volume_get, .id = "7");
        assert_int_equal(px.run[0].error, -EACCES);

        struct provider *p = NULL;
        const char *const bad[] = { NULL, "", "a b", "a\nb", "a\r\nX: y", "\xc3\xbc" };
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(hetzner_new(&px.loop,
                                             &(struct hetzner_config){ .api_url = "http://x",
                                                                       .token = bad[i] },
                                             &p),
                                 -EINVAL);
}

/* ---- who we are ---- */

static void self(void **unused)
{
        static const struct {
                const char *configured, *asked, *id, *name;
        } ROWS[] = {
                { NULL, NULL, "43", "n3" }, { "", "", "43", "n3" },     { "n2", NULL, "42", "n2" },
                { "42", NULL, "42", "n2" }, { "n2", "n1", "41", "n1" },
        };

        (void)unused;
        hetzner_say(&fake, "self 43");
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                provide("rw-token", ROWS[i].configured);
                EXPECT(PROVIDER_DONE, server_get, .server = ROWS[i].asked);
                assert_string_equal(px.run[0].seen.server.id, ROWS[i].id);
                assert_string_equal(px.run[0].seen.server.name, ROWS[i].name);
        }
        provide("rw-token", NULL);
        hetzner_say(&fake, "fault metadata 2 garbage");
        EXPECT(PROVIDER_DONE, server_get, .id = NULL);
        hetzner_say(&fake, "put server 41 name '\"n3\"'");
        EXPECT(PROVIDER_FAILED, server_get, .server = "n3");
        assert_non_null(strstr(px.run[0].text, "several"));
}

/* ---- volumes ---- */

static void somebody_elses_volume(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 server 43");
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "42");
        assert_int_equal(px.run[0].error, -EBUSY);
        assert_non_null(strstr(px.run[0].text, "attached to server 43"));
        EXPECT(PROVIDER_FAILED, volume_detach, .id = "7", .server = "42");
        assert_int_equal(px.run[0].error, -EBUSY);
        server_of("volume", "7", "43");
        assert_int_equal(hetzner_stat(&fake, "attach") + hetzner_stat(&fake, "detach"), 0);
        EXPECT(PROVIDER_DONE, volume_detach, .id = "7");
        server_of("volume", "7", "null");
}

static void volume_in_the_making(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 status '\"creating\"'");
        EXPECT(PROVIDER_TEMPORARY, volume_attach, .id = "7", .server = "42", .deadline = 150);
        assert_non_null(strstr(px.run[0].text, "creating"));
        assert_int_equal(hetzner_stat(&fake, "attach"), 0);
}

/* "Done" says the action; only `server` of the volume is believed, and nothing is sent twice. */
static void late_lists(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "act attach 1 lazy 300");
        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
        server_of("volume", "7", "42");
        hetzner_say(&fake, "act detach 1 lazy 300");
        EXPECT(PROVIDER_DONE, volume_detach, .id = "7");
        server_of("volume", "7", "null");
        assert_int_equal(hetzner_stat(&fake, "attach") + hetzner_stat(&fake, "detach"), 2);

        hetzner_say(&fake, "put volume 7 server 42");
        hetzner_say(&fake, "act detach 1 lazy 100000");
        EXPECT(PROVIDER_TEMPORARY, volume_detach, .id = "7", .deadline = 400);
        assert_string_equal(px.run[0].seen.volume.server, "42"); /* not proven */
}

/* Half an answer must not prove that a volume is free. */
static void no_server_is_no_proof(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 server '\"none\"'");
        EXPECT(PROVIDER_TEMPORARY, volume_detach, .id = "7", .deadline = 150);
        assert_non_null(strstr(px.run[0].text, "makes no sense"));
}

static void actions_that_fail(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "act attach 1 trap");
        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
        assert_int_equal(hetzner_stat(&fake, "attach"), 1);
        EXPECT(PROVIDER_DONE, volume_detach, .id = "7");

        hetzner_say(&fake, "act attach 2 fail unknown_error");
        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
        assert_int_equal(hetzner_stat(&fake, "attach"), 4);
        EXPECT(PROVIDER_DONE, volume_detach, .id = "7");

        hetzner_say(&fake, "act attach 9 fail action_failed");
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "42");
        assert_int_equal(hetzner_stat(&fake, "attach"), 7); /* three, then it gives up */

        hetzner_say(&fake, "reset");
        hetzner_say(&fake, "act attach 1 fail user_action_required");
        EXPECT(PROVIDER_FAILED, volume_attach, .id = "7", .server = "42");
        assert_non_null(strstr(px.run[0].text, "powered off and on"));
}

static void stuck_action(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "act attach 1 stuck");
        EXPECT(PROVIDER_TEMPORARY, volume_attach, .id = "7", .server = "42", .deadline = 300);
        assert_int_equal(px.run[0].error, -ETIMEDOUT);
        assert_non_null(strstr(px.run[0].text, "still under way"));
        assert_true(hetzner_stat(&fake, "polls") > 3);
        /* the next call finds the server locked and keeps away */
        EXPECT(PROVIDER_TEMPORARY, volume_attach, .id = "7", .server = "42", .deadline = 200);
        assert_non_null(strstr(px.run[0].text, "server 42 is locked"));
        assert_int_equal(hetzner_stat(&fake, "attach"), 1);
}

static void forgotten_action(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "fault action 1 not_found");
        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
        assert_int_equal(hetzner_stat(&fake, "attach"), 1);
}

/* An action may end between two looks at any moment. */
static void action_ends_unseen(void **unused)
{
        (void)unused;
        for (int ms = 0; ms < 40; ms++) {
                hetzner_say(&fake, "action-ms %d", ms);
                hetzner_say(&fake, "fault action 1 not_found");
                EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
                hetzner_say(&fake, "put volume 7 server null");
                assert_int_equal(hetzner_stat(&fake, "attach"), ms + 1);
        }
}

/* What is as wanted needs no lock. */
static void already_under_lock(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put volume 7 server 42");
        hetzner_say(&fake, "lock 42 100000");
        EXPECT(PROVIDER_ALREADY, volume_attach, .id = "7", .server = "42");
}

static void foreign_action(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "lock 42 300");
        EXPECT(PROVIDER_DONE, volume_attach, .id = "7", .server = "42");
        assert_int_equal(hetzner_stat(&fake, "attach"), 1);
        hetzner_say(&fake, "lock 42 100000");
        EXPECT(PROVIDER_TEMPORARY, volume_detach, .id = "7", .deadline = 200);
        assert_non_null(strstr(px.run[0].text, "locked"));
}

/* Three changes on one server at once, by us: one after the other. */
static void one_action_per_server(void **unused)
{
        const struct provider_ops *o = px.p->ops;
        struct provider_request rq[] = { { .id = "7", .server = "42" },
                                         { .id = "9", .server = "42" },
                                         { .id = "10", .server = "42" } };

        (void)unused;
        hetzner_say(&fake, "action-ms 100");
        assert_int_equal(px_start(0, o->volume_attach, rq[0]), 0);
        assert_int_equal(px_start(1, o->ip_assign, rq[1]), 0);
        assert_int_equal(px_start(2, o->ip_assign, rq[2]), 0);
        PX_WAIT(px.run[0].over && px.run[1].over && px.run[2].over);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(px.run[i].result, PROVIDER_DONE);
        assert_int_equal(hetzner_stat(&fake, "attach") + hetzner_stat(&fake, "assign"), 3);
}

/* The quota's headers say two seconds: nothing is asked before. */
static void rate_limit(void **unused)
{
        msec_t begun = clock_ms();

        (void)unused;
        hetzner_say(&fake, "fault volume 1 429 2");
        EXPECT(PROVIDER_DONE, volume_get, .id = "7");
        assert_true(clock_ms() - begun >= 1000);
        hetzner_say(&fake, "fault volume 1000 429 3600");
        EXPECT(PROVIDER_TEMPORARY, volume_get, .id = "7", .deadline = 300);
        assert_non_null(strstr(px.run[0].text, "too many requests"));
        assert_true(hetzner_stat(&fake, "requests") < 20);
}

static void api_down(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "fault any 100000 close");
        EXPECT(PROVIDER_TEMPORARY, volume_attach, .id = "7", .server = "42", .deadline = 300);
        assert_int_equal(px.run[0].error, -ETIMEDOUT);
        assert_non_null(strstr(px.run[0].text, "does not answer"));
        assert_true(hetzner_stat(&fake, "requests") < 30);
}

static void deadline_while_silent(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "fault any 1 hang");
        EXPECT(PROVIDER_TEMPORARY, volume_get, .id = "7", .deadline = 100);
}

static void label(void **unused)
{
        (void)unused;
        EXPECT(PROVIDER_DONE, volume_label, .id = "7", .label = "n1.12");
        assert_string_equal(px.run[0].seen.volume.label, "n1.12");
        assert_string_equal(hetzner_say(&fake, "get volume 7 labels"),
                            "{\"owner\": \"us\", \"hamon\": \"n1.12\"}");
        EXPECT(PROVIDER_ALREADY, volume_label, .id = "7", .label = "n1.12");
        assert_int_equal(hetzner_stat(&fake, "label"), 1);
        hetzner_say(&fake, "fault label 1 lost");
        EXPECT(PROVIDER_DONE, volume_label, .id = "7", .label = "n2.13");
        assert_int_equal(hetzner_stat(&fake, "label"), 2);
        assert_int_equal(px_start(0, px.p->ops->volume_label,
                                  (struct provider_request){ .id = "7", .label = "a b" }),
                         -EINVAL);
}

/* ---- addresses ---- */

static void move_ip(void **unused)
{
        (void)unused;
        hetzner_say(&fake, "put ip 9 server 43");
        EXPECT(PROVIDER_ALREADY, ip_unassign, .id = "9", .server = "41"); /* not ours any more */
        server_of("ip", "9", "43");
        EXPECT(PROVIDER_DONE, ip_assign, .id = "9", .server = "41");
        server_of("ip", "9", "41");
        assert_int_equal(hetzner_stat(&fake, "unassign"), 0);
        assert_string_equal(px.run[0].seen.ip.address, "198.51.100.9");

        hetzner_say(&fake, "fault assign 1 floating_ip_assigned");
        EXPECT(PROVIDER_DONE, ip_assign, .id = "9", .server = "42");
        server_of("ip", "9", "42");
        assert_int_equal(hetzner_stat(&fake, "unassign"), 1);
}

/* ---- the fence ---- */

static void power(void **unused)
{
        (void)unused;
        assert_true(px.p->ops->can_fence(px.p));
        hetzner_say(&fake, "lock 43 100");
        hetzner_say(&fake, "fault poweroff 1 server_error");
        EXPECT(PROVIDER_DONE, poweroff, .server = "43");
        assert_string_equal(hetzner_say(&fake, "get server 43 status"), "\"off\"");
        EXPECT(PROVIDER_ALREADY, poweroff, .server = "43");
        EXPECT(PROVIDER_FAILED, poweroff, .server = "49");
        hetzner_say(&fake, "act poweroff 1 lazy 100000");
        EXPECT(PROVIDER_TEMPORARY, poweroff, .server = "42", .deadline = 300);
        assert_int_equal(px_start(0, px.p->ops->poweroff, (struct provider_request){ .id = NULL }),
                         -EINVAL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(conformance),
                CASE(passing_faults),
                CASE(lost_answers),
                CASE(lasting_faults),
                CASE(named_things),
                CASE(tokens),
                CASE(self),
                CASE(somebody_elses_volume),
                CASE(volume_in_the_making),
                CASE(late_lists),
                CASE(no_server_is_no_proof),
                CASE(actions_that_fail),
                CASE(stuck_action),
                CASE(forgotten_action),
                CASE(action_ends_unseen),
                CASE(already_under_lock),
                CASE(foreign_action),
                CASE(one_action_per_server),
                CASE(rate_limit),
                CASE(api_down),
                CASE(deadline_while_silent),
                CASE(label),
                CASE(move_ip),
                CASE(power),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
