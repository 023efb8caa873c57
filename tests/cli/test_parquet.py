"""Tables as Parquet, read by what others read them with."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maquette.cli.parquet import parquet_bytes
from tests.cli.conftest import Cli
from tests.services import needs

pytestmark = needs("pyarrow")


def table(source: Any) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(source)


def test_a_file_holds_what_json_holds(bowl: Cli, tmp_path: Path) -> None:
    written = bowl("export", "bowl", "--format", "parquet", "-o", "runs.parquet")
    assert (written.code, written.out) == (0, "")
    assert "24 trials in runs.parquet" in written.err
    rows = json.loads(bowl("export", "bowl", "--format", "json").out)
    found = table(tmp_path / "runs.parquet")
    header = list(dict.fromkeys(name for row in rows for name in row))
    assert found.column_names == header
    assert found.to_pylist() == [{name: row.get(name) for name in header} for row in rows]
    kinds = {name: str(found.schema.field(name).type) for name in ("trial", "x", "loss", "state")}
    assert kinds == {"trial": "int64", "x": "double", "loss": "double", "state": "string"}


def test_it_goes_through_a_pipe(bowl: Cli, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "maquette", "export", "bowl", "--format", "parquet"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True, env=os.environ)
    assert table(io.BytesIO(done.stdout)).num_rows == 24


def test_two_formats_at_once_are_refused(bowl: Cli) -> None:
    both = bowl("export", "bowl", "--format", "parquet", "--json")
    assert (both.code, both.out) == (2, "")
    assert "give one of them" in both.err


def test_without_pyarrow_it_says_what_to_install(
    bowl: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused = bowl("export", "bowl", "--format", "parquet", "-o", "runs.parquet")
    assert (refused.code, refused.out) == (2, "")
    assert "pip install 'maquette[parquet]'" in refused.err
    assert not (tmp_path / "runs.parquet").exists()


def test_every_column_has_one_type() -> None:
    rows: list[dict[str, Any]] = [
        {"mixed": 1, "whole": 1, "number": 1, "big": 2**70, "flag": True, "list": [1, "a"]},
        {"mixed": "a", "whole": None, "number": 0.5, "late": "é"},
        {"mixed": True},
    ]
    header = ["mixed", "whole", "number", "big", "flag", "list", "late", "none"]
    found = table(io.BytesIO(parquet_bytes(rows, header))).to_pydict()
    assert found == {
        "mixed": ["1", '"a"', "true"],
        "whole": [1, None, None],
        "number": [1.0, 0.5, None],
        "big": [2.0**70, None, None],
        "flag": [True, None, None],
        "list": ['[1, "a"]', None, None],
        "late": [None, "é", None],
        "none": [None, None, None],
    }


def test_a_study_without_trials_is_an_empty_table() -> None:
    found = table(io.BytesIO(parquet_bytes([], ["trial", "state"])))
    assert (found.num_rows, found.column_names) == (0, ["trial", "state"])
