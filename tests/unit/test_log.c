/* The logger: the form of a line, escaping, and that a reader who does not read never stops us. */
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int in, out; /* what the logger writes to `out` is read from `in` */

static int open_pipe(void **state)
{
        int fds[2];

        (void)state;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        in = fds[0];
        out = fds[1];
        log_init(out, LOG_DEBUG);
        return fcntl(in, F_SETFL, O_NONBLOCK);
}

static int close_pipe(void **state)
{
        (void)state;
        log_set_node(NULL);
        log_done();
        close(in);
        close(out);
        return 0;
}

/* Everything written so far. */
static const char *taken(void)
{
        static char text[8192];

        ssize_t n = read(in, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        return text;
}

static void test_form(void **state)
{
        (void)state;
        log_event(LOG_INFO, "start", LS("version", "1.0"));
        assert_string_equal(taken(), "level=info event=start version=1.0\n");
        log_fields(LOG_ERROR, "bare", (const struct log_field[]){ { .key = NULL } });
        assert_string_equal(taken(), "level=error event=bare\n");
        log_set_node("n1");
        log_event(LOG_WARN, "check_down", LS("check", "galera"), LI("ms", 5012), LI("neg", -1),
                  LS("none", NULL));
        assert_string_equal(taken(),
                            "level=warn event=check_down node=n1 check=galera ms=5012 neg=-1 "
                            "none=\"\"\n");
        log_event(LOG_DEBUG, "tick", LI("max", INT64_MAX), LI("min", INT64_MIN));
        assert_string_equal(taken(), "level=debug event=tick node=n1 max=9223372036854775807 "
                                     "min=-9223372036854775808\n");
}

static void test_escaping(void **state)
{
        static const struct {
                const char *value, *written;
        } ROWS[] = {
                { "plain-1.2:3/4", "plain-1.2:3/4" },
                { "", "\"\"" },
                { "two words", "\"two words\"" },
                { "a=b", "\"a=b\"" },
                { "say \"hi\"", "\"say \\\"hi\\\"\"" },
                { "back\\slash", "\"back\\\\slash\"" },
                { "line\nlevel=error", "\"line\\nlevel=error\"" },
                { "\r\t\x1b[0m\x7f", "\"\\x0d\\x09\\x1b[0m\\x7f\"" },
                { "J\xc3\xb6rg", "J\xc3\xb6rg" },
        };
        char line[128];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                log_event(LOG_INFO, "e", LS("k", ROWS[i].value));
                snprintf(line, sizeof line, "level=info event=e k=%s\n", ROWS[i].written);
                assert_string_equal(taken(), line);
        }
}

static void test_levels(void **state)
{
        static const char *const NAMES[] = { "debug", "info", "warn", "error" };

        (void)state;
        for (int min = LOG_DEBUG; min <= LOG_ERROR; min++) {
                log_set_level((enum log_level)min);
                for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
                        char line[64] = "";
                        log_event((enum log_level)level, "e", LI("n", 1));
                        if (level >= min)
                                snprintf(line, sizeof line, "level=%s event=e n=1\n", NAMES[level]);
                        assert_string_equal(taken(), line);
                }
        }
        assert_null(LOG_LEVELS[LOG_ERROR + 1]);
        assert_int_equal(log_dropped(), 0); /* not asked for is not lost */
}

static void test_long_line(void **state)
{
        static char value[5000];
        size_t len;

        (void)state;
        for (size_t size = 1900; size < 2200; size++) { /* around the end of the buffer */
                memset(value, size % 2 ? 'x' : ' ', size);
                value[size] = '\0';
                log_event(LOG_INFO, "e", LS("k", value), LS("next", "field"));
                const char *line = taken();
                len = strlen(line);
                assert_in_range(len, 1900, 2048);
                assert_ptr_equal(strchr(line, '\n'), line + len - 1); /* one line, ended */
        }
        assert_int_equal(log_dropped(), 0);
}

static void test_reader_is_slow(void **state)
{
        unsigned written = 0;

        (void)state;
        while (log_dropped() == 0 && written < 100000) {
                log_event(LOG_INFO, "fill", LI("n", written));
                written++;
        }
        assert_in_range(written, 100, 99999);
        log_event(LOG_INFO, "lost", LI("n", 1));
        assert_int_equal(log_dropped(), 2);
        assert_false(fcntl(out, F_GETFL) & O_NONBLOCK); /* that flag is not ours alone */

        while (*taken())
                ;
        log_event(LOG_INFO, "again", LI("n", 2));
        assert_string_equal(taken(), "level=info event=again n=2 log_lines_lost=2\n");
        log_event(LOG_INFO, "again", LI("n", 3));
        assert_string_equal(taken(), "level=info event=again n=3\n");
        assert_int_equal(log_dropped(), 2);
}

static void test_socket(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        log_init(fds[0], LOG_INFO);
        log_event(LOG_INFO, "e", LS("k", "v"));
        char text[64] = "";
        assert_int_equal(read(fds[1], text, sizeof text - 1), 23);
        assert_string_equal(text, "level=info event=e k=v\n");
        for (int i = 0; i < 100000 && log_dropped() == 0; i++)
                log_event(LOG_INFO, "fill", LI("n", i));
        assert_int_equal(log_dropped(), 1); /* and we are still here */
        close(fds[1]);
        log_event(LOG_INFO, "e", LS("k", "v")); /* no SIGPIPE either */
        assert_int_equal(log_dropped(), 2);
        close(fds[0]);
}

static void test_file(void **state)
{
        char path[] = "/tmp/test_log.XXXXXX", *text;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "before\n", 7), 7);
        log_init(fd, LOG_INFO);
        log_event(LOG_INFO, "one", LI("n", 1));
        log_event(LOG_INFO, "two", LI("n", 2));
        assert_int_equal(read_file(path, 1000, &text, NULL), 0);
        assert_string_equal(text, "before\nlevel=info event=one n=1\nlevel=info event=two n=2\n");
        free(text);
        unlink(path);
        log_done();
        close(fd);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(test_form),           ROW(test_escaping), ROW(test_levels), ROW(test_long_line),
                ROW(test_reader_is_slow), ROW(test_socket),   ROW(test_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
