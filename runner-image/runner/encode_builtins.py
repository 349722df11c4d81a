"""Handlers for the builtin types, the standard library's, and the last resort: attributes or repr."""

from binascii import b2a_base64
from itertools import islice
from types import MemberDescriptorType

from duration import iso_duration
from encode import CONTAINERS, ENUM, SCALARS, SLICE, batches, enum_value, unique
from program_types import is_data
from type_names import bases, class_attribute, own_attributes, type_name

BUILTINS = "builtins"
_attribute = object.__getattribute__

# Libraries whose objects are webs of each other: their attributes would be noise, or a cycle. repr says what they are.
OPAQUE_LIBRARIES = {"matplotlib", "PIL", "pandas", "polars", "pyarrow", "statsmodels", "openpyxl", "bs4", "xml", "logging",
                    "_io", "io", "asyncio", "threading", "_thread", "multiprocessing", "concurrent", "subprocess", "socket",
                    "sqlite3", "re", "sympy"}


def _text(value, base):
    return str.__str__(base.__str__(value))


def own_text(value, base):
    return str.__str__(str(value))


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
    ("datetime", "timedelta"): lambda value, base: iso_duration(base.__floordiv__(value, base.resolution) * 1_000),
    ("decimal", "Decimal"): _text,
    ("fractions", "Fraction"): _text,
    ("uuid", "UUID"): _text,
    ("pathlib", "PurePath"): _text,
    ("ipaddress", "_IPAddressBase"): own_text,
    ("mpmath", "mpnumeric"): own_text,
})


def _list(encoder, value, base):
    encoder.write_array(value if type(value) is list else list.__getitem__(value, slice(None)), list.__len__(value))


def _tuple(encoder, value, base):
    fields = class_attribute(type(value), "_fields")
    items = tuple.__getitem__(value, slice(None))
    if type(fields) is tuple and len(fields) == len(items) and all(type(name) is str for name in fields) \
            and len(set(fields)) == len(fields):
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
    length = base.__len__(value)
    encoder.check(4 * length)
    if encoder.mend is not None or not all(type(key) is str for key in base.keys(value)):
        encoder.write_object(_named(encoder, base.items(value)))
    elif length <= SLICE:
        encoder.write_object(list(base.items(value)))
    else:
        items = iter(base.items(value))
        encoder.write_members(iter(lambda: list(islice(items, SLICE)), []))


def _named(encoder, pairs):
    """The pairs with strings for keys; of keys that are the same string the last wins."""
    named, least = {}, 0
    for key, value in pairs:
        name = encoder.key(key)
        least += len(name) + 4
        encoder.check(least)
        named[name] = value
    return list(named.items())


def _mapping(encoder, value, base):
    """What is a Mapping by its own word: its items as it tells them, for as long as there is room."""
    write_foreign(encoder, ((key, value[key]) for key in value))


def write_foreign(encoder, pairs):
    """An object of the pairs that foreign code makes; of keys that are the same string the first wins."""
    seen = set()

    def distinct():
        for key, item in pairs:
            name = encoder.key(key)
            if name not in seen:
                seen.add(name)
                yield name, item

    encoder.write_members(batches(distinct()))


def _collection(encoder, value, base):
    """What is a Sequence, Set or view by its own word."""
    encoder.write_parts(batches(value))


def _sqlite_row(encoder, value, base):
    encoder.write_object(list(zip(unique(base.keys(value)), tuple(base.__iter__(value)))))


def _held_data(encoder, value, base):
    """collections.UserDict and UserList keep what they are in `data`."""
    encoder.write_value(_attribute(value, "data"))


def _bytes(encoder, value, base):
    length = value.nbytes if base is memoryview else base.__len__(value)
    encoder.check(length * 4 // 3)
    content = value.tobytes() if base is memoryview else base.__getitem__(value, slice(None))
    encoder.write(f'"{b2a_base64(content, newline=False).decode()}"')


def _enum(encoder, value, base):
    encoder.write_value(enum_value(value))


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
    pairs = []
    for name, field in fields.items():
        if field._field_type.name == "_FIELD":
            try:
                pairs.append((name, _attribute(value, name)))
            except AttributeError:
                pass  # never assigned
    return pairs


def _public_attributes(value, kind):
    """Public data of an instance: its __dict__ and slots. No property is run."""
    pairs = {}
    for cls in reversed(bases(kind)):
        attributes = own_attributes(cls)
        # Found by what they are: anything may stand in __slots__ by now. Classes without it are C's, or have no slots.
        for name, slot in attributes.items() if "__slots__" in attributes else ():
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
            if type(name) is str and not name.startswith("_") and is_data(item)]


CONTAINERS.update({
    (BUILTINS, "list"): _list,
    (BUILTINS, "tuple"): _tuple,
    (BUILTINS, "set"): _set,
    (BUILTINS, "frozenset"): _set,
    (BUILTINS, "dict"): _dict,
    (BUILTINS, "mappingproxy"): _mapping,
    ("collections", "OrderedDict"): _dict,
    (BUILTINS, "range"): _finite_iterable,
    (BUILTINS, "dict_keys"): _finite_iterable,
    (BUILTINS, "dict_values"): _finite_iterable,
    (BUILTINS, "dict_items"): _finite_iterable,
    ("collections", "deque"): _finite_iterable,
    ("collections", "UserDict"): _held_data,
    ("collections", "UserList"): _held_data,
    ("collections", "UserString"): _held_data,
    ("collections", "Mapping"): _mapping,
    ("collections", "Sequence"): _collection,
    ("collections", "Set"): _collection,
    ("collections", "ValuesView"): _collection,
    ("sqlite3", "Row"): _sqlite_row,
    ("array", "array"): _finite_iterable,
    ENUM: _enum,
    (BUILTINS, "bytes"): _bytes,
    (BUILTINS, "bytearray"): _bytes,
    (BUILTINS, "memoryview"): _bytes,
    (BUILTINS, "object"): _object,
})
