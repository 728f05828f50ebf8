"""One request through the core: every choice is governed by itself, and nothing is said that was not decided."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import msgspec

from lawspeaker.audit.record import new_id
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Draft
from lawspeaker.deliberation.window import Release
from lawspeaker.errors import BoundaryError, LogError, ModelError, RejectedError
from lawspeaker.exchange import Message
from lawspeaker.gateway.fault import RequestError, bad
from lawspeaker.gateway.history import facts
from lawspeaker.gateway.keys import Metered
from lawspeaker.gateway.neutral import Asked, Outcome
from lawspeaker.gateway.routes import Client, Route
from lawspeaker.govern import Governed, Governor
from lawspeaker.models.base import Model, Sampling, Terms, Usage
from lawspeaker.models.wire import NotTakenError

_MOST_TOKENS: Final = 1_000_000
_MOST_STOPS: Final = 16
_LONGEST_STOP: Final = 200
# fields of `Terms` that are numbers, with their bounds
_RANGES: Final = (("top_p", 0, 1), ("top_k", 0, 1000), ("frequency_penalty", -2, 2), ("presence_penalty", -2, 2))


def check(asked: Asked, calls: Mapping[str, str]) -> None:
    """Refuse what no route serves. A conversation that ends in the assistant's turn would be taken for an answer that
    has been given, and its end would be the client's own words."""
    if not asked.exchange.messages:
        raise bad("there are no messages", "messages")
    if asked.exchange.has_answer:
        raise bad("the last message is the assistant's: an answer cannot be begun by the client", "messages")
    if asked.exchange.messages[-1].role == "system":
        raise bad("the last message is the system's: there is nothing to answer", "messages")
    if asked.temperature is not None and not 0 <= asked.temperature <= 2:
        raise bad("temperature is 0 to 2", "temperature")
    if asked.max_tokens is not None and not 1 <= asked.max_tokens <= _MOST_TOKENS:
        raise bad(f"the bound of tokens is 1 to {_MOST_TOKENS}", "max_tokens")
    if asked.seed is not None and not 0 <= asked.seed < 2**31:
        raise bad("seed is 0 to 2147483647", "seed")
    _check_terms(asked.terms, calls)


def _check_terms(terms: Terms, calls: Mapping[str, str]) -> None:
    for name, low, high in _RANGES:
        value = getattr(terms, name)
        if value is not None and not low <= value <= high:
            raise bad(f"{name} is {low} to {high}", name)
    if len(terms.stop) > _MOST_STOPS or not all(0 < len(text) <= _LONGEST_STOP for text in terms.stop):
        called = calls.get("stop", "stop")
        raise bad(f"{called} is up to {_MOST_STOPS} texts of 1 to {_LONGEST_STOP} characters", called)
    if terms.choice == "required" and not terms.tools:
        raise bad("a tool is required and none is offered", "tool_choice")
    if terms.named and terms.named not in [tool.name for tool in terms.tools]:
        raise bad("tool_choice names a tool that is not offered", "tool_choice")


def check_taken(asked: Asked, model: Model, calls: Mapping[str, str]) -> None:
    """Refuse what the model behind the route cannot do: an answer without it would be to another question."""
    wanted = asked.terms.asked | ({"seed"} if asked.seed is not None else set())
    for name in sorted(wanted - model.takes):
        called = calls.get(name, name)
        raise bad(f"the model behind this route takes no {called}", called, "unsupported_parameter")


Say = Callable[[int, str], Awaitable[None]]


async def answer(asked: Asked, route: Route, client: Client, ids: Sequence[str], say: Say) -> list[Outcome]:
    """The outcome of each choice; `ids` are their subjects in the log. `say` is given the words of a choice that may
    leave before its outcome is there. Raises `RequestError`."""
    governor = governing(route.governor, client, _sampling(asked, route.governor.sampling))
    if len(ids) == 1:
        return [await _one(governor, asked, ids[0], partial(say, 0))]
    tasks = [asyncio.ensure_future(_one(governor, asked, id, partial(say, index))) for index, id in enumerate(ids)]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def subjects(asked: Asked) -> list[str]:
    """A fresh id for each choice."""
    return [new_id() for _ in range(asked.count)]


def _sampling(asked: Asked, deployed: Sampling) -> Sampling:
    wanted = {"max_tokens": asked.max_tokens, "temperature": asked.temperature, "seed": asked.seed}
    given = {name: value for name, value in wanted.items() if value is not None}
    return msgspec.structs.replace(deployed, **given) if given else deployed


def governing(governor: Governor, client: Client, sampling: Sampling) -> Governor:
    """`governor` for one request of `client`: under its name, and on its account."""
    governor = msgspec.structs.replace(governor, tenant=client.tenant, client=client.id, sampling=sampling)
    if client.spend is None:
        return governor
    model, critic = Metered(governor.model, client.spend), Metered(governor.critic, client.spend)
    judge = governor.judge and Metered(governor.judge, client.spend)
    return msgspec.structs.replace(governor, model=model, critic=critic, judge=judge)


async def _one(governor: Governor, asked: Asked, id: str, say: Release) -> Outcome:
    release = say if asked.stream else None
    with told(id):
        governed = await governor.govern(
            asked.exchange, subject=id, terms=asked.terms, noted=facts(asked), release=release
        )
    return msgspec.structs.replace(_outcome(governed, id), waived=governed.waived)


@contextmanager
def told(id: str) -> Iterator[None]:
    """What fails behind the gateway while `id` is governed, in words for whoever asked. Raises `RequestError`."""
    try:
        yield
    except NotTakenError as error:
        words = f"the model behind this route takes no {error.parameter} (decision {id})"
        raise bad(words, code="unsupported_parameter") from None
    except RejectedError:
        words = f"the model behind this route does not take this request (decision {id})"
        raise bad(words, code="rejected_upstream") from None
    except ModelError:
        raise RequestError(502, f"the model behind this route did not answer (decision {id})") from None
    except LogError:
        raise RequestError(503, f"the audit log takes no records, so nothing is answered (decision {id})") from None
    except BoundaryError:
        raise RequestError(500, f"the answer could not be judged, so there is none (decision {id})") from None


def _outcome(governed: Governed, id: str) -> Outcome:
    decision = governed.decision
    if decision.action != "release":
        return Outcome(refusal=refusal(decision.action, decision.because, id), action=decision.action)
    answer: tuple[Message, ...] = governed.exchange.messages[governed.exchange.answer_start :]
    drafts = [step for step in governed.steps if isinstance(step, Draft)]
    finish, usage = (drafts[-1].finish, drafts[-1].usage) if drafts else ("stop", Usage())
    if finish == "refused":  # the model's own refusal, which was judged like any answer
        rest = governed.exchange.answer[len(governed.released) :]
        return Outcome(refusal=rest or "The model broke off its answer.", usage=usage)
    parts = tuple(part for message in answer for part in message.parts)
    if governed.revised:
        kept = [step.finish for step in governed.steps if isinstance(step, Revision) and not step.rejected]
        return Outcome(parts, cut=kept[-1:] == ["length"], usage=usage)
    stopped_by = drafts[-1].stopped_by if drafts else ""
    return Outcome(parts, cut=finish == "length", usage=usage, stopped_by=stopped_by)


def refusal(action: str, because: Sequence[str], id: str) -> str:
    """Why there is no answer, in words for whoever asked: principles by name, and where to look."""
    of = f"the principle{'s' if len(because) > 1 else ''} {', '.join(because[:10])}"
    if action == "escalate":
        return f"No answer yet: {of} could not be settled without a person. Decision {id}."
    return f"No answer: {of} would not be upheld. Decision {id}."
