/* A good standby in namespaces of the test's own, for `hamon rehearse`: guard, nft, processes in
 * cgroups and loop devices are real; Docker, Hetzner and the daemon are doubles. */
#pragma once

#include "step_fixture.h"

#include "guard_fixture.h"
#include "hamon/config.h"
#include "hamon/guard.h"
#include "hamon/rehearsal.h"
#include "hamon/step.h"
#include "hamon/volume_mnt.h"
#include "tests/fake/fake_docker.h"
#include "tests/fake/fake_hetzner.h"
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <netinet/in.h>

#define IFACE "hatest0"

enum { NAPS = 20000 }; /* a minute of ours: who freezes this machine's tests freezes both ends */

static struct fake_docker docker = { .control = -1 };
static struct fake_hetzner cloud = { .control = -1 };
static struct container warm; /* a process in a cgroup with a container's name */
static struct disk disk;
static pid_t guard;
static int dog = -1; /* reads the watchdog, a fifo */
static bool able;

static inline void say(const char *command)
{
        assert_true(fake_docker_say(&docker, command));
        EVENTUALLY(fake_docker_answered(&docker));
        if (strncmp(docker.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, docker.reply);
}

static inline void sh(const char *script)
{
        struct ran ran;

        RUN(&sx.dir, &ran, "/bin/sh", "-ec", script);
        if (ran.code != 0)
                fail_msg("%s: %s", script, ran.err);
}

static inline void rehearse(const char *flag)
{
        const char *const words[] = { "rehearse", flag, NULL };
        const char *argv[MAX_ARGS], *out = at(&sx.dir, "out"), *err = at(&sx.dir, "err");

        unlink(out);
        unlink(err);
        step_words(words, argv);
        pid_t pid = start(argv, out, err, 0);
        sx.ran.code = -1;
        for (unsigned naps = 0; sx.ran.code < 0; nap()) {
                sx.ran.code = ended(&pid);
                if (sx.ran.code < 0 && naps++ > NAPS) {
                        end_child(&pid);
                        fail_msg("hamon rehearse did not end");
                }
        }
        slurp(out, sx.ran.out, sizeof sx.ran.out);
        slurp(err, sx.ran.err, sizeof sx.ran.err);
        assert_null(strstr(sx.ran.out, "-token"));
}

static inline void line_is(const char *part)
{
        if (!strstr(sx.ran.out, part))
                fail_msg("no \"%s\" in\n%s%s", part, sx.ran.out, sx.ran.err);
}

static inline void no_line(const char *part)
{
        if (strstr(sx.ran.out, part))
                fail_msg("\"%s\" in\n%s%s", part, sx.ran.out, sx.ran.err);
}

static inline void ends_with(int code)
{
        if (sx.ran.code != code)
                fail_msg("exit %d, not %d\n%s%s", sx.ran.code, code, sx.ran.out, sx.ran.err);
}

/* ---- a good standby ---- */

static inline void configure(const char *volume, const char *ip)
{
        step_configure("[cluster]\nnodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3\n"
                       "secret_file = %s/token\n[docker]\nsocket = %s\nproject = mailcow\n[stack]\n"
                       "active = redis-mailcow ofelia-mailcow\nwarm = clamd-mailcow\n"
                       "optional = ofelia-mailcow\n"
                       "[watchdog]\ndevice = %s/dog\n[hooks]\ndir = %s/hooks\n[hetzner]\n"
                       "api_url = %s/v1\ntoken_file = %s/token\nserver = n1\n"
                       "[volume]\nmount = %s/mnt\n%s%s\n"
                       "[ip]\n%s%s\n",
                       sx.dir.path, docker.socket, sx.dir.path, sx.dir.path, cloud.url, sx.dir.path,
                       sx.dir.path, strstr(volume, "uuid") ? "" : "uuid = " DISK_UUID "\n", volume,
                       strstr(ip, "interface") ? "" : "interface = " IFACE "\n", ip);
}

/* The daemon of a standby of n2 that goes by the same file. */
static inline void daemon_says(const char *more)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        char mark[CONFIG_FINGERPRINT];

        if (config_load(sx.conf, &c, &errors, NULL) < 0)
                fail_msg("%s", buf_str(&errors));
        config_fingerprint(&c, mark);
        snprintf(sx.lease->status, sizeof sx.lease->status,
                 "{\"node\":\"n1\",\"lease\":{\"holder\":\"n2\"},\"config_mark\":\"%s\",%s}", mark,
                 more);
}

#define HETZNER  "provider = hetzner\nid = 7"
#define FLOATING "provider = hetzner\nid = 9, 10"
#define STANDBY  "\"state\":\"standby\",\"why\":\"\",\"verdict\":\"fit\",\"message\":\"\""

static inline void hooks(void)
{
        char script[512];

        snprintf(script, sizeof script,
                 "rm -rf %s/hooks %s/master.d; mkdir %s/hooks; cp %s/hooks/*.sh %s/hooks; "
                 "chmod 755 %s/hooks %s/hooks/*",
                 sx.dir.path, sx.dir.path, sx.dir.path, getenv("MHA_SOURCE"), sx.dir.path,
                 sx.dir.path, sx.dir.path);
        sh(script);
}

static inline void containers(void)
{
        char command[256];

        say("reset");
        snprintf(command, sizeof command, "add 1 service=clamd-mailcow ident=%s", warm.id);
        say(command);
        say("add 1 service=redis-mailcow state=exited");
        say("set redis-mailcow ports=127.0.0.1:7654");
        say("add 1 service=ofelia-mailcow state=created");
}

static inline int before(void **unused)
{
        (void)unused;
        if (!able)
                return 0;
        lease_reset();
        put_file(at(&sx.dir, "token"), "rw-token\n");
        chmod(at(&sx.dir, "token"), 0600);
        hetzner_say(&cloud, "reset");
        hetzner_say(&cloud, "put volume 7 server 42");
        configure(HETZNER, FLOATING);
        daemon_says(STANDBY);
        hooks();
        containers();
        unlink(at(&sx.dir, REHEARSAL_FILE));
        unlink(at(&sx.dir, "mnt/mail"));
        remove(at(&sx.dir, "mnt"));
        return 0;
}

static inline unsigned mounts(void)
{
        struct volume_mnt m;

        assert_int_equal(volume_mnt_look(at(&sx.dir, "mnt"), &m), 0);
        return m.count;
}

/* Whatever was found: nobody was told to do anything. */
static inline int after(void **unused)
{
        static const char *const DEEDS[] = { "attach",   "detach", "assign",
                                             "unassign", "label",  "poweroff" };

        (void)unused;
        if (!able)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(DEEDS); i++)
                assert_int_equal(hetzner_stat(&cloud, DEEDS[i]), 0);
        say("deeds");
        assert_string_equal(docker.reply + 3, " most=0"); /* none */
        assert_int_equal(sx.lease->asked, 0);
        assert_string_equal(sx.lease->heard, "");
        assert_int_equal(mounts(), 0);
        sh("test -z \"$(/usr/sbin/nft list ruleset)\"\n"
           "test -z \"$(/sbin/ip -o addr show dev " IFACE " scope global)\"");
        assert_true(access(at(&sx.dir, STEP_IP_MEMORY), F_OK) < 0);
        return 0;
}

static inline void guard_begins(void)
{
        const char *const argv[] = { program("hamond"), "-c", sx.conf, "guard", NULL };
        const struct guard_message m = { .verb = GUARD_SAY_STATUS };
        struct guard_answer a;

        guard = start(argv, NULL, at(&sx.dir, "log"), 0);
        EVENTUALLY(guard_ask(at(&sx.dir, "guard.sock"), &m, 500, &a) == 0);
}

static inline int up(void **unused)
{
        char script[1024];

        (void)unused;
        if (step_up() < 0 || fake_docker_start(&docker) < 0)
                return -1;
        able = disk_able() && unshare(CLONE_NEWNET) == 0;
        if (!able)
                return 0;
        snprintf(script, sizeof script,
                 "ip link set lo up; ip link add " IFACE " type veth peer name hatest1\n"
                 "ip link set " IFACE " up; ip link set hatest1 up\n"
                 "sysctl -qw net.ipv6.conf." IFACE ".disable_ipv6=1\n"
                 "mount -t tmpfs none /usr/local/sbin; ln -s %s /usr/local/sbin/hamon",
                 sx.hamon);
        sh(script);
        if (fake_hetzner_start(&cloud) < 0)
                return -1;
        assert_int_equal(mkfifo(at(&sx.dir, "dog"), 0600), 0);
        dog = open(at(&sx.dir, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        container_run(&warm, hierarchy(), "docker-%s.scope", false);
        disk_make(&sx.dir, &disk, "image", DISK_UUID, 16);
        before(NULL);
        guard_begins();
        return 0;
}

static inline int down(void **unused)
{
        (void)unused;
        end_child(&guard);
        closep(&dog);
        if (able) {
                container_end(&warm);
                disk_detach(&disk);
        }
        fake_docker_stop(&docker);
        fake_hetzner_stop(&cloud);
        step_down();
        return 0;
}

#define NEEDS_ROOT()            \
        do {                    \
                if (!able)      \
                        skip(); \
        } while (0)
