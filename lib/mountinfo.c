/* "36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sdb rw,errors=continue" */
#include "lib/mountinfo.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { TEXT_MAX = 4 * 1024 * 1024, FIELDS = 6 };

int mountinfo_read(char **ret_text)
{
        return read_file("/proc/self/mountinfo", TEXT_MAX, ret_text, NULL);
}

/* Blank, tab, newline and backslash are written as \ooo. In place. */
static char *unescape(char *s)
{
        char *to = s, *start = s;

        for (; *s; to++) {
                if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
                    s[3] >= '0' && s[3] <= '7') {
                        *to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
                        s += 4;
                } else {
                        *to = *s++;
                }
        }
        *to = '\0';
        return start;
}

static bool parse_dev(char *word, dev_t *ret)
{
        char *colon = strchr(word, ':');
        uint64_t major, minor;

        if (!colon)
                return false;
        *colon = '\0';
        if (parse_uint(word, 0, UINT_MAX, &major) < 0 ||
            parse_uint(colon + 1, 0, UINT_MAX, &minor) < 0)
                return false;
        *ret = makedev((unsigned)major, (unsigned)minor);
        return true;
}

static bool parse_line(char *line, struct mountinfo *ret)
{
        char *field[FIELDS], *rest = NULL, *word;
        struct mountinfo m;

        for (size_t i = 0; i < FIELDS; i++)
                if (!(field[i] = strtok_r(i == 0 ? line : NULL, " ", &rest)))
                        return false;
        while ((word = strtok_r(NULL, " ", &rest)) && strcmp(word, "-") != 0)
                ; /* shared:1 and the like: how many there are is open */
        m.type = strtok_r(NULL, " ", &rest);
        m.source = strtok_r(NULL, " ", &rest);
        if (!m.type || !m.source || !parse_dev(field[2], &m.dev))
                return false;
        word = strtok_r(NULL, " ", &rest);
        m.super = word ? word : field[0] + strlen(field[0]);
        m.path = unescape(field[4]);
        m.options = field[5];
        unescape(m.source);
        *ret = m;
        return true;
}

bool mountinfo_next(char **text, struct mountinfo *ret)
{
        while (**text) {
                char *line = *text;
                size_t len = strcspn(line, "\n");
                *text += len + (line[len] == '\n');
                line[len] = '\0';
                if (parse_line(line, ret))
                        return true;
        }
        return false;
}
