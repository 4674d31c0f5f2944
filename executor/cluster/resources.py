"""The kinds of ours, as the API server knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analyser.names import GROUP
from executor.engine.objects import KINDS
from kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

_GROUP, _, _VERSION = GROUP.partition("/")

RESOURCES: Final[Mapping[str, Resource]] = {
    kind.name: Resource(_GROUP, _VERSION, kind.name, kind.plural, kind.namespaced) for kind in KINDS
}
SECRETS: Final = Resource("", "v1", "Secret", "secrets")
