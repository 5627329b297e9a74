/* master.sh and backup.sh as processes: step after step, each looks first and then acts, asks the
 * daemon for the lease, and may be killed anywhere but inside the kernel (mount, umount). */
#include "tests/sim/world.h"

#include <string.h>

/* YOUNG + CONNECT + ARRIVE < IN_FLIGHT, as in the real steps and the real provider. */
enum {
        POLL = 250,
        ASK_EVERY = 20,
        ASK_MS = 3000,
        STEP_MS = 15000,
        YOUNG_MS = 400,
        CONNECT_MS = 500,
        ARRIVE_MS = 500
};

static void finish(struct world *w, struct sim_node *n, struct proc *p, enum ha_hook_end end)
{
        static const char *const ENDS[] = { "ok", "temporary", "failed", "killed" };

        tell(w, n->index, "hook %s %s: %s in step %d", HA_HOOKS[p->hook], HA_MODES[p->mode],
             ENDS[end], p->step);
        p->live = false;
        p->ended = true;
        p->end = end;
        if (p == &n->proc)
                node_wake(w, n);
}

static void go_to(struct world *w, struct proc *p, enum step step, msec_t delay)
{
        p->step = step;
        p->phase = PHASE_BEGIN;
        p->at = w->now + delay;
        p->until = p->at + STEP_MS;
}

static void wait_for(struct world *w, struct proc *p, enum phase phase, msec_t ms)
{
        p->phase = phase;
        p->at = w->now + ms;
}

/* ---- the lease ---- */

enum ask { ASK_WAIT, ASK_OK, ASK_NO };

static enum ask ask(struct world *w, struct sim_node *n, struct proc *p, bool fresh)
{
        msec_t now = local_time(w, n);

        if (w->mutant == MUTANT_NO_PERMIT) {
                p->asked = now;
                p->valid = now + TTL;
                return ASK_OK;
        }
        if (!node_runs(n))
                return w->now >= p->until ? ASK_NO : ASK_WAIT;
        struct ha_permit permit = ha_permit(&n->ha, p->epoch, now);
        if (!permit.ok)
                return ASK_NO;
        bool is_fresh = permit.renewed < now - p->began && permit.renewed <= YOUNG_MS;
        if (fresh && !is_fresh && w->mutant != MUTANT_NO_FRESH) {
                ha_hurry(&n->ha, now);
                node_wake(w, n);
                return w->now >= p->until ? ASK_NO : ASK_WAIT;
        }
        p->asked = now;
        p->valid = now + permit.valid;
        return ASK_OK;
}

/* True: may go on. Else it waits, or the hook has ended. */
static bool permitted(struct world *w, struct sim_node *n, struct proc *p, bool fresh)
{
        enum ask a = ask(w, n, p, fresh);

        if (a == ASK_WAIT)
                p->at = w->now + ASK_EVERY;
        else if (a == ASK_NO)
                finish(w, n, p, HOOK_TEMP);
        return a == ASK_OK;
}

/* ---- steps that ask the provider ---- */

static bool is_clean(const struct world *w, const struct sim_node *n, const struct sim_node *other)
{
        return !other->alive || (node_answers(w, other, n) && !other->mounted && !other->running &&
                                 !other->proc.live);
}

/* R (shared disk): whoever does not say "clean" is powered off, not only the last holder. */
static int not_clean(const struct world *w, const struct sim_node *n)
{
        for (int j = 0; j < w->n_nodes; j++)
                if (j != n->index && !is_clean(w, n, &w->nodes[j]))
                        return j;
        return NOBODY;
}

static bool is_so(const struct world *w, const struct sim_node *n, struct proc *p)
{
        if (p->step == STEP_FENCE_OLD) {
                if (n->mounted && n->live)
                        return true; /* then it is not about anybody else */
                p->target = w->storage == STORAGE_STONITH ? not_clean(w, n) : NOBODY;
                if (w->mutant == MUTANT_FENCE_LAST && p->target != p->from)
                        p->target = NOBODY;
                return p->target == NOBODY;
        }
        if (w->storage != STORAGE_EXCLUSIVE)
                return true;
        switch (p->step) {
        case STEP_DETACH:
                return w->attached == NOBODY || w->attached == n->index;
        case STEP_ATTACH:
                return w->attached == n->index;
        default:
                return w->attached != n->index;
        }
}

static enum request_kind kind_of(enum step s)
{
        if (s == STEP_FENCE_OLD)
                return REQUEST_POWEROFF;
        return s == STEP_ATTACH ? REQUEST_ATTACH : REQUEST_DETACH;
}

static void send(struct world *w, struct sim_node *n, struct proc *p)
{
        msec_t now = local_time(w, n), delay = rng_between(&w->rng, 5, 60);
        bool late = now - p->asked > CONNECT_MS || now >= p->valid;

        if (late && w->mutant != MUTANT_NO_GAP) {
                finish(w, n, p, HOOK_TEMP);
                return;
        }
        if (!w->calm && rng_chance(&w->rng, 20))
                delay = rng_between(&w->rng, 60, ARRIVE_MS);
        if (!w->calm && rng_chance(&w->rng, 3))
                delay = -1;
        if (delay > 200 && rng_chance(&w->rng, 50))
                fault_order(w, n); /* the hook will be killed with the request on its way */
        int server = p->step == STEP_FENCE_OLD ? p->target : n->index;
        cloud_request(w, kind_of(p->step), n->index, server, delay);
        bool heard = delay >= 0 && (w->calm || rng_chance(&w->rng, 95));
        wait_for(w, p, PHASE_POLL, heard ? delay + 10 : IN_FLIGHT);
}

static void request_step(struct world *w, struct sim_node *n, struct proc *p, enum step then)
{
        switch (p->phase) {
        case PHASE_BEGIN:
        case PHASE_POLL:
                if (w->now >= p->until) {
                        finish(w, n, p, HOOK_TEMP);
                } else if (!cloud_answers(w, n)) {
                        if (p->until > w->now + ASK_MS)
                                p->until = w->now + ASK_MS;
                        wait_for(w, p, p->phase, POLL);
                } else if (cloud_busy(w) &&
                           w->mutant != MUTANT_IGNORE_BUSY) { /* R: before "already so": it may end
                                                                 otherwise */
                        wait_for(w, p, PHASE_POLL, POLL);
                } else if (is_so(w, n, p)) {
                        go_to(w, p, then, rng_between(&w->rng, 5, 60));
                } else if (cloud_busy(w)) {
                        wait_for(w, p, PHASE_POLL, POLL);
                } else {
                        p->began = local_time(w, n);
                        wait_for(w, p, PHASE_ASK, 1);
                }
                break;
        case PHASE_ASK:
                if (!permitted(w, n, p, true))
                        break;
                wait_for(w, p, PHASE_SEND,
                         rng_between(&w->rng, 0, rng_chance(&w->rng, 10) ? CONNECT_MS : 30));
                if (!w->calm && rng_chance(&w->rng, 2))
                        fault_freeze(w, n); /* between the question and the deed */
                break;
        default:
                send(w, n, p);
        }
}

/* ---- master.sh ---- */

static void mount_done(struct world *w, struct sim_node *n, struct proc *p)
{
        if (w->storage == STORAGE_EXCLUSIVE && w->attached != n->index) {
                finish(w, n, p, HOOK_TEMP); /* went away under our hands */
                return;
        }
        n->mounted = n->live = true;
        go_to(w, p, STEP_FILE, 1);
}

static void mount(struct world *w, struct sim_node *n, struct proc *p)
{
        if (p->phase == PHASE_KERNEL) {
                if (w->now < n->disk_until)
                        p->at = n->disk_until + 1;
                else
                        mount_done(w, n, p);
                return;
        }
        if (n->mounted && !n->live) {
                finish(w, n, p, HOOK_FAILED);
                return;
        }
        if (n->mounted) {
                go_to(w, p, STEP_FILE, 1);
                return;
        }
        if (!permitted(w, n, p, false))
                return;
        if (w->storage == STORAGE_EXCLUSIVE && w->attached != n->index) {
                finish(w, n, p, HOOK_TEMP);
                return;
        }
        wait_for(w, p, PHASE_KERNEL, rng_between(&w->rng, 5, rng_chance(&w->rng, 10) ? 1500 : 50));
}

static void write_file(struct world *w, struct sim_node *n, struct proc *p)
{
        struct ha_epoch mine = { .known = true, .epoch = p->epoch, .incarnation = n->incarnation };

        if (!permitted(w, n, p, false))
                return;
        if (!n->mounted || !n->live) {
                finish(w, n, p, HOOK_TEMP);
                return;
        }
        memcpy(mine.holder, n->ha.lease.me, LEASE_NAME);
        n->file = w->file; /* the daemon is told */
        if (!ha_epoch_mountable(&w->file, &mine) && w->mutant != MUTANT_NO_FILE_CHECK) {
                n->mounted = n->live = false;
                finish(w, n, p, HOOK_TEMP);
                return;
        }
        check_mount(w, n, p->epoch, n->incarnation);
        w->file = (struct ha_epoch){ .known = true,
                                     .epoch = p->epoch,
                                     .incarnation = n->incarnation };
        memcpy(w->file.holder, n->ha.lease.me, LEASE_NAME);
        n->file = w->file;
        go_to(w, p, STEP_START, 5);
}

static void start(struct world *w, struct sim_node *n, struct proc *p)
{
        if (!permitted(w, n, p, false))
                return;
        if (n->running && n->mounted)
                go_to(w, p, STEP_ADDRESS, 20);
        else
                go_to(w, p, STEP_ADDRESS, rng_between(&w->rng, 300, 4000));
        n->running = true;
}

static void address(struct world *w, struct sim_node *n, struct proc *p)
{
        if (w->address != n->index) {
                if (!permitted(w, n, p, false))
                        return;
                if (!cloud_answers(w, n)) {
                        finish(w, n, p, HOOK_TEMP);
                        return;
                }
                w->address = n->index;
        }
        go_to(w, p, STEP_PROBE, rng_between(&w->rng, 20, 800));
}

/* ---- backup.sh ---- */

static void stop(struct world *w, struct sim_node *n, struct proc *p)
{
        if (p->phase == PHASE_BEGIN) {
                wait_for(w, p, PHASE_WAIT, n->running ? rng_between(&w->rng, 200, 3000) : 5);
        } else if (w->now < n->stuck_until || w->now < n->disk_until) {
                finish(w, n, p, HOOK_FAILED);
        } else if (w->mutant == MUTANT_EARLY_RELEASE) {
                n->zombie = *p;
                go_to(w, &n->zombie, STEP_UMOUNT, 3000);
                finish(w, n, p, HOOK_OK);
        } else {
                n->running = false;
                go_to(w, p, STEP_UMOUNT, 5);
        }
}

static void umount(struct world *w, struct sim_node *n, struct proc *p)
{
        if (p->phase == PHASE_BEGIN) {
                msec_t ms = n->mounted ? rng_between(&w->rng, 10, 1200) : 1;
                wait_for(w, p, PHASE_KERNEL, ms);
        } else if (w->now < n->disk_until) {
                p->at = n->disk_until + 1;
        } else {
                n->mounted = n->live = n->running = false;
                if (p->step == STEP_PROVE)
                        finish(w, n, p, HOOK_OK);
                else
                        go_to(w, p, STEP_LET_GO, 5);
        }
}

static void kill_all(struct world *w, struct sim_node *n, struct proc *p)
{
        if (w->mutant == MUTANT_NO_FENCE) {
                finish(w, n, p, HOOK_OK);
        } else if (p->phase == PHASE_BEGIN) {
                wait_for(w, p, PHASE_WAIT, n->running ? rng_between(&w->rng, 20, 300) : 1);
        } else if (w->now < n->disk_until) {
                p->at = n->disk_until + 1;
        } else if (w->now < n->stuck_until && rng_chance(&w->rng, 30)) {
                finish(w, n, p, HOOK_TEMP); /* one is left */
        } else {
                n->running = false;
                go_to(w, p, STEP_PROVE, 1);
        }
}

/* "No port closes before the provider answers." */
static void look(struct world *w, struct sim_node *n, struct proc *p)
{
        enum step then = p->hook == HOOK_MASTER ? STEP_FENCE_OLD : STEP_STOP;

        if (cloud_answers(w, n))
                go_to(w, p, then, rng_between(&w->rng, 5, 60));
        else if (w->now >= p->until - STEP_MS + ASK_MS)
                finish(w, n, p, HOOK_TEMP);
        else
                p->at = w->now + POLL;
}

/* ---- the process ---- */

static void step(struct world *w, struct sim_node *n, struct proc *p)
{
        switch (p->step) {
        case STEP_LOOK:
                look(w, n, p);
                break;
        case STEP_FENCE_OLD:
                request_step(w, n, p, STEP_DETACH);
                break;
        case STEP_DETACH:
                request_step(w, n, p, STEP_ATTACH);
                break;
        case STEP_ATTACH:
                request_step(w, n, p, STEP_MOUNT);
                break;
        case STEP_MOUNT:
                mount(w, n, p);
                break;
        case STEP_FILE:
                write_file(w, n, p);
                break;
        case STEP_START:
                start(w, n, p);
                break;
        case STEP_PROBE:
                if (n->sick)
                        finish(w, n, p, HOOK_FAILED);
                else
                        finish(w, n, p, HOOK_OK);
                break;
        case STEP_ADDRESS:
                address(w, n, p);
                break;
        case STEP_STOP:
                stop(w, n, p);
                break;
        case STEP_UMOUNT:
        case STEP_PROVE:
                umount(w, n, p);
                break;
        case STEP_LET_GO:
                if (is_so(w, n, p) && !cloud_busy(w))
                        finish(w, n, p, HOOK_OK);
                else
                        request_step(w, n, p, STEP_LET_GO);
                break;
        case STEP_KILL:
                kill_all(w, n, p);
                break;
        }
}

void hook_start(struct world *w, struct sim_node *n, const struct ha_action *a)
{
        struct proc *p = &n->proc;

        *p = (struct proc){ .live = true,
                            .id = a->id,
                            .hook = a->hook,
                            .mode = a->mode,
                            .epoch = a->epoch,
                            .from = index_of(w, a->from),
                            .deadline = w->now + a->deadline,
                            .die_at = -1 };
        tell(w, n->index, "hook %s %s: starts, epoch %llu, %s", HA_HOOKS[a->hook],
             HA_MODES[a->mode], (unsigned long long)a->epoch, a->reason);
        go_to(w, p, a->mode == MODE_FENCE ? STEP_KILL : STEP_LOOK, rng_between(&w->rng, 1, 10));
}

void hook_kill(struct world *w, struct sim_node *n)
{
        struct proc *p = &n->proc;

        if (!p->live)
                return;
        if (w->mutant == MUTANT_TWO_HOOKS && !n->zombie.live) {
                n->zombie = *p;
                finish(w, n, p, HOOK_KILLED);
                return;
        }
        if (p->die_at < 0)
                p->die_at = w->now + rng_between(&w->rng, 0, 50);
}

static bool is_in_kernel(const struct world *w, const struct sim_node *n, const struct proc *p)
{
        return p->phase == PHASE_KERNEL || (p->step == STEP_KILL && w->now < n->disk_until);
}

void hook_due(struct world *w, struct sim_node *n, struct proc *p)
{
        if (!p->live)
                return;
        if (w->now >= p->deadline && p->die_at < 0)
                p->die_at = w->now;
        if (p->die_at >= 0 && w->now >= p->die_at && !is_in_kernel(w, n, p)) {
                finish(w, n, p, HOOK_KILLED);
                return;
        }
        if (w->now >= p->at)
                step(w, n, p);
        if (p->live && p->at <= w->now)
                p->at = w->now + 1;
}

/* When something happens to it by itself. */
msec_t hook_next(const struct proc *p)
{
        msec_t at = p->at < p->deadline || p->die_at >= 0 ? p->at : p->deadline;

        if (p->die_at >= 0 && p->die_at < at && p->phase != PHASE_KERNEL)
                at = p->die_at;
        return at;
}
