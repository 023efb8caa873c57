import math

import pytest

from maquette.errors import DataError
from maquette.table import read_runs

GOOD = "lr,N,opt,loss\n1e-3,1e6,adamw,3.0\n2e-3,1e6,sgd,nan\n\n4e-3,2e6,adamw,\n"


def write(tmp_path, text, name="runs.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_text_and_missing(tmp_path):
    table = read_runs(write(tmp_path, GOOD), numbers=["loss"], positive=["N"])
    assert table["lr"] == [1e-3, 2e-3, 4e-3]
    assert table["opt"] == ["adamw", "sgd", "adamw"]
    assert table["loss"][0] == 3.0
    assert all(math.isnan(v) for v in table["loss"][1:])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path, delimiter):
    path = write(tmp_path, "\ufeff" + GOOD.replace(",", delimiter))
    assert list(read_runs(path)) == ["lr", "N", "opt", "loss"]


def test_missing_files_name_a_neighbour(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(DataError, match=r"no such file. Did you mean 'runs.csv'"):
        read_runs(tmp_path / "run.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_runs(tmp_path)


def test_empty_files(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        read_runs(write(tmp_path, " \n"))
    with pytest.raises(DataError, match="a header and no rows"):
        read_runs(write(tmp_path, "lr,loss\n"))


def test_binary_files(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00lr")
    with pytest.raises(DataError, match="cannot be read as text"):
        read_runs(path)


def test_every_problem_at_once_with_lines(tmp_path):
    text = "lr,N,lr,loss\n1e-3,1e6,1,3.0\n2e-3,-1,1,high\n4e-3,2e6,1\n"
    with pytest.raises(DataError) as error:
        read_runs(write(tmp_path, text), ["lr", "los"], numbers=["loss"], positive=["N"])
    text = "\n".join(error.value.problems)
    assert "no column 'los'. Did you mean 'loss'?" in text
    assert "line 1: the header names 'lr' 2 times" in text
    assert "4 columns in the header, but line 4 has 3" in text
    assert "'loss': not a number at line 3 ('high')" in text
    assert "'N': not a positive number at line 3 ('-1')" in text


def test_one_word_among_numbers_is_a_mistake(tmp_path):
    rows = "".join(f"{i},2.0\n" for i in range(1, 20))
    with pytest.raises(DataError, match=r"'lr': not a number at line 21 \('O.1'\)"):
        read_runs(write(tmp_path, f"lr,loss\n{rows}O.1,3.0\n"))
