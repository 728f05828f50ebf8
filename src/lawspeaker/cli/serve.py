"""`lawspeaker serve`: the gateway."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import uvloop

from lawspeaker.access import Keyring
from lawspeaker.checks.streams import StreamPlan
from lawspeaker.cli.context import LASTING, Finite, constitution_option, home, inert, load_law, page, words
from lawspeaker.errors import InputError
from lawspeaker.gateway.binding import Binding, Bound, bind
from lawspeaker.gateway.config import RouteConfig
from lawspeaker.gateway.deployment import MOST_WORKERS, Deployment, load_config
from lawspeaker.gateway.routes import route_name
from lawspeaker.gateway.running import Plan, hold_log, run
from lawspeaker.gateway.streams import MOST_RETAINED, STREAMS, stream_plan, told
from lawspeaker.gateway.workers import Post, Supervisor
from lawspeaker.metrics import Board

_EXAMPLE = "Write Terraform for an S3 bucket that holds our invoices."


_OF_ROUTES = ("upstream", "critic", "judge", "laws", "rounds", "shadow", "timeout", "stream", "retain")
# option -> the field of a `Binding`
_OF_BINDING = {
    "host": "host",
    "port": "port",
    "tls_cert": "certificate",
    "tls_key": "key",
    "plain_text": "plain_text",
    "hosts": "hosts",
    "metrics_bind": "metrics",
}


@click.command()
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Routes, as in lawspeaker.yaml.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 is any free one.")
@click.option("--upstream", default="nano", show_default=True, metavar="MODEL", help="Who answers and revises.")
@click.option("--critic", metavar="MODEL", help="Who criticises. Default: the upstream.")
@click.option("--judge", metavar="MODEL", help="Who decides what no check can. Default: nobody; that is inconclusive.")
@constitution_option
@click.option("--rounds", type=click.IntRange(0, 8), default=2, show_default=True, help="Rounds of revision.")
@click.option("--shadow", is_flag=True, help="Judge and record, change nothing: see `lawspeaker report`.")
@click.option(
    "--stream", type=click.Choice(STREAMS), default="hold", show_default=True, help="Hold answers, or let them flow."
)
@click.option("--retain", type=click.IntRange(0, MOST_RETAINED), metavar="N", help="Characters kept back in a window.")
@click.option("--check", is_flag=True, help="Say how each principle is enforced on streams, and serve nothing.")
@click.option("--require-key", is_flag=True, help="Serve nobody without an access key, on loopback too.")
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Certificate chain in PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its key in PEM.")
@click.option("--plain-text", is_flag=True, help="Serve others without TLS, as where a proxy in front ends it.")
@click.option("--allowed-host", "hosts", multiple=True, metavar="NAME", help="A name that clients call this server by.")
@click.option("--metrics-bind", default="", metavar="HOST:PORT", help="Serve /metrics there, and nowhere else.")
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), default=1, show_default=True, help="Processes that serve."
)
@click.option(
    "--escalations-last", "lasts", type=LASTING, default="7d", show_default=True, help="Then they are refused for good."
)
@click.option("--timeout", type=Finite(0.1, 3600), default=60.0, show_default=True, help="Seconds per model call.")
@click.pass_context
def command(
    ctx: click.Context,
    config: Path | None,
    host: str,
    port: int,
    upstream: str,
    critic: str | None,
    judge: str | None,
    laws: tuple[str, ...],
    rounds: int,
    shadow: bool,
    stream: str,
    retain: int | None,
    check: bool,
    require_key: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    plain_text: bool,
    hosts: tuple[str, ...],
    metrics_bind: str,
    workers: int,
    lasts: int,
    timeout: float,
) -> int:
    """Serve a model under a constitution, in the protocols of OpenAI and Anthropic.

    A client changes its base URL and nothing else. Every request and every answer is judged; what may not be said is
    revised, redacted, held for a person or refused, and each decision is on record.
    """
    if config is None:
        cast = (upstream, critic or upstream, judge)
        route = RouteConfig(route_name(upstream), load_law(laws), *cast, rounds, timeout, shadow, (), {})
        route = msgspec.structs.replace(route, flowing=_flowing(route, stream, retain))
        deployment = Deployment({route.name: route})
    else:
        deployment = _configured(ctx, config)
    if check:
        return _check(deployment)
    with Keyring(home()) as keyring:
        if config is not None:
            keyring.settle(deployment.keys)
        bound = _bound(_binding(ctx, deployment), keyring)
        made = keyring.keys()
    keys = require_key or bound.open or deployment.tenants is not None or any(not key.metrics for key in made)
    count = workers if _is_given(ctx, "workers") or deployment.workers is None else deployment.workers
    plan = Plan(deployment, bound, home(), keys, lasts, Board(count) if count > 1 else None)
    tell = functools.partial(_tell, bound, deployment, keys)
    with contextlib.closing(bound):
        if count > 1:
            _supervised(plan, count, tell)
        else:
            with _loop() as runner:
                runner.run(run(plan, tell))
    words().print("stopped")
    return 0


def _flowing(route: RouteConfig, stream: str, retain: int | None) -> StreamPlan | None:
    if stream == "window":
        return stream_plan(route.law, retain, shadow=route.shadow)
    if retain is not None:
        raise InputError("--retain goes with --stream window: a held stream retains all of the answer")
    return None


def _check(deployment: Deployment) -> int:
    for route in deployment.every_route:
        page().print(f"{inert(route.name)} under {inert(route.law.name)} {inert(route.law.version)}")
        for line in told(route.law, route.flowing, shadow=route.shadow):
            page().print(f"  {inert(line)}")
    return 0


def _configured(ctx: click.Context, config: Path) -> Deployment:
    for name in _OF_ROUTES:
        if _is_given(ctx, name):
            option = "constitution" if name == "laws" else name
            raise InputError(f"--{option} and --config: what a route is like stands in {config}")
    return load_config(config)


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def _binding(ctx: click.Context, deployment: Deployment) -> Binding:
    """Where to listen: an option that was given, else the configuration, else an option's default."""
    options = {field: ctx.params[name] for name, field in _OF_BINDING.items()}
    given = {field: options[field] for name, field in _OF_BINDING.items() if _is_given(ctx, name)}
    return msgspec.convert({**options, **deployment.listen, **given}, Binding)


def _bound(binding: Binding, keyring: Keyring) -> Bound:
    valid = keyring.valid()
    return bind(binding, clients=any(not key.metrics for key in valid), scrapers=any(key.metrics for key in valid))


def _loop() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _supervised(plan: Plan, workers: int, tell: Callable[[], None]) -> None:
    """One process owns the log and `workers` others serve."""

    def hold(post: Post) -> None:
        with _loop() as runner:
            runner.run(hold_log(plan.home, post))

    def work(place: int, post: Post) -> None:
        with _loop() as runner:
            runner.run(run(plan, post.ready, place, post.life))

    each = [functools.partial(work, place) for place in range(workers)]
    say, close = words().print, plan.bound.close
    Supervisor(hold, each, ready=tell, say=lambda text: say(f"[yellow]{text}[/]"), close=close).run()


def _tell(bound: Bound, deployment: Deployment, needs_key: bool) -> None:
    """Say that it runs, and three lines that try it."""
    console, out, base = words(), page(), bound.base
    routes = deployment.every_route
    name = routes[0].name
    for route in routes:
        law = f"{inert(route.law.name)} {inert(route.law.version)}"
        of = [tenant.name for tenant in deployment.tenants or () if tenant.routes.get(route.name) is route]
        whose = f" for {inert(', '.join(of))}" if of else ""
        console.print(f"[bold]{inert(route.name)}[/]{whose} under {law} at {base}")
        if route.shadow:
            console.print("[yellow]  in shadow: everything is judged and recorded, and nothing is changed[/]")
        if route.flowing is not None:
            for line in told(route.law, route.flowing, shadow=route.shadow):
                console.print(f"[dim]  {inert(line)}[/]")
        for each in route.waivers:
            until = datetime.fromtimestamp(each.expires - 1, UTC).date()
            console.print(f"[yellow]  {inert(each.principle)} is waived until {until} ({inert(each.owner)})[/]")
    if bound.scraped is not None:
        host, at = bound.scraped.getsockname()[:2]
        asked = ", for whoever brings a key that was made for it" if bound.guarded else ""
        console.print(f"[dim]/metrics on port {at} of {inert(host)}{asked}[/]")
    who = "Access keys are asked for" if needs_key else "No access keys: whoever reaches this address is served"
    console.print(f"[dim]{who}{'' if needs_key else ', with any key'}. Ctrl-C stops.[/]")
    ask = f'[{{"role": "user", "content": "{_EXAMPLE}"}}]'
    for line in (
        f'curl {base}/v1/chat/completions --json \'{{"model": "{name}", "messages": {ask}}}\'',
        f'python -c \'import openai; print(openai.OpenAI(base_url="{base}/v1", api_key="any")'
        f'.chat.completions.create(model="{name}", messages={ask}).choices[0].message)\'',
        f'python -c \'import anthropic; print(anthropic.Anthropic(base_url="{base}", api_key="any")'
        f'.messages.create(model="{name}", max_tokens=1024, messages={ask}).content)\'',
    ):
        out.print(inert(line))
