/* A real mariadbd for tests, in a directory of its own, as a cluster of one or without Galera. It
 * runs as mysql if the test is root, dies with the test, and takes no port but free ones of
 * 127.0.0.1. Statements go through the blocking API, which never turns the test's loop. */
#pragma once

#include "lib/util.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <mysql.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PROVIDER "/usr/lib/galera/libgalera_smm.so"

enum { PATIENCE = 30000 };

static char dir[64], datadir[96], path[96], options[512], log_path[96];
static pid_t server;
static unsigned port;
static struct passwd *owner; /* whom the server runs as */

static unsigned free_port(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof a;

        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        close(fd);
        return ntohs(a.sin_port);
}

/* In the child: become the server's user first, because a change of user would forget the wish to
 * die with the parent. */
static void run_as_owner(const char *const *argv)
{
        pid_t parent = getppid();
        int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0666);

        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        if (geteuid() == 0 &&
            (setgroups(0, NULL) < 0 || setgid(owner->pw_gid) < 0 || setuid(owner->pw_uid) < 0))
                _exit(126);
        /* a starting server deletes the temporary tables it finds, those of other tests too */
        setenv("TMPDIR", dir, 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
                execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
}

static pid_t spawn(const char *const *argv)
{
        pid_t pid = fork();

        if (pid == 0)
                run_as_owner(argv);
        assert_true(pid > 0);
        return pid;
}

static bool try_sql(const char *statement)
{
        MYSQL *my = mysql_init(NULL);
        bool ok;

        assert_non_null(my);
        ok = mysql_real_connect(my, NULL, "root", NULL, NULL, 0, path, 0) &&
             mysql_query(my, statement) == 0;
        if (ok) {
                MYSQL_RES *res = mysql_store_result(my);
                if (res)
                        mysql_free_result(res);
        }
        mysql_close(my);
        return ok;
}

static void sql(const char *statement)
{
        if (!try_sql(statement))
                fail_msg("%s", statement);
}

/* Without turning the loop: the client under test must not notice. */
static void wait_until_up(void)
{
        msec_t end = clock_ms() + PATIENCE;

        while (!try_sql("SELECT COUNT(*) FROM mysql.db")) { /* tables: once WSREP is ready */
                struct timespec pause = { .tv_nsec = 20000000 };
                if (waitpid(server, NULL, WNOHANG) != 0 || clock_ms() > end) {
                        server = 0;
                        fail_msg("mariadbd does not start, see %s", log_path);
                }
                nanosleep(&pause, NULL);
        }
}

static void server_start(bool wsrep)
{
        char socket_arg[128], data_arg[128], port_arg[32];
        const char *argv[32] = { "mariadbd", "--no-defaults" };
        size_t n = 2;

        snprintf(socket_arg, sizeof socket_arg, "--socket=%s", path);
        snprintf(data_arg, sizeof data_arg, "--datadir=%s", datadir);
        snprintf(port_arg, sizeof port_arg, "--port=%u", port);
        argv[n++] = socket_arg;
        argv[n++] = data_arg;
        argv[n++] = port_arg;
        argv[n++] = "--bind-address=127.0.0.1";
        argv[n++] = "--skip-name-resolve";
        argv[n++] = "--pid-file=server.pid";
        argv[n++] = "--innodb-buffer-pool-size=16M";
        argv[n++] = "--innodb-log-file-size=4M";
        argv[n++] = "--innodb-flush-log-at-trx-commit=0";
        argv[n++] = "--performance-schema=0";
        argv[n++] = "--max-connections=10";
        if (wsrep) {
                argv[n++] = "--binlog-format=ROW";
                argv[n++] = "--wsrep-on=ON";
                argv[n++] = "--wsrep-provider=" PROVIDER;
                argv[n++] = "--wsrep-new-cluster";
                argv[n++] = "--wsrep-cluster-address=gcomm://";
                argv[n++] = "--wsrep-node-address=127.0.0.1";
                argv[n++] = options;
        }
        argv[n] = NULL;
        assert_int_equal(server, 0);
        server = spawn(argv);
        wait_until_up();
}

/* SIGSTOP, and wait until it has stopped. */
static void __attribute__((unused)) server_freeze(void)
{
        int status;

        kill(server, SIGSTOP);
        assert_int_equal(waitpid(server, &status, WUNTRACED), server);
        assert_true(WIFSTOPPED(status));
}

static void server_stop(int sig)
{
        if (server <= 0)
                return;
        kill(server, sig);
        kill(server, SIGCONT);
        waitpid(server, NULL, 0);
        server = 0;
}

static void server_install(void)
{
        char data_arg[128];
        int status;

        owner = getpwnam("mysql");
        snprintf(dir, sizeof dir, "/tmp/test-galera.XXXXXX");
        assert_non_null(mkdtemp(dir));
        if (geteuid() == 0) {
                assert_non_null(owner);
                assert_int_equal(chown(dir, owner->pw_uid, owner->pw_gid), 0);
        }
        snprintf(datadir, sizeof datadir, "%s/data", dir);
        snprintf(path, sizeof path, "%s/sock", dir);
        snprintf(log_path, sizeof log_path, "%s/log", dir);
        port = free_port();
        /* no waiting for a Primary: SET GLOBAL wsrep_cluster_address then makes it non-Primary */
        snprintf(options, sizeof options,
                 "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:%u;"
                 "ist.recv_addr=127.0.0.1:%u;gcache.size=4M;gcache.page_size=4M;"
                 "pc.recovery=no;pc.wait_prim=no;pc.announce_timeout=PT0.3S",
                 free_port(), free_port());

        snprintf(data_arg, sizeof data_arg, "--datadir=%s", datadir);
        const char *const argv[] = {
                "mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal",
                "--skip-test-db",     data_arg,        NULL
        };
        pid_t pid = spawn(argv);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void server_remove(void)
{
        mysql_library_end();
        pid_t pid = fork();
        if (pid == 0) {
                execlp("rm", "rm", "-rf", dir, (char *)NULL);
                _exit(127);
        }
        waitpid(pid, NULL, 0);
}

/* The last act of a group. */
static inline int server_group_teardown(void **unused)
{
        (void)unused;
        server_stop(SIGKILL);
        server_remove();
        return 0;
}
