"""Which kind of objects, and where the API server keeps them."""

from __future__ import annotations

from urllib.parse import quote

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """A kind and its place in the API, as in ``Resource("apps", "v1", "Deployment", "deployments")``.

    The core group is "".
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return ``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL's path of an object, of a namespace's objects, or of all of them.

        Names are quoted, so that none of them can point elsewhere.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(_segment(part) for part in parts)


def _segment(text: str) -> str:
    if text in {".", ".."}:
        raise ValueError(f"{text!r} is no name")
    return quote(text, safe="")


# What this package itself reads and writes.
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
EVENTS = Resource("events.k8s.io", "v1", "Event", "events")
