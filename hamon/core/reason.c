/* The table of reasons. A new one gets a row here and nothing else changes: status, check, log and
 * man page read this table. */
#include "hamon/core/reason.h"

const struct reason_row REASONS[REASON_COUNT_] = {
        [REASON_OK] = { "ok", "everything this node needs works", 0 },
        [REASON_STARTING] = { "starting", "not every check has answered yet", 0 },
        [REASON_STALE] = { "stale", "a check has not answered for too long", 0 },
        [REASON_NO_DAEMON] = { "no_daemon", "hamon is not running on this node", 0 },
        [REASON_TIMEOUT] = { "timeout", "hamon did not answer in time", 0 },
        [REASON_DOCKER_REFUSED] = { "docker_refused", "the Docker engine is not running",
                                    REASON_CERTAIN },
        [REASON_DOCKER_TIMEOUT] = { "docker_timeout", "the Docker engine does not answer", 0 },
        [REASON_DOCKER_ERROR] = { "docker_error", "the Docker engine answers with errors", 0 },
        [REASON_DOCKER_API] = { "docker_api", "the Docker engine is too old for hamon",
                                REASON_CERTAIN },
        [REASON_CONTAINER_MISSING] = { "container_missing", "a service has no container",
                                       REASON_CERTAIN },
        [REASON_CONTAINER_CREATED] = { "container_created", "a container was never started",
                                       REASON_CERTAIN },
        [REASON_CONTAINER_EXITED] = { "container_exited", "a container has stopped",
                                      REASON_CERTAIN },
        [REASON_CONTAINER_PAUSED] = { "container_paused", "a container is paused", REASON_CERTAIN },
        [REASON_CONTAINER_RESTARTING] = { "container_restarting", "a container keeps crashing",
                                          REASON_CERTAIN },
        [REASON_CONTAINER_DEAD] = { "container_dead", "a container is dead or being removed",
                                    REASON_CERTAIN },
        [REASON_CONTAINER_UNHEALTHY] = { "container_unhealthy", "a container fails its healthcheck",
                                         REASON_CERTAIN },
        [REASON_CONTAINER_WAITING] = { "container_waiting",
                                       "a container has not passed its healthcheck yet", 0 },
        [REASON_GALERA_REFUSED] = { "galera_refused", "the database does not accept connections",
                                    REASON_CERTAIN },
        [REASON_GALERA_AUTH] = { "galera_auth", "the database refuses hamon's user or password",
                                 REASON_CERTAIN },
        [REASON_GALERA_TIMEOUT] = { "galera_timeout", "the database does not answer", 0 },
        [REASON_GALERA_ERROR] = { "galera_error", "the database answers with an error", 0 },
        [REASON_GALERA_OFF] = { "galera_off", "the database is not a Galera member",
                                REASON_CERTAIN },
        [REASON_GALERA_NON_PRIMARY] = { "galera_non_primary", "the database has lost its quorum",
                                        REASON_CERTAIN | REASON_NO_GRACE },
        [REASON_GALERA_LEAVING] = { "galera_leaving", "the database is shutting down",
                                    REASON_CERTAIN },
        [REASON_GALERA_DISCONNECTED] = { "galera_disconnected",
                                         "the database has not joined its cluster",
                                         REASON_CERTAIN },
        [REASON_GALERA_NOT_READY] = { "galera_not_ready", "the database does not take queries",
                                      REASON_CERTAIN },
        [REASON_GALERA_NOT_SYNCED] = { "galera_not_synced",
                                       "the database is still catching up with its cluster",
                                       REASON_CERTAIN },
        [REASON_GALERA_REJECTING] = { "galera_rejecting", "the database is set to reject queries",
                                      REASON_CERTAIN },
        [REASON_GALERA_READ_ONLY] = { "galera_read_only", "the database is read-only",
                                      REASON_CERTAIN },
        [REASON_GALERA_DONOR] = { "galera_donor", "the database is feeding a joining member", 0 },
        [REASON_STACK_DOWN] = { "stack_down",
                                "keepalived proposes this node, and nobody has started its active "
                                "services yet",
                                0 },
        [REASON_PROBE_REFUSED] = { "probe_refused", "a service takes no connection", 0 },
        [REASON_PROBE_TIMEOUT] = { "probe_timeout", "a service does not answer in time", 0 },
        [REASON_PROBE_BAD_ANSWER] = { "probe_bad_answer",
                                      "a service answers with an error, or with nonsense", 0 },
        [REASON_VOLUME_NOT_MOUNTED] = { "volume_not_mounted", "the shared volume is not mounted",
                                        REASON_CERTAIN },
        [REASON_VOLUME_READ_ONLY] = { "volume_read_only",
                                      "the shared volume can no longer be written to",
                                      REASON_CERTAIN },
        [REASON_VOLUME_FULL] = { "volume_full",
                                 "the shared volume is full, and would be on any node", 0 },
        [REASON_VOLUME_IO_ERROR] = { "volume_io_error",
                                     "writing to the shared volume fails with an error",
                                     REASON_CERTAIN },
        [REASON_VOLUME_HUNG] = { "volume_hung", "writing to the shared volume does not end", 0 },
};

const char *reason_name(enum reason r)
{
        return (unsigned)r < REASON_COUNT_ ? REASONS[r].name : "?";
}

const char *reason_sentence(enum reason r)
{
        return (unsigned)r < REASON_COUNT_ ? REASONS[r].sentence : "?";
}

bool reason_has(enum reason r, unsigned flag)
{
        return (unsigned)r < REASON_COUNT_ && (REASONS[r].flags & flag);
}
