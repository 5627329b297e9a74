/* What Debian's libinih.a asks of glibc, for a program that is linked with musl. */
#pragma once

/* glibc's __ctype_b_loc(): the classes of the characters -128..255, those of 0 pointed at. Only
 * whitespace is told, all that inih asks for. In the C locale; never fails. */
const unsigned short *const *inih_ctype(void);
