"""Folders, globbing, temporary files, in the working directory of the program."""
import os
import shutil
import tempfile
from pathlib import Path

base = Path("project")
for name, text in {"src/a.py": "import b\n", "src/b.py": "x = 1\n" * 3, "docs/index.md": "# Title\n", "empty/.keep": ""}.items():
    (base / name).parent.mkdir(parents=True, exist_ok=True)
    (base / name).write_text(text)

python = sorted(str(path) for path in base.rglob("*.py"))
lines = {path.name: len(path.read_text().splitlines()) for path in sorted(base.glob("src/*"))}
tree = [(folder, sorted(folders), sorted(files)) for folder, folders, files in sorted(os.walk(base))]
print(python, lines, *tree, sep="\n")
with tempfile.TemporaryDirectory() as folder:
    copied = shutil.copytree(base, Path(folder, "copy"))
    size = sum(path.stat().st_size for path in copied.rglob("*") if path.is_file())
shutil.rmtree(base / "docs")
left = sorted(path.name for path in base.iterdir())
print(size, left, Path(folder).exists())
del folder, copied, name, text, base
