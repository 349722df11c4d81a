"""An archive in memory, check sums, compression."""
import base64
import gzip
import hashlib
import io
import zipfile

files = {"readme.txt": b"hello\n" * 100, "data/numbers.csv": b"\n".join(b"%d,%d" % (n, n * n) for n in range(200))}
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for name, content in files.items():
        archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)

sums = {}
with zipfile.ZipFile(buffer) as archive:
    assert archive.testzip() is None
    for entry in archive.infolist():
        sums[entry.filename] = hashlib.sha256(archive.read(entry)).hexdigest()[:16]
        print(f"{entry.filename:<18}{entry.file_size:>6} {sums[entry.filename]}")
round_trip = gzip.decompress(gzip.compress(files["readme.txt"])) == files["readme.txt"]
encoded = base64.b64encode(hashlib.md5(files["readme.txt"]).digest()).decode()
print(round_trip, encoded)
del files, buffer, archive, entry, content, name
