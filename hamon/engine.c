/* hamond, the engine: the verbs that need the event loop, Docker or the database. The front has
 * parsed and checked the command line already; it is parsed again here because exec hands over
 * words, not structs. */
#include "hamon/cmd_events.h"
#include "hamon/cmd_fence.h"
#include "hamon/cmd_fence_test.h"
#include "hamon/cmd_galera.h"
#include "hamon/cmd_ip.h"
#include "hamon/cmd_lease.h"
#include "hamon/cmd_probe.h"
#include "hamon/cmd_rehearse.h"
#include "hamon/cmd_stack.h"
#include "hamon/cmd_store.h"
#include "hamon/cmd_takeover.h"
#include "hamon/cmd_volume.h"
#include "hamon/cmd_why.h"
#include "hamon/config.h"
#include "hamon/daemon.h"
#include "hamon/direct.h"
#include "hamon/doctor/doctor.h"
#include "hamon/guard_main.h"
#include "hamon/setup/init.h"
#include "hamon/setup/move.h"
#include "hamon/setup/render.h"
#include "hamon/setup/rotate.h"
#include "hamon/setup/upgrade.h"
#include "hamon/sync/cmd_sync.h"
#include "hamon/web/cmd_alert.h"
#include "hamon/web/cmd_canary.h"
#include "hamon/web/web_main.h"
#include "lib/cli.h"
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

static const struct engine_row {
        const char *name;
        int (*run)(const char *file);
        int (*run_words)(const char *file, int argc, char **argv); /* with words of its own */
} ENGINE[] = {
        { "run", daemon_run, NULL },
        { "check", direct_check, NULL },
        { "doctor", NULL, doctor_command },
        { "fence", NULL, fence_command },
        { "galera", NULL, galera_command },
        { "guard", guard_main, NULL },
        { "init", NULL, init_command },
        { "ip", NULL, ip_command },
        { "lease", NULL, lease_command },
        { "move", NULL, move_command },
        { "probe", NULL, probe_command },
        { "rehearse", NULL, rehearse_command },
        { "render", NULL, render_command },
        { "rotate", NULL, rotate_command },
        { "stack", NULL, stack_command },
        { "store", NULL, store_command },
        { "sync", NULL, sync_command },
        { "volume", NULL, volume_command },
        { "alert", NULL, alert_command },
        { "events", NULL, events_command },
        { "why", NULL, why_command },
        { "takeover", NULL, takeover_command },
        { "fence-test", NULL, fence_test_command },
        { "web", web_main, NULL },
        { "canary", NULL, canary_command },
        { "upgrade", NULL, upgrade_command },
};

int main(int argc, char **argv)
{
        struct cli c = cli_parse(argc, argv, CONFIG_FILE);

        prctl(PR_SET_DUMPABLE, 0); /* the token and the passwords it reads: in no core dump */
        for (size_t k = 0; c.verb && k < ARRAY_SIZE(ENGINE); k++) {
                if (strcmp(c.verb, ENGINE[k].name) != 0)
                        continue;
                if (ENGINE[k].run_words)
                        return ENGINE[k].run_words(c.file, c.argc, c.argv);
                for (int a = 0; a < c.argc; a++)
                        if (strcmp(c.argv[a], "--direct") != 0 || k == 0) {
                                fprintf(stderr, "%s: unexpected argument: %s (try `hamon help`)\n",
                                        c.verb, c.argv[a]);
                                return EX_USAGE;
                        }
                return ENGINE[k].run(c.file);
        }
        fputs("hamond is started by hamon; see hamon(8)\n", stderr);
        return EX_USAGE;
}
