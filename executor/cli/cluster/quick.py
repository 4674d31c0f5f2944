"""aiohttp, imported without the machine's certificate authorities: to read those takes longer than most commands run.

aiohttp makes TLS contexts with them as it is imported. They are of no use here: a session has one of its cluster,
which is made of the kubeconfig's authority, or else of the machine's when there is a need.
"""

from __future__ import annotations

import os
from typing import Final

_NAMED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_before = {name: os.environ.get(name) for name in _NAMED}
os.environ.update(dict.fromkeys(_NAMED, os.devnull))
try:
    import aiohttp
finally:
    for name, value in _before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value

__all__ = ["aiohttp"]
