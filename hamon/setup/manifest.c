/* "DIGEST PATH" a line; replaced as a whole, on disk when it returns. */
#include "hamon/setup/manifest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { FILE_MAX = 128 * 1024, BINARY = 32, DIGITS = MANIFEST_DIGEST - 1 };

static const char HEAD[] = "# What hamon init wrote here; hamon init --undo takes it away.\n";

void manifest_digest(const void *data, size_t len, char ret[MANIFEST_DIGEST])
{
        unsigned char binary[EVP_MAX_MD_SIZE] = { 0 };

        EVP_Digest(data, len, binary, NULL, EVP_sha256(), NULL);
        hex_text(binary, BINARY, ret);
}

const struct manifest_entry *manifest_find(const struct manifest *m, const char *path)
{
        for (size_t i = 0; i < m->n; i++)
                if (str_eq(m->entries[i].path, path))
                        return &m->entries[i];
        return NULL;
}

int manifest_set(struct manifest *m, const char *path, const char digest[MANIFEST_DIGEST])
{
        size_t i = 0;

        while (i < m->n && !str_eq(m->entries[i].path, path))
                i++;
        if (i == MANIFEST_MAX || strlen(path) >= sizeof m->entries[i].path || strchr(path, '\n'))
                return -ENAMETOOLONG;
        str_copy(m->entries[i].path, sizeof m->entries[i].path, path);
        str_copy(m->entries[i].digest, sizeof m->entries[i].digest, digest);
        m->n = MAX(m->n, i + 1);
        return 0;
}

void manifest_drop(struct manifest *m, const char *path)
{
        for (size_t i = 0; i < m->n; i++)
                if (str_eq(m->entries[i].path, path)) {
                        memmove(&m->entries[i], &m->entries[i + 1],
                                (m->n - i - 1) * sizeof m->entries[i]);
                        m->n--;
                        return;
                }
}

static int parse_line(struct manifest *m, const char *line, size_t len)
{
        char digest[MANIFEST_DIGEST], path[sizeof m->entries[0].path];
        size_t path_len = len > DIGITS ? len - DIGITS - 1 : 0;

        if (path_len == 0 || path_len >= sizeof path || line[DIGITS] != ' ' ||
            strspn(line, "0123456789abcdef") != DIGITS || line[DIGITS + 1] != '/')
                return -EINVAL;
        memcpy(digest, line, DIGITS);
        digest[DIGITS] = '\0';
        memcpy(path, line + DIGITS + 1, path_len);
        path[path_len] = '\0';
        return manifest_set(m, path, digest);
}

int manifest_load(const char *file, struct manifest *ret, struct buf *errors)
{
        CLEANUP(freep) char *text = NULL;
        int r = read_file(file, FILE_MAX, &text, NULL);
        unsigned number = 0;

        ret->n = 0;
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                buf_addf(errors, "%s: %s\n", file, strerror(-r));
                return r;
        }
        for (const char *p = text; *p;) {
                size_t len = strcspn(p, "\n");
                number++;
                if (len > 0 && *p != '#' && parse_line(ret, p, len) < 0) {
                        buf_addf(errors, "%s:%u: not as hamon init writes it; move the file away\n",
                                 file, number);
                        return -EINVAL;
                }
                p += len + (p[len] == '\n');
        }
        return 0;
}

int manifest_save(const char *file, const struct manifest *m)
{
        CLEANUP(buf_done) struct buf text = BUF(FILE_MAX);

        buf_adds(&text, HEAD);
        for (size_t i = 0; i < m->n; i++)
                buf_addf(&text, "%s %s\n", m->entries[i].digest, m->entries[i].path);
        int r = text.error ? text.error : make_parents(file);
        return r < 0 ? r : write_file_durable(file, 0600, buf_str(&text), text.len);
}
