/* What the world knows of the service address: name, way back, mail exchangers, who may send. The
 * domains are those that Mailcow serves. */
#include "hamon/ask.h"
#include "hamon/doctor/dns.h"
#include "hamon/doctor/doctor.h"
#include "hamon/doctor/spf.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DOMAINS = 12, NAME = 254, CONNECT_MS = 1500, ANSWER_MS = 3000 };

struct dns_look {
        struct doctor *d;
        struct dns *dns;
        const char *host; /* MAILCOW_HOSTNAME */
        struct dns_answer answer;
        char domains[DOMAINS][NAME];
        size_t n_domains;
};

static const char *service_address(const struct config *c, size_t i, char *dst, size_t size)
{
        snprintf(dst, size, "%.*s", (int)strcspn(c->ip.address.v[i], "/"), c->ip.address.v[i]);
        return dst;
}

static bool is_ours(const struct config *c, const char *address)
{
        char own[64];

        for (size_t i = 0; i < c->ip.address.n; i++)
                if (dns_same_address(service_address(c, i, own, sizeof own), address))
                        return true;
        return false;
}

/* ---- the host ---- */

static void look_host(struct dns_look *k, const char *address)
{
        enum dns_type t = strchr(address, ':') ? DNS_AAAA : DNS_A;

        if (dns_ask(k->dns, k->host, t, &k->answer) == DNS_SILENT)
                return;
        for (size_t i = 0; i < k->answer.n; i++)
                if (dns_same_address(k->answer.v[i], address))
                        return;
        struct flaw *f = found(k->d, F_DNS_HOST, "%s does not lead to %s", k->host, address);
        found_at(f, "DNS, %s of %s", t == DNS_A ? "A" : "AAAA", k->host);
        found_fix(f, "%s. 300 IN %s %s", k->host, t == DNS_A ? "A" : "AAAA", address);
}

static void look_extra(struct dns_look *k, enum dns_type t)
{
        if (dns_ask(k->dns, k->host, t, &k->answer) != DNS_FOUND)
                return;
        for (size_t i = 0; i < k->answer.n; i++) {
                if (is_ours(&k->d->config, k->answer.v[i]))
                        continue;
                struct flaw *f =
                        found(k->d, F_DNS_EXTRA, "%s also leads to %s, which is no service address",
                              k->host, k->answer.v[i]);
                found_at(f, "DNS, %s of %s", t == DNS_A ? "A" : "AAAA", k->host);
                found_fix(f, "take that record out, or make the address a floating one and name it "
                             "in [ip] address");
        }
}

static void look_reverse(struct dns_look *k, const char *address)
{
        char name[80];

        if (dns_reverse(address, name, sizeof name) < 0 ||
            dns_ask(k->dns, name, DNS_PTR, &k->answer) == DNS_SILENT)
                return;
        for (size_t i = 0; i < k->answer.n; i++)
                if (strcasecmp(k->answer.v[i], k->host) == 0)
                        return;
        struct flaw *f = found(k->d, F_DNS_PTR, "%s leads back to %s, not to %s", address,
                               k->answer.n > 0 ? k->answer.v[0] : "nothing", k->host);
        found_at(f, "DNS, PTR of %s", name);
        if (k->d->config.ip.provider == CONFIG_HETZNER)
                found_fix(f,
                          "hcloud floating-ip set-rdns --ip %s --hostname %s ID (hcloud "
                          "floating-ip list)",
                          address, k->host);
        else
                found_fix(f, "%s. IN PTR %s. (the owner of the address sets it)", name, k->host);
}

/* ---- the domains ---- */

static void on_domain(void *arg, const char *const *values, unsigned columns)
{
        struct dns_look *k = arg;

        if (columns > 0 && values[0] && k->n_domains < DOMAINS && dns_name_ok(values[0]) &&
            str_copy(k->domains[k->n_domains], NAME, values[0]))
                k->n_domains++;
}

static void read_domains(struct dns_look *k)
{
        const struct config *c = &k->d->config;
        const struct mailcow *m = &k->d->mailcow;
        const struct sql_config sc = { .socket = c->galera.socket,
                                       .host = c->galera.host,
                                       .port = (unsigned)c->galera.port,
                                       .user = m->dbuser,
                                       .password = m->dbpass,
                                       .database = m->dbname,
                                       .connect = CONNECT_MS,
                                       .answer = ANSWER_MS };
        struct ask_sql a;

        if (*m->dbuser)
                ask_sql(&sc,
                        "SELECT domain FROM domain WHERE active=1 AND backupmx=0 ORDER BY domain "
                        "LIMIT 12",
                        on_domain, k, &a);
}

/* A mail exchanger is ours by its name or by its address. */
static bool leads_here(struct dns_look *k, const char *exchanger)
{
        if (strcasecmp(exchanger, k->host) == 0)
                return true;
        CLEANUP(freep) struct dns_answer *a = calloc(1, sizeof *a);
        for (int t = DNS_A; a && t <= DNS_AAAA; t++) {
                dns_ask(k->dns, exchanger, (enum dns_type)t, a);
                for (size_t i = 0; i < a->n; i++)
                        if (is_ours(&k->d->config, a->v[i]))
                                return true;
        }
        return false;
}

static void look_mx(struct dns_look *k, const char *domain)
{
        enum dns_end e = dns_ask(k->dns, domain, DNS_MX, &k->answer);
        bool ours = e == DNS_NOTHING && leads_here(k, domain);

        for (size_t i = 0; e == DNS_FOUND && !ours && i < k->answer.n; i++)
                ours = leads_here(k, k->answer.v[i]);
        if (ours || dns_silent(k->dns))
                return;
        struct flaw *f = found(k->d, F_DNS_MX, "mail for %s goes to %s", domain,
                               k->answer.n > 0 ? k->answer.v[0] : "nobody");
        found_at(f, "DNS, MX of %s", domain);
        found_fix(f, "%s. 3600 IN MX 10 %s.", domain, k->host);
}

static enum dns_end ask_for_spf(void *arg, const char *name, enum dns_type t,
                                struct dns_answer *ret)
{
        struct dns_look *k = arg;

        return dns_ask(k->dns, name, t, ret);
}

/* True: the same would be said of the next address. */
static bool look_spf(struct dns_look *k, const char *domain, const char *address)
{
        static const char *const WORDS[] = {
                [SPF_NONE] = "has no SPF record",
                [SPF_NOT] = "has an SPF record that does not allow",
                [SPF_BROKEN] = "has a broken SPF (two records, or too many look-ups)"
        };
        struct spf s = { .ask = ask_for_spf, .arg = k, .address = address };
        enum spf_result r = spf_check(&s, domain);

        if (r == SPF_PASS || r == SPF_UNSURE)
                return false;
        struct flaw *f = found(k->d, F_DNS_SPF, "%s %s%s%s", domain, WORDS[r],
                               r == SPF_NOT ? " " : "", r == SPF_NOT ? address : "");
        found_at(f, "DNS, TXT of %s", domain);
        found_fix(f,
                  "%s. 3600 IN TXT \"v=spf1 mx %s:%s -all\" (one record, with what else may send)",
                  domain, strchr(address, ':') ? "ip6" : "ip4", address);
        return r != SPF_NOT;
}

static void look_dmarc(struct dns_look *k, const char *domain)
{
        char name[NAME + 8];

        for (const char *part = domain; part && strchr(part, '.'); part = strchr(part, '.') + 1) {
                snprintf(name, sizeof name, "_dmarc.%s", part);
                if (dns_ask(k->dns, name, DNS_TXT, &k->answer) == DNS_SILENT)
                        return;
                for (size_t i = 0; i < k->answer.n; i++)
                        if (strncasecmp(k->answer.v[i], "v=DMARC1", 8) == 0)
                                return;
        }
        struct flaw *f = found(k->d, F_DNS_DMARC, "%s has no DMARC record", domain);
        found_at(f, "DNS, TXT of _dmarc.%s", domain);
        found_fix(f, "_dmarc.%s. 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@%s\"",
                  domain, domain);
}

static void look_all(struct dns_look *k)
{
        const struct config *c = &k->d->config;
        char address[64];

        for (size_t i = 0; i < c->ip.address.n; i++) {
                service_address(c, i, address, sizeof address);
                look_host(k, address);
                look_reverse(k, address);
        }
        look_extra(k, DNS_A);
        look_extra(k, DNS_AAAA);
        read_domains(k);
        for (size_t i = 0; i < k->n_domains && !dns_silent(k->dns); i++) {
                look_mx(k, k->domains[i]);
                for (size_t n = 0; n < c->ip.address.n; n++)
                        if (look_spf(k, k->domains[i],
                                     service_address(c, n, address, sizeof address)))
                                break;
                look_dmarc(k, k->domains[i]);
        }
        if (!dns_silent(k->dns))
                return;
        struct flaw *f = found(k->d, F_DNS_SILENT, "the resolver does not answer");
        found_at(f, "/etc/resolv.conf");
        found_fix(f, "resolvectl status; dig %s", k->host);
}

void look_dns(struct doctor *d)
{
        if (d->config.ip.address.n == 0 || !dns_name_ok(d->config.probe.name))
                return;
        struct dns_look *k = calloc(1, sizeof *k);
        if (!k)
                return;
        k->d = d;
        k->host = d->config.probe.name;
        if (dns_new(&k->dns) == 0)
                look_all(k);
        dns_free(k->dns);
        free(k);
}
