"""Frames below the code's own that it does not see: in a script there are none.

A frame that has not come to its RESUME instruction yet is one that Python does not show: not in a traceback, not by f_back,
sys._getframe(), inspect.stack() or the stacklevel of a warning. A function without that instruction never comes to it.
faulthandler alone looks closer.
"""

import sys

# As in the module `opcode`, which takes longer to import than to use. Elsewhere than in the image nothing is hidden.
RESUME, NOP, UNIT = 149, 30, 2
KNOWN = sys.implementation.name == "cpython" and sys.version_info[:2] == (3, 13)


def unseen(function):
    """The same function with such frames: for what is on the stack while the code runs."""
    return type(function)(unseen_code(function.__code__), function.__globals__, function.__name__, function.__defaults__,
                          function.__closure__)


def unseen_code(code):
    if not KNOWN:
        return code
    instructions = bytearray(code.co_code)
    for at in range(0, len(instructions), UNIT):
        if instructions[at] == RESUME:
            instructions[at:at + UNIT] = NOP, 0
    return code.replace(co_code=bytes(instructions))
