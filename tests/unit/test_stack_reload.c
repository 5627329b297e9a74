/* Postfix's master is told to begin anew: found among the processes of its container, and nobody
 * else is. Containers here are pid namespaces, masters a shell script of that name. */
#include "hamon/stack_reload.h"

#include "harness.h"

static struct tmp tmp;
static pid_t box;

static int set_up(void **unused)
{
        (void)unused;
        if (tmp_make(&tmp) < 0)
                return -1;
        put_file(at(&tmp, "master"), "#!/bin/sh\n"
                                     "trap 'echo hup >>\"$1\"' HUP\n"
                                     "echo ready >>\"$1\"\n"
                                     "while :; do sleep 0.05; done\n");
        return chmod(at(&tmp, "master"), 0755);
}

static int tear_down(void **unused)
{
        (void)unused;
        end_child(&box);
        tmp_remove(&tmp);
        return 0;
}

/* The first process in a pid namespace of its own, which ends with `box`: unshare(1)'s only child.
 */
static pid_t first_process(void)
{
        char path[64];
        CLEANUP(freep) char *pids = NULL;

        snprintf(path, sizeof path, "/proc/%d/task/%d/children", box, box);
        EVENTUALLY(read_file(path, 256, &pids, NULL) == 0 && (*pids || (freep(&pids), false)));
        return (pid_t)strtol(pids, NULL, 10);
}

static pid_t contain(const char *script)
{
        const char *const argv[] = { "/usr/bin/unshare", "--pid", "--fork", "--kill-child",
                                     "/bin/sh",          "-c",    script,   NULL };

        box = start(argv, NULL, NULL, 0);
        return first_process();
}

static pid_t contain_master(const char *how)
{
        char script[512];

        snprintf(script, sizeof script, how, at(&tmp, "master"), at(&tmp, "said"));
        pid_t pid = contain(script);
        EVENTUALLY(file_holds(at(&tmp, "said"), "ready\n"));
        return pid;
}

static void it_is_the_first_process(void **state)
{
        (void)state;
        pid_t pid = contain_master("exec %s %s");
        assert_int_equal(stack_reload_postfix(pid), 0);
        EVENTUALLY(file_holds(at(&tmp, "said"), "ready\nhup\n"));
}

/* As Mailcow has it: supervisord, a shell, and behind them the master. */
static void it_is_behind_others(void **state)
{
        (void)state;
        pid_t pid = contain_master("(%s %s; :); :");
        assert_int_equal(stack_reload_postfix(pid), 0);
        EVENTUALLY(file_holds(at(&tmp, "said"), "ready\nhup\n"));
        assert_int_equal(stack_reload_postfix(pid), 0);
        EVENTUALLY(file_holds(at(&tmp, "said"), "ready\nhup\nhup\n"));
}

/* Another container's, and the host's own Postfix, are none of ours. */
static void nobody_else_is_told(void **state)
{
        pid_t other, mine = 0;

        (void)state;
        contain_master("exec %s %s");
        other = box;
        box = 0;
        mine = start((const char *const[]){ at(&tmp, "master"), at(&tmp, "host"), NULL }, NULL,
                     NULL, 0);
        EVENTUALLY(file_holds(at(&tmp, "host"), "ready\n"));
        pid_t pid = contain("sleep 60; :");
        int r = stack_reload_postfix(pid), here = stack_reload_postfix(getpid());
        poll(NULL, 0, 300); /* a trap runs when the sleep before it ends */
        bool told = !file_holds(at(&tmp, "said"), "ready\n") ||
                    !file_holds(at(&tmp, "host"), "ready\n");
        end_child(&other);
        end_child(&mine);
        assert_int_equal(r, -ESRCH);
        assert_int_equal(here, -ESRCH);
        assert_false(told);
}

static void a_container_that_has_ended(void **state)
{
        (void)state;
        pid_t pid = contain_master("exec %s %s");
        end_child(&box);
        EVENTUALLY(kill(pid, 0) < 0);
        assert_int_equal(stack_reload_postfix(pid), -ESRCH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_the_first_process, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_is_behind_others, set_up, tear_down),
                cmocka_unit_test_setup_teardown(nobody_else_is_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_container_that_has_ended, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
