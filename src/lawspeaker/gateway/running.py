"""One process that serves a deployment: models, log, routes and the server, opened and closed in order."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from lawspeaker.access import Keyring
from lawspeaker.audit.log import AsyncLog, open_log
from lawspeaker.errors import ModelConfigError
from lawspeaker.gateway.app import Gateway
from lawspeaker.gateway.binding import Bound
from lawspeaker.gateway.config import RouteConfig
from lawspeaker.gateway.deployment import Deployment
from lawspeaker.gateway.keys import by_key, for_metrics
from lawspeaker.gateway.routes import Route, Routes, anybody
from lawspeaker.gateway.scrape import Scrape, everybody
from lawspeaker.gateway.server import serve
from lawspeaker.gateway.workers import Post
from lawspeaker.govern import Governor
from lawspeaker.metrics import Board, Metrics
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Model, Sampling

_PAUSE = 0.1  # seconds until a holder that another process has kept out tries again


class Plan(msgspec.Struct, frozen=True):
    """What every process of a gateway is to do. `lasts`: seconds until an escalated request is refused for good."""

    deployment: Deployment
    bound: Bound
    home: Path
    keys: bool
    lasts: float
    board: Board | None = None


async def run(plan: Plan, ready: Callable[[], None], place: int = 0, life: int | None = None) -> None:
    """Serve until told to stop. With `life`, as a worker: the log is another's, and the end of `life` ends it."""
    opened: dict[str, Model] = {}
    try:
        for route in plan.deployment.every_route:
            _open(route, opened)
        with Keyring(plan.home) as keyring:
            async with await open_log(plan.home, may_hold=life is None) as log:
                routes, bound = _routes(plan.deployment, opened, log), plan.bound
                metrics, who = Metrics(plan.board, place), by_key(keyring) if plan.keys else anybody
                here = for_metrics(keyring) if plan.keys else everybody
                scraped = here if not bound.open and bound.scraped is None else None
                waits = {"held": plan.deployment.ping_seconds, "lasts": plan.lasts}
                gateway = Gateway(routes, who, log, metrics, bound.hosts, scraped=scraped, **waits)
                admit = for_metrics(keyring) if bound.guarded else everybody
                scrape = Scrape(metrics, log, bound.scrapers, admit)
                await serve(gateway, scrape, bound, ready, life)
                metrics.show()
    finally:
        for each in opened.values():
            await each.close()


async def hold_log(home: Path, post: Post) -> None:
    """Own the log, for others who append through this process, until the last of them has gone."""
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(post.life, gone.set)
    async with await open_log(home) as log:
        post.ready()
        while not gone.is_set():
            try:
                async with asyncio.timeout(None if log.holds else _PAUSE):
                    await gone.wait()
            except TimeoutError:
                await log.join()
    asyncio.get_running_loop().remove_reader(post.life)


def _open(route: RouteConfig, opened: dict[str, Model]) -> None:
    """Open the models of `route`; what is wrong with one is said with its place, if it has one."""
    for part, address in (("model", route.model), ("critic", route.critic), ("judge", route.judge)):
        if address is None or address in opened:
            continue
        try:
            opened[address] = open_model(address, connections=0)  # as many as there are requests
        except ModelConfigError as error:
            if part not in route.places:
                raise
            raise route.places[part].error(str(error)) from None


def _routes(deployment: Deployment, opened: dict[str, Model], log: AsyncLog) -> Routes:
    made = {id(each): Route(each.name, _governor(each, opened, log), each.betas) for each in deployment.every_route}
    shared = {name: made[id(route)] for name, route in deployment.routes.items()}
    if deployment.tenants is None:
        return Routes(shared)
    own = {each.name: {name: made[id(route)] for name, route in each.routes.items()} for each in deployment.tenants}
    return Routes(shared, own)


def _governor(route: RouteConfig, opened: dict[str, Model], log: AsyncLog) -> Governor:
    return Governor(
        route.law,
        opened[route.model],
        opened[route.critic],
        log,
        judge=opened[route.judge] if route.judge else None,
        sampling=Sampling(timeout=route.timeout),
        rounds=route.rounds,
        budget=route.budget,
        shadow=route.shadow,
        waivers=route.waivers,
        flowing=route.flowing,
    )
