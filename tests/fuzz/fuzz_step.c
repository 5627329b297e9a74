/* What a step reads before it dares to write: the daemon's answer about the lease, the epoch file,
 * the list of mounts, the mount options. Whatever comes: what is believed is whole and in range,
 * and an epoch line is the very one we would write. */
#include "hamon/epoch_file.h"
#include "hamon/step.h"
#include "hamon/volume_mnt.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

static void grant(const char *text)
{
        struct step_grant g;

        if (step_parse_grant(text, &g) < 0)
                return;
        if (g.ok)
                must(g.epoch > 0 && g.valid >= 0 && g.renewed >= 0 && *g.holder);
        else
                must(*g.reason && !strchr(g.reason, '\n'));
}

static void mark(const char *text, size_t size)
{
        char line[EPOCH_LINE];
        struct epoch_mark m;

        if (epoch_file_parse(text, size, &m) < 0)
                return;
        must(epoch_file_format(&m, line) == 0 && strlen(line) == size);
        must(memcmp(line, text, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(freep) char *text = malloc(size + 1);
        unsigned long flags;
        struct volume_mnt m;
        char options[64];

        must(text != NULL);
        memcpy(text, data, size);
        text[size] = '\0';
        grant(text);
        mark(text, size);
        volume_mnt_parse(text, "/srv/mail", &m);
        must(m.count == 0 || (*m.type && *m.source));
        if (volume_mnt_options(text, &flags, options, sizeof options) == 0)
                must(strlen(options) < sizeof options);
        return 0;
}
