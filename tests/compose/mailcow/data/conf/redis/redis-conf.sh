#!/bin/sh
# What Mailcow's does: a configuration with the password, then whatever redis-server is first in PATH.
set -eu
printf 'requirepass %s\nuser quota_notify on nopass ~QW_* -@all +get +hget +ping\n' "$REDISPASS" >/redis.conf
exec redis-server /redis.conf
