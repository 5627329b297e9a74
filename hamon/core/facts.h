/* What the adapters see of the world, as plain structs: the only thing core/ knows of Docker and
 * Galera. No JSON, no SQL, no sockets. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* ---- Docker (Engine API, GET /containers/json) ---- */

enum ctr_state {
        CTR_MISSING, /* no container of that service */
        CTR_CREATED,
        CTR_RUNNING,
        CTR_PAUSED,
        CTR_RESTARTING,
        CTR_REMOVING,
        CTR_EXITED,
        CTR_DEAD,
        CTR_STATE_COUNT_
};

enum ctr_health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_COUNT_ };

struct container_facts {
        enum ctr_state state;
        enum ctr_health health;
        int exit_code; /* of the last run; meaningful in EXITED, RESTARTING; -1 = not told yet */
        bool oom;      /* the last run was killed for memory */
        bool no_start; /* EXITED, CREATED: the engine could not start it, and does not try again */
};

extern const char *const CTR_STATES[CTR_STATE_COUNT_]; /* Docker's own words; "missing" */
extern const char *const CTR_HEALTHS[HEALTH_COUNT_];   /* "none", "starting", … */

/* ---- the Docker engine itself ---- */

enum engine_state {
        ENGINE_UNKNOWN, /* not asked yet */
        ENGINE_OK,
        ENGINE_REFUSED, /* no socket, nobody listens, or it went away */
        ENGINE_TIMEOUT,
        ENGINE_ERROR, /* 5xx, garbage */
        ENGINE_TOO_OLD,
};

/* ---- Galera (information_schema.GLOBAL_STATUS and a few variables) ---- */

enum db_reach {
        DB_UNKNOWN, /* not asked yet */
        DB_OK,      /* the answer below is fresh */
        DB_REFUSED,
        DB_AUTH,
        DB_TIMEOUT,
        DB_ERROR,
};

/* wsrep_local_state: MariaDB "Galera Cluster Status Variables". */
enum wsrep_state {
        WSREP_INITIALIZED = 0,
        WSREP_JOINING = 1,
        WSREP_DONOR = 2,
        WSREP_JOINED = 3,
        WSREP_SYNCED = 4,
};

struct galera_facts {
        enum db_reach reach;
        bool wsrep_on;        /* @@wsrep_on and a provider is loaded */
        bool primary;         /* wsrep_cluster_status = Primary */
        bool ready;           /* wsrep_ready = ON */
        bool connected;       /* wsrep_connected = ON */
        bool rejecting;       /* wsrep_reject_queries <> NONE */
        bool read_only;       /* @@read_only */
        bool desync;          /* wsrep_desync = ON */
        unsigned local_state; /* enum wsrep_state */
        unsigned size;        /* wsrep_cluster_size */
        int64_t conf_id;      /* wsrep_cluster_conf_id, -1 unknown */
        int64_t last_committed;
        uint64_t recv_queue;      /* wsrep_local_recv_queue */
        uint64_t flow_control_ns; /* wsrep_flow_control_paused_ns, running total */
        uint64_t cert_failures;   /* wsrep_local_cert_failures, running total */
        uint64_t bf_aborts;       /* wsrep_local_bf_aborts, running total */
        uint64_t desync_count;
        char cluster_status[24]; /* "Primary", "non-Primary", "Disconnected" */
        char state_comment[32];  /* "Synced", "Donor/Desynced" … */
        char cluster_uuid[40];   /* wsrep_cluster_state_uuid */
        char evs_state[16];      /* "OPERATIONAL", "GATHER" …; empty: no group connection */
        char evs_delayed[128];   /* members Galera finds slow; empty is healthy */
        char members[256];       /* wsrep_incoming_addresses: "10.0.0.1:3306,AUTO,…" */
        unsigned error;          /* MariaDB error number when reach is not DB_OK */
        char text[160];          /* the server's or client's own message */
        int64_t took;            /* ms until the answer; for people */
};
