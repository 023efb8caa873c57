"""What a job asks Slurm for, and what Slurm's words mean."""

import pytest

import maquette as mq
from maquette.errors import ExecutorError
from maquette.executor import Slurm, open_executor
from maquette.executor.slurm_states import read_states, standing
from maquette.testing import executor_jobs as jobs
from maquette.trial import State
from tests.services import needs


def script(**options):
    """Return what sbatch would read."""
    make = pytest.importorskip("submitit.slurm.slurm")._make_sbatch_string
    return make(command="run", folder="/shared", **Slurm(**options)._parameters()).splitlines()


@needs("submitit")
def test_every_parameter_reaches_sbatch():
    lines = script(
        partition="gpu",
        time="1h 30m",
        gpus=8,
        cpus=12,
        memory=2**36,
        nodes=2,
        tasks_per_node=8,
        sbatch={"account": "lab", "exclusive": True, "gres_flags": "enforce-binding"},
        setup=["module load cuda"],
    )
    for line in (
        "#SBATCH --partition=gpu",
        "#SBATCH --time=90",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --cpus-per-task=12",
        "#SBATCH --mem=65536M",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=8",
        "#SBATCH --account=lab",
        "#SBATCH --exclusive",
        "#SBATCH --gres-flags=enforce-binding",
        "#SBATCH --no-requeue",
        "module load cuda",
    ):
        assert line in lines


@needs("submitit")
def test_what_is_not_said_is_left_to_the_cluster():
    lines = script()
    for option in ("time", "partition", "mem", "gpus-per-node", "cpus-per-task"):
        assert not [line for line in lines if line.startswith(f"#SBATCH --{option}=")]


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        (90, 2),
        (3600.0, 60),
        ("4h", 240),
        ("1d 2h", 1560),
        ("90:00", 90),
        ("1:30:00", 90),
        ("2-0", 2880),
        ("1-12:30", 2190),
        ("1-00:00:30", 1441),
    ],
)
def test_times_are_minutes_rounded_up(time, minutes):
    assert Slurm(time=time)._parameters()["time"] == minutes


@pytest.mark.parametrize(
    ("memory", "megabytes"),
    [(2**30, "1024M"), (1, "1M"), ("500M", "500M"), ("1.5 GB", "1536M"), ("2TiB", "2097152M")],
)
def test_memory_is_megabytes(memory, megabytes):
    assert Slurm(memory=memory)._parameters()["mem"] == megabytes


def test_every_mistake_is_named_at_once():
    with pytest.raises(ExecutorError) as caught:
        Slurm(
            partition=3,
            time="soon",
            gpus=-1,
            cpus=True,
            memory="lots",
            nodes=0,
            tasks_per_node=1.5,
            sbatch={"time": "4h", "output": "x", "Bad Key": 1, "account": False, "comment": "a\nb"},
            setup="module load cuda",
            python="",
            grace=-1,
            cluster="locl",
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 16
    for word in (
        "partition must be a text",
        "time must be seconds",
        "gpus must be a whole number",
        "cpus must be",
        "memory must be bytes",
        "nodes must be",
        "tasks_per_node must be",
        "sbatch['time'] is given by the parameter time",
        "sbatch['output'] is set by Maquette",
        "sbatch['Bad Key'] is no option",
        "sbatch['account'] must be",
        "sbatch['comment'] holds a line break",
        "setup must be a list",
        "python must be a text",
        "grace must be",
        "Did you mean 'local'?",
    ):
        assert word in text, word


@pytest.mark.parametrize("time", [0, -5, "", "4 fortnights", "nan", float("inf"), True, "1h2", []])
def test_what_is_no_time_is_refused(time):
    with pytest.raises(ExecutorError, match="time must be"):
        Slurm(time=time)


@pytest.mark.parametrize(
    ("word", "state", "lost"),
    [
        ("COMPLETED", State.CRASHED, False),
        ("FAILED", State.CRASHED, False),
        ("OUT_OF_MEMORY", State.OOM, False),
        ("TIMEOUT", State.TIMEOUT, False),
        ("DEADLINE", State.TIMEOUT, False),
        ("CANCELLED by 1000", State.INTERRUPTED, False),
        ("CANCELLED+", State.INTERRUPTED, False),
        ("NODE_FAIL", State.INTERRUPTED, True),
        ("PREEMPTED", State.INTERRUPTED, True),
        ("BOOT_FAIL", State.INTERRUPTED, True),
        ("PENDING", None, False),
        ("RUNNING", None, False),
        ("COMPLETING", None, False),
        ("SUSPENDED", None, False),
        ("A_STATE_OF_TOMORROW", None, False),
        ("", None, False),
    ],
)
def test_what_slurm_says_of_a_job(word, state, lost):
    said = standing(word)
    assert (said.state, said.lost) == (state, lost)
    assert state is None or word.split()[0] in said.message


def test_steps_and_noise_are_left_out():
    text = "12|COMPLETED\n12.batch|COMPLETED\n13|PENDING|x\n\nslurm error\n14_[1-3]|RUNNING\n"
    assert read_states(text) == {"12": "COMPLETED", "13": "PENDING"}


@needs("submitit")
def test_a_function_that_no_other_machine_can_find_is_refused():
    with pytest.raises(ExecutorError, match="not at the top level of a file"):
        open_executor(Slurm(cluster="local"), lambda trial: 0.0)


@needs("submitit")
def test_without_slurm_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExecutorError, match="there is no Slurm here") as caught:
        open_executor("slurm", jobs.number)
    assert 'cluster="local"' in str(caught.value)


def test_it_is_reached_from_the_package():
    assert mq.executor.Slurm is Slurm
