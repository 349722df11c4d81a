"""One Python value to JSON text, whatever it is and whatever its class does.

The rules, in this order: exact builtin types; then the first class of the value's method resolution order that a table
knows, by module and name, so that no library is ever imported or even looked up; then public attributes; then repr.
A handler is given that class as `base` and uses its methods (`base.items(value)`): what a subclass overrides is not asked.

Text is written in pieces against a budget of characters, and large things in slices: a value that does not fit ends early,
in memory proportional to the budget, however large or self-multiplying it is.

What every value becomes is written down in docs/CODE.md.
"""

from _json import encode_basestring as quote
from itertools import islice
from math import isfinite, isinf

from plain_json import encode_flat as _encode_flat
from type_names import bases, type_name

MAX_DEPTH = 100
SLICE = 2048  # items given to the C encoder at once
SLICE_BYTES = 4 << 20  # what a slice of a column may take before it is Python objects
CELL_BYTES = 32  # what a cell counts for at least: as an object it is no smaller
FEW = 64  # items taken at once from what makes them only then, of whatever size they are

_int_text, _float_text = int.__repr__, float.__repr__
PLAIN = frozenset((str, int, float, bool, type(None)))

# (first part of the module, name) -> handler. The encode_* modules fill them when they are imported.
SCALARS = {}  # handler(value, base) -> str, int, float, bool or None
CONTAINERS = {}  # handler(encoder, value, base) -> None, having written
ENUM = ("enum", "Enum")


class NotEncodable(Exception):
    """The value is left out; the message is the reason given to the client."""


class TooLarge(NotEncodable):
    pass


def json_text(value, room=1 << 62):
    """UTF-8 JSON of one value in at most `room` bytes. Raises NotEncodable, or whatever the value's own class raises."""
    try:
        encoded = Encoder(room).text(value).encode()
    except UnicodeEncodeError:
        encoded = mended(Encoder(room, mended).text(value)).encode()
    if len(encoded) > room:
        raise TooLarge
    return encoded


def mended(text):
    """Two surrogates that make a pair become their character, others U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def batches(items):
    """An iterator in lists of a few, the first of one: what makes its items on the way may make large ones, and never end."""
    items, few = iter(items), 1
    while batch := list(islice(items, few)):
        yield batch
        few = min(2 * few, FEW)


class Encoder:
    def __init__(self, room, mend=None):
        self.room = room  # characters that may still be written
        self.mend = mend  # for keys and names, which may be the same only afterwards
        self.pieces = []
        self.path = []  # ids of the containers being written, outermost first
        self.known_types = {}
        self.kinds = []  # keeps the types alive, and so their ids theirs

    def text(self, value):
        self.write_value(value)
        return "".join(self.pieces)

    # ---- text

    def write(self, text):
        self.room -= len(text)
        if self.room < 0:
            raise TooLarge
        self.pieces.append(text)

    def check(self, characters):
        """Refuse early what would need at least this much."""
        if characters > self.room:
            raise TooLarge

    # ---- values

    def write_value(self, value):
        kind = type(value)
        if kind in PLAIN:
            self.write(self.plain_text(value))
            return
        handler, base, is_scalar = self.known_types.get(id(kind)) or self.find_handler(kind)
        if is_scalar:
            self.write(self.plain_text(handler(value, base)))
            return
        if id(value) in self.path:
            raise NotEncodable("refers to itself")
        if len(self.path) >= MAX_DEPTH:
            raise NotEncodable(f"nested deeper than {MAX_DEPTH} levels")
        self.path.append(id(value))
        handler(self, value, base)
        self.path.pop()

    def find_handler(self, kind):
        """(handler, base, whether it is a scalar's) for a type."""
        named = [(type_name(base), base) for base in bases(kind)]
        # An IntEnum or StrEnum is an int or str first, and still stands for its value.
        named = [pair for pair in named if pair[0] == ENUM] or named
        for name, base in named:
            if name in SCALARS or name in CONTAINERS:
                break
        else:
            raise NotEncodable("its class has no base that is known, not even object")
        is_scalar = name in SCALARS
        found = (SCALARS if is_scalar else CONTAINERS)[name], base, is_scalar
        self.known_types[id(kind)] = found
        self.kinds.append(kind)
        return found

    def simplify(self, value):
        """A scalar as exactly str, int, float, bool or None; NotImplemented for a container."""
        kind = type(value)
        if kind in PLAIN:
            return value
        handler, base, is_scalar = self.known_types.get(id(kind)) or self.find_handler(kind)
        if is_scalar:
            plain = handler(value, base)
            if type(plain) not in PLAIN:
                raise NotEncodable(f"a {type_name(kind)[1]} that is not what it says")
            return plain
        return self.simplify(enum_value(value)) if type_name(base) == ENUM else NotImplemented

    def plain_text(self, value):
        kind = type(value)
        if kind is str:
            self.check(len(value))
            return quote(value)
        if kind is float:
            return _float_text(value) if isfinite(value) else "null"
        if kind is int:
            try:
                return _int_text(value)
            except ValueError:
                return f'"{self.digits(value)}"'
        if value is None:
            return "null"
        if value is True:
            return "true"
        if value is False:
            return "false"
        raise NotEncodable(f"a {type_name(kind)[1]} that is not what it says")

    def digits(self, value):
        """Decimal digits of an int that has more of them than Python converts by default."""
        self.check(int.bit_length(value) * 3 // 10)
        chunk, parts, rest = 10**4000, [], abs(value)
        while rest:
            rest, part = divmod(rest, chunk)
            parts.append(_int_text(part).rjust(4000, "0"))
        return ("-" if value < 0 else "") + "".join(reversed(parts)).lstrip("0")

    def key(self, key):
        """A dict key, column or index label as a string."""
        if type(key) is not str:
            key = self.label(key)
        return key if self.mend is None else self.mend(key)

    def label(self, key):
        plain = self.simplify(key)
        if plain is NotImplemented:
            if type(key) is tuple:
                # ('a', 1), whatever kinds of string and number they are.
                simple = [self.simplify(part) for part in key]
                key = tuple([part if plain is NotImplemented else plain for part, plain in zip(key, simple)])
            return str.__str__(str(key))
        if type(plain) is float and isinf(plain):
            return repr(plain)  # not the null that it is as a value: two keys may not become one
        return plain if type(plain) is str else self.plain_text(plain).strip('"')

    # ---- arrays and objects

    def write_array(self, items, length):
        """`items[a:b]` must give a list or tuple for every slice."""
        if length > SLICE:
            self.write_sliced(length, lambda start, stop: items[start:stop])
            return
        self.check(2 * length)
        self.write("[")
        if part := items[:length]:
            self.write_items(part)
        self.write("]")

    def write_sliced(self, length, part, size=0):
        """An array of `length` items, all of them `size` bytes; `part(start, stop)` gives a list or tuple of them."""
        self.check(2 * length)
        step = slice_length(length, size)
        self.write_parts(part(start, min(start + step, length)) for start in range(0, length, step))

    def write_parts(self, parts):
        """An array in lists or tuples of items; they may be empty: whose items they are may change while they are written."""
        self.write("[")
        separator = ""
        for part in parts:
            if part:
                self.write(separator)
                self.write_items(part)
                separator = ","
        self.write("]")

    def write_items(self, items):
        types = set(map(type, items))
        if types <= PLAIN:
            self.write_flat(list(items), str in types)
            return
        for number, item in enumerate(items):
            if number:
                self.write(",")
            self.write_value(item)

    def write_flat(self, items, has_text):
        """A list of plain values, without its brackets."""
        if has_text:
            self.check(sum([len(text) for text in items if type(text) is str]))
        try:
            text = "".join(_encode_flat(items, 0))
        except ValueError:
            # Not finite, or an int with too many digits.
            text = f"[{','.join([self.plain_text(item) for item in items])}]"
        self.write(text[1:-1])

    def write_object(self, pairs):
        """[(string, value)], the strings distinct, and of those that are the same once mended the last wins."""
        if self.mend is not None:
            pairs = list({self.mend(name): value for name, value in pairs}.items())
        text = self.flat_object(pairs)
        if text is None:
            self.write("{")
            self.write_pairs(pairs)
            text = "}"
        self.write(text)

    def write_members(self, parts):
        """An object in lists of (string, value), the strings of all distinct."""
        self.write("{")
        separator = ""
        for pairs in parts:
            if pairs:
                self.write(separator)
                text = self.flat_object(pairs)
                if text is None:
                    self.write_pairs(pairs)
                else:
                    self.write(text[1:-1])
                separator = ","
        self.write("}")

    def flat_object(self, pairs):
        """The text, None if not all values are plain."""
        if not set(map(type, [value for _, value in pairs])) <= PLAIN:
            return None
        self.check(sum([len(text) for pair in pairs for text in pair if type(text) is str]))
        try:
            return "".join(_encode_flat(dict(pairs), 0))
        except ValueError:
            return None

    def write_pairs(self, pairs):
        self.check(5 * len(pairs))
        for number, (name, value) in enumerate(pairs):
            self.check(len(name))
            self.write(("," if number else "") + quote(name) + ":")
            self.write_value(value)

    def write_records(self, names, length, columns, size=0):
        """An array of one object a row. `columns(start, stop)` gives a list of values for each name; `size` as above."""
        names = unique(names)
        self.check(length * (2 + sum(len(name) + 5 for name in names)))
        step = slice_length(length, max(size, CELL_BYTES * length * len(names)))
        self.write("[")
        for start in range(0, length, step):
            stop = min(start + step, length)
            parts = columns(start, stop)
            plain = [self.plain_column(part) for part in parts]
            is_plain = all(part is not None for part in plain)
            rows = [dict(zip(names, row)) for row in zip(*(plain if is_plain else parts))] if names else [{}] * (stop - start)
            if not rows:
                break  # it was made shorter meanwhile
            if start:
                self.write(",")
            if is_plain:
                self.write("".join(_encode_flat(rows, 0))[1:-1])
            else:
                self.write_items(rows)
        self.write("]")

    def plain_column(self, column):
        """The column with only finite plain values in it, or None if it holds containers."""
        types = set(map(type, column))
        if not types <= PLAIN:
            column = [self.simplify(item) for item in column]
            if any(item is NotImplemented for item in column):
                return None
            types = set(map(type, column))
        if str in types:
            self.check(sum([len(item) for item in column if type(item) is str]))
        if float in types and not all([isfinite(item) for item in column if type(item) is float]):
            column = [None if type(item) is float and not isfinite(item) else item for item in column]
        if int in types and max(map(int.bit_length, [item for item in column if type(item) is int])) > 14000:
            return None
        return column


def slice_length(length, size):
    """How many of `length` things that are `size` bytes together are taken at once."""
    return SLICE if size * SLICE <= SLICE_BYTES * length else max(1, SLICE_BYTES * length // size)


def enum_value(member):
    return object.__getattribute__(member, "_value_")


def unique(names):
    """Repeated names get ".1", ".2" and so on, as pandas does when it reads a file: no value is lost."""
    if len(set(names)) == len(names):
        return names
    taken, counts, result = set(names), {}, []
    for name in names:
        chosen, number = name, counts.get(name, 0)
        if number:
            while (chosen := f"{name}.{number}") in taken:
                number += 1
        counts[name] = number + 1
        taken.add(chosen)
        result.append(chosen)
    return result
