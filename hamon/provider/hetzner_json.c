/* Parsing for hetzner_json.h, with cJSON. Numbers are doubles there: ids beyond 2^53 are refused
 * rather than rounded. */
#include "hamon/provider/hetzner_json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define LABEL "hamon"

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static const cJSON *field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *field_str(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(field(o, name));

        return s ? s : "";
}

/* What comes from outside goes into logs: one line of printable ASCII. */
static void copy_text(char *dst, size_t size, const char *src)
{
        size_t n = 0;

        for (; *src && n + 1 < size; src++)
                if (*src >= ' ' && *src <= '~')
                        dst[n++] = *src;
                else
                        dst[n++] = '?';
        dst[n] = '\0';
}

bool hetzner_json_is_id(const char *s)
{
        size_t len = s ? strlen(s) : 0;

        return len > 0 && len <= 16 && strspn(s, "0123456789") == len && *s != '0';
}

static int parse_id(const cJSON *n, char dst[PROVIDER_ID_SIZE])
{
        const double limit = 9007199254740992.0;

        if (!cJSON_IsNumber(n) || !(n->valuedouble >= 1) || !(n->valuedouble < limit) ||
            n->valuedouble != (double)(int64_t)n->valuedouble)
                return -EBADMSG;
        snprintf(dst, PROVIDER_ID_SIZE, "%.0f", n->valuedouble);
        return 0;
}

/* `server` of a volume or an address: null is "none", absent is no answer. */
static int parse_holder(const cJSON *o, char dst[PROVIDER_ID_SIZE])
{
        const cJSON *s = field(o, "server");

        *dst = '\0';
        return cJSON_IsNull(s) ? 0 : parse_id(s, dst);
}

/* It will be opened: a plain path in /dev or nothing. */
static void copy_device(char *dst, size_t size, const char *path)
{
        *dst = '\0';
        if (strncmp(path, "/dev/", 5) != 0 || strstr(path, "..") || strlen(path) >= size)
                return;
        for (const char *p = path; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("/_-.:+", *p))
                        return;
        str_copy(dst, size, path);
}

int hetzner_json_volume(const char *json, size_t len, struct provider_volume *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *o = field(j, "volume");
        struct provider_volume v = { .id = "" };

        if (!cJSON_IsObject(o) || parse_id(field(o, "id"), v.id) < 0 ||
            parse_holder(o, v.server) < 0 || !cJSON_IsString(field(o, "status")))
                return -EBADMSG;
        copy_text(v.status, sizeof v.status, field_str(o, "status"));
        copy_text(v.location, sizeof v.location, field_str(field(o, "location"), "name"));
        copy_text(v.label, sizeof v.label, field_str(field(o, "labels"), LABEL));
        copy_device(v.device, sizeof v.device, field_str(o, "linux_device"));
        *ret = v;
        return 0;
}

int hetzner_json_ip(const char *json, size_t len, struct provider_ip *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *o = field(j, "floating_ip");
        struct provider_ip ip = { .id = "" };

        if (!cJSON_IsObject(o) || parse_id(field(o, "id"), ip.id) < 0 ||
            parse_holder(o, ip.server) < 0)
                return -EBADMSG;
        copy_text(ip.address, sizeof ip.address, field_str(o, "ip"));
        *ret = ip;
        return 0;
}

int hetzner_json_server(const char *json, size_t len, struct provider_server *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *o = field(j, "server"), *list = field(j, "servers");
        struct provider_server s = { .id = "" };

        if (cJSON_IsArray(list)) {
                int n = cJSON_GetArraySize(list);
                if (n != 1)
                        return n == 0 ? -ENOENT : -EEXIST;
                o = cJSON_GetArrayItem(list, 0);
        }
        if (!cJSON_IsObject(o) || parse_id(field(o, "id"), s.id) < 0 ||
            !cJSON_IsBool(field(o, "locked")) || !cJSON_IsString(field(o, "status")))
                return -EBADMSG;

        const cJSON *where = field(o, "location");
        if (!cJSON_IsObject(where)) /* the older form */
                where = field(field(o, "datacenter"), "location");
        copy_text(s.location, sizeof s.location, field_str(where, "name"));
        copy_text(s.name, sizeof s.name, field_str(o, "name"));
        copy_text(s.status, sizeof s.status, field_str(o, "status"));
        s.locked = cJSON_IsTrue(field(o, "locked"));
        *ret = s;
        return 0;
}

static void parse_error(const cJSON *e, struct hetzner_error *ret)
{
        copy_text(ret->code, sizeof ret->code, field_str(e, "code"));
        copy_text(ret->message, sizeof ret->message, field_str(e, "message"));
}

int hetzner_json_action(const char *json, size_t len, struct hetzner_action *ret)
{
        static const char *const WORDS[] = { [HETZNER_RUNNING] = "running",
                                             [HETZNER_SUCCESS] = "success",
                                             [HETZNER_ERROR] = "error" };
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *o = field(j, "action");
        struct hetzner_action a = { .id = "" };
        const char *status = field_str(o, "status");
        size_t i = 0;

        if (!cJSON_IsObject(o) || parse_id(field(o, "id"), a.id) < 0)
                return -EBADMSG;
        while (i < ARRAY_SIZE(WORDS) && strcmp(status, WORDS[i]) != 0)
                i++;
        if (i == ARRAY_SIZE(WORDS))
                return -EBADMSG;
        a.status = (enum hetzner_action_status)i;
        if (a.status == HETZNER_ERROR) {
                parse_error(field(o, "error"), &a.error);
                if (!*a.error.code)
                        str_copy(a.error.code, sizeof a.error.code, "unknown_error");
        }
        *ret = a;
        return 0;
}

void hetzner_json_error(int status, const char *json, size_t len, struct hetzner_error *ret)
{
        static const struct {
                int status;
                const char *code;
        } PLAIN[] = {
                { 401, "unauthorized" },
                { 403, "forbidden" },
                { 404, "not_found" },
                { 408, "timeout" },
                { 409, "conflict" },
                { 423, "locked" },
                { 429, "rate_limit_exceeded" },
                { 502, "bad_gateway" },
                { 503, "unavailable" },
                { 504, "timeout" },
        };
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);

        *ret = (struct hetzner_error){ .code = "" };
        parse_error(field(j, "error"), ret);
        if (status == 429) /* whatever a gateway in between writes */
                str_copy(ret->code, sizeof ret->code, "rate_limit_exceeded");
        for (size_t i = 0; !*ret->code && i < ARRAY_SIZE(PLAIN); i++)
                if (PLAIN[i].status == status)
                        str_copy(ret->code, sizeof ret->code, PLAIN[i].code);
        if (!*ret->code)
                str_copy(ret->code, sizeof ret->code,
                         status >= 500 ? "server_error" : "unexpected");
}

int hetzner_json_labelled(const char *json, size_t len, const char *value, struct buf *out)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        cJSON *labels = cJSON_DetachItemFromObjectCaseSensitive(
                cJSON_GetObjectItemCaseSensitive(j, "volume"), "labels");
        CLEANUP(delete_json) cJSON *body = cJSON_CreateObject();

        if (!cJSON_IsObject(labels)) {
                cJSON_Delete(labels);
                return -EBADMSG;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(labels, LABEL);
        bool ok = cJSON_AddStringToObject(labels, LABEL, value) != NULL;
        if (!cJSON_AddItemToObject(body, "labels", labels)) {
                cJSON_Delete(labels);
                return -ENOMEM;
        }
        CLEANUP(freep) char *text = ok ? cJSON_PrintUnformatted(body) : NULL;
        return text ? buf_adds(out, text) : -ENOMEM;
}
