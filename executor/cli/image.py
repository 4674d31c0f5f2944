"""`virtctl image`: disk images brought into pools, from a file, standard input, the web, or a disk."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeAlias

import typer

from executor.cli import messages
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.engine.source import Declared

app = typer.Typer(name="image", help="Bring disk images into storage pools.", no_args_is_help=True)

Pools: TypeAlias = Annotated[
    list[str] | None, typer.Option("--pool", metavar="POOL", help="The pool that gets it; repeatable.")
]
Checksum: TypeAlias = Annotated[
    str | None, typer.Option("--checksum", metavar="sha256:HEX|sha512:HEX", help="What the file must have.")
]
Format: TypeAlias = Annotated[
    str | None, typer.Option("--format", help="qcow2, vmdk, vdi or raw; raw is never guessed, so say it.")
]


@app.command("upload", no_args_is_help=True)
def upload(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The image's name.")],
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for standard input.")],
    *,
    pool: Pools = None,
    checksum: Checksum = None,
    form: Format = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Bring a file into pools, as the image NAME.

    Where that was applied with `source: {upload: {}}`, and waits for its file, its spec says which pools. The file's
    header is checked first: one that names other files, is not what it is said to be, or has another checksum is
    refused, and nothing is changed. What came only in part is never seen under the image's name.

    \b
    Examples:
      virtctl image upload debian-13 debian-13.qcow2 --pool images
      curl -sL https://example.org/it.qcow2 | virtctl image upload it - --pool images
      virtctl image upload tools tools.iso --format raw --pool images
    """
    from executor.storage.localfile import open_plain

    source: BinaryIO = sys.stdin.buffer if file == "-" else open_plain(file)
    try:
        _bring(name, {"upload": {}}, source, pool, checksum, form, namespace, connect)
    finally:
        if file != "-":
            source.close()


@app.command("import", no_args_is_help=True)
def import_image(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The image's name.")],
    source: Annotated[
        str, typer.Argument(metavar="URL|PATH|vmdisk/NAME", help="http(s)://..., a file of the node, or a disk.")
    ],
    *,
    pool: Pools = None,
    checksum: Checksum = None,
    form: Format = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Get an image from the web, a folder of the node that images may come from, or a disk.

    The same as applying a VirtualMachineImage with that source. What breaks off is taken up again where it stopped, by
    the next try too, where the server says that the file is still the same one. KUBEVMM_IMAGE_FOLDERS names the
    folders, /var/lib/libvirt/images and /var/lib/kubevmm/images unless set.

    \b
    Examples:
      virtctl image import debian-13 https://example.org/debian-13.qcow2 --checksum sha512:... --pool images
      virtctl image import golden vmdisk/web-1-root --pool images
    """
    short, slash, disk = source.partition("/")
    if "://" in source:
        wanted: dict[str, Any] = {"http": {"url": source}}
    elif source.startswith("/"):
        wanted = {"file": {"path": source}}
    elif slash and short.lower() in ("vmdisk", "vmdisks", "virtualmachinedisk", "virtualmachinedisks") and disk:
        wanted = {"diskRef": {"name": disk}}
    else:
        raise typer.BadParameter(f"{source}: neither a URL, nor an absolute path, nor vmdisk/NAME")
    _bring(name, wanted, None, pool, checksum, form, namespace, connect)


def _bring(
    name: str,
    source: dict[str, Any],
    content: BinaryIO | None,
    pools: list[str] | None,
    checksum: str | None,
    form: str | None,
    namespace: str | None,
    connect: str,
) -> None:
    from executor.cli.progress import Bar
    from executor.engine import images, kept
    from executor.engine.source import Declarations, Declared

    declared = _declared(name, source, pools, checksum, form, namespace)
    with hypervisor_at(connect) as hypervisor, Bar(name) as told:
        waiting = kept.noted(hypervisor, declared.ref) if content is not None else None
        if waiting is not None and "upload" in ((waiting.object.get("spec") or {}).get("source") or {}):
            given = declared.object["spec"]
            spec = {**waiting.object["spec"], **{key: given[key] for key in given if key != "source"}}
            declared = Declared(declared.ref, {**waiting.object, "spec": spec}, declared.file)
        elif not pools:
            raise KubevmmError(f"{declared.ref}: which pools is it for?", hint="name them with --pool")
        result = images.apply(hypervisor, declared, Declarations([declared]), content=content, progress=told)
    typer.echo(f"{declared.ref} {result.outcome}")
    for note in result.notes:
        messages.note(f"{declared.ref}: {note}")


def _declared(
    name: str,
    source: dict[str, Any],
    pools: list[str] | None,
    checksum: str | None,
    form: str | None,
    namespace: str | None,
) -> Declared:
    from analyser.names import GROUP, object_name
    from executor.engine.objects import ref_of
    from executor.engine.source import Declared

    if object_name(name) != name:
        raise KubevmmError(f"{name} cannot be an image's name", hint=f"such as {object_name(name) or 'debian-13'}")
    spec: dict[str, Any] = {"source": source}
    if pools:
        spec["poolRefs"] = [{"name": each} for each in pools]
    if checksum:
        spec["checksum"] = checksum
    if form:
        spec["format"] = form
    metadata = {"name": name, "namespace": namespace or DEFAULT_NAMESPACE}
    obj = {"apiVersion": GROUP, "kind": "VirtualMachineImage", "metadata": metadata, "spec": spec}
    return Declared(ref_of(obj), obj, "virtctl image")
