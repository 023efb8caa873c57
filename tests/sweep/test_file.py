"""Sweep files: what they may say, and every mistake at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maquette.errors import SweepError
from maquette.executor import Process, Ray, Slurm
from maquette.schedule import ASHA
from maquette.sweep import Given, Program, Sweep, read_sweep

SPACE = "[space]\nlr = { float = [1e-4, 1e-1], log = true }\n"
TRIAL = "[trial]\ncommand = 'python3 t.py --lr {lr}'\n"


def read(folder: Path, text: str, *words: str, **options: Any) -> Sweep:
    (folder / "sweep.toml").write_text(text)
    return read_sweep(folder / "sweep.toml", words, Given(**options))


def mistakes(folder: Path, text: str, *words: str, **options: Any) -> list[str]:
    with pytest.raises(SweepError) as caught:
        read(folder, text, *words, **options)
    prefix = f"{folder / 'sweep.toml'}: "
    assert all(p.startswith(prefix) for p in caught.value.problems)
    return [p.removeprefix(prefix) for p in caught.value.problems]


def test_the_least_file(tmp_path: Path) -> None:
    sweep = read(tmp_path, SPACE, "python3", "t.py", "--lr", "{lr}")
    assert sweep.name == "sweep"
    assert sweep.objective.primary == "loss"
    assert sweep.program.words == ("python3", "t.py", "--lr", "{lr}")
    assert (sweep.workers, sweep.seed, sweep.budget, sweep.timeout) == (1, 0, None, None)


def test_a_full_file(tmp_path: Path) -> None:
    text = """
    name = "gpt"
    seed = 3
    workers = 2
    store = "runs.db"
    checkpoints = "s3://bucket/runs"
    searcher = "random"
    scheduler = { name = "asha", eta = 4 }
    budget = { trials = 9, seconds = "1h 30m" }
    [space]
    lr = { float = [1e-4, 1e-1], log = true }
    opt = { choice = ["adamw", "sgd"] }
    momentum = { float = [0.8, 0.99], when = { opt = "sgd" } }
    constraints = ["lr <= 0.1"]
    [scale]
    width = [256, 4096]
    tokens = [1e8, 2e10]
    proxies = [{ width = 256 }, { width = 512 }]
    [objective]
    maximize = "accuracy"
    constraints = { memory = "<= 8e9" }
    cost = "flops"
    [fidelity]
    steps = [10, 90]
    [instances]
    tune = [0, 1]
    test = [2]
    [trial]
    command = ["python3", "t.py", "--lr={lr}", "{opt}", "{instance}", "{momentum}", "-n", 3]
    env = { WIDTH = "{width}", TOKENS = "{tokens}", N = 2 }
    step = "iter"
    timeout = "4h"
    grace = 30
    """
    sweep = read(tmp_path, text)
    assert sweep.scheduler == ASHA(eta=4)
    assert sweep.timeout == 4 * 3600
    assert sweep.checkpoints == "s3://bucket/runs"
    assert sweep.budget is not None
    assert sweep.budget.seconds == 5400
    assert sweep.scale is not None
    assert sweep.scale.cells[1] == {"width": 512, "tokens": 1e8}
    program = sweep.program
    assert program.words[-1] == "3"
    assert program.form.step == ("iter",)
    assert (program.form.primary, program.cost, program.grace) == ("accuracy", "flops", 30)
    assert Program.from_json(program.to_json()) == program


def test_every_mistake_at_once_with_its_key_and_the_nearest_name(tmp_path: Path) -> None:
    text = """
    nmae = "gpt"
    seed = -1
    workers = "two"
    checkpoints = 3
    searcher = "guass"
    scheduler = { name = "asha", etta = 4 }
    budget = { trails = 5, seconds = "soon" }
    [space]
    lr = { float = [1e-1, 1e-4], log = true }
    seed = { int = [0, 5] }
    width = { int = [2, 4] }
    beta = { flaot = [0, 1] }
    [scale]
    width = [256, 4096]
    tokens = [1e8, -2]
    [objective]
    minimise = "loss"
    constraints = { memory = "below 8" }
    maximize = "accuracy"
    [fidelity]
    steps = [90, 10]
    [instances]
    tune = 5
    [trial]
    command = "no-such-program-7 --lr {rl} --beta {beta} --b { --data {\\"a\\": 1}"
    result = { acuracy = "acc (", n = 3 }
    env = { "A B" = "{widht}", C = [1] }
    gpus = 1.5
    timeout = "4 hours"
    shell = true
    """
    found = mistakes(tmp_path, text)
    together = "\n".join(found)
    for line in (
        "nmae: unknown key. Did you mean 'name'?",
        "seed: must be a whole number, 0 or more, not -1",
        "workers: must be a whole number, 1 or more, not 'two'",
        "checkpoints: must be a text, not 3",
        "searcher: there is no 'guass'. Valid: auto, ",
        "scheduler.etta: asha has no such setting. Did you mean 'eta'?",
        "budget.trails: unknown key. Did you mean 'trials'?",
        "budget.seconds: must be seconds or a time",
        "space.lr: low 0.1 is above high 0.0001",
        "space.seed: the name is taken by the placeholder {seed}",
        "scale.width: the name is taken by space.width",
        "space.beta: says neither float, int nor choice",
        "unknown key 'flaot'. Did you mean 'float'?",
        "scale: axis 'tokens' must be (base, target)",
        "objective.minimise: unknown key. Did you mean 'minimize'?",
        "objective: constraint on 'memory': cannot read 'below 8'",
        "fidelity: fidelity 'steps'",
        "instances.tune: must be a list, not 5",
        "trial.command: there is no program 'no-such-program-7' here",
        "trial.command: unknown placeholder {rl}",
        "trial.command: single '{' in '{'; write {{",
        "trial.command: single '{' in '{a:'",
        "trial.result.acuracy: 'acc (' is not a regular expression",
        "trial.result.n: must be a regular expression, not 3",
        "trial.env.A B: is not the name of a variable",
        "trial.env.A B: unknown placeholder {widht} in '{widht}'. Did you mean 'width'?",
        "trial.env.C: must be a text or a number",
        "trial.gpus: must be a whole number, 0 or more, not 1.5",
        "trial.timeout: must be seconds or a time such as",
        "trial.shell: unknown key.",
        "space.lr: stands nowhere in the command or its environment",
        "scale.tokens: stands nowhere",
    ):
        assert line in together, line
    assert len(found) == len(set(found))


def test_the_metrics_that_patterns_must_find(tmp_path: Path) -> None:
    text = "[objective]\nminimize = 'loss'\ncost = 'flops'\n" + SPACE + TRIAL
    found = mistakes(tmp_path, text + "result = { los = 'x (\\d)', flops = '(?P<setp>1)' }")
    assert any("finds the metric 'loss'. Did you mean 'los'?" in f for f in found)
    assert any("unknown group 'setp'. Did you mean 'step'?" in f for f in found)


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("result = 'jsn'", "unknown form 'jsn'. Did you mean 'json'?"),
        ("result = 5", "trial.result: must be"),
        ("result = 'number'\nstep = 'it'", 'trial.step: belongs to result = "json"'),
        ("result = { file = 'out.json' }", "the same file for all 2 workers"),
        ("result = { file = '{fodler}/out.json' }", "Did you mean 'folder'?"),
        ("[fidelity]\nsteps = 9\n[scale]\nlr = [1, 2]", "scale.lr: the name is taken by space.lr"),
    ],
)
def test_mistakes_one_by_one(tmp_path: Path, rest: str, words: str) -> None:
    found = mistakes(tmp_path, SPACE + TRIAL + rest, workers=2)
    assert any(words in f for f in found), found


def test_stopping_early_needs_steps_and_measurements(tmp_path: Path) -> None:
    asha = "scheduler = 'asha'\n" + SPACE + TRIAL
    assert "needs [fidelity]" in mistakes(tmp_path, asha)[0]
    steps = "\n[fidelity]\nsteps = [1, 9]\n"
    assert read(tmp_path, asha + steps).program.form.step == ("steps", "step")
    silent = asha + "result = { file = '{folder}/x' }" + steps
    assert "measurements on the way" in mistakes(tmp_path, silent)[0]
    promote = asha.replace("'asha'", "{ name = 'asha', mode = 'promote' }") + steps
    assert "run to {steps}, which stands nowhere" in mistakes(tmp_path, promote)[0]
    assert read(tmp_path, promote.replace("{lr}", "{lr} {steps}")).name == "sweep"


def test_a_command_is_needed_and_the_config_file_holds_everything(tmp_path: Path) -> None:
    assert "trial.command: is missing" in mistakes(tmp_path, SPACE)[0]
    assert read(tmp_path, SPACE, "python3", "{config}").program.words == ("python3", "{config}")
    replaced = read(tmp_path, SPACE + TRIAL, "python3", "other.py", "{lr}")
    assert replaced.program.words[1] == "other.py"
    assert "cannot be split" in mistakes(tmp_path, SPACE + '[trial]\ncommand = "a \'b"')[0]


def test_gpus_are_counted_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SPACE + TRIAL + "gpus = 4\n"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5")
    assert read(tmp_path, text).program.devices == ("0", "1", "2", "3", "4", "5")
    assert "at most 1 can run at once" in mistakes(tmp_path, text, workers=2)[0]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "4 are asked for, and 1 are visible" in mistakes(tmp_path, text)[0]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert read(tmp_path, text).notes == ("gpus = 4 is ignored: no GPU is visible here",)


def test_what_a_trial_gets_of_its_machine_reaches_the_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    text = SPACE + TRIAL + 'memory = "16GB"\ngpus = 2\n'
    here = read(tmp_path, text)
    assert here.executor == Process(memory=16 * 10**9)
    assert (here.program.gpus, here.program.devices) == (2, ("0", "1", "2", "3"))
    assert read(tmp_path, text, executor="ray").executor == Ray(memory=16 * 10**9, gpus=2)
    assert read(tmp_path, text, executor="slurm").executor == Slurm(memory=16 * 10**9, gpus=2)
    given = read(tmp_path, text, memory="1 GiB", gpus=1, executor="ray")
    assert given.executor == Ray(memory=2**30, gpus=1)
    # What the executor's own table says of GPUs is dealt out as trial.gpus is.
    table = "executor = { name = 'process', gpus = 4 }\n" + SPACE + TRIAL
    assert read(tmp_path, table).executor == Process()
    assert read(tmp_path, table).program.gpus == 4
    assert read(tmp_path, table, gpus=0).program.gpus == 0


def test_mistakes_in_what_a_trial_gets_of_its_machine(tmp_path: Path) -> None:
    for size in ("'lots'", "-1", "true", "[1]"):
        found = mistakes(tmp_path, SPACE + TRIAL + f"memory = {size}\n")
        assert "trial.memory: must be a size such as" in found[0]
    assert "--memory: must be a size" in mistakes(tmp_path, SPACE + TRIAL, memory="lots")[0]
    assert "Did you mean 'memory'?" in mistakes(tmp_path, SPACE + TRIAL + "memroy = 1\n")[0]
    twice = "executor = { name = 'slurm', memory = '4G', gpus = 1 }\n" + SPACE + TRIAL
    assert mistakes(tmp_path, twice + "memory = '4GB'\ngpus = 2\n") == [
        "trial.memory: is said by executor.memory too; leave one out",
        "trial.gpus: is said by executor.gpus too; leave one out",
    ]


def test_files_that_are_not_there_or_no_toml(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text("[space\n")
    with pytest.raises(SweepError, match=r"is not TOML: .*line 1"):
        read_sweep(tmp_path / "sweep.toml")
    with pytest.raises(SweepError, match=r"Did you mean '.*sweep\.toml'"):
        read_sweep(tmp_path / "swep.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SweepError, match="is not TOML"):
        read_sweep(tmp_path / "bad.toml")
    for text in ("space = 3\n[trial]\ncommand = 'ls'", "trial = 3\nscale = 4\nspace = 5"):
        assert any("must be a table" in f for f in mistakes(tmp_path, text))


def test_where_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    table = 'executor = { name = "slurm", partition = "a", sbatch = { account = "lab" } }\n'
    path = tmp_path / "sweep.toml"
    path.write_text(table + SPACE + TRIAL + "gpus = 8\n")
    sweep = read_sweep(path)
    assert sweep.executor == Slurm(partition="a", gpus=8, sbatch={"account": "lab"})
    assert (sweep.program.gpus, sweep.program.devices) == (0, ())
    # The command line's word wins; of the same kind, it keeps the file's options.
    assert read_sweep(path, (), Given(executor="slurm")).executor == sweep.executor
    with pytest.raises(SweepError, match=r"trial\.gpus: 8 are asked for, and 1 are visible"):
        read_sweep(path, (), Given(executor="process"))
    path.write_text('executor = "process"\n' + SPACE + TRIAL)
    assert read_sweep(path).executor == Process()
    path.write_text(
        'executor = { name = "slurm", gpu = 1, time = [], nodes = 0 }\n' + SPACE + TRIAL
    )
    with pytest.raises(SweepError) as caught:
        read_sweep(path)
    for word in ("executor.gpu: slurm has no such setting. Did you mean 'gpus'?", "executor.time:"):
        assert word in str(caught.value)
    path.write_text('executor = { name = "slurm", nodes = 0, cpus = 0 }\n' + SPACE + TRIAL)
    with pytest.raises(SweepError, match=r"executor: nodes must be[\s\S]*executor: cpus must be"):
        read_sweep(path)
