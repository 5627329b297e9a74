/* `hamon takeover --force`: the break-glass, for one healthy server among dead ones. */
#pragma once

/* The words after the verb. Returns the exit code: 0 this node leads; 75 the database has no quorum
 * yet, and what to do was said; 1 refused. */
/* Node `name` is off, by the provider or by a person's word: `ret_how` is one for `takeover
 * fenced`. Else how it ended, and it was said. */
struct step;
int takeover_fence(struct step *s, const char *name, const char **ret_how);

int takeover_command(const char *file, int argc, char **argv);
