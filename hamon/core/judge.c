/* What the facts mean. Sources: Docker Engine API (container states), MariaDB "Galera Cluster
 * Status Variables" (Primary, ready, connected, Synced). */
#include "hamon/core/judge.h"

const char *const CTR_STATES[CTR_STATE_COUNT_] = {
        [CTR_MISSING] = "missing",       [CTR_CREATED] = "created",
        [CTR_RUNNING] = "running",       [CTR_PAUSED] = "paused",
        [CTR_RESTARTING] = "restarting", [CTR_REMOVING] = "removing",
        [CTR_EXITED] = "exited",         [CTR_DEAD] = "dead",
};

const char *const CTR_HEALTHS[HEALTH_COUNT_] = {
        [HEALTH_NONE] = "none",
        [HEALTH_STARTING] = "starting",
        [HEALTH_HEALTHY] = "healthy",
        [HEALTH_UNHEALTHY] = "unhealthy",
};

const char *const SETS[SET_COUNT_] = {
        [SET_WARM] = "warm", [SET_ACTIVE] = "active", [SET_IGNORED] = "ignored"
};

static struct finding pass(enum reason r)
{
        return (struct finding){ RES_PASS, r };
}

static struct finding fail(enum reason r)
{
        return (struct finding){ RES_FAIL, r };
}

struct finding judge_engine(enum engine_state s)
{
        switch (s) {
        case ENGINE_OK:
                return pass(REASON_OK);
        case ENGINE_REFUSED:
                return fail(REASON_DOCKER_REFUSED);
        case ENGINE_TIMEOUT:
                return fail(REASON_DOCKER_TIMEOUT);
        case ENGINE_ERROR:
                return fail(REASON_DOCKER_ERROR);
        case ENGINE_TOO_OLD:
                return fail(REASON_DOCKER_API);
        case ENGINE_UNKNOWN:
                break;
        }
        return (struct finding){ RES_SKIP, REASON_STARTING };
}

static struct finding judge_running(const struct container_facts *f)
{
        switch (f->health) {
        case HEALTH_UNHEALTHY:
                return fail(REASON_CONTAINER_UNHEALTHY);
        case HEALTH_STARTING:
                return (struct finding){ RES_WAIT, REASON_CONTAINER_WAITING };
        default:
                return pass(REASON_OK);
        }
}

struct finding judge_container(const struct container_facts *f, enum set set, enum role role)
{
        static const enum reason WHY[CTR_STATE_COUNT_] = {
                [CTR_MISSING] = REASON_CONTAINER_MISSING,
                [CTR_CREATED] = REASON_CONTAINER_CREATED,
                [CTR_PAUSED] = REASON_CONTAINER_PAUSED,
                [CTR_RESTARTING] = REASON_CONTAINER_RESTARTING,
                [CTR_REMOVING] = REASON_CONTAINER_DEAD,
                [CTR_EXITED] = REASON_CONTAINER_EXITED,
                [CTR_DEAD] = REASON_CONTAINER_DEAD,
        };

        if (set == SET_IGNORED)
                return (struct finding){ RES_SKIP, REASON_OK };

        bool ready_is_enough = set == SET_ACTIVE && role == ROLE_STANDBY;
        if (ready_is_enough && f->state != CTR_MISSING && f->state != CTR_DEAD &&
            f->state != CTR_REMOVING)
                return pass(REASON_OK);
        if (f->state == CTR_RUNNING)
                return judge_running(f);
        return fail(WHY[f->state]);
}

/* A member that shuts down is non-Primary too, for 1 to 50 ms, while it closes its connection to
 * the group, at whose end no EVS state is told; it calls itself Synced meanwhile, and in its last
 * moment Initialized (one sample in 2 of 6 stops asked a thousand times a second: it cost a master
 * the lead). One that lost the others has an EVS state, for it looks for them, and calls itself
 * Initialized, or Joining once it found them again (8 cuts of galera 26.4). Should another release
 * call itself Synced for longer, or not tell its EVS state, it gets the grace of any other failure
 * and no more. A restarted member that found the others is Joining and non-Primary for a moment as
 * well: it catches up, and has its grace (without it a master went away one second before its
 * database was back). */
static bool is_leaving(const struct galera_facts *f)
{
        return !*f->evs_state || f->local_state == WSREP_SYNCED;
}

bool galera_has_left(const struct galera_facts *f)
{
        return f->reach == DB_OK && f->wsrep_on && !f->connected;
}

struct finding judge_galera(const struct galera_facts *f)
{
        switch (f->reach) {
        case DB_UNKNOWN:
                return (struct finding){ RES_SKIP, REASON_STARTING };
        case DB_REFUSED:
                return fail(REASON_GALERA_REFUSED);
        case DB_AUTH:
                return fail(REASON_GALERA_AUTH);
        case DB_TIMEOUT:
                return fail(REASON_GALERA_TIMEOUT);
        case DB_ERROR:
                return fail(REASON_GALERA_ERROR);
        case DB_OK:
                break;
        }

        if (!f->wsrep_on)
                return fail(REASON_GALERA_OFF);
        if (galera_has_left(f))
                return fail(REASON_GALERA_DISCONNECTED);
        if (!f->primary && f->local_state == WSREP_JOINING)
                return fail(REASON_GALERA_NOT_SYNCED);
        if (!f->primary)
                return fail(is_leaving(f) ? REASON_GALERA_LEAVING : REASON_GALERA_NON_PRIMARY);
        if (f->local_state != WSREP_SYNCED && f->local_state != WSREP_DONOR)
                return fail(REASON_GALERA_NOT_SYNCED);
        if (!f->ready)
                return fail(REASON_GALERA_NOT_READY);
        if (f->rejecting)
                return fail(REASON_GALERA_REJECTING);
        if (f->read_only)
                return fail(REASON_GALERA_READ_ONLY);
        if (f->local_state == WSREP_DONOR)
                return pass(REASON_GALERA_DONOR); /* usable: SST by mariabackup or rsync */
        return pass(REASON_OK);
}
