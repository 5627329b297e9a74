/* hamon/events*.c: what an event becomes in log, memory and file, and that the file's disk may be
 * full, hang or come and go without anybody waiting for it. */
#include "hamon/events.h"

#include "hamon/events_spool.h"
#include "tests/unit/harness.h"

#include <limits.h>

static struct tmp tmp;
static struct loop loop;
static struct timer tick;
static struct events *events;

static void on_tick(void *arg)
{
        (void)arg;
        timer_set(&tick, 5);
}

static void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

static int setup(void **unused)
{
        (void)unused;
        assert_int_equal(tmp_make(&tmp), 0);
        CLEANUP(closep) int fd = open(at(&tmp, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        log_init(fd, LOG_INFO);
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, NULL), 0);
        timer_set(&tick, 5);
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        events_free(events);
        events = NULL;
        EVENTUALLY(waitpid(-1, NULL, WNOHANG) < 0); /* the writer ends by itself */
        timer_done(&tick);
        loop_done(&loop);
        log_done();
        tmp_remove(&tmp);
        return 0;
}

static void open_events(const char *file)
{
        assert_int_equal(events_new(&loop, file, "n1", &events), 0);
}

static void add_number(unsigned i)
{
        char detail[32];

        snprintf(detail, sizeof detail, "number %u.", i);
        events_add(events, &(struct happening){ .kind = EVENT_STEP, .detail = detail, .took = -1 });
}

/* The only child of this test. */
static pid_t writer(void)
{
        char list[64] = "";
        CLEANUP(closep) int fd = open("/proc/thread-self/children", O_RDONLY);

        assert_true(read(fd, list, sizeof list - 1) >= 0);
        return (pid_t)strtol(list, NULL, 10);
}

/* ---- words ---- */

static const struct happening TRANSITION = { .kind = EVENT_STATE,
                                             .epoch = 7,
                                             .from = "standby",
                                             .to = "claiming",
                                             .reason = "claim",
                                             .detail = "its turn: the lease is \"free\" \\o/",
                                             .took = 1234 };

static void test_one_event(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);
        struct event_line e;
        char text[512];

        (void)unused;
        open_events("");
        events_add(events, &TRANSITION);
        assert_true(file_has(at(&tmp, "log"),
                             "level=info event=state from=standby to=claiming reason=claim epoch=7 "
                             "ms=1234 msg=\"its turn: the lease is \\\"free\\\" \\\\o/\"\n"));

        events_why(events, 10, loop_now(&loop) + 3400, &out);
        assert_int_equal(events_parse(buf_str(&out), &e), 0);
        assert_string_equal(e.node, "n1");
        assert_string_equal(e.kind, "state");
        assert_string_equal(e.level, "info");
        assert_string_equal(e.from, "standby");
        assert_string_equal(e.to, "claiming");
        assert_string_equal(e.reason, "claim");
        assert_string_equal(e.detail, TRANSITION.detail);
        assert_true(e.epoch == 7 && e.took == 1234 && e.ago == 3400);
        assert_string_equal(events_line_text(&e, text, sizeof text),
                            "state: standby -> claiming, its turn: the lease is \"free\" \\o/ "
                            "(claim), epoch 7, 1.234 s");
        assert_string_equal(events_text(&TRANSITION, text, sizeof text),
                            "state: standby -> claiming, its turn: the lease is \"free\" \\o/ "
                            "(claim)");
        assert_string_equal(events_text(&TRANSITION, text, 11), "state: sta");
}

static void test_texts(void **unused)
{
        static const struct {
                struct happening e;
                const char *text;
        } CASES[] = {
                { { .kind = EVENT_START, .took = -1 }, "hamon started" },
                { { .kind = EVENT_HOOK, .to = "promote", .detail = "master.sh", .took = -1 },
                  "hook begins: promote, master.sh" },
                { { .kind = EVENT_VRRP, .to = "master", .took = -1 }, "keepalived says: master" },
                { { .kind = EVENT_ALERT, .detail = "two\nlines\x1b[31m\xc3\xa4", .took = -1 },
                  "alert: two?lines?[31m??" },
                { { .kind = EVENT_VERDICT, .from = "fit", .reason = "stale", .took = -1 },
                  "verdict: fit -> ? (stale)" },
        };
        char text[256];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                assert_string_equal(events_text(&CASES[i].e, text, sizeof text), CASES[i].text);
        for (size_t i = 0; i < EVENT_COUNT_; i++) {
                assert_non_null(EVENTS[i].name);
                assert_true(*EVENTS[i].sentence && strlen(EVENTS[i].name) <= 32);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(EVENTS[i].name, EVENTS[k].name);
        }
}

static void test_levels(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(64 * 1024);

        (void)unused;
        open_events("");
        events_add(events, &(struct happening){ .kind = EVENT_HOOK_END, .bad = true, .took = 5 });
        events_add(events, &(struct happening){ .kind = EVENT_ALERT, .bad = true, .took = -1 });
        assert_true(file_has(at(&tmp, "log"), "level=warn event=hook_end ms=5\n"));
        assert_true(file_has(at(&tmp, "log"), "level=error event=alert\n"));
        events_why(events, 10, loop_now(&loop), &out);
        assert_non_null(strstr(buf_str(&out), "\"kind\":\"hook_end\",\"level\":\"warn\""));
}

/* Nothing is too long, and a line is whole or not there. */
static void test_sizes(void **unused)
{
        static char longest[8192];
        CLEANUP(buf_done) struct buf small = BUF(3000), out = BUF(64 * 1024);
        struct event_line e;

        (void)unused;
        memset(longest, '"', sizeof longest - 1);
        struct happening h = { .kind = EVENT_STATE,
                               .epoch = UINT64_MAX,
                               .from = longest,
                               .to = longest,
                               .reason = longest,
                               .detail = longest,
                               .took = INT64_MAX };
        open_events(at(&tmp, "events"));
        events_add(events, &h);
        events_why(events, 1, loop_now(&loop), &out);
        assert_int_equal(events_parse(buf_str(&out), &e), 0);
        assert_int_equal(strlen(e.detail), sizeof e.detail - 1);
        EVENTUALLY(file_has(at(&tmp, "events"), "\"kind\":\"state\""));
        events_add(events, &TRANSITION);
        events_add(events, &h);
        events_why(events, 3, loop_now(&loop), &small);
        size_t len = small.len;
        assert_true(len > 0 && small.data[len - 1] == '\n');
}

static void test_memory(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(256 * 1024);
        unsigned lines = 0;

        (void)unused;
        open_events("");
        events_why(events, 10, loop_now(&loop), &out);
        assert_int_equal(out.len, 0);
        for (unsigned i = 0; i < 3 * EVENT_MEMORY; i++)
                add_number(i);
        events_why(events, SIZE_MAX, loop_now(&loop), &out);
        for (const char *p = buf_str(&out); *p; p++)
                lines += *p == '\n';
        assert_int_equal(lines, EVENT_MEMORY);
        assert_null(strstr(buf_str(&out), "number 255."));
        assert_true(strstr(buf_str(&out), "number 256.") < strstr(buf_str(&out), "number 383."));
        buf_reset(&out);
        events_why(events, 2, loop_now(&loop), &out);
        assert_null(strstr(buf_str(&out), "number 381."));
        assert_non_null(strstr(buf_str(&out), "number 382."));
}

static void test_parse_refuses(void **unused)
{
        static const char *const LINES[] = {
                "",
                "x",
                "{}",
                "[]",
                "null",
                "{\"at\":\"2026-11-28T03:22:16.123Z\"}",
                "{\"kind\":\"state\"}",
                "{\"at\":\"2026-11-28\",\"kind\":\"state\"}",
                "{\"at\":\"2026-11-28T03:22:16.1Z\",\"kind\":\"state\"}",
                "{\"at\":7,\"kind\":\"state\"}",
                "{\"at\":\"2026-11-28T03:22:16.123Z\",\"kind\":\"st",
        };
        struct event_line e = { .epoch = 77 };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(LINES); i++)
                if (events_parse(LINES[i], &e) != -EBADMSG || e.epoch != 77)
                        fail_msg("%s", LINES[i]);
        assert_int_equal(events_parse("{\"at\":\"1970-01-02T00:00:00.250Z\",\"kind\":\"new\","
                                      "\"epoch\":-4,\"ms\":1e300,\"from\":5,\"later\":{}}",
                                      &e),
                         0);
        assert_true(e.at_ms == 86400250 && e.epoch == 0 && e.took == -1 && !*e.from);
}

/* ---- the file ---- */

static void test_file(void **unused)
{
        const char *file = at(&tmp, "deep/er/events");

        (void)unused;
        open_events(file);
        for (unsigned i = 0; i < 20; i++)
                add_number(i);
        EVENTUALLY(file_has(file, "number 19."));
        unlink(file); /* whoever cleans up does no harm */
        add_number(20);
        EVENTUALLY(file_has(file, "number 20."));
        assert_false(file_has(file, "number 19."));
        put_file(file, "{\"at\":\"half of a li"); /* a power cut */
        add_number(21);
        EVENTUALLY(file_has(file, "number 21."));
        assert_true(file_has(file, "half of a li\n{\"at\":"));
        assert_int_equal(events_lost(events), 0);
        add_number(22);
        events_free(events); /* what was handed over is written all the same */
        events = NULL;
        EVENTUALLY(file_has(file, "number 22."));
}

static void test_rotation(void **unused)
{
        CLEANUP(freep) char *line = malloc(1001);
        const char *file = at(&tmp, "events"), *old = at(&tmp, "events.1");
        struct events_spool *s;
        struct stat st;

        (void)unused;
        memset(line, 'x', 1000);
        line[999] = '\n';
        assert_int_equal(events_spool_new(&loop, file, 10000, &s), 0);
        for (char c = 'a'; c <= 'y'; c++) { /* 25 of 1000 bytes */
                line[0] = c;
                line[1000] = '\0';
                events_spool_write(s, line, 1000);
                line[999] = '\0';
                EVENTUALLY(file_has(file, line));
                line[999] = '\n';
        }
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_size, 5000);
        assert_int_equal(stat(old, &st), 0);
        assert_int_equal(st.st_size, 10000);
        assert_int_equal(st.st_mode & 0777, 0640);
        events_spool_free(s);
}

/* The disk hangs: as far as we can see, its writer stands still. */
static void test_hanging_disk(void **unused)
{
        const char *file = at(&tmp, "events");
        unsigned n = 0;

        (void)unused;
        open_events(file);
        add_number(n++);
        EVENTUALLY(file_has(file, "number 0."));
        pid_t pid = writer();
        assert_true(pid > 1);
        char status[40];
        snprintf(status, sizeof status, "/proc/%d/status", (int)pid);
        kill(pid, SIGSTOP);
        EVENTUALLY(file_has(status, "State:\tT")); /* not before: it would take more in between */
        msec_t began = clock_ms();
        while (events_lost(events) < 100 && n < 100000)
                add_number(n++);
        assert_int_equal(events_lost(events), 100);
        assert_true(clock_ms() - began < PATIENCE_MS);
        assert_true(file_has(at(&tmp, "log"), "the disk does not take events"));
        kill(pid, SIGCONT);
        char last[32];
        snprintf(last, sizeof last, "number %u.", n - 101);
        EVENTUALLY(file_has(file, last)); /* what was in the pipe */
        add_number(n);
        snprintf(last, sizeof last, "number %u.", n);
        EVENTUALLY(file_has(file, last));
        assert_int_equal(events_lost(events), 100);
}

static void test_writer_killed(void **unused)
{
        const char *file = at(&tmp, "events");

        (void)unused;
        open_events(file);
        pid_t pid = writer();
        kill(pid, SIGTERM); /* systemd means us, too: it stays until the last word is written */
        kill(pid, SIGINT);
        add_number(0);
        EVENTUALLY(file_has(file, "number 0."));
        assert_int_equal(writer(), pid);
        kill(pid, SIGKILL);
        EVENTUALLY((turn(), kill(pid, 0) < 0)); /* reaped */
        add_number(1);
        assert_int_equal(events_lost(events), 1); /* not a new one for each event */
        assert_true(file_has(at(&tmp, "log"), "its writer has died"));
        loop.now += 60000; /* later */
        loop.now_valid = true;
        add_number(2);
        EVENTUALLY(file_has(file, "number 2."));
        assert_int_equal(events_lost(events), 1);
}

/* The writer says so itself, once. */
static void test_full_disk(void **unused)
{
        (void)unused;
        int saved = dup(STDERR_FILENO),
            fd = open(at(&tmp, "err"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDERR_FILENO);
        open_events("/dev/full");
        dup2(saved, STDERR_FILENO);
        close(saved);
        close(fd);
        for (unsigned i = 0; i < 10; i++)
                add_number(i);
        EVENTUALLY(file_has(at(&tmp, "err"), "No space left on device"));
        assert_int_equal(events_lost(events), 0);
        events_free(events);
        events = NULL;
        EVENTUALLY(waitpid(-1, NULL, WNOHANG) < 0); /* it has worked them all off */
        CLEANUP(freep) char *text = NULL;
        assert_int_equal(read_file(at(&tmp, "err"), 65536, &text, NULL), 0);
        assert_null(strstr(strstr(text, "No space") + 1, "No space"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_one_event),     TEST(test_texts),     TEST(test_levels),
                TEST(test_sizes),         TEST(test_memory),    TEST(test_parse_refuses),
                TEST(test_file),          TEST(test_rotation),  TEST(test_hanging_disk),
                TEST(test_writer_killed), TEST(test_full_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
