/* The answers of mailcow_json.h. Numbers come as numbers and as strings, lists as lists and, when
 * there is only one thing, as that thing. */
#include "signup/mailcow_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static cJSON *parse(const char *body, size_t len)
{
        return cJSON_ParseWithLength(body, len);
}

static bool blank(const char *body, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (!strchr(" \t\r\n", body[i]))
                        return false;
        return true;
}

static const char *text_of(const cJSON *object, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);

        return cJSON_IsString(v) ? v->valuestring : "";
}

/* A number, or a string of digits; anything else is 0. */
static double number_of(const cJSON *object, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);

        if (cJSON_IsNumber(v))
                return v->valuedouble;
        if (cJSON_IsString(v))
                return strtod(v->valuestring, NULL);
        return cJSON_IsTrue(v) ? 1 : 0;
}

/* Into a fixed field, visible ASCII only: it goes into the log. */
static void copy_plain(char *dst, size_t size, const char *s)
{
        size_t n = 0;

        for (; *s && n + 1 < size; s++)
                dst[n++] = (char)(*s >= ' ' && *s <= '~' ? *s : '?');
        dst[n] = '\0';
}

/* ---- actions ---- */

/* msg is a string, or an array whose first element is one. */
static const char *message_key(const cJSON *entry)
{
        const cJSON *msg = cJSON_GetObjectItemCaseSensitive(entry, "msg");

        if (cJSON_IsArray(msg))
                msg = msg->child;
        return cJSON_IsString(msg) ? msg->valuestring : "";
}

static void take_entry(const cJSON *entry, const char *want, struct mc_action *ret)
{
        const char *key = message_key(entry);

        if (str_eq(text_of(entry, "type"), "success")) {
                if (str_eq(key, want))
                        ret->shape = MC_DONE;
        } else if (str_eq(text_of(entry, "type"), "danger") && !*ret->key) {
                copy_plain(ret->key, sizeof ret->key, key);
        }
}

void mc_parse_action(const char *body, size_t len, const char *want, struct mc_action *ret)
{
        *ret = (struct mc_action){ .shape = MC_NOTHING };
        if (blank(body, len))
                return;
        cJSON *root = parse(body, len);
        if (cJSON_IsArray(root)) {
                ret->shape = MC_DANGER;
                for (const cJSON *i = root->child; i; i = i->next)
                        take_entry(i, want, ret);
        } else if (cJSON_IsObject(root)) {
                ret->shape = MC_ERROR;
                copy_plain(ret->key, sizeof ret->key, message_key(root));
        } else {
                ret->shape = MC_GARBAGE;
                copy_plain(ret->key, sizeof ret->key, "no JSON");
        }
        cJSON_Delete(root);
}

/* ---- things ---- */

static bool has_tag(const cJSON *object, const char *tag)
{
        const cJSON *tags = cJSON_GetObjectItemCaseSensitive(object, "tags");

        for (const cJSON *i = cJSON_IsArray(tags) ? tags->child : NULL; i; i = i->next)
                if (cJSON_IsString(i) && str_eq(i->valuestring, tag))
                        return true;
        return false;
}

static void take_mailbox(const cJSON *root, struct mc_mailbox *ret)
{
        static const char *const USED[] = {
                "messages",        "quota_used",      "last_imap_login",
                "last_smtp_login", "last_pop3_login", "last_sso_login"
        };
        const cJSON *attributes = cJSON_GetObjectItemCaseSensitive(root, "attributes");

        ret->exists = true;
        ret->active = number_of(root, "active_int") > 0 || number_of(root, "active") > 0;
        ret->limited = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "rl")) &&
                       str_eq(text_of(root, "rl_scope"), "mailbox");
        for (size_t i = 0; i < ARRAY_SIZE(USED); i++)
                ret->used = ret->used || number_of(root, USED[i]) > 0;
        ret->recovery = *text_of(attributes, "recovery_email") != '\0';
        copy_plain(ret->marker, sizeof ret->marker, text_of(attributes, "attribute_hash"));
}

int mc_parse_mailbox(const char *body, size_t len, struct mc_mailbox *ret)
{
        cJSON *root = parse(body, len);
        struct mc_mailbox m = { .exists = false };
        int r = 0;

        bool object = cJSON_IsObject(root) && !cJSON_GetObjectItemCaseSensitive(root, "type");

        if (object && *text_of(root, "username"))
                take_mailbox(root, &m);
        else if (!object || root->child)
                r = -EBADMSG;
        cJSON_Delete(root);
        if (r == 0)
                *ret = m;
        return r;
}

int mc_parse_policy(const char *body, size_t len, struct password_policy *ret)
{
        cJSON *root = parse(body, len);
        int r = 0;

        if (!cJSON_IsObject(root) || !cJSON_HasObjectItem(root, "length"))
                r = -EBADMSG;
        else
                *ret = (struct password_policy){
                        .length = (uint64_t)MAX(MIN(number_of(root, "length"), 1000.0), 0.0),
                        .chars = number_of(root, "chars") > 0,
                        .special = number_of(root, "special_chars") > 0,
                        .lowerupper = number_of(root, "lowerupper") > 0,
                        .numbers = number_of(root, "numbers") > 0,
                };
        cJSON_Delete(root);
        return r;
}

/* Lists: an array, {} if there is none, or one object. */
static int each(const char *body, size_t len, const char *id, const char *tag, struct buf *out,
                void (*fn)(const cJSON *item, struct buf *out))
{
        cJSON *root = parse(body, len);
        int r = 0;

        if (cJSON_IsArray(root)) {
                for (const cJSON *i = root->child; i; i = i->next)
                        if (*text_of(i, id) && has_tag(i, tag))
                                fn(i, out);
        } else if (!cJSON_IsObject(root) || cJSON_GetObjectItemCaseSensitive(root, "type")) {
                r = -EBADMSG;
        } else if (*text_of(root, id) && has_tag(root, tag)) {
                fn(root, out);
        }
        cJSON_Delete(root);
        return r < 0 ? r : out->error;
}

static void add_domain(const cJSON *item, struct buf *out)
{
        const char *name = text_of(item, "domain_name");

        if (number_of(item, "active_int") <= 0 || number_of(item, "backupmx_int") > 0 ||
            name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-")])
                return;
        buf_addf(out, "%s\n", name);
}

int mc_parse_domains(const char *body, size_t len, const char *tag, struct buf *out)
{
        return each(body, len, "domain_name", tag, out, add_domain);
}

/* One line each: what would break it becomes a blank. */
static void add_word(struct buf *out, const char *s)
{
        for (; *s; s++)
                buf_add(out, (unsigned char)*s < ' ' || *s == 0x7f ? " " : s, 1);
}

static void add_pending(const cJSON *item, struct buf *out)
{
        if (number_of(item, "active_int") > 0)
                return;
        add_word(out, text_of(item, "username"));
        buf_adds(out, "\t");
        add_word(out, text_of(item, "name"));
        buf_adds(out, "\t");
        add_word(out, text_of(item, "created"));
        buf_adds(out, "\n");
}

int mc_parse_pending(const char *body, size_t len, const char *tag, struct buf *out)
{
        return each(body, len, "username", tag, out, add_pending);
}
