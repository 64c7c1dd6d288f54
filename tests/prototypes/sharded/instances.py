"""Creating, reading, listing and removing runs in several stores."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import (
    Created,
    Exists,
    InstancePage,
    InstanceQuery,
    NewInstance,
)
from sayiir_core.snapshot.head import Head, Header
from tests.prototypes.sharded.place import RunPlaces
from tests.prototypes.sharded.shard import Shard, Shards

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a listing goes on: in each shard behind a mark of its own.

    A place is empty where nothing of the shard was shown, and None where all of it was. ``newest``
    lies just behind the last header that was shown.
    """

    places: dict[str, str | None]
    newest: datetime | None

    @classmethod
    def read(cls, text: str | None, shards: Shards) -> Mark:
        """Return the mark in a query's ``after``."""
        if text is None:
            return cls({shard.name: "" for shard in shards.all}, None)
        places, newest = json.loads(text)
        return cls(places, datetime.fromisoformat(newest))

    def is_over(self, shard: Shard) -> bool:
        """Tell whether all of a shard was shown."""
        return self.places[shard.name] is None

    def behind(self, pages: dict[Shard, InstancePage], headers: list[Header]) -> str | None:
        """Return the mark behind these pages as text, None at the end of all."""
        places = self.places | {shard.name: page.next for shard, page in pages.items()}
        if all(place is None for place in places.values()) or not headers:
            return None
        return json.dumps([places, (headers[-1].created_at + _TICK).isoformat()])


class ShardedInstances:
    """Keep each instance in its shard."""

    def __init__(self, shards: Shards, places: RunPlaces) -> None:
        self._shards = shards
        self._places = places

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create runs shard by shard; what was created before an error exists, as the same run."""
        answers: dict[int, Created | Exists] = {}
        for shard, places in self._shards.split(batch, lambda new: new.instance_id).items():
            part = [batch[place] for place in places]
            found = shard.call(lambda backend, part=part: backend.instances.create(part))
            answers.update(zip(places, found, strict=True))
        for answer in answers.values():
            header = answer.head.header
            self._places.note(header.instance_id, header.run_id)
        return [answers[place] for place in range(len(batch))]

    def load(self, instance_id: InstanceId) -> Head:
        """Return a head."""
        shard = self._shards.of(instance_id)
        head = shard.call(lambda backend: backend.instances.load(instance_id))
        self._places.note(instance_id, head.header.run_id)
        return head

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return headers, by one call of each shard that has some."""
        answers: dict[int, Header | None] = {}
        for shard, places in self._shards.split(instance_ids, lambda it: it).items():
            part = [instance_ids[place] for place in places]
            found = shard.call(lambda backend, part=part: backend.instances.headers(part))
            answers.update(zip(places, found, strict=True))
        return [answers[place] for place in range(len(instance_ids))]

    def select(self, query: InstanceQuery) -> InstancePage:
        """Merge one page of each shard, newest first; ``after`` says where each of them goes on.

        ``next`` of a shard's page stands behind its last header. So a shard of whose page only a part
        was taken is asked once more, for a page of exactly that length: what that returns is what is
        shown, so that no header is skipped or shown twice, whatever was created meanwhile.
        """
        mark = Mark.read(query.after, self._shards)
        pages = {
            shard: self._page(shard, query, mark, query.limit)
            for shard in self._shards.all
            if not mark.is_over(shard)
        }
        for shard, count in self._taken(pages, query.limit).items():
            if count == 0 and pages[shard].headers:
                pages[shard] = InstancePage([], mark.places[shard.name])
            elif count < len(pages[shard].headers):
                pages[shard] = self._page(shard, query, mark, count)
        headers = _merged(pages)
        return InstancePage(headers, mark.behind(pages, headers))

    def _page(self, shard: Shard, query: InstanceQuery, mark: Mark, limit: int) -> InstancePage:
        after = mark.places[shard.name]
        if after:
            return self._ask(shard, replace(query, after=after, limit=limit))
        # Nothing of it was shown so far; what is newer than what was shown came later.
        bounds = [it for it in (query.created_before, mark.newest) if it is not None]
        asked = replace(query, after=None, limit=limit, created_before=min(bounds, default=None))
        return self._ask(shard, asked)

    def _ask(self, shard: Shard, query: InstanceQuery) -> InstancePage:
        return shard.call(lambda backend: backend.instances.select(query))

    def _taken(self, pages: dict[Shard, InstancePage], limit: int) -> dict[Shard, int]:
        """Return how many headers of each shard are among the first ones."""
        counts = dict.fromkeys(pages, 0)
        for header in _merged(pages)[:limit]:
            counts[self._shards.of(header.instance_id)] += 1
        return counts

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove ended runs, shard by shard."""
        return self._shards.up_to(
            limit,
            lambda backend, left: backend.instances.prune(
                finished_before=finished_before, limit=left
            ),
        )


def _merged(pages: dict[Shard, InstancePage]) -> list[Header]:
    """Return all headers from the newest to the oldest, those of a shard in its own order."""
    return list(
        heapq.merge(
            *(page.headers for page in pages.values()),
            key=lambda header: header.created_at,
            reverse=True,
        )
    )
