/* What the other parts of the web process report, as conditions that are worth a person. */
#include "harness.h"

#include "hamon/web/alert_view.h"

static const char WELL[] =
        "{\"node\":\"n1\",\"verdict\":\"fit\",\"reason\":\"ok\",\"role\":\"master\",\"nodes\":[]}";

/* The titles of what is present, with '|' between them, and its texts after '#'. */
static const char *present(const char *extra)
{
        static char out[1024];
        struct config c = { .node = { .name = "n1" },
                            .canary = { .certificate_days = 14 },
                            .alert = { .patience = 30000 } };
        struct alert_conditions k;
        struct alert_view v;
        cJSON *status = cJSON_Parse(WELL), *o = cJSON_Parse(extra);

        assert_non_null(o);
        alert_view_read(status, 5000, &v);
        alert_view_conditions(&v, o, &c, &k);
        out[0] = '\0';
        for (size_t i = 0; i < k.n; i++) {
                const struct alert_message *m = &k.v[i].m;
                if (k.v[i].present)
                        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s#%s",
                                 *out ? "|" : "", m->title, m->text);
        }
        cJSON_Delete(status);
        cJSON_Delete(o);
        return out;
}

static void test_parts(void **state)
{
        static const struct {
                const char *extra, *want;
        } ROWS[] = {
                { "{}", "" },
                { "{\"canary\":{\"enabled\":true,\"target_ms\":5000,\"login_target_ms\":2000}}",
                  "" },
                { "{\"canary\":{\"enabled\":true,\"ok\":true,\"reason\":\"ok\",\"p95_ms\":5000,"
                  "\"login_p95_ms\":2000,\"target_ms\":5000,\"login_target_ms\":2000}}",
                  "" },
                { "{\"canary\":{\"enabled\":true,\"ok\":true,\"reason\":\"slow_delivery\","
                  "\"p95_ms\":5001,\"login_p95_ms\":20,\"target_ms\":5000,"
                  "\"login_target_ms\":2000}}",
                  "mail on n1 is slow: delivery#95 of 100 take no longer than 5001 ms; the target "
                  "is 5000 ms" },
                { "{\"canary\":{\"enabled\":true,\"ok\":true,\"reason\":\"slow_login\",\"p95_ms\":"
                  "1,"
                  "\"login_p95_ms\":2500,\"target_ms\":5000,\"login_target_ms\":2000}}",
                  "mail on n1 is slow: login#95 of 100 take no longer than 2500 ms; the target is "
                  "2000 ms" },
                { "{\"canary\":{\"enabled\":true,\"ok\":false,\"reason\":\"no_delivery\","
                  "\"message\":\"it did not arrive\",\"p95_ms\":60000,\"target_ms\":5000}}",
                  "the canary mail did not come through on n1 (no_delivery)#it did not arrive" },
                { "{\"certificates\":[{\"service\":\"imaps\",\"days_left\":13},"
                  "{\"service\":\"smtp\",\"days_left\":14},{\"service\":\"https\"}]}",
                  "the certificate of imaps expires soon#13 days are left" },
                { "{\"certificates\":[{\"service\":\"imaps\",\"days_left\":-1}]}",
                  "the certificate of imaps has expired#-1 days are left" },
                { "{\"rehearsal\":{\"ok\":false,\"findings\":[{\"check\":\"fence\",\"verdict\":"
                  "\"ok\","
                  "\"message\":\"fine\"},{\"check\":\"hooks\",\"verdict\":\"fail\",\"message\":"
                  "\"anybody may write them\"}]}}",
                  "a fail-over to n1 would fail, says the rehearsal#anybody may write them" },
                { "{\"rehearsal\":{\"ok\":true,\"findings\":[]}}", "" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_string_equal(present(ROWS[i].extra), ROWS[i].want);
}

static const struct alert_condition *sync_of(const char *state, bool late,
                                             struct alert_conditions *k)
{
        struct config c = { .node = { .name = "n2" }, .alert = { .patience = 30000 } };
        struct alert_view v;
        char text[1024];

        snprintf(text, sizeof text,
                 "{\"verdict\":\"fit\",\"state\":\"%s\",\"nodes\":[{\"name\":\"n1\",\"age_ms\":0,"
                 "\"sync\":{\"late\":true}},{\"name\":\"n2\",\"self\":true,\"age_ms\":0,\"sync\":{"
                 "\"message\":\"who leads cannot be asked\",\"late\":%s}}]}",
                 state, late ? "true" : "false");
        cJSON *status = cJSON_Parse(text);
        assert_non_null(status);
        alert_view_read(status, 5000, &v);
        cJSON_Delete(status);
        alert_view_conditions(&v, NULL, &c, k);
        for (size_t i = 0; i < k->n; i++)
                if (str_eq(k->v[i].m.key, "sync:n2"))
                        return &k->v[i];
        fail();
        return NULL;
}

/* Each tells of itself; what another is late with is not its business, nor is what is meant. */
static void test_sync(void **state)
{
        static struct alert_conditions k;

        (void)state;
        assert_false(sync_of("standby", false, &k)->present);
        assert_false(sync_of("maintenance", true, &k)->present);
        const struct alert_condition *late = sync_of("standby", true, &k);
        assert_true(late->present && late->whose == WHOSE_OWN && late->hold == 0);
        assert_string_equal(late->m.title,
                            "n2 is not in step with who leads (who leads cannot be asked)");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_parts),
                                            cmocka_unit_test(test_sync) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
