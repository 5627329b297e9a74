/* Mailcow's certificate as it lies in its directory: each node serves its own copy of it. */
#include "hamon/doctor/doctor.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { SOON_DAYS = 14 };

static void free_cert(X509 **c)
{
        X509_free(*c);
}

static void free_key(EVP_PKEY **k)
{
        EVP_PKEY_free(*k);
}

static X509 *read_cert(const char *path)
{
        CLEANUP(fclosep) FILE *file = fopen(path, "re");

        return file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
}

/* No passphrase is ever asked for: "" fits none. */
static EVP_PKEY *read_key(const char *path)
{
        CLEANUP(fclosep) FILE *file = fopen(path, "re");

        return file ? PEM_read_PrivateKey(file, NULL, NULL, (void *)(uintptr_t) "") : NULL;
}

static int days_left(const X509 *c)
{
        int days = 0, seconds = 0;

        if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(c)))
                return -1;
        return days > 0 || (days == 0 && seconds > 0) ? days : -1;
}

#define RENEW "on the master: docker compose restart acme-mailcow, then look at its log"

static void judge_days(struct doctor *d, const X509 *c, const char *path)
{
        int days = days_left(c);

        if (days >= SOON_DAYS)
                return;
        struct flaw *f =
                days < 0 ? found(d, F_CERT, "the certificate has expired")
                         : found(d, F_CERT_SOON, "the certificate expires in %d days", days);
        found_at(f, "%s", path);
        found_fix(f, RENEW "; copy data/assets/ssl from the master to this node");
}

static void judge_name(struct doctor *d, X509 *c, const char *path)
{
        const char *name = d->config.probe.name;

        if (!*name || X509_check_host(c, name, strlen(name), 0, NULL) == 1)
                return;
        struct flaw *f = found(d, F_CERT_NAME, "the certificate is not for %s", name);
        found_at(f, "%s", path);
        found_fix(f, RENEW " for why it was not issued for MAILCOW_HOSTNAME");
}

void look_cert(struct doctor *d)
{
        char path[4200], key_path[4200];

        snprintf(path, sizeof path, "%s/data/assets/ssl/cert.pem", d->config.mailcow.dir);
        snprintf(key_path, sizeof key_path, "%s/data/assets/ssl/key.pem", d->config.mailcow.dir);
        CLEANUP(free_cert) X509 *c = read_cert(path);
        if (!c) {
                struct flaw *f = found(d, F_CERT, "there is no certificate that can be read");
                found_at(f, "%s", path);
                found_fix(f, "copy data/assets/ssl from the master, with its modes: rsync -a");
                return;
        }
        judge_days(d, c, path);
        judge_name(d, c, path);
        CLEANUP(free_key) EVP_PKEY *k = read_key(key_path);
        if (k && X509_check_private_key(c, k) == 1)
                return;
        struct flaw *f = found(d, F_CERT_KEY,
                               k ? "the key is another certificate's" : "the key cannot be read");
        found_at(f, "%s", key_path);
        found_fix(f, "copy data/assets/ssl from the master, with its modes: rsync -a");
}
