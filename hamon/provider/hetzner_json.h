/* The answers of the Hetzner Cloud API as plain structs. Pure: bytes in, structs out; what is
 * absent or of another type is -EBADMSG where a decision hangs on it, so that half an answer can
 * never prove that a volume is free. */
#pragma once

#include "hamon/provider/provider.h"
#include "lib/buf.h"

enum hetzner_action_status { HETZNER_RUNNING, HETZNER_SUCCESS, HETZNER_ERROR };

struct hetzner_error {
        char code[48];     /* the API's word: "locked"; "" = none */
        char message[128]; /* made printable */
};

struct hetzner_action {
        char id[PROVIDER_ID_SIZE];
        enum hetzner_action_status status; /* this decides; the API fills `error` at success too */
        struct hetzner_error error;        /* empty unless status is HETZNER_ERROR */
};

/* Decimal digits, as ids are: they go into URLs. */
bool hetzner_json_is_id(const char *s);

int hetzner_json_volume(const char *json, size_t len, struct provider_volume *ret);
int hetzner_json_ip(const char *json, size_t len, struct provider_ip *ret);
/* {"server":…}, or {"servers":[…]} with exactly one; -ENOENT: none, -EEXIST: several. */
int hetzner_json_server(const char *json, size_t len, struct provider_server *ret);
int hetzner_json_action(const char *json, size_t len, struct hetzner_action *ret);

/* What an answer that is no success means; the HTTP status stands in where the body says nothing.
 */
void hetzner_json_error(int status, const char *json, size_t len, struct hetzner_error *ret);

/* From the answer to GET /volumes/ID the body of the PUT that sets one label and keeps the others
 * (the API replaces them all). */
int hetzner_json_labelled(const char *json, size_t len, const char *value, struct buf *out);
