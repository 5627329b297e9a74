/* Every answer of the Hetzner API through every parser: whatever comes, what is taken from it is
 * one line of printable text, ids are digits, and what decides is one of its words. */
#include "hamon/provider/hetzner_json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

static bool printable(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s > '~')
                        return false;
        return true;
}

static bool holder(const char *s)
{
        return !*s || hetzner_json_is_id(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *s = (const char *)data;
        CLEANUP(buf_done) struct buf out = BUF(1024);
        struct provider_volume v;
        struct provider_ip ip;
        struct provider_server server;
        struct hetzner_action a;
        struct hetzner_error e;

        if (hetzner_json_volume(s, size, &v) == 0)
                must(hetzner_json_is_id(v.id) && holder(v.server) && printable(v.status) &&
                     printable(v.location) && printable(v.label) && printable(v.device) &&
                     (!*v.device || strncmp(v.device, "/dev/", 5) == 0));
        if (hetzner_json_ip(s, size, &ip) == 0)
                must(hetzner_json_is_id(ip.id) && holder(ip.server) && printable(ip.address));
        if (hetzner_json_server(s, size, &server) == 0)
                must(hetzner_json_is_id(server.id) && printable(server.name) &&
                     printable(server.status) && printable(server.location));
        if (hetzner_json_action(s, size, &a) == 0)
                must(hetzner_json_is_id(a.id) && a.status <= HETZNER_ERROR &&
                     printable(a.error.code) && printable(a.error.message) &&
                     (a.status == HETZNER_ERROR) == (a.error.code[0] != '\0'));
        hetzner_json_error(size ? 400 + data[0] : 500, s, size, &e);
        must(*e.code && printable(e.code) && printable(e.message));
        hetzner_json_labelled(s, size, "v", &out);
        return 0;
}
