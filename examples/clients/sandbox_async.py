"""Runs many pieces of Python in code-sandbox at once. Needs httpx.

    python sandbox_async.py first.py second.py ...

Environment: as for sandbox.py.
"""

import asyncio
import sys
import time

import httpx

from sandbox import HEADERS, OVERHEAD, PATIENCE, URL, Refused, pause, show


async def run(http: httpx.AsyncClient, code: str, timeout: float = 30, **request) -> dict:
    """The answer, whatever became of the code. Cancelling the task ends the run in the sandbox too."""
    request |= {"code": code, "timeout": timeout}
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = await http.post("/execute_code", json=request, timeout=timeout + OVERHEAD)
        if answer.is_success:
            return answer.json()
        wait = pause(answer)
        if wait is None or time.monotonic() + wait > deadline:
            raise Refused(answer)
        await asyncio.sleep(wait)


async def run_all(codes: list[str], at_once: int = 8) -> list[dict | Exception]:
    """The answers in order; in the place of one that could not be had, why."""
    turns = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(base_url=URL, headers=HEADERS) as http:

        async def run_one(code: str) -> dict:
            async with turns:
                return await run(http, code)

        return await asyncio.gather(*map(run_one, codes), return_exceptions=True)


def main(paths: list[str]) -> int:
    codes = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            codes.append(file.read())
    worst = 0
    for path, answer in zip(paths, asyncio.run(run_all(codes))):
        if isinstance(answer, Exception):
            print(f"{path}: no answer: {answer}", file=sys.stderr)
            worst = 1
        else:
            worst = max(worst, show(answer))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
