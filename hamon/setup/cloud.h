/* What Hetzner knows of the answers: numbers for names, the address of a Floating IP, and that the
 * token is one. Nothing is changed there. */
#pragma once

#include "hamon/setup/answers.h"

/* Puts numbers and addresses into `a`. -EINVAL: what is wrong is a line in `errors`. An API that
 * does not answer is a line in `notes` if nothing has to be asked of it. Nothing is asked where no
 * provider is hetzner. */
int cloud_resolve(struct answers *a, struct buf *notes, struct buf *errors);

/* Is this a token the API takes, to read and write? 0, -EACCES, or why it could not be asked; the
 * sentence in `error`. Nothing is changed. */
int cloud_token(const char *api_url, const char *token, struct buf *error);
