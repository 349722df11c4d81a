"""Looking at a class without running any of its metaclass's code."""

_mro = type.__dict__["__mro__"].__get__
_module = type.__dict__["__module__"].__get__
_qualname = type.__dict__["__qualname__"].__get__
_flags = type.__dict__["__flags__"].__get__
_dictionary = type.__dict__["__dict__"].__get__

_HEAP_TYPE = 1 << 9


def bases(kind):
    """The class and its bases, in method resolution order."""
    return _mro(kind)


def type_name(kind):
    """("pandas", "DataFrame"): the first part of its module, and its name."""
    return _module_name(kind).partition(".")[0], str.__str__(_qualname(kind))


def full_name(kind):
    """As in the last line of a traceback: with its module, unless that is the script or the builtins."""
    module, name = _module_name(kind), str.__str__(_qualname(kind))
    return name if module in ("builtins", "__main__", "") else f"{module}.{name}"


def _module_name(kind):
    try:
        module = _module(kind)
    except AttributeError:
        module = None  # deleted
    # Exactly str: a subclass could bring its own __hash__.
    return module if type(module) is str else ""


def own_attributes(kind):
    """The class's own dictionary."""
    return _dictionary(kind)


def class_attribute(kind, name):
    """From the class or its bases, None if none has it; descriptors are not run."""
    for cls in _mro(kind):
        attributes = _dictionary(cls)
        if name in attributes:
            return attributes[name]
    return None


def is_made_in_python(kind):
    """By a class statement or type(): then its name and methods are whatever its maker likes."""
    return bool(_flags(kind) & _HEAP_TYPE)
