/* hamon.conf of this node, out of the answers. What init does not set but a person wrote there
 * stays. Nothing here writes the file. */
#pragma once

#include "hamon/config.h"
#include "hamon/mailcow.h"
#include "hamon/setup/answers.h"
#include "hamon/setup/self.h"

/* The file as it is now. */
struct settings_old {
        struct config values;
        struct conf_source *sources;
};

/* An absent file is one without values. */
int settings_open(const char *file, struct settings_old *ret, struct buf *errors);
void settings_close(struct settings_old *old);

/* [volume] uuid as the file has it; "" = it has none. */
const char *settings_uuid(const struct settings_old *old);

/* `a`: resolved, with a uuid. `interface`: where the service address is put if no answer says. */
int settings_make(const struct settings_old *old, const struct answers *a, const struct self *self,
                  const struct mailcow *m, const char *interface, struct buf *out,
                  struct buf *errors);

/* Load the text as hamon would load the file: what is wrong with it is wrong in the answers. */
int settings_load(const struct buf *text, const char *file, struct config *ret, struct buf *errors);

/* Values of keys that are secret as "(hidden)": for people's eyes. */
void settings_mask(const char *text, struct buf *out);
