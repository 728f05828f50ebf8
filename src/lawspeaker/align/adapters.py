"""LoRA for models that are too large to train whole: peft's adapters, merged when a stage is saved.

The merge happens on a fresh copy of the weights, so that nothing is rounded in the model that goes on training.
"""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lawspeaker.align.recipe import Lora
from lawspeaker.errors import InputError


@contextmanager
def hushed() -> Iterator[None]:
    """While the libraries warn each other of their own old names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def config(lora: Lora, scores: bool = False) -> Any:
    """What peft is told. A score's own head is trained whole beside the adapters."""
    from peft import LoraConfig, TaskType

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        task_type=TaskType.SEQ_CLS if scores else TaskType.CAUSAL_LM,
    )


def require_targets(base: Path, lora: Lora) -> None:
    """Raises `InputError` where `base` has no layer of a name in `targets`, or one that cannot be adapted here."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if not lora.targets:
        return
    with torch.device("meta"):  # the layers without their weights
        settings = AutoConfig.from_pretrained(base, trust_remote_code=False, local_files_only=True)
        kind: Any = AutoModelForCausalLM
        network = kind.from_config(settings)
    names = [name for name, _ in network.named_modules()]
    for target in lora.targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise InputError(f"lora.targets: {base.name} has no layer {target}")
        if target == "lm_head":
            raise InputError("lora.targets: lm_head cannot be adapted: log-probabilities are read from its own weights")


def adapted(network: Any, lora: Lora, scores: bool) -> Any:
    """`network` with adapters, which are all that is trained. Raises `InputError` where it has no such layers."""
    from peft import get_peft_model

    try:
        with hushed():
            return get_peft_model(network, config(lora, scores))
    except ValueError as error:
        raise InputError(f"lora: {' '.join(str(error).split())[:200]}") from None


def save_merged(network: Any, state: Any, base: Path, folder: Path) -> None:
    """`base` with the adapters of `network` (whose whole state is `state`) worked into its weights."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    apart = folder.with_name(folder.name + ".adapter")
    shutil.rmtree(apart, ignore_errors=True)
    network.save_pretrained(apart, state_dict=state)
    scores = network.peft_config[network.active_adapter].task_type == "SEQ_CLS"
    kind: Any = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    fresh = kind.from_pretrained(
        base, dtype=torch.float32, trust_remote_code=False, use_safetensors=True, local_files_only=True,
        **({"num_labels": 1} if scores else {}),
    )  # fmt: skip
    fresh.config.pad_token_id = network.config.pad_token_id
    with hushed():
        merged: Any = PeftModel.from_pretrained(fresh, apart).merge_and_unload()
    merged.save_pretrained(folder)
    shutil.rmtree(apart)
