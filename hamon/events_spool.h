/* A file that a process of its own appends to. What it does not take at once is lost and counted:
 * nobody ever waits for that disk. */
#pragma once

#include "lib/loop.h"

struct events_spool;

int events_spool_new(struct loop *l, const char *path, size_t max, struct events_spool **ret);
/* The writer writes what it was given, and ends; a daemon that goes on leaves it a zombie. */
void events_spool_free(struct events_spool *s);

/* One whole line with its newline. */
void events_spool_write(struct events_spool *s, const char *line, size_t len);
uint64_t events_spool_lost(const struct events_spool *s);
