"""How good is the demo's recipe at its target? The demo for several seeds, each with a sweep.

    python benchmarks/demo/measure.py --seeds 0 1 2 --out runs --record benchmarks/records/NAME

For every seed: the demo as a user runs it; then eleven learning rates, half an octave apart and
centred on the recipe's, its other settings and the seed kept, trained at the target. The recipe's
excess is its loss over the best of the eleven, minus one.

Every run is kept in ``--out``: the same command goes on where it stopped. On a machine that is
busy with other things the demo's own time limits cut its search short; the number of trials is in
the record.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from maquette.demo import designs, prepare, run

STEPS = range(-5, 6)  # half octaves about the recipe's learning rate


def measure(seed: int, quick: bool, out: Path) -> dict[str, Any]:
    """Return what was predicted and measured for one seed."""
    kept = out / "demo.json"
    if not kept.exists():
        out.mkdir(parents=True, exist_ok=True)
        result = run(quick=quick, out=out, seed=seed)
        kept.write_text(json.dumps(result.to_json()))
    demo = json.loads(kept.read_text())
    design = designs.quick() if quick else designs.full()
    job = prepare(design, out, None, seed)
    recipe = next(r for r in demo["runs"] if r["label"] == "recipe")
    configs = {}
    for step in STEPS:
        if step:
            lr = recipe["config"]["lr"] * 2 ** (step / 2)
            configs[f"sweep{step:+d}"] = ({**recipe["config"], "lr": lr}, recipe["scale"])
    sweep = job.train(configs, _show(seed))
    losses = {0: float(recipe["loss"])}
    losses |= {step: sweep[f"sweep{step:+d}"].loss for step in STEPS if step}
    best = min((loss for loss in losses.values() if math.isfinite(loss)), default=math.nan)
    copied = next(r for r in demo["runs"] if r["label"] == "copied")
    return {
        "seed": seed,
        "recipe": demo["recipe"],
        "config": recipe["config"],
        "copied_config": copied["config"],
        "trials": demo["trials"],
        "seconds": demo["seconds"],
        "loss": recipe["loss"],
        "predicted": demo["recipe"]["loss"],
        "sweep": [{"step": k, "loss": _finite(v)} for k, v in sorted(losses.items())],
        "best": _finite(best),
        "excess": _finite(float(recipe["loss"]) / best - 1),
        "copied": copied["loss"],
        "copied_state": copied["state"],
        "gain": demo["target"]["gain"],
        "inside": demo["target"]["inside"],
    }


def _show(seed: int) -> Any:
    state = {"next": 0.0}

    def watch(runs: Any) -> None:
        if time.monotonic() >= state["next"]:
            state["next"] = time.monotonic() + 15
            done = sum(run.state.value in ("done", "diverged") for run in runs)
            now = [f"{r.label} {100 * r.steps[-1]:.0f} %" for r in runs if _running(r)]
            text = f"seed {seed}: sweep {done}/{len(runs)} done; {', '.join(now)}"
            print(text, file=sys.stderr, flush=True)

    return watch


def _running(run: Any) -> bool:
    return run.state.value == "running" and bool(run.steps)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| seed | trials | search s | total s | verdict | predicted (90 %) | recipe | inside "
        "| best of 11 | excess | copied | copied is worse by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        low, high = r["predicted"]["interval"]
        copied = r["copied_state"] if r["copied"] is None else f"{r['copied']:.4f}"
        gain = "" if r["gain"] is None else f"{100 * r['gain']:.2f} %"
        lines.append(
            f"| {r['seed']} | {sum(r['trials'].values())} | {r['seconds']['search']:.0f} "
            f"| {r['seconds']['total']:.0f} | {r['recipe']['verdict']['level']} "
            f"| {r['predicted']['mean']:.4f} ({low:.4f} to {high:.4f}) | {r['loss']:.4f} "
            f"| {'yes' if r['inside'] else 'no'} | {r['best']:.4f} | {100 * r['excess']:.2f} % "
            f"| {copied} | {gain} |"
        )
    lines += ["", "Loss over the best of the sweep, by half octaves of the recipe's learning rate:"]
    lines += ["", "| seed | " + " | ".join(f"{k:+d}" for k in STEPS) + " |"]
    lines += ["| --- |" + " --- |" * len(STEPS)]
    for r in rows:
        cells = [
            "diverged" if p["loss"] is None else f"{100 * (p['loss'] / r['best'] - 1):.2f} %"
            for p in r["sweep"]
        ]
        lines.append(f"| {r['seed']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every seed; write the raw figures and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, required=True, help="where every run is kept")
    parser.add_argument("--record", type=Path, required=True, help="where the figures go")
    options = parser.parse_args()
    name = "quick" if options.quick else "full"
    options.record.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in options.seeds:
        began = time.monotonic()
        rows.append(measure(seed, options.quick, (options.out / f"{name}-{seed}").resolve()))
        machine = {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        }
        raw = {"design": name, "machine": machine, "rows": rows}
        (options.record / f"{name}.json").write_text(json.dumps(raw, indent=1) + "\n")
        (options.record / f"{name}.md").write_text(table(rows) + "\n")
        print(f"seed {seed}: {time.monotonic() - began:.0f} s\n{table(rows)}", flush=True)


if __name__ == "__main__":
    main()
