/* SERVICES[]: over STARTTLS it is lib/mail that says hello; all else is a handshake and no word. */
#include "hamon/web/cert_look.h"

#include "hamon/core/probes.h"
#include "lib/mail.h"
#include <errno.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct cert_reason_row CERT_REASONS[CERT_REASON_COUNT_] = {
        [CERT_OK] = { "ok", "good" },
        [CERT_EXPIRED] = { "expired", "it has run out" },
        [CERT_NOT_YET] = { "not_yet_valid", "it is not good yet" },
        [CERT_EXPIRES_SOON] = { "expires_soon", "it runs out soon" },
        [CERT_WRONG_NAME] = { "wrong_name", "it is for another name" },
        [CERT_UNTRUSTED] = { "untrusted", "nobody this machine trusts has signed it" },
        [CERT_UNREACHABLE] = { "unreachable", "no certificate is shown" },
};

static const struct service {
        enum probe probe;
        enum talk_tls tls;
} SERVICES[CERT_SERVICES_COUNT] = {
        { PROBE_SMTP, TALK_STARTTLS }, { PROBE_SUBMISSION, TALK_STARTTLS },
        { PROBE_SMTPS, TALK_TLS },     { PROBE_IMAPS, TALK_TLS },
        { PROBE_POP3S, TALK_TLS },     { PROBE_HTTPS, TALK_TLS },
};

const char *const CERT_SERVICES[CERT_SERVICES_COUNT] = { "smtp",  "submission", "smtps",
                                                         "imaps", "pop3s",      "https" };

struct cert_look {
        struct loop *loop;
        const struct config *c;
        size_t service;
        cert_fn fn;
        void *arg;
        struct mail *mail;
        struct talk *talk;
        struct cert_facts facts;
};

/* ---- judging ---- */

static int days_between(const ASN1_TIME *end, int64_t now)
{
        ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)now);
        int days = 0, seconds = 0;

        if (!t || ASN1_TIME_diff(&days, &seconds, t, end) != 1)
                days = CERT_UNKNOWN;
        else if (seconds < 0)
                days--; /* a day that has begun is no day left */
        ASN1_TIME_free(t);
        return days;
}

static bool name_fits(X509 *x, const char *name)
{
        if (!*name)
                return true;
        return X509_check_host(x, name, 0, 0, NULL) == 1 || X509_check_ip_asc(x, name, 0) == 1;
}

static enum cert_reason reason_of(X509 *x, long verdict, const char *name, int64_t now,
                                  unsigned soon, int days)
{
        bool other = verdict == X509_V_OK || verdict == X509_V_ERR_CERT_HAS_EXPIRED ||
                     verdict == X509_V_ERR_HOSTNAME_MISMATCH ||
                     verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;

        if (days < 0)
                return CERT_EXPIRED;
        if (days_between(X509_get0_notBefore(x), now) >= 0)
                return CERT_NOT_YET;
        if (!name_fits(x, name))
                return CERT_WRONG_NAME;
        if (!other)
                return CERT_UNTRUSTED;
        return days < (int)soon ? CERT_EXPIRES_SOON : CERT_OK;
}

/* Foreign text, for people: the names it is for. */
static void read_subject(X509 *x, char *ret, size_t size)
{
        char name[200] = "";

        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
        for (char *p = name; *p; p++)
                if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
                        *p = '?';
        str_copy(ret, size, name);
}

void cert_judge(X509 *x, long verdict, const char *name, int64_t now, unsigned soon,
                struct cert_facts *f)
{
        f->days_left = days_between(X509_get0_notAfter(x), now);
        f->reason = reason_of(x, verdict, name, now, soon, f->days_left);
        read_subject(x, f->subject, sizeof f->subject);
        if (f->reason == CERT_UNTRUSTED)
                snprintf(f->message, sizeof f->message, "%s: %s", f->address,
                         X509_verify_cert_error_string(verdict));
        else if (f->reason == CERT_WRONG_NAME)
                snprintf(f->message, sizeof f->message, "%s: it is for %s, not for %s", f->address,
                         *f->subject ? f->subject : "nobody", name);
        else
                snprintf(f->message, sizeof f->message, "%s: %d days left", f->address,
                         f->days_left);
}

/* ---- looking ---- */

void cert_look_free(struct cert_look *k)
{
        if (!k)
                return;
        mail_cancel(k->mail);
        talk_free(k->talk);
        free(k);
}

static void finish(struct cert_look *k, X509 *x, long verdict, const char *why)
{
        struct cert_facts *f = &k->facts;

        f->reason = CERT_UNREACHABLE;
        f->days_left = CERT_UNKNOWN;
        str_copy(f->message, sizeof f->message, why);
        if (x)
                cert_judge(x, verdict, k->c->probe.name, time(NULL),
                           (unsigned)k->c->canary.certificate_days, f);
        k->fn(k->arg, k->service, f);
        cert_look_free(k);
}

static void on_hello(void *arg, const struct mail_result *r)
{
        struct cert_look *k = arg;

        k->mail = NULL;
        finish(k, r->certificate, r->verdict, r->message);
}

static void on_open(void *arg)
{
        struct cert_look *k = arg;
        X509 *x = talk_certificate(k->talk);
        long verdict = talk_verdict(k->talk);

        finish(k, x, verdict, "it shows none");
        X509_free(x);
}

static bool on_line(void *arg, const char *line, size_t len)
{
        (void)arg;
        (void)line;
        (void)len;
        return false;
}

static void on_end(void *arg, int error, enum talk_stage stage, const char *why)
{
        (void)error;
        (void)stage;
        finish(arg, NULL, 0, why);
}

static int ask_mail(struct cert_look *k, const char *address, unsigned port, const char *host)
{
        const struct mail_server s = { .host = host,
                                       .address = address,
                                       .port = port,
                                       .tls = TALK_STARTTLS,
                                       .judge = true,
                                       .helo = k->c->probe.name,
                                       .timeout = k->c->canary.timeout };

        return mail_send(k->loop, &s, NULL, on_hello, k, NULL, &k->mail);
}

static int ask_talk(struct cert_look *k, const char *address, unsigned port, const char *host)
{
        const struct talk_config c = { .host = host,
                                       .address = address,
                                       .port = port,
                                       .tls = TALK_TLS,
                                       .judge = true,
                                       .timeout = k->c->canary.timeout,
                                       .arg = k,
                                       .on_open = on_open,
                                       .on_line = on_line,
                                       .on_end = on_end };

        return talk_new(k->loop, &c, &k->talk);
}

int cert_look_new(struct loop *l, const struct config *c, size_t service, cert_fn fn, void *arg,
                  struct cert_look **ret)
{
        const struct service *row = &SERVICES[service];
        const char *host = row->probe == PROBE_HTTPS && *c->probe.https_host ? c->probe.https_host
                                                                             : c->probe.host;
        char address[64];
        unsigned port;

        if (!config_probe_on(c, row->probe))
                return -ENOENT;
        int r = config_probe_where(config_probe_value(c, row->probe), host, address, sizeof address,
                                   &port);
        if (r < 0)
                return r;
        struct cert_look *k = calloc(1, sizeof *k);
        if (!k)
                return -ENOMEM;
        k->loop = l;
        k->c = c;
        k->service = service;
        k->fn = fn;
        k->arg = arg;
        str_copy(k->facts.service, sizeof k->facts.service, CERT_SERVICES[service]);
        snprintf(k->facts.address, sizeof k->facts.address,
                 strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
        const char *name = *c->probe.name ? c->probe.name : address;
        r = row->tls == TALK_STARTTLS ? ask_mail(k, address, port, name)
                                      : ask_talk(k, address, port, name);
        if (r < 0) {
                cert_look_free(k);
                return r;
        }
        *ret = k;
        return 0;
}
