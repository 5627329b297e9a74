/* Mailcow's web interface brings the database into its own shape whenever it starts, and drops the
 * columns it does not know. So an older Mailcow is not started behind a newer one. */
#pragma once

#include "hamon/step.h"

/* Before the active set is started; the volume is mounted. 0, or how it ended. What cannot be read
 * stops nothing: it proves nothing. */
int stack_schema_check(struct step *s);
/* Once it is: what serves from here now. */
void stack_schema_note(struct step *s);
