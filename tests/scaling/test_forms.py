"""Recipes as people paste them: every form runs or parses, and nothing is dropped."""

from __future__ import annotations

import ast
import json
import shlex
import tomllib

import pytest

from maquette.scaling import prior_recipe
from maquette.scaling.forms import written

CONFIG = {
    "peak_lr": 1.0234567e-3,
    "bs": 256,
    "wd": 0.1,
    "beta2": 0.95,
    "warmup": 0.02,
    "layers": 12,
    "opt": "adamw",
    "fused": True,
    "schedule": "wsd",
}
ABOUT = "caution\nsecond line"


def call(text: str) -> dict[str, object]:
    """Return the keywords of the one call in a program."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    outer = max(calls, key=lambda c: len(c.keywords))
    return {str(k.arg): ast.literal_eval(k.value) for k in outer.keywords}


def test_toml_json_and_python_hold_every_setting() -> None:
    rounded = {**CONFIG, "peak_lr": 1.023e-3}
    toml = written(CONFIG, ABOUT, "toml")
    assert tomllib.loads(toml) == rounded
    assert toml.startswith("# caution\n# second line\n")
    assert json.loads(written(CONFIG, ABOUT, "json")) == rounded
    assert ast.literal_eval(written(CONFIG, "", "python")) == rounded
    assert tomllib.loads(written({"a": None, "b": 1}, "", "toml")) == {"b": 1}


def test_flags_are_quoted_for_a_shell() -> None:
    words = shlex.split(written({"lr": 1e-3, "name": "a b", "fused": False}, ABOUT, "args"))
    assert words == ["--lr", "0.001", "--name", "a b", "--fused", "false"]


def test_training_arguments() -> None:
    text = written(CONFIG, ABOUT, "hf")
    assert call(text) == {
        "output_dir": "out",
        "learning_rate": 1.023e-3,
        "weight_decay": 0.1,
        "adam_beta2": 0.95,
        "warmup_steps": 0.02,
        "optim": "adamw_torch",
    }
    for left in ("bs=256", "layers=12", "fused=True", "schedule='wsd'"):
        assert f"# {left}" in text
    assert call(written({"lr": 1.0, "schedule": "cosine"}, "", "hf"))["lr_scheduler_type"] == (
        "cosine"
    )


def test_torch_makes_the_optimizer_that_was_tuned() -> None:
    text = written(CONFIG, ABOUT, "torch")
    assert "torch.optim.AdamW(" in text
    assert call(text) == {"lr": 1.023e-3, "betas": (0.9, 0.95), "weight_decay": 0.1}
    for left in ("bs = 256", "layers = 12", "warmup = 0.02"):
        assert f"# {left}" in text
    sgd = written({"lr": 0.1, "momentum": 0.9, "optimizer": "SGD", "beta2": 0.95}, "", "torch")
    assert "torch.optim.SGD(" in sgd
    assert call(sgd) == {"lr": 0.1, "momentum": 0.9}
    assert "# beta2 = 0.95" in sgd
    other = written({"lr": 0.1, "optimizer": "shampoo"}, "", "torch")
    assert "no 'shampoo'" in other
    assert ast.literal_eval(other.splitlines()[-1]) == {"lr": 0.1, "optimizer": "shampoo"}


@pytest.mark.parametrize("form", ["toml", "json", "args", "python", "hf", "torch"])
def test_a_recipe_from_laws_has_every_form(form: str) -> None:
    found = prior_recipe(N=1e9, D=2e10, steps=0)
    text = found.written(form)  # type: ignore[arg-type]
    lr = float(f"{found.recipe.config['lr']:.4g}")
    assert repr(lr) in text
    assert "0.95" in text
    if form not in ("json", "args"):
        assert "# Maquette, for N 1e+09, D 2e+10: caution" in text


ROLES = {
    "embedding": {"peak_lr": 1e-3, "wd": 0.1},
    "hidden": {"peak_lr": 1e-4, "wd": 1.0},
    "readout": {"peak_lr": 1e-4, "wd": 1.0},
    "vector": {"peak_lr": 1e-3, "wd": 0.1},
}


def test_every_form_holds_the_settings_of_every_role() -> None:
    assert tomllib.loads(written(CONFIG, ABOUT, "toml", ROLES))["roles"] == ROLES
    assert json.loads(written(CONFIG, ABOUT, "json", ROLES))["roles"] == ROLES
    assert ast.literal_eval(written(CONFIG, "", "python", ROLES))["roles"] == ROLES
    words = shlex.split(written(CONFIG, ABOUT, "args", ROLES))
    assert words[words.index("--hidden.peak_lr") + 1] == "0.0001"


def test_torch_groups_step_each_role_at_its_own_rate() -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(5, 4),
            "block": torch.nn.Linear(4, 4),
            "head": torch.nn.Linear(4, 5, bias=False),
        }
    )
    program: dict[str, object] = {"model": model}
    exec(written(CONFIG, ABOUT, "torch", ROLES), program)  # what a person pastes
    names = {p: n for n, p in model.named_parameters()}
    groups = program["optimizer"].param_groups  # type: ignore[attr-defined]
    rates = {names[p]: g["lr"] for g in groups for p in g["params"]}
    assert rates == {
        "embed.weight": 1e-3,
        "block.weight": 1e-4,
        "head.weight": 1e-4,
        "block.bias": 1e-3,
    }


def test_trainer_passes_the_groups_on() -> None:
    text = written(CONFIG, ABOUT, "hf", ROLES)
    ast.parse(text)
    assert "learning_rate=0.0001" in text
    assert "optimizers=(optimizer, None)" in text
    assert "'hidden': {'lr': 0.0001" in text


def test_megatron_takes_flags_and_overrides() -> None:
    flags, *rest = written(CONFIG, "", "megatron").splitlines()
    words = shlex.split(flags)
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        "--lr": "0.001023",
        "--global-batch-size": "256",
        "--weight-decay": "0.1",
        "--adam-beta2": "0.95",
        "--lr-warmup-fraction": "0.02",
        "--lr-decay-style": "WSD",
        "--optimizer": "adam",
    }
    assert [line.split("=")[0] for line in rest] == ["# layers", "# fused"]
    text = written(CONFIG, ABOUT, "megatron", ROLES)
    assert "--lr 0.0001 " in text  # hidden matrices are what no override names
    assert "('*embedding*',)): {'max_lr': 0.001, 'min_lr': 0.0, 'wd_mult': 0.1}" in text


def test_torchtitan_takes_groups_by_pattern() -> None:
    text = written(CONFIG, ABOUT, "torchtitan", ROLES)
    ast.parse(text)
    groups = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and n.keywords]
    found = {
        pattern: ast.literal_eval(kept["optimizer_kwargs"])
        for g in groups
        if "pattern" in (kept := {k.arg: k.value for k in g.keywords})
        for pattern in [ast.literal_eval(kept["pattern"])]
    }
    assert list(found)[-1] == ".*"
    assert found[".*"] == {"lr": 1e-4, "weight_decay": 1.0, "betas": (0.9, 0.95)}
    assert found[r"^tok_embeddings\."]["lr"] == 1e-3
    assert "--training.global_batch_size 256" in text
    assert "# schedule='wsd'" in text
    assert "# layers=12" in text


def test_counts_are_whole_where_that_changes_little() -> None:
    told = written({"batch_size": 147.46, "lr": 20.5}, "", "megatron")
    assert "--global-batch-size 147" in told
    assert "147." not in told
    assert json.loads(written({"bs": 2.5, "lr": 20.5}, "", "json")) == {"bs": 2.5, "lr": 20.5}
