# The container images: one small Debian root with the real mail daemons, and
# one with nothing but busybox for the placeholders.
#
# They are built once per content of image/ (debootstrap from the machine's own
# apt sources), kept as plain tarballs in the cache, and imported into every
# node's dockerd. A lock keeps two rigs from building the same thing twice.
# shellcheck shell=bash

image_key() { hash_of image lib/images.sh; }
image_tar() { echo "$RIG_CACHE/mail-$(image_key).tar"; }
tiny_tar() { echo "$RIG_CACHE/tiny-$(image_key).tar"; }

cmd_images() {
	images_build
	say "images cached in $RIG_CACHE, key $(image_key)"
}

images_build() {
	local log=$RIG_CACHE/image-build.log
	mkdir -p "$RIG_CACHE"
	(
		flock -w 900 8 || die "another rig has been building images for 15 minutes"
		[ -e "$(tiny_tar)" ] || tiny_build
		[ ! -e "$(image_tar)" ] || exit 0
		note "building the mail image (about a minute, log: $log)"
		image_build "$(image_tar)" >"$log" 2>&1 </dev/null || die "the mail image could not be built, see $log"
		note "mail image: $(du -m "$(image_tar)" | cut -f1) MB"
	) 8>"$RIG_CACHE/image.lock" 9>&-
}

# Where this machine gets its Debian packages from: "URI SUITE COMPONENT" lines.
apt_sources() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sort -u | grep -E " $(. /etc/os-release && echo "$VERSION_CODENAME")(-[a-z]+)? main$"
}

image_build() (
	set -x
	local tar=$1 root codename mirror
	root=$(mktemp -d "$RIG_CACHE/build.XXXXXX")
	trap 'rm -rf --one-file-system "$root"' EXIT
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mirror=$(apt_sources | awk -v s="$codename" '$2 == s { print $1; exit }')
	[ -n "$mirror" ] || { echo "no Debian $codename archive in the apt sources" && exit 1; }

	debootstrap --variant=minbase "$codename" "$root" "$mirror"

	# The same archives and apt settings as the machine, for the time of the build.
	apt_sources | sed 's/^/deb /' >"$root/etc/apt/sources.list"
	grep -lsE '^ *Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* |
		xargs -r cp -t "$root/etc/apt/apt.conf.d"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	cp "$RIG_HOME/image/build" "$RIG_HOME/image/packages" "$root/"
	unshare -m --propagation unchanged chroot "$root" /build

	rm -f "$root/build" "$root/packages"
	tar -C "$RIG_HOME/image/root" --owner=0 --group=0 -c . | tar -C "$root" -x
	chroot "$root" /start configure
	unshare -m -n chroot "$root" /start compile
	tar -C "$root" -c --one-file-system . >"$tar.new"
	mv "$tar.new" "$tar"
)

# busybox alone, every applet a link
tiny_build() {
	local root applet
	root=$(mktemp -d "$RIG_CACHE/tiny.XXXXXX")
	mkdir -p "$root"/{bin,tmp,etc,proc,dev}
	cp /bin/busybox "$root/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	cp "$RIG_HOME/image/placeholder" "$root/placeholder"
	tar -C "$root" --owner=0 --group=0 -c . >"$(tiny_tar).new"
	mv "$(tiny_tar).new" "$(tiny_tar)"
	rm -rf "$root"
}

# Import both images into node N's dockerd, unless it has them from last time.
images_load() {
	local n=$1
	in_node "$n" docker image inspect "mailrig:$(image_key)" "tinyrig:$(image_key)" >/dev/null 2>&1 && return 0
	in_node "$n" docker import - "tinyrig:$(image_key)" <"$(tiny_tar)"
	in_node "$n" docker import - "mailrig:$(image_key)" <"$(image_tar)"
}
