/* What mailcow.c, mailcow_create.c and mailcow_list.c share; not for anyone else. */
#pragma once

#include "signup/mailcow.h"

#include <cjson/cJSON.h>
#include <pthread.h>

enum { MC_LOCKS = 64 };

struct mc_cached {
        bool known;
        bool asking; /* somebody is: nobody else need wait for the same answer */
        msec_t at;   /* when it was asked for last, with or without an answer */
};

struct mailcow {
        const struct config *config;
        char *key_header; /* "X-API-Key: …" */
        pthread_mutex_t domain[MC_LOCKS];
        pthread_mutex_t cache; /* for all below */
        struct mc_cached policy_at, domains_at;
        struct password_policy policy;
        char *domains;    /* one a line */
        struct job *jobs; /* under way, or waiting for their domain's turn */
};

struct mc_reply {
        struct mc_action action;
        int error;  /* 0: there was an answer */
        int status; /* HTTP */
        bool sent;  /* false: surely nothing reached Mailcow */
        char why[200];
};

/* GET /api/v1/<path>; 0 with a JSON body, -EAGAIN otherwise and a line in the log. */
int mc_get(struct mailcow *m, struct caller *c, const char *path, struct buf *out);

/* POST; `body` is freed. What became of it is in `ret`, nothing is logged. */
void mc_post(struct mailcow *m, struct caller *c, const char *path, cJSON *body, const char *want,
             struct mc_reply *ret);

int mc_look(struct mailcow *m, struct caller *c, const char *address, struct mc_mailbox *ret);

/* {"items":[address],"attr":{key:value}}. NULL = no memory. */
cJSON *mc_edit(const char *address, const char *key, const char *value);
