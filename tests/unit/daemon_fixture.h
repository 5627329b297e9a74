/* A whole daemon for test_daemon*.c: the real program in a directory of its own, with doubles of
 * the Docker engine, of a Galera member and of systemd. The doubles live for the whole group of
 * tests, the daemon for one. All periods are short; nothing here waits for luck. */
#pragma once

#include "harness.h"

#include "hamon/client.h"
#include "tests/fake/fake_docker.h"

enum { ASK_MS = 2000 };

#define MEMBER                                                                                    \
        "WSREP_CLUSTER_STATUS=Primary\nWSREP_READY=ON\nWSREP_CONNECTED=ON\nWSREP_LOCAL_STATE=4\n" \
        "WSREP_LOCAL_STATE_COMMENT=Synced\nWSREP_CLUSTER_SIZE=3\nwsrep_on=ON\n"                   \
        "wsrep_provider=/usr/lib/galera/libgalera_smm.so\nwsrep_reject_queries=NONE\n"            \
        "read_only=OFF\n"
#define NON_PRIMARY                                                                          \
        "WSREP_CLUSTER_STATUS=non-Primary\nWSREP_READY=OFF\nWSREP_CONNECTED=ON\n"            \
        "WSREP_LOCAL_STATE=0\nWSREP_LOCAL_STATE_COMMENT=Initialized\nWSREP_CLUSTER_SIZE=1\n" \
        "WSREP_EVS_STATE=GATHER\n"                                                           \
        "wsrep_on=ON\nwsrep_provider=x\nwsrep_reject_queries=NONE\nread_only=OFF\n"

/* The usual: facts count soon, and a busy machine makes no failures. */
#define TIMES "interval = 60ms\ntimeout = 5s\ngrace = 100ms\nstale = 20s\nresync = 1s\n"
/* For what must not fail at all. */
#define PATIENT "interval = 60ms\ntimeout = 5s\ngrace = 20s\nstale = 20s\nresync = 1s\n"
/* For what hangs. */
#define SHORT  "interval = 100ms\ntimeout = 400ms\ngrace = 100ms\nstale = 1s\nresync = 1s\n"
#define FIT_0  "0\n"
#define UNFIT_ "-254\n"

static struct fixture {
        struct fake_docker docker;
        struct tmp group; /* of the doubles */
        struct tmp tmp;   /* of this test */
        pid_t galera, daemon;
        int notify; /* a fake NOTIFY_SOCKET */
        char notified[1024];
        char conf[160], answer[4096];
        struct ran ran;
} fx = { .docker = { .control = -1 }, .notify = -1 };

/* ---- doubles ---- */

/* One command for the engine's double, and its answer. */
static inline void docker_say(const char *command)
{
        assert_true(fake_docker_say(&fx.docker, command));
        EVENTUALLY(fake_docker_answered(&fx.docker));
        if (strncmp(fx.docker.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.docker.reply);
}

/* What the database says from now on. Replaced in one move: it may be read at any moment. */
static inline void galera_says(const char *rows)
{
        assert_int_equal(write_file_atomic(at(&fx.group, "rows"), 0600, rows, strlen(rows)), 0);
}

static inline void galera_start(void)
{
        char script[512];
        const char *argv[] = { "/usr/bin/env",        "python3", script, at(&fx.group, "mysql"),
                               at(&fx.group, "rows"), NULL };
        int fd = -1;

        snprintf(script, sizeof script, "%s/tests/fake/fake_galera.py", getenv("MHA_SOURCE"));
        unlink(at(&fx.group, "mysql"));
        fx.galera = start(argv, NULL, NULL, 0);
        EVENTUALLY((fd = unix_connect(at(&fx.group, "mysql"))) >= 0);
        close(fd);
}

static inline void galera_stop(void)
{
        end_child(&fx.galera);
}

/* ---- the daemon ---- */

struct settings { /* NULL = as usual */
        const char *name, *check, *sock, *more;
        const char *mysql, *password_file; /* of the database, in the doubles' directory */
};

static inline void configure(struct settings s)
{
        const char *dir = fx.tmp.path;
        CLEANUP(buf_done) struct buf text = BUF(8192);

        buf_addf(&text, "[node]\nname = %s\n[mailcow]\ndir = %s\n[check]\n%s",
                 s.name ? s.name : "n1", dir, s.check ? s.check : TIMES);
        buf_addf(&text, "[docker]\nsocket = %s\nproject = mailcow\n", fx.docker.socket);
        buf_addf(&text, "[stack]\nwarm = w1\nactive = a1 a2\noptional =\nignore = i1\n");
        buf_addf(&text, "[galera]\nsocket = %s/%s\npassword_file =", fx.group.path,
                 s.mysql ? s.mysql : "mysql");
        if (s.password_file)
                buf_addf(&text, " %s/%s", fx.group.path, s.password_file);
        buf_adds(&text, "\n");
        buf_addf(&text, "[control]\nsocket = %s/%s\n", dir, s.sock ? s.sock : "sock");
        buf_addf(&text, "[log]\nevents = %s/events\n", dir);
        buf_addf(&text, "[keepalived]\ntrack_file = %s/track\nfifo = %s/fifo\n", dir, dir);
        buf_addf(&text, "state_file = %s/vrrp\n%s", dir, s.more ? s.more : "");
        assert_int_equal(text.error, 0);
        put_file(fx.conf, "%s", buf_str(&text));
}

/* Replace the first `from` in the configuration by `to`, which is as long. */
static inline void edit_config(const char *from, const char *to)
{
        CLEANUP(freep) char *text = NULL;

        assert_int_equal(strlen(from), strlen(to));
        assert_int_equal(read_file(fx.conf, 8192, &text, NULL), 0);
        char *p = strstr(text, from);
        assert_non_null(p);
        while (*to)
                *p++ = *to++;
        put_file(fx.conf, "%s", text);
}

static inline void daemon_start(void)
{
        const char *argv[] = { program("hamond"), "-c", fx.conf, "run", NULL };

        fx.daemon = start(argv, NULL, at(&fx.tmp, "log"), 0);
}

static inline int daemon_stop(void)
{
        kill(fx.daemon, SIGTERM);
        return wait_end(&fx.daemon);
}

static inline bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

/* Does the daemon answer `request` with something that begins with `want`? */
static inline bool says(const char *request, const char *want)
{
        CLEANUP(buf_done) struct buf answer = BUF(64 * 1024);

        if (client_ask(at(&fx.tmp, "sock"), request, ASK_MS, &answer) < 0)
                str_copy(fx.answer, sizeof fx.answer, "(none)");
        else
                str_copy(fx.answer, sizeof fx.answer, buf_str(&answer));
        return begins(fx.answer, want);
}

static inline bool track_is(const char *value)
{
        return file_holds(at(&fx.tmp, "track"), value);
}

static inline bool logged(const char *part)
{
        return file_has(at(&fx.tmp, "log"), part);
}

/* As a user runs it. */
static inline void hamon(const char *verb, const char *word)
{
        char path[512];

        str_copy(path, sizeof path, program("hamon"));
        RUN(&fx.tmp, &fx.ran, path, "-c", fx.conf, verb, word);
}

/* Has systemd's double heard this? */
static inline bool notified(const char *what)
{
        ssize_t n = recv(fx.notify, fx.notified, sizeof fx.notified - 1, MSG_DONTWAIT);

        if (n < 0)
                return false;
        fx.notified[n] = '\0';
        return strcmp(fx.notified, what) == 0;
}

/* ---- set up, tear down ---- */

static inline int group_setup(void **state)
{
        (void)state;
        signal(SIGPIPE, SIG_IGN);
        if (tmp_make(&fx.group) < 0 || fake_docker_start(&fx.docker) < 0)
                return -1;
        galera_says(MEMBER);
        galera_start();
        return 0;
}

static inline int group_teardown(void **state)
{
        (void)state;
        galera_stop();
        fake_docker_stop(&fx.docker);
        tmp_remove(&fx.group);
        return 0;
}

/* A standby's containers: w1 runs, the active ones exist. */
static inline void standby_containers(void)
{
        docker_say("clear");
        docker_say("add 1 service=w1");
        docker_say("add 1 service=a1 state=exited");
        docker_say("add 1 service=a2 state=created");
        docker_say("add 1 service=i1 state=exited");
}

static inline int setup(void **state)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        (void)state;
        last_heard = fx.answer;
        fx.daemon = 0;
        if (tmp_make(&fx.tmp) < 0)
                return -1;
        str_copy(fx.conf, sizeof fx.conf, at(&fx.tmp, "hamon.conf"));
        str_copy(sa.sun_path, sizeof sa.sun_path, at(&fx.tmp, "notify"));
        fx.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fx.notify < 0 || bind(fx.notify, (struct sockaddr *)&sa, sizeof sa) < 0)
                return -1;
        setenv("NOTIFY_SOCKET", sa.sun_path, 1);
        docker_say("listen");
        docker_say("mode all ok");
        standby_containers();
        galera_says(MEMBER);
        if (!fx.galera)
                galera_start();
        configure((struct settings){ .name = NULL });
        return 0;
}

static inline int teardown(void **state)
{
        (void)state;
        end_child(&fx.daemon);
        closep(&fx.notify);
        fx.notify = -1;
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        tmp_remove(&fx.tmp);
        return 0;
}

/* A standby that is fit, its track file written. */
static inline void start_fit(void)
{
        daemon_start();
        EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
}

/* A master whose active services run. */
static inline void start_master(void)
{
        start_fit();
        assert_true(says("notify MASTER", "ok\n"));
        docker_say("start a1");
        docker_say("start a2");
        EVENTUALLY(says("check", "fit role=master reason=ok ") && track_is(FIT_0));
}
