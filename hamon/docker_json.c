/* Parsing for docker_json.h, with cJSON. Only fields that exist in every API from 1.24 on are read:
 * Actor/Action instead of the old status/id, the State word, and the Status text, which alone tells
 * health and exit code in a list ("Up 2 hours (healthy)", "Exited (137) 3 seconds ago"). */
#include "hamon/docker_json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#define LABEL_PROJECT "com.docker.compose.project"
#define LABEL_SERVICE "com.docker.compose.service"
#define LABEL_ONEOFF  "com.docker.compose.oneoff"

const char *const DOCKER_ACTIONS[DOCKER_ACTION_COUNT_] = {
        [DOCKER_CREATE] = "create",   [DOCKER_START] = "start",          [DOCKER_DIE] = "die",
        [DOCKER_PAUSE] = "pause",     [DOCKER_UNPAUSE] = "unpause",      [DOCKER_OOM] = "oom",
        [DOCKER_DESTROY] = "destroy", [DOCKER_HEALTH] = "health_status",
};

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

/* ---- fields: absent or of another type = the fallback ---- */

static const cJSON *field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *field_str(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(field(o, name));

        return s ? s : "";
}

static int64_t field_num(const cJSON *o, const char *name, int64_t min, int64_t max)
{
        const cJSON *n = field(o, name);

        if (!cJSON_IsNumber(n))
                return 0;
        if (!(n->valuedouble > (double)min)) /* NaN too */
                return min;
        return n->valuedouble < (double)max ? (int64_t)n->valuedouble : max;
}

static int64_t field_unix(const cJSON *o, const char *name)
{
        return field_num(o, name, 0, INT64_C(1) << 48);
}

/* Lower-case hex as the engine makes it: it goes into a URL. */
static int copy_id(const cJSON *o, const char *name, char dst[DOCKER_ID_SIZE])
{
        const char *id = field_str(o, name);
        size_t len = strlen(id);

        if (len == 0 || len >= DOCKER_ID_SIZE || strspn(id, "0123456789abcdef") != len)
                return -EBADMSG;
        memcpy(dst, id, len + 1);
        return 0;
}

/* Labels of a list entry and attributes of an event look the same. */
static bool is_ours(const cJSON *labels, const char *project)
{
        return str_eq(field_str(labels, LABEL_PROJECT), project) &&
               strcasecmp(field_str(labels, LABEL_ONEOFF), "true") != 0 &&
               field_str(labels, LABEL_SERVICE)[0] != '\0';
}

static enum ctr_state parse_state(const char *word)
{
        for (enum ctr_state s = CTR_CREATED; s < CTR_STATE_COUNT_; s++)
                if (strcmp(word, CTR_STATES[s]) == 0)
                        return s;
        return CTR_DEAD; /* a newer engine's word: whatever it means, it does not mean running */
}

static enum ctr_health parse_health(const char *word)
{
        for (enum ctr_health h = HEALTH_STARTING; h < HEALTH_COUNT_; h++)
                if (strcmp(word, CTR_HEALTHS[h]) == 0)
                        return h;
        return HEALTH_NONE;
}

/* ---- the Status text of a list ---- */

/* The words in the last brackets: "Up 2 hours (healthy)", "Up 3 seconds (health: starting)". */
static enum ctr_health status_health(const char *status)
{
        static const char prefix[] = "health: ";
        const char *open = strrchr(status, '(');
        char word[16];

        if (!open)
                return HEALTH_NONE;
        open++;
        if (strncmp(open, prefix, sizeof(prefix) - 1) == 0)
                open += sizeof(prefix) - 1;

        size_t len = strcspn(open, ")");
        if (open[len] != ')' || len >= sizeof(word))
                return HEALTH_NONE;
        memcpy(word, open, len);
        word[len] = '\0';
        return parse_health(word);
}

/* The number in the first brackets: "Exited (137) 2 weeks ago". */
static int status_exit_code(const char *status)
{
        const char *p = strchr(status, '(');
        int code = 0;

        if (!p)
                return 0;
        for (p++; isdigit((unsigned char)*p) && code < 100000; p++)
                code = code * 10 + (*p - '0');
        return *p == ')' ? code : 0;
}

int docker_json_item(const char *json, size_t len, const char *project, struct docker_item *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        struct docker_item it = { .state = CTR_MISSING };

        if (!cJSON_IsObject(j) || !cJSON_IsString(field(j, "State")) || copy_id(j, "Id", it.id) < 0)
                return -EBADMSG;

        const cJSON *labels = field(j, "Labels");
        if (!is_ours(labels, project))
                return 0;

        const char *status = field_str(j, "Status");
        str_copy(it.service, sizeof(it.service), field_str(labels, LABEL_SERVICE));
        it.state = parse_state(field_str(j, "State"));
        if (it.state == CTR_RUNNING)
                it.health = status_health(status);
        if (it.state == CTR_EXITED || it.state == CTR_RESTARTING)
                it.exit_code = status_exit_code(status);
        it.created = field_unix(j, "Created");
        *ret = it;
        return 1;
}

/* ---- events ---- */

/* "die", "health_status: unhealthy" -> row and health; false if we do not follow it. */
static bool parse_action(const char *word, struct docker_event *e)
{
        size_t len = strcspn(word, ":");

        for (enum docker_action a = 0; a < DOCKER_ACTION_COUNT_; a++) {
                if (strlen(DOCKER_ACTIONS[a]) != len || strncmp(word, DOCKER_ACTIONS[a], len) != 0)
                        continue;
                e->action = a;
                if (a != DOCKER_HEALTH)
                        return word[len] == '\0';
                word += len;
                word += strspn(word, ": ");
                e->health = parse_health(word);
                return true;
        }
        return false;
}

int docker_json_event(const char *json, size_t len, const char *project, struct docker_event *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *actor = field(j, "Actor"), *attr = field(actor, "Attributes");
        struct docker_event e = { .health = HEALTH_NONE };
        uint64_t code;

        if (!cJSON_IsObject(j) || !cJSON_IsString(field(j, "Type")) ||
            !cJSON_IsString(field(j, "Action")))
                return -EBADMSG;
        if (strcmp(field_str(j, "Type"), "container") != 0 ||
            !parse_action(field_str(j, "Action"), &e))
                return 0;
        if (copy_id(actor, "ID", e.id) < 0)
                return -EBADMSG;
        if (!is_ours(attr, project))
                return 0;

        str_copy(e.service, sizeof(e.service), field_str(attr, LABEL_SERVICE));
        if (parse_uint(field_str(attr, "exitCode"), 0, INT_MAX, &code) == 0)
                e.exit_code = (int)code;
        e.time = field_unix(j, "time");
        *ret = e;
        return 1;
}

/* ---- one container in detail ---- */

/* "2024-05-06T07:08:09.123456789Z" or "…+02:00" -> unix time; 0 if it is none or the engine's
 * "never" (year 1). */
static int64_t parse_time(const char *s)
{
        struct tm tm = { .tm_isdst = 0 };
        unsigned h, m;
        const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

        if (!p)
                return 0;
        if (*p == '.')
                p += 1 + strspn(p + 1, "0123456789");

        int64_t t = timegm(&tm), offset = 0;
        if (*p == '+' || *p == '-') {
                if (sscanf(p + 1, "%2u:%2u", &h, &m) != 2) // NOLINT(cert-err34-c): two digits each
                        return 0;
                offset = (int64_t)h * 3600 + (int64_t)m * 60;
                if (*p == '-')
                        offset = -offset;
        } else if (*p != 'Z') {
                return 0;
        }
        return t - offset > 0 ? t - offset : 0;
}

/* Configured in the image or by compose; {"Test":["NONE"]} switches an image's check off. */
static bool has_healthcheck(const cJSON *container)
{
        const cJSON *test = field(field(field(container, "Config"), "Healthcheck"), "Test");
        const char *kind = cJSON_GetStringValue(cJSON_GetArrayItem(test, 0));

        return kind && strcmp(kind, "NONE") != 0;
}

int docker_json_detail(const char *json, size_t len, struct docker_detail *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *state = field(j, "State"), *health = field(state, "Health");

        if (!cJSON_IsObject(j) || !cJSON_IsString(field(state, "Status")))
                return -EBADMSG;

        struct docker_detail d = {
                .state = parse_state(field_str(state, "Status")),
                .has_healthcheck = has_healthcheck(j),
                .exit_code = (int)field_num(state, "ExitCode", 0, INT_MAX),
                .oom = cJSON_IsTrue(field(state, "OOMKilled")),
                .no_start = *field_str(state, "Error") != '\0',
                .pid = (pid_t)field_num(state, "Pid", 0, INT_MAX),
                .restarts = (unsigned)field_num(j, "RestartCount", 0, UINT_MAX),
        };
        bool up = d.state == CTR_RUNNING || d.state == CTR_PAUSED;

        d.no_start = d.no_start && (d.state == CTR_EXITED || d.state == CTR_CREATED);
        if (up)
                d.health = parse_health(field_str(health, "Status"));
        if (d.health != HEALTH_NONE)
                d.has_healthcheck = true;
        d.since = parse_time(field_str(state, up ? "StartedAt" : "FinishedAt"));
        if (d.since == 0)
                d.since = parse_time(field_str(j, "Created"));
        *ret = d;
        return 0;
}

/* ---- the rest ---- */

/* "1.41" -> 1041 */
static int parse_api(const char *s, unsigned *ret)
{
        const char *dot = strchr(s, '.');
        char major[8];
        uint64_t a, b;

        if (!dot || (size_t)(dot - s) >= sizeof(major))
                return -EBADMSG;
        memcpy(major, s, (size_t)(dot - s));
        major[dot - s] = '\0';
        if (parse_uint(major, 0, 999, &a) < 0 || parse_uint(dot + 1, 0, 999, &b) < 0)
                return -EBADMSG;
        *ret = DOCKER_API(a, b);
        return 0;
}

int docker_json_version(const char *json, size_t len, struct docker_version *ret)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        struct docker_version v = { .min_api = 0 };

        if (!cJSON_IsObject(j) || parse_api(field_str(j, "ApiVersion"), &v.api) < 0)
                return -EBADMSG;
        if (field(j, "MinAPIVersion") && parse_api(field_str(j, "MinAPIVersion"), &v.min_api) < 0)
                return -EBADMSG;
        *ret = v;
        return 0;
}

static const struct {
        int error;
        enum engine_state state;
        const char *text; /* the socket's path follows */
} ERRORS[] = {
        { -ENOENT, ENGINE_REFUSED, "there is no socket" },
        { -ECONNREFUSED, ENGINE_REFUSED, "nobody listens on" },
        { -EACCES, ENGINE_REFUSED, "no permission to use" },
        { -ECONNRESET, ENGINE_REFUSED, "the engine hung up on" },
        { -EAGAIN, ENGINE_TIMEOUT, "the engine takes no more connections on" },
        { -ETIMEDOUT, ENGINE_TIMEOUT, "the engine does not answer on" },
};

enum engine_state docker_json_failure(const struct docker_failure *f, char *text, size_t size)
{
        for (size_t i = 0; f->error && i < ARRAY_SIZE(ERRORS); i++) {
                if (ERRORS[i].error != f->error)
                        continue;
                snprintf(text, size, "%s %s", ERRORS[i].text, f->socket);
                return ERRORS[i].state;
        }
        if (f->error) {
                snprintf(text, size, "%s: %s", f->what, f->message);
                return ENGINE_ERROR;
        }

        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(f->body, f->len);
        const char *why = field_str(j, "message");
        snprintf(text, size, "%s: HTTP %d%s%s", f->what, f->status, why[0] ? ": " : "", why);
        return ENGINE_ERROR;
}

int docker_json_filters(const char *project, bool events, struct buf *out)
{
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();
        CLEANUP(buf_done) struct buf label = BUF(4096);
        int r;

        r = buf_addf(&label, LABEL_PROJECT "=%s", project);
        if (r < 0)
                return r;

        cJSON *labels = cJSON_AddArrayToObject(j, "label");
        cJSON_AddItemToArray(labels, cJSON_CreateString(buf_str(&label)));
        if (events) {
                cJSON *type = cJSON_AddArrayToObject(j, "type");
                cJSON *event = cJSON_CreateStringArray(DOCKER_ACTIONS, DOCKER_ACTION_COUNT_);
                cJSON_AddItemToArray(type, cJSON_CreateString("container"));
                if (!cJSON_AddItemToObject(j, "event", event))
                        cJSON_Delete(event);
        }

        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        return text ? buf_add_percent(out, text) : -ENOMEM;
}
