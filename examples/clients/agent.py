"""An agent: a model that runs code over MCP until it knows the answer. Needs mcp, the official package.

    python agent.py "What is the median of 3, 1, 4, 1, 5?"

`think` stands in for the model. A real one gets the same: the tools as they are listed, and the conversation so far; it answers with
a call of a tool, or with words.
"""

import asyncio
import os
import re
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("SANDBOX_URL", "http://127.0.0.1:8000").rstrip("/") + "/mcp"
MOST_STEPS = 8


def think(tools, conversation):
    """The next step: {"call": name, "arguments": {...}} or {"say": text}."""
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", conversation[0]["content"])]
    code = "statistics.median(numbers)"
    last = conversation[-1]
    if last["role"] == "tool" and not last["failed"]:
        return {"say": f"The median is {last['content'].split()[-1]}."}
    # Models forget an import now and then, and learn of it by the error.
    if last["role"] == "tool":
        code = f"import statistics\n{code}"
    return {"call": "execute_python", "arguments": {"code": code, "input_data": {"numbers": numbers}}}


async def answer(question):
    key = os.environ.get("SANDBOX_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=360) as http, \
            Client(streamable_http_client(URL, http_client=http)) as client:
        tools = (await client.list_tools()).tools
        conversation = [{"role": "user", "content": question}]
        for _ in range(MOST_STEPS):
            step = think(tools, conversation)
            if "say" in step:
                return step["say"]
            result = await client.call_tool(step["call"], step["arguments"])
            # A model that sees gets the images as well.
            text = "\n".join(item.text for item in result.content if item.type == "text")
            conversation.append({"role": "tool", "content": text, "failed": result.is_error})
            print(f"[{step['call']}] {text}", file=sys.stderr)
        return "I have not found out."


if __name__ == "__main__":
    print(asyncio.run(answer(" ".join(sys.argv[1:]))))
