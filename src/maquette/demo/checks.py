"""What can be wrong before anything runs: no PyTorch, no text, nowhere to write."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path

from maquette.errors import DataError, MaquetteError, StoreError

PEEK = 1 << 16  # bytes read to see whether a file is text


def need_torch() -> None:
    """Raise MaquetteError where PyTorch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise MaquetteError(
            "the demo trains real networks and needs PyTorch, which is not installed",
            hint="pip install 'maquette[torch]', or see one recipe without it: maquette transfer",
        )


def open_folder(out: Path) -> Path:
    """Make the folder that the demo writes to, and see that it can be written.

    Raises
    ------
    StoreError
        If it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"the demo cannot write to {out}: {error.strerror or error}",
            hint="choose another folder with --out",
        ) from None
    return out.resolve()


def check_text(text: Path | None) -> str | None:
    """Return the text's path as the data reader takes it, having read it once.

    Raises
    ------
    DataError
        If there is no such file or folder, it cannot be read, it is not text, or it is short.
    """
    path = None if text is None else Path(text).expanduser().resolve()
    if path is not None:
        _refuse_binary(path)
    from maquette.bench.live.char_transformer.data import load_text

    try:
        load_text(None if path is None else str(path))
    except ValueError as error:
        raise DataError(
            f"text: {error}", hint="give a longer text, or leave it out: Python's own sources"
        ) from None
    except OSError as error:
        raise DataError(f"text: {path} cannot be read: {error.strerror or error}") from None
    return None if path is None else str(path)


def _refuse_binary(path: Path) -> None:
    try:
        if not path.exists():
            raise DataError(f"text: there is no file or folder {path}")
        if not path.is_file():
            return
        with path.open("rb") as file:
            head = file.read(PEEK)
    except OSError as error:
        raise DataError(f"text: {path} cannot be read: {error.strerror or error}") from None
    odd = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if b"\0" in head or odd > len(head) // 20:
        raise DataError(
            f"text: {path} is not a text file (it holds control characters)",
            hint="give plain text or source code, as one file or a folder of them",
        )


def study_name(design: str, seed: int, text: str | None) -> str:
    """Return the study's name: one study for each design, seed and text."""
    parts = [f"demo-{design}"]
    if seed:
        parts.append(f"seed{seed}")
    if text is not None:
        parts.append(f"text{zlib.crc32(text.encode()):08x}")
    return "-".join(parts)
