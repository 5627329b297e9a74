/* The containers we know, found by id, and what an event, a list or an inspection makes of one of
 * them. No sockets, no clock. Inside the Docker adapter and its tests only. A table begins zeroed;
 * pointers to entries last until the next add, remove or done. */
#pragma once

#include "hamon/docker.h"
#include "hamon/docker_json.h"

struct docker_entry {
        struct docker_container c;
        uint64_t hash;     /* of c.id */
        uint64_t seq;      /* number of its last event, 0 = none yet */
        msec_t event_at;   /* when that came */
        msec_t asked_at;   /* when it was inspected last, 0 = never */
        msec_t inspect_at; /* not to be inspected before */
        uint32_t mark;     /* number of the last list that named it */
        bool has_health;   /* a healthcheck is configured */
        bool wanted;       /* an inspection is due */
        unsigned watch;    /* docker_pid_watch() on its first process, 0 = none */
        pid_t pid;         /* the one watched last */
};

enum { TABLE_GONE = 512 };

struct docker_table {
        struct docker_entry *v;
        size_t n, size;
        uint32_t *slots;           /* 2 * size of them: index + 1, 0 = free */
        size_t n_wanted, cursor;   /* inspections due; where to look for the next */
        uint64_t gone[TABLE_GONE]; /* hashes of what was destroyed while a list is on its way */
        size_t n_gone;
};

/* Frees all; the table is empty then and may be used again. */
void docker_table_done(struct docker_table *t);

/* NULL: not there. */
struct docker_entry *docker_table_find(const struct docker_table *t, const char *id);
/* A new, zeroed entry with this id, which must not be there yet. NULL: no memory. */
struct docker_entry *docker_table_add(struct docker_table *t, const char *id);
/* The last entry takes the place of the removed one. */
void docker_table_remove(struct docker_table *t, struct docker_entry *e);

/* An inspection is a flag in the entry: a thousand wishes for the same one are one. */
void docker_table_want(struct docker_table *t, struct docker_entry *e, bool wanted);
/* The next one in turn whose time has come; else NULL, and the first other one's comes in
 * *ret_wait ms. */
struct docker_entry *docker_table_next_wanted(struct docker_table *t, msec_t now, msec_t *ret_wait);

/* What was destroyed while a list is on its way, which may still name it. With too many of them
 * everyone is gone: the list after this one tells. */
void docker_table_note_gone(struct docker_table *t, const char *id);
bool docker_table_is_gone(const struct docker_table *t, const char *id);

/* Facts: each fold returns true if something its owner sees is new. */
bool docker_fold_event(struct docker_entry *e, const struct docker_event *ev);
bool docker_fold_item(struct docker_entry *e, const struct docker_item *it);
/* `fresh`: no event came since the inspection was asked for. */
bool docker_fold_detail(struct docker_entry *e, const struct docker_detail *det, bool fresh);
/* Its first process is dead; `now` in unix time. */
bool docker_fold_end(struct docker_entry *e, int64_t now);

bool docker_is_up(enum ctr_state s); /* it has a first process that lives */
/* We saw it die, and the engine has not said so yet. */
bool docker_is_late(const struct docker_entry *e);
