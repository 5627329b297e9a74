/* One run of `hamon init`, and the plan of its files. Not for anyone else. */
#pragma once

#include "hamon/mailcow.h"
#include "hamon/setup/answers.h"
#include "hamon/setup/plan.h"
#include "hamon/setup/self.h"
#include "hamon/setup/settings.h"

struct init_run {
        const char *file, *answers_file;
        struct answers answers; /* resolved */
        struct buf answers_text;
        int answers_fd; /* a memory file: what a person said just now */
        struct self self;
        struct mailcow mailcow;
        struct settings_old old;
        struct config config; /* as it is to be */
        struct plan plan;
        bool merged; /* INIT_SHARED was put into mailcow.conf */
        struct buf notes, errors;
};

struct init_run *init_run_new(const char *file, const char *answers_file); /* NULL: -errno */
void init_run_free(struct init_run *run);

/* Needs answers, self, mailcow, old; makes config and plan. */
int init_plan(struct init_run *run);
