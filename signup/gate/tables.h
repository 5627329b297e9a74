/* The portal's tables in the database `hamon`, and the spent set that lives there. */
#pragma once

#include "signup/gate/db.h"
#include "signup/gate/spent.h"

extern const char *const TABLES_SQL[]; /* CREATE TABLE IF NOT EXISTS ..., NULL at the end */

/* Makes what is missing. -EACCES: this user may not; what is missing is named in `error`, or
 * zero if nothing is. */
int tables_create(struct db *db, struct buf *error);

/* `db` is borrowed. */
int spent_galera_new(struct db *db, struct spent **ret);
