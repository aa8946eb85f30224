#!/bin/bash
# Runs once, at the first boot, as root: installs what the stack needs, makes the secrets that nobody else knows,
# starts everything. May be run again by hand: it keeps what is there.
# Usage: setup.sh controller|manager [make-api-key]
set -euo pipefail
umask 077
service=$1
make_api_key=${2:-}
stack=/opt/decabill/$service
export DEBIAN_FRONTEND=noninteractive

# At most $1 times, with a pause of $2 seconds between.
try() {
    local tries=$1 pause=$2 n
    shift 2
    for ((n = 1; n <= tries; n++)); do
        "$@" && return 0
        sleep "$pause"
    done
    echo "decabill: gave up after $tries tries: $*" >&2
    return 1
}

install_packages() {
    local compose=docker-compose-v2 # Ubuntu's name; Debian 13 has the same program in docker-compose
    timeout 300 apt-get -q -o DPkg::Lock::Timeout=300 update || return 1
    if ! apt-cache show "$compose" >/dev/null 2>&1; then
        compose="docker-cli docker-compose"
    fi
    # shellcheck disable=SC2086  # two packages on Debian
    timeout 1200 apt-get -q -y -o DPkg::Lock::Timeout=300 -o DPkg::Options::=--force-confold install \
        docker.io $compose nginx certbot curl unattended-upgrades
}

start_stack() {
    cd "$stack"
    timeout 900 docker compose --ansi never up --detach --pull always --quiet-pull --remove-orphans
}

secret() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# What a stack needs and nobody has to know. Hex only: nothing in it to be quoted.
make_secrets() {
    local password
    if [[ -e $stack/generated.env ]]; then
        return 0
    fi
    password=$(secret)
    if [[ $service == controller ]]; then
        printf 'POSTGRES_PASSWORD=%s\n' "$password" >"$stack/database.env"
        printf 'DB_PASSWORD=%s\n' "$password" >"$stack/generated.env.new"
    else
        : >"$stack/generated.env.new"
    fi
    printf 'JWT_SECRET=%s\nENCRYPTION_KEY=%s\n' "$(secret)" "$(secret)" >>"$stack/generated.env.new"
    if [[ $make_api_key ]]; then
        printf 'STATIC_API_KEY=%s\n' "$(secret)" >>"$stack/generated.env.new"
    fi
    mv "$stack/generated.env.new" "$stack/generated.env"
}

make_secrets
systemctl try-reload-or-restart ssh
try 10 30 install_packages
systemctl daemon-reload
systemctl enable docker nginx
systemctl restart docker
rm -f /etc/nginx/sites-enabled/default
nginx -t
systemctl restart nginx
if [[ -e /etc/systemd/system/decabill-certificate.timer ]]; then
    systemctl enable --now decabill-certificate.timer
fi
try 20 30 start_stack
