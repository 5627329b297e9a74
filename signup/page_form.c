/* The form: for the first time, and again with what was typed and what is wrong with it. */
#include "signup/pages.h"

#include "signup/gate/pow.h"
#include "signup/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { POW_BASE = 7, POW_MOST = 13, POW_NORMAL = 20 };

/* What the page of one form needs besides the visit; lives until it is rendered. */
struct form_page {
        struct visit *v;
        const struct form_state *s;
        struct strlist domains;
        bool kept; /* the ticket that was sent */
        char ticket[TICKET_TEXT], image[TICKET_TEXT + 100], audio[TICKET_TEXT + 100];
        char bits[8], local_min[24], local_max[24], name_max[24], password_min[24],
                password_max[24];
        struct buf policy;
};

static const char *typed(const struct form_page *p, const char *name)
{
        const char *v = p->s->typed ? form_get(p->s->typed, name) : NULL;

        return v ? v : "";
}

static bool has(const struct form_page *p, enum gate_kind kind)
{
        return (p->v->site->gate.kinds & 1u << kind) != 0;
}

/* ---- ticket and gates ---- */

static unsigned new_bits(struct visit *v)
{
        return pow_bits(POW_BASE, POW_MOST, POW_NORMAL, tide_count(&v->site->forms, v->req->now));
}

/* Can this ticket be sent once more? One for who has passed is only looked at when it comes. */
static bool kept(struct form_page *p, unsigned *ret_bits)
{
        struct visit *v = p->v;
        const char *text = p->s->ticket;
        struct ticket t;

        if (!text || !str_copy(p->ticket, sizeof p->ticket, text))
                return false;
        if (p->s->passed)
                return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_-")] == '\0';
        if (gate_look(&v->site->gate, text, v->req->wall, &t) != GATE_PASSED)
                return false;
        *ret_bits = t.count;
        return true;
}

static int take_ticket(struct form_page *p)
{
        struct visit *v = p->v;
        unsigned bits = POW_BASE;

        p->kept = kept(p, &bits);
        if (!p->kept) {
                bits = new_bits(v);
                int r = gate_form(&v->site->gate, v->locale->code, bits, v->req->wall, p->ticket);
                if (r < 0)
                        return r;
        }
        const char *base = v->site->config->signup.base_path;
        snprintf(p->bits, sizeof p->bits, "%u", bits);
        snprintf(p->image, sizeof p->image, "%s/captcha/%s.jpg", base, p->ticket);
        snprintf(p->audio, sizeof p->audio, "%s/captcha/%s.wav", base, p->ticket);
        return 0;
}

static const char *flag(bool on)
{
        return on ? "on" : "";
}

/* Which gate is chosen: what was chosen before; else the first that needs no script. */
static void choose_gate(struct form_page *p)
{
        static const struct {
                enum gate_kind kind;
                enum value has, on;
        } ROWS[] = {
                { GATE_IMAGE, V_HAS_IMAGE, V_ON_IMAGE },
                { GATE_AUDIO, V_HAS_AUDIO, V_ON_AUDIO },
                { GATE_INVITE, V_HAS_INVITE, V_ON_INVITE },
                { GATE_POW, V_HAS_POW, V_ON_POW },
        };
        const char **view = p->v->view.v, *wish = typed(p, "gate");
        int n = 0, chosen = -1;

        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                bool on = has(p, ROWS[i].kind);
                view[ROWS[i].has] = flag(on);
                n += on;
                if (on && (chosen < 0 || str_eq(GATE_KINDS[ROWS[i].kind], wish)))
                        chosen = (int)i;
        }
        if (chosen >= 0)
                view[ROWS[chosen].on] = "on";
        view[V_MANY_GATES] = flag(n > 1);
        view[V_ONLY_INVITE] = flag(n == 1 && has(p, GATE_INVITE));
        view[V_CAPTCHA_SHOWN] = flag(has(p, GATE_IMAGE) || has(p, GATE_AUDIO));
        view[V_FIRST_GATE] = *wish || !has(p, GATE_POW) ? "" : "pow";
}

static void fill_gates(struct form_page *p)
{
        const char **view = p->v->view.v;

        view[V_TICKET] = p->ticket;
        view[V_PASSED] = flag(p->s->passed && p->kept);
        view[V_IMAGE_URL] = p->image;
        view[V_AUDIO_URL] = p->audio;
        view[V_POW] = p->bits;
        view[V_INVITE] = typed(p, "invite");
        view[V_CAPTCHA] = p->kept ? typed(p, "captcha") : ""; /* it belongs to its ticket */
        if (p->s->gate_problem)
                view[V_ERR_GATE] = visit_text(p->v, p->s->gate_problem, NULL);
        choose_gate(p);
}

/* ---- fields ---- */

static void fill_domains(struct form_page *p)
{
        struct visit *v = p->v;
        size_t n = MIN(p->domains.n, (size_t)DOMAINS_SHOWN);

        for (size_t i = 0; i < n; i++)
                v->domains[i] = (struct row){
                        .value = p->domains.v[i],
                        .on = flag(str_eq(p->domains.v[i], typed(p, "domain"))),
                };
        v->view.lists[L_DOMAINS] = (struct rows){ v->domains, n };
        v->view.v[V_ONE_DOMAIN] = n == 1 ? p->domains.v[0] : "";
}

static void add_error(struct visit *v, const char *id, const char *text)
{
        size_t n = v->view.lists[L_ERRORS].n;

        v->errors[n] = (struct row){ .value = id, .label = text };
        v->view.lists[L_ERRORS] = (struct rows){ v->errors, n + 1 };
}

static void fill_errors(struct form_page *p)
{
        struct visit *v = p->v;

        for (size_t i = 0; p->s->problems && i < FIELD_COUNT; i++) {
                const struct problem *problem = &p->s->problems[i];
                if (!problem->text)
                        continue;
                const struct text_values values = { .min = problem->min,
                                                    .max = problem->max,
                                                    .domain = problem->domain };
                const char *text = visit_text(v, problem->text, &values);
                v->view.v[FIELDS[i].error] = text;
                add_error(v, FIELDS[i].name, text);
        }
        if (p->s->gate_problem)
                add_error(v, "gates", v->view.v[V_ERR_GATE]);
        v->view.v[V_ALERT] = p->s->alert;
        if (!p->s->alert && v->view.lists[L_ERRORS].n > 0)
                v->view.v[V_ALERT] = visit_text(v, "err_summary", NULL);
}

static void fill_fields(struct form_page *p)
{
        for (size_t i = 0; i < FIELD_COUNT; i++)
                if (FIELDS[i].shown != V_COUNT)
                        p->v->view.v[FIELDS[i].shown] = typed(p, FIELDS[i].name);
}

/* ---- numbers and rules ---- */

static void put_number(struct form_page *p, enum value key, char dst[24], uint64_t n)
{
        snprintf(dst, 24, "%llu", (unsigned long long)n);
        p->v->view.v[key] = dst;
}

static void add_rule(struct form_page *p, bool on, const char *key, uint64_t min)
{
        if (!on)
                return;
        const char *text = visit_text(p->v, key, &(struct text_values){ .min = min });
        buf_addf(&p->policy, p->policy.len > 0 ? " %s" : "%s", text);
}

static void fill_rules(struct form_page *p)
{
        const struct config *c = p->v->site->config;
        struct password_policy policy;

        put_number(p, V_LOCAL_MIN, p->local_min, c->policy.local_min);
        put_number(p, V_LOCAL_MAX, p->local_max, c->policy.local_max);
        put_number(p, V_NAME_MAX, p->name_max, c->policy.name_max);
        put_number(p, V_PASSWORD_MIN, p->password_min, c->policy.password_min);
        put_number(p, V_PASSWORD_MAX, p->password_max, c->policy.password_max);
        p->v->view.v[V_APPROVAL] = flag(c->signup.mode == MODE_APPROVAL);
        if (!mailcow_policy(p->v->site->mailcow, p->v->caller, p->v->req->now, &policy))
                return;
        add_rule(p, policy.length > c->policy.password_min, "policy_length", policy.length);
        add_rule(p, policy.chars, "policy_chars", 0);
        add_rule(p, policy.special, "policy_special", 0);
        add_rule(p, policy.lowerupper, "policy_case", 0);
        add_rule(p, policy.numbers, "policy_numbers", 0);
        p->v->view.v[V_POLICY] = buf_str(&p->policy);
}

/* ---- the pages ---- */

bool page_closed(struct visit *v, struct strlist *ret_domains)
{
        if (v->site->config->signup.mode == MODE_CLOSED) {
                visit_say(v, 503, "closed_heading", "closed_text", false);
                return true;
        }
        int r = mailcow_domains(v->site->mailcow, v->caller, v->req->now, ret_domains);
        if (r < 0) {
                reply_header(v->reply, "Retry-After", "10");
                visit_say(v, 503, "error_heading", "err_api", true);
                return true;
        }
        if (ret_domains->n > 0)
                return false;
        free(take_ptr(ret_domains->v));
        visit_say(v, 503, "closed_heading", "closed_text", false);
        return true;
}

int form_show(struct visit *v, const struct form_state *s)
{
        struct form_page p = { .v = v, .s = s, .policy = BUF(4096) };

        if (page_closed(v, &p.domains))
                return 0;
        int r = take_ticket(&p);
        if (r == 0) {
                fill_domains(&p);
                fill_fields(&p);
                fill_rules(&p);
                fill_gates(&p);
                fill_errors(&p);
                r = visit_show(v, T_FORM, s->status, "form_heading");
        }
        buf_done(&p.policy);
        free(p.domains.v);
        return r;
}

int page_form(struct visit *v)
{
        return form_show(v, &(struct form_state){ .status = 200 });
}

/* The code is put into the form, as if it had been typed. */
int page_invite(struct visit *v)
{
        const char *code = v->req->path + strlen("/invite/");
        struct form f = { .v = { { "invite", code }, { "gate", "invite" } }, .n = 2 };

        if (!(v->site->gate.kinds & 1u << GATE_INVITE) || !*code || strlen(code) > GATE_RESPONSE)
                return visit_say(v, 404, "error_heading", "err_invite", true);
        return form_show(v, &(struct form_state){ .typed = &f, .status = 200 });
}

int page_challenge(struct visit *v)
{
        char ticket[TICKET_TEXT];
        unsigned bits = new_bits(v);
        const char *base = v->site->config->signup.base_path;

        int r = gate_form(&v->site->gate, v->locale->code, bits, v->req->wall, ticket);
        if (r < 0)
                return r;
        v->reply->type = "application/json";
        return buf_addf(&v->reply->body,
                        "{\"ticket\":\"%s\",\"bits\":%u,\"image\":\"%s/captcha/%s.jpg\","
                        "\"audio\":\"%s/captcha/%s.wav\"}\n",
                        ticket, bits, base, ticket, base, ticket);
}
