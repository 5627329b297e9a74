/* The local provider: operations are short steps on the loop, only the fence command takes its
 * time. How an address is moved is in local_net.c, how the command is run in local_fence.c. */
#include "hamon/provider/local.h"

#include "hamon/provider/local_fence.h"
#include "hamon/provider/local_net.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { ANNOUNCEMENTS = 5, EX_RETRY = 75 };

TAILQ_HEAD(local_calls, provider_call);

struct local {
        struct provider base;
        struct loop *loop;
        char *server, *interface, *fence_command;
        msec_t poll, announce;
        struct local_calls calls;
        struct timer announcer;
        struct local_address announced; /* the newest address, while announcements are left */
        unsigned announcements;
};

struct provider_call {
        TAILQ_ENTRY(provider_call) link;
        struct local *l;
        const struct local_op *op;
        char id[256], server[256];
        struct local_address address;
        void *arg;
        bool (*may)(void *arg);
        void (*done)(void *arg, const struct provider_outcome *o);
        struct timer deadline, timer;
        msec_t allowed;
        struct provider_seen seen;
        char reason[PROVIDER_TEXT_SIZE];
        struct local_fence *fence;
};

enum thing { VOLUME, ADDRESS, SERVER };

struct local_op {
        enum thing thing;
        const char *what;
        bool wants_server;
        void (*run)(struct provider_call *c); /* again after `poll` if it has not ended the call */
};

static void call_free(struct provider_call *c)
{
        local_fence_end(c->fence);
        timer_done(&c->deadline);
        timer_done(&c->timer);
        free(c);
}

static void PRINTF(4, 5) finish(struct provider_call *c, enum provider_result result, int error,
                                const char *fmt, ...)
{
        void (*done)(void *arg, const struct provider_outcome *o) = c->done;
        const char *name = c->op->thing == SERVER ? c->server : c->id;
        char text[sizeof c->id + 2 * PROVIDER_TEXT_SIZE], reason[PROVIDER_TEXT_SIZE];
        struct provider_seen seen = c->seen;
        void *arg = c->arg;
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(reason, sizeof reason, fmt, ap);
        va_end(ap);
        snprintf(text, sizeof text, "%s %s%s%s", c->op->what, name, *reason ? ": " : "", reason);
        const struct provider_outcome o = {
                .result = result, .error = error, .text = text, .seen = &seen
        };
        TAILQ_REMOVE(&c->l->calls, c, link);
        call_free(c);
        if (done)
                done(arg, &o);
}

static void on_timer(void *arg)
{
        struct provider_call *c = arg;

        c->op->run(c);
}

static void on_deadline(void *arg)
{
        struct provider_call *c = arg;
        char allowed[32], reason[sizeof c->reason];

        str_copy(reason, sizeof reason, c->reason);
        finish(c, PROVIDER_TEMPORARY, -ETIMEDOUT, "not within %s: %s",
               format_duration(c->allowed, allowed, sizeof allowed), reason);
}

static void look_again(struct provider_call *c, const char *reason)
{
        str_copy(c->reason, sizeof c->reason, reason);
        timer_set(&c->timer, c->l->poll);
}

static bool ours(const struct provider_call *c)
{
        return !*c->server || strcmp(c->server, c->l->server) == 0;
}

/* False: it has ended the call. */
static bool allowed(struct provider_call *c)
{
        if (!c->may || c->may(c->arg))
                return true;
        finish(c, PROVIDER_FAILED, -EPERM, "no longer allowed; nothing was done");
        return false;
}

/* ---- volume ---- */

static bool see_device(struct provider_call *c)
{
        struct stat st;
        struct provider_volume *v = &c->seen.volume;

        if (stat(c->id, &st) < 0 || !S_ISBLK(st.st_mode))
                return false;
        c->seen.have_volume = true;
        str_copy(v->id, sizeof v->id, c->id);
        str_copy(v->device, sizeof v->device, c->id);
        str_copy(v->server, sizeof v->server, c->l->server);
        str_copy(v->status, sizeof v->status, "available");
        return true;
}

static void volume_get_run(struct provider_call *c)
{
        if (see_device(c))
                finish(c, PROVIDER_DONE, 0, "%s", "");
        else
                finish(c, PROVIDER_FAILED, -ENOENT, "there is no such block device here");
}

static void volume_attach_run(struct provider_call *c)
{
        if (!ours(c))
                finish(c, PROVIDER_FAILED, -EINVAL, "only server %s can say that it is there",
                       c->server);
        else if (see_device(c))
                finish(c, PROVIDER_ALREADY, 0, "%s", "");
        else
                look_again(c, "there is no such block device here");
}

/* Our own umount is all it takes; another's hold can only be ended by its fence. */
static void volume_detach_run(struct provider_call *c)
{
        if (ours(c))
                finish(c, PROVIDER_ALREADY, 0, "%s", "");
        else
                finish(c, PROVIDER_FAILED, -EBUSY,
                       "a shared device cannot be taken from server %s; fence it", c->server);
}

static void volume_label_run(struct provider_call *c)
{
        finish(c, PROVIDER_ALREADY, 0, "a local device has no labels");
}

/* ---- address ---- */

static int see_address(struct provider_call *c)
{
        int r = local_net_has(&c->address, c->l->interface);
        struct provider_ip *ip = &c->seen.ip;

        if (r < 0) {
                finish(c, PROVIDER_FAILED, r, "interface %s: %s", c->l->interface, strerror(-r));
                return r;
        }
        c->seen.have_ip = true;
        str_copy(ip->id, sizeof ip->id, c->id);
        str_copy(ip->address, sizeof ip->address, c->address.text);
        str_copy(ip->server, sizeof ip->server, r ? c->l->server : "");
        return r;
}

static void ip_get_run(struct provider_call *c)
{
        if (see_address(c) >= 0)
                finish(c, PROVIDER_DONE, 0, "%s", "");
}

static void on_announce(void *arg)
{
        struct local *l = arg;

        if (local_net_has(&l->announced, l->interface) != 1)
                return; /* it was taken away meanwhile */
        local_net_announce(&l->announced, l->interface);
        if (--l->announcements > 0)
                timer_set(&l->announcer, l->announce);
}

static void ip_assign_run(struct provider_call *c)
{
        struct local *l = c->l;

        if (!ours(c)) {
                finish(c, PROVIDER_FAILED, -EINVAL, "only server %s can take it", c->server);
                return;
        }
        int r = see_address(c);
        if (r < 0)
                return;
        if (r > 0) {
                finish(c, PROVIDER_ALREADY, 0, "%s", "");
                return;
        }
        if (!allowed(c))
                return;
        r = local_net_add(&c->address, l->interface);
        if (r < 0) {
                finish(c, PROVIDER_FAILED, r, "interface %s: %s", l->interface, strerror(-r));
                return;
        }
        r = see_address(c);
        if (r == 0)
                look_again(c, "the kernel took it but does not show it");
        if (r <= 0)
                return;
        l->announced = c->address;
        l->announcements = ANNOUNCEMENTS;
        on_announce(l);
        finish(c, PROVIDER_DONE, 0, "%s", "");
}

static void ip_unassign_run(struct provider_call *c)
{
        int r = see_address(c);

        if (r < 0)
                return;
        if (r == 0 || !ours(c)) { /* not there, or another's affair */
                finish(c, PROVIDER_ALREADY, 0, "%s", "");
                return;
        }
        if (!allowed(c))
                return;
        r = local_net_del(&c->address, c->l->interface);
        if (r < 0) {
                finish(c, PROVIDER_FAILED, r, "interface %s: %s", c->l->interface, strerror(-r));
                return;
        }
        r = see_address(c);
        if (r == 0)
                finish(c, PROVIDER_DONE, 0, "%s", "");
        else if (r > 0)
                look_again(c, "the kernel still shows it");
}

/* ---- server ---- */

static void server_get_run(struct provider_call *c)
{
        struct provider_server *s = &c->seen.server;

        if (!ours(c)) {
                finish(c, PROVIDER_FAILED, -ENOENT, "nothing is known of other servers here");
                return;
        }
        c->seen.have_server = true;
        str_copy(s->id, sizeof s->id, c->l->server);
        str_copy(s->name, sizeof s->name, c->l->server);
        str_copy(s->status, sizeof s->status, "running");
        finish(c, PROVIDER_DONE, 0, "%s", "");
}

static void on_fenced(void *arg, int status)
{
        struct provider_call *c = arg;
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

        c->fence = NULL;
        if (code == 0)
                finish(c, PROVIDER_DONE, 0, "%s", "");
        else if (code == EX_RETRY)
                finish(c, PROVIDER_TEMPORARY, -EAGAIN, "%s asks to try again", c->l->fence_command);
        else if (code > 0)
                finish(c, PROVIDER_FAILED, -EIO, "%s ended with %d", c->l->fence_command, code);
        else
                finish(c, PROVIDER_FAILED, -EIO, "%s was killed by signal %d", c->l->fence_command,
                       WTERMSIG(status));
}

static void poweroff_run(struct provider_call *c)
{
        struct local *l = c->l;

        if (strcmp(c->server, l->server) == 0) {
                finish(c, PROVIDER_FAILED, -EINVAL, "that is the server we run on");
                return;
        }
        if (!*l->fence_command) {
                finish(c, PROVIDER_FAILED, -ENOENT, "no fence command is configured");
                return;
        }
        if (!allowed(c))
                return;
        snprintf(c->reason, sizeof c->reason, "the fence command is still running");
        int r = local_fence_start(l->loop, l->fence_command, c->server, on_fenced, c, &c->fence);
        if (r < 0)
                finish(c, PROVIDER_FAILED, r, "%s: %s", l->fence_command, strerror(-r));
}

/* ---- life ---- */

static bool is_device(const char *s)
{
        return s && *s == '/' && !strstr(s, "..") && strlen(s) < PROVIDER_ID_SIZE;
}

/* It becomes an argument of the fence command. */
static bool is_name(const char *s)
{
        return *s && *s != '-' && strlen(s) < PROVIDER_ID_SIZE &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                       strlen(s);
}

static bool acceptable(const struct local_op *op, const struct provider_request *r,
                       struct local_address *ret)
{
        const char *server = r->server ? r->server : "";

        if (r->deadline <= 0 || (op->wants_server && !*server) || (*server && !is_name(server)))
                return false;
        if (op->thing == VOLUME)
                return is_device(r->id);
        return op->thing != ADDRESS || local_net_parse(r->id, ret) == 0;
}

static int begin(struct provider *p, const struct local_op *op, const struct provider_request *r,
                 struct provider_call **ret)
{
        struct local *l = (struct local *)(void *)p;
        struct local_address address = { .family = 0 };

        if (!acceptable(op, r, &address))
                return -EINVAL;
        struct provider_call *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->l = l;
        c->op = op;
        c->address = address;
        str_copy(c->id, sizeof c->id, r->id ? r->id : "");
        str_copy(c->server, sizeof c->server, r->server ? r->server : "");
        c->arg = r->arg;
        c->may = r->may;
        c->done = r->done;
        c->allowed = r->deadline;
        int e = timer_init(&c->deadline, l->loop, on_deadline, c);
        if (e == 0)
                e = timer_init(&c->timer, l->loop, on_timer, c);
        if (e < 0) {
                call_free(c);
                return e;
        }
        TAILQ_INSERT_TAIL(&l->calls, c, link);
        timer_set(&c->deadline, r->deadline);
        timer_set(&c->timer, 0);
        if (ret)
                *ret = c;
        return 0;
}

static void local_cancel(struct provider_call *c)
{
        if (!c)
                return;
        TAILQ_REMOVE(&c->l->calls, c, link);
        call_free(c);
}

static void local_free(struct provider *p)
{
        struct local *l = (struct local *)(void *)p;
        struct provider_call *c;

        if (!l)
                return;
        while ((c = TAILQ_FIRST(&l->calls))) {
                TAILQ_REMOVE(&l->calls, c, link);
                call_free(c);
        }
        timer_done(&l->announcer);
        free(l->server);
        free(l->interface);
        free(l->fence_command);
        free(l);
}

#define OP(name_, ...)                                                         \
        static int name_(struct provider *p, const struct provider_request *r, \
                         struct provider_call **ret)                           \
        {                                                                      \
                static const struct local_op op = { __VA_ARGS__ };             \
                return begin(p, &op, r, ret);                                  \
        }

OP(server_get, .thing = SERVER, .what = "look at server", .run = server_get_run)
OP(poweroff, .thing = SERVER, .what = "fence server", .wants_server = true, .run = poweroff_run)
OP(volume_get, .thing = VOLUME, .what = "look at", .run = volume_get_run)
OP(volume_attach, .thing = VOLUME, .what = "attach", .wants_server = true, .run = volume_attach_run)
OP(volume_detach, .thing = VOLUME, .what = "detach", .run = volume_detach_run)
OP(volume_label, .thing = VOLUME, .what = "label", .run = volume_label_run)
OP(ip_get, .thing = ADDRESS, .what = "look at address", .run = ip_get_run)
OP(ip_assign, .thing = ADDRESS, .what = "assign address", .wants_server = true,
   .run = ip_assign_run)
OP(ip_unassign, .thing = ADDRESS, .what = "unassign address", .run = ip_unassign_run)

static bool can_fence(const struct provider *p)
{
        return *((const struct local *)(const void *)p)->fence_command != '\0';
}

static const struct provider_ops LOCAL_OPS = { .name = "local",
                                               .can_fence = can_fence,
                                               .server_get = server_get,
                                               .poweroff = poweroff,
                                               .volume_get = volume_get,
                                               .volume_attach = volume_attach,
                                               .volume_detach = volume_detach,
                                               .volume_label = volume_label,
                                               .ip_get = ip_get,
                                               .ip_assign = ip_assign,
                                               .ip_unassign = ip_unassign,
                                               .cancel = local_cancel,
                                               .free = local_free };

int local_new(struct loop *loop, const struct local_config *c, struct provider **ret)
{
        const char *command = c->fence_command ? c->fence_command : "";

        if (!c->server || !is_name(c->server) || (*command && *command != '/'))
                return -EINVAL;
        struct local *l = calloc(1, sizeof *l);
        if (!l)
                return -ENOMEM;
        l->base.ops = &LOCAL_OPS;
        l->loop = loop;
        l->poll = c->poll > 0 ? c->poll : 250;
        l->announce = c->announce > 0 ? c->announce : 500;
        TAILQ_INIT(&l->calls);
        l->server = strdup(c->server);
        l->interface = strdup(c->interface ? c->interface : "");
        l->fence_command = strdup(command);
        int r = l->server && l->interface && l->fence_command ? 0 : -ENOMEM;
        if (r == 0)
                r = timer_init(&l->announcer, loop, on_announce, l);
        if (r < 0) {
                local_free(&l->base);
                return r;
        }
        *ret = &l->base;
        return 0;
}
