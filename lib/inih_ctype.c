/* Debian's libinih.a is compiled against glibc, where isspace() is a look into a table that
 * __ctype_b_loc() returns: a part of glibc's ABI that musl does not have. The front is linked with
 * musl, so it brings this function, and the linker is told that it is the one inih means
 * (cmake/front.cmake). It is compiled everywhere, so that it is tested beside the real one. */
#include "lib/inih_ctype.h"

enum {
        BELOW = 128, /* a char may be signed */
        ABOVE = 256,
        /* glibc's _ISspace: bit 5 of the classes as they would lie in big-endian memory */
        SPACE = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 << 13 : 1 << 5,
};

static const unsigned short CLASSES[BELOW + ABOVE] = {
        [BELOW + ' '] = SPACE,  [BELOW + '\t'] = SPACE, [BELOW + '\n'] = SPACE,
        [BELOW + '\v'] = SPACE, [BELOW + '\f'] = SPACE, [BELOW + '\r'] = SPACE,
};

const unsigned short *const *inih_ctype(void)
{
        static const unsigned short *const classes = &CLASSES[BELOW];

        return &classes;
}
