#!/bin/sh
# What the entry point of Mailcow's MariaDB image does, as far as it matters here: as root it gives the data to
# mysql and goes on as that user; a directory without system tables gets a database first, with root's password,
# and with the database and user of the environment; then it becomes what it was told to start.
set -eu

data=/var/lib/mysql
socket=/var/run/mysqld/mysqld.sock

say() { echo "docker-entrypoint: $*" >&2; }
as_mysql='setpriv --reuid=mysql --regid=mysql --init-groups'
root() { mariadb -uroot --socket=$socket "$@"; }

# A server for this script alone: no network, no cluster.
temporary_start() {
	$as_mysql mariadbd --skip-networking --wsrep-on=OFF --socket=$socket &
	server=$!
	n=0
	until root -e 'SELECT 1' >/dev/null 2>&1; do
		n=$((n + 1))
		[ "$n" -lt 300 ] || {
			say "the temporary server does not start"
			exit 1
		}
		sleep 0.1
	done
}

make_users() {
	if [ -n "${MYSQL_DATABASE:-}" ]; then
		root -e "CREATE DATABASE \`$MYSQL_DATABASE\`"
	fi
	if [ -n "${MYSQL_USER:-}" ]; then
		root -e "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
			GRANT ALL ON \`${MYSQL_DATABASE:-%}\`.* TO '$MYSQL_USER'@'%'"
	fi
	if [ -n "${MARIADB_MYSQL_LOCALHOST_USER:-}" ]; then
		root -e "CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;
			GRANT ${MARIADB_MYSQL_LOCALHOST_GRANTS:-USAGE} ON *.* TO mysql@localhost"
	fi
	if [ -n "${MYSQL_ROOT_PASSWORD:-}" ]; then
		root -e "CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
			GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
			ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD'"
	fi
}

make_database() {
	[ -n "${MYSQL_ROOT_PASSWORD:-}${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ] || {
		say "no database yet, and MYSQL_ROOT_PASSWORD is not set"
		exit 1
	}
	$as_mysql mariadb-install-db --datadir=$data --skip-test-db >/dev/null
	temporary_start
	make_users
	kill "$server"
	wait "$server"
	say "a new database is there"
}

case ${1:-} in
'' | -*) set -- mariadbd "$@" ;;
esac
if [ "$1" != mariadbd ]; then
	exec "$@"
fi
install -d -o mysql -g mysql ${socket%/*} $data
find $data ! -user mysql -exec chown mysql:mysql {} +
rm -f $socket
[ -d $data/mysql ] || make_database
exec $as_mysql "$@"
