/* Facts -> findings: what a state of the world means for this role. Pure. */
#pragma once

#include "hamon/core/facts.h"
#include "hamon/core/verdict.h"

/* Which part of the stack a service belongs to. */
enum set {
        SET_WARM,    /* runs on every node */
        SET_ACTIVE,  /* runs on the master; on a standby its container exists, ready to start */
        SET_IGNORED, /* never judged */
        SET_COUNT_
};

extern const char *const SETS[SET_COUNT_]; /* warm, active, ignored */

struct finding judge_engine(enum engine_state s);
struct finding judge_container(const struct container_facts *f, enum set set, enum role role);
struct finding judge_galera(const struct galera_facts *f);
/* Its server answers, and has closed its connection to the group: for good, until the server is
 * started anew. */
bool galera_has_left(const struct galera_facts *f);
