/* keepalived's two ears and mouth: the track_file we write (0 = fit, -254 = FAULT), the
 * vrrp_notify_fifo we read, and the last role it told us, kept on tmpfs so that a restart of hamon
 * does not forget it (a reboot does). */
#pragma once

#include "hamon/core/verdict.h"
#include "lib/loop.h"

struct keepalived;

enum vrrp_state { VRRP_UNKNOWN, VRRP_BACKUP, VRRP_MASTER, VRRP_FAULT, VRRP_STOP, VRRP_COUNT_ };
extern const char *const VRRP_STATES[VRRP_COUNT_]; /* UNKNOWN, BACKUP, MASTER, FAULT, STOP */

#define TRACK_FIT    0
#define TRACK_HOLDER 100    /* leads: above every base priority below 154 */
#define TRACK_UNFIT  (-254) /* FAULT whatever the base priority (facts: keepalived.conf(5)) */

struct keepalived_config {
        const char *track_file; /* "" = none */
        const char *fifo;       /* "" = none */
        const char *state_file; /* "" = none; remembers the last state */
        const char *instance;   /* "" = any; else only lines of this VRRP instance count */
};

typedef void (*keepalived_fn)(void *arg, enum vrrp_state s);

/* Makes the fifo (0600) if it is not there; refuses (-ENXIO) a path that is something else or
 * belongs to somebody else. Reads the remembered state. `fn` runs from the loop when what
 * keepalived said last differs from the state known before; states in between are not told. */
int keepalived_new(struct loop *l, const struct keepalived_config *c, keepalived_fn fn, void *arg,
                   struct keepalived **ret);
void keepalived_free(struct keepalived *k); /* leaves files as they are */

enum vrrp_state keepalived_state(const struct keepalived *k);
/* What `hamon notify` and the fifo both end in; remembers it on tmpfs. Does not call `fn`. */
void keepalived_set_state(struct keepalived *k, enum vrrp_state s);

/* Write the value if the file does not already hold it (a deleted, emptied or foreign file is put
 * right too: keepalived reads those as 0 = fit). 1 = written, 0 = was right, negative errno.
 * Looks after the fifo as well: one that was deleted or replaced is made anew. */
int keepalived_track(struct keepalived *k, int value);

/* Does the file hold a value of ours? False after a boot. True if there is no track file to keep.
 */
bool keepalived_track_valid(const struct keepalived *k);

/* One fifo line (`INSTANCE "MAIL" MASTER 100`) or the words after `hamon notify`
 * (`MASTER` or `INSTANCE MAIL MASTER 100`), upper or lower case. -EINVAL if there is no state in
 * it, as in `INSTANCE "MAIL" MASTER_RX_LOWER_PRI 100`. */
int keepalived_parse(const char *line, enum vrrp_state *ret);

/* Does the line speak of this instance? One that names none (`MASTER`) is about any; a group is
 * nobody's but where any will do (""). */
bool keepalived_concerns(const char *line, const char *instance);
