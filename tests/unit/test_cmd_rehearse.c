/* `hamon rehearse`: on a good standby it says so, each thing that is wrong is found at the step
 * that would fail of it, and nothing is ever changed. Guard, nft, processes in cgroups, loop
 * devices and listeners are real, in namespaces of the test's own; Docker, Hetzner and the daemon
 * are doubles. */
#include "rehearse_fixture.h"

/* ---- as it should be ---- */

static void a_good_standby(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        rehearse(NULL);
        line_is("ok   daemon        this node could take over; n2 leads\n");
        line_is("ok   fence         guard: it answers: off");
        line_is("ok   fence         poweroff: the provider knows a server for each node");
        line_is("ok   hooks         master.sh and backup.sh in ");
        line_is("ok   volume attach volume 7 is attached to server 42 (n2), and could be taken");
        line_is("ok   volume mount  once attached it is /dev/disk/by-id/scsi-0HC_Volume_7, to be ");
        line_is("ok   stack start   2 active containers are here, 1 warm ones run, 1 ports are "
                "free");
        line_is("ok   ip assign     2 addresses can be had on " IFACE);
        line_is("\nNothing stands in the way of a fail-over to this node (");
        no_line("\nfail ");
        no_line("\nwarn ");
        ends_with(0);
}

/* What is printed, what is in the file, and that an older one is replaced. */
static void the_result(void **unused)
{
        CLEANUP(freep) char *text = NULL;
        const char *file = at(&sx.dir, REHEARSAL_FILE);
        struct stat st;

        (void)unused;
        NEEDS_ROOT();
        put_file(file, "{\"ok\":false}");
        msec_t began = clock_ms();
        rehearse("--json");
        ends_with(0);
        assert_int_equal(read_file(file, 64L * 1024, &text, NULL), 0);
        assert_int_equal(strncmp(text, sx.ran.out, strlen(text)), 0);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);

        cJSON *j = cJSON_Parse(text), *one;
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(j, "ok")));
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(j, "node")), "n1");
        double at_ms = cJSON_GetNumberValue(cJSON_GetObjectItem(j, "at_ms"));
        assert_true(at_ms >= (double)began && at_ms <= (double)clock_ms());
        size_t checks = 0;
        const char *last = "";
        cJSON_ArrayForEach(one, cJSON_GetObjectItem(j, "findings"))
        {
                const char *check = cJSON_GetStringValue(cJSON_GetObjectItem(one, "check"));
                checks += strcmp(check, last) != 0;
                last = check;
                assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(one, "verdict")),
                                    "ok");
        }
        assert_int_equal(checks, 7);
        cJSON_Delete(j);
}

static void words(void **unused)
{
        (void)unused;
        STEP(64, "rehearse: unexpected argument: now", "rehearse", "now");
        STEP(64, "--retry wants a time", "rehearse", "--retry", "soon");
        STEP(64, "unexpected argument: --no-lease", "rehearse", "--no-lease");
        step_configure("%s", "");
        STEP(78, "[cluster] nodes is empty: nothing is ever moved", "rehearse");
}

/* ---- what may be wrong ---- */

static int listener = -1;

static void listen_at(int family, const char *address, unsigned port)
{
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port };
        bool six = family == AF_INET6;

        listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(
                inet_pton(family, address, six ? (void *)&in6.sin6_addr : (void *)&in.sin_addr), 1);
        assert_int_equal(bind(listener, six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
                              six ? sizeof in6 : sizeof in),
                         0);
        assert_int_equal(listen(listener, 1), 0);
}

static void a_listener(void)
{
        listen_at(AF_INET, "0.0.0.0", 7654);
}

static void no_daemon(void)
{
        sx.lease->status[0] = '\0';
}

static void old_config(void)
{
        snprintf(sx.lease->status, sizeof sx.lease->status,
                 "{\"node\":\"n1\",\"config_mark\":\"0000000000000000\"," STANDBY "}");
}

static void unfit(void)
{
        daemon_says("\"state\":\"standby\",\"why\":\"this node is not fit to lead\","
                    "\"verdict\":\"unfit\",\"message\":\"galera: it is a donor\"");
}

static void halted(void)
{
        daemon_says("\"state\":\"halted\",\"why\":\"the breaker keeps this node from leading\","
                    "\"verdict\":\"fit\"");
}

static void maintenance(void)
{
        daemon_says("\"state\":\"maintenance\",\"why\":\"this node is in maintenance\","
                    "\"verdict\":\"fit\"");
}

static void garbage(void)
{
        str_copy(sx.lease->status, sizeof sx.lease->status, "ok");
}

static void wrong_token(void)
{
        put_file(at(&sx.dir, "token"), "wrong\n");
}

static void open_token(void)
{
        chmod(at(&sx.dir, "token"), 0644);
}

static void hook_writable(void)
{
        chmod(at(&sx.dir, "hooks/master.sh"), 0777);
}

static void hook_gone(void)
{
        unlink(at(&sx.dir, "hooks/backup.sh"));
}

static void hook_broken(void)
{
        put_file(at(&sx.dir, "hooks/master.sh"), "#!/bin/sh\nif true; then\n");
}

static void addition_writable(void)
{
        mkdir(at(&sx.dir, "master.d"), 0755);
        put_file(at(&sx.dir, "master.d/more"), "#!/bin/sh\n");
        chmod(at(&sx.dir, "master.d/more"), 0777);
}

static void mount_point_full(void)
{
        mkdir(at(&sx.dir, "mnt"), 0755);
        put_file(at(&sx.dir, "mnt/mail"), "lost?");
}

static void mount_point_file(void)
{
        put_file(at(&sx.dir, "mnt"), "%s", "");
}

static void volume(const char *fmt, const char *device)
{
        char text[300];

        snprintf(text, sizeof text, fmt, device); /* NOLINT */
        configure(text, FLOATING);
        daemon_says(STANDBY);
}

static void local_gone(void)
{
        volume("provider = local\ndevice = %s", "/dev/none");
}

static void local_good(void)
{
        volume("provider = local\ndevice = %s\n[local]\nfence_command = /bin/true", disk.device);
}

static void local_unfenced(void)
{
        volume("provider = local\ndevice = %s\n[watchdog]\nmode = off", disk.device);
}

static void no_device(void)
{
        volume("provider = local\ndevice = %s\n[local]\nfence_command = /bin/true", sx.conf);
}

static void other_uuid(void)
{
        volume("provider = local\ndevice = %s\nuuid = 99999999-2222-3333-4444-555555555555\n"
               "[local]\nfence_command = /bin/true",
               disk.device);
}

static void other_type(void)
{
        volume("provider = local\ndevice = %s\nfstype = xfs\n[local]\nfence_command = /bin/true",
               disk.device);
}

static void unknown_type(void)
{
        volume(HETZNER "\nfstype = %s", "nofs");
}

static void other_name(void)
{
        volume(HETZNER "\ndevice = %s", "/dev/disk/by-id/mine");
}

static void attached_here(void)
{
        hetzner_say(&cloud, "put volume 7 server 41");
}

static void address(const char *ip)
{
        configure(HETZNER, ip);
        daemon_says(STANDBY);
}

static void other_address(void)
{
        address(FLOATING "\naddress = 198.51.100.77/32");
}

static void no_interface(void)
{
        address("provider = hetzner\nid = 9\ninterface = nowhere0");
}

static void no_address(void)
{
        address("provider = hetzner\nid = 99");
}

static void no_ip(void)
{
        address("provider = none");
}

static const struct planted {
        const char *what;
        void (*plant)(void);
        const char *docker, *cloud;
        int code;
        const char *line;
} PLANTED[] = {
        { "daemon down", no_daemon, NULL, NULL, 1,
          "fail daemon        hamon run does not answer (" },
        { "daemon of other configuration", old_config, NULL, NULL, 1,
          "fail daemon        hamon.conf was changed in what wants a restart" },
        { "node unfit", unfit, NULL, NULL, 1,
          "fail daemon        this node is not fit to lead: galera: it is a donor\n" },
        { "breaker", halted, NULL, NULL, 1, "fail daemon        the breaker keeps this node" },
        { "maintenance", maintenance, NULL, NULL, 0, "warn daemon        this node is in maint" },
        { "garbage", garbage, NULL, NULL, 1, "fail daemon        the daemon's answer makes no " },
        { "token wrong", wrong_token, NULL, NULL, 1, "fail volume attach " },
        { "token file open", open_token, NULL, NULL, 1, "fail ip assign     " },
        { "server unknown", NULL, NULL, "remove server 41", 1, "fail volume attach " },
        { "volume gone", NULL, NULL, "remove volume 7", 1, "fail volume attach " },
        { "volume elsewhere", NULL, NULL, "put volume 7 location '{\"name\":\"nbg1\"}'", 1,
          "fail volume attach volume 7 is in nbg1 and this server, n1, in fsn1: it can never be" },
        { "API ill", NULL, NULL, "fault volume 99 forbidden", 1, "fail volume attach " },
        { "volume free", NULL, NULL, "put volume 7 server null", 0,
          "ok   volume attach volume 7 is attached to none; this is server 41 (n1)\n" },
        { "attached, no device", attached_here, NULL, NULL, 1,
          "fail volume mount  there is no /dev/disk/by-id/scsi-0HC_Volume_7, although it is att" },
        { "named otherwise", NULL, NULL, "put volume 7 linux_device '\"/dev/sdz\"'", 1,
          "fail volume mount  the provider says that it will be /dev/sdz, and /dev/disk/by-id/" },
        { "named by hand", other_name, NULL, NULL, 0,
          "warn volume mount  the provider says that it will be /dev/disk/by-id/scsi-0HC_Vol" },
        { "mount point full", mount_point_full, NULL, NULL, 1,
          "/mnt is not empty: something was " },
        { "mount point a file", mount_point_file, NULL, NULL, 1, "/mnt is no directory\n" },
        { "file system unknown", unknown_type, NULL, NULL, 1,
          "fail volume mount  the kernel here knows no file system nofs\n" },
        { "local", local_good, NULL, NULL, 0, "ok   volume mount  /dev/loop" },
        { "local, unfenced", local_unfenced, NULL, NULL, 1,
          "fail volume attach a holder that falls silent could not be kept from writing" },
        { "local, gone", local_gone, NULL, NULL, 1,
          "fail volume mount  there is no /dev/none on this node\n" },
        { "no block device", no_device, NULL, NULL, 1, "/conf is no block device\n" },
        { "another file system", other_uuid, NULL, NULL, 1,
          "there is ext4 " DISK_UUID ", and [volume] wants ext4 99999999" },
        { "of another type", other_type, NULL, NULL, 1, "and [volume] wants xfs " DISK_UUID },
        { "hook others may write", hook_writable, NULL, NULL, 1,
          "fail hooks         it would not be run: " },
        { "hook gone", hook_gone, NULL, NULL, 1, "/hooks/backup.sh: No such file" },
        { "hook broken", hook_broken, NULL, NULL, 1, "/hooks/master.sh: " },
        { "addition others may write", addition_writable, NULL, NULL, 1,
          "/master.d/more: others can write it; chmod go-w it\n" },
        { "container missing", NULL, "forget redis-mailcow", NULL, 1,
          "fail stack start   no container: redis-mailcow: create them (docker compose up" },
        { "optional one missing", NULL, "forget ofelia-mailcow", NULL, 0,
          "warn stack start   (optional) no container: ofelia-mailcow: " },
        { "container dead", NULL, "set redis-mailcow state=dead", NULL, 1,
          "fail stack start   dead: redis-mailcow; create them again" },
        { "warm one down", NULL, "set clamd-mailcow state=exited", NULL, 1,
          "fail stack start   warm, and not running: clamd-mailcow; " },
        { "warm one ill", NULL, "set clamd-mailcow health=unhealthy", NULL, 1,
          "fail stack start   warm, and unhealthy: clamd-mailcow; " },
        { "started at boot", NULL, "set redis-mailcow policy=always", NULL, 0,
          "warn stack start   active, and started by Docker at boot: redis-mailcow; " },
        { "image gone", NULL, "set redis-mailcow image_is=gone", NULL, 0,
          "warn stack start   without the image they were made from: redis-mailcow; " },
        { "image newer", NULL, "set ofelia-mailcow image_is=other", NULL, 0,
          "warn stack start   older than the image that is here: (optional) ofelia-mailcow; " },
        { "images not told", NULL, "mode image hang", NULL, 0, "ok   stack start   2 active " },
        { "Docker hangs", NULL, "mode list hang", NULL, 1,
          "fail stack start   listing the containers: the Docker engine does not answer" },
        { "Docker gone", NULL, "gone", NULL, 1, "fail stack start   " },
        { "port taken", a_listener, NULL, NULL, 1,
          "fail stack start   redis-mailcow: port 127.0.0.1:7654 is taken by test_cmd_rehear (" },
        { "another address", other_address, NULL, NULL, 1, "fail ip assign     the provider has " },
        { "no interface", no_interface, NULL, NULL, 1, " on nowhere0: No such device\n" },
        { "no such address", no_address, NULL, NULL, 1, "fail ip assign     " },
        { "no address wanted", no_ip, NULL, NULL, 0, "ok   ip assign     [ip] provider is none\n" },
};

static void what_is_wrong_is_found(void **unused)
{
        (void)unused;
        NEEDS_ROOT();
        for (size_t i = 0; i < ARRAY_SIZE(PLANTED); i++) {
                const struct planted *p = &PLANTED[i];
                print_message("         %s\n", p->what);
                before(NULL);
                if (p->plant)
                        p->plant();
                if (p->docker)
                        say(p->docker);
                if (p->cloud)
                        hetzner_say(&cloud, "%s", p->cloud);
                rehearse(NULL);
                line_is(p->line);
                ends_with(p->code);
                closep(&listener);
                after(NULL);
        }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, before, after)
        const struct CMUnitTest tests[] = {
                CASE(a_good_standby),
                CASE(the_result),
                CASE(words),
                CASE(what_is_wrong_is_found),
        };

        return cmocka_run_group_tests(tests, up, down);
}
