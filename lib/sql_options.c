/* One list, so that no connection lacks one of them. */
#include "lib/sql_options.h"

#include <mysql.h>

void sql_options(MYSQL *my, bool socket, const char *begin)
{
        unsigned protocol = socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
        unsigned no_infile = 0;
        my_bool off = 0;

        mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
        mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no_infile);
        mysql_options(my, MYSQL_OPT_RECONNECT, &off);
        mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &off);
        mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
        mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        /* a false server must not talk us into sending the password in clear */
        mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, "mysql_native_password,client_ed25519");
        if (begin)
                mysql_options(my, MYSQL_INIT_COMMAND, begin);
}
