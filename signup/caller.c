/* The waiting client of caller.h. */
#include "signup/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct caller {
        struct loop loop;
        struct http *http;
        struct caller_answer *answer;
        bool done;
};

int caller_new(struct caller **ret)
{
        struct caller *c = calloc(1, sizeof *c);

        if (!c)
                return -ENOMEM;
        int r = loop_init(&c->loop);
        if (r < 0) {
                free(c);
                return r;
        }
        r = http_new(&c->loop, &c->http);
        if (r < 0)
                caller_free(c);
        else
                *ret = c;
        return r;
}

void caller_free(struct caller *c)
{
        if (!c)
                return;
        http_free(c->http);
        loop_done(&c->loop);
        free(c);
}

static void on_done(void *arg, const struct http_result *r)
{
        struct caller *c = arg;
        struct caller_answer *a = c->answer;

        a->error = r->error;
        a->status = r->status;
        str_copy(a->why, sizeof a->why, r->message);
        if (buf_add(&a->body, r->body, r->len) < 0 && a->error == 0)
                a->error = a->body.error;
        c->done = true;
        loop_stop(&c->loop);
}

static void failed(struct caller_answer *a, int error)
{
        a->error = error;
        str_copy(a->why, sizeof a->why, strerror(-error));
}

void caller_do(struct caller *c, const struct http_request *r, struct caller_answer *ret)
{
        struct http_request own = *r;
        struct http_call *call = NULL;

        *ret = (struct caller_answer){ .body = BUF(own.max_body ? own.max_body : 1024 * 1024) };
        if (own.timeout <= 0) {
                failed(ret, -EINVAL);
                return;
        }
        own.arg = c;
        own.on_data = NULL;
        own.on_head = NULL;
        own.on_header = NULL;
        own.on_done = on_done;
        c->answer = ret;
        int rc = http_start(c->http, &own, &call);
        ret->sent = rc == 0;
        if (rc == 0) {
                c->done = false;
                rc = loop_run(&c->loop);
                if (!c->done) {
                        http_cancel(call);
                        rc = rc < 0 ? rc : -EIO;
                }
        }
        if (rc < 0)
                failed(ret, rc);
        c->answer = NULL;
}
