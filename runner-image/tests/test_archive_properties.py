"""Any bytes as an archive: its files, within what was sent, or a broken protocol; never another end."""

import random
import unittest

import support
from archive import read_archive
from frames import ProtocolError

PIECES = (b"\0" * 512, b"ustar\0", b"ustar  ", b"L", b"5", b"77777777777", b"-1", b"-2000", b"0x10", b"\x80" + b"\xff" * 11, b"files/../x", b" ")


def damaged(rng):
    """An archive with a few changes; half of them with check sums that fit again."""
    names = [rng.choice(("main.py", "input.json", "files/a", "files/" + "d/" * 40 + "e", "ä")) for _ in range(rng.randint(0, 4))]
    data = bytearray(support.tar({name: rng.randbytes(rng.choice((0, 1, 511, 512, 2000))) for name in names}))
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.7:
            at = at // 512 * 512 + rng.choice((0, 124, 136, 148, 156, 257, 345))
        piece = rng.choice(PIECES) if rng.random() < 0.5 else rng.randbytes(rng.randint(1, 12))
        data[at:at + rng.choice((0, len(piece)))] = piece
    del data[rng.randrange(len(data) + 1) if rng.random() < 0.2 else len(data):]
    if rng.random() < 0.5:
        for at in range(0, len(data) - 511, 512):
            header = data[at:at + 512]
            header[148:156] = b" " * 8
            if header[257:262] == b"ustar":
                data[at + 148:at + 156] = b"%06o\0 " % sum(header)
    return bytes(data)


class HostileArchives(unittest.TestCase):
    def test_an_archive_is_read_or_refused(self):
        read = 0
        for seed in support.seeds(3000):
            data = damaged(random.Random(seed))
            with self.subTest(seed=seed):
                try:
                    files = read_archive(data)
                except ProtocolError:
                    continue
                self.assertLessEqual(sum(map(len, files.values())), len(data))
                self.assertTrue(all(type(path) is str and type(content) is bytes for path, content in files.items()))
                read += 1
        self.assertGreater(read, 300)
