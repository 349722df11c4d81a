"""Runs Python in code-sandbox and waits for the answer. Needs httpx.

    python sandbox.py '{"values": [1, 2, 3]}' < program.py

Environment: SANDBOX_URL, SANDBOX_KEY (an API key, where the service wants one), SANDBOX_PATIENCE (seconds).
"""

import json
import os
import sys
import time

import httpx

URL = os.environ.get("SANDBOX_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("SANDBOX_KEY")
PATIENCE = float(os.environ.get("SANDBOX_PATIENCE", "60"))

HEADERS = {"Authorization": f"Bearer {KEY}"} if KEY else {}
# Time in the service's queue, and for the answer's way.
OVERHEAD = 60


class Refused(Exception):
    """There is no answer of the code: `status` is that of HTTP, `detail` says why."""

    def __init__(self, answer: httpx.Response):
        self.status = answer.status_code
        try:
            self.detail = answer.json()["detail"]
        except ValueError:
            # Of a proxy in between.
            self.detail = answer.text[:200]
        super().__init__(f"{self.status}: {self.detail}")


def pause(answer: httpx.Response) -> float | None:
    """Seconds after which to ask again; none if asking again changes nothing."""
    if answer.status_code not in (429, 503):
        return None
    return float(answer.headers.get("Retry-After", "1"))


class Sandbox:
    """One connection pool for many runs. Threads may share it."""

    def __init__(self, url: str = URL, patience: float = PATIENCE):
        self.patience = patience
        self.http = httpx.Client(base_url=url, headers=HEADERS)

    def run(self, code: str, timeout: float = 30, **request) -> dict:
        """The answer, whatever became of the code: look at its `status`. While the service is busy, asks again."""
        request |= {"code": code, "timeout": timeout}
        deadline = time.monotonic() + self.patience
        while True:
            answer = self.http.post("/execute_code", json=request, timeout=timeout + OVERHEAD)
            if answer.is_success:
                return answer.json()
            wait = pause(answer)
            if wait is None or time.monotonic() + wait > deadline:
                raise Refused(answer)
            time.sleep(wait)


def show(run: dict) -> int:
    """Prints what the code printed and what is left of it; the exit status says whether it went well."""
    print(run["stdout"], end="")
    print(run["stderr"], end="", file=sys.stderr)
    if run["status"] != "ok":
        print(f"{run['status']}: {run['error']}", file=sys.stderr)
        return 1
    print(json.dumps(run["result"]))
    return 0


if __name__ == "__main__":
    try:
        given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
        sys.exit(show(Sandbox().run(sys.stdin.read(), input_data=given)))
    except json.JSONDecodeError as error:
        sys.exit(f"the argument is not JSON: {error}")
    except (Refused, httpx.TransportError) as error:
        sys.exit(f"no answer: {error}")
