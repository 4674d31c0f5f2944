"""The options that say which cluster, and which namespace of it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Context: TypeAlias = Annotated[
    str, typer.Option("--context", metavar="NAME", help="The context of the kubeconfig; by default its current one.")
]
Kubeconfig: TypeAlias = Annotated[
    str,
    typer.Option("--kubeconfig", metavar="FILE", help="By default KUBECONFIG's, a Pod's own, or ~/.kube/config."),
]
Namespace: TypeAlias = Annotated[
    str | None, typer.Option("-n", "--namespace", metavar="NAME", help="The namespace; by default the context's.")
]
AllNamespaces: TypeAlias = Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")]
Selector: TypeAlias = Annotated[
    str, typer.Option("-l", "--selector", metavar="LABELS", help="Those with such labels, as app=web,tier!=db.")
]
Guests: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="[vm] NAME...", help="Guests: web-1, vm web-1 or vm/web-1.")
]
