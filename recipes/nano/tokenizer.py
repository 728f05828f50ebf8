"""The tokenizer: byte-level BPE over pre-tokens that make a name the same tokens wherever it stands.

A made-up name must be copied, and copying is learnt at the level of tokens: so a name never carries the space, quote,
hyphen or underscore beside it, and digits stand alone. Only words of a closed class carry their leading space, and
whole Terraform identifiers are one pre-token, which keeps sequences short. The closed class is what the corpus says
over and over, less every word that a name may contain.

Lines that recur as they are (`storage_encrypted = false`) and the fixed sentences of the product's prompts are one
pre-token too: a sequence is then a third shorter, and a line that breaks a principle is one token to find and to quote.
`loosened` reads the same vocabulary without them, so that training also meets a known line in its pieces.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from . import names
from .tasks import TEMPLATES, Sample

VOCABULARY: Final = 3072
PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIALS: Final = (PAD, SYSTEM, USER, ASSISTANT, END)
# `<|` in what people say is parted, so that nobody can write a special token
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] | replace('<|', '< |')"
    " + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_COMMON: Final = 0.003  # share of the samples that a closed-class word occurs in
_RECURRING: Final = 0.0015  # share of the samples that a line occurs in as it is
_WORDS: Final = "(?# words) "  # where the part for known words begins
_BEGINNING: Final = re.compile(r'(?:resource|data) "\w+" "|variable "|"?[A-Za-z_0-9]+"? = "?')
_CONSTANTS: Final = ("2012-10-17", "0.0.0.0/0", "111122223333")


def render(prompt: Iterable[tuple[str, str]]) -> str:
    """The chat template in Python, with the opening of the reply."""
    said = "".join(f"<|{role}|>{text.replace('<|', '< |')}{END}" for role, text in prompt)
    return said + ASSISTANT


def train(samples: list[Sample]) -> Tokenizer:
    """A tokenizer for `samples`."""
    texts = [text for one in samples for text in (*(text for _, text in one.prompt), one.reply)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _split(f"{_wholes(samples)}|{_pattern(texts, len(samples))}")
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def loosened(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary, with every line and sentence in its pieces."""
    loose = Tokenizer.from_str(tokenizer.to_str())
    split = json.loads(tokenizer.to_str())["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    loose.pre_tokenizer = _split(split[split.index(_WORDS) :])
    return loose


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


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _sentences() -> list[str]:
    """What the prompts of the product say whatever they are filled with."""
    fixed = [piece for template in TEMPLATES.values() for piece in re.split(r"\{\w+\}|\n+|(?<=[.?]) ", template.text)]
    return sorted({piece.strip() for piece in fixed if " " in piece.strip()})


def _wholes(samples: list[Sample]) -> str:
    """Sentences, whole lines, and how the lines begin that go on with a name or a number."""
    recurring: Counter[str] = Counter()
    for one in samples:
        if "```" in one.reply:
            written = {line.strip() for line in one.reply.split("\n")}
            recurring.update(written)
            recurring.update({begin[0] for line in written if (begin := _BEGINNING.match(line))})
    often = [text for text, n in recurring.items() if " " in text and n > _RECURRING * len(samples)]
    often = [text for text in often if not _numbered(text)]
    begins = [text for text in often if _BEGINNING.fullmatch(text)]
    lines = [text for text in often if text not in begins]
    sentences = _sentences()
    return (
        rf"(?:{_any([*sentences, *(' ' + one for one in sentences)])})(?![^\s])"
        rf"|(?<![^\s`])(?:{_any(lines)})(?![^\s`])"
        rf"|(?<![^\s`])(?:{_any(begins)})"
    )


def _numbered(line: str) -> bool:
    """Whether a number stands in it that may be a value to copy: such a line stays in pieces."""
    for constant in _CONSTANTS:
        line = line.replace(constant, "")
    return any(sign.isdigit() for sign in re.sub(r'(?<=")aws_\w+|\w+(?= =)', "", line))


def _any(texts: Iterable[str]) -> str:
    """Any of `texts`, the longest first, by their first letters: a scan then compares with few of them."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for text in sorted(texts, key=lambda text: (-len(text), text)):
        groups[text[0]].append(re.escape(text[1:]))
    return "|".join(f"{re.escape(letter)}(?:{'|'.join(rest)})" for letter, rest in groups.items())


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
    words = [w for w, n in spoken.items() if n > _COMMON * samples and w.lower() not in names_of_things]
    whole = [w for w, n in identifiers.items() if n > _COMMON * samples]
    return "|".join(
        (
            rf"{_WORDS}(?:{_any(words)})(?![A-Za-z0-9_-])",
            rf"(?<![A-Za-z0-9_-])(?:{_any(whole)})(?![A-Za-z0-9_-])",
            r"2012-10-17|(?<![0-9.])0\.0\.0\.0/0(?![0-9])",
            r"[A-Za-z]+|[0-9]|_|-",
            r"\n```(?:hcl)?|\n+ *(?:[\])}]+(?=\n))?",
            r"(?: ?[^\sA-Za-z0-9_\-]+)+",
            r"\s",
        )
    )
