"""VirtualMachineImage: a disk image brought into pools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from schemas.api.common import (
    AGE,
    NAME,
    READY,
    Column,
    Conditions,
    DeletionPolicy,
    Kind,
    NodeName,
    NodeSelector,
    ObservedGeneration,
    Quantity,
    Reference,
    Rule,
    SharedReference,
    Struct,
    Time,
    doc,
    list_map,
    native,
)


class ConfigMapKey(Struct):
    """One key of a ConfigMap."""

    needed = ("name", "key")

    name: Annotated[str, doc("Name of the ConfigMap.", maxLength=NAME)]
    key: Annotated[str, doc("Key in its data.", maxLength=NAME)]


class HTTPSource(Struct):
    """A file on a web server."""

    needed = ("url",)

    url: Annotated[str, doc("Where to get it: http or https.", maxLength=2048)]
    secret_ref: Annotated[Reference | None, doc("A Secret with username and password, or token.")] = None
    ca_ref: Annotated[ConfigMapKey | None, doc("The certificates, as PEM, to trust in place of the system's.")] = None


class RegistrySource(Struct):
    """An image in a container registry whose layers hold the file, as KubeVirt's container disks."""

    needed = ("image",)

    image: Annotated[str, doc("Name with a tag or digest.", maxLength=1024)]
    path: Annotated[str | None, doc("The file inside it; without one, the only file below /disk.", maxLength=1024)] = (
        None
    )
    secret_ref: Annotated[Reference | None, doc("A Secret of type kubernetes.io/dockerconfigjson.")] = None


class FileSource(Struct):
    """A file that is already on the nodes."""

    needed = ("path",)

    path: Annotated[
        str, doc("Absolute path on the node, below a folder that the node's administrator allows.", maxLength=4096)
    ]


class Upload(Struct):
    """Nothing yet: `virtctl image upload` brings it."""


class ImageSource(Struct):
    """Where the image comes from; one of these."""

    rules = (
        Rule(
            "[has(self.http), has(self.registry), has(self.file), has(self.upload), has(self.diskRef)]"
            ".filter(given, given).size() == 1",
            "give exactly one of http, registry, file, upload and diskRef",
        ),
    )

    http: Annotated[HTTPSource | None, doc("A file on a web server.")] = None
    registry: Annotated[RegistrySource | None, doc("A file in a container registry's image.")] = None
    file: Annotated[FileSource | None, doc("A file that is already on the nodes.")] = None
    upload: Annotated[Upload | None, doc("A file that a person uploads.")] = None
    disk_ref: Annotated[Reference | None, doc("A VirtualMachineDisk, copied as it is at that time.")] = None


class ImageFormat(StrEnum):
    """Formats that images come in."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VMDK = "vmdk"
    VDI = "vdi"
    VHDX = "vhdx"


class VirtualMachineImageSpec(Struct):
    """Which image, from where, and to which pools it goes."""

    rules = (
        Rule(
            "!has(oldSelf.source) || (has(self.source) && self.source == oldSelf.source)",
            "source cannot change: disks may be based on the image; make another VirtualMachineImage",
        ),
    )

    source: Annotated[
        ImageSource | None, doc("Where the image comes from; without one, the volume must be there already.")
    ] = None
    checksum: Annotated[
        str | None,
        doc(
            "Digest that the file must have, such as sha256: and 64 hexadecimal digits.",
            pattern="^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$",
            maxLength=160,
        ),
    ] = None
    format: Annotated[
        ImageFormat | None, doc("Format of the file; found out unless given, but raw is never guessed.")
    ] = None
    pool_refs: Annotated[
        list[SharedReference] | None,
        doc("The VirtualMachineStoragePools that get it; without any, those that a disk needs it in."),
    ] = None
    node_selector: Annotated[NodeSelector | None, doc("Labels of the nodes whose pools get it.")] = None
    architecture: Annotated[str | None, doc("Processor that the image is for, such as x86_64.", maxLength=64)] = None
    os: Annotated[
        str | None, doc("Operating system in it, as libosinfo's short name, such as debian13.", maxLength=253)
    ] = None
    volume: Annotated[
        dict[str, Any] | None,
        native(
            "The volumes that it becomes: libvirt's storage volume, one to one (libvirt.org/formatstorage.html).",
            "volume",
        ),
    ] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc("Deleting this object deletes the copies in the pools (Delete, the default) or leaves them (Retain)."),
    ] = None


class ImageCopy(Struct):
    """The image in one pool of one node."""

    needed = ("nodeName", "pool")

    pool: Annotated[
        str,
        doc("Name of the VirtualMachineStoragePool; with its namespace and a slash before it where that is another."),
    ]
    node_name: Annotated[NodeName, doc("The node.")]
    desired: Annotated[bool | None, doc("Whether the node should bring it there, as the controller says.")] = None
    observed_generation: Annotated[
        int | None, doc("The metadata.generation that the node acted on last.", minimum=0)
    ] = None
    state: Annotated[str | None, doc("Pending, Downloading, Converting, Ready or Failed.")] = None
    path: Annotated[str | None, doc("Where it is on the node.")] = None
    format: Annotated[str | None, doc("Its format there.")] = None
    size: Annotated[Quantity | None, doc("Size of the file that it was made from.")] = None
    virtual_size: Annotated[Quantity | None, doc("Size that a guest sees.")] = None
    checksum: Annotated[str | None, doc("SHA-256 digest of the file, as this node got it.")] = None
    completion_time: Annotated[Time | None, doc("When it was ready.")] = None
    progress_percent: Annotated[int | None, doc("How far it is.")] = None
    message: Annotated[str | None, doc("What went wrong, if anything.")] = None


class VirtualMachineImageStatus(Struct):
    """Where the image is."""

    observed_generation: ObservedGeneration = None
    phase: Annotated[str | None, doc("Pending, Downloading, Ready, Failed or Terminating.")] = None
    format: Annotated[str | None, doc("Format of the copies.")] = None
    size: Annotated[Quantity | None, doc("Size of the file.")] = None
    virtual_size: Annotated[
        Quantity | None, doc("Size that a guest sees: the least that a disk made from it can have.")
    ] = None
    checksum: Annotated[str | None, doc("Digest of the file as it was got.")] = None
    completion_time: Annotated[Time | None, doc("When the last copy was ready.")] = None
    copies: Annotated[
        list[ImageCopy] | None, list_map("The copies, one for each pool and node.", "nodeName", "pool")
    ] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineImage",
    plural="virtualmachineimages",
    short="vmimage",
    description="A disk image brought into pools.",
    spec=VirtualMachineImageSpec,
    status=VirtualMachineImageStatus,
    columns=(
        AGE,
        Column("Phase", ".status.phase"),
        READY,
        Column("Size", ".status.virtualSize"),
        Column("Format", ".status.format", wide=True),
        Column("OS", ".spec.os", wide=True),
    ),
    selectable=(".status.phase",),
)
