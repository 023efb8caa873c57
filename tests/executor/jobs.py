"""Functions for jobs in processes of their own, and the way to ask after those processes."""

import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np


def pids(trial):
    """Note this process, its server, its session and a grandchild; then sleep."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note = {"job": os.getpid(), "server": os.getppid(), "child": child.pid, "sid": os.getsid(0)}
    (trial.folder / "pids.tmp").write_text(json.dumps(note))
    os.rename(trial.folder / "pids.tmp", trial.folder / "pids")
    time.sleep(trial["x"])
    return 1.0


def daemon(trial):
    """Leave a process in a session of its own, which ignores SIGTERM; then `how`."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    note = {"job": os.getpid(), "server": os.getppid(), "child": child.pid}
    (trial.folder / "pids.tmp").write_text(json.dumps(note))
    os.rename(trial.folder / "pids.tmp", trial.folder / "pids")
    time.sleep(trial["x"])
    return 1.0


def stubborn(trial):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return pids(trial)


def spins(trial):
    """Note the processes, then hold the interpreter for ages."""
    trial.config["x"] = 0.0
    pids(trial)
    re.match("(a+)+$", "a" * 60 + "b")


def holds_the_interpreter(trial):
    """Backtrack in C for ages: no other thread and no Python signal handler gets to run."""
    trial.report(0, loss=1.0)
    re.match("(a+)+$", "a" * 60 + "b")
    return 1.0


def dies(trial):
    how = trial["how"]
    print("last words", flush=True)
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)
    return 1.0


def prints(trial):
    """Print `bytes` bytes between a first and a last line, through Python and a subprocess."""
    print("the first line: größe")
    block = "x" * 99_999 + "\n"
    for _ in range(trial["bytes"] // len(block)):
        sys.stdout.write(block)
    subprocess.run([sys.executable, "-c", "print('from a subprocess')"], check=True)
    print("the last line", file=sys.stderr)
    return 1.0


def allocates(trial):
    import resource

    size = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    return float(np.ones(1 << 33, dtype=np.uint8)[-1])


def hoards(trial):
    """Hold `mb` megabytes, in this process or in one below it; then sleep for a while."""
    code = f"held = bytearray({trial['mb']} << 20); import time; time.sleep(1.5)"
    if trial["where"] == "here":
        exec(code)
    else:
        subprocess.run([sys.executable, "-c", code], check=False, start_new_session=True)
    return 1.0


def sees_gpus(trial):
    """Wait for the other job; return the first device that is seen, and how many."""
    meets(trial)
    seen = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    return {"loss": float(seen[0]), "n": len(seen)}


def draws(trial):
    return {"loss": np.random.random(), "python": random.random()}


def environment(trial):
    null = os.open(os.devnull, os.O_RDONLY)
    return {
        "loss": float(os.environ["OMP_NUM_THREADS"]),
        "no_input": int(os.path.sameopenfile(0, null)),
    }


def torch_threads(trial):
    import torch

    return float(torch.get_num_threads())


def meets(trial):
    """Wait for the other job: both end only if they run at once."""
    here = trial.folder.parent
    (here / f"here{trial.number}").touch()
    deadline = time.monotonic() + 30
    while len(list(here.glob("here*"))) < 2:
        if time.monotonic() > deadline:
            return 1.0
        time.sleep(0.01)
    return 0.0


def descriptors(trial):
    return float(len(os.listdir("/proc/self/fd")))


def square(x):
    return x * x


def pools(trial):
    """Use processes of its own, forked and started afresh."""
    total = 0.0
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            total += sum(pool.map(square, range(4)))
    return total


def leaves(trial):
    """Return, but leave something for the interpreter's end that never ends."""
    import atexit

    atexit.register(time.sleep, 600)
    return 0.25


def noted(folder, timeout=60.0):
    """Return what `pids` wrote, once it is there."""
    deadline = time.monotonic() + timeout
    while not (folder / "pids").exists():
        assert time.monotonic() < deadline, "the job never started"
        time.sleep(0.01)
    return json.loads((folder / "pids").read_text())


def alive(pid):
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(numbers, timeout):
    """Wait for processes to end; return those that are left."""
    deadline = time.monotonic() + timeout
    while (left := [n for n in numbers if alive(n)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def steady(trial):
    """Report twenty times, a tenth of a second apart."""
    for step in range(1, 21):
        time.sleep(0.1)
        if not trial.report(step, loss=trial["x"] / step):
            break
    return trial["x"]


def ranked(trial):
    """Train on every rank of a job, together; return nothing but on the first."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    rank, how = dist.get_rank(), trial["how"]
    print(f"rank {rank} of {dist.get_world_size()}", flush=True)
    (trial.folder / f"pid{rank}").write_text(str(os.getpid()))
    step = 0
    for step in range(1, 7):
        if how == "raise" and rank == 1 and step == 3:
            raise ValueError("rank one is down")
        if how == "kill" and rank == 1 and step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        decision = trial.report(step, loss=1.0 / step if rank == 0 else 99.0)
        dist.all_reduce(torch.ones(1))
        if not decision:
            break
    with trial.checkpoint(step) as folder:
        (folder / f"shard{rank}").write_text(str(rank))
    dist.destroy_process_group()
    return 0.5 if rank == 0 else None


def plain_ranks(trial):
    """Report on every rank without torch; note how far each one came."""
    rank = os.environ["RANK"]
    time.sleep(0.5 * int(rank))
    step = 0
    for step in range(1, 7):
        if not trial.report(step, loss=1.0 / step):
            break
    (trial.folder / f"steps{rank}").write_text(str(step))
    return 0.5 if rank == "0" else None


def saves_when_told(trial):
    """Save on SIGTERM, which takes half a second, and go on."""

    def save(number, frame):
        time.sleep(0.5)
        (trial.folder / "saved").touch()

    signal.signal(signal.SIGTERM, save)
    return pids(trial)
