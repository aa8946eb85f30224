#!/bin/bash
# Started every quarter of an hour by decabill-certificate.timer until there is a certificate, for a week at most:
# asks for one once the name leads here, so that no try is wasted (Let's Encrypt allows five failures an hour).
# Usage: certificate.sh FQDN ITEM
set -euo pipefail
fqdn=$1
item=$2
challenge=/var/www/decabill/.well-known/acme-challenge
tries_file=/var/lib/decabill/certificate.tries
tries_max=672

stop_asking() {
    systemctl disable --now decabill-certificate.timer
    exit 0
}

leads_here() {
    [[ $(curl --silent --max-time 10 --max-filesize 100 "http://$fqdn/.well-known/acme-challenge/decabill") == "$item" ]]
}

mkdir -p "$challenge" "$(dirname "$tries_file")"
tries=$(($(cat "$tries_file" 2>/dev/null || echo 0) + 1))
if ((tries > tries_max)); then
    echo "decabill: no certificate for $fqdn after a week; http stays" >&2
    stop_asking
fi
echo "$tries" >"$tries_file"

printf %s "$item" >"$challenge/decabill"
for ((n = 1; n <= 20; n++)); do
    leads_here && break
    if ((n == 20)); then
        echo "decabill: $fqdn does not lead here yet (try $tries of $tries_max)" >&2
        exit 0
    fi
    sleep 15
done

timeout 300 certbot certonly --non-interactive --agree-tos --register-unsafely-without-email --keep-until-expiring \
    --webroot --webroot-path /var/www/decabill --cert-name "$fqdn" --domain "$fqdn" \
    --deploy-hook "systemctl reload nginx"
cp /opt/decabill/nginx-https.conf /etc/nginx/conf.d/decabill.conf
nginx -t
systemctl reload nginx
rm -f "$challenge/decabill"
stop_asking
