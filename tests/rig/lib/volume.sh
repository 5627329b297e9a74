# The shared volume, as a cloud offers it: attached to one node at most, detach
# refused while it is held (unless forced). It is a loop device whose node appears
# in that node's private /dev only. With RIG_NBD=1 its backing file is served by
# nbdkit, so that errors and hangs can be injected below the file system.
# State: $RIG_RUN/volume/{image,node,loop}; "node" stays after a power cut.
# shellcheck shell=bash

VOLUME_ID=scsi-0HC_Volume_1001
VOLUME=$RIG_RUN/volume
NBD=$RIG_RUN/nbd

cmd_volume() {
	local verb=${1:-where}
	case $verb in
	attach) volume_attach "$(node_number "${2:-}")" ;;
	detach) volume_detach "${2:-}" ;;
	where) volume_where ;;
	*) die "usage: rig volume attach NODE | detach [--force] | where" ;;
	esac
}

volume_where() { cat "$VOLUME/node" 2>/dev/null || echo none; }
volume_loop() { cat "$VOLUME/loop" 2>/dev/null; }

# A fresh file system with the directories the override binds.
volume_make() {
	local tree
	rm -rf "$VOLUME"
	mkdir -p "$VOLUME/tree"
	tree=$VOLUME/tree
	install -d -m 755 "$tree"/{vmail,redis,postfix,crypt}
	chown 5000:5000 "$tree/vmail"
	truncate -s 1G "$VOLUME/image"
	mkfs.ext4 -q -F -L mailcow-ha -d "$tree" "$VOLUME/image" >>"$RIG_RUN/log/volume.log" 2>&1
	rm -rf "$tree"
	[ -z "${RIG_NBD:-}" ] || nbd_up
}

volume_attach() {
	local n=$1 where backing=$VOLUME/image
	where=$(volume_where)
	[ "$where" != "n$n" ] || return 0
	[ "$where" = none ] || die "volume is attached to $where"
	[ ! -e "$NBD/disk" ] || backing=$NBD/disk
	losetup -f --show "$backing" >"$VOLUME/loop"
	echo "n$n" >"$VOLUME/node"
	volume_plug "$n"
}

volume_plug() {
	local loop
	loop=$(volume_loop)
	in_node "$1" sh -c "rm -f /dev/sdb && mknod -m 660 /dev/sdb b 7 ${loop#/dev/loop} &&
		mkdir -p /dev/disk/by-id && ln -sfn ../../sdb /dev/disk/by-id/$VOLUME_ID"
}

volume_held() { python3 "$RIG_HOME/lib/blockdev.py" held "$(volume_loop)"; }
volume_free() { ! volume_held; }

volume_detach() {
	local n where
	where=$(volume_where)
	[ "$where" != none ] || return 0
	n=${where#n}
	if [ "${1:-}" = --force ]; then
		volume_rip "$n"
	else
		try_for 3 volume_free || die "volume is still held on $where (mounted, or a container keeps its copy)"
	fi
	if node_running "$n" && ! cgroup_frozen "$n"; then
		in_node "$n" rm -f /dev/sdb "/dev/disk/by-id/$VOLUME_ID"
	fi
	losetup -d "$(volume_loop)" 2>/dev/null || :
	rm -f "$VOLUME/node" "$VOLUME/loop"
}

# Tear the device out from under a live mount: nothing the old node still has reaches the disk.
volume_rip() {
	volume_crash "$1"
	if [ -e "$NBD/disk" ]; then
		nbd_down
		nbd_up
	fi
}

volume_mounted() { grep -qs " $VOLUME_DIR " "/proc/$(node_pid "$1")/mounts"; }

volume_mount() {
	volume_mounted "$1" || in_node "$1" mount "/dev/disk/by-id/$VOLUME_ID" "$VOLUME_DIR"
}

volume_umount() {
	! volume_mounted "$1" || in_node "$1" umount "$VOLUME_DIR"
}

# What a power cut does to the disk, before pid 1 dies (whose death would unmount cleanly).
volume_crash() {
	! volume_mounted "$1" || timeout 10 python3 "$RIG_HOME/lib/blockdev.py" crash "$(node_root "$1")$VOLUME_DIR" ||
		warn "n$1: the volume could not be crashed; dirty data may reach it"
}

nbd_up() {
	mkdir -p "$NBD"
	rm -f "$NBD"/*
	touch "$NBD/disk"
	daemon "$RIG_RUN/log/nbd.log" nbdkit -f -P "$NBD/nbdkit.pid" -U "$NBD/socket" \
		--filter=pause --filter=error file "$VOLUME/image" \
		pause-control="$NBD/pause" error=EIO error-rate=100% error-file="$NBD/error"
	wait_for 10 "nbdkit's socket" "$RIG_RUN/log/nbd.log" test -S "$NBD/socket"
	daemon "$RIG_RUN/log/nbd.log" nbdfuse -P "$NBD/nbdfuse.pid" "$NBD/disk" --unix "$NBD/socket"
	wait_for 10 "nbdfuse's mount" "$RIG_RUN/log/nbd.log" grep -q " $NBD/disk " /proc/mounts
}

# kill_pidfile NAME FILE: kill -9 the process, if it still is what it was.
kill_pidfile() {
	local pid
	pid=$(cat "$2" 2>/dev/null) || return 0
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || kill -9 "$pid"
}

nbd_kill() {
	kill_pidfile nbdkit "$NBD/nbdkit.pid"
	kill_pidfile nbdfuse "$NBD/nbdfuse.pid"
}

nbd_down() {
	nbd_kill
	umount -l "$NBD/disk" 2>/dev/null || :
	rm -f "$NBD"/*
}

# 'p' pauses, 'r' resumes every request to the disk.
nbd_control() { printf "%s" "$1" | socat -t1 - "UNIX-CONNECT:$NBD/pause" >/dev/null; }

# Loops are dropped before the FUSE file some of them lie on: without it they have no name.
volume_drop() {
	local loop
	for loop in $(losetup -n -O NAME,BACK-FILE | awk -v d="$RIG_RUN/" 'index($2, d) == 1 { print $1 }'); do
		losetup -d "$loop" 2>/dev/null || :
	done
	nbd_down
	rm -f "$VOLUME/node" "$VOLUME/loop"
}
