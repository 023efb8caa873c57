"""Text that every machine has: the sources of Python's own standard library.

Files are taken in the order of their names, every tenth (by a checksum of its name) is held out for
validation, and characters outside printable ASCII become question marks.
"""

from __future__ import annotations

import functools
import sysconfig
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

SYMBOLS = "\n" + "".join(map(chr, range(32, 127)))
VOCABULARY = len(SYMBOLS)

# Third-party code, tests and tables of constants: not the library's own prose and code.
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "encodings", "pydoc_data", "lib2to3"}
_TABLE = bytes(SYMBOLS.find(chr(i) if chr(i) in SYMBOLS else "?") for i in range(256))


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as indices below ``VOCABULARY``.

    Parameters
    ----------
    train, validation
        One-dimensional ``uint8`` tensors.
    source
        Where the text came from.
    """

    train: Tensor
    validation: Tensor
    source: str


@functools.lru_cache(maxsize=4)
def load_text(path: str | None = None) -> Text:
    """Read a text file or every ``.py``, ``.txt``, ``.md`` and ``.rst`` file under a folder.

    Parameters
    ----------
    path
        A file or a folder; ``None`` is the standard library of this interpreter.

    Raises
    ------
    ValueError
        There is not enough text: under 100,000 characters.
    """
    root = Path(path or sysconfig.get_paths()["stdlib"])
    train, validation = bytearray(), bytearray()
    if root.is_file():
        whole = root.read_bytes()
        cut = len(whole) * 9 // 10
        train, validation = bytearray(whole[:cut]), bytearray(whole[cut:])
    else:
        for file in _files(root, sources_only=path is None):
            name = file.relative_to(root).as_posix()
            part = validation if zlib.crc32(name.encode()) % 10 == 0 else train
            part += file.read_bytes()
    if len(train) + len(validation) < 100_000 or not validation:
        raise ValueError(
            f"{root} holds {len(train) + len(validation):,} characters of text; "
            "training needs 100,000 or more, in several files or in one"
        )
    return Text(_encode(train), _encode(validation), str(root))


def _files(root: Path, sources_only: bool) -> Iterator[Path]:
    """Text files under ``root``, in the order of their names."""
    endings = {".py"} if sources_only else {".py", ".txt", ".md", ".rst"}
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        if file.suffix in endings and not SKIPPED.intersection(parts[:-1]) and file.is_file():
            yield file


def _encode(text: bytearray) -> Tensor:
    return torch.frombuffer(bytearray(text.translate(_TABLE)), dtype=torch.uint8)
