"""Which values are parts of the program (modules, functions, classes) rather than data."""

import types

from type_names import bases, type_name

_TYPES = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GenericAlias,
    types.UnionType, staticmethod, classmethod, property,
)
# By identity: comparing classes would run a metaclass's __eq__ and __hash__.
_TYPE_IDS = frozenset(map(id, _TYPES))

# (first part of the module, name) of types that are not ours to import.
_TYPE_NAMES = {
    ("__future__", "_Feature"), ("functools", "partial"), ("functools", "_lru_cache_wrapper"), ("numpy", "ufunc"),
    ("numpy", "_ArrayFunctionDispatcher"), ("numpy", "vectorize"), ("operator", "itemgetter"),
    ("operator", "attrgetter"), ("operator", "methodcaller"), ("ctypes", "CDLL"),
}


def is_program(value):
    kind = type(value)
    if any(id(base) in _TYPE_IDS for base in bases(kind)):
        return True
    name = type_name(kind)
    return name[0] in ("typing", "typing_extensions") or name in _TYPE_NAMES
