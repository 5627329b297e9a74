/* What the node says of itself in words: the sentences of status, check and log. */
#include "hamon/node.h"

#include <stdio.h>

enum { FIRST_SERVICE = 2 };

const char *node_check_name(const struct node *n, size_t i)
{
        if (i < FIRST_SERVICE)
                return i == 0 ? "docker" : "galera";
        const struct service *s = node_check_service(n, i);
        return s ? s->name : PROBES[node_check_probe(n, i)].name;
}

msec_t node_check_took(const struct node *n, size_t i)
{
        enum probe probe = node_check_probe(n, i);

        if (!node_check_state(n, i)->seen)
                return -1;
        if (i == 1)
                return n->galera_facts.took;
        return probe == PROBE_COUNT_ ? -1 : n->probes[probe].took;
}

static void galera_message(const struct node *n, char *dst, size_t size)
{
        const struct galera_facts *f = &n->galera_facts;

        if (f->reach == DB_OK)
                snprintf(dst, size, "%s, %s, %u member%s", f->cluster_status, f->state_comment,
                         f->size, f->size == 1 ? "" : "s");
        else
                snprintf(dst, size, "%s%s%s", reason_sentence(n->galera.reason),
                         *f->text ? ": " : "", f->text);
}

static void exit_message(const struct container_facts *f, char *dst, size_t size)
{
        char code[32] = ""; /* the engine tells it later than the kernel tells the death */

        if (f->exit_code >= 0)
                snprintf(code, sizeof code, " with code %d", f->exit_code);
        snprintf(dst, size, "exited%s%s", code, f->oom ? ", out of memory" : "");
}

static void service_message(const struct service *s, char *dst, size_t size)
{
        const struct container_facts *f = &s->facts;

        if (f->state == CTR_MISSING)
                snprintf(dst, size,
                         "no container; create it (docker compose up --no-start), or name the "
                         "service in stack.ignore");
        else if (f->state == CTR_EXITED)
                exit_message(f, dst, size);
        else if (f->state == CTR_RUNNING && f->health != HEALTH_NONE)
                snprintf(dst, size, "running, %s", CTR_HEALTHS[f->health]);
        else
                snprintf(dst, size, "%s", CTR_STATES[f->state]);
}

char *node_check_message(const struct node *n, size_t i, char *dst, size_t size)
{
        const struct check_state *c = node_check_state(n, i);
        const struct service *s = node_check_service(n, i);

        if (!c->seen)
                str_copy(dst, size, reason_sentence(REASON_STARTING));
        else if (c->reason == REASON_STALE)
                str_copy(dst, size, reason_sentence(REASON_STALE));
        else if (i == 0)
                str_copy(dst, size, *n->engine_text ? n->engine_text : "answers");
        else if (i == 1)
                galera_message(n, dst, size);
        else if (s)
                service_message(s, dst, size);
        else
                str_copy(dst, size, n->probes[node_check_probe(n, i)].text);
        return dst;
}

char *node_message(const struct node *n, char *dst, size_t size)
{
        char why[256];
        size_t i = n->verdict.culprit;

        if (i >= node_n_checks(n) || n->verdict.reason == REASON_STACK_DOWN) {
                str_copy(dst, size, reason_sentence(n->verdict.reason));
                return dst;
        }
        snprintf(dst, size, "%s: %s", node_check_name(n, i),
                 node_check_message(n, i, why, sizeof why));
        return dst;
}

char *node_check_line(const struct node *n, msec_t now, char *dst, size_t size)
{
        char msg[320];

        node_message(n, msg, sizeof msg);
        for (char *p = msg; *p; p++) /* one line, one quoted word */
                if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ' || *p == 0x7f)
                        *p = '\'';
        snprintf(dst, size, "%s role=%s reason=%s age_ms=%lld msg=\"%s\"",
                 FITNESSES[n->verdict.fitness], ROLES[n->role], reason_name(n->verdict.reason),
                 (long long)(n->verdict.age + now - n->judged_at), msg);
        return dst;
}
