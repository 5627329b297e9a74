/* The deed on real processes in real cgroups and on a real file system. Needs root. */
#include "hamon/fence.h"
#include "hamon/guard_state.h"
#include "lib/diskseq.h"
#include "tests/unit/guard_fixture.h"

struct world {
        struct tmp t;
        struct container c[3];
        struct volume v;
        struct ran ran;
        pid_t other;
} w;

static int set_up(void **state)
{
        (void)state;
        w = (struct world){ .other = 0 };
        return tmp_make(&w.t);
}

static int tear_down(void **state)
{
        (void)state;
        end_child(&w.other);
        for (size_t i = 0; i < ARRAY_SIZE(w.c); i++)
                container_end(&w.c[i]);
        umount2(at(&w.t, "bind"), MNT_DETACH);
        volume_end(&w.v);
        tmp_remove(&w.t);
        return 0;
}

static void add(struct fence_target *t, const struct container *c)
{
        str_copy(t->id[t->n++], TARGET_ID_SIZE, c->id);
}

static const struct fence_rule QUICK = {
        .cgroup = "/sys/fs/cgroup", .kill = 3000, .umount = 300, .probe = 300, .hang = PATIENCE_MS
};

static void kills_by_cgroup_and_nothing_else(void **state)
{
        struct fence_target t = { .n = 0 };
        unsigned killed, left;

        (void)state;
        container_run(&w.c[0], hierarchy(), "%s", false);
        const char *v2 = "/sys/fs/cgroup/unified"; /* beside v1, if this machine has both */
        container_run(&w.c[1], access(v2, W_OK) == 0 ? v2 : hierarchy(), "docker-%s.scope", false);
        container_run(&w.c[2], hierarchy(), "%s", false); /* not named */
        add(&t, &w.c[0]);
        add(&t, &w.c[1]);
        assert_int_equal(fence_kill("/sys/fs/cgroup", &t, 5000, &killed, &left), 0);
        assert_int_equal(left, 0);
        assert_int_equal(killed, 2);
        EVENTUALLY(container_dead(&w.c[0]));
        EVENTUALLY(container_dead(&w.c[1]));
        assert_int_equal(kill(w.c[2].pid, 0), 0);
        assert_int_equal(ended(&w.c[2].pid), -1);

        assert_int_equal(fence_kill("/sys/fs/cgroup", &t, 5000, &killed, &left), 0); /* again */
        assert_int_equal(killed, 0);
}

static void a_paused_container_dies_too(void **state)
{
        struct fence_target t = { .n = 0 };
        unsigned killed, left;
        const char *where = access("/sys/fs/cgroup/freezer", W_OK) == 0 ? "/sys/fs/cgroup/freezer"
                                                                        : hierarchy();
        bool v1 = strstr(where, "freezer");
        char path[300];

        (void)state;
        container_run(&w.c[0], where, "%s", false);
        add(&t, &w.c[0]);
        snprintf(path, sizeof path, "%s/%s", w.c[0].dir, v1 ? "freezer.state" : "cgroup.freeze");
        put_file(path, "%s", v1 ? "FROZEN" : "1");
        assert_int_equal(fence_kill("/sys/fs/cgroup", &t, 5000, &killed, &left), 0);
        EVENTUALLY(container_dead(&w.c[0]));
}

static void what_is_no_id_is_not_looked_for(void **state)
{
        struct fence_target t = { .n = 3, .id = { "", "abc", "docker" } };
        unsigned killed, left;

        (void)state;
        container_run(&w.c[0], hierarchy(), "%s", false);
        memcpy(t.id[1], w.c[0].id, 40);
        assert_int_equal(fence_kill("/sys/fs/cgroup", &t, 1000, &killed, &left), 0);
        assert_int_equal(killed, 0);
        assert_int_equal(ended(&w.c[0].pid), -1);
}

static void aim(struct fence_target *t)
{
        volume_make(&w.v, &w.t, "image", "mnt");
        str_copy(t->device, sizeof t->device, w.v.disk.device);
        str_copy(t->mount, sizeof t->mount, w.v.mount);
}

static void a_container_with_a_copy_of_the_mount(void **state)
{
        struct fence_target t = { .n = 0 };
        struct fence_result f;

        (void)state;
        aim(&t);
        container_run(&w.c[0], hierarchy(), "%s", true);
        assert_int_equal(umount(w.v.mount), 0); /* a clean umount proves nothing … */
        fence_run(&t, &QUICK, &f);
        assert_false(f.free); /* … */
        assert_true(f.unmounted);
        assert_int_equal(f.error, -EBUSY);

        add(&t, &w.c[0]);
        fence_run(&t, &QUICK, &f);
        assert_true(f.free);
        assert_int_equal(f.killed, 1);
        assert_false(f.gone);
        EVENTUALLY(container_dead(&w.c[0]));
}

static void every_mount_of_it_goes(void **state)
{
        struct fence_target t = { .n = 0 };
        struct fence_result f;

        (void)state;
        aim(&t);
        mkdir(at(&w.t, "mnt/sub"), 0755);
        mkdir(at(&w.t, "mnt/vmail"), 0755);
        mkdir(at(&w.t, "bind"), 0755); /* as Docker's local volumes are */
        assert_int_equal(mount(at(&w.t, "mnt/vmail"), at(&w.t, "bind"), NULL, MS_BIND, NULL), 0);
        assert_int_equal(mount("none", at(&w.t, "mnt/sub"), "tmpfs", 0, NULL), 0);
        assert_int_equal(mount(w.v.mount, w.v.mount, NULL, MS_BIND, NULL),
                         0); /* one over the other */
        fence_run(&t, &QUICK, &f);
        assert_true(f.free);
        assert_true(f.unmounted);
        fence_run(&t, &QUICK, &f); /* again */
        assert_true(f.free);
        assert_int_equal(f.killed, 0);
}

static void not_free_while_somebody_sits_on_it(void **state)
{
        struct fence_target t = { .n = 0 };
        struct fence_result f;

        (void)state;
        aim(&t);
        put_file(at(&w.t, "mnt/file"), "x");
        const char *const argv[] = { "/bin/sh", "-c", "exec sleep 600 <\"$0\"",
                                     at(&w.t, "mnt/file"), NULL };
        int hold = open(at(&w.t, "mnt/file"), O_RDONLY | O_CLOEXEC);
        w.other = start(argv, NULL, NULL, 0);
        msec_t began = clock_ms();
        fence_run(&t, &QUICK, &f);
        assert_true(clock_ms() - began < PATIENCE_MS);
        assert_false(f.free);
        assert_false(f.unmounted);
        assert_int_equal(f.error, -EBUSY);
        assert_non_null(strstr(f.text, "not proven free"));
        close(hold);
        end_child(&w.other);
        fence_run(&t, &QUICK, &f);
        assert_true(f.free);
}

static void a_device_that_is_gone_or_is_none(void **state)
{
        struct fence_target t = { .device = "/dev/mha-test-no-such-device" };
        struct fence_result f;

        (void)state;
        fence_run(&t, &QUICK, &f);
        assert_true(f.free);
        assert_true(f.gone);

        str_copy(t.device, sizeof t.device, at(&w.t, "file"));
        put_file(t.device, "x");
        fence_run(&t, &QUICK, &f);
        assert_false(f.free); /* O_EXCL says nothing about it */
        assert_int_equal(f.error, -ENOTBLK);

        aim(&t); /* the name is gone, the device is not */
        int hold = open(w.v.mount, O_RDONLY | O_CLOEXEC);
        str_copy(t.device, sizeof t.device, "/dev/mha-test-no-such-device");
        fence_run(&t, &QUICK, &f);
        assert_false(f.free);
        close(hold);
}

/* R: its number has gone to another disk, which is mounted and none of our business. */
static void a_number_that_is_another_disks(void **state)
{
        struct fence_target t = { .n = 0 };
        struct fence_result f;
        struct stat st;

        (void)state;
        aim(&t);
        assert_int_equal(stat(t.device, &st), 0);
        t.dev = st.st_rdev;
        t.seq = diskseq(st.st_rdev);
        if (!t.seq)
                skip(); /* before Linux 5.15 */
        str_copy(t.device, sizeof t.device, "/dev/mha-test-no-such-device");
        str_copy(t.mount, sizeof t.mount, "/mnt/mha-test-no-such-mount");
        t.seq--;
        fence_run(&t, &QUICK, &f);
        assert_true(f.free && f.gone);
        put_file(at(&w.t, "mnt/mail"), "still mounted\n");

        t.seq++;
        int hold = open(w.v.mount, O_RDONLY | O_CLOEXEC);
        fence_run(&t, &QUICK, &f);
        assert_false(f.free);
        close(hold);
}

static void by_hand(void **state)
{
        struct guard_state s;

        (void)state;
        guard_state_init(&s);
        aim(&s.target);
        container_run(&w.c[0], hierarchy(), "%s", true);
        add(&s.target, &w.c[0]);
        assert_int_equal(guard_state_save(at(&w.t, "guard.state"), &s), 0);
        put_file(at(&w.t, "conf"),
                 "[control]\nsocket = %s/sock\n[docker]\nsocket = %s/no\n[mailcow]\ndir = %s\n"
                 "[galera]\npassword_file =\n[keepalived]\nfifo =\ntrack_file =\nstate_file =\n"
                 "[volume]\nprovider = local\ndevice = %s\nmount = %s\n",
                 w.t.path, w.t.path, w.t.path, w.v.disk.device, w.v.mount);
        for (unsigned i = 0; i < 2; i++) {
                RUN(&w.t, &w.ran, program("hamon"), "-c", at(&w.t, "conf"), "fence", "--json");
                last_heard = w.ran.err;
                assert_string_equal(w.ran.err, "");
                assert_int_equal(w.ran.code, 0);
                assert_non_null(strstr(w.ran.out, "\"result\":\"done\""));
                assert_non_null(strstr(w.ran.out, "\"free\":true"));
                assert_non_null(strstr(w.ran.out, i ? "\"killed\":0" : "\"killed\":1"));
        }
        EVENTUALLY(container_dead(&w.c[0]));

        volume_mount(&w.v);
        int hold = open(w.v.mount, O_RDONLY | O_CLOEXEC);
        RUN(&w.t, &w.ran, program("hamon"), "-c", at(&w.t, "conf"), "fence");
        close(hold);
        assert_int_equal(w.ran.code, 75);
        assert_non_null(strstr(w.ran.err, "not proven free"));
        assert_non_null(strstr(w.ran.err, "guard: No such file"));

        run_as(&w.t, 65534, &w.ran,
               (const char *const[]){ program_for_all(&w.t), "-c", at(&w.t, "conf"), "fence",
                                      NULL });
        assert_int_equal(w.ran.code, 77);
        RUN(&w.t, &w.ran, program("hamon"), "-c", at(&w.t, "conf"), "fence", "--now");
        assert_int_equal(w.ran.code, 64);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(kills_by_cgroup_and_nothing_else, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_paused_container_dies_too, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_no_id_is_not_looked_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_container_with_a_copy_of_the_mount, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(every_mount_of_it_goes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(not_free_while_somebody_sits_on_it, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_device_that_is_gone_or_is_none, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_number_that_is_another_disks, set_up, tear_down),
                cmocka_unit_test_setup_teardown(by_hand, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, own_mounts, NULL);
}
