/* Name by name: what the leader has is held against what is here. All that differs is fetched into
 * the stage first and proven by its hash; only then it goes into its place, all at once. */
#include "hamon/sync/pull.h"

#include "hamon/release.h"
#include "hamon/sync/dial.h"
#include "hamon/sync/fetch.h"
#include "hamon/sync/leader.h"
#include "hamon/sync/tree.h"
#include "lib/log.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANGES_MAX = 4 * 1024 * 1024, KEYS_MAX = 64 * 1024, LOCK_WAIT_MS = 100 };

struct pull {
        const struct config *config;
        const struct pull_wish *wish;
        struct pull_report *report;
        struct buf *error;
        int root;
        struct leader leader;
        bool has_daemon;
        struct dial dial;
};

void pull_report_init(struct pull_report *r)
{
        *r = (struct pull_report){ .changes = BUF(CHANGES_MAX), .keys = BUF(KEYS_MAX) };
}

void pull_report_done(struct pull_report *r)
{
        buf_done(&r->changes);
        buf_done(&r->keys);
}

/* ---- this node leads ---- */

static int own_digest(struct pull *p)
{
        const struct config *c = p->config;
        const struct tree_wish w = { p->root, &c->sync.paths, &c->sync.exclude, &c->sync.own_keys };
        struct sync_state *s = &p->report->state;
        struct tree t;

        int r = tree_read(&w, &t, p->error);
        if (r < 0)
                return r;
        r = items_digest(&t.items, s->digest);
        s->items = t.items.n;
        s->bytes = t.items.size;
        if (t.left_out > 0)
                snprintf(s->text, sizeof s->text, "%u left out, such as %.160s", t.left_out,
                         t.example);
        tree_done(&t);
        s->reason = SYNC_LEADS;
        s->epoch = p->leader.epoch;
        str_copy(s->leader, sizeof s->leader, c->node.name);
        s->in_step_at = clock_ms();
        return r;
}

/* ---- another one does ---- */

static size_t index_of(const struct config *c, const char *name)
{
        size_t i = 0;

        while (i < c->cluster.nodes.n && !str_eq(config_cluster_node(c, i).name, name))
                i++;
        return i;
}

static int try_node(struct pull *p, size_t node)
{
        struct sync_state *s = &p->report->state;

        buf_reset(p->error);
        str_copy(s->leader, sizeof s->leader, config_cluster_node(p->config, node).name);
        int r = dial(p->config, node, p->wish->deadline, &p->dial, p->error);
        if (r == 0 && p->has_daemon && p->dial.epoch < p->leader.epoch) {
                buf_adds(p->error, "it says it leads, in an epoch that is over");
                channel_free(p->dial.channel);
                p->dial.channel = NULL;
                r = -ESTALE;
        }
        if (r < 0)
                s->reason = r == -EACCES ? SYNC_BAD_SECRET : SYNC_UNREACHABLE;
        return r;
}

/* Without a daemon, as on a node that is only being set up: whoever says that it leads. */
static int try_all(struct pull *p)
{
        CLEANUP(buf_done) struct buf all = BUF(4096);
        int me = config_cluster_rank(p->config), r = -ENOENT;

        for (size_t i = 0; r < 0 && i < p->config->cluster.nodes.n; i++) {
                if ((int)i == me)
                        continue;
                r = try_node(p, i);
                if (r < 0)
                        buf_addf(&all, "%s%s: %s", all.len > 0 ? "; " : "",
                                 config_cluster_node(p->config, i).name, buf_str(p->error));
        }
        if (r < 0) {
                buf_reset(p->error);
                buf_adds(p->error, buf_str(&all));
                p->report->state.leader[0] = '\0';
        }
        return r;
}

static int find_leader(struct pull *p)
{
        const struct config *c = p->config;
        const char *name = p->wish->from ? p->wish->from : p->leader.name;

        if (!p->wish->from && !p->has_daemon)
                return try_all(p);
        size_t i = index_of(c, name);
        if (i < c->cluster.nodes.n && !str_eq(name, c->node.name))
                return try_node(p, i);
        p->report->state.reason = SYNC_NO_LEADER;
        if (p->wish->from)
                buf_addf(p->error, "%s is no other node of [cluster] nodes", name);
        else
                buf_adds(p->error, "nobody leads");
        return -ENOENT;
}

static bool still_standby(const struct pull *p)
{
        struct leader l;

        return leader_ask(p->config, &l) < 0 || !l.here;
}

static int take(struct pull *p)
{
        struct sync_state *s = &p->report->state;
        struct release mailcow;
        struct fetch f = { .config = p->config,
                           .channel = p->dial.channel,
                           .root = p->root,
                           .place = { .root = p->root, .stage = -1 },
                           .report = p->report,
                           .error = p->error };

        release_read(p->config->mailcow.dir, &mailcow);
        f.other_mailcow = strcmp(mailcow.images, p->dial.images) != 0;
        int r = fetch_list(&f);
        if (r == 0 && !p->wish->dry_run && f.n_todo > 0)
                r = fetch_content(&f);
        if (r == 0 && !p->wish->dry_run && !still_standby(p)) {
                buf_adds(p->error, "this node came to lead meanwhile");
                r = -ECANCELED;
        }
        if (r == 0 && !p->wish->dry_run)
                r = fetch_place(&f);
        s->epoch = p->dial.epoch;
        s->items = f.items.n;
        s->bytes = f.items.size;
        s->reason = SYNC_ERROR;
        bool same = r == 0 && (f.n_todo == 0 || !p->wish->dry_run);
        if (r == 0)
                s->reason = !same             ? SYNC_BEHIND
                            : f.other_mailcow ? SYNC_OTHER_MAILCOW
                                              : SYNC_IN_STEP;
        if (same)
                s->in_step_at = clock_ms();
        if (same && !f.other_mailcow)
                r = items_digest(&f.items, s->digest);
        else
                s->digest[0] = '\0';
        fetch_done(&f);
        return r;
}

static int from_leader(struct pull *p)
{
        int r = find_leader(p);

        if (r < 0)
                return r;
        r = take(p);
        if (r == 0)
                channel_close(p->dial.channel);
        channel_free(p->dial.channel);
        return r;
}

/* ---- all of it ---- */

static int take_lock(const struct config *c, msec_t deadline, int *ret)
{
        char file[4096];

        if (snprintf(file, sizeof file, "%s/lock", c->sync.dir) >= (int)sizeof file)
                return -ENAMETOOLONG;
        int r = make_parents(file);
        if (r < 0)
                return r;
        CLEANUP(closep) int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (clock_ms() >= deadline)
                        return -EBUSY;
                usleep(LOCK_WAIT_MS * 1000);
        }
        *ret = take_fd(&fd);
        return 0;
}

static int decide(struct pull *p)
{
        p->has_daemon = leader_ask(p->config, &p->leader) == 0;
        if (p->leader.here)
                return own_digest(p);
        if (p->leader.maintenance && !p->wish->dry_run && !p->wish->from) {
                p->report->state.reason = SYNC_PAUSED;
                str_copy(p->report->state.leader, sizeof p->report->state.leader, p->leader.name);
                return 0;
        }
        return from_leader(p);
}

int pull(const struct config *c, const struct pull_wish *w, struct pull_report *ret,
         struct buf *error)
{
        struct pull p = { .config = c, .wish = w, .report = ret, .error = error, .root = -1 };
        struct sync_state old = { .reason = SYNC_NONE };
        CLEANUP(closep) int lock = -1;

        int r = take_lock(c, w->deadline, &lock);
        if (r < 0) {
                buf_addf(error, "%s: %s", c->sync.dir,
                         r == -EBUSY ? "another sync is at work" : strerror(-r));
                return r;
        }
        sync_state_read(c->sync.state, &old);
        ret->state = old;
        ret->state.reason = SYNC_ERROR;
        ret->state.text[0] = '\0';
        p.root = open(c->mailcow.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (p.root < 0) {
                r = -errno;
                buf_addf(error, "[mailcow] dir %s: %s", c->mailcow.dir, strerror(-r));
        } else {
                r = decide(&p);
        }
        closep(&p.root);
        ret->state.looked_at = clock_ms();
        if (r < 0)
                str_copy(ret->state.text, sizeof ret->state.text, buf_str(error));
        if (!w->dry_run) {
                int wrote = make_parents(c->sync.state);
                if (wrote == 0)
                        wrote = sync_state_write(c->sync.state, &ret->state);
                if (wrote < 0)
                        log_event(LOG_WARN, "sync_state", LS("file", c->sync.state),
                                  LS("error", strerror(-wrote)));
        }
        return r;
}
