"""Driving the real runner as a plain process, the way the control plane drives it in a container."""

import io
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(os.path.dirname(HERE), "runner")
GOLDEN = os.path.join(HERE, "..", "..", "crates", "protocol", "golden")

if RUNNER not in sys.path:
    sys.path.insert(0, RUNNER)

PRELOAD, EXECUTE, ARCHIVE, ARCHIVE_END, CANCEL, DATA, DATA_CHUNK, DATA_OPENED = range(1, 9)
READY, PRELOADED, STDOUT, STDERR, RESULT, FINISHED, STARTED, FIGURE, FILE, DISPLAY, DATA_REQUEST, REHEARSED = range(
    0x81, 0x8D)


def seeds(count):
    """So many, always the same; with FUZZ_SECONDS new ones for so long. A failure names its seed."""
    if "FUZZ_SECONDS" not in os.environ:
        yield from range(count)
        return
    end = time.monotonic() + float(os.environ["FUZZ_SECONDS"])
    while time.monotonic() < end:
        yield secrets.randbits(64)


def frame(kind, payload=b""):
    if isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    return struct.pack(">BI", kind, len(payload)) + payload


def tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Answer:
    """What came back: output, result and display (parsed), the figures' PNGs, {path: content} of the files in their order,
    the Finished fields as attributes of `finished`."""

    def __init__(self):
        self.display, self.figures, self.files = None, [], {}
        self.stdout, self.stderr, self.result, self.result_size, self.finished = b"", b"", None, 0, None
        self.kinds = []

    def __getattr__(self, name):
        return self.finished[name]


class Conversation:
    """One runner process and the pipe to it."""

    def __init__(self, result_limit=8 << 20, figures_limit=16 << 20, program=(RUNNER,)):
        self.uploaded = {}  # key -> (content type, bytes)
        self.opened, self.asked = b"", []
        self.directory = tempfile.mkdtemp()
        self.workspace = os.path.join(self.directory, "workspace")
        os.mkdir(self.workspace)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", *program, "--workspace", self.workspace],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "SANDBOX_RESULT_LIMIT": str(result_limit), "SANDBOX_FIGURES_LIMIT": str(figures_limit)})

    def send(self, *frames):
        self.process.stdin.write(b"".join(frames))
        self.process.stdin.flush()

    def receive(self):
        """(kind, payload), or None at the end of the stream. That it has rehearsed is passed over: it has where the test was slow."""
        frame = self.receive_any()
        return self.receive_any() if frame == (REHEARSED, b"") else frame

    def receive_any(self):
        header = self.process.stdout.read(5)
        if len(header) < 5:
            return None
        kind, length = struct.unpack(">BI", header)
        return kind, self.process.stdout.read(length)

    def execute(self, code, timeout=10.0, output_limit=1 << 20, limits={}, given={}, **files):
        """Send one execution. `files`: input and args as values, stdin as text; `given`: {path: content} for the workspace."""
        content = {"main.py": code.encode()}
        if "input" in files:
            content["input.json"] = json.dumps(files["input"]).encode()
        if "args" in files:
            content["args.json"] = json.dumps(files["args"]).encode()
        if "stdin" in files:
            content["stdin"] = files["stdin"].encode()
        content.update((f"files/{path}", file) for path, file in given.items())
        data = tar(content)
        limits = {**limits, "timeout_ms": int(timeout * 1000), "output_limit": output_limit}
        self.send(frame(EXECUTE, limits),
                  *(frame(ARCHIVE, data[at:at + (1 << 20)]) for at in range(0, len(data), 1 << 20)), frame(ARCHIVE_END))

    def collect(self):
        answer = Answer()
        while (received := self.receive()) is not None:
            kind, payload = received
            answer.kinds.append(kind)
            if kind == STDOUT:
                answer.stdout += payload
            elif kind == STDERR:
                answer.stderr += payload
            elif kind == RESULT:
                answer.result, answer.result_size = json.loads(payload, parse_constant=refuse), len(payload)
            elif kind == DISPLAY:
                answer.display = json.loads(payload)
            elif kind == FIGURE:
                answer.figures.append(payload)
            elif kind == FILE:
                length = struct.unpack_from(">H", payload)[0]
                path = payload[2:2 + length].decode()
                answer.files[path] = answer.files.get(path, b"") + payload[2 + length:]
            elif kind == DATA_REQUEST:
                self.send(self.answer_to(json.loads(payload)))
            elif kind == FINISHED:
                answer.finished = json.loads(payload)
                self.at_finished(answer)
                self.process.stdin.close()
        return answer

    def at_finished(self, answer):
        """What a test looks at while the runner is still there."""

    def answer_to(self, request):
        """As the control plane does it: a piece at a time."""
        self.asked.append(request["op"])
        if request["op"] == "read":
            return frame(DATA_CHUNK, self.next_piece())
        if request["op"] == "list":
            behind = sorted(key for key in self.uploaded if request["after"] is None or key > request["after"])
            return frame(DATA, {"is": "keys", "keys": behind[:2], "more": len(behind) > 2})
        if request["key"] not in self.uploaded:
            return frame(DATA, {"is": "missing"})
        content_type, content = self.uploaded[request["key"]]
        if content is None:
            return frame(DATA, {"is": "unreadable"})
        value = {"content_type": content_type, "size": len(content)}
        if request["op"] == "open":
            self.opened = content
            known = json.dumps(value).encode()
            return frame(DATA_OPENED, struct.pack(">H", len(known)) + known + self.next_piece())
        return frame(DATA, {"is": "value", **value})

    def next_piece(self):
        piece, self.opened = self.opened[:100_000], self.opened[100_000:]
        return piece

    def exit_code(self):
        return self.process.wait(10)

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            shutil.rmtree(self.directory)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


class RunnerTest(unittest.TestCase):
    def conversation(self, **options):
        conversation = Conversation(**options)
        self.addCleanup(conversation.close)
        return conversation

    def ready(self, **options):
        """A conversation whose runner has said that it is ready."""
        conversation = self.conversation(**options)
        self.assertEqual(conversation.receive()[0], READY)
        return conversation

    def run_code(self, code, result_limit=8 << 20, figures_limit=16 << 20, uploaded={}, **options):
        """Run `code` in a new runner to its end and return the Answer."""
        conversation = self.ready(result_limit=result_limit, figures_limit=figures_limit)
        conversation.uploaded = uploaded
        conversation.execute(code, **options)
        answer = conversation.collect()
        self.assertEqual(conversation.exit_code(), 0, conversation.process.stderr.read())
        self.workspace = conversation.workspace
        return answer

    def result_of(self, code, **options):
        answer = self.run_code(code, **options)
        self.assertEqual((answer.status, answer.error), ("ok", None), answer.stderr)
        return answer.result
