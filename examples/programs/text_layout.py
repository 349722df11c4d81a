"""Templates, wrapped paragraphs, aligned columns, Unicode."""
import string
import textwrap
import unicodedata

letter = string.Template("Dear $name,\n\n$body\n\nYours, $sender").substitute(
    name="Zoë",
    body=textwrap.fill("The quick brown fox jumps over the lazy dog while the band plays on, and nobody notices. " * 2, 48),
    sender="the Café",
)
print(letter)
plain = "".join(c for c in unicodedata.normalize("NFD", "Zoë à la Café – naïve") if not unicodedata.combining(c))
print(plain, "straße".casefold(), "ǆ".title(), len("👩‍🚀"))
table = [f"{name:<12}|{amount:>12,.2f}|{share:>7.1%}" for name, amount, share in (("first", 1234567.891, 0.753), ("second", -42, 0.247))]
print(*table, sep="\n")
