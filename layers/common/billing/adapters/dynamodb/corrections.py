"""How far the cancellations of an earlier version have been put right."""

from collections.abc import Iterator
from dataclasses import dataclass

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.transaction import Transaction

_EVER = "9999"


@dataclass(frozen=True, slots=True)
class Progress:
    """The shards of the due index before `shard` are done, and of it the rows up to `until`."""

    shard: int = 0
    until: str = ""
    version: int = 0


def progress() -> Progress:
    row = reading.get(keys.CORRECTIONS)
    if row is None:
        return Progress()
    return Progress(row["shard"], row["until"], row["version"])


def pages_left(since: Progress) -> Iterator[tuple[set[str], Progress]]:
    """Yield the accounts that time will act on and that haven't been looked at, a page at a time,
    each with what to `put` once that is done."""
    until, version = since.until, since.version
    for shard in range(since.shard, len(keys.DUE_SHARDS)):
        for page in reading.pages_due(keys.DUE_SHARDS[shard], _EVER, since=until):
            if page:
                found = {keys.account_in({"pk": each["pk"], "sk": each["sk"]}) for each in page}
                yield found, Progress(shard, page[-1]["due_at"], version)
                version += 1
        yield set(), Progress(shard + 1, "", version)
        until, version = "", version + 1


def put(done: Progress) -> None:
    """Raises StaleWrite where another run has gone on."""
    write = Transaction()
    row = {**keys.CORRECTIONS, "shard": done.shard, "until": done.until}
    write.replace(row, version=done.version)
    write.commit()
