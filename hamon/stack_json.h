/* The Docker engine's JSON -> members of a plan. Pure: no sockets, no state. Who belongs to the
 * project is checked again on this side, and ids must be fit for a URL. */
#pragma once

#include "hamon/stack_plan.h"
#include "lib/buf.h"

/* What the owner knows of a service. */
struct stack_service {
        enum set set;
        bool optional, first, mail, early, slow, rival;
        const char *volume; /* below it nothing may be mounted of what is early; "" = no matter */
        unsigned port;
        const char *needs; /* where the container's label does not tell; "" = nothing */
};

typedef void (*stack_classify_fn)(void *arg, const char *service, struct stack_service *ret);

/* GET /containers/json -> p->v, everything else of the plan zeroed. -EBADMSG: not what the API
 * promises; -E2BIG: more than STACK_MAX. */
int stack_json_list(const char *json, size_t len, const char *project, stack_classify_fn classify,
                    void *arg, struct stack_plan *p);

/* GET /containers/ID/json -> state, health, exit_code, policy, pid, image, ports. */
int stack_json_detail(const char *json, size_t len, struct stack_member *m);

/* Add the URL of GET /images/NAME/json. -EINVAL: a name that none can have. */
int stack_json_image_url(const char *image, struct buf *out);
/* Its answer -> image_is. */
int stack_json_image(const char *json, size_t len, struct stack_member *m);

/* The engine's own sentence in {"message":"…"}, on one line; "" if there is none. Returns dst. */
char *stack_json_message(const char *json, size_t len, char *dst, size_t size);

/* Add the URL of the list of the project's containers, with `service` (may be NULL) of that one. */
int stack_json_list_url(const char *project, const char *service, struct buf *out);
