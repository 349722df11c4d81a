"""client.py URL MODE [KEY]: speaks to /mcp with the official client and checks what a user of it relies on.

MODE is the client's: `legacy` begins with a handshake and cancels by notification, `auto` speaks the newest version, where leaving
a request cancels it. Prints one line for each thing that holds; exit status 1 with a traceback otherwise.
"""

import asyncio
import base64
import sys
import time

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

PROGRAM = "for i in range(3):\n    print(i)\n    time.sleep(0.3)\nx = 5\nx + 1"


async def main(url, mode, key=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            await check(client, url, http)


async def check(client, url, http):
    assert client.server_info.name == "code-sandbox", client.server_info
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"execute_python", "upload_data", "list_data"}, tools
    assert tools["execute_python"].input_schema["required"] == ["code"]
    say("the tools are listed with their schemas")

    told = []

    async def on_progress(progress, total, message):
        told.append((time.monotonic(), message))

    result = await client.call_tool("execute_python", {"code": "import time\n" + PROGRAM}, progress_callback=on_progress)
    assert not result.is_error and result.structured_content["result"] == {"i": 2, "x": 5}, result
    assert result.structured_content["stdout"] == "0\n1\n2\n" and "[value of the last line]\n6" in result.content[0].text
    assert [message for _, message in told] == ["0\n", "1\n", "2\n"], told
    assert told[1][0] - told[0][0] > 0.2, told
    say("output comes as progress while the code runs")

    result = await client.call_tool("execute_python", {"code": "import matplotlib.pyplot as plt\nplt.plot(xs);", "input_data": {"xs": [1, 2]}})
    images = [item for item in result.content if item.type == "image"]
    assert len(images) == 1 and images[0].mime_type == "image/png", result
    assert base64.b64decode(images[0].data).startswith(b"\x89PNG") and "figures" not in result.structured_content
    say("a figure comes as image content")

    result = await client.call_tool("execute_python", {"code": "1/0"})
    assert result.is_error and "[error] ZeroDivisionError: division by zero" in result.content[0].text, result
    result = await client.call_tool("execute_python", {"cod": "", "timeout": 0})
    assert result.is_error and "code: Field required" in result.content[0].text and "timeout: Input should be greater" in result.content[0].text, result
    say("an error of the code, and of the arguments, is a tool result")

    result = await client.call_tool("upload_data", {"key": "sales", "content": "[1, 2]", "content_type": "application/json"})
    assert not result.is_error, result
    result = await client.call_tool("upload_data", {"key": "../x", "content": ""})
    assert result.is_error and "a key is 1 to 255 characters" in result.content[0].text, result
    result = await client.call_tool("list_data", {})
    assert [value["key"] for value in result.structured_content["data"]] == ["sales"], result
    result = await client.call_tool("execute_python", {"code": "total = sum(data['sales'])"})
    assert result.structured_content["result"] == {"total": 3}, result
    say("uploaded data is listed, and is there in code")

    result = await client.call_tool("execute_python", {"code": "print(a + 1)", "input_data": {"a": 10**40}})
    assert result.structured_content["stdout"] == f"{10**40 + 1}\n", result
    say("numbers arrive as they were sent")

    result = await client.call_tool("execute_python", {"code": "a = 10 ** 400"})
    assert not result.is_error and result.structured_content["result"] is None, result
    assert f'{{"a":{10**400}}}' in result.content[0].text, result
    assert [omitted["name"] for omitted in result.structured_content["omitted"]] == ["result"], result
    say("a number too large for structured content is in the text")

    # Over what the client takes of an event.
    result = await client.call_tool("execute_python", {"code": "print('x' * 900_000)"})
    assert not result.is_error and result.structured_content["stdout"] == "x" * 900_000 + "\n", len(str(result))
    say("a large answer arrives whole")

    try:
        await client.call_tool("nothing", {})
    except MCPError:
        say("an unknown tool is a protocol error")
    else:
        raise AssertionError("a tool that does not exist was called")

    running = asyncio.create_task(client.call_tool("execute_python", {"code": "import time; time.sleep(60)"}))
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait([running])
    say("a call is cancelled")
    # While the connection is still there: leaving is another way to end a run.
    await asyncio.sleep(3)
    print("cancelled", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
