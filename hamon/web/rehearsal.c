/* The file is on tmpfs and is replaced as a whole, so it is read when another one is there. */
#include "hamon/web/rehearsal.h"

#include "hamon/rehearsal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 256 * 1024 };

struct part {
        struct loop *loop;
        char path[256];
        struct stat seen; /* of the file that `last` is from */
        cJSON *last;      /* NULL: there is none, or it makes no sense */
};

static int create(const struct part_needs *needs, void **ret)
{
        const char *socket = needs->config->control.socket;
        struct part *p = calloc(1, sizeof *p);

        if (!p)
                return -ENOMEM;
        p->loop = needs->loop;
        snprintf(p->path, sizeof p->path, "%.*s" REHEARSAL_FILE,
                 (int)(strrchr(socket, '/') + 1 - socket), socket);
        *ret = p;
        return 0;
}

static void destroy(void *part)
{
        struct part *p = part;

        cJSON_Delete(p->last);
        free(p);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
        return a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void look(void *part, const struct snap *snap)
{
        CLEANUP(freep) char *text = NULL;
        struct part *p = part;
        struct stat st = { .st_ino = 0 };

        (void)snap;
        if (stat(p->path, &st) == 0 && is_same(&st, &p->seen))
                return;
        p->seen = st;
        cJSON_Delete(take_ptr(p->last));
        if (read_file(p->path, FILE_MAX, &text, NULL) == 0)
                p->last = cJSON_Parse(text);
}

static const cJSON *field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

static void copy_text(cJSON *into, const char *name, const cJSON *from)
{
        const char *text = cJSON_GetStringValue(field(from, name));

        cJSON_AddStringToObject(into, name, text ? text : "");
}

static void copy_findings(cJSON *into, const cJSON *from)
{
        const cJSON *one;
        size_t n = 0;

        cJSON_ArrayForEach(one, from)
        {
                if (!cJSON_IsObject(one) || n == REHEARSAL_MAX)
                        continue;
                n++;
                cJSON *o = cJSON_CreateObject();
                copy_text(o, "check", one);
                copy_text(o, "verdict", one);
                copy_text(o, "message", one);
                cJSON_AddItemToArray(into, o);
        }
}

/* A time that is yet to come is of another boot: nothing is known. */
static void report(const void *part, cJSON *into)
{
        const struct part *p = part;
        const cJSON *ok = field(p->last, "ok"), *took = field(p->last, "took_ms");
        double at = cJSON_GetNumberValue(field(p->last, "at_ms"));
        double ago = (double)loop_now(p->loop) - at;

        if (!cJSON_IsBool(ok) || !(at >= 0) || !(ago >= 0))
                return;
        cJSON *o = cJSON_AddObjectToObject(into, PART_REHEARSAL.name);
        cJSON_AddBoolToObject(o, "ok", cJSON_IsTrue(ok));
        copy_text(o, "at", p->last);
        cJSON_AddNumberToObject(o, "ago_ms", ago);
        cJSON_AddNumberToObject(o, "took_ms", cJSON_IsNumber(took) ? took->valuedouble : 0);
        copy_findings(cJSON_AddArrayToObject(o, "findings"), field(p->last, "findings"));
}

const struct part_row PART_REHEARSAL = {
        .name = "rehearsal", .create = create, .destroy = destroy, .snap = look, .report = report
};
