/* A new hamon.conf in the leading part while it runs, what may not change by it, and the end of the
 * daemon: what it tells the guard. */
#include "tests/unit/lead_fixture.h"

/* As the daemon does on SIGHUP: the struct stays where it is. */
static int reload(void)
{
        CLEANUP(buf_done) struct buf errors = BUF(16384);
        struct config old = lw.config, fresh;

        if (config_load(at(&lw.tmp, "conf"), &fresh, &errors, NULL) < 0)
                fail_msg("%s", buf_str(&errors));
        lw.config = fresh;
        int r = lead_reload(lw.lead);
        if (r < 0)
                lw.config = old;
        else
                assert_int_equal(node_reconfigure(&lw.node, &lw.config), 0);
        config_free(r < 0 ? &fresh : &old);
        return r;
}

static uint64_t beat(void)
{
        return strtoull(sql_value("SELECT beat FROM hamon.lease"), NULL, 10);
}

static void assert_renews(void)
{
        uint64_t before = beat();

        TURN_UNTIL(beat() > before + 2);
        assert_true(is_state(ST_MASTER));
}

static int64_t valid_ms(void)
{
        const char *p;

        TURN_UNTIL(answers(REQ_LEASE, "0", "ok "));
        p = strstr(buf_str(&lw.answer), "valid_ms=");
        assert_non_null(p);
        return strtoll(p + 9, NULL, 10);
}

/* ---- ttl ---- */

static void a_shorter_ttl_counts_at_once(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        assert_true(valid_ms() > 30000);
        uint64_t epoch = ha_now()->lease.epoch;
        lw.lease = "ttl = 20s\nrenew = 500ms\n";
        world_configure("");
        assert_int_equal(reload(), 0);
        assert_true(valid_ms() <= 16000); /* a fifth is kept for stopping */
        assert_renews();
        assert_true(valid_ms() <= 16000);
        assert_true(ha_now()->lease.epoch == epoch);
        assert_int_equal(hook_ran("promote") + hook_ran("recover"), 1);
}

static void a_longer_ttl_waits_until_another_leads(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        lw.lease = "ttl = 90s\nrenew = 300ms\n";
        world_configure("");
        assert_true(reload() < 0);
        assert_true(file_has(at(&lw.tmp, "log"),
                             "key=lease.ttl error=\"cannot grow while this node "
                             "leads"));
        assert_true(valid_ms() <= 48000);
        assert_renews();
        row_taken_by("n2");
        TURN_UNTIL(is_state(ST_HALTED) || is_state(ST_STANDBY));
        assert_int_equal(reload(), 0);
        assert_int_equal(ha_now()->config.lease.ttl, 90000);
}

/* The holder believes in its lease for longer than we would wait. */
static void nobody_claims_with_a_shorter_ttl(void **unused)
{
        (void)unused;
        lw.lease = "ttl = 3s\nrenew = 300ms\n";
        world_configure("");
        lw.others[0].says.ttl_ms = 3001;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) && lw.others[0].peer);
        TURN_WHILE(6000, is_state(ST_STANDBY) && row_holder("n2"));
        CLEANUP(buf_done) struct buf out = BUF(4096);
        lead_now(lw.lead, &out);
        assert_non_null(
                strstr(buf_str(&out), "the lease.ttl of n2 is longer than that of this node"));
        lw.others[0].says.ttl_ms = 3000;
        become_master();
}

/* ---- what is made anew ---- */

static void a_new_password_is_used(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        sql("ALTER USER hamon@'%' IDENTIFIED BY 'another-one'");
        put_file(at(&lw.tmp, "password"), "another-one\n");
        assert_int_equal(reload(), 0);
        assert_renews();
        uint64_t rows =
                strtoull(sql_value("SELECT beat FROM hamon.node WHERE name='n1'"), NULL, 10);
        TURN_UNTIL(strtoull(sql_value("SELECT beat FROM hamon.node WHERE name='n1'"), NULL, 10) >
                   rows + 1);
        sql("ALTER USER hamon@'%' IDENTIFIED BY 'lead-password'");
        assert_int_equal(hook_ran("promote") + hook_ran("recover"), 1);
}

static void a_reload_that_cannot_be_changes_nothing(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        unlink(at(&lw.tmp, "password"));
        assert_true(reload() < 0);
        assert_renews();
        put_file(at(&lw.tmp, "password"), "lead-password\n");
        chmod(at(&lw.tmp, "password"), 0600);
        assert_int_equal(reload(), 0);
        assert_renews();
}

/* In the middle of anything: a claim, a promotion, a question to the provider. */
static void reloads_at_any_time_do_no_harm(void **unused)
{
        unsigned n = 0;

        (void)unused;
        hook_does("promote", "sleep 0.5; mount -t tmpfs mha %s && touch %s/active", lw.vol,
                  lw.tmp.path);
        world_start();
        for (; !is_state(ST_MASTER) && n < 400; n++) {
                assert_int_equal(reload(), 0);
                for (int i = 0; i < 20; i++)
                        world_turn();
        }
        assert_true(n > 3);
        become_master();
        assert_renews();
        assert_int_equal(hook_ran("promote"), 1);
}

static void without_a_leading_part_there_is_nothing_to_do(void **unused)
{
        (void)unused;
        assert_int_equal(lead_reload(NULL), 0);
        lead_stop(NULL);
}

/* ---- the end ---- */

/* A guard in a process of its own, armed from the beginning: it answers while the daemon waits. */
static pid_t guard_apart(void)
{
        pid_t parent = getpid(), pid;

        guard_down();
        guard_up(GUARD_GOOD);
        event_free(lw.guard.accepting);
        lw.guard.accepting = NULL;
        pid = fork();
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(lw.guard.listener, F_SETFL, 0);
        for (int fd = -1; getppid() == parent;) {
                struct pollfd p[] = { { .fd = lw.guard.listener, .events = POLLIN },
                                      { .fd = fd, .events = POLLIN } };
                struct guard_message m;
                if (poll(p, 2, 100) <= 0)
                        continue;
                if (p[0].revents) /* the newest asker */
                        fd = accept(lw.guard.listener, NULL, NULL);
                else if (recv(fd, &m, sizeof m, 0) != sizeof m)
                        fd = -1;
                else {
                        struct guard_answer a = { .magic = GUARD_MAGIC,
                                                  .seq = m.seq,
                                                  .mode = GUARD_IS_ARMED,
                                                  .epoch = m.epoch,
                                                  .deadline = clock_ms() + 60000 };
                        char verb = (char)('0' + (int)m.verb);
                        int log = open(at(&lw.tmp, "verbs"), O_WRONLY | O_CREAT | O_APPEND, 0600);
                        if (m.verb != GUARD_SAY_STATUS && write(log, &verb, 1) != 1)
                                _exit(1);
                        close(log);
                        send(fd, &a, sizeof a, MSG_NOSIGNAL);
                }
        }
        _exit(0);
}

static size_t orders(void)
{
        struct stat st;

        return stat(at(&lw.tmp, "verbs"), &st) < 0 ? 0 : (size_t)st.st_size;
}

/* It was told already, but does not seem to know: nobody will tell it any more. */
static void a_standby_switches_the_guard_off(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        pid_t pid = guard_apart();
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) && file_has(at(&lw.tmp, "log"), "event=guard to=armed"));
        TURN_WHILE(300, is_state(ST_STANDBY));
        size_t before = orders();
        lead_stop(lw.lead);
        assert_int_equal(orders(), before + 1);
        CLEANUP(freep) char *verbs = NULL;
        assert_int_equal(read_file(at(&lw.tmp, "verbs"), 65536, &verbs, NULL), 0);
        assert_int_equal(verbs[before], '0' + GUARD_SAY_OFF);
        end_child(&pid);
}

static void a_master_leaves_the_guard_its_deadline(void **unused)
{
        (void)unused;
        pid_t pid = guard_apart();
        world_start();
        become_master();
        size_t before = orders();
        assert_true(before > 0);
        lead_stop(lw.lead);
        assert_int_equal(orders(), before);
        CLEANUP(freep) char *verbs = NULL;
        assert_int_equal(read_file(at(&lw.tmp, "verbs"), 65536, &verbs, NULL), 0);
        assert_int_equal(verbs[before - 1], '0' + GUARD_SAY_ARM);
        end_child(&pid);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(a_shorter_ttl_counts_at_once),
                LEAD_CASE(a_longer_ttl_waits_until_another_leads),
                LEAD_CASE(nobody_claims_with_a_shorter_ttl),
                LEAD_CASE(a_new_password_is_used),
                LEAD_CASE(a_reload_that_cannot_be_changes_nothing),
                LEAD_CASE(reloads_at_any_time_do_no_harm),
                LEAD_CASE(without_a_leading_part_there_is_nothing_to_do),
                LEAD_CASE(a_standby_switches_the_guard_off),
                LEAD_CASE(a_master_leaves_the_guard_its_deadline),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
