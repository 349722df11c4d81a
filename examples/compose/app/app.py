"""A small application with the sandbox behind it: `POST /report` takes a CSV file and answers with a page that describes it.

The code below might as well be a user's or a language model's: it never runs in this process.
"""

import html
import json
import os
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SANDBOX_URL = os.environ.get("SANDBOX_URL", "http://127.0.0.1:8000")
MOST_BYTES = 1 << 20

DESCRIBE = """
import matplotlib.pyplot as plt
table = pd.read_csv("table.csv")
table.plot(x=table.columns[0])
table.describe()
"""


class Busy(Exception):
    """The sandbox is, for longer than a user waits."""


def run(code: str, **request) -> dict:
    """The sandbox's answer; asks again while it is busy."""
    body = json.dumps({"code": code, **request}).encode()
    headers = {"Content-Type": "application/json"}
    for _ in range(5):
        asked = urllib.request.Request(f"{SANDBOX_URL}/execute_code", data=body, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(float(error.headers.get("Retry-After", "1")))
    raise Busy


class Handler(BaseHTTPRequestHandler):
    """One page, and what a health check asks for."""

    def do_GET(self):
        self.answer(200 if self.path == "/health" else 404, "")

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if self.path != "/report" or size > MOST_BYTES:
            return self.answer(404 if size <= MOST_BYTES else 413, "")
        table = self.rfile.read(size).decode(errors="replace")
        try:
            report = run(DESCRIBE, files=[{"path": "table.csv", "content": table}])
        except Busy:
            return self.answer(503, "try again in a minute")
        except OSError as error:
            self.log_error("the sandbox cannot be asked: %s", error)
            return self.answer(502, "reports cannot be made at the moment")
        if report["status"] != "ok":
            return self.answer(422, html.escape(report["error"]))
        figures = "".join(f'<img src="data:image/png;base64,{figure["data"]}">' for figure in report["figures"])
        self.answer(200, report["display"]["text/html"] + figures)

    def answer(self, status: int, page: str):
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # What the sandbox made of a stranger's table is shown, never run.
        self.send_header("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8090), Handler).serve_forever()
