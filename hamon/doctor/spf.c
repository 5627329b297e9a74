/* Terms from left to right; the first mechanism that matches decides. */
#include "hamon/doctor/spf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum match { MATCH_NO, MATCH_YES, MATCH_BROKEN };

static bool is_record(const char *text)
{
        return strncasecmp(text, "v=spf1", 6) == 0 && (text[6] == ' ' || !text[6]);
}

static enum dns_end look_up(struct spf *s, const char *name, enum dns_type t,
                            struct dns_answer *ret)
{
        enum dns_end e = s->ask(s->arg, name, t, ret);

        s->unsure = s->unsure || e == DNS_SILENT;
        return e;
}

/* ---- addresses ---- */

static bool in_network(const char *address, const char *network, unsigned prefix)
{
        unsigned char a[16], n[16];
        int family = strchr(network, ':') ? AF_INET6 : AF_INET;
        unsigned bits = family == AF_INET ? 32 : 128;

        if (inet_pton(family, address, a) != 1 || inet_pton(family, network, n) != 1 ||
            prefix > bits)
                return false;
        for (unsigned i = 0; i < prefix; i++)
                if (((a[i / 8] ^ n[i / 8]) >> (7 - i % 8)) & 1)
                        return false;
        return true;
}

/* "192.0.2.0/24" */
static enum match match_network(const struct spf *s, const char *value)
{
        char network[64];
        uint64_t prefix = strchr(value, ':') ? 128 : 32;
        const char *slash = strchr(value, '/');

        snprintf(network, sizeof network, "%.*s", (int)strcspn(value, "/"), value);
        if (slash && parse_uint(slash + 1, 0, prefix, &prefix) < 0)
                return MATCH_BROKEN;
        return in_network(s->address, network, (unsigned)prefix) ? MATCH_YES : MATCH_NO;
}

/* The prefix for our family of "/24//64"; that of one address if there is none. */
static unsigned dual_prefix(const struct spf *s, const char *cidr)
{
        bool v6 = strchr(s->address, ':');
        const char *six = strstr(cidr, "//");
        uint64_t n = v6 ? 128 : 32;
        char four[8];

        if (v6 && six)
                parse_uint(six + 2, 0, 128, &n);
        snprintf(four, sizeof four, "%.*s",
                 *cidr == '/' && cidr[1] != '/' ? (int)strcspn(cidr + 1, "/") : 0,
                 *cidr ? cidr + 1 : cidr);
        if (!v6 && *four)
                parse_uint(four, 0, 32, &n);
        return (unsigned)n;
}

static enum match match_host(struct spf *s, const char *host, unsigned prefix)
{
        CLEANUP(freep) struct dns_answer *a = calloc(1, sizeof *a);

        if (!a)
                return MATCH_NO;
        look_up(s, host, strchr(s->address, ':') ? DNS_AAAA : DNS_A, a);
        for (size_t i = 0; i < a->n; i++)
                if (in_network(s->address, a->v[i], prefix))
                        return MATCH_YES;
        return MATCH_NO;
}

static enum match match_mx(struct spf *s, const char *domain, unsigned prefix)
{
        CLEANUP(freep) struct dns_answer *mx = calloc(1, sizeof *mx);

        if (!mx)
                return MATCH_NO;
        look_up(s, domain, DNS_MX, mx);
        if (mx->n > SPF_LOOKUPS)
                return MATCH_BROKEN;
        for (size_t i = 0; i < mx->n; i++)
                if (match_host(s, mx->v[i], prefix) == MATCH_YES)
                        return MATCH_YES;
        return MATCH_NO;
}

/* ---- terms ---- */

static enum match match_include(struct spf *s, const char *domain)
{
        switch (spf_check(s, domain)) {
        case SPF_PASS:
                return MATCH_YES;
        case SPF_NONE:
        case SPF_BROKEN:
                return MATCH_BROKEN;
        case SPF_NOT:
        case SPF_UNSURE:
                break;
        }
        return MATCH_NO;
}

/* `term` without its qualifier. */
static enum match match_term(struct spf *s, const char *domain, const char *term)
{
        char name[16], target[256];
        size_t n = strcspn(term, ":/");
        const char *value = term[n] == ':' ? term + n + 1 : "", *cidr = "";

        if (n >= sizeof name)
                return MATCH_BROKEN;
        memcpy(name, term, n);
        name[n] = '\0';
        if (strcasecmp(name, "all") == 0)
                return MATCH_YES;
        if (strcasecmp(name, "ip4") == 0 || strcasecmp(name, "ip6") == 0)
                return match_network(s, value);
        if (++s->lookups > SPF_LOOKUPS)
                return MATCH_BROKEN;
        if (strchr(value, '%') || strcasecmp(name, "exists") == 0 || strcasecmp(name, "ptr") == 0) {
                s->unsure = true; /* it depends on more than the address */
                return MATCH_NO;
        }
        if (strcasecmp(name, "include") == 0)
                return match_include(s, value);
        cidr = term[n] == '/' ? term + n : value + strcspn(value, "/");
        snprintf(target, sizeof target, "%.*s", (int)strcspn(value, "/"), value);
        const char *host = *target ? target : domain;
        if (strcasecmp(name, "a") == 0)
                return match_host(s, host, dual_prefix(s, cidr));
        if (strcasecmp(name, "mx") == 0)
                return match_mx(s, host, dual_prefix(s, cidr));
        return MATCH_BROKEN;
}

static enum spf_result no_match(struct spf *s, const char *redirect)
{
        if (!redirect)
                return s->unsure ? SPF_UNSURE : SPF_NOT;
        if (++s->lookups > SPF_LOOKUPS)
                return SPF_BROKEN;
        enum spf_result r = spf_check(s, redirect);
        return r == SPF_NONE ? SPF_BROKEN : r;
}

static enum spf_result evaluate(struct spf *s, const char *domain, char *record)
{
        char *rest = NULL, *redirect = NULL;

        strtok_r(record, " ", &rest);
        for (char *term = strtok_r(NULL, " ", &rest); term; term = strtok_r(NULL, " ", &rest)) {
                bool pass = *term == '+' || !strchr("-~?", *term);
                term += strspn(term, "+-~?") > 0;
                if (strncasecmp(term, "redirect=", 9) == 0)
                        redirect = term + 9;
                if (strcspn(term, "=") < strcspn(term, ":/")) /* a modifier */
                        continue;
                enum match m = match_term(s, domain, term);
                if (m == MATCH_BROKEN)
                        return SPF_BROKEN;
                if (m == MATCH_YES && pass)
                        return SPF_PASS;
                if (m == MATCH_YES)
                        return s->unsure ? SPF_UNSURE : SPF_NOT;
        }
        return no_match(s, redirect);
}

enum spf_result spf_check(struct spf *s, const char *domain)
{
        CLEANUP(freep) struct dns_answer *a = calloc(1, sizeof *a);
        char *record = NULL;

        if (!a || look_up(s, domain, DNS_TXT, a) == DNS_SILENT)
                return SPF_UNSURE;
        for (size_t i = 0; i < a->n; i++) {
                if (!is_record(a->v[i]))
                        continue;
                if (record)
                        return SPF_BROKEN;
                record = a->v[i];
        }
        return record ? evaluate(s, domain, record) : SPF_NONE;
}
