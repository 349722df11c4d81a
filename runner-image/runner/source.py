"""Running the source as the main script, and showing its failures as Python would: only the user's frames, all of them."""

import linecache
import sys
# The compiler's own tables: the module `symtable` around them takes longer to import than to use.
from _symtable import DEF_IMPORT, DEF_LOCAL, GLOBAL_EXPLICIT, GLOBAL_IMPLICIT, SCOPE_MASK, SCOPE_OFF, USE, symtable
from io import StringIO
# The code may have emptied the module by the time its failure is caught here.
from builtins import BaseException, OSError, SystemExit, getattr, int, isinstance, range, type
from sys import setprofile, settrace

import last_line
from error_line import error_line
from pristine import import_untouched
from regain import regain, theirs

FILENAME = "main.py"
_RUNNER = __file__.rpartition("/")[0] + "/"
# Characters of one traceback. Beyond it the middle goes: a million-character message must not eat the output limit.
TRACEBACK_LIMIT = 64 * 1024

# ast.PyCF_ALLOW_TOP_LEVEL_AWAIT: where the module awaits nothing by itself the code is the same as without, and where it does
# it has inspect.CO_COROUTINE.
TOP_LEVEL_AWAIT, COROUTINE = 0x2000, 0x80

# What a socket of another family than Unix is refused with: errno.EAFNOSUPPORT.
EAFNOSUPPORT = 97

ALIASES = {"pd": "pandas", "np": "numpy"}


class Outcome:
    """How the code ended. `status` is "ok" or "error"; `exit_code` what the process leaves with."""

    def __init__(self, status, exit_code, error=None):
        self.status, self.exit_code, self.error = status, exit_code, error


class SourceLoader:
    """Gives inspect, doctest and traceback the source of a file that exists nowhere, even after linecache is cleared."""

    def __init__(self, source):
        self.source = source

    def get_source(self, name=None):
        return self.source


def run(source, namespace, failure):
    """Compile and execute; whatever happens becomes an Outcome, printed to stderr where Python would print it. `failure`: it has
    failed already, when its aliases were imported."""
    source = source.removeprefix("\ufeff")
    # No modification time: such an entry is never dropped as out of date.
    # A line ends where Python's parser says, not at every character that str.splitlines takes for an end.
    lines = list(StringIO(source, newline=""))
    linecache.cache[FILENAME] = (len(source), None, lines, FILENAME)
    try:
        error = _execute(source, namespace, failure)
    except BaseException as late:
        # A timer of the user's went off after their last line and before their handlers were gone.
        error = late
        regain()
    try:
        if error is None:
            return Outcome("ok", 0)
        if isinstance(error, SystemExit):
            return _exit_outcome(error)
        error.__traceback__ = _user_frames(error.__traceback__)
        if isinstance(error, SyntaxError) and error.filename == FILENAME and error.text is None:
            # Found after parsing, when the compiler has the source no more.
            place = error.lineno if type(error.lineno) is int else 0
            error.text = lines[place - 1] if 0 < place <= len(lines) else None
        hook_exit = _report(error)
        if hook_exit is not None:
            return _exit_outcome(hook_exit)
        if _misses_network(error):
            tell("there is no network in here")
        return Outcome("error", 130 if type(error) is KeyboardInterrupt else 1, error_line(error))
    except BaseException:
        return Outcome("error", 1, "an exception that could not be described")


def _execute(source, namespace, failure):
    """The exception that ended the code, or None."""
    shown_line = None
    try:
        if failure is not None:
            return failure
        if "\0" in source:
            # compile() does not say where.
            return _null_byte(source.partition("\0")[0])
        code, shown_line = last_line.compile_keeping(source, FILENAME, TOP_LEVEL_AWAIT) \
            or (compile(source, FILENAME, "exec", TOP_LEVEL_AWAIT, dont_inherit=True), None)
        if code.co_flags & COROUTINE:
            __import__("asyncio").run(eval(code, namespace))
        else:
            exec(code, namespace)
    except BaseException as error:
        return error
    finally:
        # At once: without builtins not even the failure could be described. But first, and by calls to C alone, what would
        # see or interrupt every line of ours. A profile function that raises here has by that switched itself off.
        for switch_off in (setprofile, settrace):
            try:
                switch_off(None)
            except BaseException:
                pass
        try:
            if shown_line is not None:
                # Before warnings are silenced.
                last_line.drop_unawaited(namespace, FILENAME, shown_line)
        finally:
            regain()


def _null_byte(before):
    lines = list(StringIO(before + "?", newline=""))
    return SyntaxError("source code cannot contain null bytes", (FILENAME, len(lines), None, lines[-1][:-1]))


def _misses_network(error):
    """Whether an exception, or one that led to it, is what the lack of a network looks like: as if it were about to come back."""
    try:
        for _ in range(10):
            if error is None:
                return False
            if type(error).__name__ == "gaierror" or isinstance(error, OSError) and error.errno == EAFNOSUPPORT:
                return True
            error = error.__cause__ or error.__context__
    except BaseException:
        pass  # of a class that does not want to be asked
    return False


def refused(reason):
    """The Outcome of code that was not run, told where its failure would be."""
    tell(reason)
    return Outcome("error", 1, reason)


def tell(what):
    """What the code cannot know by itself, in its stderr and not in what it has put in the place of that."""
    _print_past(f"sandbox: {what}\n")


def unflushed(name, error):
    """The Outcome of code that ended well but whose output got lost, told as Python does."""
    reason = error_line(error)
    _print(f"Exception ignored on flushing sys.{name}:\n{reason}\n")
    return Outcome("error", 120, reason)


def _exit_outcome(error):
    code = error.code
    if code is None:
        return Outcome("ok", 0)
    if not isinstance(code, int):
        _print(f"{code}\n")
        return Outcome("error", 1, error_line(error))
    # As Python does, whatever a class of the code's own says of itself.
    code = int.__int__(code)
    # The kernel keeps eight bits: sys.exit(256) is a success to whoever waits. What is no C long is -1.
    exit_code = code & 0xFF if -1 << 63 <= code < 1 << 63 else 0xFF
    return Outcome("error", exit_code, error_line(error)) if exit_code else Outcome("ok", 0)


def _user_frames(frames):
    """The traceback from the user's first frame on; None for a syntax error of main.py itself, which has none."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename != FILENAME:
        first = first.tb_next  # ours, and asyncio's below an `await` of the module
    while first is None and frames is not None and frames.tb_frame.f_code.co_filename.startswith(_RUNNER):
        frames = frames.tb_next
    last = first
    while last is not None and last.tb_next is not None and not last.tb_next.tb_frame.f_code.co_filename.startswith(_RUNNER):
        last = last.tb_next
    if last is not None:
        last.tb_next = None  # below it only ours: what `data` does
    return first or frames


def _report(error):
    """The SystemExit of an excepthook that ends the program itself."""
    try:
        hook = getattr(sys, "excepthook", None)
        if hook is None:
            _print("sys.excepthook is missing\n" + _format(error))
            return
        if hook is not sys.__excepthook__:
            with theirs:
                try:
                    hook(type(error), error, error.__traceback__)
                finally:
                    settrace(None)
                    setprofile(None)
            return
    except SystemExit as end:
        return end
    except BaseException as failure:
        failure.__traceback__ = _user_frames(failure.__traceback__)
        _print("Error in sys.excepthook:\n" + _format(failure) + "\nOriginal exception was:\n" + _format(error))
        return
    _print(_format(error))


def _format(error):
    try:
        traceback = import_untouched("traceback")
        # From Python 3.13 on: sys.tracebacklimit counts from the innermost frame, as in the interpreter's own.
        limit = getattr(traceback, "BUILTIN_EXCEPTION_LIMIT", None)
        return "".join(traceback.TracebackException(type(error), error, error.__traceback__, limit=limit, compact=True).format())
    except BaseException:
        # A hostile exception class, or too deep a recursion to describe.
        return error_line(error) + "\n"


def _print(text):
    if len(text) > TRACEBACK_LIMIT:
        half = TRACEBACK_LIMIT // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BaseException:
        # sys.stderr is closed, or something of the user's.
        _print_past(text)


def _print_past(text):
    try:
        sys.__stderr__.write(text)
        sys.__stderr__.flush()
    except BaseException:
        pass  # closed as well


# ---- pd and np


def import_aliases(source, namespace):
    """Put pandas and numpy into `namespace` if the code uses `pd` or `np` and binds neither: ({name: module} put there, the exception
    of a file of the request that stands in for one of them, or None)."""
    if not any(_mentions(source, alias) for alias in ALIASES):
        return {}, None
    try:
        from warnings import catch_warnings

        with catch_warnings(action="ignore"):  # they come with the real compilation
            unbound = _names_used_but_not_bound(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, None  # the real compilation says it better
    except BaseException as failure:
        return {}, failure  # of a file of the request, in the place of `warnings`
    aliases = {}
    for alias in ALIASES.keys() & unbound - namespace.keys():
        try:
            aliases[alias] = namespace[alias] = __import__(ALIASES[alias])
        except ImportError:
            pass  # not in this image: the code's own NameError is the right answer
        except BaseException as failure:
            return aliases, failure
    return aliases, None


def _mentions(source, name):
    at = source.find(name)
    while at >= 0:
        around = source[at - 1:at] + source[at + len(name):at + len(name) + 1]
        if not any(character.isalnum() or character == "_" for character in around):
            return True
        at = source.find(name, at + 1)
    return False


def _names_used_but_not_bound(source):
    """Names that the module or a function in it takes from the module's namespace, and that nothing puts there."""
    module = symtable(source.removeprefix("\ufeff"), FILENAME, "exec")
    used, bound, scopes = set(), set(), [module]
    while scopes:
        scope = scopes.pop()
        scopes += scope.children
        for name, flags in scope.symbols.items():
            if scope is module or flags >> SCOPE_OFF & SCOPE_MASK in (GLOBAL_EXPLICIT, GLOBAL_IMPLICIT):
                if flags & (DEF_LOCAL | DEF_IMPORT):
                    bound.add(name)
                elif flags & USE:
                    used.add(name)
    return used - bound
