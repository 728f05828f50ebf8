"""`audit export`: one exchange as a file that somebody else can check."""

from collections import Counter
from pathlib import Path

import click
import msgspec

from lawspeaker.audit.evidence import Policy, export
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.cli.context import constitution_option, count, home, load_law, say, words
from lawspeaker.digest import canonical
from lawspeaker.errors import InputError, LawspeakerError


@click.command("export")
@click.argument("id")
@click.option("--output", "-o", metavar="FILE", help="Where to write. Default: standard output.")
@click.option("--no-texts", is_flag=True, help="Prove that it was decided so; show no text and no salt.")
@constitution_option
def export_command(id: str, output: str | None, no_texts: bool, laws: tuple[str, ...]) -> int:
    """Write a self-contained evidence file for one exchange; tools/verify_evidence.py checks it."""
    with LogReader(home()) as reader:
        wanted = reader.leaf(id).record.constitution
        law, why = _law(laws, wanted)
        evidence = export(reader, id, Policy(read_vkeys(home())), law=law, texts=not no_texts)
    data = msgspec.json.format(msgspec.json.encode(evidence), indent=1).decode()
    if output is None:
        say(data)
    else:
        try:
            with Path(output).open("x", encoding="utf-8") as file:
                file.write(data + "\n")
        except (OSError, ValueError) as error:
            why_not = getattr(error, "strerror", None) or error
            raise InputError(f"--output {output[:200]}: {why_not}") from None
    states = Counter(text.state for each in evidence.records for text in each.texts.values())
    shown = count(states.pop("present", 0), "text")
    others = "".join(f", {number} {state}" for state, number in sorted(states.items()))
    words().print(f"{count(len(evidence.records), 'record')}, {shown}{others}{why}")
    return 0


def _law(laws: tuple[str, ...], wanted: str) -> tuple[bytes | None, str]:
    """The canonical text of the law that was in force, if it is the one at hand, else why there is none."""
    if not wanted:
        return None, "; the exchange names no law"
    try:
        law = load_law(laws)
    except LawspeakerError:
        if laws:
            raise
        return None, f"; without the law {wanted}: name it with --constitution"
    if law.digest != wanted:
        return None, f"; without the law {wanted}: the one here is {law.digest}, name it with --constitution"
    return canonical(law.law()), ", the law"
