/* `hamon volume …`. The steps share what is here; cmd_volume.c has the table. */
#pragma once

#include "hamon/step.h"
#include "hamon/volume_mnt.h"
#include "hamon/volume_place.h"

/* The words after the verb. Returns the exit code. */
int volume_command(const char *file, int argc, char **argv);

/* 0, or an exit code and a sentence was said. */
int volume_place(struct step *s, struct volume_place *ret);

/* 0: nothing on this node has the device (absent is free too). Else negative errno: -EBUSY held,
 * -ETIMEDOUT it does not answer. */
int volume_prove_free(struct step *s, const char *device, msec_t at_most);

/* The provider says that no other server has it. 0, or an exit code and a sentence was said. */
int volume_prove_ours(struct step *s, const struct volume_place *place);

int volume_attach_run(struct step *s);
int volume_detach_run(struct step *s);
int volume_mount_run(struct step *s);
int volume_umount_run(struct step *s);

/* cmd_volume_format.c: the file system itself, by its own tools */
int volume_format_run(struct step *s);
int volume_grow_run(struct step *s);
int volume_check_run(struct step *s);

/* What these would find, without doing any of it (hamon/rehearsal.h). */
void volume_attach_rehearse(struct step *s);
void volume_mount_rehearse(struct step *s);
