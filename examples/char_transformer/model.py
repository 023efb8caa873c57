"""A decoder-only transformer, pre-norm, in the standard parametrization.

It knows nothing of Maquette. Width and depth are plain arguments; heads have a fixed size of 16, so
a wider model has more heads; every matrix starts at variance 1 / fan_in.

References
----------
Radford et al. (2019). Language models are unsupervised multitask learners (GPT-2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from .data import VOCABULARY

HEAD = 16
CONTEXT = 64
EMBEDDING_STD = 0.3


class Attention(nn.Module):
    """Causal self-attention with heads of fixed size. ``(B, T, width) -> (B, T, width)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to the present and the past."""
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3 * self.heads, HEAD).transpose(1, 2).chunk(3, dim=1)
        y = scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(B, T, C))
        return out


class Mlp(nn.Module):
    """Two layers with a GELU between them, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position by itself."""
        out: Tensor = self.down(gelu(self.up(x)))
        return out


class Block(nn.Module):
    """One layer: two residual branches, each behind its norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.attention = Attention(width)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """Add both branches to the residual stream."""
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class CharTransformer(nn.Module):
    """Predicts the next character: ``(B, T)`` indices -> ``(B, T, vocabulary)`` logits.

    Parameters
    ----------
    width
        Size of the residual stream, a multiple of 16.
    depth
        Number of blocks.
    vocabulary
        Number of symbols.
    context
        Longest sequence, in characters.
    """

    def __init__(
        self, width: int, depth: int, vocabulary: int = VOCABULARY, context: int = CONTEXT
    ) -> None:
        super().__init__()
        if width < HEAD or width % HEAD:
            raise ValueError(
                f"width must be a multiple of {HEAD} (the size of a head), not {width}"
            )
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        self.readout = nn.Linear(width, vocabulary, bias=False)
        self.apply(_initialise)

    def forward(self, index: Tensor) -> Tensor:
        """Logits of the next character at every position."""
        place = torch.arange(index.shape[-1], device=index.device)
        x = self.token(index) + self.position(place)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.readout(self.norm(x))
        return logits


def _initialise(module: nn.Module) -> None:
    """Standard parametrization: matrices N(0, 1 / fan_in), embeddings N(0, EMBEDDING_STD^2)."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=EMBEDDING_STD)


def build(width: int, depth: int) -> CharTransformer:
    """Return the model at one scale: the function that Maquette is given."""
    return CharTransformer(width, depth)
