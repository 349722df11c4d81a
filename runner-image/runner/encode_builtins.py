"""Handlers for the builtin types, the standard library's, and the last resort: attributes or repr."""

from binascii import b2a_base64
from types import MemberDescriptorType

from duration import iso_duration
from encode import CONTAINERS, ENUM, SCALARS
from program_types import is_program
from type_names import bases, class_attribute, own_attributes, type_name

BUILTINS = "builtins"
_attribute = object.__getattribute__

# Libraries whose objects are webs of each other: their attributes would be noise, or a cycle. repr says what they are.
OPAQUE_LIBRARIES = {"matplotlib", "PIL", "pandas", "polars", "pyarrow", "_io", "io", "asyncio", "threading", "_thread",
                    "multiprocessing", "concurrent", "subprocess", "socket", "sqlite3", "re", "sympy"}


def _text(value, base):
    return str.__str__(base.__str__(value))


SCALARS.update({
    (BUILTINS, "NoneType"): lambda value, base: None,
    (BUILTINS, "bool"): lambda value, base: bool.__bool__(value),
    (BUILTINS, "str"): lambda value, base: str.__str__(value),
    (BUILTINS, "int"): lambda value, base: int.__int__(value),
    (BUILTINS, "float"): lambda value, base: float.__float__(value),
    (BUILTINS, "complex"): lambda value, base: complex.__repr__(value),
    ("datetime", "datetime"): lambda value, base: base.isoformat(value),
    ("datetime", "date"): lambda value, base: base.isoformat(value),
    ("datetime", "time"): lambda value, base: base.isoformat(value),
    ("datetime", "timedelta"): lambda value, base: iso_duration(
        ((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds) * 1_000),
    ("decimal", "Decimal"): _text,
    ("fractions", "Fraction"): _text,
    ("uuid", "UUID"): _text,
    ("pathlib", "PurePath"): _text,
    ("ipaddress", "_IPAddressBase"): _text,
})


def _list(encoder, value, base):
    encoder.write_array(value if type(value) is list else list.__getitem__(value, slice(None)), list.__len__(value))


def _tuple(encoder, value, base):
    fields = class_attribute(type(value), "_fields")
    items = tuple.__getitem__(value, slice(None))
    if type(fields) is tuple and len(fields) == len(items) and all(type(name) is str for name in fields):
        encoder.write_object(list(zip(fields, items)))
    else:
        encoder.write_array(items, len(items))


def _set(encoder, value, base):
    encoder.check(2 * base.__len__(value))
    items = list(base.__iter__(value))
    try:
        items.sort()
    except Exception:
        pass  # not comparable: the order they come in
    encoder.write_array(items, len(items))


def _finite_iterable(encoder, value, base):
    """What has a true length: range, deque, dict views, array.array."""
    length = base.__len__(value)
    encoder.check(2 * length)
    encoder.write_array(list(base.__iter__(value)), length)


def _dict(encoder, value, base):
    encoder.check(4 * base.__len__(value))
    _pairs(encoder, list(base.items(value)))


def _pairs(encoder, pairs):
    if not all(type(name) is str for name, _ in pairs):
        # Through a dict: of keys that are the same string the last wins.
        pairs = list({encoder.key(name): item for name, item in pairs}.items())
    encoder.write_object(pairs)


def _held_data(encoder, value, base):
    """collections.UserDict and UserList keep what they are in `data`."""
    encoder.write_value(_attribute(value, "data"))


def _bytes(encoder, value, base):
    length = value.nbytes if base is memoryview else base.__len__(value)
    encoder.check(length * 4 // 3)
    content = value.tobytes() if base is memoryview else base.__getitem__(value, slice(None))
    encoder.write(f'"{b2a_base64(content, newline=False).decode()}"')


def _enum(encoder, value, base):
    encoder.write_value(_attribute(value, "_value_"))


def _object(encoder, value, base):
    kind = type(value)
    if type_name(kind)[0] not in OPAQUE_LIBRARIES:
        pairs = _dataclass_fields(value, kind) or _public_attributes(value, kind)
        if pairs:
            encoder.write_object(pairs)
            return
    text = repr(value)
    if type(text) is not str:
        text = str.__str__(text)
    encoder.write(encoder.plain_text(text))


def _dataclass_fields(value, kind):
    fields = class_attribute(kind, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    # ClassVar and InitVar pseudo-fields are in there too.
    names = [name for name, field in fields.items() if field._field_type.name == "_FIELD"]
    return [(name, _attribute(value, name)) for name in names]


def _public_attributes(value, kind):
    """Public data of an instance: its __dict__ and slots. No property is run."""
    pairs = {}
    for cls in reversed(bases(kind)):
        names = own_attributes(cls).get("__slots__", ())
        for name in (names,) if type(names) is str else tuple(names):
            slot = own_attributes(cls).get(name)
            if type(slot) is MemberDescriptorType:
                try:
                    pairs[name] = slot.__get__(value)
                except AttributeError:
                    pass  # never assigned
    try:
        attributes = _attribute(value, "__dict__")
    except AttributeError:
        attributes = {}
    if isinstance(attributes, dict):
        pairs.update(dict.items(attributes))
    return [(name, item) for name, item in pairs.items()
            if type(name) is str and not name.startswith("_") and not is_program(item)]


CONTAINERS.update({
    (BUILTINS, "list"): _list,
    (BUILTINS, "tuple"): _tuple,
    (BUILTINS, "set"): _set,
    (BUILTINS, "frozenset"): _set,
    (BUILTINS, "dict"): _dict,
    (BUILTINS, "mappingproxy"): _dict,
    (BUILTINS, "range"): _finite_iterable,
    (BUILTINS, "dict_keys"): _finite_iterable,
    (BUILTINS, "dict_values"): _finite_iterable,
    (BUILTINS, "dict_items"): _finite_iterable,
    ("collections", "deque"): _finite_iterable,
    ("collections", "UserDict"): _held_data,
    ("collections", "UserList"): _held_data,
    ("collections", "UserString"): _held_data,
    ("array", "array"): _finite_iterable,
    ENUM: _enum,
    (BUILTINS, "bytes"): _bytes,
    (BUILTINS, "bytearray"): _bytes,
    (BUILTINS, "memoryview"): _bytes,
    (BUILTINS, "object"): _object,
})
