/* Who may ask: whoever knows the token of [web] token_file, if there is one. */
#pragma once

#include <stdbool.h>

struct token;

/* `file` "" = everybody may: *ret = NULL. It logs what is wrong with the file. -EINVAL, -ENOMEM. */
int token_new(const char *file, struct token **ret);
void token_free(struct token *t);

/* `header`: the value of Authorization, or NULL. "Bearer TOKEN", or "Basic" with the token as the
 * password, for browsers and monitors that can do no other. Takes as long for every wrong token. */
bool token_fits(const struct token *t, const char *header);
