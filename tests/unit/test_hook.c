/* hamon/hook.c with real processes: how a hook ends, that nothing of it is alive when the end is
 * told, whatever it did to get away, and that what it says can neither block nor flood anybody. */
#include "tests/unit/hook_fixture.h"

#include "hamon/hook_left.h"
#include <inttypes.h>

static const char *const ENV[] = { "PATH=/usr/bin:/bin", "GREETING=hello there", NULL };

static int start_script(const char *text, msec_t deadline)
{
        const char *path = at(&tmp, "script");

        unlink(path);
        put_file(path, "#!/bin/sh\ncd %s\n%s", tmp.path, text);
        chmod(path, 0700);
        return start_path(path, ENV, deadline);
}

static void run_script(const char *text)
{
        assert_int_equal(start_script(text, PATIENCE_MS), 0);
        assert_true(hook_busy(hook));
        assert_int_equal(hook_facts(hook).state, HOOK_RUNNING);
        await_result();
        assert_int_equal(hook_facts(hook).state, HOOK_ENDED);
        assert_int_equal(hook_facts(hook).id, result.id);
        assert_int_equal(hook_facts(hook).end, result.end);
        assert_int_equal(access(at(&tmp, "run/hook"), F_OK), -1);
}

/* Dead, though maybe not yet reaped by whoever has adopted it. */
static bool is_zombie(const char *pid)
{
        char path[64];

        snprintf(path, sizeof path, "/proc/%s/stat", pid);
        return file_has(path, ") Z ");
}

/* Every process whose number stands in the file is gone; `orphans`: as far as that is for us to do.
 */
static void assert_gone(const char *file, unsigned n, bool orphans)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;

        assert_int_equal(read_file(at(&tmp, file), 4096, &text, NULL), 0);
        for (char *word = strtok_r(text, "\n", &rest); word; word = strtok_r(NULL, "\n", &rest)) {
                uint64_t pid;
                assert_int_equal(parse_uint(word, 2, INT32_MAX, &pid), 0);
                if (kill((pid_t)pid, 0) == 0 && !(orphans && is_zombie(word)))
                        fail_msg("%s of %s is alive", word, file);
                n--;
        }
        assert_int_equal(n, 0);
}

static void assert_all_gone(const char *file, unsigned n)
{
        assert_gone(file, n, false);
}

/* ---- ends ---- */

static void test_ends(void **unused)
{
        static const struct {
                const char *text;
                enum ha_hook_end end;
                int code, signal;
                const char *last;
        } CASES[] = {
                { "exit 0", HOOK_OK, 0, 0, "" },
                { "echo said; exit 0", HOOK_OK, 0, 0, "" },
                { "echo wait >&2; exit 75", HOOK_TEMP, 75, 0, "wait" },
                { "echo one >&2; echo two >&2; exit 3", HOOK_FAILED, 3, 0, "two" },
                { "printf 'no newline' >&2; exit 1", HOOK_FAILED, 1, 0, "no newline" },
                { "printf 'word\\n\\n\\n' >&2; exit 1", HOOK_FAILED, 1, 0, "word" },
                { "kill -SEGV $$", HOOK_FAILED, 0, SIGSEGV, "" },
                { "kill -KILL $$", HOOK_FAILED, 0, SIGKILL, "" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                run_script(CASES[i].text);
                if (result.end != CASES[i].end || result.code != CASES[i].code ||
                    result.signal != CASES[i].signal || strcmp(result_last, CASES[i].last) != 0)
                        fail_msg("%s: end %d code %d signal %d last \"%s\"", CASES[i].text,
                                 (int)result.end, result.code, result.signal, result_last);
                assert_false(result.overdue);
        }
}

static void test_cannot_start(void **unused)
{
        (void)unused;
        const char *path = at(&tmp, "script");
        put_file(path, "#!/nowhere/sh\n");
        chmod(path, 0700);
        assert_int_equal(start_path(path, ENV, PATIENCE_MS), 0);
        await_result();
        assert_int_equal(result.end, HOOK_FAILED);
        assert_int_equal(result.code, 127);
        assert_non_null(strstr(result_last, "cannot be started: No such file"));
}

/* Its environment is what it was given, and it holds nothing of ours. */
static void test_surroundings(void **unused)
{
        (void)unused;
        put_file(at(&tmp, "held"), "x");
        int held = open(at(&tmp, "held"), O_RDONLY); /* without O_CLOEXEC */
        run_script("env | grep -v '^PWD=\\|^OLDPWD=' | sort >env\n"
                   "ls -l /proc/self/fd/ >fds\n"
                   "cat >stdin\n"
                   "cut -d' ' -f5,6 /proc/$$/stat >ids; echo $$ >pid\n"
                   "sed -n 's/^Sig\\(Blk\\|Ign\\):\t//p' /proc/self/status >signals\n"
                   "umask >umask; readlink /proc/$PPID/cwd >/dev/null\n");
        close(held);
        assert_int_equal(result.end, HOOK_OK);
        assert_true(file_holds(at(&tmp, "env"), "GREETING=hello there\nPATH=/usr/bin:/bin\n"));
        assert_false(file_has(at(&tmp, "fds"), "held"));
        assert_false(file_has(at(&tmp, "fds"), "socket"));
        assert_true(file_holds(at(&tmp, "stdin"), ""));
        assert_true(file_holds(at(&tmp, "umask"), "0022\n"));
        assert_true(file_holds(at(&tmp, "signals"), "0000000000000000\n0000000000000000\n"));

        char ids[64], pid[64], ours[64];
        slurp(at(&tmp, "ids"), ids, sizeof ids);
        slurp(at(&tmp, "pid"), pid, sizeof pid);
        pid[strcspn(pid, "\n")] = '\0';
        assert_int_equal(strncmp(ids, pid, strlen(pid)), 0); /* leads its group */
        snprintf(ours, sizeof ours, " %d\n", (int)getsid(0));
        assert_null(strstr(ids, ours)); /* in a session that is not ours */
}

static void test_one_at_a_time(void **unused)
{
        (void)unused;
        assert_int_equal(start_script("read -r x <wait || :\nuntil [ -e go ]; do sleep 0.01; done",
                                      PATIENCE_MS),
                         0);
        uint64_t first = hook_facts(hook).id;
        assert_int_equal(start_path(at(&tmp, "script"), ENV, PATIENCE_MS), -EBUSY);
        assert_true(sentence.len > 0);
        assert_int_equal(hook_facts(hook).id, first);
        put_file(at(&tmp, "go"), "x");
        await_result();
        assert_int_equal(result.id, first);
        run_script("exit 0");
}

/* ---- killing ---- */

/* What may want to live on: children in the background, in groups and sessions of their own,
 * orphans whose parents are gone, all deaf to SIGTERM. Each notes its number; "ready" comes last.
 */
#define BROOD                                                                                 \
        "brood() { trap '' TERM HUP INT; echo $$ >>pids; }\n"                                 \
        "cat >one <<'X'\ntrap '' TERM HUP INT; echo $$ >>pids; sleep 1000 & echo $! >>pids; " \
        "wait\nX\n"                                                                           \
        "cat >two <<'X'\n(setsid sh one & )\nX\n"                                             \
        "sh one & setsid sh one & setsid sh two\n"                                            \
        "(setsid setsid sh two &)\n"                                                          \
        "until [ \"$(wc -l <pids)\" = 8 ]; do sleep 0.01; done\n"

static void test_nothing_is_left_behind(void **unused)
{
        (void)unused;
        run_script(BROOD "exit 0");
        assert_int_equal(result.end, HOOK_OK);
        assert_all_gone("pids", 8);
}

static void test_kill_now(void **unused)
{
        (void)unused;
        assert_int_equal(
                start_script(BROOD "echo $$ >>pids; echo x >ready; trap '' TERM; wait", 60000), 0);
        TURN_UNTIL(access(at(&tmp, "ready"), F_OK) == 0);
        assert_int_equal(access(at(&tmp, "run/hook"), F_OK), 0);
        msec_t began = clock_ms();
        hook_kill(hook, true);
        hook_kill(hook, true); /* twice is fine */
        await_result();
        assert_true(clock_ms() - began < 2 * PATIENCE_MS);
        assert_int_equal(result.end, HOOK_KILLED);
        assert_false(result.overdue);
        assert_all_gone("pids", 9);
        hook_kill(hook, true); /* nothing runs */
}

static void test_kill_politely(void **unused)
{
        (void)unused;
        assert_int_equal(start_script("trap 'echo bye >&2; exit 0' TERM; echo x >ready\n"
                                      "while :; do sleep 0.01; done",
                                      60000),
                         0);
        TURN_UNTIL(access(at(&tmp, "ready"), F_OK) == 0);
        hook_kill(hook, false);
        await_result();
        assert_int_equal(result.end, HOOK_KILLED); /* whatever it says about it */
        assert_string_equal(result_last, "bye");
        assert_true(result.took < 60000);
}

static void test_deadline(void **unused)
{
        (void)unused;
        assert_int_equal(start_script("trap 'exit 0' TERM; while :; do sleep 0.01; done", 50), 0);
        await_result();
        assert_int_equal(result.end, HOOK_KILLED);
        assert_true(result.overdue);
        assert_true(result.took >= 50);

        assert_int_equal(
                start_script("echo $$ >pid; trap '' TERM; while :; do sleep 0.1; done", 300), 0);
        await_result();
        assert_int_equal(result.end, HOOK_KILLED);
        assert_true(result.overdue);
        assert_true(result.took >= 300 + 2000);
        assert_all_gone("pid", 1);
}

/* A stopped hook can be killed too. */
static void test_stopped(void **unused)
{
        (void)unused;
        assert_int_equal(start_script("echo $$ >pid; kill -STOP $$", 50), 0);
        await_result();
        assert_true(result.overdue);
        assert_all_gone("pid", 1);
}

/* ---- output ---- */

static void test_output(void **unused)
{
        (void)unused;
        run_script("echo plain; printf 'a\\000b\\n' >&2; printf 'say \"hi\"\\tx\\n'");
        const char *log = at(&tmp, "log");
        assert_true(file_has(log, "event=hook_output hook=test stream=stdout line=plain\n"));
        assert_true(file_has(log, "stream=stderr line=ab\n"));
        assert_true(file_has(log, "line=\"say \\\"hi\\\"\\x09x\"\n"));
}

static char told[256];

static void on_line(void *arg, uint64_t id, const char *line, msec_t since)
{
        size_t len = strlen(told);

        assert_ptr_equal(arg, &result);
        assert_int_equal(id, hook_facts(hook).id);
        assert_true(since >= 0);
        snprintf(told + len, sizeof told - len, "%s|", line);
}

static void test_lines_told(void **unused)
{
        (void)unused;
        hook_lines(hook, on_line);
        told[0] = '\0';
        run_script("echo one; echo; sleep 0.05; echo two >&2; printf three");
        assert_true(strstr(told, "one|") && strstr(told, "two|") && strstr(told, "three|"));
        assert_int_equal(strlen(told), 14);
        hook_lines(hook, NULL);
        run_script("echo four");
        assert_int_equal(strlen(told), 14);
}

static void test_flood(void **unused)
{
        (void)unused;
        run_script("yes x | head -c 3000000\n"
                   "head -c 300000 /dev/zero | tr '\\000' y >&2\n");
        assert_int_equal(result.end, HOOK_OK);
        assert_int_equal(strlen(result_last), HOOK_LAST);
        assert_true(file_has(at(&tmp, "log"), "lines_lost=1499001")); /* of 1500001 */
}

/* ---- the keeper, or the daemon, is killed ---- */

static pid_t keeper_pid(void)
{
        struct hook_mark m;

        assert_int_equal(hook_mark_read(at(&tmp, "run/hook"), &m), 0);
        return m.keeper;
}

static void test_keeper_killed(void **unused)
{
        (void)unused;
        assert_int_equal(
                start_script("trap '' TERM HUP; echo $$ >>pids; sleep 1000 & echo $! >>pids; "
                             "echo x >ready; wait",
                             60000),
                0);
        TURN_UNTIL(access(at(&tmp, "ready"), F_OK) == 0);
        kill(keeper_pid(), SIGKILL);
        await_result();
        assert_int_equal(result.end, HOOK_KILLED);
        assert_int_equal(result.signal, SIGKILL);
        assert_gone("pids", 2, true);
        run_script("exit 0");
}

/* Another process plays the daemon that dies. */
static void play_daemon(bool keeper_too)
{
        pid_t child = fork();

        if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                hook_free(hook);
                event_reinit(loop.base);
                hook_new(&loop, at(&tmp, "run/hook"), on_result, &result, &hook);
                start_script("trap '' TERM HUP; echo $$ >>pids; sleep 1000 & echo $! >>pids; "
                             "echo x >ready; wait",
                             60000);
                for (;;)
                        turn();
        }
        assert_true(child > 0);
        EVENTUALLY(access(at(&tmp, "ready"), F_OK) == 0);
        pid_t keeper = keeper_pid();
        if (keeper_too)
                kill(keeper, SIGKILL);
        end_child(&child);
}

static void take_over(void)
{
        hook_free(hook);
        assert_int_equal(hook_new(&loop, at(&tmp, "run/hook"), on_result, &result, &hook), 0);
        if (hook_busy(hook)) { /* at once, unless the keeper has done it all already */
                assert_int_equal(hook_facts(hook).state, HOOK_RUNNING);
                assert_int_equal(hook_facts(hook).id, 0);
                assert_int_equal(start_path(at(&tmp, "script"), ENV, 1000), -EBUSY);
                await_result();
                assert_int_equal(result.id, 0);
                assert_int_equal(hook_facts(hook).state, HOOK_IDLE);
        }
        assert_int_equal(access(at(&tmp, "run/hook"), F_OK), -1);
        assert_gone("pids", 2, true);
}

static void test_daemon_killed(void **unused)
{
        (void)unused;
        play_daemon(false);
        take_over();
}

static void test_daemon_and_keeper_killed(void **unused)
{
        (void)unused;
        play_daemon(true);
        take_over();
}

/* Numbers go round: who is there now under the number of the record may be anybody. */
static void test_stranger_lives(void **unused)
{
        struct hook_mark m;
        int ready[2];
        pid_t stranger[2] = { 0, 0 };

        (void)unused;
        assert_int_equal(pipe(ready), 0);
        stranger[0] = fork();
        if (stranger[0] == 0) { /* leads a session, with one member */
                setsid();
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                pid_t member = fork();
                if (member > 0 && write(ready[1], &member, sizeof member) != sizeof member)
                        _exit(1);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        assert_int_equal(read(ready[0], &stranger[1], sizeof stranger[1]), sizeof stranger[1]);
        close(ready[0]);
        close(ready[1]);
        assert_int_equal(hook_mark_of(stranger[0], &m), 0);

        struct hook_mark young = m, elsewhere = m;
        young.started += 1000000; /* who is there was there before */
        assert_int_equal(hook_left_kill(&young, true), 0);
        str_copy(elsewhere.cgroup, sizeof elsewhere.cgroup, "0::/else");
        elsewhere.started -= 1; /* the number is another process by now, its session has members */
        assert_int_equal(hook_left_kill(&elsewhere, true), 0);
        assert_int_equal(kill(stranger[0], 0), 0);
        assert_int_equal(kill(stranger[1], 0), 0);
        assert_int_equal(hook_left_kill(&m, false), 2); /* this is what they would be killed by */
        assert_int_equal(kill(stranger[0], 0), 0);
        EVENTUALLY(hook_left_kill(&m, false) == 1);
        end_child(&stranger[0]);
}

static void test_bad_record(void **unused)
{
        static const char *const TEXTS[] = { "",       "x",       "12",       "1 1 x",
                                             "12 0 x", "12 34\n", "-5 3 x\n", "99999999999 3 x\n" };
        struct hook_mark m;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
                put_file(at(&tmp, "run/hook"), "%s", TEXTS[i]);
                assert_int_equal(hook_mark_read(at(&tmp, "run/hook"), &m), -EBADMSG);
                hook_free(hook);
                assert_int_equal(hook_new(&loop, at(&tmp, "run/hook"), on_result, &result, &hook),
                                 0);
                assert_false(hook_busy(hook));
                assert_int_equal(access(at(&tmp, "run/hook"), F_OK), -1);
        }
        run_script("exit 0");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, hook_setup, hook_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_ends),
                TEST(test_cannot_start),
                TEST(test_surroundings),
                TEST(test_one_at_a_time),
                TEST(test_nothing_is_left_behind),
                TEST(test_kill_now),
                TEST(test_kill_politely),
                TEST(test_deadline),
                TEST(test_stopped),
                TEST(test_output),
                TEST(test_lines_told),
                TEST(test_flood),
                TEST(test_keeper_killed),
                TEST(test_daemon_killed),
                TEST(test_daemon_and_keeper_killed),
                TEST(test_stranger_lives),
                TEST(test_bad_record),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
