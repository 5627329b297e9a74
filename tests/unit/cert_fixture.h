/* Certificates made on the spot: signed by themselves, for one name, for some days. */
#pragma once

#include "tests/unit/harness.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { CERT_DAY = 86400 };

/* A server's context with it; `pem` (may be NULL) is a file whoever trusts it reads. */
static inline SSL_CTX *cert_context(const char *name, long from_days, long to_days, const char *pem)
{
        SSL_CTX *c = SSL_CTX_new(TLS_server_method());
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        char alt[300];

        assert_true(c && key && x);
        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), from_days * CERT_DAY);
        X509_gmtime_adj(X509_getm_notAfter(x), to_days * CERT_DAY);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1, 0);
        X509_set_issuer_name(x, X509_get_subject_name(x));
        snprintf(alt, sizeof alt, "DNS:%s,IP:127.0.0.1", name);
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
        assert_true(e && X509_add_ext(x, e, -1));
        X509_EXTENSION_free(e);
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(c, key), 1);
        if (pem) {
                CLEANUP(fclosep) FILE *f = fopen(pem, "we");
                assert_true(f && PEM_write_X509(f, x));
        }
        X509_free(x);
        EVP_PKEY_free(key);
        return c;
}
