/* What mailcow.conf says that hamon.conf does not take over by itself: shell syntax, read as data.
 */
#pragma once

#include "lib/util.h"

enum { MAILCOW_VALUE = 256 };

struct mailcow {
        bool read; /* the file was there and could be read */
        char path[4096];
        char hostname[MAILCOW_VALUE], project[MAILCOW_VALUE], ipv4_network[MAILCOW_VALUE],
                ipv6_network[MAILCOW_VALUE];
        char dbname[MAILCOW_VALUE], dbuser[MAILCOW_VALUE], dbpass[MAILCOW_VALUE],
                dbroot[MAILCOW_VALUE];
        char http_bind[MAILCOW_VALUE], https_bind[MAILCOW_VALUE], enable_ipv6[MAILCOW_VALUE],
                skip_unbound[MAILCOW_VALUE], snat[MAILCOW_VALUE];
};

/* Pure. KEY=VALUE lines, quotes around the whole value go, the last one wins. */
void mailcow_parse(const char *text, struct mailcow *ret);
void mailcow_read(const char *dir, struct mailcow *ret);

/* MariaDB's root password, to be wiped and freed; NULL = there is none in the file, or no file. */
int mailcow_root_password(const char *dir, char **ret);

/* The value of `key` in a file of postfix (main.cf syntax: key = value, the last one wins, lines
 * may go on). False: not there. Pure. */
bool mailcow_postfix(const char *text, const char *key, char *ret, size_t size);
