"""Axes, proxies and targets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import ScaleError, StudyError
from maquette.fidelity import Duration
from maquette.instances import Instances
from maquette.scale import Scale


def test_proxies_default_to_a_ladder_below_the_target():
    scale = Scale(width=(64, 4096), depth=(2, 32))
    assert scale.cells[0] == {"width": 64, "depth": 2}
    assert {"width": 256, "depth": 2} in scale.cells
    assert {"width": 64, "depth": 8} in scale.cells
    assert all(c["width"] <= 512 and c["depth"] <= 8 for c in scale.cells)


def test_an_axis_that_does_not_grow_never_varies():
    scale = Scale(width=(64, 256), batch=(32, 32))
    assert {c["batch"] for c in scale.cells} == {32}


def test_a_small_step_still_gets_a_cell_between():
    assert {c["layers"] for c in Scale(layers=(2, 5)).cells} == {2, 3}


def test_given_proxies_are_completed_and_sorted_by_size():
    scale = Scale([{"width": 64, "depth": 4}, {"width": 32}], width=(32, 128), depth=(2, 4))
    assert scale.cells == ({"width": 32, "depth": 2}, {"width": 64, "depth": 4})


def test_all_mistakes_in_axes_are_named_together():
    with pytest.raises(ScaleError) as error:
        Scale(width=(0, 10), depth=3, tokens=("a", 1))
    assert len(error.value.problems) == 3


def test_an_unknown_axis_names_the_nearest():
    scale = Scale(width=(64, 4096))
    with pytest.raises(ScaleError, match="Did you mean 'width'"):
        scale.complete({"widht": 128})
    with pytest.raises(ScaleError, match="proxy 2"):
        Scale([{"width": 64}, {"wdth": 1}], width=(64, 4096))


def test_a_target_is_completed_from_the_scale():
    scale = Scale(width=(64, 4096), depth=(2, 32))
    assert scale.complete({"width": 1024}) == {"width": 1024, "depth": 32}
    assert scale.fill({"width": 128}) == {"width": 128, "depth": 2}


@given(
    st.dictionaries(
        st.sampled_from(["width", "depth", "batch", "tokens"]),
        st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)).map(sorted).map(tuple),
        min_size=1,
    )
)
def test_json_round_trip_and_bounds(axes):
    scale = Scale(**axes)
    assert Scale.from_json(json.loads(json.dumps(scale.to_json()))) == scale
    for cell in scale.cells:
        assert all(axes[n][0] <= v <= max(axes[n]) for n, v in cell.items())


def test_durations_are_read_and_grow_geometrically():
    duration = Duration.parse({"steps": (10, 1000), "data": (0.01, 1.0)})
    assert duration.until(100) == {"steps": 100, "data": pytest.approx(0.1)}
    assert Duration.parse({"steps": 5}).least == 5
    assert Duration.parse(None).until(3) == {}


@pytest.mark.parametrize("bad", [(10, 1), (0, 5), "5", (1, 2, 3), (1, float("inf")), True])
def test_bad_durations_are_refused(bad):
    with pytest.raises(StudyError, match="steps"):
        Duration.parse({"steps": bad})


@pytest.mark.parametrize("bad", [3, "steps", ("steps", 1, 9)])
def test_a_duration_is_a_mapping(bad):
    with pytest.raises(StudyError, match="must map a name"):
        Duration.parse(bad)


def test_instances_must_be_distinct_and_kept_apart():
    with pytest.raises(StudyError, match="both tune and test"):
        Instances(tune=[1, 2], test=[2])
    with pytest.raises(StudyError, match="twice"):
        Instances(tune=[1, 1])
    with pytest.raises(StudyError, match="empty"):
        Instances(tune=[])
    instances = Instances(tune=range(3), test=["a"])
    assert Instances.from_json(instances.to_json()) == instances
