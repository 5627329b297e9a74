/* Each table has a primary key, or Galera would not replicate it safely. Times are seconds since
 * 1970. */
#include "signup/gate/tables.h"

#include <errno.h>

#define SPENT                                                                              \
        "CREATE TABLE IF NOT EXISTS signup_spent (nonce BINARY(16) NOT NULL PRIMARY KEY, " \
        "until BIGINT NOT NULL, KEY (until)) ENGINE=InnoDB"

#define INVITE                                                                             \
        "CREATE TABLE IF NOT EXISTS signup_invite (hash BINARY(16) NOT NULL PRIMARY KEY, " \
        "uses INT NOT NULL, pending INT NOT NULL, completed INT NOT NULL, "                \
        "created BIGINT NOT NULL, expires BIGINT NOT NULL, revoked TINYINT NOT NULL, "     \
        "domain VARCHAR(48) CHARACTER SET utf8mb4 NOT NULL, "                              \
        "note VARCHAR(60) CHARACTER SET utf8mb4 NOT NULL) ENGINE=InnoDB"

#define CLAIM                                                                              \
        "CREATE TABLE IF NOT EXISTS signup_claim (claim BINARY(16) NOT NULL PRIMARY KEY, " \
        "hash BINARY(16) NOT NULL, until BIGINT NOT NULL, KEY (hash, until)) ENGINE=InnoDB"

#define INVITE_PROBE                                                                           \
        "SELECT hash, uses, pending, completed, created, expires, revoked, domain, note FROM " \
        "signup_invite LIMIT 0"

const char *const TABLES_SQL[] = { SPENT, INVITE, CLAIM, NULL };

/* Asked of a user who may not create: are they there? */
static const char *const PROBES[] = {
        "SELECT nonce, until FROM signup_spent LIMIT 0",
        INVITE_PROBE,
        "SELECT claim, hash, until FROM signup_claim LIMIT 0",
};

static int create(struct db_conn *c, struct buf *error)
{
        for (size_t i = 0; TABLES_SQL[i]; i++) {
                int r = db_run(c, TABLES_SQL[i], NULL, 0, NULL, NULL, NULL);
                if (r == -EACCES)
                        r = db_run(c, PROBES[i], NULL, 0, NULL, NULL, NULL);
                if (r < 0) {
                        buf_addf(error, "%s (wanted: %.80s...)", db_error(c), TABLES_SQL[i]);
                        return r;
                }
        }
        return 0;
}

int tables_create(struct db *db, struct buf *error)
{
        struct db_conn *c = NULL;

        int r = db_take(db, &c);
        if (r < 0) {
                buf_adds(error, "the database does not answer");
                return r;
        }
        r = create(c, error);
        db_give(c);
        return r;
}
