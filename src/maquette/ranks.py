"""The ranks of a trial that runs as many processes: what the first one decides, all of them get.

A function that uses torch.distributed has imported and initialised it by itself; torch is looked up
here among the modules that are loaded, and never imported. Without it there is one rank.

References: PyTorch documentation, "Distributed communication package - torch.distributed".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from maquette.errors import ObjectiveError


def rank() -> int:
    """Return which rank this process is; 0 where there are no others."""
    group = _group()
    return 0 if group is None else int(group.get_rank())


def from_first(make: Callable[[], Any]) -> Any:
    """Return on every rank what `make` returns on the first; it is not called on the others.

    Parameters
    ----------
    make
        Returns a JSON value.

    Raises
    ------
    ObjectiveError
        On the other ranks, if `make` raises on the first, where its own error passes.
    """
    group = _group()
    if group is None:
        return make()
    if group.get_rank() != 0:
        message = json.loads(_broadcast(group, b""))
        if "error" in message:
            raise ObjectiveError(f"the first rank failed: {message['error']}")
        return message["value"]
    try:
        value = make()
    except Exception as error:
        # The others wait, and would wait for as long as their process group lets them.
        _broadcast(group, json.dumps({"error": str(error)}).encode())
        raise
    _broadcast(group, json.dumps({"value": value}).encode())
    return value


def together() -> None:
    """Wait until every rank has come here."""
    group = _group()
    if group is not None:
        # Not barrier(), which guesses a device where NCCL is the backend.
        arrived = sys.modules["torch"].ones(1, device=_device(group))
        group.all_reduce(arrived)
        arrived.item()


def _group() -> Any:
    """Return torch.distributed where it is in use by several ranks, else None."""
    module = sys.modules.get("torch.distributed")
    if module is None or not module.is_available() or not module.is_initialized():
        return None
    return module if module.get_world_size() > 1 else None


def _broadcast(group: Any, data: bytes) -> bytes:
    """Return the first rank's data on every rank."""
    torch = sys.modules["torch"]
    device = _device(group)
    size = torch.tensor([len(data)], dtype=torch.int64, device=device)
    group.broadcast(size, src=0)
    length = int(size.item())
    if length == 0:
        return b""
    buffer = torch.zeros(length, dtype=torch.uint8, device=device)
    if data:
        buffer.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    group.broadcast(buffer, src=0)
    return bytes(buffer.cpu().tolist())


def _device(group: Any) -> str:
    """Return where tensors must lie to be sent: on the CPU if a backend serves it.

    A backend's configuration reads ``cpu:gloo,cuda:nccl``; NCCL knows no CPU.
    """
    pairs = [pair.partition(":") for pair in str(group.get_backend_config()).split(",")]
    served = [device for device, _, backend in pairs if (device, backend) != ("cpu", "nccl")]
    return "cpu" if "cpu" in served or not served else served[0]
