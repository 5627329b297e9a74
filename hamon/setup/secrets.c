/* SECRETS[], and randomness. */
#include "hamon/setup/secrets.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define AT(field) offsetof(struct config, field)

const struct secret_row SECRETS[] = {
        { "what the nodes know each other by", AT(cluster.secret_file), NULL },
        { "hamon's password in the database", AT(galera.password_file), NULL },
};

const size_t N_SECRETS = ARRAY_SIZE(SECRETS);

const char *secret_path(const struct secret_row *row, const struct config *c)
{
        const char *path = *(char *const *)(const void *)((const char *)c + row->offset);

        return path ? path : "";
}

static int random_bytes(unsigned char *dst, size_t n)
{
        return getrandom(dst, n, 0) == (ssize_t)n ? 0 : -EIO;
}

int secret_make(char ret[SECRET_TEXT])
{
        unsigned char bytes[(SECRET_TEXT - 2) / 2];

        int r = random_bytes(bytes, sizeof bytes);
        if (r < 0)
                return r;
        hex_text(bytes, sizeof bytes, ret);
        ret[SECRET_TEXT - 2] = '\n';
        ret[SECRET_TEXT - 1] = '\0';
        explicit_bzero(bytes, sizeof bytes);
        return 0;
}

int secret_uuid(char ret[UUID_TEXT])
{
        unsigned char b[16];
        char hex[33];

        int r = random_bytes(b, sizeof b);
        if (r < 0)
                return r;
        b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
        b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
        hex_text(b, sizeof b, hex);
        snprintf(ret, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                 hex + 20);
        return 0;
}
