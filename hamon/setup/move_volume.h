/* One of Mailcow's Docker volumes on its way to the shared volume, or back. Its name stays, since
 * Mailcow's own tools go by it, and Docker cannot change what a volume is bound to: so what is in
 * it is renamed into another volume (the same file system: at once, however large), and it is made
 * anew. Nothing is ever deleted here: what was kept is a person's to remove. */
#pragma once

#include "hamon/step.h"

enum { MOVE_NAME = 200, MOVE_VOLUMES = 8 };

struct move_row {
        const char *name; /* in Mailcow's compose file */
        const char *dir;  /* on the shared volume; NULL = it stays each node's own */
        bool exact;       /* small and precious: compared byte by byte */
        const char *what;
};
/* Those of facts that must not be lost; the others are caches that Docker fills again. */
extern const struct move_row MOVE_ROWS[];
extern const size_t N_MOVE_ROWS;

enum move_is {
        MOVE_ABSENT,
        MOVE_LOCAL, /* an ordinary volume of this server */
        MOVE_BOUND, /* to its directory of the shared volume */
        MOVE_OTHER, /* somebody gave it options of another kind */
};

struct move_volume {
        const struct move_row *row;
        enum move_is is;
        char name[MOVE_NAME];                        /* project_vmail-vol-1 */
        char where[4096];                            /* its directory on this server; "" = absent */
        char target[4096];                           /* on the shared volume; "" = none */
        char kept[MOVE_NAME + 16], kept_where[4096]; /* "" = nothing is kept */
        bool kept_full;
};

/* What there is of each whose `row` is set (at most MOVE_VOLUMES): two questions to Docker for all
 * of them. 0, or an exit code and a sentence was said. */
int move_look(struct step *s, struct move_volume *v, size_t n);

/* Is there nothing in the directory, or no directory? -errno. 1, 0. */
int move_is_empty(const char *dir);

/* Its content into NAME<suffix>, and the volume itself away. Again after any end. */
int move_keep(struct step *s, struct move_volume *v, const char *suffix);
/* The other way: what is in NAME-before-ha into it again, which is absent or empty by now. */
int move_put_back(struct step *s, struct move_volume *v);
/* Remove a bound volume: Docker's name for it, not its content. */
int move_unbind(struct step *s, struct move_volume *v);

/* `from` into `to`, by rsync. A failure is said. */
int move_copy(struct step *s, const struct move_row *row, const char *from, const char *to);
/* Nothing differs between them. A difference is said. */
int move_compare(struct step *s, const struct move_row *row, const char *from, const char *to);
