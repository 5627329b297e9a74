/* How far the upgrade of this node is: a file, written before each step, so that whoever comes
 * after a kill or a power cut goes on where it was. No file: none is under way. */
#pragma once

#include "hamon/release.h"

#define UPGRADE_DIR "/var/lib/mailcow-ha"

enum upgrade_step {
        UPGRADE_MAINTENANCE, /* this node leads no more, and will not */
        UPGRADE_UPDATE,      /* Mailcow's update.sh */
        UPGRADE_CONTAINERS,  /* created anew, not started */
        UPGRADE_WARM,        /* those of every node run */
        UPGRADE_FIT,         /* the database is Synced, the daemon calls this node fit */
        UPGRADE_BACK,        /* maintenance off */
        UPGRADE_STEPS_
};
extern const char *const UPGRADE_STEPS[UPGRADE_STEPS_];

struct upgrade_state {
        enum upgrade_step step;
        struct release from;
        char failed[256]; /* a sentence; "" = it is under way, or was killed */
};

/* Pure. KEY=VALUE lines. -EBADMSG. */
int upgrade_state_parse(const char *text, struct upgrade_state *ret);
int upgrade_state_format(const struct upgrade_state *s, char *dst, size_t size); /* -ENOSPC */

/* -ENOENT: none. */
int upgrade_state_load(struct upgrade_state *ret);
/* Durable when it returns. */
int upgrade_state_save(const struct upgrade_state *s);
int upgrade_state_drop(void);
