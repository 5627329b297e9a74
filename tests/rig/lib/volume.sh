# The shared volume, as a cloud offers it: attached to one node at most, detach
# refused while it is held (unless forced). It is a loop device whose node appears
# in that node's private /dev only. Each attachment has a number, a loop device and,
# with RIG_NBD=1, an nbdkit of its own (nbd.sh), through which errors and hangs can be
# injected and which logs every write: so it can be proven who wrote, and until when.
# State: $VOLUME/image; "node" that it is attached to (stays after a power cut); "current",
# the number of the attachment it uses; live/K: "NODE LOOP" of each whose requests reach
# the image. log/loops: "LOOP DISKSEQ" of each loop device there ever was; the kernel gives that number once only.
# shellcheck shell=bash

VOLUME_ID=scsi-0HC_Volume_1001
VOLUME=$RIG_RUN/volume

cmd_volume() {
	local verb=${1:-where}
	case $verb in
	attach) volume_attach "$(node_number "${2:-}")" ;;
	detach) volume_detach "${2:-}" ;;
	double) volume_locked volume_double "$(node_number "${2:-}")" ;;
	uuid) volume_uuid ;;
	where) volume_where ;;
	loops) volume_loops ;;
	*) die "usage: rig volume attach NODE | detach [--force|--cloud] | double NODE | uuid | where | loops" ;;
	esac
	cloud_sync
}

# A lock of its own: the cloud moves the volume while "rig fault" may be busy with something else.
volume_locked() {
	(
		exec 8>"$RIG_RUN/volume.lock"
		flock -w 120 8 || die "the volume's lock was held for two minutes"
		"$@"
	) || exit 1
}

volume_where() {
	if trait shared; then shared_where; else cat "$VOLUME/node" 2>/dev/null || echo none; fi
}
volume_current() { cat "$VOLUME/current" 2>/dev/null || echo 0; }
loop_of() { cut -d' ' -f2 "$VOLUME/live/$1" 2>/dev/null || :; }

# The loop devices this rig holds. One on a FUSE file that is gone has "/" for a backing file, as
# another rig's may have: its number tells whose it is.
volume_loops() {
	local dir loop
	for dir in /sys/block/loop*; do
		[ -e "$dir/loop/backing_file" ] || continue
		loop=$(basename "$dir")
		if grep -qsF "$RIG_RUN/" "$dir/loop/backing_file" ||
			grep -qsxF "$loop $(cat "$dir/diskseq")" "$RIG_RUN/log/loops"; then
			echo "/dev/$loop"
		fi
	done
}

# The same file system UUID for every volume of this rig.
volume_uuid() { md5sum <<<"$RIG_NAME" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/'; }

# What happened to the attachments: time, number, node, attach|detach|rip, loop device.
volume_log() { echo "$EPOCHREALTIME $*" >>"$RIG_RUN/log/attachments"; }

# A fresh file system with the directories the override binds; in a bare rig nothing at all.
volume_make() {
	local tree
	rm -rf "$VOLUME" "$NBD"
	mkdir -p "$VOLUME"/{tree,live}
	[ -z "${RIG_NBD:-}" ] || mkdir -p "$NBD"
	truncate -s 1G "$VOLUME/image"
	! trait bare || return 0
	tree=$VOLUME/tree
	install -d -m 755 "$tree"/{vmail,redis,postfix,crypt}
	chown 5000:5000 "$tree/vmail"
	mkfs.ext4 -q -F -L mailcow-ha -U "$(volume_uuid)" -d "$tree" "$VOLUME/image" >>"$RIG_RUN/log/volume.log" 2>&1
	rm -rf "$tree"
}

# connect NODE: a new attachment; prints its number.
volume_connect() {
	local number backing=$VOLUME/image loop
	number=$(($(cat "$VOLUME/count" 2>/dev/null || echo 0) + 1))
	echo "$number" >"$VOLUME/count"
	if nbd_used; then
		nbd_up "$number"
		backing=$NBD/$number/disk
	fi
	loop=$(losetup -f --show "$backing") || return 1
	echo "${loop#/dev/} $(cat "/sys/block/${loop#/dev/}/diskseq")" >>"$RIG_RUN/log/loops"
	echo "n$1 $loop" >"$VOLUME/live/$number"
	volume_log "$number" "n$1" attach "$loop"
	echo "$number"
}

volume_attach() { volume_locked volume_attach_now "$1"; }
volume_attach_now() {
	local n=$1 where
	where=$(volume_where)
	[ "$where" != "n$n" ] || return 0
	[ "$where" = none ] || die "volume is attached to $where"
	volume_connect "$n" >"$VOLUME/current" || return 1
	echo "n$n" >"$VOLUME/node"
	! node_running "$n" || volume_plug "$n" "$(volume_current)"
}

# A reboot does not detach a cloud volume: its device is there again.
volume_replug() {
	! trait shared || { shared_plug "$1" && return; }
	[ "$(volume_where)" = "n$1" ] || return 0
	[ -e "$VOLUME/current" ] || volume_connect "$1" >"$VOLUME/current" || return 1
	volume_plug "$1" "$(volume_current)"
}

volume_plug() {
	local loop
	loop=$(loop_of "$2")
	in_node "$1" sh -c "rm -f /dev/sdb && mknod -m 660 /dev/sdb b 7 ${loop#/dev/loop} &&
		mkdir -p /dev/disk/by-id && ln -sfn ../../sdb /dev/disk/by-id/$VOLUME_ID"
}

# The bug that a write log must find: a second attachment beside the first. For tests of the log only.
volume_double() { volume_plug "$1" "$(volume_connect "$1")"; }

volume_held() {
	local loop
	loop=$(loop_of "$(volume_current)")
	[ -n "$loop" ] && python3 "$RIG_HOME/lib/blockdev.py" held "$loop"
}
volume_free() { ! volume_held; }

# A cloud does not ask the guest; but if nobody has it, nothing need be torn. A hung disk is held.
volume_held_soon() {
	local asking
	volume_held &
	asking=$!
	! try_for 1 eval "! kill -0 $asking" || wait "$asking"
}

volume_detach() { volume_locked volume_detach_now "${1:-}"; }
volume_detach_now() {
	local n where how=detach
	where=$(volume_where)
	[ "$where" != none ] || return 0
	n=${where#n}
	if [ "$1" = --force ] || { [ "$1" = --cloud ] && volume_held_soon; }; then
		how=rip
	elif [ -z "$1" ]; then
		try_for 3 volume_free || die "volume is still held on $where (mounted, or a container keeps its copy)"
	fi
	if node_running "$n" && ! cgroup_frozen "$n"; then
		in_node "$n" rm -f /dev/sdb "/dev/disk/by-id/$VOLUME_ID"
	fi
	volume_disconnect "$n" "$how"
	rm -f "$VOLUME/node"
}

# Whatever the node still has, nothing of it reaches the disk: detached, or torn out from under a
# live mount, or without power.
volume_disconnect() {
	local number
	[ -e "$VOLUME/current" ] || return 0
	number=$(volume_current)
	! nbd_used || [ "$2" = detach ] || nbd_kill "$number" # first: a hung disk answers now, with EIO
	[ "$2" = detach ] || volume_crash "$1"
	losetup -d "$(loop_of "$number")" 2>/dev/null || :
	! nbd_used || nbd_down "$number"
	rm -f "$VOLUME/live/$number" "$VOLUME/current"
	volume_log "$number" "n$1" "$2"
}

volume_mounted() { grep -qs " $VOLUME_DIR " "/proc/$(node_pid "$1")/mounts"; }

volume_mount() {
	volume_mounted "$1" || in_node "$1" mount "/dev/disk/by-id/$VOLUME_ID" "$VOLUME_DIR"
}

volume_umount() {
	! volume_mounted "$1" || in_node "$1" umount "$VOLUME_DIR"
}

# What a power cut does to the file system, before pid 1 dies (whose death would unmount cleanly).
volume_crash() {
	! volume_mounted "$1" || timeout 10 python3 "$RIG_HOME/lib/blockdev.py" crash "$(node_root "$1")$VOLUME_DIR" ||
		warn "n$1: the volume could not be crashed; dirty data may reach it"
}

# The power of node N goes; its attachment stays, its device does not.
volume_power_cut() {
	! trait shared || { shared_cut "$1" && return; }
	[ "$(volume_where)" != "n$1" ] || volume_disconnect "$1" power
}

# Loops are dropped before the FUSE file some of them lie on: without it they have no name.
volume_drop() {
	local loop
	for loop in $(volume_loops); do
		losetup -d "$loop" 2>/dev/null || :
	done
	nbd_drop
	rm -rf "$VOLUME"/{node,current,live} "$VOLUME"/way-n*
}
