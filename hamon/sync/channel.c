/* OpenSSL on a socket that does not block, and poll(2) between its wishes. A frame is a letter, a
 * length of four bytes, and so many bytes. */
#include "hamon/sync/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT_MAX = 256 * 1024, OUT_FULL = 128 * 1024, HEAD = 5 };

struct channel {
        int fd;
        SSL_CTX *ctx;
        SSL *ssl;
        msec_t deadline; /* CLOCK_BOOTTIME */
        struct buf out;

        /* the handshake */
        const struct key_ring *ring;
        size_t which;
        const char *client, *server; /* client: NULL at the server, it is to be heard */
        char identity[KEY_IDENTITY];
        char heard[64];
};

void channel_free(struct channel *c)
{
        if (!c)
                return;
        SSL_free(c->ssl);
        SSL_CTX_free(c->ctx);
        closep(&c->fd);
        buf_wipe(&c->out);
        free(c);
}

/* ---- the key ---- */

static SSL_SESSION *session_of(SSL *ssl, const unsigned char key[KEY_BYTES])
{
        static const unsigned char AES_256_GCM_SHA384[] = { 0x13, 0x02 };
        const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, AES_256_GCM_SHA384);
        SSL_SESSION *s = SSL_SESSION_new();

        if (s && cipher && SSL_SESSION_set1_master_key(s, key, KEY_BYTES) == 1 &&
            SSL_SESSION_set_cipher(s, cipher) == 1 &&
            SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
                return s;
        SSL_SESSION_free(s);
        return NULL;
}

static int offer_key(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
                     SSL_SESSION **ret)
{
        struct channel *c = SSL_get_app_data(ssl);
        unsigned char key[KEY_BYTES];

        (void)md; /* we have but one cipher */
        *ret = NULL;
        if (key_derive(c->ring, c->which, c->client, c->server, key) == 0)
                *ret = session_of(ssl, key);
        explicit_bzero(key, sizeof key);
        *id = (const unsigned char *)c->identity;
        *len = strlen(c->identity);
        return *ret != NULL;
}

static int find_key(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **ret)
{
        struct channel *c = SSL_get_app_data(ssl);
        unsigned char key[KEY_BYTES];

        *ret = NULL;
        int r = key_of(c->ring, c->server, id, len, key, c->heard, sizeof c->heard);
        if (r == 0)
                *ret = session_of(ssl, key);
        explicit_bzero(key, sizeof key);
        return r == -ENOKEY ||
               *ret; /* none of ours: the handshake fails, for we have nothing else */
}

/* ---- waiting ---- */

/* What a call of OpenSSL says: 0 = try again, the socket is ready; else why it cannot go on. */
static int go_on(struct channel *c, int ret)
{
        int why = SSL_get_error(c->ssl, ret);
        struct pollfd p = { .fd = c->fd };

        if (why == SSL_ERROR_ZERO_RETURN)
                return -ECONNRESET;
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                return why == SSL_ERROR_SYSCALL ? -ECONNRESET : -EPROTO;
        p.events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        for (;;) {
                msec_t left = c->deadline - clock_ms();
                if (left <= 0)
                        return -ETIMEDOUT;
                int n = poll(&p, 1, (int)MIN(left, 60000));
                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
        }
}

static int handshake(struct channel *c)
{
        for (;;) {
                ERR_clear_error();
                int n = SSL_do_handshake(c->ssl);
                if (n == 1) /* by our key, and by nothing else */
                        return SSL_session_reused(c->ssl) == 1 ? 0 : -EACCES;
                int r = go_on(c, n);
                if (r < 0)
                        return r == -EPROTO ? -EACCES : r;
        }
}

/* ---- making ---- */

static SSL_CTX *context(bool server)
{
        SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
        uint64_t off = SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;

        if (!ctx)
                return NULL;
        SSL_CTX_set_options(ctx, off);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        if (!server) /* a certificate is never what we want */
                SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
            SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
            SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1) {
                SSL_CTX_set_psk_use_session_callback(ctx, server ? NULL : offer_key);
                SSL_CTX_set_psk_find_session_callback(ctx, server ? find_key : NULL);
                return ctx;
        }
        SSL_CTX_free(ctx);
        return NULL;
}

static int make(int fd, bool server, msec_t deadline, struct channel **ret)
{
        struct channel *c = calloc(1, sizeof *c);
        int flags = fcntl(fd, F_GETFL);

        if (!c) {
                close(fd);
                return -ENOMEM;
        }
        c->fd = fd;
        c->deadline = deadline;
        buf_init(&c->out, OUT_MAX);
        c->ctx = context(server);
        c->ssl = c->ctx ? SSL_new(c->ctx) : NULL;
        if (!c->ssl || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            SSL_set_fd(c->ssl, fd) != 1 || SSL_set_app_data(c->ssl, c) != 1) {
                channel_free(c);
                return -ENOMEM;
        }
        if (server)
                SSL_set_accept_state(c->ssl);
        else
                SSL_set_connect_state(c->ssl);
        *ret = c;
        return 0;
}

static int shake_hands(struct channel *c, struct channel **ret, struct buf *error)
{
        int r = handshake(c);

        c->ring = NULL; /* borrowed for the handshake only */
        if (r == 0) {
                *ret = c;
                return 0;
        }
        buf_adds(error, r == -EACCES      ? "it does not know the cluster's secret, or another one"
                        : r == -ETIMEDOUT ? "it does not answer in time"
                                          : "it hung up while secrets were compared");
        channel_free(c);
        return r;
}

int channel_connect(int fd, const struct key_ring *k, size_t which, const char *client,
                    const char *server, msec_t deadline, struct channel **ret, struct buf *error)
{
        struct channel *c = NULL;

        int r = make(fd, false, deadline, &c);
        if (r == 0 && (r = key_identity(k, which, client, server, c->identity)) < 0)
                channel_free(c);
        if (r < 0) {
                buf_adds(error, strerror(-r));
                return r;
        }
        c->ring = k;
        c->which = which;
        c->client = client;
        c->server = server;
        return shake_hands(c, ret, error);
}

int channel_accept(int fd, const struct key_ring *k, const char *server, msec_t deadline,
                   struct channel **ret, char *ret_client, size_t size, struct buf *error)
{
        struct channel *c = NULL;

        int r = make(fd, true, deadline, &c);
        if (r < 0) {
                buf_adds(error, strerror(-r));
                return r;
        }
        c->ring = k;
        c->server = server;
        r = shake_hands(c, ret, error);
        if (r == 0)
                str_copy(ret_client, size, c->heard);
        return r;
}

/* ---- frames ---- */

int channel_flush(struct channel *c)
{
        size_t sent = 0;

        if (c->out.error)
                return c->out.error;
        while (sent < c->out.len) {
                size_t n = 0;
                ERR_clear_error();
                int ok = SSL_write_ex(c->ssl, c->out.data + sent, c->out.len - sent, &n);
                int r = ok == 1 ? 0 : go_on(c, ok);
                if (r < 0)
                        return r;
                sent += n;
        }
        buf_reset(&c->out);
        return 0;
}

int channel_send(struct channel *c, enum channel_frame frame, const void *data, size_t len)
{
        const unsigned char head[HEAD] = { (unsigned char)frame, (unsigned char)(len >> 24),
                                           (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                                           (unsigned char)len };

        if (len > CHANNEL_FRAME_MAX)
                return -EMSGSIZE;
        buf_add(&c->out, head, sizeof head);
        int r = buf_add(&c->out, data, len);
        return r == 0 && c->out.len >= OUT_FULL ? channel_flush(c) : r;
}

static int read_exactly(struct channel *c, void *to, size_t len)
{
        size_t got = 0;

        while (got < len) {
                size_t n = 0;
                ERR_clear_error();
                int ok = SSL_read_ex(c->ssl, (char *)to + got, len - got, &n);
                int r = ok == 1 ? 0 : go_on(c, ok);
                if (r < 0)
                        return r;
                got += n;
        }
        return 0;
}

int channel_receive(struct channel *c, enum channel_frame *ret_frame, struct buf *payload)
{
        unsigned char head[HEAD] = { 0 }, chunk[4096];

        int r = channel_flush(c);
        if (r == 0)
                r = read_exactly(c, head, sizeof head);
        if (r < 0)
                return r;
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        if (len > CHANNEL_FRAME_MAX || !strchr("HRLIGDE", head[0]) || !head[0])
                return -EBADMSG;
        buf_reset(payload);
        for (size_t n; r == 0 && len > 0; len -= n) {
                n = MIN(len, sizeof chunk);
                r = read_exactly(c, chunk, n);
                if (r == 0)
                        r = buf_add(payload, chunk, n);
        }
        explicit_bzero(chunk, sizeof chunk);
        if (r == 0)
                *ret_frame = (enum channel_frame)head[0];
        return r;
}

void channel_refusal(const struct buf *payload, struct buf *out)
{
        for (size_t i = 0; i < payload->len; i++) {
                unsigned char c = (unsigned char)payload->data[i];
                buf_add(out, c < ' ' || c == 0x7f ? "?" : (const char *)&c, 1);
        }
}

void channel_close(struct channel *c)
{
        if (channel_flush(c) == 0)
                SSL_shutdown(c->ssl);
}
