"""Train a small network to learn a curve; a program that knows nothing of Maquette.

    python3 train.py --lr 0.1 --width 16

Any program will do, in any language: it takes settings by argument, environment or file, and prints
its result.
"""

import argparse
import json
import math
import random

options = argparse.ArgumentParser()
options.add_argument("--lr", type=float, default=0.03)
options.add_argument("--momentum", type=float, default=0.0)
options.add_argument("--width", type=int, default=16)
options.add_argument("--steps", type=int, default=200)
options.add_argument("--seed", type=int, default=0)
args = options.parse_args()


def target(x):
    return math.sin(3 * x) + 0.5 * x


draw = random.Random(args.seed)
inner = [(draw.gauss(0, 2), draw.gauss(0, 1)) for _ in range(args.width)]
outer = [0.0] * args.width
velocity = [0.0] * args.width


def predict(x):
    hidden = [math.tanh(a * x + b) for a, b in inner]
    return hidden, sum(w * h for w, h in zip(outer, hidden, strict=True))


def loss_on(xs):
    return sum((predict(x)[1] - target(x)) ** 2 for x in xs) / len(xs)


BATCH = 8
UNSEEN = [i / 20 - 2 for i in range(81)]
for step in range(1, args.steps + 1):
    rate = args.lr * min(1.0, 2 * (1 - step / args.steps))  # constant, then down to zero
    gradient = [0.0] * args.width
    for x in (draw.uniform(-2, 2) for _ in range(BATCH)):
        hidden, guess = predict(x)
        for i in range(args.width):
            gradient[i] += (guess - target(x)) * hidden[i] / BATCH
    for i in range(args.width):
        velocity[i] = args.momentum * velocity[i] - rate * gradient[i]
        outer[i] += velocity[i]
    if step % 25 == 0:
        loss = loss_on(UNSEEN)
        # A line with a step is a point of the learning curve; bad trials can be stopped early.
        print(json.dumps({"step": step, "loss": loss}))
        if not loss < 1e6:
            break
# The result: NaN means that the run diverged.
loss = loss_on(UNSEEN)
print(json.dumps({"loss": loss if loss < 1e6 else math.nan}))
