"""Why something does not come back: it is too large. One sentence for results, figures and files."""


def too_large(what, limit, is_first):
    """`limit`: bytes; `is_first`: none of it is taken yet."""
    size = f"{limit // 2**20} MiB" if limit % 2**20 == 0 else f"{limit} bytes"
    return f"larger than {'the' if is_first else 'what is left of the'} {what} limit of {size}"
