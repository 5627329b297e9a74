#!/bin/bash
# A double of Mailcow's update.sh: its options, its exit codes and the order of its deeds. The next release
# lies in next/ beside it (files to be put over the installed ones). A line of the file exits, taken from
# its top at each run, is how that run goes: again (it replaced itself), early or late (it fails before or
# after the containers are gone), hang (then too, until there is a file let-go), ok.
set -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
say() { echo "update.sh: $*"; }

current() { (cd next 2>/dev/null && find . -type f) | while read -r f; do cmp -s "next/$f" "$f" || exit 1; done; }
check='' force='' skip=''
while (($#)); do
	case $1 in
	-c | --check) check=y ;;
	-f | --force) force=y ;;
	--skip-start) skip=y ;;
	*) exit 1 ;;
	esac
	shift
done
if [ "$check" ]; then
	[ ! -e no-network ] || { say "A problem occurred while trying to fetch the latest revision" && exit 99; }
	current && say "No updates available." && exit 3
	say "Updated code is available."
	exit 0
fi
mkdir running 2>/dev/null || {
	say "two at once" | tee overlap
	exit 1
}
trap 'rmdir running' EXIT
how=$(head -n 1 exits 2>/dev/null)
[ -z "$how" ] || sed -i 1d exits
[ "$force" ] || {
	say "it asks, and nobody answers"
	exit 0
}
[ "$how" != again ] || {
	say "update.sh changed, please run this script again, exiting."
	exit 2
}
[ "$how" != early ] || {
	say "Cannot resolve the registry"
	exit 1
}
compose="docker compose"
grep -qx 'DOCKER_COMPOSE_VERSION=standalone' mailcow.conf && compose=docker-compose
$compose config -q || {
	say "the compose file is broken"
	exit 1
}
say "Stopping mailcow..."
$compose down || exit 1
[ "$how" != late ] || {
	say "Oh no, something went wrong."
	exit 1
}
# Five minutes at most: whoever tests it may have died.
[ "$how" != hang ] || timeout 300 sh -c 'until [ -e let-go ]; do sleep 0.2; done'
cp -a next/. . || exit 1
[ "$skip" ] || $compose up -d --remove-orphans
say "done"
