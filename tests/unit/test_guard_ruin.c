/* The guard where much has gone wrong at once: a disk that hangs, a device without a name, a
 * configuration that is refused. Needs root. */
#include "tests/unit/guard_world.h"

static struct volume outer, inner;

static int make_all(void **state)
{
        outer = inner = (struct volume){ .mount = "" };
        return set_up(state);
}

static int end_all(void **state)
{
        if (*outer.mount) {
                CLEANUP(closep) int fd = open(outer.mount, O_RDONLY | O_CLOEXEC);
                ioctl(fd, FITHAW, 0); /* harmless unless the case failed half-way */
        }
        volume_end(&inner);
        volume_end(&outer);
        return tear_down(state);
}

static int arm_volume(msec_t deadline, const char *device, dev_t dev)
{
        struct guard_message m = { .verb = GUARD_SAY_ARM, .epoch = 5, .deadline = deadline };

        m.target.dev = dev;
        str_copy(m.target.device, TARGET_PATH, device);
        str_copy(m.target.mount, TARGET_PATH, inner.mount);
        return guard_ask(at(&w.t, "guard.sock"), &m, PATIENCE_MS, &w.a);
}

static void a_disk_that_hangs(void **state)
{
        (void)state;
        begin("");
        disk_make(&w.t, &outer.disk, "image", DISK_UUID, 64);
        str_copy(outer.mount, sizeof outer.mount, at(&w.t, "outer"));
        mkdir(outer.mount, 0755);
        volume_mount(&outer);
        volume_make(&inner, &w.t, "outer/image", "mnt");
        put_file(at(&w.t, "mnt/mail"), "not on the disk yet\n");
        disk_freeze(outer.mount, true);

        assert_int_equal(arm_volume(clock_ms() + 200, inner.disk.device, 0), 0);
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && w.a.failures == 1 && !w.a.fencing);
        assert_int_equal(w.a.fences, 1);
        msec_t later = clock_ms() + 3000;
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && clock_ms() > later); /* it answers as ever … */
        assert_int_equal(w.a.fences, 1); /* … and starts no second one beside what hangs */

        disk_freeze(outer.mount, false);
        EVENTUALLY(in_mode(GUARD_HAS_FENCED));
        assert_int_equal(w.a.fences, 2);
        assert_string_equal(w.a.text, "the volume is free");
}

/* As if udev took the link away while the disk is still mounted, and not on the mount point: the
 * device is there, so nothing is proven. */
static void a_device_without_its_name(void **state)
{
        struct stat st;

        (void)state;
        begin("");
        volume_make(&inner, &w.t, "image", "mnt");
        assert_int_equal(stat(inner.disk.device, &st), 0);
        mkdir(at(&w.t, "bind"), 0755);
        assert_int_equal(mount(inner.mount, at(&w.t, "bind"), NULL, MS_BIND, NULL), 0);
        assert_int_equal(umount(inner.mount), 0);

        assert_int_equal(arm_volume(clock_ms() + 100, "/dev/mha-test-gone", st.st_rdev), 0);
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && w.a.failures >= 1);
        assert_int_equal(umount2(at(&w.t, "bind"), 0), -1); /* it was found by its number */
        assert_int_equal(errno, EINVAL);
        assert_string_equal(w.a.text, "the volume is not proven free: Device or resource busy");
}

/* A mistake in hamon.conf, and a restart of everything: the daemon does not come back. */
static void a_refused_configuration(void **state)
{
        struct guard_state s;

        (void)state;
        assert_int_equal(mount("none", "/run", "tmpfs", 0, NULL), 0);
        assert_int_equal(mkdir("/run/mailcow-ha", 0755), 0);
        put_file(at(&w.t, "conf"), "[lease]\nttl = soon\n");
        start_guard();
        assert_int_equal(wait_end(&w.guard), 78); /* nothing to guard: as every other program */

        guard_state_init(&s);
        s.mode = GUARD_IS_ARMED;
        s.epoch = 5;
        s.deadline = clock_ms() + 300;
        container_run(&w.c, hierarchy(), "%s", false);
        str_copy(s.target.id[s.target.n++], TARGET_ID_SIZE, w.c.id);
        assert_int_equal(guard_state_save("/run/mailcow-ha/guard.state", &s), 0);
        start_guard();
        EVENTUALLY(container_dead(&w.c));
        assert_true(file_has(at(&w.t, "log"), "the guard was armed"));
        end_child(&w.guard);
        umount2("/run", MNT_DETACH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_disk_that_hangs, make_all, end_all),
                cmocka_unit_test_setup_teardown(a_device_without_its_name, make_all, end_all),
                cmocka_unit_test_setup_teardown(a_refused_configuration, make_all, end_all),
        };

        return cmocka_run_group_tests(tests, own_mounts, NULL);
}
