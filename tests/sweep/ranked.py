"""A training script of several ranks, as torchrun starts it: python -m tests.sweep.ranked HOW."""

import os
import sys
import time

import torch
import torch.distributed as dist

import maquette as mq


def main(how):
    trial = mq.current_trial()
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    print(f"rank {rank} says {how}", flush=True)
    (trial.folder / f"pid{rank}").write_text(str(os.getpid()))
    step = 0
    for step in range(1, 7):
        if how == "die" and rank == 1 and step == 3:
            os._exit(13)
        if how == "wrong" and step == 2:
            trial.report(step, loss="low" if rank == 0 else 1.0)
        # Only what the first rank says counts.
        decision = trial.report(step, loss=trial["lr"] / step if rank == 0 else 99.0)
        count = torch.ones(1)
        dist.all_reduce(count)  # ranks that part ways never get past this
        if not decision:
            break
    with trial.checkpoint(step) as folder:
        time.sleep(0.3 * rank)  # the folder waits for the last one
        (folder / f"shard{rank}").write_text(str(rank))
    assert (trial.folder / "checkpoints" / str(step) / "shard1").exists()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
