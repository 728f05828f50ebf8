"""Makes the pages in `docs/checks/`, one for each rule, from what the code says of it.

    python docs/check_pages.py

`tests/test_check_pages.py` holds that they are current; the examples are run by the tests of the rules.
"""

from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path

from lawspeaker.checks.personal_data import types as personal_types
from lawspeaker.checks.prompt_injection import rules as injection_rules
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.secrets.formats import FORMATS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.checks.terraform.verdict import Rule
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution

FOLDER = Path(__file__).with_name("checks")


def pages() -> Mapping[str, str]:
    """Every page by its file name."""
    law = load("infrastructure", kinds=KINDS)
    found = {f"terraform-{rule.id}.md": _rule(rule, _principles(law, rule)) for rule in RULES.values()}
    found |= {f"prompt_injection-{rule.id}.md": _injection(rule) for rule in injection_rules.RULES}
    found |= {f"personal_data-{type.id}.md": _personal(type) for type in personal_types.KNOWN}
    found["secrets.md"] = _formats()
    found["README.md"] = _index(law)
    return found


def _principles(law: Constitution, rule: Rule) -> list[str]:
    """The principles of the bundled law that use `rule`."""
    return [
        principle.id
        for principle in law.principles
        for spec in principle.checks
        if spec.kind == "terraform" and rule.id in {used.id for used in getattr(spec.check, "rules", ())}
    ]


def _rule(rule: Rule, principles: list[str]) -> str:
    judged = "\n".join(f"- {_line(judgement.__doc__)}" for judgement in rule.judgements)
    names = " and ".join(f"`{id}`" for id in principles)
    used = f"In `infrastructure` it is used by {names}." if names else ""
    return f"""# `terraform`: `{rule.id}`

{rule.doc}

In a constitution: `checks: [{{terraform: [{rule.id}]}}]`. {used}

What it looks at:

{judged}

Violates it:

```hcl
{rule.violating.strip()}
```

Complies:

```hcl
{rule.complying.strip()}
```
"""


def _injection(rule: injection_rules.Rule) -> str:
    return f"""# `prompt_injection`: `{rule.id}`

{rule.doc}

In a constitution: `checks: [{{prompt_injection: {{rules: [{rule.id}]}}}}]`, under a principle that applies to `request`
or `tool_result`; no other part is read.

Violates it:

```text
{rule.violating}
```

Complies:

```text
{rule.complying}
```
"""


def _personal(type: personal_types.Type) -> str:
    return f"""# `personal_data`: `{type.id}`

{type.doc}

In a constitution: `checks: [{{personal_data: {{types: [{type.id}]}}}}]`.

Violates it:

```text
{type.violating}
```

Complies:

```text
{type.complying}
```
"""


def _line(doc: str | None) -> str:
    return " ".join(cleandoc(doc or "").split())


def _formats() -> str:
    rows = "\n".join(
        f"| `{format.id}` | {format.noun} | {f'`{format.prefix}`' if format.prefix else ''} |" for format in FORMATS
    )
    return f"""# `secrets`: formats

Tokens that are known by their documented form. `prefix` is what every token of the format starts with, and all that a
report shows of one.

| id | what it is | prefix |
|---|---|---|
{rows}

Besides, `assigned-password` and `assigned-secret`: a value after a name such as `password` or `token` that is random
enough to be one.
"""


def _index(law: Constitution) -> str:
    rows = "\n".join(
        f"| [`{rule.id}`](terraform-{rule.id}.md) | {', '.join(f'`{id}`' for id in _principles(law, rule))} |"
        for rule in RULES.values()
    )
    injection = "\n".join(
        f"- [`{rule.id}`](prompt_injection-{rule.id}.md): {rule.reason}" for rule in injection_rules.RULES
    )
    personal = "\n".join(
        f"- [`{type.id}`](personal_data-{type.id}.md): {type.noun[0].lower()}{type.noun[1:]}"
        for type in personal_types.KNOWN
    )
    return f"""# What the checks look for

Made by `python docs/check_pages.py` from the code.

## `terraform`

Each rule is judged on Terraform programs (files, fenced code, plain text, what a tool call writes), on the file after a
patch, on plans in JSON (`terraform show -json`) and on the commands `aws`, `gcloud`, `gsutil` and `az`. A plan or a
program can uphold a principle; a patch to a file that is not in the exchange and a command can only violate it. A value
that is not known is inconclusive. Of CloudFormation, the ACL and policy of a bucket, security groups, database
instances and policies of IAM are read; of Kubernetes, workloads, roles and bindings. They can violate, and the rest of
a template or manifest stays inconclusive, as all of Azure templates, Pulumi and CDK does.

| rule | principle of `infrastructure` |
|---|---|
{rows}

## `secrets`

[Its formats](secrets.md).

## `personal_data`

{personal}

Names are not looked for (decision 0018). What is found has its exact place, so that it can be cut out of an answer.

## `prompt_injection`

{injection}

It reads requests and what tools return, never what the model says itself. What is missed: questions that only a system
prompt forbids, and words that no sign knows; a judge is for those.
"""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
