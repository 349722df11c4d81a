"""The code compiled such that the value of an expression on its last line is kept, as a notebook does.

The last statement `x` becomes `<shown> = x`, in the tree that Python's own parser made of the whole: every other thing about
the code (line numbers, columns of errors, docstring, `from __future__`) stays as it is. The name cannot be written in code.
"""

# The code may have emptied the module when its last value is looked at.
from builtins import compile, exec, type
from types import CoroutineType

SLOT = "<shown>"
ABSENT = object()

# The tree takes many times the memory of the source, and nobody works line by line in a program of this length.
LONGEST = 200_000  # characters
_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST

# What no expression begins with, and hardly a line inside one. The second begin blocks.
_SIMPLE = frozenset(("import", "del", "pass", "raise", "assert", "global", "nonlocal", "break", "continue", "return", "def", "class"))
_COMPOUND = frozenset(("def", "class", "if", "elif", "else", "for", "while", "with", "try", "except", "finally", "async"))


def compile_keeping(source, filename, flags=0):
    """(the code object that compile() makes with these flags, the line of the value that it keeps or None); None if there is nothing to
    keep, or no room to: then it has to be made as always. Raises SyntaxError as compile() does."""
    if len(source) > LONGEST or not may_end_in_expression(source):
        return None
    try:
        tree = compile(source, filename, "exec", flags | _ONLY_AST, dont_inherit=True)
        line = None
        if tree.body and type(tree.body[-1]).__name__ == "Expr" and not _is_quiet(source, tree.body[-1]):
            tree.body[-1] = _assignment(tree.body[-1])
            line = tree.body[-1].lineno
        return compile(tree, filename, "exec", flags, dont_inherit=True), line
    except (RecursionError, MemoryError):
        return None  # deeper than a tree of objects may be; the plain compiler goes deeper


def drop_unawaited(namespace, filename, line):
    """A coroutine is nothing to show: nobody has awaited it, which Python says where it is let go. So that is done on the line that
    has made it, in what looks like the module's frame."""
    if type(namespace.get(SLOT)) is CoroutineType:
        code = compile("del slot", filename, "exec", dont_inherit=True)
        exec(code.replace(co_names=(SLOT,), co_firstlineno=line), namespace)


def take(namespace):
    """The value, no longer in the namespace; ABSENT if there is none."""
    return namespace.pop(SLOT, ABSENT)


def _assignment(statement):
    from _ast import Assign, Name, Store

    place = {name: getattr(statement.value, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    return Assign(targets=[Name(id=SLOT, ctx=Store(), **place)], value=statement.value, **place)


def _is_quiet(source, statement):
    """Whether a semicolon follows."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # Columns are counted in bytes.
    rest = lines[statement.end_lineno - 1].encode("utf-8", "surrogatepass")[statement.end_col_offset:]
    return rest.lstrip().startswith(b";")


def may_end_in_expression(source):
    """Whether the last statement may be an expression, by a look at its lines: the tree of a program costs as much again as
    its compilation. Says yes where it cannot tell."""
    if "\r" in source:
        return True
    end, inside = len(source), False
    while end > 0:
        start = source.rfind("\n", 0, end) + 1
        line = source[start:end].rstrip()
        end = start - 1
        first = line[:1]
        if not first or line.lstrip()[0] == "#":
            continue
        if first in " \t)]}":
            inside = True  # a block's, or the rest of a statement that began above
            continue
        if '"""' in line or "'''" in line:
            return True  # maybe the end of a text that began above
        if source[:start].rstrip(" \t\n").endswith("\\"):
            return True  # the line before goes on here
        word = _first_word(line)
        if inside:
            # A text over many lines may have any line in it.
            return not (word in _COMPOUND and line.endswith(":") and '"""' not in source and "'''" not in source)
        return not (word in _SIMPLE and ";" not in line or _assigns(line) or _only_prints(line, source))
    return False


def _only_prints(line, source):
    """`print(...)` and nothing else, the most usual last line of all: its value is None."""
    if not line.startswith("print(") or line[-1] != ")":
        return False
    if source.count("print(") < source.count("print") or "def print" in source:
        return False  # it may have another meaning
    depth, quote, escaped = 0, "", False
    for at, character in enumerate(line):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return at == len(line) - 1
        elif character == "#":
            return False
    return False


def _first_word(line):
    end = 0
    while end < len(line) and (line[end].isalnum() or line[end] == "_"):
        end += 1
    return line[:end]


def _assigns(line):
    """`name = value`; not `name = value; value`, nor the last line of a call with `name=value)`, also if a text in it has brackets."""
    name, equals, value = line.partition("=")
    brackets = [(value.count(begin), value.count(end)) for begin, end in ("()", "[]", "{}")]
    closes = any(end > begin or end and ('"' in value or "'" in value) for begin, end in brackets)
    return bool(equals) and ";" not in line and name.strip().isidentifier() and value[:1] != "=" and not closes
