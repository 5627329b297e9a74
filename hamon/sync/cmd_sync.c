/* `now` does it in this very process: it needs no service on this node, so that a node that is only
 * being set up can take what the others have. */
#include "hamon/sync/cmd_sync.h"

#include "hamon/sync/pull.h"
#include "hamon/sync/sync_main.h"
#include "hamon/verb.h"
#include "lib/json.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { NOW_MS = 120000 };

struct words {
        const char *verb, *from;
        bool json, dry_run;
};

static int usage(const char *what, const char *arg)
{
        fprintf(stderr, "sync: %s: %s (try `hamon help sync`)\n", what, arg);
        return EX_USAGE;
}

static int parse_words(int argc, char **argv, struct words *w)
{
        w->verb = argv[0];
        if (strcmp(w->verb, "now") != 0 && strcmp(w->verb, "status") != 0)
                return usage("want now or status, not", w->verb);
        bool now = strcmp(w->verb, "now") == 0;
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--json") == 0)
                        w->json = true;
                else if (now && strcmp(argv[i], "--dry-run") == 0)
                        w->dry_run = true;
                else if (now && strcmp(argv[i], "--from") == 0 && i + 1 < argc)
                        w->from = argv[++i];
                else
                        return usage("unexpected argument", argv[i]);
        }
        return EX_OK;
}

/* ---- as JSON ---- */

static void add_changes(cJSON *root, char *text)
{
        cJSON *list = cJSON_AddArrayToObject(root, "changes");
        char *rest = NULL;

        for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "what",
                                        *l == '+'   ? "new"
                                        : *l == '-' ? "gone"
                                                    : "changed");
                cJSON_AddStringToObject(o, "path", l + 2);
                cJSON_AddItemToArray(list, o);
        }
}

static cJSON *state_json(const struct sync_state *s)
{
        msec_t now = clock_ms();
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "reason", SYNC_REASONS[s->reason].name);
        cJSON_AddStringToObject(o, "leader", s->leader);
        json_add_int(o, "epoch", (int64_t)s->epoch);
        cJSON_AddStringToObject(o, "digest", s->digest);
        json_add_int(o, "items", (int64_t)s->items);
        json_add_int(o, "bytes", (int64_t)s->bytes);
        json_add_int(o, "looked_ms", s->looked_at > 0 ? now - s->looked_at : -1);
        json_add_int(o, "in_step_ms", s->in_step_at > 0 ? now - s->in_step_at : -1);
        cJSON_AddStringToObject(o, "message", s->text);
        return o;
}

static int print_json(cJSON *o)
{
        char *text = cJSON_PrintUnformatted(o);

        cJSON_Delete(o);
        if (!text)
                return EX_OSERR;
        puts(text);
        free(text);
        return EX_OK;
}

/* ---- as text ---- */

static void print_state(const struct config *c, const struct sync_state *s)
{
        printf("%s  %s", c->node.name, SYNC_REASONS[s->reason].sentence);
        if (*s->leader && s->reason != SYNC_LEADS)
                printf("; leader %s", s->leader);
        if (s->items > 0)
                printf("; %llu items, %llu KB", (unsigned long long)s->items,
                       (unsigned long long)(s->bytes / 1024));
        puts("");
        if (*s->text)
                printf("  %s\n", s->text);
        if (s->looked_at > 0)
                printf("  looked %lld s ago", (long long)(clock_ms() - s->looked_at) / 1000);
        if (s->in_step_at > 0)
                printf(", last in step %lld s ago", (long long)(clock_ms() - s->in_step_at) / 1000);
        if (s->looked_at > 0)
                puts("");
}

/* ---- the verbs ---- */

static int exit_code(const struct sync_state *s, int r)
{
        if (r == -EBUSY)
                return EX_TEMPFAIL;
        if (r < 0)
                return s->reason == SYNC_UNREACHABLE || s->reason == SYNC_NO_LEADER ? EX_TEMPFAIL
                                                                                    : EX_OSERR;
        return s->reason == SYNC_BEHIND ? 1 : EX_OK;
}

static int now_verb(const struct config *c, const struct words *w)
{
        CLEANUP(buf_done) struct buf error = BUF(8192);
        struct pull_report report;
        char none[] = "";
        int code;

        signal(SIGPIPE, SIG_IGN);
        pull_report_init(&report);
        const struct pull_wish wish = { .dry_run = w->dry_run,
                                        .from = w->from,
                                        .deadline = clock_ms() + NOW_MS };
        int r = pull(c, &wish, &report, &error);
        code = exit_code(&report.state, r);
        if (w->json) {
                cJSON *o = state_json(&report.state);
                cJSON_AddBoolToObject(o, "ok", r == 0);
                cJSON_AddStringToObject(o, "conf_keys", buf_str(&report.keys));
                add_changes(o, report.changes.data ? report.changes.data : none);
                print_json(o);
        } else {
                fputs(buf_str(&report.changes), stdout);
                if (r == 0)
                        print_state(c, &report.state);
                else
                        fprintf(stderr, "sync: %s%s%s\n", report.state.leader,
                                *report.state.leader ? ": " : "", buf_str(&error));
                if (report.keys.len > 0)
                        printf("  mailcow.conf: %s changed; containers that are there keep the old "
                               "values until `docker compose up --no-start`\n",
                               buf_str(&report.keys));
        }
        pull_report_done(&report);
        return code;
}

static int status_verb(const struct config *c, const struct words *w)
{
        struct sync_state s = { .reason = SYNC_NONE };
        int r = sync_state_read(c->sync.state, &s);

        if (r < 0 && r != -ENOENT) {
                fprintf(stderr, "sync: %s: %s\n", c->sync.state, strerror(-r));
                return EX_OSERR;
        }
        if (w->json)
                return print_json(state_json(&s));
        print_state(c, &s);
        return EX_OK;
}

int sync_command(const char *file, int argc, char **argv)
{
        struct words w = { .verb = NULL };
        struct config c;

        if (argc == 0)
                return sync_main(file);
        int code = parse_words(argc, argv, &w);
        if (code != EX_OK)
                return code;
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        if (c.cluster.nodes.n == 0) {
                fputs("sync: [cluster] nodes is empty: there is nobody to keep in step with\n",
                      stderr);
                code = EX_CONFIG;
        } else {
                code = strcmp(w.verb, "now") == 0 ? now_verb(&c, &w) : status_verb(&c, &w);
        }
        config_free(&c);
        return code;
}
