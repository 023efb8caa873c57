"""The run that the demo tunes: same text, same result, honest endings."""

from __future__ import annotations

import math

import pytest
import torch

from maquette.bench.live.char_transformer import data
from maquette.bench.live.char_transformer.model import CharTransformer, build
from maquette.bench.live.char_transformer.train import evaluate, rate, train

TOKENS = 8 * 64 * 40  # forty steps


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences with something to learn, in thirty files."""
    folder = tmp_path_factory.mktemp("text")
    for i in range(30):
        words = " ".join(f"word{(i * j) % 17}" for j in range(800))
        (folder / f"{i:02d}.txt").write_text(f"{words}\n\tend é\n")
    return data.load_text(str(folder))


def run(text, lr=0.01, report=None, seed=0):
    torch.manual_seed(seed)
    model = build(32, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, fused=True)
    result = train(model, optimizer, text, batch=8, tokens=TOKENS, seed=seed, report=report)
    assert [g["lr"] for g in optimizer.param_groups] == [lr]
    return result


def test_files_are_split_and_symbols_are_few(text):
    assert len(text.validation) > 0.03 * len(text.train)
    assert int(text.train.max()) < data.VOCABULARY == 96
    shown = "".join(data.SYMBOLS[i] for i in text.train[-12:].tolist())
    assert shown.endswith("\n?end ??\n")  # a tab, and two bytes outside ASCII


def test_the_standard_library_is_the_default_text():
    library = data.load_text()
    assert len(library.train) > 1_000_000
    assert data.load_text() is library


def test_too_little_text_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("short")
    with pytest.raises(ValueError, match=r"holds \d+ characters.*100,000"):
        data.load_text(str(tmp_path))


def test_a_single_file_will_do(tmp_path):
    file = tmp_path / "all.txt"
    file.write_text("all the same\n" * 10_000)
    read = data.load_text(str(file))
    assert len(read.train) == 9 * len(read.validation)


def test_width_must_hold_whole_heads():
    with pytest.raises(ValueError, match="multiple of 16"):
        build(40, 2)
    assert CharTransformer(48, 2)(torch.zeros(1, 5, dtype=torch.long)).shape == (1, 5, 96)


def test_it_learns_and_repeats_itself(text):
    first = run(text)
    assert first["finished"] == 1
    assert first["steps"] == 40
    assert first["tokens"] == TOKENS
    assert first["loss"] < 0.6 * math.log(96)
    assert run(text)["loss"] == first["loss"]
    assert run(text, seed=1)["loss"] != first["loss"]


def test_reports_come_twenty_times_and_may_end_the_run(text):
    seen = []
    run(text, report=lambda step, loss: seen.append((step, loss)))  # None: go on
    assert [step for step, _ in seen] == list(range(2, 40, 2))
    assert seen[-1][1] < seen[0][1]
    result = run(text, report=lambda step, loss: step < 10)
    assert (result["steps"], result["finished"]) == (10, 0)
    assert math.isfinite(result["loss"])


def test_divergence_is_nan_and_early(text):
    result = run(text, lr=1e5)
    assert math.isnan(result["loss"])
    assert result["steps"] < 20
    assert result["finished"] == 0


def test_validation_is_the_same_at_every_call(text):
    model = build(32, 1)
    assert evaluate(model, text) == evaluate(model, text)
    assert model.training


def test_the_schedule_warms_up_stays_and_decays_to_zero():
    factors = [rate(step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1, abs=0.01)
    assert factors[15:65] == [1.0] * 50
    assert factors[-1] == pytest.approx(0.033, abs=0.01)
    assert factors[70:] == sorted(factors[70:], reverse=True)
