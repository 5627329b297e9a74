/* `hamon ip …`: the service addresses and what goes out by them. */
#pragma once

/* The words after the verb. Returns the exit code. */
/* What `ip assign` would find (hamon/rehearsal.h). */
struct step;
void ip_assign_rehearse(struct step *s);

int ip_command(const char *file, int argc, char **argv);
