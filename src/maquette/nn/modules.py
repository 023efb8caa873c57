"""Settings for each kind of module: the space to search, and the plan that a config makes.

The factor of a setting zeta at module type m in layer l of L is a product,

    zeta[m, l] = zeta * zeta_type[m] * zeta_depth[l / L],

so |M| + 1 multipliers are searched in place of |M| L. All of them are relative to the plan, which
knows how width, depth, batch and tokens act; what was tuned at a proxy is multiplied on at the
target alike. ``zeta_depth`` is a line in log space from the first layer to the last, of geometric
mean 1.

References
----------
Mlodozeniec et al. (2025). Completed hyperparameter transfer across modules, width, depth, batch and
    duration. arXiv:2512.22382.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from maquette.errors import PlanError, nearest
from maquette.nn.build import BUDGET, Builder, Point, scales
from maquette.nn.example import Example
from maquette.nn.plan import ParameterPlan, Plan
from maquette.nn.roles import ParameterRole, anatomy
from maquette.scale import Scale
from maquette.scaling.parametrization import Role
from maquette.space import Float, Parameter, Space

Tuned = Literal["lr", "weight_decay", "init"]
By = Literal["type", "depth"]
TUNED: tuple[Tuned, ...] = ("lr", "weight_decay", "init")
BY: tuple[By, ...] = ("type", "depth")
# What the global settings may be, and how far a module may be from them.
_GLOBAL = {
    "lr": Float(1e-4, 1e-1, log=True, default=2**-8),
    "weight_decay": Float(1e-3, 1.0, log=True, default=0.1),
    "init": Float(1 / 4, 4.0, log=True, default=1.0),
}
_REACH = {"lr": 16.0, "weight_decay": 16.0, "init": 4.0}
_MATRICES = ("embedding", "hidden", "readout", "tied", "router")


def module_space(
    build: Builder,
    scale: Scale | Point,
    tune: Tuned | Sequence[Tuned] = ("lr", "weight_decay", "init"),
    by: By | Sequence[By] = ("type", "depth"),
    example: Example | None = None,
    roles: Mapping[str, Role] | None = None,
) -> Space:
    """Return the space of global settings and of multipliers for each type of module.

    Parameters
    ----------
    build
        As in `maquette.nn.plan`.
    scale
        The study's scale, whose base is used, or the base itself: ``dict(width=64, depth=2)``.
    tune
        What to tune, one or several of ``lr``, ``weight_decay`` and ``init``. Only matrices have
        the last two.
    by
        ``type``: a multiplier ``lr/attention.q`` for each type of module, layers alike; all gains
        are one type, and all biases. ``depth``: ``lr@depth``, the last layer's over the first's.
    example, roles
        As in `maquette.nn.plan`.

    Returns
    -------
    Space
        ``lr``, ``lr/attention.q``, ..., ``lr@depth``, ``weight_decay``, ... All multipliers are log
        and 1 by default, so the default config is that of no modules at all. `with_modules` applies
        a config.

    Raises
    ------
    PlanError
        As in `maquette.nn.plan`; or something to tune is not known.
    """
    # One name alone is what a person means by it, not its letters.
    tune = (tune,) if isinstance(tune, str) else tuple(tune)
    by = (by,) if isinstance(by, str) else tuple(by)
    problems = [f"tune: no setting {t!r}.{nearest(str(t), TUNED)}" for t in tune if t not in TUNED]
    problems += [f"by: {b!r} is not a way.{nearest(str(b), BY)}" for b in by if b not in BY]
    if not tune:
        problems.append("tune names no setting: lr, weight_decay or init")
    if problems:
        raise PlanError(problems)
    base = scale.base if isinstance(scale, Scale) else dict(scale)
    model = {k: v for k, v in base.items() if k not in BUDGET}
    deeper = {**model, "depth": 2 * model["depth"]} if "depth" in model else model
    found = anatomy(build, scales(build, model, deeper), example, roles)
    types = _types(found.parameters, found.layers.template)
    layered = any(found.layers.repeats(name) for name in found.parameters)
    parameters: dict[str, Parameter] = {}
    for setting in tune:
        parameters[setting] = _GLOBAL[setting]
        reach = _REACH[setting]
        multiplier = Float(1 / reach, reach, log=True, default=1.0)
        if "type" in by:
            for name, members in types.items():
                matrix = any(found.parameters[m].role in _MATRICES for m in members)
                if setting == "lr" or matrix:
                    parameters[f"{setting}/{name}"] = multiplier
        if "depth" in by and layered:
            parameters[f"{setting}@depth"] = multiplier
    return Space(parameters)


def with_modules(plan: Plan, config: Mapping[str, object]) -> Plan:
    """Return the plan with a config's multipliers in its factors, for `param_groups` and `prepare`.

    The global ``lr`` and ``weight_decay`` of the config remain arguments of `param_groups`; a
    global ``init`` multiplies the hidden matrices, as ``init_scale`` of `prepare`.

        tuned = with_modules(plan, trial)
        prepare(model, tuned)
        groups = param_groups(model, tuned, lr=trial["lr"], weight_decay=trial["weight_decay"])

    Parameters
    ----------
    plan
        At any scale: the base's, or the target's.
    config
        Of a space from `module_space`, perhaps with other settings in it.

    Raises
    ------
    PlanError
        The config speaks of a type of module that the plan has not.
    """
    names = _names(config)
    places = {name: _place(name, plan) for name in plan.parameters}
    unmet = set(names)
    rows = {}
    for name, p in plan.parameters.items():
        factors = dict.fromkeys(TUNED, 1.0)
        for key in names:
            setting, kind = _parts(key)
            here = _factor(cast("float", config[key]), kind, p, places[name])
            if here is not None:
                unmet.discard(key)
                factors[setting] *= here
        if not _decays(p):
            factors["weight_decay"] = factors["init"] = 1.0
        rows[name] = replace(
            p,
            init=p.init * factors["init"],
            lr=p.lr * factors["lr"],
            # An optimizer shrinks by lr * weight_decay: what a module's lr is multiplied by must
            # not change how long it remembers.
            weight_decay=p.weight_decay * factors["weight_decay"] / factors["lr"],
        )
    if unmet:
        known = sorted({t for name in plan.parameters for t in _spellings(name)})
        raise PlanError(
            [
                f"{key!r} is about no module of the plan.{nearest(_parts(key)[1], known)}"
                for key in sorted(unmet)
            ],
            hint="make the space by module_space from the same build as the plan",
        )
    return replace(plan, parameters=rows)


def _names(config: Mapping[str, object]) -> list[str]:
    """Keys of a config that speak of modules."""
    found = []
    for key in config:
        setting = key.partition("/")[0].partition("@")[0]
        if setting in TUNED and (key != setting or key == "init"):
            found.append(key)
    return found


def _parts(key: str) -> tuple[Tuned, str]:
    """``lr/attention.q`` -> lr, attention.q; ``lr@depth`` -> lr, @depth; ``init`` -> init, ''."""
    if "@" in key:
        setting, _, rest = key.partition("@")
        return cast("Tuned", setting), f"@{rest}"
    setting, _, rest = key.partition("/")
    return cast("Tuned", setting), rest


def _factor(
    value: float, kind: str, p: ParameterPlan, place: tuple[int, int] | None
) -> float | None:
    """What a multiplier of a config means for one parameter; ``None``: it is not about it."""
    if kind == "":
        return value if p.role == "hidden" else None
    if kind == "@depth":
        if place is None:
            return None
        layer, last = place
        return float(value ** (layer / last - 0.5)) if last else 1.0
    return value if kind in _spellings(p.name) or kind == _family(p.name, p.role) else None


def _decays(p: ParameterPlan) -> bool:
    return p.role in _MATRICES


def _types(
    parameters: Mapping[str, ParameterRole], template: Callable[[str], str]
) -> dict[str, list[str]]:
    """Parameters by type of module, in the order of the model."""
    stars: dict[str, list[str]] = {}
    for name, r in parameters.items():
        key = _family(name, r.role) or template(name)
        stars.setdefault(key, []).append(name)
    short = {key: _short(key) for key in stars}
    taken = list(short.values())
    return {
        (s if taken.count(s) == 1 else key.replace(".*", "").removesuffix(".weight")): stars[key]
        for key, s in short.items()
    }


def _family(name: str, role: str) -> str:
    """Biases are one type, and so are gains; empty for matrices."""
    if role in _MATRICES:
        return ""
    return "biases" if name.rpartition(".")[2].endswith("bias") else "gains"


def _short(template: str) -> str:
    """``blocks.*.attention.q.weight`` -> ``attention.q``."""
    return template.rpartition("*.")[2].removesuffix(".weight")


def _spellings(name: str) -> Iterator[str]:
    """The types that a parameter may be called by."""
    parts = name.removesuffix(".weight").split(".")
    yield ".".join(parts)
    for i, part in enumerate(parts):
        if part.isdigit() and i + 1 < len(parts):
            yield ".".join(parts[i + 1 :])
            yield ".".join(parts[:i] + parts[i + 1 :])


def _place(name: str, plan: Plan) -> tuple[int, int] | None:
    """The layer of a parameter and the last layer, both from 0; ``None`` outside the layers."""
    parts = name.split(".")
    for i, part in enumerate(parts):
        if not part.isdigit():
            continue
        before, after = parts[:i], parts[i + 1 :]
        twins = [
            int(other[i])
            for other in (n.split(".") for n in plan.parameters)
            if len(other) == len(parts)
            and other[:i] == before
            and other[i + 1 :] == after
            and other[i].isdigit()
        ]
        # Layers are counted without gaps; the parts of one nn.Sequential, of which some have no
        # parameters, mostly are not.
        if len(after) > 1 and sorted(twins) == list(range(len(twins))):
            return int(part), len(twins) - 1
    return None
