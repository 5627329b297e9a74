/* Keys for the tests of the gates. Includes cmocka. */
#pragma once

#include "signup/gate/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As from a file with this text, which must be a good one. Free it with keys_free(). */
static inline struct keys *keys(const char *text)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        struct keys *k = NULL;

        if (keys_parse(text, "keys", &k, &error) < 0)
                fail_msg("%s", buf_str(&error));
        return k;
}
