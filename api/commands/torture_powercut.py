"""What a power cut leaves of a SQLite database: what had reached the disk, and any part of what had not.

SQLite itself says when that is. A file system layer of our own, registered with the SQLite library that
Python uses, keeps a copy of each file at every sync; of what was written after the last one a power cut may
take any part.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from random import Random
from urllib.parse import quote

SHADOW = ".synced"
NAME = "platepay_shadow"
PAGE = 4096

_FILE = ctypes.c_void_p
_XSYNC = ctypes.CFUNCTYPE(ctypes.c_int, _FILE, ctypes.c_int)
_XCLOSE = ctypes.CFUNCTYPE(ctypes.c_int, _FILE)
_XOPEN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, _FILE, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
# iVersion and eighteen methods; xClose is the first, xSync the fifth of them.
_METHODS = 19
_CLOSE, _SYNC = 1, 5


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3: https://www.sqlite.org/c3ref/vfs.html"""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", _XOPEN),
        ("others", ctypes.c_void_p * 14),
    )


class ShadowMissing(Exception):  # noqa: N818
    """The SQLite library of this Python cannot be reached, so a power cut cannot be played here."""


class _Shadow:
    """Keeps everything that SQLite holds pointers to alive."""

    def __init__(self) -> None:
        library = ctypes.CDLL("libsqlite3.so.0")
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._paths: dict[int, str] = {}
        self._originals: dict[int, tuple[_XSYNC, _XCLOSE]] = {}  # type: ignore[valid-type]
        self._tables: dict[int, ctypes.Array[ctypes.c_void_p]] = {}
        default = library.sqlite3_vfs_find(None)
        self._open_below = default.contents.open
        self._callbacks = (_XSYNC(self._sync), _XCLOSE(self._close), _XOPEN(self._open))
        self._vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self._vfs), default, ctypes.sizeof(_Vfs))
        self._vfs.name = NAME.encode()
        self._vfs.next = None
        self._vfs.open = self._callbacks[2]
        if library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0) != 0:
            raise ShadowMissing("SQLite refused the file system layer")

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: object) -> int:
        # The name goes on as the address it came as: SQLite keeps it for as long as the file is open.
        code: int = self._open_below(vfs, name, file, flags, out)
        methods = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        if code == 0 and name and methods[0]:
            below = int(methods[0])
            if below not in self._tables:
                self._wrap(below)
            methods[0] = ctypes.addressof(self._tables[below])
            self._paths[file] = os.fsdecode(ctypes.string_at(name))
        return code

    def _wrap(self, below: int) -> None:
        """A copy of a table of methods whose sync and close are ours."""
        table = (ctypes.c_void_p * _METHODS)()
        ctypes.memmove(table, below, ctypes.sizeof(table))
        ours = ctypes.addressof(table)
        self._originals[ours] = (_XSYNC(table[_SYNC]), _XCLOSE(table[_CLOSE]))
        table[_SYNC] = ctypes.cast(self._callbacks[0], ctypes.c_void_p)
        table[_CLOSE] = ctypes.cast(self._callbacks[1], ctypes.c_void_p)
        self._tables[below] = table

    def _sync(self, file: int, flags: int) -> int:
        sync, _ = self._originals[_table_of(file)]
        code: int = sync(file, flags)
        path = self._paths.get(file)
        if code == 0 and path:
            # Whole or not at all, even where the process is killed while it copies.
            shutil.copyfile(path, f"{path}{SHADOW}.new")
            Path(f"{path}{SHADOW}.new").replace(f"{path}{SHADOW}")
        return code

    def _close(self, file: int) -> int:
        _, close = self._originals[_table_of(file)]
        self._paths.pop(file, None)
        code: int = close(file)
        return code


def _table_of(file: int) -> int:
    found = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))[0]
    if found is None:
        raise RuntimeError("a SQLite file without methods")
    return int(found)


@cache
def _register() -> _Shadow:
    try:
        shadow = _Shadow()
        sqlite3.connect(f"file::memory:?vfs={NAME}", uri=True).close()
    except (OSError, AttributeError, sqlite3.Error) as error:
        raise ShadowMissing(f"the SQLite library of this Python cannot be reached: {error}") from error
    return shadow


def shadowed_url(database_url: str) -> str:
    """The same SQLite database, opened through the layer that keeps what was synced. Raises ShadowMissing."""
    _register()
    path = database_url.removeprefix("sqlite:///")
    return f"sqlite:///file:{quote(path)}?vfs={NAME}&uri=true"


def cut_power(database: Path, chance: Random) -> None:
    """Turns the files of a database that nobody has open into what a power cut could have left of them."""
    Path(f"{database}-shm").unlink(missing_ok=True)
    for path in (database, Path(f"{database}-wal")):
        synced = Path(f"{path}{SHADOW}")
        if not synced.exists():
            path.unlink(missing_ok=True)
            continue
        left = _left_of(synced.read_bytes(), path.read_bytes() if path.exists() else b"", chance)
        path.write_bytes(left)
        synced.write_bytes(left)


def _left_of(synced: bytes, written: bytes, chance: Random) -> bytes:
    """The synced bytes, with any of the pages that were written later, the last of them torn."""
    left = bytearray(synced)
    if written.startswith(synced):
        return synced + written[len(synced) : chance.randint(len(synced), len(written))]
    for start in range(0, min(len(synced), len(written)), PAGE):
        if chance.random() < 0.5:
            left[start : start + PAGE] = written[start : start + PAGE]
    return bytes(left)
