"""What a team would write without this product: the same requests and answers, the code executed in-process.

No isolation at all. It is as quick as such a service can be, and the yardstick of `make bench`.
"""

import contextlib
import io
import threading
import time
import traceback
import types
from typing import Any

import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
# Redirecting stdout is process-wide: without the lock one request would get another's output. The interpreter's own
# lock lets one of them run at a time anyway.
one_at_a_time = threading.Lock()


class Code(BaseModel):
    code: str
    input_data: dict[str, Any] = {}


class Answer(BaseModel):
    status: str
    result: dict[str, Any] | None
    stdout: str
    stderr: str
    execution_time: float
    error: str | None


def plain(value: Any) -> Any:
    """A variable as what JSON can say."""
    if isinstance(value, pd.DataFrame):
        return value.to_dict("records")
    if isinstance(value, (pd.Series, np.ndarray)):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def comes_back(name: str, value: Any, given: dict[str, Any]) -> bool:
    """Whether a variable is part of the result: not what was there before, nor what is no data."""
    if name.startswith("_") or isinstance(value, (types.ModuleType, types.FunctionType, type)):
        return False
    return name not in given or given[name] is not value


@app.get("/health/live")
def live() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/execute_code")
def execute_code(request: Code) -> Answer:
    given = {"pd": pd, "np": np, "input_data": request.input_data, **request.input_data}
    names = {"__name__": "__main__", **given}
    stdout, stderr = io.StringIO(), io.StringIO()
    result, error = None, None
    with one_at_a_time, contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        started = time.perf_counter()
        try:
            exec(compile(request.code, "main.py", "exec"), names)
            result = {name: plain(value) for name, value in names.items() if comes_back(name, value, given)}
        except Exception as exception:
            traceback.print_exc()
            error = f"{type(exception).__name__}: {exception}"
        took = time.perf_counter() - started
    return Answer(
        status="error" if error else "ok",
        result=result,
        stdout=stdout.getvalue(),
        stderr=stderr.getvalue(),
        execution_time=took,
        error=error,
    )
