/* A step from its command line to its exit code. What it asks of the daemon is in step_lease.c, how
 * it drives a provider in step_provider.c. */
#include "hamon/step.h"

#include "hamon/verb.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

enum { LOCK_WAIT = 30000, PAUSE = 20, CHILD_LEAST = 500, SENTENCE = 1400 };

static const struct {
        const char *word;
        enum step_flag flag;
} FLAGS[] = {
        { "--json", STEP_JSON },       { "--no-lease", STEP_NO_LEASE },
        { "--yes", STEP_YES },         { "--force-epoch", STEP_FORCE_EPOCH },
        { "--silent", STEP_SILENT },   { "--timeout", STEP_TIMEOUT },
        { "--set", STEP_SET },         { "--fence", STEP_FENCE },
        { "--off", STEP_OFF },         { "--only", STEP_ONLY },
        { "--part", STEP_PART },       { "--without", STEP_WITHOUT },
        { "--retry", STEP_RETRY },     { "--from-here", STEP_FROM_HERE },
        { "--kept", STEP_KEPT },       { "--dry-run", STEP_DRY },
        { "--discard", STEP_DISCARD }, { "--accept-loss", STEP_ACCEPT_LOSS },
        { "--plan", STEP_PLAN },       { "--auto", STEP_AUTO },
};

/* ---- how it ends ---- */

static const struct {
        const char *word;
        int code;
        enum found found; /* in a rehearsal */
} RESULTS[] = {
        [STEP_DONE] = { "done", EX_OK, FOUND_OK },
        [STEP_ALREADY] = { "already", EX_OK, FOUND_OK },
        [STEP_TEMPORARY] = { "temporary", EX_TEMPFAIL, FOUND_FAIL },
        [STEP_FAILED] = { "failed", EXIT_FAILURE, FOUND_FAIL },
};

static void print_json(struct step *s, enum step_result result, const char *text)
{
        cJSON_AddStringToObject(s->json, "step", s->what);
        cJSON_AddStringToObject(s->json, "result", RESULTS[result].word);
        cJSON_AddStringToObject(s->json, "message", text);
        if (s->grant.ok)
                cJSON_AddNumberToObject(s->json, "epoch", (double)s->grant.epoch);
        CLEANUP(freep) char *line = cJSON_PrintUnformatted(s->json);
        puts(line ? line : "{}");
}

int step_end(struct step *s, enum step_result result, const char *fmt, ...)
{
        char text[SENTENCE];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (s->rehearsal) {
                rehearsal_add(s->rehearsal, RESULTS[result].found, text);
                return RESULTS[result].code;
        }
        if (s->json)
                print_json(s, result, text);
        if (RESULTS[result].code != EX_OK)
                fprintf(stderr, "%s: %s\n", s->what, text);
        else if (!s->json)
                printf("%s: %s\n", s->what, text);
        return RESULTS[result].code;
}

int step_end_error(struct step *s, int error, const char *what)
{
        bool passes = error == -EAGAIN || error == -EBUSY || error == -ETIMEDOUT ||
                      error == -ESTALE || error == -EINTR;

        return step_end(s, passes ? STEP_TEMPORARY : STEP_FAILED, "%s: %s", what,
                        error == -ETIMEDOUT ? "it did not end in time" : strerror(-error));
}

int step_end_refused(struct step *s)
{
        return step_end(s, s->refused == -EPERM ? STEP_FAILED : STEP_TEMPORARY, "%s", s->why);
}

void step_note(const struct step *s, const char *fmt, ...)
{
        char text[SENTENCE];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (s->rehearsal)
                rehearsal_add(s->rehearsal, FOUND_WARN, text);
        else
                fprintf(stderr, "%s: %s\n", s->what, text);
}

void step_found(struct step *s, enum found f, const char *fmt, ...)
{
        char text[SENTENCE];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        rehearsal_add(s->rehearsal, f, text);
}

bool step_confirm(struct step *s, const char *fmt, ...)
{
        char text[SENTENCE], answer[16] = "";
        va_list ap;

        if (!(s->flags & STEP_NO_LEASE) || (s->flags & STEP_YES))
                return true;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        fprintf(stderr, "%s\nNobody keeps another node from doing the same now. Go on? (yes/no) ",
                text);
        if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0) {
                s->refused = -EPERM;
                str_copy(s->why, sizeof s->why, "not confirmed; nothing was changed");
                return false;
        }
        s->pulse = clock_ms(); /* a person may think as long as they like */
        s->deadline = s->pulse + s->timeout;
        return true;
}

bool step_is_named(const char *list, const char *name)
{
        size_t len = strlen(name);

        for (const char *p = list ? list : ""; *p; p += strcspn(p, ","), p += *p == ',')
                if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
                        return true;
        return false;
}

int step_agree(struct step *s, const char *question)
{
        char answer[16] = "";

        if (s->flags & (STEP_YES | STEP_DRY))
                return 0;
        if (!isatty(STDIN_FILENO))
                return step_end(s, STEP_FAILED, "this asks first; without a terminal add --yes");
        printf("%s (y/n)? ", question);
        fflush(stdout);
        if (!fgets(answer, sizeof answer, stdin) || (*answer != 'y' && *answer != 'Y'))
                return step_end(s, STEP_FAILED, "not confirmed; nothing was changed");
        s->pulse = clock_ms(); /* a person may think as long as they like */
        s->deadline = s->pulse + s->timeout;
        return 0;
}

msec_t step_left(const struct step *s, msec_t at_most)
{
        return MAX(1, MIN(s->deadline - clock_ms(), at_most));
}

int step_child(struct step *s, int (*fn)(void *arg), void *arg, size_t size, msec_t at_most)
{
        const struct child_tick tick = { step_pulse, s };

        return child_call(fn, arg, size, MAX(step_left(s, at_most), CHILD_LEAST), &tick);
}

/* ---- the lock ---- */

/* Who has it is in the file, for people; the lock itself is flock(2), which ends with its holder
 * and with each child of it that is stuck in the kernel. */
static void read_holder(int fd, char *dst, size_t size)
{
        ssize_t n = pread(fd, dst, size - 1, 0);

        dst[n > 0 ? n : 0] = '\0';
        dst[strcspn(dst, "\n")] = '\0';
}

int step_lock(struct step *s, const char *kind, msec_t wait, int *ret_fd)
{
        const char *socket = s->config.control.socket;
        CLEANUP(closep) int fd = -1;
        msec_t end = clock_ms() + wait;
        char path[256];

        snprintf(path, sizeof path, "%.*sstep-%s.lock", (int)(strrchr(socket, '/') + 1 - socket),
                 socket, kind);
        int r = make_parents(path);
        if (r < 0)
                return r;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                step_pulse(s);
                if (clock_ms() >= end) {
                        read_holder(fd, s->why, sizeof s->why);
                        return -EAGAIN;
                }
                poll(NULL, 0, PAUSE);
        }
        if (ftruncate(fd, 0) == 0)
                dprintf(fd, "%s, process %ld\n", s->what, (long)getpid());
        *ret_fd = take_fd(&fd);
        return 0;
}

/* ---- begin ---- */

static int usage(const char *kind, const struct step_verb *verbs, size_t n)
{
        fprintf(stderr, "usage: hamon %s ", kind);
        for (size_t i = 0; i < n; i++)
                fprintf(stderr, "%s%s", i ? "|" : "", verbs[i].name);
        fputs(" [--json] [--timeout TIME] (see hamon(8))\n", stderr);
        return EX_USAGE;
}

static int bad_argument(const struct step *s, const char *what, const char *arg)
{
        fprintf(stderr, "%s: %s: %s (try `hamon help`)\n", s->what, what, arg);
        return EX_USAGE;
}

enum {
        STEP_VALUES = STEP_TIMEOUT | STEP_SET | STEP_FENCE | STEP_OFF | STEP_ONLY | STEP_PART |
                      STEP_WITHOUT | STEP_RETRY
};

/* What follows a flag. 0, or an exit code. */
static int take_value(struct step *s, enum step_flag flag, const char *value)
{
        bool warm = strcmp(value, "warm") == 0;

        switch (flag) {
        case STEP_FENCE:
                s->fence = value;
                break;
        case STEP_OFF:
                s->off = value;
                break;
        case STEP_ONLY:
                s->only = value;
                break;
        case STEP_PART:
                s->part = value;
                break;
        case STEP_WITHOUT:
                s->without = value;
                break;
        case STEP_SET:
                if (!warm && strcmp(value, "active") != 0)
                        return bad_argument(s, "--set wants warm or active", value);
                s->warm = warm;
                break;
        case STEP_RETRY:
                if (parse_duration(value, &s->retry) < 0)
                        return bad_argument(s, "--retry wants a time, as in 30s", value);
                break;
        case STEP_TIMEOUT:
                if (parse_duration(value, &s->timeout) < 0 || s->timeout == 0)
                        return bad_argument(s, "--timeout wants a time, as in 30s", value);
                break;
        default:
                break;
        }
        return 0;
}

static int parse(struct step *s, int argc, char **argv)
{
        for (int i = 0; i < argc; i++) {
                size_t k = 0;
                while (k < ARRAY_SIZE(FLAGS) && strcmp(FLAGS[k].word, argv[i]) != 0)
                        k++;
                if (k == ARRAY_SIZE(FLAGS) || !(s->verb->flags & FLAGS[k].flag))
                        return bad_argument(s, "unexpected argument", argv[i]);
                s->flags |= FLAGS[k].flag;
                if (!(FLAGS[k].flag & STEP_VALUES))
                        continue;
                int r = take_value(s, FLAGS[k].flag, ++i < argc ? argv[i] : "none");
                if (r != 0)
                        return r;
        }
        if ((s->flags & STEP_YES) && (s->verb->flags & STEP_NO_LEASE) &&
            !(s->flags & STEP_NO_LEASE))
                return bad_argument(s, "only together with --no-lease", "--yes");
        if ((s->flags & STEP_NO_LEASE) && !(s->flags & STEP_YES) && !isatty(STDIN_FILENO))
                return bad_argument(s, "asks on a terminal; without one add --yes", "--no-lease");
        return 0;
}

/* A release clears the holder, so whoever is named in HAMON_FROM had the lease and did not give it
 * back: it counts as silent, unless it is said that it is not. */
static bool old_holder_is_silent(const struct step *s)
{
        const char *from = getenv("HAMON_FROM"), *silent = getenv("HAMON_FROM_SILENT");

        if (silent && *silent)
                return strcmp(silent, "0") != 0;
        return from && *from && strcmp(from, s->config.node.name) != 0;
}

/* R: a step reads hamon.conf anew. If that is not what the daemon goes by, the volume could be
 * mounted where the daemon does not look for it. Stopping and unmounting are never refused. */
static bool is_config_in_force(const struct step *s)
{
        const char *want = getenv("HAMON_CONFIG_MARK");
        char have[CONFIG_FINGERPRINT];

        config_fingerprint(&s->config, have);
        return !want || !*want || strcmp(want, have) == 0;
}

const char STEP_OLD_CONFIG[] =
        "hamon.conf was changed in what wants a restart: restart hamon, which interrupts nothing "
        "(hamon config shows the new values)";

static int begin(struct step *s, const char *kind, const char *file)
{
        if (verb_config(file, &s->config) < 0)
                return EX_CONFIG;
        if (geteuid() != 0) {
                fprintf(stderr, "%s: only root may do this\n", s->what);
                return EX_NOPERM;
        }
        if ((s->verb->flags & STEP_SILENT) && old_holder_is_silent(s))
                s->flags |= STEP_SILENT;
        if (s->flags & STEP_JSON)
                s->json = cJSON_CreateObject();
        s->pulse = clock_ms();
        s->deadline = s->pulse + s->timeout;
        int r = step_lock(s, kind, step_left(s, LOCK_WAIT), &s->lock_fd);
        if (r == -EAGAIN)
                return step_end(s, STEP_TEMPORARY, "another step is still under way: %s",
                                *s->why ? s->why : "it does not say which");
        if (r < 0)
                return step_end_error(s, r, "the lock of this kind of step");
        if (s->verb->needs_lease && !is_config_in_force(s))
                return step_end(s, STEP_FAILED, "%s", STEP_OLD_CONFIG);
        if (s->verb->needs_lease && !step_may(s))
                return step_end_refused(s);
        return 0;
}

static void end(struct step *s)
{
        if (s->provider)
                s->provider->ops->free(s->provider);
        if (s->loop.base)
                loop_done(&s->loop);
        closep(&s->lock_fd);
        cJSON_Delete(s->json);
        config_free(&s->config);
}

int step_main(const char *kind, const struct step_verb *verbs, size_t n_verbs, const char *file,
              int argc, char **argv)
{
        struct step s = { .lock_fd = -1 };
        int named = verbs[0].name ? 1 : 0;

        for (size_t i = 0; named && argc > 0 && i < n_verbs; i++)
                if (strcmp(verbs[i].name, argv[0]) == 0)
                        s.verb = &verbs[i];
        if (!named)
                s.verb = &verbs[0];
        if (!s.verb)
                return usage(kind, verbs, n_verbs);
        snprintf(s.what, sizeof s.what, "%s%s%s", kind, named ? " " : "",
                 named ? s.verb->name : "");
        s.timeout = s.verb->timeout;
        s.file = file;
        int code = parse(&s, argc - named, argv + named);
        if (code != 0)
                return code;
        code = begin(&s, kind, file);
        if (code == 0)
                code = s.verb->run(&s);
        end(&s);
        return code;
}
