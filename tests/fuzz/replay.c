/* main() for fuzz targets in builds without libFuzzer: feeds every file of the given directories
 * (and files) to LLVMFuzzerTestOneInput once. An empty or missing corpus is a failure: then nothing
 * would be tested. */
#include "lib/util.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 * 1024 * 1024 };

/* A copy of exactly this size: reading one byte too many is then seen by ASan. */
static bool feed(const char *text, size_t len)
{
        uint8_t *exact = malloc(len ? len : 1);
        if (!exact)
                return false;

        memcpy(exact, text, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
        return true;
}

static int replay_file(const char *path)
{
        CLEANUP(freep) char *text = NULL;
        size_t len = 0;

        int r = read_file(path, INPUT_MAX, &text, &len);
        if (r < 0 || !text || !feed(text, len)) {
                fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(-r));
                return -1;
        }
        return 1;
}

static int replay(const char *path)
{
        struct dirent **names = NULL;
        struct stat st;
        int done = 0;

        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
                return replay_file(path);
        int n = scandir(path, &names, NULL, alphasort);
        for (int i = 0; i < n; i++) {
                char file[4096];
                snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
                if (names[i]->d_name[0] != '.' && done >= 0) {
                        int r = replay_file(file);
                        done = r < 0 ? r : done + r;
                }
                free(names[i]);
        }
        free(names);
        return done;
}

int main(int argc, char **argv)
{
        int total = 0;

        for (int i = 1; i < argc; i++) {
                int done = replay(argv[i]);
                if (done <= 0) {
                        fprintf(stderr, "%s: no inputs\n", argv[i]);
                        return EXIT_FAILURE;
                }
                total += done;
        }
        printf("%d inputs replayed\n", total);
        return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
