"""Where trials keep their files."""

import os

import pytest

from maquette.study.folders import trial_folder
from maquette.trial import checkpoint_name

NAMES = ["a/b", "a_b", "a:b", "..", ".", ".git", "../up", "é" * 200, "n" * 200, "N", "a b"]


def test_every_study_of_a_store_has_a_folder_of_its_own_below_the_store(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    folders = [trial_folder(object(), url, name, None) for name in NAMES]
    assert len(set(folders)) == len(NAMES)
    assert {folder.parent for folder in folders} == {tmp_path.resolve() / "runs.trials"}
    assert all(len(os.fsencode(folder.name)) <= 100 for folder in folders)


def test_a_plain_name_is_the_name_of_its_folder(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    assert trial_folder(object(), url, "gpt-2_λ.1", None).name == "gpt-2_λ.1"


@pytest.mark.parametrize(
    ("step", "name"),
    [(81, "81"), (81.0, "81"), (0.5, "0.5"), (1594323, "1594323"), (1e12, "1" + "0" * 12)],
)
def test_every_step_has_a_checkpoint_of_its_own(step, name):
    assert checkpoint_name(step) == name
