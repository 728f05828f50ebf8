"""The tokenizer: byte-level BPE over pre-tokens that make a name the same tokens wherever it stands.

A made-up name must be copied, and copying is learnt at the level of tokens: so a name never carries the space, quote,
hyphen or underscore beside it, and digits stand alone. Only words of a closed class carry their leading space, and
whole Terraform identifiers are one pre-token, which keeps sequences short. The closed class is what the corpus says
over and over, less every word that a name may contain.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from . import names
from .tasks import Sample

VOCABULARY: Final = 2048
PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIALS: Final = (PAD, SYSTEM, USER, ASSISTANT, END)
# `<|` in what people say is parted, so that nobody can write a special token
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] | replace('<|', '< |')"
    " + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_COMMON: Final = 0.003  # share of the samples that a closed-class word occurs in


def render(prompt: Iterable[tuple[str, str]]) -> str:
    """The chat template in Python, with the opening of the reply."""
    said = "".join(f"<|{role}|>{text.replace('<|', '< |')}{END}" for role, text in prompt)
    return said + ASSISTANT


def train(samples: list[Sample]) -> Tokenizer:
    """A tokenizer for `samples`."""
    texts = [text for one in samples for text in (*(text for _, text in one.prompt), one.reply)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_pattern(texts, len(samples))), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def configure(folder: Path, context: int) -> None:
    """What `transformers` reads beside `tokenizer.json`."""
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "pad_token": PAD,
        "eos_token": END,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(configuration, indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _pattern(texts: list[str], samples: int) -> str:
    """Alternatives, first match wins."""
    spoken: Counter[str] = Counter()
    identifiers: Counter[str] = Counter()
    for text in texts:
        spoken.update(set(re.findall(r"(?<= )[A-Za-z]+(?![A-Za-z0-9_-])", text)))
        identifiers.update(set(re.findall(r"(?<![A-Za-z0-9_-])[a-z0-9]+(?:_[a-z0-9]+)+(?![A-Za-z0-9_-])", text)))
    names_of_things = {
        part for word in (*names.WORDS, *names.COMPANIES, *names.ENVIRONMENTS) for part in word.split("-")
    }
    words = sorted(
        (w for w, n in spoken.items() if n > _COMMON * samples and w.lower() not in names_of_things),
        key=lambda word: (-len(word), word),
    )
    whole = sorted((w for w, n in identifiers.items() if n > _COMMON * samples), key=lambda word: (-len(word), word))
    return "|".join(
        (
            rf" (?:{'|'.join(words)})(?![A-Za-z0-9_-])",
            rf"(?<![A-Za-z0-9_-])(?:{'|'.join(whole)})(?![A-Za-z0-9_-])",
            r"2012-10-17|(?<![0-9.])0\.0\.0\.0/0(?![0-9])",
            r"[A-Za-z]+|[0-9]|_|-",
            r"\n+ *",
            r"(?: ?[^\sA-Za-z0-9_\-]+)+",
            r"\s",
        )
    )
