# Faults of the shared volume. Errors and hangs need RIG_NBD=1 at "rig up": the requests of each
# attachment then go through an nbdkit, whose filters fail or pause them until it is detached.
# shellcheck shell=bash

need_nbd() {
	nbd_used || die "this fault needs a rig started with RIG_NBD=1"
	[ -d "$NBD/$(volume_current)" ] || die "the volume is not attached"
}

fault_disk_error() {
	need_nbd
	touch "$NBD/$(volume_current)/error"
}
heal_disk_error() { rm -f "$NBD"/*/error; }

fault_disk_hang() {
	need_nbd
	nbd_control p
}
# If the volume has moved meanwhile, the way that hung is gone.
heal_disk_hang() { nbd_control r 2>/dev/null || :; }

FILLING=.rig-filling

volume_owner() {
	local where
	where=$(volume_where)
	if [ "$where" = none ] || ! volume_mounted "${where#n}"; then
		die "the volume is mounted nowhere"
	fi
	echo "${where#n}"
}

# Three times: fallocate takes the most at once, cat what root may take beyond that, the
# direct writes even what ext4 keeps for its own delayed allocation.
fault_disk_full() {
	local n
	n=$(volume_owner) || return 1
	in_node "$n" sh -c "cd $VOLUME_DIR && fallocate -l \$(df -B1 --output=avail . | tail -n 1) $FILLING; 
		cat /dev/zero >>$FILLING.2; dd if=/dev/zero of=$FILLING.3 bs=4k oflag=direct" 2>/dev/null || :
}

# Whoever has the volume now has the filling too.
heal_disk_full() {
	local n
	n=$(volume_owner) || return 1
	in_node "$n" sh -c "rm -f $VOLUME_DIR/$FILLING*"
}
