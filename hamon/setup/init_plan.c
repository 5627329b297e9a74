/* Which files, in the order they are written: what a person said, Mailcow's own, hamon.conf, the
 * secrets, then what is rendered from hamon.conf. */
#include "hamon/setup/init_plan.h"

#include "hamon/mailcow_merge.h"
#include "hamon/setup/init.h"
#include "hamon/setup/peers.h"
#include "hamon/setup/render.h"
#include "hamon/setup/secrets.h"
#include "lib/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NOTES_MAX = 64 * 1024 };

struct init_run *init_run_new(const char *file, const char *answers_file)
{
        struct init_run *run = calloc(1, sizeof *run);

        if (!run)
                return NULL;
        run->file = file;
        run->answers_file = answers_file;
        run->plan.manifest_file = MANIFEST_FILE;
        run->answers_fd = memfd_create("answers", MFD_CLOEXEC);
        buf_init(&run->answers_text, PLAN_FILE_MAX);
        buf_init(&run->notes, NOTES_MAX);
        buf_init(&run->errors, NOTES_MAX);
        return run;
}

void init_run_free(struct init_run *run)
{
        plan_done(&run->plan);
        config_free(&run->config);
        answers_free(&run->answers);
        settings_close(&run->old);
        explicit_bzero(&run->mailcow, sizeof run->mailcow);
        closep(&run->answers_fd);
        buf_done(&run->answers_text);
        buf_done(&run->notes);
        buf_done(&run->errors);
        free(run);
}

static const struct option *uuid_row(void)
{
        return &ANSWERS_SPEC
                        .options[conf_row_at(&ANSWERS_SPEC, offsetof(struct answers, volume.uuid))];
}

static bool first(const struct init_run *run)
{
        return run->self.rank == 0;
}

static const char *first_name(const struct init_run *run, char *dst, size_t size)
{
        snprintf(dst, size, "%.*s", (int)strcspn(run->answers.cluster.nodes.v[0], "="),
                 run->answers.cluster.nodes.v[0]);
        return dst;
}

/* ---- the file system's UUID, and the answers that have it ---- */

static int choose_uuid(struct init_run *run)
{
        char fresh[UUID_TEXT], name[64];
        const char *uuid = settings_uuid(&run->old);

        if (*run->answers.volume.uuid)
                return 0;
        if (!*uuid && !first(run)) {
                buf_addf(&run->errors,
                         "%s: [volume] uuid is not known here yet; on %s, once hamon init ran "
                         "there: hamon init --copy %s\n",
                         run->answers_file, first_name(run, name, sizeof name), run->self.name);
                return -EINVAL;
        }
        if (!*uuid) {
                int r = secret_uuid(fresh);
                if (r < 0)
                        return r;
                uuid = fresh;
        }
        return conf_put(uuid_row(), &run->answers, uuid);
}

static int plan_answers(struct init_run *run)
{
        CLEANUP(buf_done) struct buf text = BUF(PLAN_FILE_MAX);
        struct answers before;
        CLEANUP(buf_done) struct buf ignored = BUF(NOTES_MAX);

        /* Only if the file lacks it: a person's own spelling stays. */
        bool there = answers_load(run->answers_file, &before, &ignored, NULL) == 0;
        bool whole = there && *before.volume.uuid;
        if (there)
                answers_free(&before);
        if (whole)
                return 0;
        int r = conf_edit(buf_str(&run->answers_text), uuid_row(), run->answers.volume.uuid, &text);
        if (r < 0)
                return r;
        char *path = strdup(run->answers_file);
        struct plan_file f = { .kind = PLAN_PERSON,
                               .help = "the answers, with the UUID the volume will have",
                               .mode = 0644,
                               .path = path,
                               .text = text.data };
        r = path ? plan_add(&run->plan, &f, NULL, &run->errors) : -ENOMEM;
        free(path);
        return r;
}

/* ---- Mailcow's ---- */

/* What all nodes have in common, as the first one brought it. */
static int plan_mailcow(struct init_run *run)
{
        CLEANUP(buf_wipe) struct buf text = BUF(PLAN_FILE_MAX), all = BUF(PLAN_FILE_MAX);
        CLEANUP(secret_wipe) char *shared = NULL;
        CLEANUP(secret_wipe) char *own = NULL;
        char name[64];
        int r = read_file(INIT_SHARED, PLAN_FILE_MAX, &shared, NULL);

        if (r == -ENOENT) {
                if (!first(run) && *settings_uuid(&run->old) == '\0')
                        buf_addf(&run->notes,
                                 "%s was not compared with that of %s, and passwords have to be "
                                 "the same: on %s, hamon init --copy %s, then hamon init here "
                                 "again\n",
                                 run->mailcow.path, first_name(run, name, sizeof name), name,
                                 run->self.name);
                return 0;
        }
        if (r == 0)
                r = read_file(run->mailcow.path, PLAN_FILE_MAX, &own, NULL);
        if (r < 0) {
                buf_addf(&run->errors, "%s, %s: %s\n", INIT_SHARED, run->mailcow.path,
                         strerror(-r));
                return r;
        }
        run->merged = true;
        r = mailcow_shared(shared, NULL, &all);
        if (r == 0)
                r = mailcow_merge(own, buf_str(&all), &text, NULL);
        else
                buf_addf(&run->errors, "%s: %s\n", INIT_SHARED,
                         r == -EBADMSG ? "a value has a control character" : strerror(-r));
        struct plan_file f = { .kind = PLAN_KEPT,
                               .help = "the values all nodes share",
                               .mode = 0600,
                               .path = run->mailcow.path,
                               .text = text.data ? text.data : (char[]){ "" } };
        if (r == 0)
                r = plan_add(&run->plan, &f, mailcow_mask, &run->errors);
        return r;
}

/* ---- hamon.conf ---- */

static int plan_settings(struct init_run *run)
{
        CLEANUP(buf_done) struct buf text = BUF(PLAN_FILE_MAX);
        char interface[32];

        self_interface(interface, sizeof interface);
        int r = settings_make(&run->old, &run->answers, &run->self, &run->mailcow, interface, &text,
                              &run->errors);
        if (r == 0)
                r = settings_load(&text, run->file, &run->config, &run->errors);
        if (r < 0)
                return r;
        char *path = strdup(run->file);
        struct plan_file f = { .help = "hamon's configuration on this node",
                               .after = "systemctl reload hamon (hamon status says if a restart is "
                                        "needed)",
                               .mode = 0644,
                               .path = path,
                               .text = text.data };
        r = path ? plan_add(&run->plan, &f, settings_mask, &run->errors) : -ENOMEM;
        free(path);
        return r;
}

/* ---- secrets ---- */

/* On the first node, before there is a cluster. */
static int may_make(struct init_run *run, const char *path)
{
        char name[64];

        if (!first(run)) {
                buf_addf(&run->errors, "%s is not here: on %s, hamon init --copy %s\n", path,
                         first_name(run, name, sizeof name), run->self.name);
                return -ENOENT;
        }
        if (peers_answer(&run->config, name, sizeof name)) {
                buf_addf(&run->errors,
                         "%s is not here, but %s runs already and has it: on %s, hamon init --copy "
                         "%s\n",
                         path, name, name, run->self.name);
                return -ENOENT;
        }
        return 0;
}

static int plan_secret(struct init_run *run, const struct secret_row *row)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        CLEANUP(secret_wipe) char *have = NULL;
        char *path = strdup(secret_path(row, &run->config)), fresh[SECRET_TEXT];
        int r = path ? secret_read(path, &have, &error) : -ENOMEM;

        if (r == -ENOENT) {
                r = may_make(run, path);
                if (r == 0)
                        r = secret_make(fresh);
                struct plan_file f = { .kind = PLAN_SECRET,
                                       .help = row->help,
                                       .mode = 0600,
                                       .path = path,
                                       .text = fresh };
                if (r == 0)
                        r = plan_add(&run->plan, &f, NULL, &run->errors);
                explicit_bzero(fresh, sizeof fresh);
        } else if (r < 0) {
                buf_addf(&run->errors, "%s\n", buf_str(&error));
        }
        free(path);
        return r;
}

static int plan_secrets(struct init_run *run)
{
        int result = 0;

        for (size_t i = 0; i < N_SECRETS; i++) {
                int r = plan_secret(run, &SECRETS[i]);
                result = result < 0 ? result : r;
        }
        return result;
}

/* ---- rendered files ---- */

static bool wanted(const struct init_run *run, enum render_what what)
{
        const struct render_file *f = &RENDERS[what];

        return f->optional ? strlist_has(&run->answers.write.also, f->name)
                           : !strlist_has(&run->answers.write.skip, f->name);
}

static int plan_render(struct init_run *run, enum render_what what)
{
        CLEANUP(buf_done) struct buf text = BUF(RENDER_MAX), path = BUF(8192);
        int r = render_path(what, &run->config, &path, &run->errors);

        if (r == 0)
                r = render(what, &run->config, &text, &run->errors);
        if (r < 0 || !text.data)
                return r;
        struct plan_file f = { .kind = what == RENDER_COMPOSE ? PLAN_HAND : PLAN_FILE,
                               .help = RENDERS[what].help,
                               .after = RENDERS[what].after,
                               .mode = RENDERS[what].mode,
                               .path = path.data,
                               .text = text.data };
        return plan_add(&run->plan, &f, NULL, &run->errors);
}

static int plan_renders(struct init_run *run)
{
        int result = 0;

        for (unsigned i = 0; i < RENDER_COUNT_; i++) {
                enum render_what what = (enum render_what)i;
                int r = wanted(run, what) ? plan_render(run, what) : 0;
                result = result < 0 ? result : r;
        }
        return result;
}

int init_plan(struct init_run *run)
{
        static int (*const STEPS[])(struct init_run *) = { plan_answers, plan_mailcow,
                                                           plan_settings, plan_secrets,
                                                           plan_renders };
        int r = manifest_load(run->plan.manifest_file, &run->plan.manifest, &run->errors);

        if (r == 0)
                r = choose_uuid(run);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(STEPS); i++)
                r = STEPS[i](run);
        return r;
}
