"""Label selectors: whether labels fit one, and one as the text that the API takes in a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_OPERATORS: Final[Mapping[str, Callable[[str | None, Collection[str]], bool]]] = {
    "In": lambda value, values: value in values,
    # As Kubernetes has it: what has no such label is not in the set either.
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether *labels* fit the LabelSelector *selector*; one that asks nothing selects nothing.

    >>> selects({"matchLabels": {"app": "web"}}, {"app": "web", "tier": "1"}), selects({}, {"app": "web"})
    (True, False)
    """
    exact, others = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    if not exact and not others:
        return False
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        each["operator"] in _OPERATORS
        and _OPERATORS[each["operator"]](labels.get(each["key"]), each.get("values") or ())
        for each in others
    )


def text(selector: Mapping[str, Any]) -> str:
    """Return the LabelSelector *selector* as a query has it.

    >>> text({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]})
    'app=web,!old'
    """
    out = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], ",".join(sorted(each.get("values") or ()))
        said = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        out.append(said.get(each["operator"], f"{key} {each['operator']}"))
    return ",".join(out)
