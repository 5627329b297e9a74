/* All that is loaded once at start and then only read (what counts or caches locks for itself). */
#pragma once

#include "signup/assets.h"
#include "signup/config.h"
#include "signup/gate/gate.h"
#include "signup/gate/tables.h"
#include "signup/limit.h"
#include "signup/mailcow.h"
#include "signup/reserved.h"
#include "signup/template.h"
#include "signup/tide.h"

#include <semaphore.h>
#include <stdatomic.h>

enum template_id { T_FORM, T_SUCCESS, T_PENDING, T_MESSAGE, T_COUNT };

struct site {
        const struct config *config;
        struct locales locales;
        struct template *templates[T_COUNT];
        struct assets assets;
        struct reserved *reserved;
        struct mailcow *mailcow;
        struct limit *limit;
        struct rate rates[LIMIT_GLOBAL + 1]; /* by enum limit_kind */
        struct keys *keys;
        struct db *db; /* NULL: in memory */
        struct spent *spent;
        struct invites invites;
        struct gate gate;
        char host[256];                /* for mail programs */
        struct tide forms;             /* form tickets per minute: how hard the proof of work is */
        sem_t drawing;                 /* pictures and sounds that may be made at once */
        atomic_uint busy;              /* requests that wait for Mailcow */
        atomic_uint second;            /* second clicks that wait for the first */
        atomic_llong pwned_down_until; /* that service is not asked before, CLOCK_BOOTTIME ms */
};

/* What the file names can be wrong in is a line each in `errors`. */
int site_load(const struct config *c, struct site *s, struct buf *errors);

/* The database of [store], not connected yet. */
int site_database(const struct config *c, struct db **ret, struct buf *error);
void site_done(struct site *s);
