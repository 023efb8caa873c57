"""Network file systems, on which SQLite's locks and shared memory cannot be relied upon."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from maquette.errors import StoreError

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afs|ncpfs|ceph|glusterfs|lustre|gpfs|beegfs|wekafs|pvfs2|orangefs|"
    r"fuse\.(sshfs|s3fs|gcsfuse|glusterfs|ceph(-fuse)?|rclone|goofys|juicefs|blobfuse2?|davfs2?)"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def filesystem(path: Path) -> str:
    """Return the type of the file system that holds `path`; empty where it cannot be told."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return type_in(mounts, path.resolve())


def type_in(mounts: str, path: Path) -> str:
    """Return the type of the innermost mount that holds `path`, read from a mount table."""
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_ESCAPE.sub(lambda m: chr(int(m[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return found


def refuse_network(path: Path, url: str, filesystem: Callable[[Path], str] = filesystem) -> None:
    """Raise StoreError if `path` lies on a network file system."""
    kind = filesystem(path)
    if _NETWORK.fullmatch(kind):
        raise StoreError(
            f"{url} lies on a network file system ({kind}), where SQLite loses or damages data",
            hint="put the file on a local disk (for example /tmp or $TMPDIR), "
            "or use a server: postgresql://user@host/database",
        )
