/* What the portal's tests share: a signup.conf that loads, in a directory of its own. */
#pragma once

#include "harness.h"

#include "signup/config.h"

static struct tmp tmp;

static inline const char *source_dir(void)
{
        const char *dir = getenv("MHA_SOURCE");

        assert_non_null(dir);
        return dir;
}

static inline int make_tmp(void **state)
{
        (void)state;
        return tmp_make(&tmp);
}

static inline int remove_tmp(void **state)
{
        (void)state;
        tmp_remove(&tmp);
        return 0;
}

/* What has no default, then `text`. Lines 1 to 5 are these. */
#define MINIMAL                            \
        "[mailcow]\n"                      \
        "url = https://mail.example.org\n" \
        "[signup]\n"                       \
        "domains = example.org\n"          \
        "data_dir = %s\n"

static inline int load_config(const char *text, struct config *c, struct buf *errors)
{
        put_file(at(&tmp, "signup.conf"), MINIMAL "%s", source_dir(), text);
        return config_load(at(&tmp, "signup.conf"), c, errors);
}
