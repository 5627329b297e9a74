/* What the tests of lib/conf.c share: a table of options with one of each kind, files in a
 * directory of their own, and loading them. */
#pragma once

#include "lib/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

struct values {
        char *name, *url, *pass, *dir, *extra;
        uint64_t port, any;
        msec_t interval;
        bool enabled;
        int level;
        struct strlist services, words;
};

static const char *const LEVELS[] = { "low", "middle", "high", NULL };

#define AT(field) offsetof(struct values, field)

static const struct option OPTIONS[] = {
        { .section = "node",
          .key = "name",
          .type = OPT_STRING,
          .offset = AT(name),
          .min = 1,
          .max = 20,
          .def = "n1",
          .mailcow = "MAILCOW_HOSTNAME",
          .help = "Name of this node." },
        { .section = "node",
          .key = "url",
          .type = OPT_STRING,
          .offset = AT(url),
          .def = "",
          .help = "Some text that may be long." },
        { .section = "node",
          .key = "pass",
          .type = OPT_STRING,
          .offset = AT(pass),
          .max = 10,
          .def = "",
          .mailcow = "DBPASS",
          .help = "A secret.",
          .secret = true },
        { .section = "node",
          .key = "dir",
          .type = OPT_PATH,
          .offset = AT(dir),
          .def = "/opt",
          .help = "A directory." },
        { .section = "node",
          .key = "extra",
          .type = OPT_PATH,
          .offset = AT(extra),
          .def = "",
          .help = "A path or nothing." },
        { .section = "check",
          .key = "port",
          .type = OPT_UINT,
          .offset = AT(port),
          .min = 1,
          .max = 65535,
          .def = "13306",
          .mailcow = "SQL_PORT",
          .help = "A port. This help is long enough to be wrapped, because a file that is read in "
                  "a terminal should not be wider than the terminal, which is said to have 80 "
                  "columns." },
        { .section = "check",
          .key = "any",
          .type = OPT_UINT,
          .offset = AT(any),
          .def = "0",
          .help = "A number without limit." },
        { .section = "check",
          .key = "interval",
          .type = OPT_DURATION,
          .offset = AT(interval),
          .min = 50,
          .max = 60000,
          .def = "1s",
          .help = "How often." },
        { .section = "check",
          .key = "enabled",
          .type = OPT_BOOL,
          .offset = AT(enabled),
          .def = "on",
          .mailcow = "CHECKS",
          .help = "Whether at all." },
        { .section = "check",
          .key = "level",
          .type = OPT_CHOICE,
          .offset = AT(level),
          .choices = LEVELS,
          .def = "middle",
          .help = "How much." },
        { .section = "stack",
          .key = "services",
          .type = OPT_LIST,
          .offset = AT(services),
          .def = "postfix-mailcow dovecot-mailcow nginx-mailcow php-fpm-mailcow rspamd-mailcow "
                 "redis-mailcow",
          .help = "Services." },
        { .section = "stack",
          .key = "words",
          .type = OPT_LIST,
          .offset = AT(words),
          .def = "",
          .help = "Words." },
};

static const struct conf_spec SPEC = { OPTIONS, ARRAY_SIZE(OPTIONS), "HAMON" };

static char dir[] = "/tmp/test_conf.XXXXXX", file[64], mailcow[64];

static inline int make_dir(void **state)
{
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        snprintf(file, sizeof file, "%s/conf", dir);
        snprintf(mailcow, sizeof mailcow, "%s/mailcow.conf", dir);
        return 0;
}

static inline int remove_dir(void **state)
{
        (void)state;
        unlink(file);
        unlink(mailcow);
        return rmdir(dir);
}

static inline void put(const char *path, const char *text, size_t len)
{
        assert_int_equal(write_file_atomic(path, 0600, text, len), 0);
}

struct loaded {
        struct values v;
        struct conf_source sources[ARRAY_SIZE(OPTIONS)];
        struct buf errors;
        int result;
};

/* The file's directory is cut from the errors, so that rows can name them. */
static inline void load_input(struct loaded *l, const struct conf_input *in)
{
        CLEANUP(buf_done) struct buf errors = BUF(65536);

        *l = (struct loaded){ .errors = BUF(65536) };
        l->result = conf_load(&SPEC, in, &l->v, &errors, l->sources);
        for (const char *p = buf_str(&errors); *p;) {
                size_t skip = strncmp(p, dir, strlen(dir)) == 0 ? strlen(dir) + 1 : 0;
                size_t line = strcspn(p, "\n") + 1;
                buf_add(&l->errors, p + skip, line - skip);
                p += line;
        }
}

static inline void load_bytes(struct loaded *l, const char *text, size_t len)
{
        put(file, text, len);
        load_input(l, &(struct conf_input){ .file = file });
}

static inline void load_text(struct loaded *l, const char *text)
{
        load_bytes(l, text, strlen(text));
}

static inline void unload(struct loaded *l)
{
        conf_free(&SPEC, &l->v);
        buf_done(&l->errors);
}
