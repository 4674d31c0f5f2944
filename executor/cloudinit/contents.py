"""The files of a seed, NoCloud's or a config drive's, from what an object says and what its Secret holds.

Their form is cloud-init's: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html and
configdrive.html.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from analyser import yamlreader
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT: Final = 1 << 20
"""The most bytes that one text may have; a Kubernetes Secret holds no more either."""

TEXTS: Final = ("userData", "networkData", "metaData")
KEYS: Final = "sshAuthorizedKeys"

_PATH: Final = "spec.cloudInit"
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_KEY: Final = re.compile(r"(?:^|\s)(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+ AAAA[A-Za-z0-9+/]+=*(?:\s|$)")
_SENSITIVE: Final = re.compile(r"passw|secret|token|credential|private[-_ ]?key|api[-_]?key", re.IGNORECASE)
_BEGINNINGS: Final = (
    "#cloud-config", "#!", "#include", "#cloud-boothook", "#part-handler", "#upstart-job", "## template:",
    "content-type:", "mime-version:",
)  # fmt: skip


@dataclass(frozen=True)
class Contents:
    """The files of a seed by their paths, its volume label, and ``notes`` for a person."""

    label: str
    files: dict[str, bytes] = field(repr=False)
    notes: tuple[str, ...] = ()


def contents(spec: Mapping[str, Any], secret: Mapping[str, str], *, instance_id: str, hostname: str) -> Contents:
    """Return the files of the seed that *spec* (``spec.cloudInit``) asks for.

    *secret* stands in for the texts that *spec* does not give. *instance_id* and *hostname* are the guest's where
    nothing else is said; cloud-init acts once for each instance id. Raises InputError, which names no value of
    *secret*, for what cloud-init could not read, or what reaches outside of it.
    """
    texts = {key: _text(key, spec, secret) for key in TEXTS}
    given = _mapping(texts["metaData"], "metaData")
    keys = _keys([*(spec.get(KEYS) or ()), *(secret.get(KEYS, "").splitlines() if not spec.get(KEYS) else ())])
    instance = given.get("instance-id", instance_id)
    if not isinstance(instance, str) or not _INSTANCE.fullmatch(instance):
        # cloud-init names a folder by it.
        raise _error("the instance-id is no plain word", "metaData", "use letters, digits, and . _ : - in between")
    host = spec.get("hostname") or given.get("local-hostname") or hostname
    _check_hostname(host)
    notes = _notes(texts["userData"])
    if spec.get("datasource") == "ConfigDrive":
        return Contents("config-2", _config_drive(texts, given, keys, instance, host), notes)
    metadata: dict[str, Any] = {"instance-id": instance, "local-hostname": host}
    if keys:
        metadata["public-keys"] = keys
    files = {
        "meta-data": _json({**metadata, **{key: value for key, value in given.items() if key not in metadata}}),
        # Without the file cloud-init does not take the disk for a seed at all.
        "user-data": (texts["userData"] or "#cloud-config\n{}\n").encode(),
    }
    if texts["networkData"]:
        _mapping(texts["networkData"], "networkData")
        files["network-config"] = texts["networkData"].encode()
    return Contents("cidata", files, notes)


def sensitive(text: str) -> bool:
    """Say whether *text* seems to hold a password or the like, so that it should be shown to nobody."""
    return _SENSITIVE.search(text) is not None


def _config_drive(
    texts: Mapping[str, str], given: Mapping[str, Any], keys: list[str], instance: str, host: str
) -> dict[str, bytes]:
    metadata: dict[str, Any] = {"uuid": instance, "hostname": host, "name": host.partition(".")[0]}
    if keys:
        metadata["public_keys"] = {f"key-{number}": key for number, key in enumerate(keys)}
    rest = {key: value for key, value in given.items() if key not in ("instance-id", "local-hostname", *metadata)}
    files = {"openstack/latest/meta_data.json": _json({**metadata, **rest})}
    if texts["userData"]:
        files["openstack/latest/user_data"] = texts["userData"].encode()
    if texts["networkData"]:
        files["openstack/latest/network_data.json"] = _json(_mapping(texts["networkData"], "networkData"))
    return files


def _text(key: str, spec: Mapping[str, Any], secret: Mapping[str, str]) -> str:
    text = spec.get(key)
    if text is None:
        text = secret.get(key, "")
    if not isinstance(text, str):
        raise _error("a text is expected", key, "begin it with | and indent it")
    if "\0" in text:
        raise _error("there is a NUL byte in it", key, "what is no text goes in as base64")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _error(
            "it cannot be written in UTF-8", key, "what is no text goes in as base64, in write_files"
        ) from None
    if size > LIMIT:
        raise _error(f"{size} bytes are too many: {LIMIT} are the most", key, "let the guest fetch what is large")
    return text


def _mapping(text: str, key: str) -> dict[str, Any]:
    """Return the YAML map that *text* is. The error says no more than its line, since it may be secret."""
    if not text.strip():
        return {}
    try:
        documents = list(yamlreader.iter_documents(text))
    except InputError as error:
        where = f"line {error.line} of it" if error.line else "it"
        raise _error(f"{where} cannot be read as a YAML map", key, "cloud-init could not read it either") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise _error("one map is expected", key, "such as version: 2 and what follows it")
    return documents[0]


def _keys(given: Iterable[Any]) -> list[str]:
    out = []
    for number, each in enumerate(given):
        line = each.strip() if isinstance(each, str) else ""
        if isinstance(each, str) and (not line or line.startswith("#")):
            continue
        if "PRIVATE KEY" in line:
            raise _error("this is a private key", f"{KEYS}[{number}]", "give the public one, of the file *.pub")
        if not line.isprintable() or not _KEY.search(line):
            raise _error("this is no public key", f"{KEYS}[{number}]", "give a line such as ssh-ed25519 AAAA...")
        if len(line) > LIMIT >> 4:
            raise _error("this is too long for a public key", f"{KEYS}[{number}]")
        out.append(line)
    return out


def _check_hostname(host: Any) -> None:
    if isinstance(host, str) and len(host) <= 253 and all(map(_LABEL.fullmatch, host.split("."))):  # noqa: PLR2004 (DNS)
        return
    raise _error("no host name of letters, digits and hyphens, with dots in between", "hostname")


def _notes(user_data: str) -> tuple[str, ...]:
    if not user_data.strip() or user_data.lstrip("\n").lower().startswith(_BEGINNINGS):
        return ()
    return (f"{_PATH}.userData begins with neither #cloud-config nor #!, so that cloud-init will pass over it",)


def _json(value: Any) -> bytes:
    # YAML, too, and the same for the same value.
    return (json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n").encode()


def _error(message: str, key: str, hint: str | None = None) -> InputError:
    return InputError(message, path=f"{_PATH}.{key}", hint=hint)
