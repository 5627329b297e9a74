/* What the leading part tells of itself: events for `hamon why`, `hamon events` and the database,
 * the sentence on how it is now, and its row among those of the other nodes. */
#include "tests/unit/lead_fixture.h"

/* ---- events ---- */

struct told {
        struct event_line e[EVENT_MEMORY];
        size_t n;
};

static const struct told *remembered(void)
{
        static struct told t;
        CLEANUP(buf_done) struct buf out = BUF(1024 * 1024);
        char *rest = NULL;

        t.n = 0;
        events_why(lw.events, EVENT_MEMORY, clock_ms(), &out);
        buf_adds(&out, "");
        for (char *line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                assert_int_equal(events_parse(line, &t.e[t.n++]), 0);
        return &t;
}

/* The first event whose sentence begins so; NULL = there is none. */
static const struct event_line *event(const char *begins)
{
        const struct told *t = remembered();
        char text[1600];

        for (size_t i = 0; i < t->n; i++)
                if (strncmp(events_line_text(&t->e[i], text, sizeof text), begins,
                            strlen(begins)) == 0)
                        return &t->e[i];
        return NULL;
}

static void assert_told(const char *begins)
{
        if (!event(begins))
                fail_msg("no event \"%s\"\n%s", begins, log_tail());
}

static unsigned position(const char *begins)
{
        const struct event_line *e = event(begins);

        assert_non_null(e);
        return (unsigned)(e - remembered()->e);
}

static void a_promotion_is_told_step_by_step(void **unused)
{
        static const char *const ORDER[] = {
                "state: init -> standby, nothing is left of the last life (ready)",
                "state: standby -> claiming, its turn: the lease is free (claim)",
                "state: claiming -> promoting, ours: now the volume (lease_won), epoch ",
                "hook begins: promote, master.sh (lease_won), epoch ",
                "step: volume attach: done, epoch ",
                "hook ended: done, epoch ",
                "state: promoting -> master, probes have passed (hook_ok), epoch ",
        };

        (void)unused;
        hook_does("promote", "echo volume attach: done\nmount -t tmpfs mha %s\ntouch %s/active",
                  lw.vol, lw.tmp.path);
        world_start();
        become_master();
        for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
                assert_told(ORDER[i]);
                if (i > 0)
                        assert_true(position(ORDER[i]) > position(ORDER[i - 1]));
        }
        assert_true(event("lease: won")->epoch == ha_now()->lease.epoch);
        assert_true(event("hook ended")->took > 0);
        assert_true(event("step: volume attach")->took >= 0);
        TURN_UNTIL(event("guard: off -> armed"));
        assert_true(file_has(at(&lw.tmp, "log"), "event=state from=promoting to=master "));
        TURN_UNTIL(file_has(at(&lw.tmp, "events"), "\"to\":\"master\",\"reason\":\"hook_ok\""));
        TURN_UNTIL(strcmp(sql_value("SELECT COUNT(*) FROM hamon.event WHERE node='n1' AND "
                                    "detail LIKE 'state: promoting -> master%'"),
                          "1") == 0);
        assert_string_equal(sql_value("SELECT COUNT(*) FROM hamon.event WHERE kind='step'"), "0");
}

static void an_end_says_why(void **unused)
{
        (void)unused;
        hook_does("promote", "echo volume attach: the provider says no >&2; exit 1");
        world_start();
        TURN_UNTIL(event("hook ended: failed"));
        assert_told("hook ended: failed, exit status 1; volume attach: the provider says no");
        assert_string_equal(event("hook ended: failed")->level, "warn");
        TURN_UNTIL(event("lease: released"));
        assert_told("alert: promote_failed, this node won the lease and could not become master");
        assert_string_equal(event("alert: promote_failed")->level, "error");
}

static void an_order_is_told_to_its_end(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        assert_true(answers(REQ_SWITCHOVER, "n2", "ok 1\n"));
        TURN_UNTIL(row_holder(""));
        row_taken_by("n2");
        TURN_UNTIL(event("the operator's order: done, n2 leads now"));
        assert_told("the operator's order: switchover, operation 1, to n2, epoch ");
        assert_told("hook begins: switchover, backup.sh for n2 (switchover)");
        assert_told("lease: released");
        assert_true(answers(REQ_SWITCHOVER, "n2", "error: "));
        asks(REQ_MAINTENANCE, "on 7200000");
        assert_told("the operator's order: maintenance on, for 2h");
        asks(REQ_MAINTENANCE, "off");
        assert_told("the operator's order: maintenance off");
}

static void a_lost_lease_is_bad_news(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        row_taken_by("n2");
        TURN_UNTIL(event("lease: lost"));
        assert_string_equal(event("lease: lost")->level, "warn");
        TURN_UNTIL(event("state: master -> fencing"));
        TURN_UNTIL(is_state(ST_STANDBY) || is_state(ST_HALTED));
}

/* One hook that prints too much pushes nothing else out. */
static void a_chatty_hook_is_cut(void **unused)
{
        CLEANUP(freep) char *log = NULL;
        unsigned lines = 0;
        size_t steps = 0;

        (void)unused;
        hook_does("promote", "seq 1 300\nmount -t tmpfs mha %s\ntouch %s/active", lw.vol,
                  lw.tmp.path);
        world_start();
        become_master();
        assert_told("state: init -> standby");
        const struct told *t = remembered();
        for (size_t i = 0; i < t->n; i++)
                steps += strcmp(t->e[i].kind, "step") == 0;
        assert_int_equal(steps, 40);
        assert_int_equal(read_file(at(&lw.tmp, "log"), 1024 * 1024, &log, NULL), 0);
        for (const char *p = log; (p = strstr(p, "event=hook_output")); p++)
                lines++;
        assert_int_equal(lines, 260); /* but all of it is in the log */
}

static void peers_come_and_go(void **unused)
{
        (void)unused;
        row_taken_by("n3");
        world_start();
        TURN_UNTIL(event("another node: n2 -> answered"));
        TURN_UNTIL(event("another node: n3 -> answered"));
        other_down(0);
        TURN_UNTIL(event("another node: n2 -> refused"));
        other_silent(0);
        TURN_UNTIL(event("another node: n2 -> silent"));
        assert_string_equal(event("another node: n2 -> silent")->level, "warn");
        size_t before = remembered()->n;
        TURN_WHILE(2500, remembered()->n <= before + 1); /* told once, not per tick */
}

static void the_guard_is_told_of(void **unused)
{
        (void)unused;
        row_taken_by("n3");
        world_start();
        TURN_UNTIL(event("guard: off"));
        lw.guard.mood = GUARD_BARE;
        TURN_UNTIL(event("guard: off -> unready, it lacks the watchdog it needs"));
        lw.guard.mood = GUARD_DEAF;
        TURN_UNTIL(event("guard: unready -> silent"));
        assert_string_equal(event("guard: unready -> silent")->level, "warn");
}

/* ---- how it is now ---- */

static const char *now_text(void)
{
        static char text[1600];
        CLEANUP(buf_done) struct buf out = BUF(8192);
        struct event_line e;

        lead_now(lw.lead, &out);
        assert_int_equal(events_parse(buf_str(&out), &e), 0);
        assert_string_equal(e.kind, "now");
        assert_int_equal(e.ago, 0);
        return events_line_text(&e, text, sizeof text);
}

static bool now_says(const char *part)
{
        return strstr(now_text(), part);
}

static void it_says_what_it_waits_for(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_start();
        assert_true(now_says("this node: init, who leads is not known"));
        TURN_UNTIL(now_says("this node: standby, n2 leads; this node could take over (ok)"));
        lw.guard.mood = GUARD_BARE;
        TURN_UNTIL(now_says("n2 leads; the guard of this node is not ready"));
        lw.guard.mood = GUARD_GOOD;
        unlink(lw.image);
        lead_gap(lw.lead, 1); /* what the provider said is forgotten */
        TURN_UNTIL(now_says("n2 leads; the provider of the volume does not answer"));
        asks(REQ_MAINTENANCE, "on 0");
        TURN_UNTIL(now_says("this node: maintenance, n2 leads; this node is in maintenance"));
        asks(REQ_MAINTENANCE, "off");
        sql("UPDATE hamon.lease SET holder='',epoch=epoch+1,beat=beat+1");
        TURN_UNTIL(now_says("nobody leads; the provider of the volume does not answer"));
        assert_int_equal(mknod(lw.image, S_IFBLK | 0600, makedev(7, 0)), 0);
        become_master();
        assert_true(now_says("this node: master, leads; its lease is good for "));
}

static void it_says_what_it_is_doing(void **unused)
{
        (void)unused;
        hook_does("promote", "while [ ! -e %s/go ]; do sleep 0.05; done; exit 75", lw.tmp.path);
        world_start();
        TURN_UNTIL(now_says("this node: promoting, master.sh runs (promote), for "));
        put_file(at(&lw.tmp, "go"), "%s", "");
        TURN_UNTIL(now_says("master.sh has ended, and comes again"));
        hook_does("promote", "mount -t tmpfs mha %s; touch %s/active", lw.vol, lw.tmp.path);
        hook_does("fence", "exit 1"); /* nothing is proven */
        become_master();
        row_taken_by("n2");
        TURN_UNTIL(now_says("this node: fencing, ") && now_says("; the volume is still mounted"));
        hook_does("fence", "rm -f %s/active; umount %s", lw.tmp.path, lw.vol);
        TURN_UNTIL(now_says("halted, n2 leads; this node lost the lead for cause and waits "));
}

/* ---- rows ---- */

static void each_node_writes_its_row(void **unused)
{
        (void)unused;
        sql("DELETE FROM hamon.node");
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(strcmp(sql_value("SELECT CONCAT_WS(' ',name,address,role,verdict,reason) FROM "
                                    "hamon.node WHERE beat > 2"),
                          "n1 127.0.0.11 standby fit ok") == 0);
        sql("UPDATE hamon.lease SET holder='',epoch=epoch+1,beat=beat+1");
        become_master();
        TURN_UNTIL(strcmp(sql_value("SELECT role FROM hamon.node"), "master") == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(a_promotion_is_told_step_by_step),
                LEAD_CASE(an_end_says_why),
                LEAD_CASE(an_order_is_told_to_its_end),
                LEAD_CASE(a_lost_lease_is_bad_news),
                LEAD_CASE(a_chatty_hook_is_cut),
                LEAD_CASE(peers_come_and_go),
                LEAD_CASE(the_guard_is_told_of),
                LEAD_CASE(it_says_what_it_waits_for),
                LEAD_CASE(it_says_what_it_is_doing),
                LEAD_CASE(each_node_writes_its_row),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
