/* What a visitor may send to the gates, by the first byte: T, a ticket that was issued with fields
 * from the input and then changed as the input says (a changed one must never be believed, an
 * unchanged one says what it said); R, any text as a ticket; A, any answer to a genuine ticket at
 * each gate; I, any invite code. And K: any file as the portal's keys. */
#include "signup/gate/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1790000000, TTL = 600 };

static struct keys *keys;
static struct invites invites;
static struct gate gate;

static void tear_down(void)
{
        spent_free(gate.spent);
        db_free(invites.db);
        keys_free(keys);
}

static void set_up(void)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        const struct db_config nowhere = { .socket = "/nonexistent/socket", .user = "nobody" };
        struct spent *s = NULL;

        if (keys_parse("the key of the fuzzer, long enough for it\n"
                       "an older key of the fuzzer, also long enough",
                       "keys", &keys, &error) < 0 ||
            db_new(&nowhere, &invites.db) < 0 || spent_memory_new(1000, &s) < 0)
                abort();
        invites.keys = keys;
        gate = (struct gate){ .keys = keys,
                              .spent = s,
                              .invites = &invites,
                              .kinds = ~0u,
                              .bind = "fuzz",
                              .ttl = TTL };
        atexit(tear_down);
}

static char *text_of(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        return text;
}

/* ---- T, R ---- */

/* Four bytes of fields; then the payload's length and the payload; then pairs of place and change.
 */
static void changed(const uint8_t *data, size_t size)
{
        struct ticket t = { .kind = TICKET_FORM }, have;
        char text[TICKET_TEXT], issued[TICKET_TEXT];

        if (size < 5)
                return;
        t.kind = (enum ticket_kind)(data[0] % TICKET_KIND_COUNT_);
        t.count = (unsigned)(data[1] << 8 | data[2]);
        memset(t.locale, 'a' + data[3] % 26, data[3] % TICKET_LOCALE);
        t.payload_len = MIN((size_t)data[4] % (TICKET_PAYLOAD + 1), size - 5);
        memcpy(t.payload, data + 5, t.payload_len);
        if (ticket_issue(keys, &t, "fuzz", NOW, issued) < 0)
                abort();
        memcpy(text, issued, sizeof text);
        size_t len = strlen(text);
        for (size_t i = 5 + t.payload_len; i + 1 < size; i += 2)
                text[data[i] % len] ^= (char)data[i + 1];

        const struct ticket_rule rule = { t.kind, 0, TTL, "fuzz" };
        enum ticket_end end = ticket_read(keys, text, &rule, NOW, &have);
        if (strcmp(text, issued) != 0) {
                if (end != TICKET_MALFORMED && end != TICKET_FORGED)
                        abort();
                return;
        }
        if (end != TICKET_OK || have.kind != t.kind || have.count != t.count ||
            strcmp(have.locale, t.locale) != 0 || have.payload_len != t.payload_len ||
            memcmp(have.payload, t.payload, t.payload_len) != 0)
                abort();
}

static void any_ticket(const uint8_t *data, size_t size)
{
        char *text = text_of(data, size);
        struct ticket t;

        for (enum gate_kind kind = 0; kind <= GATE_KIND_COUNT_; kind++) {
                enum gate_end end = gate_try(&gate, &(struct gate_try){ kind, text, "x" }, NOW, &t);
                if (end != GATE_MALFORMED && end != GATE_FORGED && end != GATE_UNKNOWN)
                        abort();
        }
        free(text);
}

/* ---- A, I, K ---- */

static void answer(const uint8_t *data, size_t size)
{
        char *text = text_of(data, size), form[TICKET_TEXT];
        static int64_t now = NOW; /* goes on, so that the spent set never stays full */
        struct ticket t;

        now += 2 * TTL;

        for (enum gate_kind kind = GATE_IMAGE; kind <= GATE_INVITE; kind++) {
                if (gate_form(&gate, "de-de", 8, now, form) < 0)
                        abort();
                enum gate_end end =
                        gate_try(&gate, &(struct gate_try){ kind, form, text }, now, &t);
                if (end == GATE_DOWN && kind == GATE_INVITE) /* there is no database */
                        continue;
                if (end != GATE_WRONG && !(end == GATE_PASSED && size > 0))
                        abort();
        }
        free(text);
}

static void code(const uint8_t *data, size_t size)
{
        char *text = text_of(data, size);
        struct invite v;

        int r = invite_claim(&invites, text, (const unsigned char *)"the fuzzer's own", NOW + 60,
                             NOW, &v);
        if (r != -ENOENT && r != -EHOSTUNREACH)
                abort();
        free(text);
}

static void key_file(const uint8_t *data, size_t size)
{
        CLEANUP(buf_done) struct buf error = BUF(1024);
        char *text = text_of(data, size);
        struct keys *k = NULL;

        int r = keys_parse(text, "keys", &k, &error);
        if (r == 0 && (keys_count(k) == 0 || keys_count(k) > KEYS_MAX ||
                       keys_find(k, keys_id(k, keys_count(k) - 1)) != (int)keys_count(k) - 1))
                abort();
        if (r < 0 && (k || error.len == 0))
                abort();
        keys_free(k);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct {
                char letter;
                void (*run)(const uint8_t *data, size_t size);
        } PARTS[] = {
                { 'T', changed }, { 'R', any_ticket }, { 'A', answer },
                { 'I', code },    { 'K', key_file },
        };

        if (!keys)
                set_up();
        for (size_t i = 0; size > 0 && i < ARRAY_SIZE(PARTS); i++)
                if (PARTS[i].letter == (char)data[0])
                        PARTS[i].run(data + 1, size - 1);
        return 0;
}
