/* The parts of `hamon galera` that bring the database back after it went down everywhere. */
#pragma once

#include "hamon/galera_member.h"

int galera_recover_run(struct step *s);
int galera_word_run(struct step *s); /* one line on stdout: hamon/galera_word.h */
