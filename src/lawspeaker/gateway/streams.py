"""How the streams of a route are enforced: held, or as a window under a plan that keeps every principle.

What cannot be enforced as configured is refused before anything is served, except in shadow, where nothing is.
"""

from collections.abc import Iterator, Mapping

from lawspeaker.checks.streams import Planned, StreamPlan, plan_stream
from lawspeaker.constitution import read
from lawspeaker.constitution.schema import Constitution
from lawspeaker.constitution.source import Node
from lawspeaker.errors import InputError

STREAMS = ("hold", "window")
MOST_RETAINED = 1_000_000
_NAMED = 3  # principles in one line


def read_stream(found: Mapping[str, Node], law: Constitution, *, shadow: bool) -> StreamPlan | None:
    """The plan that a route's fields `stream` and `retain` ask for; None where its streams are held. Raises
    `ConstitutionError` with the place."""
    window = "stream" in found and read.one_of(STREAMS, found["stream"]) == "window"
    retain = None
    if "retain" in found:
        value = found["retain"].value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_RETAINED:
            raise found["retain"].place.error(f"expected a whole number from 0 to {MOST_RETAINED}")
        if not window:
            raise found["retain"].place.error("goes with `stream: window`: a held stream retains all of the answer")
        retain = value
    if not window:
        return None
    try:
        return stream_plan(law, retain, shadow=shadow)
    except InputError as error:
        raise found["stream"].place.error(str(error)) from None


def stream_plan(law: Constitution, retain: int | None, *, shadow: bool) -> StreamPlan:
    """The plan for streams under `law` that are not held. Raises `InputError` where a principle cannot be enforced."""
    plan = plan_stream(law, retain)
    if plan.held and not shadow:
        named = "; ".join(f"'{each.principle}' {each.why}" for each in plan.held[:_NAMED])
        more = f"; and {len(plan.held) - _NAMED} more" if len(plan.held) > _NAMED else ""
        way = "" if retain is None else "; without `retain` all that is undecided is kept back"
        raise InputError(f"stream 'window' cannot be enforced: {named}{more}{way}; or hold the streams of this route")
    return plan


def told(law: Constitution, flowing: StreamPlan | None, *, shadow: bool) -> Iterator[str]:
    """How streams are enforced, in a line for the route and one for each principle."""
    if flowing is None:
        yield "streams are held: nothing leaves before the verdict on all of the answer"
    elif shadow:
        yield "streams flow as they come, since nothing is enforced in shadow"
    else:
        kept = "what is undecided" if flowing.retain is None else f"{flowing.retain} characters"
        yield f"streams flow in a window that retains {kept}"
    plan = flowing or plan_stream(law)
    width = max(len(each.principle) for each in plan.principles)
    for each in plan.principles:
        mode = "hold" if flowing is None and each.mode == "window" else each.mode
        yield f"{each.principle:<{width}}  {mode:<6}  {_bound(each, flowing)}"


def _bound(planned: Planned, flowing: StreamPlan | None) -> str:
    if planned.mode != "window":
        return planned.why
    if flowing is None:
        return "all of the answer is retained; it could flow in a window"
    longest = "no longest undecided match" if planned.longest is None else f"undecided at most {planned.longest}"
    kept = "all of it" if flowing.retain is None else str(flowing.retain)
    return f"{longest}, retained {kept}, leak at most {planned.leak} characters"
