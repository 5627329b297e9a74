/* Galera's rows -> facts. FIELDS[] is both the query and the meaning of its answer: a new fact is
 * one row. Status comes from information_schema.GLOBAL_STATUS, variables as @@name: of the forms
 * that need one round trip this costs the server least (0.30 ms of CPU against 0.46 ms when
 * GLOBAL_VARIABLES is read too). */
#include "hamon/galera_facts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum source { STATUS, VARIABLE };

enum kind {
        K_ON,      /* bool: ON or 1 */
        K_NOT_OFF, /* bool: neither OFF nor 0 (read_only knows more than ON in newer servers) */
        K_PRIMARY, /* bool: "Primary" */
        K_NAMED,   /* bool: neither empty nor "none" */
        K_UINT,    /* unsigned */
        K_U64,     /* uint64_t */
        K_I64,     /* int64_t; -1 also for what Galera prints as 2^64-1 */
        K_TEXT,    /* char[size] */
};

struct field {
        const char *name;
        size_t offset, size;
        enum source source;
        enum kind kind;
};

#define FACT(src, name_, kind_, member)                            \
        {                                                          \
                .source = (src), .name = (name_), .kind = (kind_), \
                .offset = offsetof(struct galera_rows, member),    \
                .size = sizeof(((struct galera_rows *)0)->member)  \
        }

static const struct field FIELDS[] = {
        FACT(STATUS, "WSREP_CLUSTER_STATUS", K_PRIMARY, facts.primary),
        FACT(STATUS, "WSREP_CLUSTER_STATUS", K_TEXT, facts.cluster_status),
        FACT(STATUS, "WSREP_READY", K_ON, facts.ready),
        FACT(STATUS, "WSREP_CONNECTED", K_ON, facts.connected),
        FACT(STATUS, "WSREP_LOCAL_STATE", K_UINT, facts.local_state),
        FACT(STATUS, "WSREP_LOCAL_STATE_COMMENT", K_TEXT, facts.state_comment),
        FACT(STATUS, "WSREP_CLUSTER_SIZE", K_UINT, facts.size),
        FACT(STATUS, "WSREP_CLUSTER_CONF_ID", K_I64, facts.conf_id),
        FACT(STATUS, "WSREP_CLUSTER_STATE_UUID", K_TEXT, facts.cluster_uuid),
        FACT(STATUS, "WSREP_LAST_COMMITTED", K_I64, facts.last_committed),
        FACT(STATUS, "WSREP_LOCAL_RECV_QUEUE", K_U64, facts.recv_queue),
        FACT(STATUS, "WSREP_FLOW_CONTROL_PAUSED_NS", K_U64, facts.flow_control_ns),
        FACT(STATUS, "WSREP_LOCAL_CERT_FAILURES", K_U64, facts.cert_failures),
        FACT(STATUS, "WSREP_LOCAL_BF_ABORTS", K_U64, facts.bf_aborts),
        FACT(STATUS, "WSREP_DESYNC_COUNT", K_U64, facts.desync_count),
        FACT(STATUS, "WSREP_EVS_STATE", K_TEXT, facts.evs_state),
        FACT(STATUS, "WSREP_EVS_DELAYED", K_TEXT, facts.evs_delayed),
        FACT(STATUS, "WSREP_INCOMING_ADDRESSES", K_TEXT, facts.members),
        FACT(VARIABLE, "wsrep_on", K_ON, on),
        FACT(VARIABLE, "wsrep_provider", K_NAMED, provider),
        FACT(VARIABLE, "wsrep_reject_queries", K_NAMED, facts.rejecting),
        FACT(VARIABLE, "wsrep_desync", K_ON, facts.desync),
        FACT(VARIABLE, "read_only", K_NOT_OFF, facts.read_only),
};

int galera_facts_query(struct buf *out)
{
        const char *comma = "";

        buf_adds(out, "SELECT VARIABLE_NAME,VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                      " WHERE VARIABLE_NAME IN (");
        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
                if (FIELDS[i].source != STATUS ||
                    (i > 0 && strcmp(FIELDS[i].name, FIELDS[i - 1].name) == 0))
                        continue;
                buf_addf(out, "%s'%s'", comma, FIELDS[i].name);
                comma = ",";
        }
        buf_adds(out, ")");
        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                if (FIELDS[i].source == VARIABLE)
                        buf_addf(out, " UNION ALL SELECT '%s',@@GLOBAL.%s", FIELDS[i].name,
                                 FIELDS[i].name);
        return out->error;
}

static bool is_on(const char *v)
{
        return strcasecmp(v, "ON") == 0 || strcmp(v, "1") == 0;
}

static bool is_off(const char *v)
{
        return strcasecmp(v, "OFF") == 0 || strcmp(v, "0") == 0;
}

static bool is_named(const char *v)
{
        return *v && strcasecmp(v, "none") != 0;
}

/* Numbers that do not fit or are none at all read as `otherwise`. */
static uint64_t number(const char *v, uint64_t max, uint64_t otherwise)
{
        uint64_t n;

        return parse_uint(v, 0, max, &n) == 0 ? n : otherwise;
}

/* For people, JSON and logs alike: printable ASCII, the rest becomes '?'. */
static void copy_text(char *dst, size_t size, const char *src)
{
        str_copy(dst, size, src);
        for (char *p = dst; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

static void put_bool(void *dst, bool v)
{
        memcpy(dst, &v, sizeof v);
}

static void put(const struct field *f, void *dst, const char *v)
{
        unsigned u;
        uint64_t n;

        switch (f->kind) {
        case K_ON:
                put_bool(dst, is_on(v));
                break;
        case K_NOT_OFF:
                put_bool(dst, !is_off(v));
                break;
        case K_PRIMARY:
                put_bool(dst, strcasecmp(v, "Primary") == 0);
                break;
        case K_NAMED:
                put_bool(dst, is_named(v));
                break;
        case K_UINT:
                u = (unsigned)number(v, UINT32_MAX, 0);
                memcpy(dst, &u, sizeof u);
                break;
        case K_U64:
                n = number(v, UINT64_MAX, 0);
                memcpy(dst, &n, sizeof n);
                break;
        case K_I64: /* int64_t has the same bytes: all ones is -1 */
                n = number(v, INT64_MAX, UINT64_MAX);
                memcpy(dst, &n, sizeof n);
                break;
        case K_TEXT:
                copy_text(dst, f->size, v);
                break;
        }
}

void galera_facts_begin(struct galera_rows *r)
{
        *r = (struct galera_rows){ .facts = { .conf_id = -1, .last_committed = -1 } };
}

void galera_facts_row(struct galera_rows *r, const char *name, const char *value)
{
        for (size_t i = 0; name && i < ARRAY_SIZE(FIELDS); i++) {
                if (strcasecmp(name, FIELDS[i].name) != 0)
                        continue;
                put(&FIELDS[i], (char *)r + FIELDS[i].offset, value ? value : "");
                r->known++;
        }
}

int galera_facts_end(const struct galera_rows *r, struct galera_facts *ret)
{
        if (r->known == 0)
                return -EBADMSG;
        *ret = r->facts;
        ret->reach = DB_OK;
        ret->wsrep_on = r->on && r->provider;
        return 0;
}

void galera_facts_error(enum db_reach reach, unsigned error, const char *text,
                        struct galera_facts *ret)
{
        *ret = (struct galera_facts){
                .reach = reach, .error = error, .conf_id = -1, .last_committed = -1
        };
        copy_text(ret->text, sizeof ret->text, text);
}

/* Numbers of mysqld_error.h and errmsg.h. What is not here is DB_ERROR: the server is there and
 * something is wrong with it (1040 too many connections, 1053 shutdown, 2013 lost in the middle).
 */
static const struct reach_row {
        unsigned error;
        enum db_reach reach;
} REACHES[] = {
        { 2001, DB_REFUSED }, /* cannot create a socket */
        { 2002, DB_REFUSED }, /* cannot connect: no such socket, connection refused */
        { 2003, DB_REFUSED }, /* the same over TCP, in older libraries */
        { 2004, DB_REFUSED }, /* cannot create a TCP socket */
        { 1044, DB_AUTH },    /* no access to that database */
        { 1045, DB_AUTH },    /* wrong user or password */
        { 1130, DB_AUTH },    /* host not allowed */
        { 1142, DB_AUTH },    /* command denied */
        { 1143, DB_AUTH },    /* column denied */
        { 1227, DB_AUTH },    /* privilege missing */
        { 1251, DB_AUTH },    /* authentication protocol not supported */
        { 1524, DB_AUTH },    /* the user's plugin is not loaded in the server */
        { 1698, DB_AUTH },    /* no password, wrong unix user */
        { 1820, DB_AUTH },    /* password must be changed */
        { 1862, DB_AUTH },    /* password has expired */
        { 2049, DB_AUTH },    /* old password format */
        { 2059, DB_AUTH },    /* the user's plugin is not to be had in the client */
        { 2061, DB_AUTH },    /* the plugin failed */
        { 4151, DB_AUTH },    /* account locked */
        { 5010, DB_AUTH },    /* the server asked for a plugin we do not allow */
};

enum db_reach galera_reach(unsigned error)
{
        for (size_t i = 0; i < ARRAY_SIZE(REACHES); i++)
                if (REACHES[i].error == error)
                        return REACHES[i].reach;
        return DB_ERROR;
}

/* ---- members ---- */

/* "10.0.0.1:3306", "[fd00::1]:3306", an address alone. */
static bool is_at(const char *member, size_t len, const char *address)
{
        size_t n = strlen(address);

        if (len > 0 && *member == '[') {
                member++;
                len--;
                return len > n && strncmp(member, address, n) == 0 && member[n] == ']';
        }
        return len >= n && strncmp(member, address, n) == 0 && (len == n || member[n] == ':');
}

enum galera_member galera_member(const struct galera_facts *f, const char *address)
{
        bool all = strlen(f->members) < sizeof f->members - 1; /* else some were cut off */
        unsigned n = 0;

        if (f->reach != DB_OK || !f->primary)
                return MEMBER_UNKNOWN;
        for (const char *p = f->members; *p; p += *p == ',', n++) {
                size_t len = strcspn(p, ",");
                if (is_at(p, len, address))
                        return MEMBER_IN;
                all &= len > 0 && strchr("0123456789[", *p);
                p += len;
        }
        return all && n > 0 && n == f->size ? MEMBER_OUT : MEMBER_UNKNOWN;
}
