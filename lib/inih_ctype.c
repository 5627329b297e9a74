/* Debian's libinih.a is compiled against glibc, where isspace() is a look into a table that
 * __ctype_b_loc() returns: a part of glibc's ABI that musl does not have. The front is linked with
 * musl, so it brings this function, and the linker is told that it is the one inih means
 * (hamon/CMakeLists.txt). It is compiled everywhere, so that it is tested beside the real one. */
#include "lib/inih_ctype.h"

enum {
        LOWEST = -128, /* a char may be signed */
        HIGHEST = 255,
        /* glibc's _ISspace: bit 5 of the classes as they would lie in big-endian memory */
        SPACE = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 << 13 : 1 << 5,
};

#define CHARACTER(c) [(c) - LOWEST]

static const unsigned short CLASSES[HIGHEST - LOWEST + 1] = {
        CHARACTER(' ') = SPACE,  CHARACTER('\t') = SPACE, CHARACTER('\n') = SPACE,
        CHARACTER('\v') = SPACE, CHARACTER('\f') = SPACE, CHARACTER('\r') = SPACE,
};

const unsigned short *const *inih_ctype(void)
{
        static const unsigned short *const classes = &CLASSES[-LOWEST];

        return &classes;
}
