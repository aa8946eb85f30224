#!/bin/sh
# Commands of decabilld with the service's settings and secrets, for root: `decabilld doctor`, `decabilld backup FILE`.
for secret in /etc/credstore/decabilld.*; do
    [ -f "$secret" ] && export "${secret##*/decabilld.}_FILE=$secret"
done
export DECABILLD_ENV_FILE="${DECABILLD_ENV_FILE:-/etc/decabilld/decabilld.env}"
exec /opt/decabilld/bin/decabilld "$@"
