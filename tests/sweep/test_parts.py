"""Placeholders, streams, results and GPUs, one by one."""

from __future__ import annotations

import math
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import ProgramError
from maquette.executor.gpus import take_slot, visible_devices
from maquette.sweep import template
from maquette.sweep.results import Form, Reader
from maquette.sweep.stream import LONGEST_LINE, Stream


@given(st.text(), st.text(), st.text())
def test_a_value_stands_where_its_place_is_as_it_is(before: str, value: str, after: str) -> None:
    def literal(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    text = f"{literal(before)}{{x}}{literal(after)}"
    assert template.problems(text, ["x"]) == []
    assert template.fill_words([text], {"x": value}) == [before + value + after]


def test_unknown_places_and_single_braces_are_named() -> None:
    assert "Did you mean 'width'?" in template.problems("--w={widht}", ["width", "lr"])[0]
    assert "doubled: {{ }}" in template.problems('{"a": 1}', ["lr"])[0]
    assert "write {{ for" in template.problems("a { b", ["lr"])[0]
    assert "write }} for" in template.problems("a } b", ["lr"])[0]


@pytest.mark.parametrize(
    ("words", "filled"),
    [
        (["run", "--m", "{m}", "x"], ["run", "x"]),
        (["run", "--m={m}"], ["run"]),
        (["run", "--flag", "{lr}", "{m}"], ["run", "--flag", "1"]),
        (["run", "--a=1", "{m}"], ["run", "--a=1"]),
        (["--lr", "{lr}", "--n", "2"], ["--lr", "1", "--n", "2"]),
    ],
)
def test_words_without_a_value_are_left_out(words: list[str], filled: list[str]) -> None:
    assert template.fill_words(words, {"lr": "1"}) == filled


def test_values_are_written_as_programs_read_them() -> None:
    values = [True, None, 1.0, 1e-7, 3, "a b"]
    assert [template.written(v) for v in values] == ["true", "none", "1.0", "1e-07", "3", "a b"]
    assert template.written(1e8, whole=True) == "100000000"
    assert template.written(0.5, whole=True) == "0.5"


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_bytes_come(parts: list[bytes], size: int) -> None:
    data = b"\n".join(parts)
    whole, pieces = Stream(), Stream()
    expected = whole.take(data) + whole.end()
    found = [line for i in range(0, len(data), size) for line in pieces.take(data[i : i + size])]
    assert found + pieces.end() == expected
    assert pieces.tail() == whole.tail()


def test_a_line_without_end_is_not_held() -> None:
    stream = Stream()
    tracemalloc.start()
    for _ in range(2000):
        assert stream.take(b"z" * 65536) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * LONGEST_LINE
    assert stream.take(b"\nnext\n") == ["next"]


def test_signs_of_lost_memory_are_seen_across_reads() -> None:
    stream = Stream()
    stream.take(b"RuntimeError: CUDA out of ")
    assert not stream.out_of_memory
    stream.take(b"memory. Tried to allocate")
    assert stream.out_of_memory
    calm = Stream()
    calm.take(b"no MemoryError was raised\n")
    assert not calm.out_of_memory


def read(form: Form, *lines: str) -> Reader:
    reader = Reader(form)
    for line in lines:
        reader.take(line)
    return reader


def test_json_results_win_over_measurements_and_prefixes_are_passed_over() -> None:
    lines = ('[rank0]: {"loss": 1}', '{"step": 9, "loss": 5}', "{not json}", '{"other": 1}')
    assert read(Form(), *lines).result() == {"loss": 1}
    assert Reader(Form()).take('{"loss": 1}', is_error=True) is None


def test_a_bare_number() -> None:
    form = Form("number", primary="accuracy")
    assert read(form, "epoch 3", "0.5", " 0.75 ").result() == {"accuracy": 0.75}
    with pytest.raises(ProgramError, match="bare number"):
        read(form, "accuracy 0.5").result()


def test_patterns_find_metrics_on_their_own_lines() -> None:
    form = Form("regex", {"loss": r"val loss: (\S+)", "params": r"params (?P<value>[\d,]+)"})
    reader = read(form, "params 1,234,567", "val loss: 3.5", "val loss: nan", "val loss: 2.5e-1")
    assert reader.result() == {"loss": 0.25, "params": 1234567}
    assert math.isnan(read(form, "val loss: nan").result()["loss"])
    with pytest.raises(ProgramError, match="matches 'val loss"):
        read(form, "params 7").result()


def test_a_pattern_with_a_step_is_a_learning_curve() -> None:
    form = Form("regex", {"loss": r"step (?P<step>\d+)/\d+ loss (\S+)", "size": r"size=(\d+)"})
    assert form.live
    reader = Reader(form)
    reader.take("size=12")
    measured = reader.take("step 20/100 loss 1.5", is_error=True)
    assert measured is not None
    assert (measured.step, measured.metrics) == (20, {"loss": 1.5})
    assert reader.result() == {"loss": 1.5, "size": 12}


def test_visible_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, names in (
        ("2,3", ("2", "3")),
        ("", ()),
        ("GPU-a1, GPU-b2,-1,4", ("GPU-a1", "GPU-b2")),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
        assert visible_devices() == names
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(os, "listdir", lambda path: ["nvidia0", "nvidia1", "nvidiactl", "null"])
    assert visible_devices() == ("0", "1")


def test_slots_share_devices_out(tmp_path: Path) -> None:
    devices = [str(i) for i in range(7)]
    slots = [take_slot(devices, 2, tmp_path) for _ in range(3)]
    assert [s.devices for s in slots] == ["0,1", "2,3", "4,5"]
    slots[1].close()
    again = take_slot(devices, 2, tmp_path)
    assert again.devices == "2,3"
    for slot in (slots[0], slots[2], again):
        slot.close()
