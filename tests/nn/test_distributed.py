"""Two processes: groups by the plan on DDP and FSDP2 models, trained as one process trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import copy, json, sys, warnings
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from maquette.bench.live.char_transformer.model import build
from maquette.nn import param_groups, plan, prepare

rank, file = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
warnings.simplefilter("ignore")
base, target = {"width": 32, "depth": 2}, {"width": 64, "depth": 4}
worked_out = plan(build, base, target)
data = torch.randint(96, (4, 17), generator=torch.Generator().manual_seed(0))

def fresh():
    torch.manual_seed(0)
    return prepare(build(**target), worked_out)

def train(model, rows, steps=3, optimizer=None):
    optimizer = optimizer or torch.optim.AdamW(param_groups(model, worked_out, lr=2**-7))
    for _ in range(steps):
        optimizer.zero_grad()
        logits = model(rows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        optimizer.step()
    return optimizer

def weights(model):
    whole = [p.full_tensor() if hasattr(p, "full_tensor") else p for p in model.parameters()]
    return torch.cat([p.detach().flatten() for p in whole])

def rates(optimizer):
    return sorted(g["lr"] for g in optimizer.param_groups for _ in g["params"])

alone = fresh()
expected = rates(train(alone, data))
dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
mine = data[2 * rank : 2 * rank + 2]
found = {}
parallel = DistributedDataParallel(fresh())
found["ddp rates"] = rates(train(parallel, mine)) == expected
found["ddp"] = (weights(parallel) - weights(alone)).abs().max().item()

def sharded(model):
    for block in model.blocks:
        fully_shard(block)
    return fully_shard(model)

model = sharded(fresh())
optimizer = train(model, mine)
found["fsdp rates"] = rates(optimizer) == expected
found["fsdp"] = (weights(model) - weights(alone)).abs().max().item()
# Values are multiplied on the shards alike, and a checkpoint goes on.
torch.manual_seed(0)
later = prepare(sharded(build(**target)), worked_out)
found["prepared"] = (weights(later) - weights(fresh())).abs().max().item()
again = torch.optim.AdamW(param_groups(later, worked_out, lr=2**-7))
states = [copy.deepcopy(s) for s in get_state_dict(model, optimizer)]
set_state_dict(later, again, model_state_dict=states[0], optim_state_dict=states[1])
train(model, mine, 2, optimizer)
train(later, mine, 2, again)
found["resumed rates"] = rates(again) == expected
found["resumed"] = (weights(later) - weights(model)).abs().max().item()
dist.destroy_process_group()
print(json.dumps(found))
"""


@pytest.mark.slow  # two processes that start torch
def test_parallel_and_sharded_training_is_that_of_one_process(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    workers = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path / "meeting")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for worker in workers:
        out, err = worker.communicate(timeout=300)
        assert worker.returncode == 0, err[-2000:]
        found = json.loads(out.splitlines()[-1])
        assert found["ddp rates"]
        assert found["fsdp rates"]
        assert found["resumed rates"]
        assert found["prepared"] == 0
        assert max(found["ddp"], found["fsdp"], found["resumed"]) < 1e-3, found
