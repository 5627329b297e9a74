#!/bin/sh
# Where Mailcow's redis gets its configuration: a file of the moment, from the environment.
cat >/redis.conf <<-END
	requirepass $REDISPASS
	save 3600 1 300 100 60 10000
END
exec redis-server /redis.conf
