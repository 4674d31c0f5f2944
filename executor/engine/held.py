"""What a person did by hand against a guest's runStrategy, so that nobody undoes it at once.

``virtctl stop`` of a guest that should always run, and ``virtctl start`` of a halted one, leave an element of ours in
the domain's metadata. It holds for as long as the object says the same runStrategy, as a service that was stopped by
hand stays down for systemd though it says Restart=always.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from executor.hypervisor.errors import Unsupported
from executor.hypervisor.handle import Affect
from executor.plan import foreign

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain

URI: Final = f"{foreign.OURS}held/1"
KEY: Final = "kubevmm-held"

Power = Literal["on", "off"]

# runStrategy, and the power that goes against it.
_AGAINST: Final[dict[str, Power]] = {"Always": "off", "Halted": "on"}


def held(domain: Domain, strategy: str) -> str:
    """Return ``on`` or ``off`` where a person wants *domain* so against its *strategy*; empty where nobody does."""
    against = _AGAINST.get(strategy)
    text = domain.metadata(URI) if against is not None else None
    return against if against is not None and text is not None and _strategy(text) == strategy else ""


def stays_off(domain: Domain) -> bool:
    """Say whether a person stopped *domain* against its runStrategy."""
    try:
        text = domain.metadata(URI)
    except Unsupported:
        return False
    return text is not None and _AGAINST.get(_strategy(text)) == "off"


def hold(domain: Domain, strategy: str, power: Power) -> str:
    """Note that a person wants *domain* on or off; return what that goes against in words, empty for nothing."""
    if _AGAINST.get(strategy) != power:
        release(domain)
        return ""
    if held(domain, strategy) != power:
        from lxml import etree  # noqa: PLC0415  (what lists guests parses nothing)

        _set(domain, etree.tostring(etree.Element("held", {"strategy": strategy}), encoding="unicode"))
    return f"its runStrategy is {strategy}"


def release(domain: Domain) -> bool:
    """Forget what a person wanted; return whether there was anything."""
    if domain.metadata(URI) is None:
        return False
    _set(domain, None)
    return True


def _strategy(text: str) -> str:
    found = re.search(r"\bstrategy=[\"'](\w+)[\"']", text)
    return found[1] if found else ""


def _set(domain: Domain, xml: str | None) -> None:
    affect = Affect.LIVE if domain.active else Affect.CURRENT
    if domain.persistent:
        affect |= Affect.CONFIG
    domain.set_metadata(xml, namespace=URI, prefix=KEY, affect=affect)
