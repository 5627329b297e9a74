/* `hamon upgrade [--dry-run] [--yes]`, on each node in turn, the leader last: looks at the cluster
 * and refuses what would risk it, asks, then walks STEPS[], each of which may be done again. It
 * goes on where it was after any kill. What fails leaves this node in maintenance, where nothing of
 * the half update can serve, and says so.
 *
 * The leader hands over by being put into maintenance: so an older Mailcow cannot take the lead
 * back between the hand-over and its own update. */
#include "hamon/setup/upgrade.h"

#include "hamon/order.h"
#include "hamon/setup/upgrade_plan.h"
#include "hamon/setup/upgrade_run.h"
#include "hamon/setup/upgrade_state.h"
#include "hamon/setup/upgrade_watch.h"
#include "hamon/verb.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
        SECOND = 1000,
        MINUTE = 60 * SECOND,
        LOCK_MS = 60 * MINUTE,
        CHECK_MS = 3 * MINUTE,
        UPDATE_MS = 90 * MINUTE, /* images come from far away */
        COMPOSE_MS = 20 * MINUTE,
        WARM_MS = 10 * MINUTE,
        OTHERS_MS = 4 * SECOND,
        LOOK_MS = 500,
        AGAIN_MAX = 3, /* update.sh replaced itself */
};
enum { CHECK_NONE = 3, UPDATE_AGAIN = 2 }; /* exit codes of update.sh */

struct upgrade {
        const char *file;
        struct config config;
        struct upgrade_watch watch;
        struct upgrade_state state;
        int lock_fd;
        bool dry, yes;
        char last[256]; /* line of the program that ran */
};

static void say(const char *fmt, ...) PRINTF(1, 2);
static void say(const char *fmt, ...)
{
        va_list ap;

        fputs("upgrade: ", stdout);
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
        putchar('\n');
        fflush(stdout);
}

static int fail(struct upgrade *u, const char *fmt, ...) PRINTF(2, 3);
static int fail(struct upgrade *u, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(u->state.failed, sizeof u->state.failed, fmt, ap);
        va_end(ap);
        fprintf(stderr, "upgrade: %s\n", u->state.failed);
        return EXIT_FAILURE;
}

static const struct upgrade_node *me(const struct upgrade *u)
{
        return &u->watch.view.nodes[u->watch.view.me];
}

static int order(struct upgrade *u, const char *request)
{
        struct order_talk t = { .verb = "upgrade",
                                .socket = u->config.control.socket,
                                .timeout = u->config.check.timeout };

        return order_ask(&t, request);
}

/* ---- programs ---- */

/* 0: it ended with `want`; else a sentence was said. */
static int run(struct upgrade *u, const char *const *argv, msec_t deadline, int *ret_code)
{
        int r = upgrade_run(argv, u->config.mailcow.dir, u->lock_fd, deadline, ret_code, u->last,
                            sizeof u->last);

        if (r == 0)
                return 0;
        return fail(u, "%s: %s; its output: " UPGRADE_LOG, argv[0],
                    r == -ETIMEDOUT ? "it did not end in time, and was killed" : strerror(-r));
}

static int run_well(struct upgrade *u, const char *const *argv, msec_t deadline)
{
        int code = 0, r = run(u, argv, deadline, &code);

        if (r != 0 || code == 0)
                return r;
        return fail(u, "%s ended with %d: %s; its output: " UPGRADE_LOG, argv[0], code, u->last);
}

/* ---- the steps ---- */

static bool is_out(const struct upgrade_view *v, void *arg)
{
        (void)arg;
        return str_eq(v->nodes[v->me].state, "maintenance");
}

static int to_maintenance(struct upgrade *u)
{
        int r = order(u, "maintenance on 0");

        if (r != EX_OK)
                return fail(u, "the daemon did not put this node into maintenance");
        if (upgrade_watch_until(&u->watch, is_out, NULL, 5 * MINUTE) == 0)
                return 0;
        order(u, "maintenance off 0");
        upgrade_state_drop();
        return fail(u,
                    "this node did not go into maintenance (it is %s): hamon why. Nothing was "
                    "changed, and maintenance is off again",
                    me(u)->state);
}

static void tell_schema(const struct upgrade *u, const struct release *now)
{
        const char *from = u->state.from.schema;

        if (str_eq(from, now->schema) || !*now->schema)
                return;
        say("the database: schema %s becomes %s when the first node with this Mailcow leads; after "
            "that a node with an older one is not started",
            *from ? from : "(not known)", now->schema);
}

static int update(struct upgrade *u)
{
        static const char *const ARGV[] = { "./update.sh", "--force", "--skip-start", NULL };
        struct release now;
        int code = UPDATE_AGAIN;

        for (unsigned i = 0; i < AGAIN_MAX && code == UPDATE_AGAIN; i++) {
                int r = run(u, ARGV, UPDATE_MS, &code);
                if (r != 0)
                        return r;
        }
        if (code != 0)
                return fail(u, "update.sh ended with %d: %s; its output: " UPGRADE_LOG, code,
                            u->last);
        release_read(u->config.mailcow.dir, &now);
        say("Mailcow %s is here", *now.version ? now.version : "of no known version");
        tell_schema(u, &now);
        return 0;
}

static int containers(struct upgrade *u)
{
        static const char *const NATIVE[] = { "docker",     "compose",          "up",
                                              "--no-start", "--remove-orphans", NULL };
        static const char *const ALONE[] = { "docker-compose", "up", "--no-start",
                                             "--remove-orphans", NULL };
        const bool alone = u->config.docker.compose == CONFIG_COMPOSE_STANDALONE;

        return run_well(u, alone ? ALONE : NATIVE, COMPOSE_MS);
}

static int warm(struct upgrade *u)
{
        char self[4096];
        const char *const argv[] = { self,    "-c",   u->file,     "stack", "start",
                                     "--set", "warm", "--timeout", "9m",    NULL };
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

        if (n < 0)
                return fail(u, "/proc/self/exe: %s", strerror(errno));
        self[n] = '\0';
        return run_well(u, argv, WARM_MS);
}

static bool is_fit(const struct upgrade_view *v, void *arg)
{
        (void)arg;
        return str_eq(v->verdict, "fit") && upgrade_is_whole(v);
}

static int fit(struct upgrade *u)
{
        if (order(u, "mailcow") != EX_OK)
                return fail(u, "the daemon did not look at the new Mailcow");
        int r = upgrade_watch_until(&u->watch, is_fit, NULL, 40 * MINUTE); /* a full copy of it */
        if (r == 0)
                return 0;
        return fail(u, "this node did not become fit: %s", u->watch.view.message);
}

static bool is_back(const struct upgrade_view *v, void *arg)
{
        const char *state = v->nodes[v->me].state;

        (void)arg;
        return str_eq(state, "standby") || str_eq(state, "master");
}

static int back(struct upgrade *u)
{
        if (order(u, "maintenance off 0") != EX_OK)
                return fail(u, "the daemon did not end maintenance");
        if (upgrade_watch_until(&u->watch, is_back, NULL, MINUTE) == 0)
                return 0;
        return fail(u, "maintenance is off, and this node is still %s: hamon why", me(u)->state);
}

static const struct {
        int (*run)(struct upgrade *u);
        const char *says;
} STEPS[UPGRADE_STEPS_] = {
        [UPGRADE_MAINTENANCE] = { to_maintenance, "maintenance on" },
        [UPGRADE_UPDATE] = { update, "update.sh --force --skip-start" },
        [UPGRADE_CONTAINERS] = { containers, "the containers are made anew, not started" },
        [UPGRADE_WARM] = { warm, "those of every node are started" },
        [UPGRADE_FIT] = { fit, "wait until the database is Synced and this node fit" },
        [UPGRADE_BACK] = { back, "maintenance off" },
};

static int save(struct upgrade *u)
{
        int r = upgrade_state_save(&u->state);

        if (r == 0)
                return 0;
        fprintf(stderr, "upgrade: " UPGRADE_DIR "/upgrade: %s\n", strerror(-r));
        return EX_IOERR;
}

static int walk(struct upgrade *u)
{
        for (; u->state.step < UPGRADE_STEPS_; u->state.step++) {
                u->state.failed[0] = '\0';
                int r = save(u);
                if (r != 0)
                        return r;
                say("%d/%d %s", (int)u->state.step + 1, UPGRADE_STEPS_, STEPS[u->state.step].says);
                r = STEPS[u->state.step].run(u);
                if (r == 0)
                        continue;
                if (u->state.step == UPGRADE_MAINTENANCE)
                        return r;
                save(u);
                fprintf(stderr,
                        "upgrade: this node stays in maintenance. Mend it, then again: hamon "
                        "upgrade\n");
                return r;
        }
        upgrade_state_drop();
        return EX_OK;
}

/* ---- before and after ---- */

static void tell_next(struct upgrade *u)
{
        const struct upgrade_view *v = &u->watch.view;
        const char *version = me(u)->mailcow.version;

        if (upgrade_watch_look(&u->watch) < 0)
                return;
        size_t next = upgrade_next(v);
        if (next == v->n)
                say("all nodes have Mailcow %s", *version ? version : "of the same images");
        else
                say("next: hamon upgrade on %s%s", v->nodes[next].name,
                    v->nodes[next].leads ? ", which leads and hands over first" : "");
}

static int ask(const struct upgrade *u, bool hand_over)
{
        char answer[16] = "";

        say("%s has Mailcow %s. It is away for some minutes; until it is back, no other node may "
            "fail",
            me(u)->name, *me(u)->mailcow.version ? me(u)->mailcow.version : "of no known version");
        if (hand_over)
                say("it leads, and hands over first: mail waits for some seconds");
        for (size_t i = 0; i < UPGRADE_STEPS_; i++)
                say("%zu/%d %s", i + 1, UPGRADE_STEPS_, STEPS[i].says);
        if (u->yes || u->dry)
                return 0;
        if (!isatty(STDIN_FILENO)) {
                fputs("upgrade: asks on a terminal; without one add --yes\n", stderr);
                return EX_USAGE;
        }
        fputs("Go on? (yes/no) ", stderr);
        if (fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0)
                return 0;
        fputs("upgrade: not confirmed; nothing was changed\n", stderr);
        return EXIT_FAILURE;
}

/* Is there anything to do? 0, or how it ended (`ret_none`: well). */
static int look_for_update(struct upgrade *u, bool *ret_none)
{
        static const char *const ARGV[] = { "./update.sh", "--check", NULL };
        int code = 0, r = run(u, ARGV, CHECK_MS, &code);

        *ret_none = r == 0 && code == CHECK_NONE;
        if (r != 0 || code == 0 || *ret_none)
                return r;
        return fail(u, "update.sh --check ended with %d: %s. Nothing was changed", code, u->last);
}

/* What others say of themselves is heard once a tick: who has just come back gets a moment. */
static enum upgrade_bar look_at_others(struct upgrade *u, size_t *ret_node)
{
        msec_t end = clock_ms() + OTHERS_MS;

        for (;;) {
                enum upgrade_bar bar = upgrade_may(&u->watch.view, ret_node);
                if (bar == UPGRADE_MAY || bar == UPGRADE_MAY_HAND_OVER || clock_ms() >= end)
                        return bar;
                poll(NULL, 0, LOOK_MS);
                upgrade_watch_look(&u->watch);
        }
}

static int barred(struct upgrade *u, enum upgrade_bar bar, size_t node)
{
        return fail(u, "%s %s", u->watch.view.nodes[node].name, UPGRADE_BARS[bar].sentence);
}

static int begin(struct upgrade *u)
{
        size_t node = 0;
        enum upgrade_bar bar = look_at_others(u, &node);
        bool none = false;

        bool may = bar == UPGRADE_MAY || bar == UPGRADE_MAY_HAND_OVER;

        if (!may && bar != UPGRADE_MASTER_LAST)
                return barred(u, bar, node);
        int r = look_for_update(u, &none);
        if (r != 0)
                return r;
        if (none) {
                say("nothing to do on %s: Mailcow %s is the latest", me(u)->name,
                    me(u)->mailcow.version);
                tell_next(u);
                return EX_OK;
        }
        if (!may)
                return barred(u, bar, node);
        r = ask(u, bar == UPGRADE_MAY_HAND_OVER);
        if (r != 0 || u->dry)
                return r;
        u->state = (struct upgrade_state){ .step = UPGRADE_MAINTENANCE };
        release_read(u->config.mailcow.dir, &u->state.from);
        r = walk(u);
        if (r == EX_OK)
                tell_next(u);
        return r;
}

/* Where an earlier one was. If the node is not in maintenance any more, somebody has decided
 * otherwise since: it begins anew, under the rules of the beginning. */
static int go_on(struct upgrade *u)
{
        if (u->state.step < UPGRADE_BACK && !is_out(&u->watch.view, NULL)) {
                if (u->state.step > UPGRADE_MAINTENANCE)
                        say("an earlier upgrade was given up: maintenance is off. Begun anew");
                return begin(u);
        }
        say("goes on at \"%s\"%s%s", STEPS[u->state.step].says, *u->state.failed ? ", where: " : "",
            u->state.failed);
        if (u->dry)
                return EX_OK;
        int r = walk(u);
        if (r == EX_OK)
                tell_next(u);
        return r;
}

static int upgrade(struct upgrade *u)
{
        int r = upgrade_lock(LOCK_MS, &u->lock_fd);

        if (r == -ETIMEDOUT)
                return EX_TEMPFAIL;
        if (r < 0)
                return fail(u, UPGRADE_DIR "/upgrade.lock: %s", strerror(-r));
        if (chdir(u->config.mailcow.dir) < 0 || access("update.sh", X_OK) < 0)
                return fail(u, "%s/update.sh: %s ([mailcow] dir)", u->config.mailcow.dir,
                            strerror(errno));
        u->watch.socket = u->config.control.socket;
        u->watch.timeout = u->config.check.timeout;
        r = upgrade_watch_look(&u->watch);
        if (r < 0)
                return fail(u, "%s: %s", u->config.control.socket,
                            r == -EBADMSG ? "the daemon's answer makes no sense" : strerror(-r));
        if (u->watch.view.n < 2)
                return fail(u, "a single node has nobody to help out: use update.sh itself");
        r = upgrade_state_load(&u->state);
        if (r < 0 && r != -ENOENT)
                fputs("upgrade: " UPGRADE_DIR "/upgrade is damaged; begun anew\n", stderr);
        return r == 0 ? go_on(u) : begin(u);
}

int upgrade_command(const char *file, int argc, char **argv)
{
        struct upgrade u = { .file = file, .lock_fd = -1 };

        for (int i = 0; i < argc; i++) {
                bool dry = strcmp(argv[i], "--dry-run") == 0;
                if (!dry && strcmp(argv[i], "--yes") != 0) {
                        fprintf(stderr, "upgrade: unexpected argument: %s (try `hamon help`)\n",
                                argv[i]);
                        return EX_USAGE;
                }
                u.dry |= dry;
                u.yes |= !dry;
        }
        if (geteuid() != 0) {
                fputs("upgrade: only root may do this\n", stderr);
                return EX_NOPERM;
        }
        if (verb_config(file, &u.config) < 0)
                return EX_CONFIG;
        int code = EX_CONFIG;
        if (u.config.cluster.nodes.n == 0)
                fputs("upgrade: [cluster] nodes is empty: without a cluster use update.sh itself\n",
                      stderr);
        else
                code = upgrade(&u);
        closep(&u.lock_fd);
        config_free(&u.config);
        return code;
}
