/* Each field of a proof goes in with its length before it, so that no two different sets of fields
 * look the same. */
#include "hamon/peer_wire.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#define HELLO "hamon-peer 1 "

enum { FIELDS_MAX = 4096 };

int peer_wire_nonce(unsigned char ret[PEER_NONCE])
{
        ssize_t n = getrandom(ret, PEER_NONCE, GRND_NONBLOCK);

        return n == PEER_NONCE ? 0 : n < 0 ? -errno : -EAGAIN;
}

bool peer_wire_name_valid(const char *s)
{
        size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        return len > 0 && len < PEER_NAME && s[len] == '\0';
}

bool peer_wire_text_valid(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s > '~')
                        return false;
        return true;
}

/* ---- proofs ---- */

static void field(struct buf *b, const void *data, size_t len)
{
        const unsigned char head[] = { (unsigned char)(len >> 24), (unsigned char)(len >> 16),
                                       (unsigned char)(len >> 8), (unsigned char)len };

        buf_add(b, head, sizeof head);
        buf_add(b, data, len);
}

static int prove(const struct peer_talk *t, const char *purpose, const char *command,
                 const char *answer, unsigned char ret[PEER_PROOF])
{
        CLEANUP(buf_done) struct buf b = BUF(FIELDS_MAX);
        const char *const texts[] = { HELLO, purpose, t->server, t->client, command, answer };
        unsigned len = 0;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                field(&b, texts[i], strlen(texts[i]));
        field(&b, t->server_nonce, PEER_NONCE);
        field(&b, t->client_nonce, PEER_NONCE);
        if (b.error)
                return b.error;
        if (!HMAC(EVP_sha256(), t->secret, (int)strlen(t->secret), (const unsigned char *)b.data,
                  b.len, ret, &len) ||
            len != PEER_PROOF)
                return -EIO;
        return 0;
}

static int prove_ask(const struct peer_talk *t, const char *command, unsigned char ret[PEER_PROOF])
{
        return prove(t, "ask", command, "", ret);
}

static int prove_answer(const struct peer_talk *t, const char *command, const char *answer,
                        unsigned char ret[PEER_PROOF])
{
        return prove(t, "answer", command, answer, ret);
}

bool peer_wire_ask_proven(const struct peer_talk *t, const struct peer_line *l)
{
        unsigned char want[PEER_PROOF];

        return prove_ask(t, l->text, want) == 0 && CRYPTO_memcmp(want, l->proof, PEER_PROOF) == 0;
}

bool peer_wire_answer_proven(const struct peer_talk *t, const char *command,
                             const struct peer_line *l)
{
        unsigned char want[PEER_PROOF];

        return prove_answer(t, command, l->text, want) == 0 &&
               CRYPTO_memcmp(want, l->proof, PEER_PROOF) == 0;
}

/* ---- lines ---- */

static void add_hex(struct buf *out, const unsigned char *data, size_t n)
{
        for (size_t i = 0; i < n; i++)
                buf_addf(out, "%02x", data[i]);
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly n bytes in hex at *at, which is moved behind them. */
static bool take_hex(const char **at, unsigned char *dst, size_t n)
{
        const char *s = *at;

        for (size_t i = 0; i < n; i++, s += 2) {
                int high = digit(s[0]), low = high < 0 ? -1 : digit(s[1]);
                if (low < 0)
                        return false;
                dst[i] = (unsigned char)(high * 16 + low);
        }
        *at = s;
        return true;
}

static bool take(const char **at, const char *text)
{
        size_t len = strlen(text);

        if (strncmp(*at, text, len) != 0)
                return false;
        *at += len;
        return true;
}

static int end_line(struct buf *out, size_t began)
{
        buf_add(out, "\n", 1);
        return out->error ? out->error : out->len - began > PEER_LINE ? -EFBIG : 0;
}

int peer_wire_hello(struct buf *out, const struct peer_talk *t)
{
        size_t began = out->len;

        buf_adds(out, HELLO);
        add_hex(out, t->server_nonce, PEER_NONCE);
        return end_line(out, began);
}

int peer_wire_ask(struct buf *out, const struct peer_talk *t, const char *command)
{
        unsigned char proof[PEER_PROOF];
        size_t began = out->len;

        if (!*command || !peer_wire_text_valid(command) || !peer_wire_name_valid(t->client))
                return -EINVAL;
        int r = prove_ask(t, command, proof);
        if (r < 0)
                return r;
        buf_addf(out, "%s ", t->client);
        add_hex(out, t->client_nonce, PEER_NONCE);
        buf_add(out, " ", 1);
        add_hex(out, proof, PEER_PROOF);
        buf_addf(out, " %s", command);
        return end_line(out, began);
}

int peer_wire_answer(struct buf *out, const struct peer_talk *t, const char *command,
                     const char *answer)
{
        unsigned char proof[PEER_PROOF];
        size_t began = out->len;

        if (!peer_wire_text_valid(answer))
                return -EINVAL;
        int r = prove_answer(t, command, answer, proof);
        if (r < 0)
                return r;
        add_hex(out, proof, PEER_PROOF);
        buf_addf(out, " %s", answer);
        return end_line(out, began);
}

int peer_wire_parse_hello(const char *line, unsigned char ret_nonce[PEER_NONCE])
{
        unsigned char nonce[PEER_NONCE];

        if (!take(&line, HELLO) || !take_hex(&line, nonce, PEER_NONCE) || *line)
                return -EBADMSG;
        memcpy(ret_nonce, nonce, PEER_NONCE);
        return 0;
}

int peer_wire_parse_ask(const char *line, struct peer_line *ret)
{
        struct peer_line l = { .text = NULL };
        size_t len = strcspn(line, " ");

        if (len >= sizeof l.name)
                return -EBADMSG;
        memcpy(l.name, line, len);
        line += len;
        if (!peer_wire_name_valid(l.name) || !take(&line, " ") ||
            !take_hex(&line, l.nonce, PEER_NONCE) || !take(&line, " ") ||
            !take_hex(&line, l.proof, PEER_PROOF) || !take(&line, " ") || !*line ||
            !peer_wire_text_valid(line))
                return -EBADMSG;
        l.text = line;
        *ret = l;
        return 0;
}

int peer_wire_parse_answer(const char *line, struct peer_line *ret)
{
        struct peer_line l = { .text = NULL };

        if (!take_hex(&line, l.proof, PEER_PROOF) || !take(&line, " ") ||
            !peer_wire_text_valid(line))
                return -EBADMSG;
        l.text = line;
        *ret = l;
        return 0;
}
