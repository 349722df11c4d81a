"""Everything before user code, in the child: the handshake, preloads, and receiving what to execute."""

import gc
import os
import sys

import frames
import plain_json
import request_files
from archive import LIMIT as ARCHIVE_LIMIT
from archive import read_archive
from error_line import error_line
from exercise import exercise
from frames import ProtocolError
from source import FILENAME

PROTOCOL = 5
# Seconds. A request that this runner was started for comes in a millisecond or two.
REHEARSE_AFTER = 0.02


class Execution:
    """One validated request. Nothing downstream checks it again."""

    def __init__(self, limits, files):
        self.timeout = _positive(limits, "timeout_ms") / 1000  # seconds of wall clock
        self.output_limit = _positive(limits, "output_limit")  # bytes of stdout, and of stderr
        self.files_limit = _natural(limits, "files_limit", 16 << 20)  # bytes of all files that come back
        self.max_output_files = _natural(limits, "max_output_files", 64)
        self.source = _utf8(files, FILENAME, required=True)
        # Kept as text too: the code may change the parsed value.
        self.input_json = _utf8(files, "input.json") or "{}"
        self.input_data = _json(self.input_json, dict, "input.json")
        self.args = _json(_utf8(files, "args.json") or "[]", list, "args.json")
        if not all(type(argument) is str for argument in self.args):
            raise ProtocolError("args.json is not an array of strings")
        self.stdin = files.get("stdin", b"")  # what it reads from its standard input
        prefix = len(request_files.PREFIX)
        self.files = {path[prefix:]: content for path, content in files.items() if path.startswith(request_files.PREFIX)}
        # What is no output of the code while it is as it came: its own source too, which it may have as a file.
        self.given = {path: request_files.fingerprint(content) for path, content in self.files.items()}
        self.given[FILENAME] = request_files.fingerprint(files[FILENAME])


def receive_execution(channel, settle, rehearse):
    """Say Ready, serve preloads, and return the Execution to run; None if it was cancelled before it was whole (that is
    answered here). `rehearse` is called once, if there is time for it, and `settle` before each message is waited for: and before we
    say that we wait, for the control plane may send the request at that word."""
    version = ".".join(map(str, sys.version_info[:3]))
    send_json(channel, frames.READY, {"protocol": PROTOCOL, "python": version})
    settle()
    if not channel.has_arrived(REHEARSE_AFTER):
        rehearse()
        settle()
        channel.send(frames.REHEARSED)
    kind, payload = channel.receive()
    while kind == frames.PRELOAD:
        preloaded = preload(payload)
        settle()
        send_json(channel, frames.PRELOADED, preloaded)
        kind, payload = channel.receive()
    if kind != frames.EXECUTE:
        raise ProtocolError(f"frame kind {kind:#04x} where Execute belongs")
    limits = _json(payload, dict, "Execute")

    archive = bytearray()
    while (frame := channel.receive())[0] == frames.ARCHIVE:
        archive += frame[1]
        if len(archive) > ARCHIVE_LIMIT:
            raise ProtocolError(f"the archive is larger than {ARCHIVE_LIMIT} bytes")
    if frame[0] == frames.CANCEL:
        answer_cancelled(channel)
        return None
    if frame[0] != frames.ARCHIVE_END:
        raise ProtocolError(f"frame kind {frame[0]:#04x} inside the archive")
    return Execution(limits, read_archive(bytes(archive)))


def preload(payload):
    """Import one module and use it once; what to say of that."""
    module = _json(payload, dict, "Preload").get("module")
    if type(module) is not str or not module:
        raise ProtocolError("Preload names no module")
    error = None
    # The collector would walk the half-built module graph again and again and find nothing to free.
    gc.disable()
    try:
        __import__(module)
        exercise(module)
    except BaseException as failure:
        # A module that fails, or calls sys.exit, is a fact to report: the container is merely less warm.
        error = error_line(failure)
    finally:
        gc.enable()
    return {"module": module, "error": error}


def answer_cancelled(channel):
    usage = {"wall_time": 0.0, "cpu_time": 0.0, "peak_memory": 0}
    finished = {"status": "cancelled", "exit_code": None, "signal": None, "error": None, "execution_time": 0.0,
                "usage": usage, "truncated": {"stdout": False, "stderr": False}, "omitted": []}
    send_json(channel, frames.FINISHED, finished)
    channel.flush()


def send_json(channel, kind, message):
    channel.send(kind, plain_json.dumps(message))


def link_font_cache():
    """matplotlib needs a writable configuration directory and spends a second listing fonts if that holds no list.

    /tmp is empty in every new container and the image is read-only, so the list made at image build time is linked in.
    """
    source = os.environ.get("SANDBOX_FONT_CACHE", "/opt/matplotlib")
    target = os.environ.get("MPLCONFIGDIR")
    if not target or not os.path.isdir(source):
        return
    try:
        os.makedirs(target, exist_ok=True)
        for name in os.listdir(source):
            os.symlink(os.path.join(source, name), os.path.join(target, name))
    except OSError:
        # Slower plots, nothing worse.
        pass


def _positive(limits, name):
    value = limits.get(name)
    if type(value) is not int or not 0 < value < 2**32:
        raise ProtocolError(f"Execute: {name} is not a positive integer below 2^32")
    return value


def _natural(limits, name, default):
    value = limits.get(name, default)
    if type(value) is not int or not 0 <= value < 2**32:
        raise ProtocolError(f"Execute: {name} is not a natural number below 2^32")
    return value


def _utf8(files, name, required=False):
    if required and name not in files:
        raise ProtocolError(f"the archive has no {name}")
    try:
        return files.get(name, b"").decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"{name} is not UTF-8") from None


def _json(text, kind, what):
    try:
        value = plain_json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{what} is not JSON: {error}") from None
    if type(value) is not kind:
        raise ProtocolError(f"{what} is not a JSON {'object' if kind is dict else 'array'}")
    return value
