/* The client of hamon/galera.c against servers that misbehave: each row of SCRIPTS is what a server
 * says when it accepts and after each thing it hears. They run in the same loop and thread as the
 * client, so a client that blocked would never get an answer. */
#include "tests/unit/galera_helper.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSWORD "s3cret-never-in-clear"

enum { MAX_SAYS = 3, MAX_CONNECTIONS = 8, TIMEOUT = 150 };

struct say { /* data NULL: silence, unless it closes */
        const char *data;
        size_t len;
        bool close;
};

#define SAY(s)                                    \
        {                                         \
                .data = (s), .len = sizeof(s) - 1 \
        }
#define CLOSE                 \
        {                     \
                .close = true \
        }
#define QUIET                \
        {                    \
                .data = NULL \
        }

/* Packets: three bytes of length, one of sequence. */
#define GREETING_BODY                  \
        "\x0a"                         \
        "10.11.0-MariaDB\0"            \
        "\x01\0\0\0"                   \
        "abcdefgh\0"                   \
        "\x00\x82\x2d\x02\x00\x08\x00" \
        "\x15"                         \
        "\0\0\0\0\0\0"                 \
        "\0\0\0\0"                     \
        "ijklmnopqrst\0"               \
        "mysql_native_password\0"
#define GREETING "\x53\0\0\0" GREETING_BODY
#define OK       "\x07\0\0\x02\0\0\0\x02\0\0\0"
#define CLEAR              \
        "\x16\0\0\x02\xfe" \
        "mysql_clear_password\0"

static const struct script {
        const char *name;
        struct say says[MAX_SAYS];
        enum db_reach reach;
        unsigned error; /* 0 = any */
} SCRIPTS[] = {
        { "never greets", { QUIET }, DB_TIMEOUT, 0 },
        { "closes at once", { CLOSE }, DB_ERROR, 0 },
        { "speaks HTTP", { SAY("HTTP/1.1 400 Bad Request\r\n\r\n") }, DB_ERROR, 0 },
        { "says zeros", { SAY("\0\0\0\0\0\0\0\0\0\0\0\0") }, DB_ERROR, 0 },
        { "half a greeting",
          { SAY("\x52\0\0\0\x0a"
                "10.11") },
          DB_TIMEOUT,
          0 },
        { "wants the oldest password format", { SAY("\x02\0\0\0\x63\0") }, DB_AUTH, 0 },
        { "too many connections",
          { SAY("\x17\0\0\0\xff\x10\x04"
                "Too many connections") },
          DB_ERROR,
          1040 },
        { "host not allowed",
          { SAY("\x10\0\0\0\xff\x6a\x04"
                "not from here") },
          DB_AUTH,
          1130 },
        { "greets, then silence", { SAY(GREETING), QUIET }, DB_TIMEOUT, 0 },
        { "greets, then closes", { SAY(GREETING), CLOSE }, DB_ERROR, 2013 },
        { "wants the password in clear", { SAY(GREETING), SAY(CLEAR) }, DB_AUTH, 0 },
        { "no word on the query", { SAY(GREETING), SAY(OK), QUIET }, DB_TIMEOUT, 0 },
        { "closes on the query", { SAY(GREETING), SAY(OK), CLOSE }, DB_ERROR, 2013 },
        { "built without Galera",
          { SAY(GREETING), SAY(OK), SAY("\x1b\0\0\x01\xff\xa9\x04#HY000Unknown system var") },
          DB_OK,
          1193 },
        { "command denied",
          { SAY(GREETING), SAY(OK), SAY("\x10\0\0\x01\xff\x76\x04#42000denied!") },
          DB_AUTH,
          1142 },
        { "no result set",
          { SAY(GREETING), SAY(OK), SAY("\x07\0\0\x01\0\0\0\x02\0\0\0") },
          DB_ERROR,
          0 },
        { "half a result set", { SAY(GREETING), SAY(OK), SAY("\x01\0\0\x01\x02") }, DB_TIMEOUT, 0 },
        { "a broken result set",
          { SAY(GREETING), SAY(OK), SAY("\x01\0\0\x01\x02\x05\0\0\x02xxxxx\x05\0\0\x03zzzzz") },
          DB_ERROR,
          0 },
        { "wants a file of ours",
          { SAY(GREETING), SAY(OK), SAY("\x0c\0\0\x01\xfb/etc/passwd") },
          DB_TIMEOUT,
          0 },
};

static char dir[64], path[96];
static int listener = -1;
static struct event *accepting;
static const struct script *script;
static struct connection {
        int fd;
        unsigned said;
        struct event *ev;
} connections[MAX_CONNECTIONS];
static size_t n_connections;
static char heard[4096];
static size_t heard_len;

/* ---- the double ---- */

static void hang_up(struct connection *c)
{
        if (!c->ev)
                return;
        event_free(c->ev);
        c->ev = NULL;
        close(c->fd);
}

static void say_next(struct connection *c)
{
        const struct say *s = c->said < MAX_SAYS ? &script->says[c->said++] : &(struct say)QUIET;

        if (s->data && send(c->fd, s->data, s->len, MSG_NOSIGNAL) != (ssize_t)s->len)
                assert_int_equal(errno, EPIPE); /* the client has gone */
        if (s->close)
                hang_up(c);
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        ssize_t n = read(fd, heard + heard_len, sizeof heard - heard_len);
        if (n <= 0) {
                hang_up(arg);
                return;
        }
        heard_len += (size_t)n;
        say_next(arg);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
        struct connection *c = &connections[n_connections];

        (void)what;
        (void)arg;
        assert_true(n_connections < MAX_CONNECTIONS);
        n_connections++;
        *c = (struct connection){ .fd = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC) };
        assert_true(c->fd >= 0);
        c->ev = event_new(loop.base, c->fd, (short)(EV_READ | EV_PERSIST), on_heard, c);
        assert_int_equal(event_add(c->ev, NULL), 0);
        say_next(c);
}

static void double_start(int backlog, bool accepts)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        str_copy(a.sun_path, sizeof a.sun_path, path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(listener, backlog), 0);
        n_connections = 0;
        heard_len = 0;
        accepting = event_new(loop.base, listener, (short)(EV_READ | EV_PERSIST), on_accept, NULL);
        if (accepts)
                assert_int_equal(event_add(accepting, NULL), 0);
}

static void double_stop(void)
{
        for (size_t i = 0; i < n_connections; i++)
                hang_up(&connections[i]);
        n_connections = 0;
        if (accepting)
                event_free(accepting);
        accepting = NULL;
        if (listener >= 0)
                close(listener);
        listener = -1;
        unlink(path);
}

/* ---- the tests ---- */

static struct galera_config config(void)
{
        return (struct galera_config){
                .socket = path, .user = "hamon", .password = PASSWORD, .timeout = TIMEOUT
        };
}

static int setup(void **unused)
{
        (void)unused;
        snprintf(dir, sizeof dir, "/tmp/test-galera.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof path, "%s/sock", dir);
        loop_setup();
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        galera_shut();
        double_stop();
        loop_teardown();
        return rmdir(dir);
}

static unsigned open_files(void)
{
        unsigned n = 0;

        DIR *d = opendir("/proc/self/fd");
        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* The double got as far as its script goes: the client understood what came before. */
static void assert_all_said(const struct script *s)
{
        unsigned n = 0;

        while (n < MAX_SAYS && (s->says[n].data || s->says[n].close))
                n++;
        if (connections[0].said < n)
                fail_msg("%s: said %u of %u", s->name, connections[0].said, n);
}

static void run_script(const struct script *s)
{
        struct galera_config c = config();

        script = s;
        double_start(8, true);
        galera_open(&c);
        ticks = 0;
        ask();
        if (facts.reach != s->reach || (s->error && facts.error != s->error))
                fail_msg("%s: reach %d, error %u: %s", s->name, facts.reach, facts.error,
                         facts.text);
        assert_all_said(s);
        if (facts.reach != DB_OK)
                assert_true(*facts.text);
        if (facts.reach == DB_TIMEOUT)
                assert_true(ticks > 0); /* the loop ran on meanwhile */
        assert_false(facts.wsrep_on || facts.primary || facts.ready);
        assert_null(memmem(heard, heard_len, PASSWORD, strlen(PASSWORD)));
        assert_null(memmem(heard, heard_len, "root:", 5));
        assert_null(strstr(facts.text, PASSWORD));
        galera_shut();
        double_stop();
}

static void test_scripts(void **unused)
{
        (void)unused;
        run_script(&SCRIPTS[0]);
        unsigned before = open_files();
        for (size_t i = 0; i < ARRAY_SIZE(SCRIPTS); i++)
                run_script(&SCRIPTS[i]);
        assert_int_equal(open_files(), before);
}

/* The same handle lives through all of them, one after the other. */
static void test_one_handle(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        galera_open(&c);
        for (size_t i = 0; i < ARRAY_SIZE(SCRIPTS); i++) {
                script = &SCRIPTS[i];
                double_start(8, true);
                ask();
                if (facts.reach != script->reach)
                        fail_msg("%s: reach %d: %s", script->name, facts.reach, facts.text);
                double_stop();
                ask();
                assert_reach(DB_REFUSED);
        }
}

/* Taken down at any moment: nothing is left, nothing is reported. */
static void test_free_under_way(void **unused)
{
        struct galera_config c = config();
        unsigned before = open_files();

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(SCRIPTS); i++) {
                for (int turns = 0; turns < 8; turns++) {
                        script = &SCRIPTS[i];
                        double_start(8, true);
                        galera_open(&c);
                        galera_poll(galera);
                        for (int t = 0; t < turns && reports == 0; t++)
                                turn();
                        unsigned n = reports;
                        galera_shut();
                        turn();
                        assert_int_equal(reports, n);
                        double_stop();
                }
        }
        assert_int_equal(open_files(), before);
}

/* A stopped server's queue fills; connect() then says EAGAIN, which is no answer either. */
static void test_queue_full(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        double_start(0, false);
        galera_open(&c);
        for (int i = 0; i < 4; i++) {
                ask();
                assert_reach(DB_TIMEOUT);
        }
        assert_non_null(strstr(facts.text, "queue"));
}

static void test_calls_are_one(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        script = &SCRIPTS[0];
        double_start(8, true);
        galera_open(&c);
        for (int i = 0; i < 5; i++)
                galera_poll(galera);
        while (n_connections == 0)
                turn();
        for (int i = 0; i < 5; i++)
                galera_poll(galera); /* under way: one more follows */
        assert_true(until_reports(2));
        ticks = 0;
        while (ticks < 2 * TIMEOUT / 10)
                turn();
        assert_int_equal(reports, 2);
        assert_int_equal(n_connections, 2);
}

static void test_refused(void **unused)
{
        struct galera_config c = config();
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof a;

        (void)unused;
        galera_open(&c); /* no such socket */
        ask();
        assert_reach(DB_REFUSED);
        assert_int_equal(facts.error, 2002);

        double_start(8, true); /* a socket nobody listens on */
        close(listener);
        listener = -1;
        ask();
        assert_reach(DB_REFUSED);

        int fd = socket(AF_INET, SOCK_STREAM, 0); /* a TCP port: bound, but closed */
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        c.socket = NULL;
        c.host = "127.0.0.1";
        c.port = ntohs(a.sin_port);
        galera_open(&c);
        ask();
        assert_reach(DB_REFUSED);
        assert_int_equal(listen(fd, 8), 0); /* and open, but mute */
        ask();
        assert_reach(DB_TIMEOUT);
        close(fd);
}

static void test_config(void **unused)
{
        static char longpath[200];
        const struct galera_config bad[] = {
                { .socket = "/x", .timeout = 100 },
                { .socket = "/x", .user = "", .timeout = 100 },
                { .socket = "/x", .user = "u" },
                { .socket = longpath, .user = "u", .timeout = 100 },
                { .user = "u", .timeout = 100 },
                { .host = "localhost", .port = 3306, .user = "u", .timeout = 100 },
                { .host = "db.example.org", .port = 3306, .user = "u", .timeout = 100 },
                { .host = "127.0.0.1", .port = 0, .user = "u", .timeout = 100 },
                { .host = "127.0.0.1", .port = 65536, .user = "u", .timeout = 100 },
                { .socket = "", .host = "", .port = 3306, .user = "u", .timeout = 100 },
        };
        struct galera_config good = { .host = "::1", .port = 3306, .user = "u", .timeout = 100 };
        struct galera *g = NULL;

        (void)unused;
        memset(longpath, 'x', sizeof longpath - 1);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(galera_new(&loop, &bad[i], on_facts, &facts, &g), -EINVAL);
        assert_null(g);
        galera_open(&good);
        galera_free(NULL);
}

/* Programs that hooks start must not inherit the connection. */
static void test_close_on_exec(void **unused)
{
        struct galera_config c = config();

        (void)unused;
        script = &SCRIPTS[0];
        double_start(8, true);
        galera_open(&c);
        galera_poll(galera);
        while (n_connections == 0)
                turn();
        for (int fd = 3; fd < 256; fd++) {
                int flags = fcntl(fd, F_GETFD);
                struct stat st;
                if (flags >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
                        assert_true(flags & FD_CLOEXEC);
        }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(test_scripts),       CASE(test_one_handle), CASE(test_free_under_way),
                CASE(test_queue_full),    CASE(test_refused),    CASE(test_calls_are_one),
                CASE(test_close_on_exec), CASE(test_config),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
