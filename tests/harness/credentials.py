"""Credentials for a test's API server, made without a library or command for cryptography."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The order of the curve P-256, from SEC 2, section 2.4.2.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# SEC 1, appendix C.4: ECPrivateKey ::= SEQUENCE { INTEGER 1, OCTET STRING (32 bytes), [0] OID prime256v1 }.
# The public key may be left out: it follows from the private one.
_HEAD = bytes.fromhex("3031 020101 0420")
_TAIL = bytes.fromhex("a00a 0608 2a8648ce3d030107")


def private_key() -> str:
    """Return a new P-256 private key as PEM, for service account tokens."""
    scalar = 1 + secrets.randbelow(_P256_ORDER - 1)
    encoded = base64.encodebytes(_HEAD + scalar.to_bytes(32, "big") + _TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{encoded}-----END EC PRIVATE KEY-----\n"


def token_file(tokens: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> str:
    """Return the text of a static token file: ``tokens`` and ``groups`` by user; the user is its own uid."""
    return "".join(f'{token},{user},{user},"{",".join(groups[user])}"\n' for user, token in tokens.items())


def kubeconfig(*, url: str, token: str, ca: bytes) -> dict[str, object]:
    """Return a kubeconfig for one user of the server at ``url``, whose certificate ``ca`` (PEM) vouches for."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
