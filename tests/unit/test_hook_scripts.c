/* hooks/master.sh and hooks/backup.sh themselves, run as the daemon runs them, with a `hamon` in
 * their PATH that writes down when each step begins ("+") and ends ("-"): the order of the steps,
 * what may overlap, and what a failure at any of them leads to. */
#include "tests/unit/hook_fixture.h"

enum { STEPS_MAX = 16, LINES_MAX = 64 };

/* FAKE_SLOW: that step ends only when all others that may run beside it have begun. */
static const char FAKE[] = "#!/bin/sh\n"
                           "[ \"$1 $2\" = \"-c $HAMON_CONFIG\" ] || exit 64\n"
                           "shift 2\n"
                           "echo \"+ $*\" >>\"$FAKE_LOG\"\n"
                           "[ \"$*\" != \"$FAKE_HANG\" ] || exec sleep 1000\n"
                           "[ \"$*\" != \"$FAKE_SLOW\" ] || until grep -q \"^+ $FAKE_BESIDE\" "
                           "\"$FAKE_LOG\"; do sleep 0.01; done\n"
                           "code=0\n"
                           "[ \"$*\" != \"$FAKE_FAIL\" ] || code=$FAKE_CODE\n"
                           "[ \"$*\" != \"$FAKE_FAIL2\" ] || code=$FAKE_CODE2\n"
                           "[ $code = 0 ] || echo \"$* says no\" >&2\n"
                           "echo \"- $*\" >>\"$FAKE_LOG\"\n"
                           "exit $code\n";

struct given { /* NULL = nothing of the kind */
        const char *mode, *fail, *fail2, *slow, *beside, *hang, *repair;
        int code, code2;
        msec_t deadline;
};

static char lines[LINES_MAX][64];
static size_t n_lines;

/* Overlaps with the next two steps; so it is kept apart: before which line it began and ended. */
#define EARLY "stack start --part early"
static int early_began, early_ended;

static int setup(void **state)
{
        hook_setup(state);
        mkdir(at(&tmp, "bin"), 0755);
        put_file(at(&tmp, "bin/hamon"), "%s", FAKE);
        chmod(at(&tmp, "bin/hamon"), 0755);
        return 0;
}

static void read_lines(void)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;

        n_lines = 0;
        early_began = early_ended = -1;
        if (read_file(at(&tmp, "steps"), 64 * 1024, &text, NULL) < 0)
                return;
        for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
                if (str_eq(l + 2, EARLY)) {
                        *(*l == '+' ? &early_began : &early_ended) = (int)n_lines;
                        continue;
                }
                assert_true(n_lines < LINES_MAX);
                str_copy(lines[n_lines++], sizeof lines[0], l);
        }
}

/* The hooks lie in the source tree, whose owner may be anybody: run copies. */
static const char *hook_copy(const char *name)
{
        char from[512];
        CLEANUP(freep) char *text = NULL;
        const char *to = at(&tmp, name);

        snprintf(from, sizeof from, "%s/hooks/%s", getenv("MHA_SOURCE"), name);
        assert_int_equal(read_file(from, 64 * 1024, &text, NULL), 0);
        unlink(to);
        put_file(to, "%s", text);
        chmod(to, 0755);
        return to;
}

static void start_hook(const char *name, const struct given *g)
{
        char words[13][256];
        const char *env[ARRAY_SIZE(words) + 1];
        const struct {
                const char *name, *value;
        } vars[] = { { "PATH=%s/bin:/usr/bin:/bin", tmp.path },
                     { "HAMON_CONFIG=%s/hamon.conf", tmp.path },
                     { "FAKE_LOG=%s/steps", tmp.path },
                     { "HAMON_MODE=%s", g->mode },
                     { "FAKE_FAIL=%s", g->fail },
                     { "FAKE_FAIL2=%s", g->fail2 },
                     { "FAKE_SLOW=%s", g->slow },
                     { "FAKE_BESIDE=%s", g->beside },
                     { "FAKE_HANG=%s", g->hang },
                     { "HAMON_REPAIR=%s", g->repair } };
        size_t n = 0;

        for (; n < ARRAY_SIZE(vars); n++) {
                char *dst = words[n];
                const char *value = vars[n].value ? vars[n].value : "";
                size_t len = strcspn(vars[n].name, "%");
                memcpy(dst, vars[n].name, len);
                snprintf(dst + len, sizeof words[0] - len, "%s%s", value, vars[n].name + len + 2);
                env[n] = dst;
        }
        snprintf(words[n], sizeof words[0], "FAKE_CODE=%d", g->code);
        env[n] = words[n];
        n++;
        snprintf(words[n], sizeof words[0], "FAKE_CODE2=%d", g->code2);
        env[n] = words[n];
        env[n + 1] = NULL;
        unlink(at(&tmp, "steps"));
        assert_int_equal(start_path(hook_copy(name), env, g->deadline ? g->deadline : 60000), 0);
}

static void run_hook(const char *name, const struct given *g)
{
        start_hook(name, g);
        await_result();
        read_lines();
}

/* Line number of "+ step" or "- step"; -1 = never. */
static int when(char what, const char *step)
{
        char line[72];

        snprintf(line, sizeof line, "%c %s", what, step);
        for (size_t i = 0; i < n_lines; i++)
                if (strcmp(lines[i], line) == 0)
                        return (int)i;
        return -1;
}

static bool moves_something(const char *step)
{
        return strcmp(step, "volume attach") == 0 || strcmp(step, "volume detach") == 0 ||
               strcmp(step, "ip assign") == 0 || strcmp(step, "ip release") == 0;
}

/* R: never two actions of ours on one server at once. */
static void assert_provider_alone(void)
{
        unsigned under_way = 0;

        for (size_t i = 0; i < n_lines; i++) {
                if (!moves_something(lines[i] + 2))
                        continue;
                under_way += lines[i][0] == '+' ? 1U : -1U;
                assert_true(under_way <= 1);
        }
}

static void assert_line(size_t i, const char *want)
{
        if (i >= n_lines || strcmp(lines[i], want) != 0)
                fail_msg("step %zu is \"%s\", not \"%s\"", i, i < n_lines ? lines[i] : "none",
                         want);
}

/* ---- what they do when all goes well ---- */

/* A step before which all others have ended stands alone; those that end in '&' may overlap with
 * the next one. */
#define LABEL "volume label --timeout 5s"
#define REST  "stack stop --part rest"

static const struct scenario {
        const char *hook, *mode;
        const char *steps[STEPS_MAX];
} SCENARIOS[] = {
        { "master.sh",
          "promote",
          { "volume attach", "volume mount", "stack start --set active&", "ip assign", LABEL "&",
            "probe --wait 60", "canary --promote --wait 60" } },
        { "master.sh",
          "recover",
          { "volume attach", "volume mount", "stack start --set active&", "ip assign", LABEL "&",
            "probe --wait 3" } },
        { "backup.sh",
          "switchover",
          { "volume status", REST, "stack drain", "stack stop --set active", "ip release&",
            "volume umount", "volume detach" } },
        { "backup.sh",
          "demote",
          { "volume status", "stack stop --set active", "ip release&", "volume umount",
            "volume detach" } },
        { "backup.sh", "fence", { "fence", "ip release" } },
};

static size_t count(const struct scenario *s)
{
        size_t n = 0;

        while (n < STEPS_MAX && s->steps[n])
                n++;
        return n;
}

static void step_name(const struct scenario *s, size_t i, char *dst, size_t size, bool *ret_beside)
{
        str_copy(dst, size, s->steps[i]);
        char *mark = strchr(dst, '&');
        *ret_beside = mark;
        if (mark)
                *mark = '\0';
}

static void test_success(void **unused)
{
        (void)unused;
        for (size_t k = 0; k < ARRAY_SIZE(SCENARIOS); k++) {
                const struct scenario *s = &SCENARIOS[k];
                run_hook(s->hook, &(struct given){ .mode = s->mode });
                assert_int_equal(result.end, HOOK_OK);
                assert_int_equal(n_lines, 2 * count(s));
                assert_provider_alone();
                for (size_t i = 0; i < count(s); i++) {
                        char name[64];
                        bool beside, after;
                        step_name(s, i, name, sizeof name, &beside);
                        after = i > 0 && strchr(s->steps[i - 1], '&');
                        int at_least = (int)(2 * i) - 2 * after;
                        if (when('+', name) < at_least || when('-', name) < when('+', name))
                                fail_msg("%s %s: %s comes too early (%d, %d)", s->hook, s->mode,
                                         name, when('+', name), at_least);
                        if (!beside && when('-', name) > (int)(2 * i + 1))
                                fail_msg("%s %s: %s ends too late", s->hook, s->mode, name);
                }
        }
}

/* Those two really run side by side: each one waits here for the other. */
static void test_side_by_side(void **unused)
{
        static const struct {
                const char *hook, *mode, *one, *other, *next;
        } PAIRS[] = {
                { "master.sh", "promote", "stack start --set active", "ip assign",
                  "probe --wait 60" },
                { "master.sh", "promote", "stack start --set active", "ip assign", LABEL },
                { "backup.sh", "demote", "ip release", "volume umount", "volume detach" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++)
                for (int turned = 0; turned < 2; turned++) {
                        struct given g = { .mode = PAIRS[i].mode,
                                           .slow = turned ? PAIRS[i].other : PAIRS[i].one,
                                           .beside = turned ? PAIRS[i].one : PAIRS[i].other };
                        run_hook(PAIRS[i].hook, &g);
                        assert_int_equal(result.end, HOOK_OK);
                        assert_true(when('+', PAIRS[i].next) > when('-', PAIRS[i].one));
                        assert_true(when('+', PAIRS[i].next) > when('-', PAIRS[i].other));
                }
}

/* ---- failures ---- */

/* The address in a fence, the label, and what is stopped before mail is, are the steps whose
 * failure is only told. What is told; NULL: it fails the hook. */
static const char *told_only(const struct scenario *s, const char *name)
{
        if (strcmp(name, LABEL) == 0)
                return LABEL " says no";
        if (strcmp(name, REST) == 0)
                return REST " says no";
        return strcmp(s->mode, "fence") == 0 && strcmp(name, "ip release") == 0
                       ? "the address could not be taken from this node"
                       : NULL;
}

static void fail_at(const struct scenario *s, size_t i, int code, enum ha_hook_end end)
{
        char name[64], no[80];
        bool beside;

        step_name(s, i, name, sizeof name, &beside);
        run_hook(s->hook, &(struct given){ .mode = s->mode, .fail = name, .code = code });
        if (told_only(s, name)) {
                assert_int_equal(result.end, HOOK_OK);
                assert_string_equal(result_last, told_only(s, name));
                return;
        }
        if (result.end != end || result.code != code)
                fail_msg("%s %s, %s: exit %d gave end %d code %d", s->hook, s->mode, name, code,
                         (int)result.end, result.code);
        snprintf(no, sizeof no, "%s says no", name);
        assert_string_equal(result_last, no);
        assert_provider_alone();
        for (size_t k = i + 1 + beside; k < count(s); k++) { /* nothing after it */
                step_name(s, k, name, sizeof name, &beside);
                if (when('+', name) >= 0 && !strchr(s->steps[k - 1], '&'))
                        fail_msg("%s %s: %s was run", s->hook, s->mode, name);
        }
}

static void test_failure_at_each_step(void **unused)
{
        static const struct {
                int code;
                enum ha_hook_end end;
        } ENDS[] = { { 75, HOOK_TEMP }, { 1, HOOK_FAILED }, { 127, HOOK_FAILED } };

        (void)unused;
        for (size_t k = 0; k < ARRAY_SIZE(SCENARIOS); k++)
                for (size_t i = 0; i < count(&SCENARIOS[k]); i++)
                        for (size_t e = 0; e < ARRAY_SIZE(ENDS); e++)
                                fail_at(&SCENARIOS[k], i, ENDS[e].code, ENDS[e].end);
}

/* Side by side, a failure outweighs "try again", whichever comes first. */
static void test_both_fail(void **unused)
{
        static const struct {
                int start, assign, both;
        } CASES[] = { { 75, 1, 1 }, { 1, 75, 1 }, { 75, 75, 75 }, { 3, 4, 4 } };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct given g = { .mode = "promote",
                                   .fail = "stack start --set active",
                                   .code = CASES[i].start,
                                   .fail2 = "ip assign",
                                   .code2 = CASES[i].assign };
                run_hook("master.sh", &g);
                assert_int_equal(result.code, CASES[i].both);
                assert_true(when('+', "probe --wait 60") < 0);
        }
}

static void test_killed_at_each_step(void **unused)
{
        (void)unused;
        for (size_t k = 0; k < ARRAY_SIZE(SCENARIOS); k++)
                for (size_t i = 0; i < count(&SCENARIOS[k]); i++) {
                        const struct scenario *s = &SCENARIOS[k];
                        char name[64];
                        bool beside;
                        step_name(s, i, name, sizeof name, &beside);
                        start_hook(s->hook, &(struct given){ .mode = s->mode, .hang = name });
                        TURN_UNTIL((read_lines(), when('+', name) >= 0));
                        hook_kill(hook, i % 2);
                        await_result();
                        assert_int_equal(result.end, HOOK_KILLED);
                        read_lines();
                        assert_true(when('-', name) < 0);
                }
        run_hook("master.sh",
                 &(struct given){ .mode = "promote", .hang = "volume mount", .deadline = 300 });
        assert_int_equal(result.end, HOOK_KILLED);
        assert_true(result.overdue);
}

/* ---- local additions ---- */

static void put_addition(const char *name, const char *text)
{
        put_file(at(&tmp, name), "#!/bin/sh\n%s\n", text);
        chmod(at(&tmp, name), 0755);
}

static void test_additions(void **unused)
{
        (void)unused;
        mkdir(at(&tmp, "master.d"), 0755);
        mkdir(at(&tmp, "backup.d"), 0755);
        put_addition("master.d/20-second", "echo \"+ second $HAMON_MODE\" >>\"$FAKE_LOG\"");
        put_addition("master.d/10-first", "echo \"+ first\" >>\"$FAKE_LOG\"; exit 9");
        put_addition("master.d/30-old.dpkg-old", "echo \"+ old\" >>\"$FAKE_LOG\"");
        put_addition("master.d/40-off", "echo \"+ off\" >>\"$FAKE_LOG\"");
        chmod(at(&tmp, "master.d/40-off"), 0644);
        mkdir(at(&tmp, "master.d/50-directory"), 0755);
        put_addition("backup.d/only", "echo \"+ only\" >>\"$FAKE_LOG\"");

        run_hook("master.sh", &(struct given){ .mode = "promote" });
        assert_int_equal(result.end, HOOK_OK);
        assert_non_null(strstr(result_last, "master.d/10-first: exit status 9"));
        assert_int_equal(n_lines, 16);
        assert_true(when('+', "first") > when('-', "probe --wait 60"));
        assert_true(when('+', "second promote") > when('+', "first"));

        run_hook("master.sh",
                 &(struct given){ .mode = "promote", .fail = "probe --wait 60", .code = 1 });
        assert_true(when('+', "first") < 0); /* only after success */
        run_hook("backup.sh", &(struct given){ .mode = "demote" });
        assert_line(10, "+ only");
        run_hook("backup.sh", &(struct given){ .mode = "fence" });
        assert_int_equal(n_lines, 4); /* a fence has no time for them */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, hook_teardown)

/* What hangs is restarted before anything else, and whatever comes of it, the rest is looked after.
 */
static void test_repair(void **unused)
{
        static const char STEP[] = "stack restart --only dovecot-mailcow";

        (void)unused;
        for (int fails = 0; fails < 2; fails++) {
                run_hook("master.sh", &(struct given){ .mode = "recover",
                                                       .repair = "dovecot-mailcow",
                                                       .fail = fails ? STEP : NULL,
                                                       .code = 75 });
                assert_int_equal(result.end, HOOK_OK);
                assert_int_equal(when('+', STEP), 0);
                assert_int_equal(when('-', STEP), 1);
                assert_int_equal(when('+', "volume attach"), 2);
        }
}

/* A provider that does not answer does not keep the service from being asked whether it works. */
static void test_the_label_delays_nothing(void **unused)
{
        (void)unused;
        run_hook("master.sh",
                 &(struct given){ .mode = "promote", .slow = LABEL, .beside = "probe --wait 60" });
        assert_int_equal(result.end, HOOK_OK);
        assert_true(when('-', LABEL) > when('+', "probe --wait 60"));
}

/* What needs no volume starts while that is on its way, and whatever comes of it, the whole set is
 * started after it. */
static void test_early(void **unused)
{
        static const char SET[] = "stack start --set active";

        (void)unused;
        run_hook("master.sh",
                 &(struct given){ .mode = "promote", .slow = "volume attach", .beside = EARLY });
        assert_int_equal(result.end, HOOK_OK); /* else one would wait for the other for ever */
        assert_in_range(early_began, 0, when('-', "volume attach"));
        run_hook("master.sh",
                 &(struct given){ .mode = "promote", .slow = EARLY, .beside = "volume mount" });
        assert_int_equal(result.end, HOOK_OK);
        assert_in_range(early_ended, when('+', "volume mount") + 1, when('+', SET));
        for (int code = 1; code < 76; code += 74) {
                run_hook("master.sh",
                         &(struct given){ .mode = "promote", .fail = EARLY, .code = code });
                assert_int_equal(result.end, HOOK_OK);
                assert_true(early_ended >= 0 && when('-', SET) >= early_ended);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_early),
                TEST(test_success),
                TEST(test_side_by_side),
                TEST(test_failure_at_each_step),
                TEST(test_both_fail),
                TEST(test_killed_at_each_step),
                TEST(test_the_label_delays_nothing),
                TEST(test_repair),
                TEST(test_additions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
