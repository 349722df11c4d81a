"""Which values are no data: parts of the program (modules, functions, classes), and drawings.

Asked of every name before anything guards against the value's own code, so none of that is ever run.
"""

import types

from type_names import bases, is_made_in_python, type_name

_TYPES = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GenericAlias,
    types.UnionType, staticmethod, classmethod, property,
)
# By identity: comparing classes would run a metaclass's __eq__ and __hash__.
_TYPE_IDS = frozenset(map(id, _TYPES))

# (first part of the module, name) of types that are not ours to import.
_TYPE_NAMES = {
    ("__future__", "_Feature"), ("functools", "partial"), ("functools", "partialmethod"),
    ("functools", "_lru_cache_wrapper"), ("sympy", "_PrintFunction"), ("polars", "Col"), ("numpy", "ufunc"),
    ("numpy", "_ArrayFunctionDispatcher"), ("numpy", "vectorize"), ("operator", "itemgetter"),
    ("operator", "attrgetter"), ("operator", "methodcaller"), ("ctypes", "CDLL"),
    ("dataclasses", "_KW_ONLY_TYPE"), ("dataclasses", "_MISSING_TYPE"),
}
# Each module has its own, and of what module that is they do not say.
_CYTHON_NAMES = {"cython_function_or_method", "fused_cython_function"}


# Figures, axes and all that is in them; pictures, and what one draws them with.
_DRAWING_LIBRARIES = {"matplotlib", "mpl_toolkits"}
_DRAWING_NAMES = {
    ("seaborn", "_BaseGrid"), ("seaborn", "Plot"), ("PIL", "Image"), ("PIL", "ImageDraw"), ("PIL", "ImageFont"),
    ("PIL", "FreeTypeFont"), ("PIL", "TransposedFont"),
}
_NESTING = 3
# Figures, axes and lists of them, each as often as it is found: what is more is data, whatever it holds.
_MOST_PARTS = 10_000


def is_data(value):
    return not is_program(value) and not is_drawing(value)


def is_program(value):
    kind = type(value)
    if any(id(base) in _TYPE_IDS for base in bases(kind)):
        return True
    name = type_name(kind)
    return name[0] in ("typing", "typing_extensions") or name in _TYPE_NAMES \
        or name[1] in _CYTHON_NAMES


def is_drawing(value):
    """A drawing, or a list, tuple, dict or array of nothing else: what subplots(), plot() or hist() gives."""
    return _is_drawing(value, _NESTING, iter(range(_MOST_PARTS)))


def _is_drawing(value, nesting, parts_left):
    if next(parts_left, None) is None:
        return False
    kind = type(value)
    if kind is list or kind is tuple:
        items = value
    elif kind is dict:
        # Some of boxplot()'s lists may be empty.
        items = [item for item in value.values() if type(item) is not list or item] if len(value) <= 10 else ()
    else:
        names = [type_name(base) for base in bases(kind)]
        if names[0] != ("numpy", "ndarray") or is_made_in_python(kind):
            return any(name[0] in _DRAWING_LIBRARIES or name in _DRAWING_NAMES for name in names)
        items = value.flat if value.dtype.kind == "O" else ()
    return nesting > 0 and len(items) > 0 and all(_is_drawing(item, nesting - 1, parts_left) for item in items)
