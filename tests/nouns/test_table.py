"""CSV files as people have them."""

import math

import pytest

from maquette.errors import DataError
from maquette.table import read_runs


def write(tmp_path, text, name="runs.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_and_words(tmp_path):
    path = write(tmp_path, "lr, opt,loss\n1e-3,adam,2.5\n\n2e-3,sgd,\n4e-3,adam,nan\n1,adam,inf\n")
    table = read_runs(path)
    assert table["lr"] == [1e-3, 2e-3, 4e-3, 1.0]
    assert table["opt"] == ["adam", "sgd", "adam", "adam"]
    assert table["loss"][0] == 2.5
    assert all(math.isnan(x) for x in table["loss"][1:3])
    assert table["loss"][3] == math.inf


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_other_separators_quotes_and_byte_order_marks(tmp_path, separator):
    rows = [["a", '"b, c"'], ["1", '"x, y"']]
    text = "\n".join(separator.join(row) for row in rows)
    assert read_runs(write(tmp_path, b"\xef\xbb\xbf" + text.encode())) == {
        "a": [1.0],
        "b, c": ["x, y"],
    }


def test_only_the_columns_asked_for(tmp_path):
    path = write(tmp_path, "a,b,b\n1,2,3\n")
    assert read_runs(path, ["a"]) == {"a": [1.0]}


def test_every_problem_at_once(tmp_path):
    path = write(tmp_path, "lr,loss,loss\n1,2\n1,2,3\n1,2,3,4\n")
    with pytest.raises(DataError) as error:
        read_runs(path, ["lrr", "loss"])
    text = str(error.value)
    assert "no column 'lrr'. Did you mean 'lr'" in text
    assert "names 'loss' 2 times" in text
    assert "line 2 has 2" in text
    assert "line 4 has 4" in text


def test_a_slip_in_a_column_of_numbers_names_its_line(tmp_path):
    rows = "".join(f"{i},1\n" for i in range(9))
    with pytest.raises(DataError, match=r"'lr': not a number at line 11 \('1e-3x'\)"):
        read_runs(write(tmp_path, f"lr,loss\n{rows}1e-3x,1\n"))


def test_many_slips_are_summed_up(tmp_path):
    rows = "1,1\n" * 100 + "1\n" * 25
    with pytest.raises(DataError, match="and 20 more"):
        read_runs(write(tmp_path, f"a,b\n{rows}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,,b\n1,2,3\n", "column 2 has no name"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (b"a,b\n\x00,1\n", "not a text file"),
    ],
)
def test_files_that_are_no_tables(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_runs(write(tmp_path, text))


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path, "a\n1\n")
    with pytest.raises(DataError, match=r"Did you mean 'runs\.csv'"):
        read_runs(tmp_path / "run.csv")
    with pytest.raises(DataError, match="no such file"):
        read_runs(tmp_path / "nowhere" / "run.csv")
    with pytest.raises(DataError, match="folder"):
        read_runs(tmp_path)
