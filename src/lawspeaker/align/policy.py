"""GRPO with a KL term, by TRL's public trainer: the policy is paid for answers (`reward.py`) and watched (`watch.py`).

Its checkpoints, optimizer and random state included, are in `policy.training` until the stage is done, so that a run
that goes on loses what came after the last of them and no more.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import environ
from pathlib import Path
from typing import Any, Final

import msgspec

from lawspeaker.align.adapters import config, hushed
from lawspeaker.align.dataset import Prompt
from lawspeaker.align.recipe import Grpo, Lora
from lawspeaker.align.reward import Rewards
from lawspeaker.align.training import Learner, save
from lawspeaker.align.watch import LOOK, Watch
from lawspeaker.errors import InputError

TRAINING: Final = "policy.training"
_CURVES: Final = {"reward": "reward", "kl": "KL to the fine-tuned model", "completions/mean_length": "mean length"}
Observe = Callable[[int, int, float], None]


class Reinforced(msgspec.Struct, frozen=True):
    """A course of GRPO: (step, value) of the whole reward, of each of its parts, of KL and of length in tokens."""

    prompts: int
    steps: int
    curves: dict[str, tuple[tuple[int, float], ...]]


@dataclass(frozen=True)
class Course:
    """Everything but the reward that a course needs. `start` is the fine-tuned model."""

    how: Grpo
    start: Path
    folder: Path
    seed: int
    max_tokens: int
    lora: Lora | None
    observe: Observe
    watch: Watch | None

    def run(self, prompts: Sequence[Prompt], rewards: Rewards) -> Reinforced:
        """Train. The last weights are in `policy.look`, unless there is a watch, which keeps the best ones."""
        with hushed():
            return self._run(prompts, rewards)

    def _run(self, prompts: Sequence[Prompt], rewards: Rewards) -> Reinforced:
        import torch
        from datasets import Dataset
        from transformers.trainer_callback import PrinterCallback
        from trl import GRPOTrainer  # type: ignore[attr-defined]

        learner = Learner(self.start, self.seed)
        rows = [{"id": each.id, "prompt": learner.transcript.turns(each.exchange.messages)} for each in prompts]
        half = self.lora and torch.cuda.is_available()  # what is not trained need not be held in single precision
        trainer: Any = GRPOTrainer(
            model=learner.network.to(torch.bfloat16) if half else learner.network,
            args=self._settings(list(rewards.weights.values())),
            reward_funcs=rewards.functions(),  # type: ignore[arg-type]
            train_dataset=Dataset.from_list(rows),
            processing_class=learner.transcript.tokenizer,
            peft_config=config(self.lora) if self.lora else None,
        )
        trainer.remove_callback(PrinterCallback)  # the output is for the table
        trainer.add_callback(self._callback(trainer))
        last = last_checkpoint(self.folder)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        if not self.watch:
            self._save(trainer)
        return Reinforced(len(rows), trainer.state.global_step, curves(trainer.state.log_history, rewards.weights))

    def _settings(self, weights: list[float]) -> Any:
        import torch
        from trl import GRPOConfig  # type: ignore[attr-defined]

        gpu = torch.cuda.is_available()
        saving: Any = {_saving(GRPOConfig): gpu}
        world, answers = processes(), self.how.prompts * self.how.group
        micro = self.how.micro or answers // world
        every = self.watch.stop.every if self.watch else max(1, self.how.steps // 10)
        return GRPOConfig(
            output_dir=str(self.folder / TRAINING),
            max_steps=self.how.steps,
            learning_rate=self.how.rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=min(5, self.how.steps),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=answers // (micro * world),
            num_generations=self.how.group,
            max_completion_length=self.max_tokens,
            temperature=1.0,
            beta=self.how.beta,
            reward_weights=weights,
            seed=self.seed,
            bf16=gpu,
            **saving,
            use_cpu=not gpu,
            logging_steps=1,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=1,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=gpu,
            ddp_find_unused_parameters=False,
        )

    def _callback(self, trainer: Any) -> Any:
        from transformers import TrainerCallback

        course = self

        class Looks(TrainerCallback):
            """Shows how far it is, and asks the watch."""

            def on_log(self, args: Any, state: Any, control: Any, **said: Any) -> None:
                if "reward" in said["logs"]:
                    course.observe(state.global_step, state.max_steps, said["logs"]["reward"])

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                step, steps = state.global_step, state.max_steps
                if course.watch and course.watch.due(step, steps):
                    look = course._save(trainer)
                    if course.watch.agreed(trainer.accelerator, step, look, step == steps):
                        control.should_training_stop = True

        return Looks()

    def _save(self, trainer: Any) -> Path:
        look = self.folder / LOOK
        save(trainer.accelerator, trainer.model_wrapped, self.lora, self.start, look)
        return look


def last_checkpoint(folder: Path) -> Path | None:
    """What an interrupted course left in the folder of its run."""
    found = [each for each in (folder / TRAINING).glob("checkpoint-*") if (each / "trainer_state.json").exists()]
    return max(found, key=_step_of, default=None)


def step_of_last(folder: Path) -> int:
    last = last_checkpoint(folder)
    return _step_of(last) if last else 0


def require_share(how: Grpo) -> None:
    """Raises `InputError` where the processes cannot share the answers of a step evenly."""
    world, answers = processes(), how.prompts * how.group
    if answers % (world * (how.micro or 1)):
        micro = f" in passes of {how.micro}" if how.micro else ""
        raise InputError(f"policy: {world} processes cannot share the {answers} answers of a step evenly{micro}")


def processes() -> int:
    """How many `accelerate launch` started."""
    return int(environ.get("WORLD_SIZE", "1"))


def curves(
    history: Sequence[Mapping[str, Any]], parts: Mapping[str, float]
) -> dict[str, tuple[tuple[int, float], ...]]:
    names = {**_CURVES, **{f"rewards/{part}/mean": part for part in parts}}
    return {
        name: tuple((int(each["step"]), round(float(each[key]), 5)) for each in history if each.get(key) is not None)
        for key, name in names.items()
    }


def _saving(settings: Any) -> str:
    """What this release of the libraries calls doing activations again instead of keeping them."""
    names = {each.name for each in fields(settings)}
    return "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"


def _step_of(checkpoint: Path) -> int:
    found = re.search(r"(\d+)$", checkpoint.name)
    return int(found[1]) if found else 0
