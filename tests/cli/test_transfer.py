"""``maquette transfer`` on tables."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def table(cli: Cli, tmp_path: Path) -> Cli:
    """A table whose best rate is 0.1 (100 / N)^0.5 exactly, and whose floor falls with N."""
    rows = ["rate,N,loss"]
    for n in (100, 200, 400, 800):
        for k in range(-4, 5):
            rate = 0.1 * (100 / n) ** 0.5 * 2 ** (k / 2)
            loss = 2 + 5 * n**-0.5 + 0.05 * (k / 2 * math.log(2)) ** 2
            rows.append(f"{rate!r},{n},{loss!r}")
    (tmp_path / "runs.csv").write_text("\n".join(rows))
    return cli


BOTH = ("--settings", "rate", "--scale", "N")


def test_a_recipe_follows_the_drift(table: Cli) -> None:
    found = table("transfer", "runs.csv", *BOTH, "--at", "N=3200", "--json").json
    assert set(found) >= {"at", "config", "interval", "loss", "drift", "runs", "verdict"}
    assert found["validation"]["at"] == pytest.approx({"N": 800})
    assert found["config"]["rate"] == pytest.approx(0.1 / math.sqrt(32), rel=0.1)
    assert found["drift"]["rate"]["N"] == pytest.approx(-0.5, abs=0.05)
    low, high = found["interval"]["rate"]
    assert low <= 0.1 / math.sqrt(32) <= high
    assert found["runs"] == 36
    assert found["verdict"]["level"] in ("trust", "caution", "do-not-trust")


def test_without_json_it_is_sentences(table: Cli) -> None:
    text = table("transfer", "runs.csv", *BOTH, "--at", "N=3200").out
    assert text.startswith("At N 3200:")
    assert "Verdict from 36 runs" in text


def test_every_bad_pair_is_named_at_once(table: Cli) -> None:
    result = table("transfer", "runs.csv", *BOTH, "--at", "N=big,=3,N=-1,N=nan,M=1,M=2")
    assert result.code == 2
    for word in ("'big'", "'=3'", "'-1'", "'nan'", "'M' is given twice"):
        assert word in result.err


def test_a_table_needs_settings_and_scale(table: Cli) -> None:
    result = table("transfer", "runs.csv", "--at", "N=3200")
    assert result.code == 2
    assert "--settings lr,bs --scale N,D" in result.err
    twice = table("transfer", "runs.csv", "--settings", "rate,rate", "--scale", "N")
    assert twice.code == 2
    assert "twice" in twice.err


def test_unknown_columns_name_the_nearest(table: Cli) -> None:
    result = table("transfer", "runs.csv", "--settings", "rte", "--scale", "N", "--loss", "los")
    assert result.code == 2
    assert "'rate'" in result.err
    assert "'loss'" in result.err


@pytest.mark.parametrize(
    "content", ["", "rate,N,loss\n", "rate,N,loss\n0.1,100,nan\n", "rate,N,loss\nfast,x,1\n", "\0"]
)
def test_tables_without_runs_are_refused(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    result = cli("transfer", "bad.csv", *BOTH)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("Error: ")


def test_a_missing_table_is_said_so(cli: Cli) -> None:
    result = cli("transfer", "nowhere.csv", *BOTH)
    assert result.code == 2
    assert "nowhere.csv" in result.err


def few_runs(path: Path, names: str, sizes: list[float]) -> list[str]:
    """Write twelve runs and return the command that reads them."""
    rng = random.Random(3)
    rows = [f"{names},loss"]
    for _ in range(12):
        lr, d = 10 ** rng.uniform(-3.5, -2.0), rng.choice([1e9, 4e9])
        loss = 3.0 * (d / 1e9) ** -0.05 * (1 + 0.02 * math.log(lr / 2e-3) ** 2)
        rows.append(f"{lr},{rng.choice(sizes)},{d},{loss}")
    path.write_text("\n".join(rows) + "\n")
    setting, size, tokens = names.split(",")
    at = f"{size}=2e9,{tokens}=4e10"
    return ["transfer", str(path), "--settings", setting, "--scale", f"{size},{tokens}", "--at", at]


def test_laws_speak_where_the_runs_alone_earn_no_trust(cli: Cli, tmp_path: Path) -> None:
    command = few_runs(tmp_path / "runs.csv", "lr,N,D", [1e8, 1.2e8])
    alone, unasked, told = (
        cli(*command, *how, "--json") for how in (["--no-laws"], [], ["--laws"])
    )
    assert "--no-laws" in unasked.err
    assert "customary names" not in alone.err + told.err
    assert unasked.json == told.json
    assert told.json["drift"]["lr"]["N"] < alone.json["drift"]["lr"]["N"] - 0.1
    assert told.json["verdict"]["level"] != "trust"
    assert any("published laws say" in reason for reason in told.json["verdict"]["reasons"])


def test_laws_do_not_speak_of_columns_with_names_of_their_own(cli: Cli, tmp_path: Path) -> None:
    command = few_runs(tmp_path / "runs.csv", "rate,size,seen", [1e8, 1.2e8])
    unasked = cli(*command, "--json")
    assert unasked.json == cli(*command, "--no-laws", "--json").json
    assert "customary names" not in unasked.err


def test_laws_need_columns_that_they_speak_of(cli: Cli, tmp_path: Path) -> None:
    runs = tmp_path / "runs.csv"
    runs.write_text("rate,size,loss\n0.1,1,2\n0.2,2,1.9\n")
    said = cli("transfer", str(runs), "--settings", "rate", "--scale", "size", "--laws")
    assert said.code == 2
    assert "no published law speaks of rate, size" in " ".join(said.err.split())


def test_settings_to_paste(table: Cli) -> None:
    """The settings alone go to stdout, what is known of them to stderr."""
    result = table("transfer", "runs.csv", *BOTH, "--at", "N=3200", "--format", "args")
    flag, value = result.out.split()
    assert flag == "--rate"
    assert float(value) == pytest.approx(0.1 / math.sqrt(32), rel=0.1)
    assert "Verdict from 36 runs" in result.err
    assert "Trained without the largest scale" in result.err
    wrong = table("transfer", "runs.csv", *BOTH, "--format", "yaml")
    assert wrong.code == 2
    assert "toml, json, args, python, hf, torch" in wrong.err


def test_a_column_of_costs_prices_the_target_and_the_proxies(table: Cli) -> None:
    lines = Path("runs.csv").read_text().splitlines()
    priced = [f"{lines[0]},dollars,state"]
    priced += [f"{line},{float(line.split(',')[1]) ** 2 / 1e4!r},done" for line in lines[1:]]
    priced[-1] = priced[-1].replace("done", "stopped")
    Path("priced.csv").write_text("\n".join(priced))
    ask = ("transfer", "priced.csv", *BOTH, "--state", "state", "--cost", "dollars")
    cost = table(*ask, "--at", "N=3200", "--json").json["cost"]
    assert cost["unit"] == "dollars"
    assert cost["mean"] == pytest.approx(1024, rel=0.2)
    assert cost["interval"][0] < 1024 < cost["interval"][1]
    assert "One run of it costs" in table(*ask, "--at", "N=3200").out
    free = [line.rsplit(",", 2)[0] + ",,done" for line in priced[1:]]
    Path("priced.csv").write_text("\n".join([priced[0], *free]))
    refused = table(*ask, "--at", "N=3200")
    assert refused.code == 2
    assert "no run that went to its end has a positive dollars" in refused.err


def test_a_rule_says_the_settings_by_role(table: Cli) -> None:
    text = Path("runs.csv").read_text().replace("rate,N", "lr,N", 1)
    Path("named.csv").write_text(text)
    ask = ("transfer", "named.csv", "--settings", "lr", "--scale", "N", "--no-laws")
    ruled = (*ask, "--rule", "mup+completep", "--ratio", "width=16,depth=4")
    found = table(*ruled, "--json").json
    base = found["config"]["lr"]
    assert found["roles"]["hidden"]["lr"] == pytest.approx(base / 16)
    assert found["roles"]["embedding"]["lr"] == pytest.approx(base)
    assert found["multipliers"]["residual"] == pytest.approx(1 / 4)
    assert "config_overrides" in table(*ruled, "--format", "megatron").out
    assert "--ratio width=16,depth=8" in table(*ask, "--rule", "mup").err
    assert "mup" in table(*ask, "--rule", "mpu", "--ratio", "width=2").err
    nameless = table(
        "transfer", "runs.csv", *BOTH, "--at", "N=800", "--rule", "mup", "--ratio", "width=2"
    )
    assert nameless.code != 0
    assert "customary name" in nameless.err


def test_a_rate_that_is_not_positive_is_said_and_asks_no_law(cli: Cli, tmp_path: Path) -> None:
    draws = random.Random(0)
    rows = ["lr,N,loss"]
    for n in (1e7, 3e7, 1e8):
        for _ in range(8):
            power = draws.uniform(-4, -1)
            rows.append(f"{power},{n},{2 + n**-0.1 + 0.1 * (power + 2) ** 2}")
    (tmp_path / "logs.csv").write_text("\n".join(rows))
    found = cli("transfer", "logs.csv", "--settings", "lr", "--scale", "N", "--at", "N=1e9")
    assert "lr: not every value is positive" in found.err
    assert "published laws" not in found.err
