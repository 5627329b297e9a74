# Faults of the shared volume. Errors and hangs need RIG_NBD=1 at "rig up": the
# volume's requests then go through nbdkit, whose filters fail or pause them.
# shellcheck shell=bash

need_nbd() { [ -e "$NBD/disk" ] || die "this fault needs a rig started with RIG_NBD=1"; }

fault_disk_error() {
	need_nbd
	touch "$NBD/error"
}
heal_disk_error() { rm -f "$NBD/error"; }

fault_disk_hang() {
	need_nbd
	nbd_control p
}
heal_disk_hang() { nbd_control r; }

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
	n=$(volume_owner)
	in_node "$n" sh -c "cd $VOLUME_DIR && fallocate -l \$(df -B1 --output=avail . | tail -n 1) $FILLING; 
		cat /dev/zero >>$FILLING.2; dd if=/dev/zero of=$FILLING.3 bs=4k oflag=direct" 2>/dev/null || :
}

heal_disk_full() {
	local n
	n=$(volume_owner)
	in_node "$n" sh -c "rm -f $VOLUME_DIR/$FILLING*"
}
