/* Any bytes as a template, as a file of texts and as Accept-Language: it loads or says why, line by
 * line, and what a visitor typed never comes out as markup. */
#include "signup/template.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_template.XXXXXX";

static void put(const char *name, const void *data, size_t size)
{
        char path[80];

        snprintf(path, sizeof path, "%s/%s", dir, name);
        unlink(path); /* ext4 writes to the disk at once what was cut to nothing before */
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
}

static void take_away(void)
{
        static const char *const NAMES[] = { "page.html", "lang.en-gb.json" };
        char path[80];

        for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
                snprintf(path, sizeof path, "%s/%s", dir, NAMES[i]);
                unlink(path);
        }
        rmdir(dir);
}

static void render(const struct template *t, const struct locales *l)
{
        static const struct row ROW = { .value = "<evil>" };
        CLEANUP(buf_done) struct buf out = BUF(1 << 20);
        struct view v = { .locale = l->fallback, .lists = { [L_ERRORS] = { &ROW, 1 } } };

        for (size_t i = 0; i < V_COUNT; i++)
                v.v[i] = "<evil>";
        template_render(t, &v, &out);
        if (strstr(buf_str(&out), "<evil>"))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char TEXTS[] = "{\"a\":\"A {name}\"}";
        CLEANUP(buf_done) struct buf errors = BUF(1 << 20);
        struct locales l = { .n = 0 };
        struct template *t = NULL;

        if (strstr(dir, "XXXXXX")) {
                if (!mkdtemp(dir) || atexit(take_away) != 0)
                        abort();
        }
        put("lang.en-gb.json", data, size);
        if (locales_load(dir, "en-gb", &l, &errors) < 0) {
                if (errors.len == 0 || buf_str(&errors)[errors.len - 1] != '\n')
                        abort();
                put("lang.en-gb.json", TEXTS, sizeof TEXTS - 1);
                if (locales_load(dir, "en-gb", &l, &errors) < 0)
                        abort();
        }
        char *accept = strndup((const char *)data, size);
        if (accept && !locales_pick(&l, accept, accept, accept))
                abort();
        free(accept);

        struct template_source source = { .dir = dir, .locales = &l };
        put("page.html", data, size);
        /* the bytes "<evil>" in the template itself are nobody's fault */
        if (!memmem(data, size, "evil", 4) && template_load(&source, "page.html", &t, &errors) == 0)
                render(t, &l);
        template_free(t);
        locales_free(&l);
        return 0;
}
