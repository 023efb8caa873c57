"""Warm starts: from a study of the store, a file or a table, under other names and other ranges."""

from __future__ import annotations

import math

import pytest

import maquette as mq
from maquette.errors import StudyError
from maquette.past import Past
from maquette.study.warm import MOST

OLD = {"rate": mq.Float(1e-5, 1e-1, log=True), "layers": mq.Int(1, 12), "theirs": mq.Float(0, 1)}
NEW = {"lr": mq.Float(1e-4, 1.0, log=True), "layers": mq.Int(2, 8), "mine": mq.Float(0, 1)}


def valley(trial):
    rate = trial["rate"] if "rate" in trial else trial["lr"]
    return (math.log10(rate) + 2) ** 2 + 0.1 * (trial["layers"] - 5) ** 2


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'm.db'}"
    mq.Study("old", OLD, valley, store=url, searcher="sobol").run(16)
    return url


def test_a_study_of_the_same_store_under_other_names_and_ranges(store):
    source = mq.WarmStart("old", names={"rate": "lr"})
    study = mq.Study("new", NEW, valley, store=store, warm_start=source)
    (past,) = study.history.problem.past
    assert (past.name, len(past.losses)) == ("old", 16)
    assert set(past.configs[0]) == {"lr", "layers"}
    study.run(5)
    first = study.trials[0]
    assert first.origin == "auto:past"
    assert first.loss < 1.0
    assert "past old" in study.trials[-1].why
    # The past is what it was: the same command goes on, though the old study has since grown.
    mq.Study("old", OLD, valley, store=store, searcher="sobol").run(20)
    again = mq.Study("new", NEW, valley, store=store, warm_start=source)
    assert again.history.problem.past == (past,)
    assert mq.Study("new", NEW, valley, store=store).history.problem.past == (past,)
    assert mq.Study.load("new", store).history.problem.past == (past,)
    with pytest.raises(StudyError, match="warm_start differs"):
        mq.Study("new", NEW, valley, store=store, warm_start=[source, source])


def test_a_study_object_of_another_store_and_direction(store):
    other = mq.Study(
        "acc", {"lr": NEW["lr"]}, lambda t: {"accuracy": -valley({**t, "layers": 5})},
        objective="max:accuracy",
    )  # fmt: skip
    other.run(6)
    study = mq.Study("new", NEW, valley, store=store, warm_start=[other, "old"])
    one, two = study.history.problem.past
    assert one.losses == tuple(t.loss for t in other.trials)
    assert (one.name, two.name) == ("acc", "old")
    named = mq.WarmStart("old", store=store)
    elsewhere = mq.Study("new", NEW, valley, warm_start=named)
    assert elsewhere.history.problem.past[0].losses == two.losses


def test_a_csv_file_and_tables(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("lr,layers,acc,note\n0.1,3,0.5,a\n0.01,4,0.9,b\n0.001,7,nan,c\n,5,0.7,d\n")
    source = mq.WarmStart(path, metric="acc", maximize=True)
    (past,) = mq.Study("s", NEW, valley, warm_start=source).history.problem.past
    assert past.losses == (-0.5, -0.9, -0.7)
    rows = [{"lr": 0.1, "loss": 2.0}, {"lr": 0.01, "loss": 1.0, "layers": 3}]
    columns = {"lr": [0.1, 0.01], "loss": [2.0, 1.0], "layers": [None, 3]}
    for table in (rows, columns):
        (past,) = mq.Study("s", NEW, valley, warm_start=table).history.problem.past
        assert [dict(c) for c in past.configs] == [{"lr": 0.1}, {"lr": 0.01, "layers": 3}]
        assert past.losses == (2.0, 1.0)
    both = mq.Study("s", NEW, valley, warm_start=[mq.WarmStart(rows), mq.WarmStart(columns)])
    assert [past.name for past in both.history.problem.past] == ["table", "table (2)"]


def test_much_is_kept_in_part_the_best_of_it_whole():
    rows = [{"lr": 0.1, "loss": float((7 * i) % 1000)} for i in range(1000)]
    (past,) = mq.Study("s", NEW, valley, warm_start=rows).history.problem.past
    assert len(past.losses) == MOST
    assert set(range(MOST // 3)) <= {int(v) for v in past.losses}


def test_every_source_of_no_use_is_named(store, tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("lr,los\n0.1,2\n")
    foreign = Past("foreign", ({"other": 1.0},), (1.0,))
    with pytest.raises(StudyError) as caught:
        mq.Study(
            "new", NEW, valley, store=store,
            warm_start=["odl", bare, foreign, tmp_path / "none.csv", [{"lr": 0.1, "loss": "bad"}],
                        3],
        )  # fmt: skip
    text = str(caught.value)
    for part in (
        "'old'",
        "no column 'loss'",
        "shares no parameter",
        "no such file",
        "has a result",
    ):
        assert part in text
    assert len(caught.value.problems) == 6
    assert "new" not in [row.name for row in mq.Study.load("old", store).store.studies()]


def test_of_a_study_with_a_scale_the_largest_cell_counts():
    scale = mq.Scale([{"width": 64}, {"width": 128}], width=(64, 4096))
    old = mq.Study("old", {"lr": NEW["lr"]}, scale=scale)
    for i, width in enumerate([64, 128, 128, 64]):
        old.tell({"lr": 0.1 / (i + 1)}, float(i), scale={"width": width})
    (past,) = mq.Study("new", NEW, valley, warm_start=old).history.problem.past
    assert past.losses == (1.0, 2.0)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ({"raet": "lr"}, "it has no parameter 'raet'. Did you mean 'rate'"),
        ({"rate": "rl"}, "this study has no parameter 'rl'"),
        ({"rate": "layers"}, "2 of its parameters would be 'layers'"),
    ],
)
def test_names_that_lead_nowhere_are_said(store, names, match):
    rows = [{"rate": 0.01, "layers": 3, "loss": 1.0}]
    for source in ("old", rows):
        with pytest.raises(StudyError, match=match):
            mq.Study("new", NEW, valley, store=store, warm_start=mq.WarmStart(source, names=names))


def test_a_class_where_an_object_is_wanted():
    with pytest.raises(StudyError, match="TPE is a class"):
        mq.Study("new", NEW, valley, searcher=mq.search.TPE)
