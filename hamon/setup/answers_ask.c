/* The answers from a person at a terminal: each is checked when it is given, the whole when all are
 * there. Questions go to standard error, so that standard output stays what the command prints. */
#include "hamon/setup/answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MAX = 64 * 1024, LINE_MAX_ = 4096, AGAIN_MAX = 20 };

/* What `text` says, as a file: it is read by the loader that reads files. */
static int load_text(const struct buf *text, struct answers *a, bool whole, struct buf *errors)
{
        CLEANUP(closep) int fd = memfd_create("answers", MFD_CLOEXEC);
        char path[64];

        if (fd < 0 || write_all(fd, buf_str(text), text->len) < 0)
                return -EIO;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (whole)
                return answers_load(path, a, errors, NULL);
        const struct conf_input in = { .file = path };
        *a = (struct answers){ .cluster = { .name = NULL } };
        return conf_load(&ANSWERS_SPEC, &in, a, errors, NULL);
}

/* Without the place, which is a file nobody knows. */
static void complain(const struct buf *errors)
{
        const char *p = buf_str(errors);

        while (*p) {
                size_t len = strcspn(p, "\n");
                const char *words = strstr(p, ": ");
                words = words && words < p + len ? words + 2 : p;
                fprintf(stderr, "  %.*s\n", (int)(len - (size_t)(words - p)), words);
                p += len + (p[len] == '\n');
        }
}

static bool wanted(const struct option *o, const struct answers *a)
{
        bool ip = str_eq(o->section, "ip");
        int provider = ip ? a->ip.provider : a->volume.provider;

        switch ((enum answers_mark)o->mark) {
        case ANSWERS_ASK:
                return true;
        case ANSWERS_ASK_HETZNER:
                return provider == ANSWERS_HETZNER;
        case ANSWERS_ASK_LOCAL:
                return provider == ANSWERS_LOCAL;
        case ANSWERS_DEFAULT:
                break;
        }
        return false;
}

static int read_line(char *line, size_t size)
{
        fflush(stderr);
        if (!fgets(line, (int)size, stdin))
                return -ECANCELED;
        line[strcspn(line, "\r\n")] = '\0';
        return 0;
}

/* Ask until the loader takes it; `text` grows by the answer. `a` is what is known so far. */
static int ask_one(const struct option *o, struct answers *a, struct buf *text)
{
        size_t before = text->len;
        char line[LINE_MAX_];

        fprintf(stderr, "\n%s\n", o->help);
        for (int i = 0; i < AGAIN_MAX; i++) {
                CLEANUP(buf_done) struct buf errors = BUF(TEXT_MAX);
                fprintf(stderr, "%s %s%s%s%s? ", o->section, o->key, *o->def ? " [" : "", o->def,
                        *o->def ? "]" : "");
                if (read_line(line, sizeof line) < 0)
                        return -ECANCELED;
                if (!*line && !*o->def)
                        continue;
                buf_addf(text, "[%s]\n%s = %s\n", o->section, o->key, *line ? line : o->def);
                conf_free(&ANSWERS_SPEC, a);
                if (load_text(text, a, false, &errors) == 0)
                        return 0;
                complain(&errors);
                text->data[before] = '\0';
                text->len = before;
        }
        return -ECANCELED;
}

static int ask_all(struct answers *a, struct buf *text)
{
        CLEANUP(buf_done) struct buf errors = BUF(TEXT_MAX);
        int r = load_text(text, a, false, &errors);

        for (size_t i = 0; r == 0 && i < ANSWERS_SPEC.n_options; i++)
                if (wanted(&ANSWERS_SPEC.options[i], a))
                        r = ask_one(&ANSWERS_SPEC.options[i], a, text);
        answers_free(a);
        if (r < 0)
                return r;
        r = load_text(text, a, true, &errors);
        if (r == 0)
                answers_free(a);
        else
                complain(&errors);
        return r;
}

int answers_ask(struct buf *out)
{
        struct answers a = { .cluster = { .name = NULL } };

        buf_adds(out, "# The answers given to hamon init; hamon init --example explains each.\n");
        int r = ask_all(&a, out);
        return r < 0 ? r : out->error;
}
