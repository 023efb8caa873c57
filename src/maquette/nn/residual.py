"""Residual branches, read from the graph of activations.

A sum ``x + f(x)`` is recognised by one operand being an ancestor of the other. Walking back from
the end of the branch through linear operations leads to the parameters in which the branch is
linear: its last matrix, with its bias. To multiply a branch by a constant is to multiply those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from maquette.nn.trace import Node, Trace

NORMS = {
    "native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm", "layer_norm",
    "rms_norm", "_fused_rms_norm", "native_rms_norm",
}  # fmt: skip
_NORM_PARTS = {"rsqrt", "linalg_vector_norm", "norm", "clamp_min", "reciprocal", "sqrt", "std"}
LINEAR = {
    "add", "sub", "neg", "mul", "div", "sum", "mean", "cat", "stack", "clone", "_to_copy", "copy",
    "native_dropout", "dropout", "constant_pad_nd", "index", "index_select", "gather", "index_add",
    "scatter_add", "scatter", "index_put", "repeat", "slice_scatter", "select_scatter", "roll",
    "contiguous", "where", "masked_fill",
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Branch:
    """One residual branch.

    Parameters
    ----------
    ends
        Parameters in which the branch is linear: multiplying them multiplies the branch.
    members
        Every parameter of the branch, the ends included.
    factor
        Product of the numbers by which the model multiplies the branch already.
    refused
        Why there are no ends, or empty.
    """

    ends: frozenset[str]
    members: frozenset[str]
    factor: float = 1.0
    refused: str = ""


def branches(trace: Trace) -> list[Branch]:
    """Return every outermost residual branch, in the order of the forward pass."""
    nodes = trace.nodes
    trunks: dict[int, int] = {}  # sum -> its operand on the residual stream
    found: dict[int, tuple[set[int], Branch]] = {}
    for i, node in enumerate(nodes):
        split = _split(nodes, trunks, node) if node.op == "add" else None
        if split is None:
            continue
        trunk, end, region = split
        trunks[i] = trunk
        alpha = node.factors[node.parents.index(end)] if node.factors else 1.0
        if _through_views(nodes, end) in trunks:
            branch = Branch(frozenset(), frozenset(), 1.0, "adds two residual streams")
        else:
            branch = _branch(nodes, end, region, alpha)
        found[i] = (region, branch)
    inner = {i for i in found if any(i in region for j, (region, _) in found.items() if j != i)}
    return [branch for i, (_, branch) in found.items() if i not in inner and branch.members]


def _split(
    nodes: list[Node], trunks: dict[int, int], node: Node
) -> tuple[int, int, set[int]] | None:
    """Which operand of a sum is the stream, which is the branch, and the branch's activations."""
    if len(node.parents) != 2 or node.parents[0] == node.parents[1]:
        return None
    p, q = node.parents
    for trunk, end in ((p, q), (q, p)):
        region = _between(nodes, trunk, end)
        if region is not None:
            return trunk, end, region
    for trunk, end in ((p, q), (q, p)):  # parallel branches: both start further back on the stream
        for start in _stream(nodes, trunks, trunk):
            region = _between(nodes, start, end)
            if region is not None:
                return trunk, end, region
    return None


def _through_views(nodes: list[Node], i: int) -> int:
    while (nodes[i].view or nodes[i].op in ("_to_copy", "clone")) and len(nodes[i].parents) == 1:
        i = nodes[i].parents[0]
    return i


def _stream(nodes: list[Node], trunks: dict[int, int], i: int) -> Iterator[int]:
    """Earlier states of the residual stream, from the newest to the oldest."""
    i = _through_views(nodes, i)
    while i in trunks:
        i = _through_views(nodes, trunks[i])
        yield i


def _between(nodes: list[Node], start: int, end: int) -> set[int] | None:
    """Activations newer than ``start`` that lead to ``end``, if ``start`` leads there too."""
    if start >= end:
        return None
    seen, stack, reached = {end}, [end], False
    while stack:
        for parent in nodes[stack.pop()].parents:
            reached = reached or parent == start
            if parent > start and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen if reached else None


def _branch(nodes: list[Node], end: int, region: set[int], alpha: float) -> Branch:
    members = frozenset(name for i in region for name, _ in nodes[i].uses)
    try:
        ends, factor = _ends(nodes, end, region)
    except _NotLinear as reason:
        return Branch(frozenset(), members, reason.factor * alpha, str(reason))
    return Branch(frozenset(ends), members, factor * alpha)


class _NotLinear(Exception):  # noqa: N818 - a signal inside this file, not an error
    """The branch ends in an operation that is not linear in any parameter."""

    def __init__(self, text: str, factor: float = 1.0) -> None:
        super().__init__(text)
        self.factor = factor


def _ends(nodes: list[Node], i: int, region: set[int]) -> tuple[set[str], float]:
    """Walk back from ``i`` to the parameters it is linear in; with the multipliers on the way."""
    node = nodes[i]
    if node.unknown_factor:
        raise _NotLinear("is multiplied by a tensor; write its multiplier as a number")
    own = {name for name, _ in node.uses}
    matrices = {name for name, use in node.uses if use.kind == "contract"}
    if len(matrices) > 1:
        raise _NotLinear("ends in a matrix that is computed from several parameters")
    if matrices:
        return own, node.factor
    if node.op in NORMS or _is_norm(nodes, node):
        raise _NotLinear("ends in a norm")
    if own and node.op == "mul":
        if any(_is_norm(nodes, nodes[_through_views(nodes, p)]) for p in node.parents):
            raise _NotLinear("ends in a norm")
        return own, node.factor
    inside = [p for p in dict.fromkeys(node.parents) if p in region and nodes[p].floating]
    if not inside or not (node.view or node.op in LINEAR or node.op == "bmm"):
        raise _NotLinear(f"ends in {node.op}")
    ends, factor = _operands(nodes, node, inside, region)
    return ends | own, factor


def _operands(
    nodes: list[Node], node: Node, inside: list[int], region: set[int]
) -> tuple[set[str], float]:
    """Combine the operands of a linear operation: any factor of a product, every term of a sum."""
    product = node.op in ("mul", "bmm", "div", "where", "masked_fill") and len(inside) > 1
    results: list[tuple[set[str], float]] = []
    failure: _NotLinear | None = None
    for p in inside:
        weight = node.factors[node.parents.index(p)] if node.factors else 1.0
        scale = node.factor * weight
        try:
            names, factor = _ends(nodes, p, region)
        except _NotLinear as reason:
            failure = _NotLinear(str(reason), reason.factor * scale)
            if not product:
                raise failure from None
            continue
        results.append((names, factor * scale))
        if product:
            break
    if not results:
        raise failure or _NotLinear(f"ends in {node.op}")
    if len({factor for _, factor in results}) > 1:
        raise _NotLinear("is a sum of terms with different multipliers")
    return set().union(*(names for names, _ in results)), results[0][1]


def _is_norm(nodes: list[Node], node: Node) -> bool:
    """A norm that is written out: divided by a root mean square."""
    if node.op not in ("mul", "div"):
        return False
    return any(nodes[_through_views(nodes, p)].op in _NORM_PARTS for p in node.parents)
