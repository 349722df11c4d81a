"""A tool for an LLM agent: a name, a description, a JSON schema, and the function that they describe. Needs httpx.

The schema is what model providers call `parameters` or `input_schema`, and LangChain `args_schema`; the function never raises,
because whatever goes wrong is something that the model should read.

    python tool.py < program.py        # the text for the model; images become figure-1.png, ...
"""

import base64
import json
import sys

import httpx

from sandbox import Refused, Sandbox

NAME = "execute_python"
DESCRIPTION = """\
Runs a Python 3.13 program in a sandbox and returns what it printed, the value of its last line and its variables. pandas,
NumPy, Matplotlib, SciPy and scikit-learn are installed. There is no network, and nothing is kept from one call to the next.
Figures that are open at the end are shown."""
SCHEMA = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "description": "A whole program."},
        "input_data": {"type": "object", "description": "Variables for it, by name."},
    },
    "required": ["code"],
    "additionalProperties": False,
}

# What of an output a model gets to read: its beginning and its end.
MOST = 8_000

sandbox = Sandbox()


def execute_python(code: str, input_data: dict | None = None) -> tuple[str, list[bytes]]:
    """Text for the model, and pictures as PNG."""
    try:
        run = sandbox.run(code, input_data=input_data or {})
    except (Refused, httpx.TransportError) as error:
        return f"There is no answer: {error}", []
    parts = [run["stdout"], run["stderr"]]
    if run["status"] != "ok":
        # The last line of a traceback says this already.
        parts.append("" if run["status"] == "error" and run["stderr"] else f"{run['status']}: {run['error']}")
    if run["display"]:
        parts.append(run["display"]["text/plain"])
    if run["result"]:
        parts.append("variables: " + json.dumps(run["result"], ensure_ascii=False))
    parts += [f"{left['name']} is left out: {left['reason']}" for left in run["omitted"]]
    text = "\n".join(shortened(part.rstrip("\n")) for part in parts if part)
    return text or "The program has printed nothing.", [base64.b64decode(figure["data"]) for figure in run["figures"]]


def shortened(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[: MOST // 2]}\n[{len(text) - MOST} characters are left out]\n{text[-MOST // 2 :]}"


if __name__ == "__main__":
    text, images = execute_python(sys.stdin.read())
    print(text)
    for number, image in enumerate(images, 1):
        with open(f"figure-{number}.png", "wb") as file:
            file.write(image)
