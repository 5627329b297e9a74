/* What only a person knows of a cluster: /etc/mailcow-ha/answers.conf, the same file on every node.
 * ANSWERS[] has one row per key; a key that hamon.conf has too goes there as it is. */
#pragma once

#include "lib/conf.h"

#define ANSWERS_FILE "/etc/mailcow-ha/answers.conf"

enum answers_provider { ANSWERS_HETZNER, ANSWERS_LOCAL };

struct answers {
        struct {
                char *name;
                struct strlist nodes;
        } cluster;
        struct {
                char *dir;
        } mailcow;
        struct {
                int provider; /* enum answers_provider */
                char *id, *device, *uuid, *mount, *fstype;
        } volume;
        struct {
                int provider; /* enum answers_provider */
                struct strlist id, address;
                char *interface;
        } ip;
        struct {
                char *api_url, *token_file;
        } hetzner;
        struct {
                char *fence_command;
        } local;
        struct {
                struct strlist also, skip; /* names of RENDERS[] */
        } write;
};

/* Marks of ANSWERS[]: what is asked of a person at a terminal. */
enum answers_mark { ANSWERS_DEFAULT, ANSWERS_ASK, ANSWERS_ASK_HETZNER, ANSWERS_ASK_LOCAL };

extern const struct conf_spec ANSWERS_SPEC;

/* -EINVAL: each mistake is a line in `errors`. `ret_sources` (may be NULL) as conf_load()'s. */
int answers_load(const char *file, struct answers *a, struct buf *errors,
                 struct conf_source *ret_sources);
void answers_free(struct answers *a);

/* The file to be filled in: every key with its help. */
int answers_example(struct buf *out);

/* Ask for all of it at the terminal (standard input, questions on standard error), and make the
 * file's text. -ECANCELED: the input ended. */
int answers_ask(struct buf *out);
