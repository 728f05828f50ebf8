"""A checkpoint as the files that everybody loads: half precision, Llama's names, `DIGEST.txt` beside."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from lawspeaker.models.nano.chat import PIN, WEIGHTS, digest_of

from . import tokenizer
from .model import Shape

CONTEXT: Final = 1536
"""Training rows end at 1,024 tokens; rotary positions carry some way beyond, and not further than this."""
_NAMES: Final = {
    "input_norm": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "out": "self_attn.o_proj",
    "output_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}

SHARPNESS: Final = 1.15
"""Every logit is multiplied by it, in the last norm, which costs nothing to run: so small a model spreads a little of
its probability over what never occurs, and each answer has some hundred tokens to go wrong in. Set once, on an earlier
model; temperature scaling after training is of Guo et al. 2017, which fits it to a likelihood and not to answers."""


def export(out: Path, folder: Path = WEIGHTS) -> str:
    """Write the checkpoint in `out` to `folder`; returns its digest."""
    state: dict[str, Any] = torch.load(out / "checkpoint.pt", weights_only=True)
    shape = Shape(**state["shape"])
    folder.mkdir(parents=True, exist_ok=True)
    state["network"]["norm.weight"] *= SHARPNESS
    weights = {_renamed(name): weight.half().contiguous() for name, weight in state["network"].items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    shutil.copyfile(out / "tokenizer.json", folder / "tokenizer.json")
    tokenizer.configure(folder, CONTEXT)
    ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    end = next(token["id"] for token in ids if token["content"] == tokenizer.END)
    configuration = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": shape.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": 0,
        "dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # `save_file` keeps its file to its owner
    digest = digest_of(folder)
    (folder / PIN).write_text(digest + "\n", encoding="ascii")
    return digest


def _renamed(name: str) -> str:
    if name == "embed.weight":
        return "model.embed_tokens.weight"
    if name == "norm.weight":
        return "model.norm.weight"
    _, number, part, _ = name.split(".")
    return f"model.layers.{number}.{_NAMES[part]}.weight"
