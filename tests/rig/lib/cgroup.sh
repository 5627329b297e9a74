# Cgroups of a node: one directory of its own in every hierarchy of the machine,
# the empty cgroup2 ("unified") included. Without that one, the systemds of all
# nodes would put their services into the same directories and kill each other's.
#
# In a chroot /sys/fs/cgroup may be bare; then the hierarchies the kernel has are
# mounted under $RIG_RUN/cgroup, and unmounted by "rig down".
# shellcheck shell=bash

CGROUP_OWN=$RIG_RUN/cgroup

cgroup_root() {
	if [ -d "$CGROUP_OWN" ]; then echo "$CGROUP_OWN"; else echo /sys/fs/cgroup; fi
}

cgroup_init() {
	! cgroup_usable || return 0
	[ -e /proc/self/cgroup ] || die "no /proc/self/cgroup: mount /proc, /sys and /dev first"
	mkdir -p "$CGROUP_OWN"
	mount -t tmpfs -o mode=755,size=1m rig-cgroup "$CGROUP_OWN"
	local controllers name
	while IFS=: read -r _ controllers _; do
		name=${controllers#name=}
		name=${name:-unified}
		mkdir "$CGROUP_OWN/$name"
		case $controllers in
		'') mount -t cgroup2 cgroup2 "$CGROUP_OWN/$name" ;;
		name=*) mount -t cgroup -o "none,$controllers" cgroup "$CGROUP_OWN/$name" ;;
		*) mount -t cgroup -o "$controllers" cgroup "$CGROUP_OWN/$name" ;;
		esac
	done </proc/self/cgroup
	cgroup_usable || die "the rig needs cgroup v1 hierarchies (freezer, devices, ...); this kernel has none"
}

cgroup_usable() { [ -e "$(cgroup_root)/freezer/cgroup.procs" ] || [ -e "$(cgroup_root)/freezer/tasks" ]; }

# Hierarchies as "name"s; on the machine they are the mounted directories.
cgroup_names() {
	local dir
	for dir in "$(cgroup_root)"/*/; do
		[ ! -e "$dir/cgroup.procs" ] || basename "$dir"
	done
}

cgroup_of() { echo "$(cgroup_root)/$2/$RIG_NAME-n$1"; }

cgroup_make() {
	local name dir
	for name in $(cgroup_names); do
		dir=$(cgroup_of "$1" "$name")
		mkdir -p "$dir"
		[ "$name" = cpuset ] || continue
		cat "$dir/../cpuset.cpus" >"$dir/cpuset.cpus"
		cat "$dir/../cpuset.mems" >"$dir/cpuset.mems"
		echo 1 >"$dir/cgroup.clone_children"
	done
}

# Move the calling (sub)shell into node N's cgroups.
cgroup_enter() {
	local dir
	for dir in "$(cgroup_root)"/*/"$RIG_NAME-n$1"; do
		echo "$BASHPID" >"$dir/cgroup.procs"
	done
}

# Outer pids of every process of node N, its containers included.
cgroup_pids() {
	local dir
	dir=$(cgroup_of "$1" pids)
	[ ! -d "$dir" ] || find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null
}

cgroup_empty() { [ -z "$(cgroup_pids "$1")" ]; }

cgroup_freeze() { echo FROZEN >"$(cgroup_of "$1" freezer)/freezer.state"; }
cgroup_thaw() {
	local state
	state=$(cgroup_of "$1" freezer)/freezer.state
	[ ! -e "$state" ] || echo THAWED >"$state"
}
cgroup_frozen() { grep -qs FR "$(cgroup_of "$1" freezer)/freezer.state"; }

cgroup_remove() {
	local dir
	for dir in "$(cgroup_root)"/*/"$RIG_NAME-n$1"; do
		[ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} \; 2>/dev/null || :
	done
}

cgroup_done() {
	[ -d "$CGROUP_OWN" ] || return 0
	local dir
	for dir in "$CGROUP_OWN"/*/; do
		umount "$dir" 2>/dev/null || :
	done
	umount "$CGROUP_OWN" 2>/dev/null || :
	rmdir "$CGROUP_OWN" 2>/dev/null || :
}
