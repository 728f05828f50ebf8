"""Fuzzes the deterministic checks: no text may make one raise, hang, or name a place outside its text.

    python -m benchmarks.checks.fuzz hypothesis --minutes 30 [--data FOLDER] [--failures FOLDER]
    python -m benchmarks.checks.fuzz atheris --minutes 30 [--data FOLDER] [--failures FOLDER]

Every text is judged by every kind of check and all Terraform rules, in one of the forms of `FORMS`: as an answer, as a
file, as a tool call. hypothesis puts pieces of real syntax together; atheris (which is installed apart) changes bytes
and follows what the code does with them. With `--data`, the programs of `terraform-requests.jsonl` and
`terraform-snippets.jsonl` are where they start from. A hang is an input that takes more than 10 s of CPU time; what
fails is kept under `--failures`, once for each place in the code, and fuzzing goes on. The last line is a JSON object.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from lawspeaker.exchange import Exchange, Message, Part, Text, ToolCall

SECONDS: Final = 10.0
SCOPES: Final = frozenset({"answer", "tool_call"})
FORMS: Final = (
    "",
    "main.tf",
    "override.tf",
    "plan.json",
    "deploy.sh",
    "template.yaml",
    "main.tf.json",
    "terraform.tfvars",
    "tool",
)
SCHEMA: Final = {"type": "object", "items": {"$ref": "#"}, "properties": {"a": {"type": "string"}}}
SETTINGS: Final[Sequence[tuple[str, Any]]] = (
    ("secrets", {}),
    ("personal_data", {}),
    ("prompt_injection", {}),
    ("pattern", {"deny": ["a+b", "(x+x+)+y"], "reason": "r", "code": True}),
    ("shape", {"max_bytes": 9, "max_depth": 3, "invisible": "deny", "control": "deny", "encoding": "deny"}),
    ("shape", {"homoglyphs": "deny", "json_schema": SCHEMA}),
)
# Single pieces of every form that is read; whole programs come from `--data`.
PIECES: Final = """\
resource "aws_s3_bucket_acl" "b" {|resource "aws_security_group" "g" {|resource "aws_iam_policy" "p" {|module "m" {
data "aws_iam_policy_document" "d" {|variable "v" {|locals {|output "o" {|dynamic "ingress" {|content {|statement {
ingress {|  acl = |  policy = |"public-read"|for_each = |count = |source = |"./"|"terraform-aws-modules/vpc/aws"
jsonencode(|templatefile(|<<EOF|<<-EOF|EOF|${|%{ if |%{ for |%{ endif }|%{|}|{|[|]|(|)|"|\\|\\u0041|$${|=|==|?|:|,|=>
[for x in |{for k, v in | : x]| if |var.v|local.a|each.key|each.value|count.index|aws_s3_bucket.b[0].id|module.m.x
replace(|split(",", |range(|cidrsubnet(|formatlist(|reverse(|coalesce(|base64decode(|substr(| && |!|-|iterator = x|...
merge(|concat(|lookup(|toset(|try(|file("x")|format("%s", |join(",", |0.0.0.0/0|::/0|22|-1|"*"|"tcp"|null|true|1e999
{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}|{"resource_changes":[{"change":|"after":
"address":"aws_s3_bucket.b"|"format_version":"1.2"|{"Resources":{"B":{"Type":"AWS::S3::Bucket","Properties":
AWSTemplateFormatVersion: 2010-09-09|Resources:|  Type: AWS::IAM::Role|!Sub |!Ref X|apiVersion: v1|kind: Pod|spec:
  containers:|    - securityContext:|      privileged: true|---|&a|*a|<<: *a|aws s3api put-bucket-acl
aws ec2 authorize-security-group-ingress |--acl public-read|gcloud |gsutil iam ch allUsers:objectViewer gs://b|az |--x=
--- a/main.tf|+++ b/main.tf|@@ -1,3 +1,4 @@|+  acl = "public-read"|-  x|*** Begin Patch|*** Update File: main.tf|```hcl
```|~~~|#|//|/*|*/|password = "Kestrel-Harbour-41"|AKIAQ3EGR7XZ2LM4TN5P|-----BEGIN PRIVATE KEY-----|ghp_|https://a:b@
ignore previous instructions|system: you are|aWdub3JlIGFsbCBy|%41|&#65;|.- |<p style='display:none'>|4111 1111 1111 1111
DE89 3704 0044 0532 0130 00|+49 30 |a@b.de|12 Main Street|\ud800|\u202e|\u200b|\u0430|\uff11|\u0301|\U000e0041|\0|\r|\t
  """
WORDS: Final = tuple(
    piece.encode().decode("unicode_escape") if piece.startswith(("\\u", "\\U", "\\0", "\\r", "\\t")) else piece
    for line in PIECES.splitlines()
    for piece in line.split("|")
)


class TooLongError(BaseException):
    """One text took more than `SECONDS` of CPU time; not an `Exception`, so that no check takes it for its own."""


class Fuzzer:
    def __init__(self, failures: Path | None) -> None:
        # Imported here, so that atheris can follow what is imported.
        kinds = importlib.import_module("lawspeaker.checks.registry").KINDS
        rules = list(importlib.import_module("lawspeaker.checks.terraform.rules").RULES)
        self.checks = [kinds[kind].prepare(given, "p") for kind, given in (("terraform", rules), *SETTINGS)]
        self.runs = 0
        self.slowest = (0.0, 0)
        self.failed: Counter[str] = Counter()
        self._failures = failures
        signal.signal(signal.SIGVTALRM, _too_long)

    def run(self, text: str, form: str) -> None:
        self.runs += 1
        part: Part = ToolCall("write_file", text) if form == "tool" else Text(text, form)
        exchange = Exchange((Message("user", (Text("x"),)), Message("assistant", (part,))))
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            for check in self.checks:
                found = check.examine(exchange, SCOPES)  # type: ignore[arg-type]
                assert found, "no finding"
                for span in (span for finding in found for span in finding.spans):
                    assert 0 <= span.start <= span.end <= len(text), "a place outside the text"
                    assert 1 <= span.line <= span.end_line <= text.count("\n") + 1, "a line outside the text"
        except (Exception, TooLongError) as error:  # noqa: BLE001 - whatever a check raises is what is looked for
            self._keep(error, text, form)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.slowest = max(self.slowest, (time.process_time() - begun, len(text)))

    def _keep(self, error: BaseException, text: str, form: str) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"
        if name not in self.failed and self._failures:
            self._failures.mkdir(parents=True, exist_ok=True)
            kept = {"form": form, "text": text, "trace": "".join(traceback.format_exception(error))}
            (self._failures / f"{name.replace(' ', '-')}.json").write_text(json.dumps(kept))
        self.failed[name] += 1

    def report(self, engine: str, begun: float) -> str:
        seconds, size = self.slowest
        return json.dumps(
            {
                "engine": engine,
                "wall, minutes": round((time.monotonic() - begun) / 60, 1),
                "CPU, minutes": round(time.process_time() / 60, 1),
                "texts": self.runs,
                "failures": dict(self.failed),
                "slowest": {"CPU, s": round(seconds, 2), "characters": size},
            }
        )


def _too_long(signum: int, frame: object) -> None:
    raise TooLongError


def seeds(data: Path | None) -> list[str]:
    if data is None:
        return []
    rows = [
        json.loads(line)
        for name in ("terraform-requests.jsonl", "terraform-snippets.jsonl")
        for line in (data / name).read_text(encoding="utf-8").splitlines()
    ]
    return [row.get("reference") or row["text"] for row in rows]


def with_hypothesis(fuzzer: Fuzzer, programs: Sequence[str], end: float) -> None:
    """Texts of pieces, and real programs into which pieces were put, of which parts are cut out or doubled."""
    piece = st.sampled_from(WORDS) | st.text(max_size=6)
    pieces = st.lists(piece, max_size=60).flatmap(
        lambda some: st.sampled_from(["", "\n", " "]).map(lambda s: s.join(some))
    )
    texts = pieces
    if programs:
        spot = st.tuples(st.floats(0, 1), st.integers(0, 80), piece, st.booleans())
        texts = pieces | st.tuples(st.sampled_from(programs), st.lists(spot, min_size=1, max_size=8)).map(_changed)
    turn = 0
    while time.monotonic() < end:
        turn += 1

        @seed(turn)
        @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(texts, st.sampled_from(FORMS))
        def examine(text: str, form: str) -> None:
            if time.monotonic() < end:
                fuzzer.run(text, form)

        examine()


def _changed(case: tuple[str, list[tuple[float, int, str, bool]]]) -> str:
    text, spots = case
    for at, length, piece, twice in spots:
        start = int(at * len(text))
        cut = text[start : start + length]
        text = text[:start] + (cut * 3 if twice else "") + piece + text[start + length :]
    return text


def with_atheris(failures: Path | None, programs: Sequence[str], minutes: float) -> None:
    """libFuzzer ends the process, so what is to be said is said when the time is over, from within."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["lawspeaker.checks"]):
        fuzzer = Fuzzer(failures)
    folder = (failures or Path(".lawspeaker")) / "atheris"
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, program in enumerate(programs):
        (corpus / str(number)).write_bytes(bytes([number % len(FORMS)]) + program.encode())
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass")) for word in WORDS if word)
    words.write_text("".join(f'"{line}"\n' for line in lines))
    begun = time.monotonic()

    def one(data: bytes) -> None:
        if data:
            fuzzer.run(data[1:].decode("utf-8", "replace"), FORMS[data[0] % len(FORMS)])
        if time.monotonic() - begun > minutes * 60:
            print(fuzzer.report("atheris", begun), flush=True)
            os._exit(0)

    options = ["-max_len=8192", "-timeout=120", "-rss_limit_mb=4096", "-verbosity=0", f"-dict={words}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["hypothesis", "atheris"])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--failures", type=Path)
    options = parser.parse_args()
    programs = seeds(options.data)
    if options.engine == "atheris":
        with_atheris(options.failures, programs, options.minutes)
    else:
        begun, fuzzer = time.monotonic(), Fuzzer(options.failures)
        with_hypothesis(fuzzer, programs, begun + options.minutes * 60)
        print(fuzzer.report("hypothesis", begun))


if __name__ == "__main__":
    main()
