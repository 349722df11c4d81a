"""What the code left in the workspace: new and changed regular files, to the control plane, in the order of their paths.

Everything that could change them is dead or stopped by then, and still nothing here goes by a name twice: each step is taken
from an open directory, no link is followed, and what is read is what was opened and looked at. Memory: a piece of a file.
"""

import os
from _struct import Struct
from errno import EACCES
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK

import frames
from data_desk import UPLOADED
from error_line import clip_utf8
from report import MAX_TEXT
from request_files import new_digest
from size_text import too_large

MAX_ENTRIES = 10_000  # files and folders looked at
MAX_PATH = 1024  # bytes
MAX_OMITTED = 100
PIECE = 256 * 1024
_PATH_LENGTH = Struct(">H")

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_KINDS = ((S_ISLNK, "a symbolic link"), (S_ISFIFO, "a named pipe"), (S_ISSOCK, "a socket"), (S_ISCHR, "a device"), (S_ISBLK, "a device"))


def open_workspace(path):
    return os.open(path, _OPEN_DIRECTORY)


def has_nothing_to_send(workspace):
    """`workspace`: its descriptor."""
    with os.scandir(workspace) as entries:
        return all(entry.name == UPLOADED and entry.is_dir(follow_symlinks=False) for entry in entries)


class OutputFiles:
    def __init__(self, channel, given, most, limit):
        """`given`: {path: [size, digest]} of what is no output while it is the same. At most `most` files, of `limit` bytes."""
        self.channel, self.given, self.most, self.limit = channel, given, most, limit
        self.room = limit
        self.sent = 0
        self.entries, self.is_cut = MAX_ENTRIES, False
        self.omitted, self.unnamed = [], 0

    def send(self, root):
        """`root`: descriptor of the workspace. Returns what goes into `omitted`."""
        folders = [(root, "", iter(self.list_folder(root, "")))]
        while folders:
            folder, prefix, names = folders[-1]
            name = next(names, None)
            if name is None:
                folders.pop()
                if folder != root:
                    os.close(folder)
                continue
            path = prefix + name
            try:
                if name.endswith("/"):
                    if path != UPLOADED + "/" and self.fits(path):
                        below = os.open(name[:-1], _OPEN_DIRECTORY, dir_fd=folder)
                        folders.append((below, path, iter(self.list_folder(below, path))))
                else:
                    self.take(folder, name, path)
            except OSError as error:
                self.omit(path, "may not be read" if error.errno == EACCES else error.strerror)
        if self.is_cut:
            self.omitted.append({"name": "*", "reason": f"the workspace holds over {MAX_ENTRIES} entries: others were not looked at"})
        elif self.unnamed:
            self.omitted.append({"name": "*", "reason": f"{self.unnamed} more files were left out"})
        return self.omitted

    def list_folder(self, folder, path):
        """The names in it, those of folders with a slash at the end: in this order whole paths are in order."""
        names = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not self.entries:
                        self.is_cut = True
                        break
                    self.entries -= 1
                    names.append(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name)
        except OSError as error:
            self.omit(path, error.strerror)
        names.sort()
        return names

    def take(self, folder, name, path):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not S_ISREG(status.st_mode):
            self.omit(path, next((what for is_kind, what in _KINDS if is_kind(status.st_mode)), "not a file"))
            return
        file = os.open(name, _OPEN_FILE, dir_fd=folder)
        try:
            status = os.fstat(file)
            if not S_ISREG(status.st_mode):
                self.omit(path, "not a file")
            elif not self.is_as_given(file, path, status.st_size) and self.fits(path):
                self.give(file, path, status.st_size)
        finally:
            os.close(file)

    def is_as_given(self, file, path, size):
        given = self.given.get(path)
        if given is None or given[0] != size:
            return False
        digest = new_digest()
        while piece := os.read(file, PIECE):
            digest.update(piece)
        os.lseek(file, 0, os.SEEK_SET)
        return digest.hexdigest() == given[1]

    def fits(self, path):
        """Whether the path can be told."""
        try:
            long = len(path.encode()) > MAX_PATH
        except UnicodeEncodeError:
            self.omit(path, "its name is not UTF-8")
            return False
        if long:
            self.omit(path, f"its path is longer than {MAX_PATH} bytes")
        return not long

    def give(self, file, path, size):
        if self.sent >= self.most:
            self.omit(path, f"over the limit of {self.most} files")
            return
        if size > self.room:
            self.omit(path, too_large("files", self.limit, self.room == self.limit))
            return
        self.sent += 1
        encoded = path.encode()
        head = _PATH_LENGTH.pack(len(encoded)) + encoded
        piece = os.read(file, min(PIECE, size))
        while True:
            self.channel.queue(frames.FILE, head + piece)
            if self.channel.is_full:
                self.channel.flush()
            size -= len(piece)
            self.room -= len(piece)
            piece = os.read(file, min(PIECE, size)) if piece else b""
            if not piece:
                return

    def omit(self, path, reason):
        if len(self.omitted) < MAX_OMITTED:
            name = os.fsencode(path).decode("utf-8", "replace")
            self.omitted.append({"name": clip_utf8(name, MAX_TEXT), "reason": reason})
        else:
            self.unnamed += 1
