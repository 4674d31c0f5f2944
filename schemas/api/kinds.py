"""All kinds of the API, in the order in which they are installed and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.api import (
    virtualmachine,
    virtualmachinedisk,
    virtualmachineimage,
    virtualmachinenetwork,
    virtualmachinenode,
    virtualmachineoperation,
    virtualmachinereplicaset,
    virtualmachinesnapshot,
    virtualmachinestoragepool,
)

if TYPE_CHECKING:
    from schemas.api.common import Kind

KINDS: tuple[Kind, ...] = (
    virtualmachine.KIND,
    virtualmachinedisk.KIND,
    virtualmachineimage.KIND,
    virtualmachinesnapshot.KIND,
    virtualmachinenetwork.KIND,
    virtualmachinestoragepool.KIND,
    virtualmachineoperation.KIND,
    virtualmachinenode.KIND,
    virtualmachinereplicaset.KIND,
)
