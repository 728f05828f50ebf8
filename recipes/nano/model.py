"""The network, as the Llama architecture has it, in the few lines that training needs.

It is written out and not taken from `transformers` because it is compiled, and half of the time on two cores would
otherwise go into what a small model does not need. `export.py` gives its weights the names that everybody loads.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Sizes; the vocabulary is the tokenizer's."""

    vocabulary: int
    hidden: int = 224
    layers: int = 4
    heads: int = 7
    inner: int = 608
    context: int = 2048
    theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.hidden // self.heads


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        wide, inner = shape.hidden, shape.inner
        self.input_norm = nn.RMSNorm(wide, eps=shape.epsilon)
        self.query, self.key, self.value, self.out = (nn.Linear(wide, wide, bias=False) for _ in range(4))
        self.output_norm = nn.RMSNorm(wide, eps=shape.epsilon)
        self.gate, self.up = nn.Linear(wide, inner, bias=False), nn.Linear(wide, inner, bias=False)
        self.down = nn.Linear(inner, wide, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, _ = x.shape
        y = self.input_norm(x)

        def heads(z: Tensor) -> Tensor:
            return z.view(batch, time, self.shape.heads, self.shape.head).transpose(1, 2)

        def turn(z: Tensor) -> Tensor:
            left, right = z.chunk(2, -1)
            return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)

        query, key, value = turn(heads(self.query(y))), turn(heads(self.key(y))), heads(self.value(y))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, -1))
        y = self.output_norm(x)
        out: Tensor = x + self.down(functional.silu(self.gate(y)) * self.up(y))
        return out


class Network(nn.Module):
    """Embeddings are tied: with a vocabulary this small the output needs no matrix of its own."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        nn.init.normal_(self.embed.weight, std=0.02)
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and "embed" not in name:
                last = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 if last else 0.06)
        angle = torch.outer(
            torch.arange(shape.context).float(),
            shape.theta ** (-torch.arange(0, shape.head, 2).float() / shape.head),
        )
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits for each position of `tokens` (batch × time)."""
        time = tokens.shape[1]
        cos, sin = self.get_buffer("cos")[:time], self.get_buffer("sin")[:time]
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin)
        logits: Tensor = self.norm(x) @ self.embed.weight.T
        return logits


def loss(network: nn.Module, tokens: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy of each token after the first; `weights` is aligned with `tokens`."""
    logits = network(tokens[:, :-1]).float()
    target, weight = tokens[:, 1:], weights[:, 1:]
    each = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    return (each * weight.flatten()).sum() / weight.sum()
