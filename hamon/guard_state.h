/* What the guard knows, and the rules by which it believes a message. No clock. Kept in a file on
 * tmpfs, so that a guard that was killed goes on with the same deadline. */
#pragma once

#include "hamon/guard_proto.h"

struct guard_state {
        uint32_t magic, mode; /* enum guard_mode */
        char boot[40];        /* the boot that `deadline` belongs to */
        bool forced;          /* told to fence: only a newer epoch arms it again before it has */
        uint64_t epoch;       /* of the last ARM */
        msec_t deadline;      /* ARMED */
        struct fence_target target;
};

void guard_state_init(struct guard_state *s);

/* Is it a message of ours, with everything in bounds? */
bool guard_message_ok(const void *data, size_t len);

/* 0 = done, else why it was refused (struct guard_answer: error) and nothing has changed. */
int guard_state_apply(struct guard_state *s, const struct guard_message *m, msec_t now);

/* Add what `from` names: its containers first, of the older ones as many as there is room for. A
 * container does no harm here when it is gone, but may when it is forgotten. */
void guard_target_merge(struct fence_target *t, const struct fence_target *from);

bool guard_state_due(const struct guard_state *s, msec_t now);
/* May the watchdog be petted? Not if the deadline passed longer than `budget` ago with no proof. */
bool guard_state_may_pet(const struct guard_state *s, msec_t now, msec_t budget);
void guard_state_fenced(struct guard_state *s); /* the proof is there */

/* -ENOENT, -ESTALE (of another boot), -EBADMSG. */
int guard_state_load(const char *path, struct guard_state *ret);
int guard_state_save(const char *path, const struct guard_state *s);

/* "guard.sock", "guard.state" in the directory of the control socket. */
int guard_path(const char *control, const char *name, char *dst, size_t size);
