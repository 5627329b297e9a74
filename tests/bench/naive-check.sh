#!/bin/sh
# The shell way, as a careful operator writes it for keepalived's vrrp_script (interval 1, fall 1):
# exit 0 if this node could carry mail. One call of each client, not one for each service.
#
#   DOCKER_HOST, PROJECT, SERVICES (must run), MYCNF (user, password and socket of MariaDB)
set -eu

nl='
'
up=$nl$(docker ps --filter "label=com.docker.compose.project=$PROJECT" \
	--format '{{.Label "com.docker.compose.service"}} {{.Status}}')
for service in $SERVICES; do
	case $up in *"$nl$service Up "*) ;; *) exit 1 ;; esac
done
case $up in *"(unhealthy)"*) exit 1 ;; esac

status=$(mariadb --defaults-file="$MYCNF" --connect-timeout=1 -N -B -e "
	SHOW GLOBAL STATUS WHERE Variable_name IN
	('wsrep_cluster_status', 'wsrep_ready', 'wsrep_local_state_comment')" | tr '\t' =)
case $status in *wsrep_cluster_status=Primary*) ;; *) exit 1 ;; esac
case $status in *wsrep_ready=ON*) ;; *) exit 1 ;; esac
case $status in *wsrep_local_state_comment=Synced* | *wsrep_local_state_comment=Donor*) ;; *) exit 1 ;; esac
