"""What becomes due as the clock goes on, done in time order, each in its own transaction."""

from collections.abc import Callable

from infra.local.stripe_sandbox.resources import (
    checkout,
    invoices,
    lifecycle,
    outcomes,
    payments,
    renewals,
)
from infra.local.stripe_sandbox.state import Body, Store
from infra.local.stripe_sandbox.world import World

TASKS: dict[str, Callable[[World, Body], object]] = {
    "advance": renewals.advance,
    "collect": invoices.collect,
    "expire": checkout.expire,
    "expire_update": lifecycle.expire_update,
    "settle": lambda world, intent: outcomes.settle(
        world, intent, succeed=payments.settles_by_itself(world, intent)
    ),
}


def next_due(store: Store) -> int | None:
    """When the first piece of work is due, in epoch seconds."""
    with store.reading() as connection:
        row = connection.execute("SELECT min(at) AS at FROM due").fetchone()
    return None if row["at"] is None else int(row["at"])


def do_next(world: World) -> bool:
    """Do the first piece of work that is due at the world's time; whether there was one."""
    row = world.connection.execute(
        "SELECT * FROM due WHERE at <= ? ORDER BY at, seq LIMIT 1", (world.now,)
    ).fetchone()
    if row is None:
        return False
    world.connection.execute("DELETE FROM due WHERE seq = ?", (row["seq"],))
    subject = world.look_up(row["subject"])
    if subject is not None:
        TASKS[row["task"]](world, subject)
    return True
