#!/usr/bin/env bash
# send.sh ADDRESS HUB KEY_NAME KEY: sends events the way the documentation of Event Hubs' REST shows for Bash, with openssl and
# curl, and prints the status of each request. Events come on standard input, one a line.
set -euo pipefail
address="$1" hub="$2" key_name="$3" key="$4"

# Escapes with small letters, as .NET does; every sender has its own way.
escape() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/\(..\)/%\1/g'; }

resource="$(escape "http://contoso.servicebus.windows.net/$hub/")"
expiry=$(($(date +%s) + 3600))
signature="$(printf '%s\n%s' "$resource" "$expiry" | openssl dgst -sha256 -hmac "$key" -binary | openssl base64 -A)"
token="SharedAccessSignature sr=$resource&sig=$(escape "$signature")&se=$expiry&skn=$key_name"

while IFS= read -r event; do
  curl --silent --output /dev/null --write-out '%{http_code} messages %{size_download}\n' --request POST \
    --header "Authorization: $token" --header 'Content-Type: application/atom+xml;type=entry;charset=utf-8' \
    --data-binary "$event" "$address/$hub/messages?timeout=60&api-version=2014-01"
done
