/* Parsing for stack_json.h, with cJSON. */
#include "hamon/stack_json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_PROJECT "com.docker.compose.project"
#define LABEL_SERVICE "com.docker.compose.service"
#define LABEL_ONEOFF  "com.docker.compose.oneoff"
#define LABEL_NEEDS   "com.docker.compose.depends_on"

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

static int field_int(const cJSON *o, const char *name)
{
        const cJSON *n = field(o, name);

        if (!cJSON_IsNumber(n) || !(n->valuedouble > 0))
                return 0;
        return n->valuedouble < INT_MAX ? (int)n->valuedouble : INT_MAX;
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

static int copy_id(const cJSON *o, char dst[STACK_ID_SIZE])
{
        const char *id = field_str(o, "Id");
        size_t len = strlen(id);

        if (len == 0 || len >= STACK_ID_SIZE || strspn(id, "0123456789abcdef") != len)
                return -EBADMSG;
        memcpy(dst, id, len + 1);
        return 0;
}

/* The number in "Exited (137) 2 weeks ago". */
static int exit_code(const char *status)
{
        const char *open = strchr(status, '(');
        int code = 0;

        for (const char *p = open ? open + 1 : ""; isdigit((unsigned char)*p) && code < 100000; p++)
                code = code * 10 + (*p - '0');
        return code;
}

static void copy_address(const cJSON *o, struct stack_member *m)
{
        const cJSON *networks = field(field(o, "NetworkSettings"), "Networks"), *one;

        cJSON_ArrayForEach(one, networks)
        {
                const char *address = field_str(one, "IPAddress");
                if (*address && str_copy(m->address, sizeof m->address, address))
                        return;
        }
        m->address[0] = '\0';
}

/* Does the container get a directory below `dir`? Docker makes one that is missing, and the volume
 * is never mounted over what somebody wrote into the bare directory. Of a named volume that lies
 * there it says no path, but to start such a container without it fails, and harms nothing. */
static bool mounts_below(const cJSON *o, const char *dir)
{
        size_t len = strlen(dir);
        const cJSON *one;

        cJSON_ArrayForEach(one, field(o, "Mounts"))
        {
                const char *source = field_str(one, "Source");
                if (len > 0 && strncmp(source, dir, len) == 0 &&
                    (source[len] == '/' || source[len] == '\0'))
                        return true;
        }
        return false;
}

static int parse_item(const cJSON *o, const char *project, stack_classify_fn classify, void *arg,
                      struct stack_plan *p)
{
        const cJSON *labels = field(o, "Labels");
        const char *needs = cJSON_GetStringValue(field(labels, LABEL_NEEDS));
        struct stack_service service = { .set = SET_IGNORED, .needs = "", .volume = "" };
        struct stack_member *m;

        if (!cJSON_IsObject(o) || !cJSON_IsString(field(o, "State")))
                return -EBADMSG;
        if (!str_eq(field_str(labels, LABEL_PROJECT), project) ||
            strcasecmp(field_str(labels, LABEL_ONEOFF), "true") == 0 ||
            !*field_str(labels, LABEL_SERVICE))
                return 0;
        if (p->n >= STACK_MAX)
                return -E2BIG;

        m = &p->v[p->n];
        *m = (struct stack_member){ .state = parse_state(field_str(o, "State")) };
        if (copy_id(o, m->id) < 0 ||
            !str_copy(m->service, sizeof m->service, field_str(labels, LABEL_SERVICE)))
                return -EBADMSG;
        if (m->state == CTR_EXITED || m->state == CTR_RESTARTING)
                m->exit_code = exit_code(field_str(o, "Status"));
        copy_address(o, m);

        classify(arg, m->service, &service);
        m->set = service.set;
        m->optional = service.optional;
        m->first = service.first;
        m->mail = service.mail;
        m->slow = service.slow;
        m->early = service.early && !mounts_below(o, service.volume);
        m->port = service.port;
        m->rival = service.rival;
        if (needs)
                stack_plan_parse_needs(needs, m->needs);
        else
                str_copy(m->needs, sizeof m->needs, service.needs);
        p->n++;
        return 0;
}

int stack_json_list(const char *json, size_t len, const char *project, stack_classify_fn classify,
                    void *arg, struct stack_plan *p)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *one;

        p->goal = STACK_LOOK;
        p->hurry = false;
        p->n = 0;
        if (!cJSON_IsArray(j))
                return -EBADMSG;
        cJSON_ArrayForEach(one, j)
        {
                int r = parse_item(one, project, classify, arg, p);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* {"25/tcp":[{"HostIp":"","HostPort":"25"},…],…}: those for UDP are of no interest. */
static void copy_ports(const cJSON *bindings, struct stack_member *m)
{
        const cJSON *inside, *one;
        uint64_t port;

        m->n_ports = 0;
        cJSON_ArrayForEach(inside, bindings)
        {
                if (!inside->string || !strstr(inside->string, "/tcp"))
                        continue;
                cJSON_ArrayForEach(one, inside)
                {
                        struct stack_port *p = &m->ports[m->n_ports];
                        if (m->n_ports == STACK_PORTS ||
                            parse_uint(field_str(one, "HostPort"), 1, 65535, &port) < 0 ||
                            !str_copy(p->address, sizeof p->address, field_str(one, "HostIp")))
                                continue; /* the engine chooses one, or there are a great many */
                        p->port = (unsigned)port;
                        m->n_ports++;
                }
        }
}

static void copy_image(const cJSON *j, struct stack_member *m)
{
        m->image_is = IMAGE_UNKNOWN;
        if (!str_copy(m->image, sizeof m->image, field_str(field(j, "Config"), "Image")) ||
            !str_copy(m->image_id, sizeof m->image_id, field_str(j, "Image")))
                m->image[0] = '\0';
}

int stack_json_detail(const char *json, size_t len, struct stack_member *m)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *state = field(j, "State");
        const cJSON *policy = field(field(j, "HostConfig"), "RestartPolicy");

        if (!cJSON_IsObject(j) || !cJSON_IsString(field(state, "Status")))
                return -EBADMSG;
        m->state = parse_state(field_str(state, "Status"));
        m->health = parse_health(field_str(field(state, "Health"), "Status"));
        if (!stack_is_up(m->state))
                m->health = HEALTH_NONE;
        m->exit_code = field_int(state, "ExitCode");
        m->pid = field_int(state, "Pid");
        str_copy(m->policy, sizeof m->policy, field_str(policy, "Name"));
        if (!*m->policy) /* how old engines say it */
                str_copy(m->policy, sizeof m->policy, "no");
        copy_image(j, m);
        copy_ports(field(field(j, "HostConfig"), "PortBindings"), m);
        return 0;
}

int stack_json_image_url(const char *image, struct buf *out)
{
        if (!*image ||
            image[strspn(image, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._-/:@")] != '\0' ||
            strstr(image, ".."))
                return -EINVAL;
        return buf_addf(out, "http://docker/images/%s/json", image);
}

int stack_json_image(const char *json, size_t len, struct stack_member *m)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const char *id = field_str(j, "Id");

        if (!*id)
                return -EBADMSG;
        m->image_is = strcmp(id, m->image_id) == 0 ? IMAGE_SAME : IMAGE_OTHER;
        return 0;
}

char *stack_json_message(const char *json, size_t len, char *dst, size_t size)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);

        str_copy(dst, size, field_str(j, "message"));
        for (char *p = dst; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        *p = ' ';
        return dst;
}

int stack_json_list_url(const char *project, const char *service, struct buf *out)
{
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();
        cJSON *labels = cJSON_AddArrayToObject(j, "label");
        CLEANUP(buf_done) struct buf label = BUF(1024);

        if (buf_addf(&label, LABEL_PROJECT "=%s", project) < 0)
                return label.error;
        cJSON_AddItemToArray(labels, cJSON_CreateString(buf_str(&label)));
        buf_reset(&label);
        if (service) {
                if (buf_addf(&label, LABEL_SERVICE "=%s", service) < 0)
                        return label.error;
                cJSON_AddItemToArray(labels, cJSON_CreateString(buf_str(&label)));
        }
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        if (!text)
                return -ENOMEM;
        buf_adds(out, "http://docker/containers/json?all=1&filters=");
        return buf_add_percent(out, text);
}
