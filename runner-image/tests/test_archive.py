import io
import tarfile
import unittest

import support
from archive import read_archive
from frames import ProtocolError


def size(data, number):
    """The archive with another size of its first entry, and a check sum that fits."""
    header = bytearray(data[:512])
    header[124:136], header[148:156] = number + b"\0", b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


class Archive(unittest.TestCase):
    def test_files_come_out_as_they_went_in(self):
        files = {"main.py": b"x = 1\n", "empty": b"", "big": b"z" * 100_000, "block": b"b" * 512}
        self.assertEqual(read_archive(support.tar(files)), files)

    def test_long_paths_in_either_format(self):
        name = "directory/" * 12 + "file"
        for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
                entry = tarfile.TarInfo(name)
                entry.size = 2
                archive.addfile(entry, io.BytesIO(b"ab"))
            self.assertEqual(read_archive(buffer.getvalue()), {name: b"ab"})

    def test_an_empty_stream_holds_nothing(self):
        self.assertEqual(read_archive(b""), {})

    def test_damage_is_refused(self):
        data = support.tar({"main.py": b"x" * 1000})
        for broken in (data[:700], data[:100], b"\xff" + data[1:], data[:124] + b"zzzzzzzzzzz" + data[135:], size(data, b"-0000002000"),
                       size(data, b"0o000001750"), size(data, b"0000_001750")):
            with self.assertRaises(ProtocolError):
                read_archive(broken)

    def test_anything_but_a_regular_file_is_refused(self):
        for kind in (tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
                entry = tarfile.TarInfo("main.py")
                entry.type = kind
                archive.addfile(entry)
            with self.assertRaises(ProtocolError):
                read_archive(buffer.getvalue())
