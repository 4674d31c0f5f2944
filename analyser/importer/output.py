"""The output folder: what is to be there, whether that may be, and its files moved into place by rename.

``.import/files`` lists what imports wrote, with a checksum of each: only that is ever overwritten, and only where
nobody has edited it since.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from analyser.documents import GROUP
from analyser.importer.convert import PER_NODE
from analyser.importer.document import SECRETS, token
from analyser.importer.guest import head
from analyser.importer.resolve import Shared, shared
from analyser.importer.secrets import manifest
from analyser.importer.spool import IMPORTED
from analyser.yamlreader import load_all
from analyser.yamlwriter import dump
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analyser.importer.spool import Spool
    from analyser.model import Node

MANIFEST = "files"
"""The list of written files, below ``.import``."""

TOP = ("kustomization.yaml", "namespaces.yaml", "report.json", "report.html")
"""What lies beside the namespaces' folders."""

_UNCHECKED = "-"
_NAMED = 3
_PRIVATE, _PUBLIC = 0o600, 0o666
_KINDS = {"network": "VirtualMachineNetwork", "pool": "VirtualMachineStoragePool"}


class Output:
    """The folder *root* that an import writes to; with *force*, edited and foreign files are overwritten too."""

    def __init__(self, root: Path, spool: Spool, infrastructure: str, *, force: bool) -> None:
        self._root = root
        self._spool = spool
        self._infrastructure = infrastructure
        self._force = force
        self._made: dict[str, bool] = {"": False}  # folders below the root: whether they were not there before

    def plan(self) -> None:
        """Say which files there will be, those whose names are not what was expected written anew in the spool."""
        spool = self._spool
        self._remember()
        spool.execute("DELETE FROM planned")
        as_expected = "NOT secret AND folder = place AND base = final"
        kept = "FROM item WHERE kind IN ('guest', 'other') AND state = ?"
        spool.execute(
            f"INSERT INTO planned SELECT place || '/' || final || '.yaml', sha, file, ? {kept} AND {as_expected}"
            " ORDER BY place, final", _PUBLIC, IMPORTED,
        )  # fmt: skip
        rows = spool.query(
            f"SELECT kind, file, secret, folder, place, base, final {kept} AND NOT ({as_expected})"
            " ORDER BY source, part", IMPORTED,
        )  # fmt: skip
        spool.many(
            "INSERT INTO planned VALUES (?, ?, ?, ?)", (planned for row in rows for planned in self._guest(*row))
        )
        for each in shared(spool):
            spool.many("INSERT INTO planned VALUES (?, ?, ?, ?)", self._shared(each))
        self._write_text("namespaces.yaml", self._namespaces())
        self._write_text("kustomization.yaml", self._kustomization())
        spool.db.commit()

    def _remember(self) -> None:
        """Take in what earlier imports wrote: the finished ones' list, and what an interrupted one was about to."""
        spool = self._spool
        spool.execute("INSERT OR REPLACE INTO owned SELECT path, sha FROM planned")
        path = spool.folder / MANIFEST
        try:
            with path.open(encoding="utf-8") as lines:
                split = (line.rstrip("\n").partition("  ") for line in lines)
                spool.many("INSERT OR IGNORE INTO owned VALUES (?, ?)", ((name, sha) for sha, _, name in split if name))
        except FileNotFoundError:
            pass
        except UnicodeDecodeError:
            raise KubevmmError(
                f"{path}: damaged", hint="remove it; files of earlier imports then need --force"
            ) from None

    def _guest(
        self, kind: str, file: str, secret: int, folder: str, place: str, base: str, final: str
    ) -> Iterable[tuple[str, str, str, int]]:
        text = self._named(kind, file, folder, place, base, final)
        yield f"{place}/{final}.yaml", self._put(f"{file}.out", text), f"{file}.out", _PUBLIC
        if secret:
            namespace = place if kind == "guest" else self._infrastructure
            yield self._secret(file, f"{place}/{final}", final, namespace)

    def _named(self, kind: str, file: str, folder: str, place: str, base: str, final: str) -> str:
        text = (self._spool.work / file).read_text(encoding="utf-8")
        if kind == "guest":
            before, after = head(base, folder), head(final, place)
        else:
            before, after = dump({"metadata": {"name": base}}), dump({"metadata": {"name": final}})
        return text.replace(before, after, 1).replace(token(file) + SECRETS, final + SECRETS)

    def _shared(self, each: Shared) -> Iterable[tuple[str, str, str, int]]:
        document = load_all((self._spool.work / each.file).read_text(encoding="utf-8"))[0]
        content: Node = document["spec"]
        if each.differing:
            content = {key: value for key, value in content.items() if key not in PER_NODE}
        spec: Node = {"nodeNames": each.nodes} if each.nodes else {}
        spec |= {"deletionPolicy": "Retain", each.kind: content}
        made: Node = {
            "apiVersion": GROUP, "kind": _KINDS[each.kind],
            "metadata": {"name": each.name, "namespace": self._infrastructure}, "spec": spec,
        }  # fmt: skip
        text = dump(made).replace(token(each.file) + SECRETS, each.name + SECRETS)
        path = f"{self._infrastructure}/{each.kind}s/{each.name}"
        yield f"{path}.yaml", self._put(f"{each.file}.out", text), f"{each.file}.out", _PUBLIC
        if each.secret:
            yield self._secret(each.file, path, each.name, self._infrastructure)

    def _secret(self, file: str, path: str, name: str, namespace: str) -> tuple[str, str, str, int]:
        values = json.loads((self._spool.work / f"{file}.secret").read_text(encoding="utf-8"))
        text = dump(manifest(name + SECRETS, namespace, values))
        self._put(f"{file}.secret.out", text, mode=_PRIVATE)
        return f"{path}{SECRETS}.yaml", _UNCHECKED, f"{file}.secret.out", _PRIVATE

    def _put(self, name: str, text: str, mode: int = _PUBLIC) -> str:
        data = text.encode()
        path = self._spool.work / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(data)
        return hashlib.sha256(data).hexdigest()

    def _write_text(self, name: str, lines: Iterable[str]) -> None:
        """Write a file that lists much, line by line, to the spool, and plan it."""
        path = self._spool.work / name
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for line in lines:
                data = line.encode()
                digest.update(data)
                file.write(data)
        if path.stat().st_size:
            self._spool.execute(
                "INSERT OR REPLACE INTO planned VALUES (?, ?, ?, ?)", name, digest.hexdigest(), name, _PUBLIC
            )

    def _namespaces(self) -> Iterable[str]:
        """Yield the namespaces' manifests; ``default`` is always there."""
        places = {
            place
            for (place,) in self._spool.query(
                "SELECT DISTINCT place FROM item WHERE kind = 'guest' AND state = ?", IMPORTED
            )
        }
        if next(
            self._spool.query("SELECT 1 FROM item WHERE kind IN ('network', 'pool') AND state = ? LIMIT 1", IMPORTED),
            None,
        ):
            places.add(self._infrastructure)
        for index, name in enumerate(sorted(places - {"default"})):
            yield ("---\n" if index else "") + dump(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )

    def _kustomization(self) -> Iterable[str]:
        yield "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        documents = f"{self._infrastructure}/libvirt/"
        for (path,) in self._spool.query("SELECT path FROM planned ORDER BY path"):
            if not path.startswith(documents):
                yield f"- {path}\n"

    def check(self) -> None:
        """Raise KubevmmError where a file would be overwritten that no import wrote, or that was edited since."""
        if self._force:
            return
        found: list[str] = []
        count = 0
        there: dict[str, bool] = {}
        for path, sha in self._spool.query("SELECT path, sha FROM planned ORDER BY path"):
            folder = path.rpartition("/")[0]
            if folder not in there:
                there[folder] = os.path.lexists(self._root / folder)
            problem = self._problem(path, sha) if there[folder] else ""
            if problem:
                count += 1
                if len(found) < _NAMED:
                    found.append(f"{path} {problem}")
        for name in TOP[2:]:
            problem = self._problem(name, None)
            if problem:
                count += 1
                found.append(f"{name} {problem}")
        if count:
            self._spool.execute("DELETE FROM planned")
            self._spool.db.commit()
            more = f" and {count - len(found)} more" if count > len(found) else ""
            raise KubevmmError(
                f"{self._root}: nothing was written there, for files stand in the way: {'; '.join(found)}{more}",
                hint="move them away, import into another folder, or overwrite them with --force",
            )

    def _problem(self, path: str, sha: str | None) -> str:
        target = self._root / path
        if not os.path.lexists(target):
            return ""
        if target.is_symlink() or not target.is_file():
            return "is no regular file"
        owned = next(self._spool.query("SELECT sha FROM owned WHERE path = ?", path), None)
        there = _sha(target)
        if there == sha:
            return ""
        if owned is None:
            return "was not written by an import"
        if owned[0] not in (_UNCHECKED, there):
            return "was edited since the last import"
        if owned[0] == _UNCHECKED and path not in TOP and there != _sha(self._planned_file(path)):
            return "differs from what the import would write, and may have been edited"
        return ""

    def _planned_file(self, path: str) -> Path:
        (file,) = next(self._spool.query("SELECT file FROM planned WHERE path = ?", path))
        return self._spool.work / str(file)

    def place(self) -> None:
        """Move all planned files to their places."""
        self._spool.db.commit()
        work, root = str(self._spool.work), str(self._root)
        for path, sha, file, mode in self._spool.query("SELECT path, sha, file, mode FROM planned ORDER BY path"):
            folder = path.rpartition("/")[0]
            fresh = self._made[folder] if folder in self._made else self._folder(folder)
            source, target = f"{work}/{file}", f"{root}/{path}"
            if not fresh and mode == _PUBLIC and sha != _UNCHECKED and _is(Path(target), sha):
                Path(source).unlink(missing_ok=True)
                continue
            try:
                os.rename(source, target)  # noqa: PTH104  (one for each guest: what a Path costs shows)
            except OSError as error:
                raise KubevmmError(f"{target}: cannot be written: {error.strerror or error}") from None

    def _folder(self, name: str) -> bool:
        """Make the folder *name* below the root; say whether it, and so all in it, is new.

        Raises KubevmmError where a link would lead elsewhere.
        """
        above = name.rpartition("/")[0]
        if above not in self._made:
            self._folder(above)
        folder = self._root / name
        if folder.is_symlink():
            raise KubevmmError(f"{folder}: is a link, and might lead anywhere", hint="remove it")
        new = not folder.exists()
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise KubevmmError(f"{folder}: cannot be made: {error.strerror}") from None
        self._made[name] = new
        return new

    def stale(self) -> list[str]:
        """Return (the first hundred) files of earlier imports that this one has no use for."""
        rows = self._spool.query(
            "SELECT path FROM owned WHERE path NOT IN (SELECT path FROM planned) AND path NOT IN (?, ?, ?, ?)"
            " ORDER BY path LIMIT 100", *TOP,
        )  # fmt: skip
        return [path for (path,) in rows if (self._root / path).exists()]

    def finish(self, reports: dict[str, Path]) -> None:
        """Move the reports into place and write the list of files."""
        self._spool.many("INSERT OR REPLACE INTO owned VALUES (?, ?)", [(name, _UNCHECKED) for name in reports])
        self._spool.db.commit()
        for name, path in reports.items():
            path.replace(self._root / name)
        list_path = self._spool.work / MANIFEST
        with list_path.open("w", encoding="utf-8") as file:
            for path, sha in self._spool.query(
                "SELECT path, sha FROM (SELECT path, sha FROM planned UNION ALL SELECT path, sha FROM owned"
                " WHERE path NOT IN (SELECT path FROM planned)) ORDER BY path"
            ):
                file.write(f"{sha}  {path}\n")
        list_path.replace(self._spool.folder / MANIFEST)


def _is(path: Path, sha: str) -> bool:
    """Say whether *path* is a regular file with the checksum *sha*."""
    return path.is_file() and not path.is_symlink() and _sha(path) == sha


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
