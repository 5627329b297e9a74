/* What `move in` and `move out` share. All return 0, or an exit code once a sentence was said. */
#pragma once

#include "hamon/cmd_volume.h"
#include "hamon/setup/move_volume.h"

enum { MOVE_STEP_MS = 10 * 60 * 1000 };

struct move {
        struct step *step;
        struct volume_place place;
        struct move_volume volumes[MOVE_VOLUMES];
        size_t n;
        bool dry;
};

/* May anything be done here: no daemon runs, the places are known; and what there is. */
int move_begin(struct move *m, struct step *s);
/* Attach and mount it, without a lease: nobody leads while this runs. */
int move_mount(struct move *m);
int move_umount(struct move *m);

/* Who filled the volume and when, from its marker; "" = nobody yet. */
int move_marker(struct move *m, char *ret, size_t size);
int move_mark(struct move *m);

int move_stop(struct move *m);   /* all of Mailcow's containers here, and no restart at boot */
int move_remove(struct move *m); /* the same containers: made anew by compose */
int move_compose(struct move *m, const char *const *words);
/* What compose makes of Mailcow's file and its override. */
int move_compose_config(struct move *m, struct buf *out);

int move_in_run(struct step *s);
int move_out_run(struct step *s);
