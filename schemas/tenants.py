"""What tenants may say, as ValidatingAdmissionPolicies: made of ``tenants.yaml``, the tables and the structs.

``tenants.yaml`` lists what is harmless; all else is refused, also what a later grammar brings. The policies compute the
keys and values that are refused, so that a message names them. On an update what stays as it was is not looked at: each
key of a map marked ``$parts`` by itself, each entry of a list by itself.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import msgspec
import yaml

from schemas.api.common import GROUP, Kind, Struct
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schemas.table import Table, Type

PATH: Final = Path(__file__).parent / "tenants.yaml"

TRUSTED: Final = "kubevmm.io/trusted"
"""The label of namespaces whose objects may name what is the nodes'."""

USES: Final = "kubevmm.io/uses"
"""The annotation of a namespace that lists further namespaces whose networks, pools and images it may use."""

OPEN: Final = "kubevmm-system"
"""The namespace whose networks, pools and images everybody may use."""

VERB: Final = "usehost"

CONTROLLER: Final = "system:serviceaccount:kubevmm-system:kubevmm-controller"
"""Makes guests from the templates of replica sets, which were looked at when somebody wrote them."""

_OWN, _SHARED, _WITHOUT, _ANY, _PARTS, _NEEDS, _HINT, _NONE, _MOST = (
    "$own", "$shared", "$without", "$any", "$parts", "$needs", "$hint", "$none", "$most",
)  # fmt: skip
_ELSE: Final = f"(whoever has the verb {VERB} on virtualmachines may, or a namespace labelled {TRUSTED}=true)"
_USUAL: Final = "not known to be harmless to its node"

Rule = dict[str, Any]
Places = dict[str, "Place"]


@dataclass(frozen=True)
class Place:
    """What is at a key: one or ``many``, and by ``inner`` the keys below, None where that is no map."""

    many: bool
    inner: Callable[[], Places] | None


@dataclass(frozen=True)
class _Unit:
    """What is checked, and told, by itself: the expressions of what is now and what was, and of what is refused."""

    path: str
    variable: str
    hint: str
    refused: str


def load() -> dict[str, Rule]:
    """Return the rules by kind. Raises InputError."""
    rules = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return {kind: rule for kind, rule in rules.items() if not kind.startswith("$")}


def policies(table: Table, kinds: tuple[Kind, ...], rules: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """Return a policy and its binding for each of *kinds* that *rules* has. Raises InputError for rules of no key."""
    out = []
    for kind in kinds:
        if kind.name in rules:
            writer = _Writer(kind.name)
            writer.part(rules[kind.name], _own(kind.spec, table), "spec", "")
            out += [_policy(kind, writer), _binding(kind)]
    return out


class _Writer:
    """Collects the variables and units of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.variables: dict[str, str] = {}
        self.units: list[_Unit] = []

    def part(self, rule: Rule, places: Places, path: str, above: str) -> None:
        """Add the map at *path*, whose keys count one by one; *above* is the variable of the map that holds it."""
        name = path.replace(".", "_")
        key = path.rpartition(".")[2]
        if above:
            self.variables[name] = _get(f"variables.{above}", key)
            self.variables[f"was_{name}"] = _get(f"variables.was_{above}", key)
        else:
            self.variables[name] = "dyn(has(object.spec) ? object.spec : {})"
            self.variables[f"was_{name}"] = "dyn(oldObject != null && has(oldObject.spec) ? oldObject.spec : {})"
        now, was = f"variables.{name}", f"variables.was_{name}"
        apart = {each for each, inner in _rules(rule) if isinstance(inner, dict) and {_PARTS, _HINT} & inner.keys()}
        refused = self._map({k: v for k, v in rule.items() if k not in apart}, places, now, was, "", path, apart)
        if rule.get(_NONE):
            refused = ["['all of it']"]
        for each in rule.get(_NEEDS, ()):
            missing = f"!('{each}' in {now}) && (oldObject == null || '{each}' in {was})"
            refused.append(f"({missing} ? ['{each} is missing'] : [])")
        self._unit(path, rule, refused)
        for each in sorted(apart):
            inner, place = rule[each], self._place(places, each, path)
            below = f"{path}.{each}"
            if inner.get(_PARTS):
                self.part(inner, _inside(place), below, name)
            else:
                self._unit(below, inner, [self._child(inner, place, each, now, was, "", below)])

    def _unit(self, path: str, rule: Rule, refused: list[str]) -> None:
        variable = "refused_" + path.replace(".", "_")
        self.variables[variable] = "\n+ ".join(refused)
        self.units.append(_Unit(path, variable, " ".join(str(rule.get(_HINT, _USUAL)).split()), variable))

    def _map(
        self, rule: Rule, places: Places, now: str, was: str, prefix: str, path: str, apart: set[str] | None = None
    ) -> list[str]:
        """Return expressions of what *rule* refuses of the map *now*; *was* is what it was, empty if nobody asks."""
        for key in rule.get(_ANY, ()):
            if _is_native(self._place(places, key, path)):
                raise InputError(f"{self._kind}: {path}.{key} holds a map: list its keys", file=str(PATH))
        known = [*rule.get(_ANY, ()), *(key for key, _ in _rules(rule)), *(apart or ())]
        same = f" && !(key in {was} && {was}[key] == {now}[key])" if was else ""
        out = [f"{now}.map(key, !(key in {_list(sorted(known))}){same}, '{prefix}' + key)"]
        for key, inner in _rules(rule):
            place = self._place(places, key, path)
            out.append(self._child(inner, place, key, now, was, prefix + key, f"{path}.{key}"))
        return out

    def _child(self, rule: Any, place: Place, key: str, now: str, was: str, prefix: str, path: str) -> str:
        value, old = f"{now}['{key}']", f"{was}['{key}']"
        there = f"'{key}' in {now}"
        if was:
            there += f" && !('{key}' in {was} && {old} == {value})"
        dot = f"{prefix}." if prefix else ""
        if rule == _OWN:
            return f"({there} && !{value}.startsWith(request.namespace + '_') ? ['{prefix}: ' + {value}] : [])"
        if rule == _SHARED:
            return self._shared(place, there, value, prefix)
        if isinstance(rule, list):
            text = f"['{prefix}: ' + string({value})]"
            return f"({there} && !({value} in {_list(rule)}) ? {text} : [])"
        if _WITHOUT in rule:
            return f"({there} && {value}.contains('{rule[_WITHOUT]}') ? ['{prefix} with {rule[_WITHOUT]}'] : [])"
        if _MOST in rule and not place.many:
            text = f"['{prefix}: ' + string({value})]"
            return f"({there} && {value} > {rule[_MOST]} ? {text} : [])"
        if place.inner is None:
            raise InputError(f"{self._kind}: {path} holds no map", file=str(PATH))
        if not place.many:
            inner = self._map(rule, place.inner(), value, "", dot, path)
            return f"({there} ? {' + '.join(inner)} : [])"
        each = f"e{path.count('.')}"
        entries = f"{value}.filter({each}, !('{key}' in {was} && {each} in {old}))" if was else value
        inner = self._map(rule, place.inner(), each, "", dot, path)
        said = f"{entries}.map({each}, ({' + '.join(inner)}).join(', ')).filter(said, said != '')"
        found = f"('{key}' in {now} ? {said} : [])"
        if _MOST in rule:
            found += f" + ({there} && {value}.size() > {rule[_MOST]} ? ['more than {rule[_MOST]} {prefix}'] : [])"
        return found

    @staticmethod
    def _shared(place: Place, there: str, value: str, prefix: str) -> str:
        if place.many:
            foreign = "'namespace' in each && !(each['namespace'] in variables.open)"
            said = f"'{prefix}.namespace: ' + each['namespace']"
            return f"({there} ? {value}.map(each, {foreign}, {said}) : [])"
        foreign = f"'namespace' in {value} && !({value}['namespace'] in variables.open)"
        return f"({there} && {foreign} ? ['{prefix}.namespace: ' + {value}['namespace']] : [])"

    def _place(self, places: Places, key: str, path: str) -> Place:
        if key not in places:
            raise InputError(f"{self._kind}: {path} has no {key}", file=str(PATH))
        return places[key]


def _rules(rule: Rule) -> Iterator[tuple[str, Any]]:
    return ((key, inner) for key, inner in rule.items() if not key.startswith("$"))


def _get(where: str, key: str) -> str:
    return f"'{key}' in {where} ? {where}['{key}'] : dyn({{}})"


def _list(values: list[Any]) -> str:
    return "[" + ", ".join(_literal(each) for each in values) + "]"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"'{value}'"


def _inside(place: Place) -> Places:
    return place.inner() if place.inner is not None else {}


class _Native:
    """The keys below an element of the tables; told from our own, since none of them may be taken whole."""

    def __init__(self, kind: Type) -> None:
        self._kind = kind

    def __call__(self) -> Places:
        found = {}
        for key, field in self._kind.by_key.items():
            found[key] = Place(field.many, _Native(field.type) if field.value == "map" else None)
        return found


def _is_native(place: Place) -> bool:
    return isinstance(place.inner, _Native)


def _own(kind: type[Struct], table: Table) -> Places:
    """Return the keys of the struct *kind*."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.encode_name: _hinted(hints[field.name], table) for field in msgspec.structs.fields(kind)}


def _hinted(hint: Any, table: Table) -> Place:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        for meta in arguments[1:]:
            if "native" in (meta.extra_json_schema or {}):
                return Place(many=False, inner=_Native(table.roots[meta.extra_json_schema["native"]].type))
        return _hinted(arguments[0], table)
    if origin is list:
        return Place(many=True, inner=_hinted(arguments[0], table).inner)
    if NoneType in arguments:
        return _hinted(next(each for each in arguments if each is not NoneType), table)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return Place(many=False, inner=lambda: _own(hint, table))
    return Place(many=False, inner=None)


def _policy(kind: Kind, writer: _Writer) -> dict[str, Any]:
    variables = [
        {
            "name": "open",
            "expression": f"['{OPEN}', request.namespace]\n"
            f"+ namespaceObject.metadata.?annotations[?'{USES}'].orValue('').split(',').map(each, each.trim())",
        },
        *({"name": name, "expression": expression} for name, expression in writer.variables.items()),
    ]
    validations = [
        {
            "expression": f"variables.{unit.variable}.size() == 0",
            "messageExpression": f"'{unit.path}: ' + variables.{unit.variable}.join('; ') + {_text(': ' + unit.hint)}",
            "message": f"{unit.path}: {unit.hint} {_ELSE}",
            "reason": "Forbidden",
        }
        for unit in writer.units
    ]
    allowed = f"authorizer.group('{GROUP}').resource('virtualmachines').namespace(request.namespace).check('{VERB}')"
    made = (
        f"request.userInfo.username == '{CONTROLLER}' && has(object.metadata.ownerReferences)\n"
        "&& object.metadata.ownerReferences.exists(each, each.kind == 'VirtualMachineReplicaSet'"
        " && has(each.controller) && each.controller)"
    )
    changed = "oldObject == null || !has(oldObject.spec) || !has(object.spec) || oldObject.spec != object.spec"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(kind),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        # Of all that may come; and kube-controller-manager checks expressions against the types of
                        # versions that are named, which takes minutes of a core here (cel-go's checker is quadratic).
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"],
                        # The server fills it in, and a second apply would take it out again.
                        "scope": "*",
                        "resources": [kind.plural],
                    }
                ]
            },
            "matchConditions": [
                {"name": "not-made-from-a-template", "expression": f"!({made})"},
                {"name": "changed-by-a-tenant", "expression": f"({changed})\n&& !{allowed}.allowed()"},
            ],
            "variables": variables,
            "validations": validations,
        },
    }


def _text(said: str) -> str:
    return "'" + f"{said} {_ELSE}".replace("\\", "\\\\").replace("'", "\\'") + "'"


def _binding(kind: Kind) -> dict[str, Any]:
    untrusted = {"key": TRUSTED, "operator": "NotIn", "values": ["true"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(kind),
        "spec": {
            "policyName": f"kubevmm-tenants-{kind.plural}",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchExpressions": [untrusted]}},
        },
    }


def _metadata(kind: Kind) -> dict[str, Any]:
    return {"name": f"kubevmm-tenants-{kind.plural}", "labels": {"app.kubernetes.io/name": "kubevmm"}}
