"""What an import knows so far, on disk: the journal that a later run goes on from, and the place to sort and count in.

A table in SQLite and a folder of converted files, both in ``.import`` below the output folder. Nothing is kept in
memory for each guest, so that an estate may have any size.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analyser.importer import names
from analyser.importer.row import Row, Said
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FOLDER = ".import"
"""The folder's name below the output folder."""

_NAMES = Row._fields[:-2]
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_SAID = ", ".join(f"{name} NOT NULL" for name in Said._fields)
_SCHEMA = f"""
CREATE TABLE header (options TEXT NOT NULL);
CREATE TABLE item ({_COLUMNS}, seen INTEGER NOT NULL, state TEXT NOT NULL, level INTEGER NOT NULL,
                   place TEXT NOT NULL, final TEXT NOT NULL, note TEXT NOT NULL, about INTEGER NOT NULL,
                   PRIMARY KEY (source, part))
  WITHOUT ROWID;
CREATE TABLE about (id INTEGER PRIMARY KEY, info TEXT NOT NULL, {_SAID});
CREATE TABLE planned (path TEXT PRIMARY KEY, sha TEXT NOT NULL, file TEXT NOT NULL, mode INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE owned (path TEXT PRIMARY KEY, sha TEXT NOT NULL) WITHOUT ROWID;
"""
_VIEW = "CREATE VIEW described AS SELECT * FROM item JOIN about ON about = id"
_INSERT = f"INSERT OR REPLACE INTO item VALUES ({', '.join('?' * (len(_NAMES) + 7))})"  # noqa: S608  (question marks)
_ABOUT = f"INSERT INTO about VALUES ({', '.join('?' * (len(Said._fields) + 2))})"  # noqa: S608
_PATIENCE = 5.0
"""Seconds to wait for the workers of an import that was killed."""


IMPORTED = "imported"
"""The state of a document until something speaks against it."""


class Spool:
    """The journal; ``work`` is the folder of converted files."""

    def __init__(self, folder: Path, database: sqlite3.Connection) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.db = database
        self.resumed = False
        self._abouts = 0

    def known(self, source: str) -> str | None:
        """Return the digest of what *source* was when it was converted, if all that it became is still here."""
        known: str | None = None
        for digest, file, secret in self.db.execute(
            "SELECT digest, file, secret FROM item WHERE source = ?", (source,)
        ):
            if file and not (self.work / file).exists():
                return None
            if secret and not (self.work / f"{file}.secret").exists():
                return None
            known = digest
        return known

    def add(self, results: Iterable[tuple[str, list[Row] | None]], run: int) -> None:
        """Take in what became of some sources; None: what is known already."""
        items: list[tuple[Any, ...]] = []
        abouts: list[tuple[Any, ...]] = []
        number = self._abouts
        for source, rows in results:
            if rows is None:
                self.db.execute("UPDATE item SET seen = ? WHERE source = ?", (run, source))
                continue
            if self.resumed:
                self.db.execute("DELETE FROM about WHERE id IN (SELECT about FROM item WHERE source = ?)", (source,))
                self.db.execute("DELETE FROM item WHERE source = ?", (source,))
            for row in rows:
                number += 1
                items.append((*row[:-2], run, IMPORTED, 0, row.folder, row.base, "", number))
                abouts.append((number, row.info, *row.said))
        self._abouts = number
        self.db.executemany(_ABOUT, abouts)
        self.db.executemany(_INSERT, items)

    def resume(self) -> None:
        """Go on from what is there."""
        self.resumed = True
        (self._abouts,) = self.db.execute("SELECT coalesce(max(id), 0) FROM about").fetchone()

    def next_run(self) -> int:
        """Return a number for this run, higher than any before."""
        return int(self.db.execute("SELECT coalesce(max(seen), 0) + 1 FROM item").fetchone()[0])

    def forget_others(self, run: int) -> None:
        """Forget what this run has not met: it is not in the source any more. Decisions are made anew."""
        if self.resumed:
            self.db.execute("DELETE FROM item WHERE seen <> ?", (run,))
            self.db.execute(
                "UPDATE item SET state = ?, level = 0, place = folder, final = base, note = ''", (IMPORTED,)
            )
        self.db.execute("CREATE INDEX IF NOT EXISTS by_identity ON item (kind, identity)")
        self.db.execute("CREATE INDEX IF NOT EXISTS by_final ON item (place, final)")
        self.db.execute("CREATE INDEX IF NOT EXISTS by_node ON item (kind, node, name)")
        self.db.commit()

    def query(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, one at a time, from a cursor of its own."""
        yield from self.db.cursor().execute(sql, parameters)

    def execute(self, sql: str, *parameters: Any) -> int:
        """Run a statement; return how many rows it changed."""
        return self.db.execute(sql, parameters).rowcount

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for each of *rows*."""
        self.db.executemany(sql, rows)

    def done(self) -> None:
        """Remove the journal and the converted files: the import is complete."""
        self.db.commit()
        self.db.close()
        for name in ("journal", "journal-journal"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)


@contextmanager
def opened(output: Path, options: dict[str, Any]) -> Iterator[Spool]:
    """Open the journal of the import into *output*; one that was made with other *options* is started anew.

    Raises KubevmmError where another import is at work there, or nothing can be written.
    """
    folder = output / FOLDER
    try:
        if output.is_symlink() and not output.exists():
            raise KubevmmError(f"{output}: a link to nowhere")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink():
            raise KubevmmError(f"{folder}: is a link", hint="remove it")
        with (folder / "lock").open("w", encoding="ascii") as lock:
            _lock(lock.fileno(), output)
            spool = _open(folder, options)
            try:
                yield spool
            finally:
                spool.db.close()
    except OSError as error:
        raise KubevmmError(f"{output}: cannot be written: {error.strerror or error}") from None
    except sqlite3.OperationalError as error:
        raise KubevmmError(f"{folder}: {error}", hint="is the disk full?") from None


def _lock(descriptor: int, output: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise KubevmmError(f"{output}: another import is at work there") from None
            time.sleep(0.1)
        else:
            return


def _open(folder: Path, options: dict[str, Any]) -> Spool:
    wanted = json.dumps(options, sort_keys=True)
    path = folder / "journal"
    (folder / ".gitignore").write_text("/journal*\n/lock\n/work/\n", encoding="ascii")
    if path.exists():
        try:
            spool = Spool(folder, _connect(path))
            if spool.db.execute("SELECT options FROM header").fetchone() == (wanted,):
                _make_folders(spool.work)
                spool.resume()
                return spool
            spool.db.close()
        except sqlite3.DatabaseError:
            pass  # damaged; what it knew is found out again
        path.unlink()
        (folder / "journal-journal").unlink(missing_ok=True)
    shutil.rmtree(folder / "work", ignore_errors=True)
    spool = Spool(folder, _connect(path))
    _make_folders(spool.work)
    spool.db.executescript(_SCHEMA)
    spool.db.execute(_VIEW)
    spool.db.execute("INSERT INTO header VALUES (?)", (wanted,))
    spool.db.commit()
    return spool


def _make_folders(work: Path) -> None:
    for folder in (work, *(work / name for name in names.SPOOLS)):
        folder.mkdir(mode=0o700, exist_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    # Killed, the process loses nothing that the system has; after a power cut, the import is begun anew.
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA temp_store = FILE")
    database.execute("PRAGMA cache_size = -8192")
    database.create_function("suffixed", 3, names.suffixed, deterministic=True)
    database.create_function("taken_file", 1, names.is_taken, deterministic=True)
    return database
