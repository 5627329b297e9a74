/* Test side of fake_hetzner.py: start it, say one-line commands, end it. It is a program of its own
 * that needs nothing of the tester's loop, so commands are answered while one waits. Header only;
 * needs MHA_SOURCE in the environment and tests/unit/harness.h. */
#pragma once

#include "tests/unit/harness.h"

struct fake_hetzner {
        struct tmp dir;
        pid_t pid;
        int control;
        char reply[1024]; /* to the last command, without "ok " */
        char url[64];
};

/* The answer to one command; the test fails if that is an error. */
static inline const char *PRINTF(2, 3) hetzner_say(struct fake_hetzner *f, const char *fmt, ...)
{
        char line[512];
        size_t len = 0;
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(line, sizeof line - 1, fmt, ap);
        va_end(ap);
        assert_true(dprintf(f->control, "%s\n", line) > 0);
        while (len == 0 || f->reply[len - 1] != '\n') {
                struct pollfd p = { .fd = f->control, .events = POLLIN };
                assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
                ssize_t n = read(f->control, f->reply + len, sizeof f->reply - 1 - len);
                assert_true(n > 0);
                len += (size_t)n;
        }
        f->reply[len - 1] = '\0';
        if (strncmp(f->reply, "ok", 2) != 0)
                fail_msg("%s: %s", line, f->reply);
        memmove(f->reply, f->reply + MIN(len - 1, 3), len - MIN(len - 1, 3));
        return f->reply;
}

static inline unsigned long hetzner_stat(struct fake_hetzner *f, const char *name)
{
        return strtoul(hetzner_say(f, "stat %s", name), NULL, 10);
}

static inline void fake_hetzner_stop(struct fake_hetzner *f)
{
        end_child(&f->pid);
        closep(&f->control);
        tmp_remove(&f->dir);
}

static inline int fake_hetzner_start(struct fake_hetzner *f)
{
        const char *source = getenv("MHA_SOURCE");
        char script[512], path[64];

        *f = (struct fake_hetzner){ .control = -1 };
        if (!source || tmp_make(&f->dir) < 0)
                return -1;
        snprintf(script, sizeof script, "%s/tests/fake/fake_hetzner.py", source);
        snprintf(path, sizeof path, "%s/control", f->dir.path);
        const char *argv[] = { "/usr/bin/python3", script, "--with-parent", path, NULL };
        f->pid = start(argv, NULL, NULL, 0);
        for (msec_t end = clock_ms() + PATIENCE_MS; f->control < 0 && clock_ms() < end; nap())
                f->control = unix_connect(path);
        if (f->control < 0) {
                fake_hetzner_stop(f);
                return -1;
        }
        str_copy(f->url, sizeof f->url, hetzner_say(f, "url"));
        return 0;
}
