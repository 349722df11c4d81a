"""Looking at a class without running any of its metaclass's code."""

_mro = type.__dict__["__mro__"].__get__
_module = type.__dict__["__module__"].__get__
_qualname = type.__dict__["__qualname__"].__get__
_dictionary = type.__dict__["__dict__"].__get__


def bases(kind):
    """The class and its bases, in method resolution order."""
    return _mro(kind)


def type_name(kind):
    """("pandas", "DataFrame"): the first part of its module, and its name."""
    module = _module(kind)
    return module.partition(".")[0] if type(module) is str else "", _qualname(kind)


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
