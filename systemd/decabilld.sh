#!/bin/sh
# Commands of decabilld with the service's settings and secrets, for root: `decabilld doctor`, `decabilld backup FILE`.
if [ "$1" = serve ]; then
    echo "decabilld: systemd starts the service; a second daemon with its secrets would mail its customers." >&2
    echo "For one of your own, with settings of its own: /opt/decabilld/bin/decabilld serve" >&2
    exit 2
fi
for secret in /etc/credstore/decabilld.*; do
    [ -f "$secret" ] && export "${secret##*/decabilld.}_FILE=$secret"
done
export DECABILLD_ENV_FILE="${DECABILLD_ENV_FILE:-/etc/decabilld/decabilld.env}"
exec /opt/decabilld/bin/decabilld "$@"
