"""send.py ADDRESS HUB KEY_NAME KEY: sends events the way the documentation of Event Hubs' REST shows for Python, and prints
the status of each request. Events come on standard input, one a line."""

import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

address, hub, key_name, key = sys.argv[1:]
events = sys.stdin.read().strip().split("\n")


def token(uri: str) -> str:
    quoted = urllib.parse.quote_plus(uri)
    expiry = str(int(time.time() + 3600))
    signature = hmac.HMAC(key.encode("utf-8"), f"{quoted}\n{expiry}".encode("utf-8"), hashlib.sha256)
    quoted_signature = urllib.parse.quote(base64.b64encode(signature.digest()))
    return f"SharedAccessSignature sr={quoted}&sig={quoted_signature}&se={expiry}&skn={key_name}"


def post(path: str, content_type: str, body: str) -> None:
    url = f"{address}/{hub}/{path}"
    headers = {"Authorization": token(f"sb://contoso.servicebus.windows.net/{hub}"), "Content-Type": content_type}
    request = urllib.request.Request(url, data=body.encode("utf-8"), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.status, path, len(answer.read()))
    except urllib.error.HTTPError as error:
        print(error.code, path, len(error.read()))


post("messages?timeout=60&api-version=2014-01", "application/json", events[0])
batch = json.dumps([{"Body": body, "UserProperties": {"Alert": "Strong Wind"}} for body in events[1:]])
post("messages", "application/vnd.microsoft.servicebus.json; charset=utf-8", batch)
