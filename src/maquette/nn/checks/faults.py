"""From slopes to faults: what does not scale as it should, by which power, and what to do.

The limits decide between hypotheses: in the limit of large width a sound tensor has slope 0 and a
faulty one 1/2 or 1, of either sign. At the widths of a check sound ones reach 0.25.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

from maquette.nn.checks.slopes import Slope

LIMIT = 0.4  # of slopes after training
SURE = 0.25  # what is left of a slope's size two errors below must be above this
EXACT = 0.3  # of slopes at initialisation and of bounds, which have little noise
REACH = 64.0  # epsilon is judged this many times wider than the widest run
SWAMPED = 0.1  # epsilon over the gradient from which updates change
STEEP = 0.75  # of the output, which under standard initialisation may grow by 1/2 at first
FLAT = 0.1  # entropy of a softmax, over its greatest, that counts as collapsed

Code = Literal[
    "activation", "attention", "update", "tied", "epsilon", "scores", "output", "spectral",
    "depth", "spike", "entropy", "sharpness", "lr-drift",
]  # fmt: skip
WARNINGS: tuple[Code, ...] = (
    "scores", "output", "spectral", "spike", "entropy", "sharpness"
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not scale as it should.

    Parameters
    ----------
    code
        Of what kind it is.
    where
        The tensor or module; layers that agree are one, with a star.
    exponent, error
        The power of ``axis`` by which it is off, and its standard error; NaN where none was
        fitted.
    axis
        ``width`` or ``depth``.
    text, fix
        A sentence each.
    follows
        Whether it probably follows from a fault before it.
    """

    code: Code
    where: str
    exponent: float
    error: float
    axis: str
    text: str
    fix: str
    follows: bool = False

    @property
    def warning(self) -> bool:
        """Whether it lowers the trust without ending it."""
        return self.code in WARNINGS

    @property
    def power(self) -> float:
        """The exponent as theory has it: the nearest multiple of 1/2, but never 0."""
        if not math.isfinite(self.exponent):
            return math.nan
        nearest = max(round(2 * abs(self.exponent)), 1) / 2
        return math.copysign(nearest, self.exponent)


def grown(exponent: float, axis: str = "width") -> str:
    """In words, how something follows an axis."""
    return f"{'grows' if exponent > 0 else 'shrinks'} as {axis}^{exponent:+.2f}"


def beyond(slope: Slope, limit: float = LIMIT) -> bool:
    """Whether a slope is larger than sound models have, and surely so."""
    size = abs(slope.exponent)
    return size > limit and size - 2 * slope.error > min(SURE, limit)


def activation_faults(
    out: Mapping[str, Slope], given: Mapping[str, Slope], fixed: Callable[[str], bool]
) -> list[Fault]:
    """Modules whose output scale follows the width before training, by their own doing.

    Parameters
    ----------
    out, given
        Slopes of the modules' outputs and inputs, in the order in which the modules end.
    fixed
        Whether a module's output keeps its shape at every width; such outputs may vanish.
    """
    found: list[Fault] = []
    for name, slope in out.items():
        if fixed(name) and not (name == "" and slope.exponent > 0):
            continue
        if not beyond(slope, EXACT):
            continue
        before = given[name].exponent if name in given else 0.0
        inner = any(f.where.startswith(f"{name}.") or not name for f in found)
        own = abs(slope.exponent - before) > EXACT / 2 and not inner
        where = name or "the model's output"
        found.append(
            Fault(
                "activation",
                where,
                slope.exponent,
                slope.error,
                "width",
                f"what {where} puts out {grown(slope.exponent)} before any training",
                f"multiply it by (base width / width)^{_half(slope.exponent):+g}, or take a mean "
                "over the width where it takes a sum, a root mean square where it takes a length",
                follows=not own,
            )
        )
    return found


def attention_faults(aligned: Mapping[str, Slope]) -> list[Fault]:
    """Softmaxes whose scores grow with the width once queries and keys agree."""
    found = []
    for name, slope in aligned.items():
        if not beyond(slope, EXACT):
            continue
        fix = (
            "heads grow with the width: divide the scores by the size of a head, not by its root "
            "(scaled_dot_product_attention(..., scale=sqrt(base size) / size)), or keep the size "
            "of a head and add heads"
            if slope.exponent > 0
            else "they vanish in a wide model: check what queries and keys are multiplied by"
        )
        found.append(
            Fault(
                "attention",
                name,
                slope.exponent,
                slope.error,
                "width",
                f"attention scores of {name} {_verb(slope)} once queries and keys agree, as "
                "training makes them",
                fix,
            )
        )
    return found


def _verb(slope: Slope) -> str:
    return ("grow" if slope.exponent > 0 else "shrink") + f" as width^{slope.exponent:+.2f}"


def _half(exponent: float) -> float:
    return max(round(2 * abs(exponent)), 1) / 2 * (1 if exponent > 0 else -1)


def update_faults(updates: Mapping[str, Slope], roles: Mapping[str, str]) -> list[Fault]:
    """Tensors whose update acts more, or less, in a wider model."""
    found = []
    for name, slope in updates.items():
        if not beyond(slope):
            continue
        plain, _, use = name.partition(" (")
        tied = bool(use) and roles.get(plain) != "vector" and f"{plain} (gather)" in updates
        role = roles.get(plain, "")
        said = f" (taken for {_article(role)})" if role else ""
        power = _half(slope.exponent)
        text = f"the update of {name}{said} {grown(slope.exponent)}"
        if tied and slope.exponent < 0:
            fix = (
                "it is embedding and readout in one: as a matrix it hardly learns in a wide "
                "model. Multiply the logits by base width / width and give it an embedding's "
                f'learning rate: roles={{"{plain}": "embedding"}}'
            )
        else:
            fix = (
                f"multiply its learning rate by (base width / width)^{power:+g}, or what it is "
                "multiplied by in the forward pass; check its role and its parameter group"
            )
        code: Code = "tied" if tied else "update"
        found.append(Fault(code, name, slope.exponent, slope.error, "width", text, fix))
    return found


def _article(role: str) -> str:
    return f"an {role} matrix" if role == "embedding" else f"a {role} matrix" if role in (
        "hidden", "readout", "tied", "router") else f"a {role}"  # fmt: skip


def epsilon_faults(ratios: Mapping[str, Slope]) -> list[Fault]:
    """Tensors whose gradient falls towards Adam's epsilon as the width grows."""
    found = []
    for name, slope in ratios.items():
        width, last = slope.points[-1]
        at_reach = last * REACH ** max(slope.exponent, 0.0)
        rising = slope.exponent > SURE and slope.exponent > 2 * slope.error
        if not (rising and at_reach > SWAMPED):
            continue
        found.append(
            Fault(
                "epsilon",
                name,
                slope.exponent,
                slope.error,
                "width",
                f"Adam's epsilon is {last:.2g} of the gradient of {name} at width {width:g}, and "
                f"that share {grown(slope.exponent)}: {min(at_reach, 1e3):.2g} at "
                f"{REACH:g} times the width",
                f"scale epsilon with the gradient, by (base width / width)^"
                f"{_half(slope.exponent):g}, as maquette.nn.param_groups does; or make it smaller",
            )
        )
    return found


def spectral_faults(
    norms: Mapping[str, Slope], hidden: Callable[[str], bool], named: set[str]
) -> list[Fault]:
    """Hidden matrices whose change breaks the spectral condition."""
    return [
        Fault(
            "spectral",
            name,
            slope.exponent,
            slope.error,
            "width",
            f"the largest singular value of the change of {name} {grown(slope.exponent)}",
            "it should stay at sqrt(fan-out / fan-in): scale the learning rate by the opposite "
            "power, and not twice if the optimizer scales by shape itself",
        )
        for name, slope in norms.items()
        if hidden(name) and name not in named and slope.exponent > 0 and beyond(slope)
    ]


def warnings_of(
    scores: Mapping[str, Slope], output: Mapping[str, Slope], named: set[str]
) -> list[Fault]:
    """Growth that no single tensor explains."""
    found = [
        Fault(
            "scores",
            name,
            slope.exponent,
            slope.error,
            "width",
            f"training moves the scores of {name} by what {grown(slope.exponent)}",
            "look for what feeds them; heads, routers and their norms must not sum over the width",
        )
        for name, slope in scores.items()
        if name not in named and slope.exponent > 0 and beyond(slope)
    ]
    for slope in output.values():
        if slope.exponent > 0 and beyond(slope, STEEP):
            text = f"training moves the model's output by what {grown(slope.exponent)}"
            fix = "lower the readout's learning rate with the width, or multiply the logits"
            found.append(
                Fault("output", "the output", slope.exponent, slope.error, "width", text, fix)
            )
    return found


def sharpness_faults(bends: Mapping[str, Slope]) -> list[Fault]:
    """A loss that bends the more along the optimizer's steps, the wider the model."""
    return [
        Fault(
            "sharpness",
            name,
            slope.exponent,
            slope.error,
            "width",
            f"how sharply the loss bends along the optimizer's steps {grown(slope.exponent)}",
            "the largest stable learning rate falls by that power: scale the rates of the tensors "
            "whose updates grow",
        )
        for name, slope in bends.items()
        if slope.exponent > 0 and beyond(slope)
    ]


def depth_faults(ends: Mapping[str, Slope]) -> list[Fault]:
    """Residual branches whose updates, summed over the layers, follow the depth.

    Parameters
    ----------
    ends
        Slopes against depth of the updates of the branches' last matrices. A sound one is -1:
        depth many of them add up.
    """
    found = []
    for name, slope in ends.items():
        total = replace(slope, exponent=slope.exponent + 1)
        if not beyond(total):
            continue
        found.append(
            Fault(
                "depth",
                name,
                total.exponent,
                total.error,
                "depth",
                f"the updates of {name}, added up over the layers, {_verb(total)}".replace(
                    "width", "depth"
                ),
                "multiply residual branches by base depth / depth (prepare and param_groups do it "
                'under rule="auto"), or lower their learning rate by that power',
            )
        )
    return found


def layer(name: str) -> str:
    """A name with a star for its first number: that of the layer, in most models."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name, count=1)


def merged(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of layers that agree as one; causes before what follows from them."""
    groups: dict[tuple[object, ...], list[Fault]] = {}
    for f in faults:
        groups.setdefault((f.code, layer(f.where), f.follows, f.exponent > 0), []).append(f)
    out = []
    for (_, name, *_), members in groups.items():
        first = members[0]
        if len(members) == 1:
            out.append(first)
            continue
        mean = sum(f.exponent for f in members) / len(members)
        text = first.text.replace(first.where, f"{name} ({len(members)} of them)")
        text = text.replace(f"^{first.exponent:+.2f}", f"^{mean:+.2f}")
        out.append(replace(first, where=str(name), exponent=mean, text=text))
    return sorted(out, key=lambda f: (f.follows, f.warning))
