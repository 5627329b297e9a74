/* One value of Mailcow's mailcow.conf, for what hamon.conf does not take over by itself. */
#pragma once

/* The last KEY=VALUE of the file in `dir`, quotes around the whole of it go. -ENOENT: it says
 * nothing of it. It may be a secret: pairs with secret_wipe(). */
int mailcow_conf_value(const char *dir, const char *key, char **ret);
