"""A WSGI application, as any; gunicorn serves it on the socket that it inherits."""

import json
import os
import time
from urllib.parse import parse_qs

VERSION = "1"


def application(environ, start_response):
    query = parse_qs(environ.get("QUERY_STRING", ""))
    time.sleep(int(query.get("ms", ["0"])[0]) / 1000)
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = {"version": VERSION, "versionAfter": VERSION, "pid": os.getpid()}
    return [json.dumps(answer).encode() + b"\n"]
