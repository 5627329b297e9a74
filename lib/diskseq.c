/* One file of sysfs. */
#include "lib/diskseq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

uint64_t diskseq(dev_t dev)
{
        CLEANUP(freep) char *text = NULL;
        uint64_t seq;
        char path[64];

        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/diskseq", major(dev), minor(dev));
        if (read_file(path, 32, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        return parse_uint(text, 1, UINT64_MAX, &seq) == 0 ? seq : 0;
}
