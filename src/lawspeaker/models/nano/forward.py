"""The forward pass of a Llama-architecture checkpoint in NumPy, one conversation at a time.

The core install has no torch, so this is what runs nano everywhere. It computes in single precision what
`transformers` computes from the same file; a test holds the two to each other. Keys and values are kept, so that each
new token costs one column of work. Not covered: batches, grouped heads, biases, scaled positions, anything that
`config.json` can say and nano's does not; `Config.read` refuses what it does not know.
"""

import ctypes
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from lawspeaker.errors import ModelConfigError

Floats = NDArray[np.float32]
_PLAIN: Final = {"hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False}
_BLAS: Final = ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_", "openblas_set_num_threads")


@dataclass(frozen=True)
class Config:
    """The sizes in `config.json`."""

    hidden: int
    layers: int
    heads: int
    context: int
    theta: float
    epsilon: float

    @classmethod
    def read(cls, data: bytes) -> "Config":
        """Raises `ModelConfigError` for an architecture that this module does not compute."""
        said = json.loads(data)
        for key, value in _PLAIN.items():
            if said.get(key, value) != value:
                raise ModelConfigError(f"nano: config.json: {key} must be {value}")
        if said.get("num_key_value_heads", said["num_attention_heads"]) != said["num_attention_heads"]:
            raise ModelConfigError("nano: config.json: num_key_value_heads must equal num_attention_heads")
        theta = said.get("rope_parameters", said).get("rope_theta", 10000.0)
        return cls(
            said["hidden_size"],
            said["num_hidden_layers"],
            said["num_attention_heads"],
            said["max_position_embeddings"],
            theta,
            said["rms_norm_eps"],
        )


@dataclass(frozen=True)
class _Layer:
    """Matrices as they multiply from the right; those that share their input are one."""

    input_norm: Floats
    query_key_value: Floats
    out: Floats
    output_norm: Floats
    gate_up: Floats
    down: Floats


class Cache:
    """Keys and values of one conversation; `length` tokens are in it."""

    def __init__(self, config: Config, room: int) -> None:
        shape = (config.layers, config.heads, room, config.hidden // config.heads)
        self.keys, self.values = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self.length = 0

    @property
    def room(self) -> int:
        return int(self.keys.shape[2])


class Network:
    """Weights and the arithmetic over them. Nothing in it changes after construction: threads may share it."""

    def __init__(self, config: Config, weights: bytes) -> None:
        use_one_blas_thread()
        self.config = config
        read = {name: values.astype(np.float32) for name, values in load(weights).items()}
        self._embed = read["model.embed_tokens.weight"]
        self._unembed = np.ascontiguousarray(self._embed.T)
        self._norm = read["model.norm.weight"]
        self._layers = tuple(self._layer(read, f"model.layers.{n}.") for n in range(config.layers))
        head = config.hidden // config.heads
        # in single precision as everywhere: at position 1,000 the rounding of an angle is seen in the fourth decimal
        turns = np.float32(1) / np.float32(config.theta) ** (np.arange(0, head, 2, dtype=np.float32) / np.float32(head))
        angles = np.outer(np.arange(config.context, dtype=np.float32), turns)
        self._cos, self._sin = np.cos(angles), np.sin(angles)

    def cache(self, room: int) -> Cache:
        """Space for a conversation of `room` tokens, at most the context."""
        return Cache(self.config, min(room, self.config.context))

    def logits(self, tokens: list[int], cache: Cache, *, every: bool = False) -> Floats:
        """Append `tokens` to the conversation in `cache`: logits after the last of them, or after each."""
        start, end = cache.length, cache.length + len(tokens)
        x = self._embed[tokens]
        for number, layer in enumerate(self._layers):
            x = x + self._attend(number, layer, self._scale(x, layer.input_norm), cache, start)
            y = self._scale(x, layer.output_norm) @ layer.gate_up
            gate, up = y[:, : y.shape[1] // 2], y[:, y.shape[1] // 2 :]
            x = x + (gate / (1 + np.exp(-gate)) * up) @ layer.down
        cache.length = end
        x = self._scale(x if every else x[-1:], self._norm)
        logits: Floats = x @ self._unembed
        return logits

    def _attend(self, number: int, layer: _Layer, x: Floats, cache: Cache, start: int) -> Floats:
        count, heads, wide = len(x), self.config.heads, self.config.hidden
        end = start + count
        mixed = (x @ layer.query_key_value).reshape(count, 3, heads, wide // heads).transpose(1, 2, 0, 3)
        turned = self._turn(mixed[:2], start, end)
        keys, values = cache.keys[number], cache.values[number]
        keys[:, start:end], values[:, start:end] = turned[1], mixed[2]
        scores = turned[0] @ keys[:, :end].transpose(0, 2, 1)
        scores *= np.float32((wide // heads) ** -0.5)
        if count > 1:
            scores += np.where(np.arange(end) > np.arange(start, end)[:, None], np.float32(-np.inf), np.float32(0))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        seen: Floats = scores @ values[:, :end]
        out: Floats = seen.transpose(1, 0, 2).reshape(count, wide) @ layer.out
        return out

    def _turn(self, x: Floats, start: int, end: int) -> Floats:
        """Rotary positions: the two halves of a head turn together."""
        cos, sin = self._cos[start:end], self._sin[start:end]
        half = x.shape[-1] // 2
        left, right = x[..., :half], x[..., half:]
        return np.concatenate((left * cos - right * sin, right * cos + left * sin), axis=-1)

    def _scale(self, x: Floats, weight: Floats) -> Floats:
        # the mean in double precision: what is rounded here is rounded in everything that follows
        mean = np.square(x, dtype=np.float64).mean(axis=1, keepdims=True)
        scaled: Floats = x * (1 / np.sqrt(mean + self.config.epsilon)).astype(np.float32) * weight
        return scaled

    @staticmethod
    def _layer(read: dict[str, Floats], at: str) -> _Layer:
        def columns(*names: str) -> Floats:
            return np.ascontiguousarray(np.concatenate([read[f"{at}{name}.weight"] for name in names]).T)

        return _Layer(
            read[f"{at}input_layernorm.weight"],
            columns("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            columns("self_attn.o_proj"),
            read[f"{at}post_attention_layernorm.weight"],
            columns("mlp.gate_proj", "mlp.up_proj"),
            columns("mlp.down_proj"),
        )


def use_one_blas_thread() -> None:
    """Matrices of this size lose more to waking a second thread than they gain from it.

    NumPy has no switch for this, and the environment is read before anybody could set it here; so the OpenBLAS that
    its wheels bring is told directly. Another BLAS (Apple's, a distribution's) is left as it is: slower at worst.
    """
    folder = Path(np.__file__).parent
    for path in (*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")):
        library = ctypes.CDLL(str(path))
        for name in _BLAS:
            if hasattr(library, name):
                getattr(library, name)(1)
                return
    if sys.platform == "linux":  # a NumPy that was built here: its BLAS is found through the process itself
        process = ctypes.CDLL(None)
        for name in _BLAS:
            if hasattr(process, name):
                getattr(process, name)(1)
                return
