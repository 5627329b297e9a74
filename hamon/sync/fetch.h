/* One pull, step by step: the list, the content of what differs, everything into its place. Inside
 * of pull.c only. */
#pragma once

#include "hamon/sync/channel.h"
#include "hamon/sync/item.h"
#include "hamon/sync/place.h"
#include "hamon/sync/pull.h"

struct fetch {
        const struct config *config;
        struct channel *channel;
        int root;
        struct pull_report *report;
        struct buf *error;
        bool other_mailcow; /* its configuration is not for us */

        struct items items; /* of the leader */
        char *what;         /* one an item: 0 nothing, '+' or '~' */
        size_t n_todo;
        struct buf conf;
        struct place place; /* once `placing` */
        bool placing;
};

int fetch_list(struct fetch *f);    /* and what differs here */
int fetch_content(struct fetch *f); /* into the stage */
int fetch_place(struct fetch *f);   /* and takes away what the leader has no more */
void fetch_done(struct fetch *f);
