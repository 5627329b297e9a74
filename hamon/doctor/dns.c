/* libresolv: res_nquery() and the parsing of its answers. */
#include "hamon/doctor/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

enum { RETRANS_S = 1, TRIES = 2, MESSAGE_MAX = 65535 };

struct dns {
        struct __res_state state;
        bool silent;
        unsigned char message[MESSAGE_MAX];
};

int dns_new(struct dns **ret)
{
        struct dns *d = calloc(1, sizeof *d);

        if (!d)
                return -ENOMEM;
        if (res_ninit(&d->state) < 0) {
                free(d);
                return -EIO;
        }
        d->state.retrans = RETRANS_S;
        d->state.retry = TRIES;
        d->state.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
        *ret = d;
        return 0;
}

void dns_free(struct dns *d)
{
        if (!d)
                return;
        res_nclose(&d->state);
        free(d);
}

bool dns_silent(const struct dns *d)
{
        return d->silent;
}

/* ---- one record ---- */

static bool take_address(const ns_rr *rr, int family, char *dst)
{
        size_t want = family == AF_INET ? 4 : 16;

        return ns_rr_rdlen(*rr) == want && inet_ntop(family, ns_rr_rdata(*rr), dst, DNS_TEXT);
}

static bool take_name(const ns_msg *m, const ns_rr *rr, size_t skip, char *dst)
{
        if (ns_rr_rdlen(*rr) <= skip)
                return false;
        return dn_expand(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(*rr) + skip, dst, DNS_TEXT) >=
               0;
}

/* Character strings, each behind its length. */
static bool take_text(const ns_rr *rr, char *dst)
{
        const unsigned char *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);
        size_t used = 0;

        while (p < end) {
                size_t n = *p++;
                if (n > (size_t)(end - p) || used + n + 1 > DNS_TEXT)
                        return false;
                memcpy(dst + used, p, n);
                used += n;
                p += n;
        }
        dst[used] = '\0';
        return strlen(dst) == used;
}

static bool take(enum dns_type t, const ns_msg *m, const ns_rr *rr, char *dst)
{
        switch (t) {
        case DNS_A:
                return take_address(rr, AF_INET, dst);
        case DNS_AAAA:
                return take_address(rr, AF_INET6, dst);
        case DNS_PTR:
                return take_name(m, rr, 0, dst);
        case DNS_MX:
                return take_name(m, rr, 2, dst);
        case DNS_TXT:
                return take_text(rr, dst);
        }
        return false;
}

/* ---- one question ---- */

static const int TYPES[] = { [DNS_A] = ns_t_a,
                             [DNS_AAAA] = ns_t_aaaa,
                             [DNS_PTR] = ns_t_ptr,
                             [DNS_MX] = ns_t_mx,
                             [DNS_TXT] = ns_t_txt };

enum dns_end dns_ask(struct dns *d, const char *name, enum dns_type t, struct dns_answer *ret)
{
        ns_msg m;
        ns_rr rr;

        ret->n = 0;
        if (d->silent || !dns_name_ok(name))
                return d->silent ? DNS_SILENT : DNS_NOTHING;
        int len = res_nquery(&d->state, name, ns_c_in, TYPES[t], d->message, sizeof d->message);
        if (len < 0) {
                int e = d->state.res_h_errno;
                if (e == HOST_NOT_FOUND || e == NO_DATA)
                        return DNS_NOTHING;
                d->silent = true;
                return DNS_SILENT;
        }
        if (ns_initparse(d->message, len, &m) < 0)
                return DNS_NOTHING;
        for (int i = 0; i < ns_msg_count(m, ns_s_an) && ret->n < DNS_ANSWERS; i++)
                if (ns_parserr(&m, ns_s_an, i, &rr) == 0 && (int)ns_rr_type(rr) == TYPES[t] &&
                    take(t, &m, &rr, ret->v[ret->n]))
                        ret->n++;
        return ret->n > 0 ? DNS_FOUND : DNS_NOTHING;
}

/* ---- names and addresses ---- */

bool dns_name_ok(const char *s)
{
        size_t len = strlen(s);

        return len > 0 && len < 254 && *s != '.' &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                       len;
}

static int parse(const char *s, unsigned char bytes[16])
{
        if (inet_pton(AF_INET, s, bytes) == 1)
                return 4;
        return inet_pton(AF_INET6, s, bytes) == 1 ? 16 : 0;
}

int dns_reverse(const char *address, char *ret, size_t size)
{
        unsigned char b[16];
        size_t used = 0;
        int n = parse(address, b);

        if (n == 0 || size < 80)
                return -EINVAL;
        if (n == 4) {
                snprintf(ret, size, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
                return 0;
        }
        for (int i = 15; i >= 0; i--)
                used += (size_t)snprintf(ret + used, size - used, "%x.%x.", b[i] & 15U, b[i] >> 4U);
        snprintf(ret + used, size - used, "ip6.arpa");
        return 0;
}

bool dns_same_address(const char *a, const char *b)
{
        unsigned char x[16], y[16];
        int n = parse(a, x);

        return n > 0 && n == parse(b, y) && memcmp(x, y, (size_t)n) == 0;
}
