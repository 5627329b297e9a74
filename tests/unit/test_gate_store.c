/* signup/gate/spent_galera.c, invite.c, tables.c and db.c on a real mariadbd with Galera: two
 * instances of the portal share one database, and what may be had once is had once. */
#include "signup/gate/gate.h"
#include "signup/gate/tables.h"

#include "tests/unit/galera_server.h"
#include "tests/unit/gate_fixture.h"
#include <errno.h>
#include <pthread.h>

enum { NOW = 1790000000, TTL = 600, AGE = 3, THREADS = 50 };

#define KEY_OLD "the key of this test, long enough for it"
#define KEY_NEW "the next key of this test, as long as it"

static struct db *dbs[2];
static struct keys *keys_old, *keys_both;
static struct invites invites[2];
static struct gate gates[2];

static int setup(void **unused)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        const struct db_config config = { .socket = path, .user = "root", .database = "hamon" };

        (void)unused;
        sql("DROP DATABASE IF EXISTS hamon");
        sql("CREATE DATABASE hamon");
        keys_old = keys(KEY_OLD);
        keys_both = keys(KEY_NEW "\n" KEY_OLD);
        for (int i = 0; i < 2; i++) {
                struct spent *s = NULL;
                assert_int_equal(db_new(&config, &dbs[i]), 0);
                if (tables_create(dbs[i], &error) < 0)
                        fail_msg("%s", buf_str(&error));
                assert_int_equal(spent_galera_new(dbs[i], &s), 0);
                invites[i] = (struct invites){ dbs[i], keys_old };
                gates[i] = (struct gate){ .keys = keys_old,
                                          .spent = s,
                                          .invites = &invites[i],
                                          .kinds = ~0u,
                                          .bind = "b",
                                          .min_age = AGE,
                                          .ttl = TTL };
        }
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        for (int i = 0; i < 2; i++) {
                spent_free(gates[i].spent);
                db_free(dbs[i]);
        }
        keys_free(keys_old);
        keys_free(keys_both);
        return 0;
}

static void form(char text[TICKET_TEXT])
{
        assert_int_equal(gate_form(&gates[0], "de-de", 8, NOW, text), 0);
}

static void form_solved(char text[TICKET_TEXT], char answer[GATE_ANSWER])
{
        struct ticket t;

        form(text);
        assert_int_equal(gate_look(&gates[0], text, NOW, &t), GATE_PASSED);
        assert_int_equal(gate_answer(keys_old, &t, GATE_IMAGE, answer), 0);
}

static void expect(enum gate_end have, enum gate_end want, const char *what)
{
        if (have != want)
                fail_msg("%s: %s, expected %s", what, GATE_ENDS[have], GATE_ENDS[want]);
}

static enum gate_end try(int i, enum gate_kind kind, const char *ticket, const char *response,
                         struct ticket *ret)
{
        return gate_try(&gates[i], &(struct gate_try){ kind, ticket, response }, NOW + AGE, ret);
}

/* ---- used up ---- */

static void test_across_instances(void **unused)
{
        char text[TICKET_TEXT], right[GATE_ANSWER];
        struct ticket t;

        (void)unused;
        form_solved(text, right);
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_PASSED, "first");
        expect(try(1, GATE_IMAGE, text, right, &t), GATE_SPENT, "the other one");
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_SPENT, "the same one");
        form_solved(text, right);
        expect(try(1, GATE_IMAGE, text, "no", &t), GATE_WRONG, "wrong");
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_SPENT, "right, but later");
}

static void test_store_down(void **unused)
{
        char text[TICKET_TEXT], right[GATE_ANSWER];
        struct ticket t;

        (void)unused;
        form_solved(text, right);
        server_freeze();
        msec_t began = clock_ms();
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_DOWN, "frozen");
        assert_true(clock_ms() - began < 8000);
        kill(server, SIGCONT);
        server_stop(SIGKILL);
        form_solved(text, right);
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_DOWN, "gone");
        expect(try(0, GATE_INVITE, text, "ABCD-EFGH-JKLM-NPQR", &t), GATE_DOWN, "invite");
        server_start(true);
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_PASSED, "back");
        form_solved(text, right);
        sql("DROP TABLE hamon.signup_spent");
        expect(try(0, GATE_IMAGE, text, right, &t), GATE_DOWN, "no table");
}

static void test_sweep(void **unused)
{
        struct ticket t = { .kind = TICKET_FORM, .issued = NOW };

        (void)unused;
        for (uint32_t i = 0; i < 64; i++) {
                memcpy(t.nonce, &i, sizeof i);
                assert_int_equal(spent_take(gates[0].spent, &t, TTL, NOW), 0);
        }
        assert_int_equal(spent_take(gates[0].spent, &t, TTL, NOW + 2 * TTL), -EALREADY);
        t.issued = NOW + 2 * TTL;
        memset(t.nonce, 0xff, TICKET_NONCE);
        assert_int_equal(spent_take(gates[0].spent, &t, TTL, NOW + 2 * TTL), 0);
        sql("CREATE TABLE hamon.one (n INT PRIMARY KEY)");
        sql("INSERT INTO hamon.one SELECT COUNT(*) FROM hamon.signup_spent");
        sql("INSERT INTO hamon.one VALUES (0)");
        assert_false(try_sql("INSERT INTO hamon.one VALUES (1)")); /* one row was left */
}

/* ---- invites ---- */

static void invite(unsigned uses, int64_t expires, const char *domain, char code[INVITE_CODE],
                   struct invite *v)
{
        *v = (struct invite){ .uses = uses, .expires = expires };
        str_copy(v->domain, sizeof v->domain, domain);
        str_copy(v->note, sizeof v->note, "for \"us\" & 'them'; \xc3\xa9");
        assert_int_equal(invite_add(&invites[0], v, NOW, code), 0);
        assert_int_equal(strlen(code), INVITE_CODE - 1);
}

static void seen(void *arg, const struct invite *v)
{
        *(struct invite *)arg = *v;
}

static struct invite only_one(void)
{
        struct invite v;

        assert_int_equal(invite_list(&invites[1], seen, &v), 1);
        return v;
}

/* Claims a use and gives it back. */
static int claimable(const struct invites *i, const char *code, int64_t now, struct invite *ret)
{
        static const unsigned char claim[INVITE_CLAIM] = "who only looks";

        int r = invite_claim(i, code, claim, now + 60, now, ret);
        if (r == 0)
                assert_int_equal(invite_settle(i, claim, false), 0);
        return r;
}

static void test_invite_life(void **unused)
{
        char code[INVITE_CODE], text[TICKET_TEXT], domain[INVITE_DOMAIN];
        struct invite v, have;
        struct ticket t, late;

        (void)unused;
        invite(2, NOW + 1000, "example.org", code, &v);
        assert_int_equal(claimable(&invites[1], code, NOW, &have), 0);
        assert_string_equal(have.domain, "example.org");
        assert_string_equal(have.note, v.note);
        assert_string_equal(have.id, v.id);

        form(text);
        expect(try(0, GATE_INVITE, text, code, &t), GATE_PASSED, "first");
        gate_invite_domain(&t, domain);
        assert_string_equal(domain, "example.org");
        expect(try(1, GATE_INVITE, text, code, &t), GATE_SPENT, "same ticket");
        assert_int_equal(gate_pass(&gates[0], &t, NOW, text), 0); /* the form had an error */
        expect(try(1, GATE_PASS, text, "", &late), GATE_PASSED, "pass");
        gate_invite_domain(&late, domain);
        assert_string_equal(domain, "example.org");
        have = only_one();
        assert_true(have.pending == 1 && have.completed == 0);
        assert_int_equal(gate_settle(&gates[1], &late, true), 0);
        assert_int_equal(gate_settle(&gates[1], &late, true), -ENOENT);
        have = only_one();
        assert_true(have.pending == 0 && have.completed == 1);

        form(text);
        expect(try(0, GATE_INVITE, text, code, &t), GATE_PASSED, "second");
        form(text);
        expect(try(0, GATE_INVITE, text, code, &late), GATE_WRONG, "all uses are taken");
        assert_int_equal(gate_settle(&gates[0], &t, false), 0); /* given back */
        form(text);
        expect(try(0, GATE_INVITE, text, code, &t), GATE_PASSED, "second again");
        assert_int_equal(gate_settle(&gates[0], &t, true), 0);
        assert_int_equal(claimable(&invites[0], code, NOW, &have), -EDQUOT);
}

static void test_invite_refused(void **unused)
{
        static const char *const BAD[] = { "",
                                           "-",
                                           "ABCD-EFGH-JKLM-NPQ",
                                           "ABCD-EFGH-JKLM-NPQRS",
                                           "ABCD-EFGH-JKLM-NPQ1",
                                           "ABCD-EFGH-JKLM-NPQ'",
                                           "ABCD-EFGH-JKLM-NPQ\xc3" };
        char code[INVITE_CODE], typed[64];
        struct invite v, have;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                assert_int_equal(claimable(&invites[0], BAD[i], NOW, &have), -ENOENT);
        invite(1, NOW + 10, "", code, &v);
        assert_int_equal(claimable(&invites[0], code, NOW + 10, &have), -EKEYEXPIRED);
        snprintf(typed, sizeof typed, " %.4s %.4s%.4s-%.4s\t", code, code + 5, code + 10,
                 code + 15);
        for (char *c = typed; *c; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        assert_int_equal(claimable(&invites[0], typed, NOW, &have), 0);
        assert_int_equal(invite_revoke(&invites[1], v.id), 0);
        assert_int_equal(invite_revoke(&invites[1], v.id), 0);
        assert_int_equal(invite_revoke(&invites[1], "00000000"), -ENOENT);
        assert_int_equal(invite_revoke(&invites[1], "' OR 1=1"), -ENOENT);
        assert_int_equal(claimable(&invites[0], code, NOW, &have), -EKEYREVOKED);
        assert_true(only_one().revoked);
        v = (struct invite){ .uses = 0 };
        assert_int_equal(invite_add(&invites[0], &v, NOW, code), -EINVAL);
        v = (struct invite){ .uses = 1, .expires = NOW };
        assert_int_equal(invite_add(&invites[0], &v, NOW, code), -EINVAL);
}

/* Visitors who go away do not use up an invite; the code outlives a new key; no code is stored. */
static void test_invite_left(void **unused)
{
        char code[INVITE_CODE], query[256];
        struct invites rotated = { dbs[1], keys_both };
        const unsigned char a[INVITE_CLAIM] = "claim a", b[INVITE_CLAIM] = "claim b";
        struct invite v, have;

        (void)unused;
        invite(1, 0, "", code, &v);
        assert_int_equal(invite_claim(&invites[0], code, a, NOW + 100, NOW, &have), 0);
        assert_int_equal(invite_claim(&invites[1], code, b, NOW + 199, NOW + 99, &have), -EDQUOT);
        assert_int_equal(invite_claim(&rotated, code, b, NOW + 200, NOW + 100, &have), 0);
        assert_int_equal(invite_settle(&invites[0], a, true), -ENOENT);
        assert_int_equal(invite_settle(&invites[0], b, true), 0);
        have = only_one();
        assert_true(have.pending == 0 && have.completed == 1);
        snprintf(query, sizeof query,
                 "SELECT 1/(1-COUNT(*)) FROM hamon.signup_invite WHERE note LIKE '%%%s%%' "
                 "OR INSTR(hash, '%.4s')",
                 code, code);
        sql("SET GLOBAL sql_mode='ERROR_FOR_DIVISION_BY_ZERO,STRICT_ALL_TABLES'");
        sql(query);
}

/* ---- all at once ---- */

struct racer {
        int number, passed, settled;
        const char *code;
};

static void *race(void *arg)
{
        struct racer *r = arg;
        char text[TICKET_TEXT];
        struct ticket t;

        r->passed = -1;
        if (gate_form(&gates[0], "", 8, NOW, text) < 0)
                return NULL;
        enum gate_end end = try(r->number & 1, GATE_INVITE, text, r->code, &t);
        r->passed = end == GATE_PASSED ? 1 : end == GATE_WRONG ? 0 : -1;
        if (r->passed == 1)
                r->settled = gate_settle(&gates[r->number & 1], &t, true);
        return NULL;
}

static void test_invite_race(void **unused)
{
        struct racer racers[THREADS];
        pthread_t threads[THREADS];
        char code[INVITE_CODE];
        struct invite v;
        int passed = 0;

        (void)unused;
        sql("SET GLOBAL max_connections=40");
        invite(7, 0, "", code, &v);
        for (int i = 0; i < THREADS; i++) {
                racers[i] = (struct racer){ .number = i, .code = code };
                assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(racers[i].settled, 0);
                assert_true(racers[i].passed >= 0); /* none was sent away without an answer */
                passed += racers[i].passed;
        }
        assert_int_equal(passed, 7);
        v = only_one();
        assert_true(v.pending == 0 && v.completed == 7);
}

struct spender {
        char text[TICKET_TEXT], right[GATE_ANSWER];
        int number, passed;
};

static void *spend(void *arg)
{
        struct spender *s = arg;
        struct ticket t;

        s->passed = try(s->number & 1, GATE_IMAGE, s->text, s->right, &t) == GATE_PASSED;
        return NULL;
}

static void test_spent_race(void **unused)
{
        enum { AT_ONCE = 10, ROUNDS = 20 };

        (void)unused;
        sql("SET GLOBAL max_connections=40");
        for (int round = 0; round < ROUNDS; round++) {
                struct spender s[AT_ONCE];
                pthread_t threads[AT_ONCE];
                int passed = 0;
                form_solved(s[0].text, s[0].right);
                for (int i = 0; i < AT_ONCE; i++) {
                        s[i] = s[0];
                        s[i].number = i;
                }
                for (int i = 0; i < AT_ONCE; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, spend, &s[i]), 0);
                for (int i = 0; i < AT_ONCE; i++) {
                        pthread_join(threads[i], NULL);
                        passed += s[i].passed;
                }
                assert_int_equal(passed, 1);
        }
}

/* ---- the database itself ---- */

static void test_rights(void **unused)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        struct db_config config = {
                .socket = path, .user = "portal", .password = "secret \"'", .database = "hamon"
        };
        struct db *db = NULL;

        (void)unused;
        sql("CREATE OR REPLACE USER portal@localhost IDENTIFIED BY 'secret \"\\''");
        sql("GRANT SELECT, INSERT, UPDATE, DELETE ON hamon.* TO portal@localhost");
        assert_int_equal(db_new(&config, &db), 0);
        assert_int_equal(tables_create(db, &error), 0); /* they are there: no right is needed */
        sql("DROP TABLE hamon.signup_claim");
        assert_true(tables_create(db, &error) < 0);
        assert_non_null(strstr(buf_str(&error), "signup_claim"));
        assert_null(strstr(buf_str(&error), "secret"));
        db_free(db);

        config.password = "wrong";
        assert_int_equal(db_new(&config, &db), 0);
        assert_int_equal(tables_create(db, &error), -EHOSTUNREACH);
        db_free(db);
        config.user = "";
        assert_int_equal(db_new(&config, &db), -EINVAL);
}

static int group_setup(void **unused)
{
        (void)unused;
        server_install();
        server_start(true);
        return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(test_across_instances), CASE(test_sweep),       CASE(test_invite_life),
                CASE(test_invite_refused),   CASE(test_invite_left), CASE(test_invite_race),
                CASE(test_spent_race),       CASE(test_rights),      CASE(test_store_down),
        };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
