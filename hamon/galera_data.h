/* Where this member's data stands, from files: what Galera wrote beside it (grastate.dat,
 * gvwstate.dat) and what galera-start found at its last start (templates/container/galera-start).
 * Facts only. The data lies on a disk that may hang: read it in a child. */
#pragma once

#include "lib/buf.h"

enum { GALERA_UUID = 37, GALERA_VIEW = 9 };

#define GALERA_SHARE   "/run/mailcow-ha/galera" /* what galera-start and we tell each other */
#define GALERA_NO_UUID "00000000-0000-0000-0000-000000000000"

struct galera_position {
        char uuid[GALERA_UUID]; /* GALERA_NO_UUID: of no cluster */
        int64_t seqno;          /* -1: nothing, or not known */
};

enum { GALERA_VIEW_ID = 64 };

struct galera_view {             /* the last Primary component it was a member of */
        char id[GALERA_VIEW_ID]; /* of it, blanks as _ */
        char me[GALERA_UUID];    /* who it was there; "": none is kept */
        size_t n;                /* members; more than GALERA_VIEW: counted, not kept */
        char members[GALERA_VIEW][GALERA_UUID];
};

struct galera_data {
        bool there;    /* a database */
        bool member;   /* of a cluster, once: grastate.dat is there */
        bool unusable; /* a copy that was cut off, or given up by Galera */
        struct galera_position grastate;
        struct galera_view view;

        bool started; /* galera-start ran in this boot, and said: */
        struct galera_position position;
        char start_view[GALERA_VIEW_ID]; /* the membership that was remembered then; "" = none */
};

/* Pure. False: there was no sense in it, `ret` is untouched. */
bool galera_parse_position(const char *text, struct galera_position *ret); /* uuid:seqno */
bool galera_parse_grastate(const char *text, struct galera_position *ret);
bool galera_parse_view(const char *text, struct galera_view *ret);
/* `boot`: the boot's id; what is of another says nothing. */
bool galera_parse_start(const char *text, const char *boot, struct galera_position *ret,
                        char ret_view[GALERA_VIEW_ID]);
bool galera_is_uuid(const char *text);

/* `dir`: the data directory as this host sees it; "" = not looked at. `share`: GALERA_SHARE. What
 * is missing is missing; only what cannot be read is an error. */
int galera_data_read(const char *dir, const char *share, struct galera_data *ret);

/* Where the data stands, as far as files tell: what galera-start found, if no membership came
 * since; else what an orderly stop left. False: nobody knows. */
bool galera_data_position(const struct galera_data *d, struct galera_position *ret);

/* The order to be the first member, for the next start before `until` (clock_ms()) of this boot. It
 * replaces an older one, and what became of that. `leap`: whoever is away may have other commits
 * under the numbers that come next; they count on from GALERA_LEAP above, and it gets a full copy
 * (core/recover.h). */
int galera_order(const char *share, const struct galera_position *p, bool leap, msec_t until);
/* More commits than a cluster makes while a member is away: decades at Mailcow's few a second. */
#define GALERA_LEAP INT64_C(1000000000)
/* Is there still one? What became of the last: "obeyed …", "refused …", "" = nothing. */
bool galera_ordered(const char *share);
void galera_outcome(const char *share, char *ret, size_t size);
void galera_order_revoke(const char *share);
