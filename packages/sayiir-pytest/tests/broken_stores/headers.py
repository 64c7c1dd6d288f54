"""Bugs in reading and finding headers; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from broken_stores.instances import BrokenInstances
from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import InstancePage, InstanceQuery
from sayiir_core.snapshot.head import Header
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_pytest.conformance import InstanceConformance
from sayiir_runtime.memory.instances import MemoryInstances


class SortsItsHeaders(MemoryInstances):
    """Answer in the order of the table."""

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        place = list(self._store.runs).index
        found = [header for header in super().headers(instance_ids) if header is not None]
        missing = [None] * (len(instance_ids) - len(found))
        return [*sorted(found, key=lambda header: place(header.instance_id)), *missing]


class TestSortsItsHeaders(BrokenInstances, InstanceConformance):
    broken = SortsItsHeaders


class LeavesOutTheUnknown(MemoryInstances):
    """Answer only for what exists."""

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        return [header for header in super().headers(instance_ids) if header is not None]


class TestLeavesOutTheUnknown(BrokenInstances, InstanceConformance):
    broken = LeavesOutTheUnknown


class RemembersHeaders(MemoryInstances):
    """Answer what was listed first under an id."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._remembered: dict[InstanceId, Header] = {}

    def create(self, batch: Any) -> Any:
        answers = super().create(batch)
        for answer in answers:
            header = answer.head.header
            self._remembered.setdefault(header.instance_id, header)
        return answers

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        return [self._remembered.get(instance_id) for instance_id in instance_ids]


class TestRemembersHeaders(BrokenInstances, InstanceConformance):
    broken = RemembersHeaders


class SharesItsHeaders(MemoryInstances):
    """Hand out the stored headers themselves."""

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        runs = [self._store.runs.get(instance_id) for instance_id in instance_ids]
        return [None if run is None else run.head.header for run in runs]


class TestSharesItsHeaders(BrokenInstances, InstanceConformance):
    broken = SharesItsHeaders


class OtherQuery(InstanceQuery):
    """Search the errors in another way."""

    def selects(self, header: Header) -> bool:
        if self.error_contains is None:
            return super().selects(header)
        rest = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = InstanceQuery(**{**rest, "error_contains": None})
        found = header.error is not None and self.mentions(header.error, self.error_contains)
        return plain.selects(header) and found

    def mentions(self, error: ErrorRecord, sought: str) -> bool:
        """Tell whether an error is found."""
        raise NotImplementedError


class SearchesOtherwise(MemoryInstances):
    """Search by a query that is wrong."""

    query: type[InstanceQuery] = OtherQuery

    def select(self, query: InstanceQuery) -> InstancePage:
        given = {field.name: getattr(query, field.name) for field in fields(query)}
        return super().select(self.query(**given))


class PatternQuery(OtherQuery):
    """Take the text for a pattern, as LIKE does."""

    def mentions(self, error: ErrorRecord, sought: str) -> bool:
        pattern = re.escape(sought).replace("%", ".*").replace("_", ".")
        return re.search(pattern, error.text, re.IGNORECASE | re.DOTALL) is not None


class SearchesByPattern(SearchesOtherwise):
    query = PatternQuery


class TestSearchesByPattern(BrokenInstances, InstanceConformance):
    broken = SearchesByPattern


class CaseQuery(OtherQuery):
    """Mind the case."""

    def mentions(self, error: ErrorRecord, sought: str) -> bool:
        return sought in error.text


class MindsTheCase(SearchesOtherwise):
    query = CaseQuery


class TestMindsTheCase(BrokenInstances, InstanceConformance):
    broken = MindsTheCase


class AsciiQuery(OtherQuery):
    """Know the cases of the English alphabet only."""

    def mentions(self, error: ErrorRecord, sought: str) -> bool:
        return sought.encode().lower() in error.text.encode().lower()


class KnowsAsciiOnly(SearchesOtherwise):
    query = AsciiQuery


class TestKnowsAsciiOnly(BrokenInstances, InstanceConformance):
    broken = KnowsAsciiOnly


class EverythingQuery(OtherQuery):
    """Look into the traceback and at the path, too."""

    def mentions(self, error: ErrorRecord, sought: str) -> bool:
        return sought.casefold() in f"{error.text} {error.path} {error.traceback}".casefold()


class SearchesTracebacks(SearchesOtherwise):
    query = EverythingQuery


class TestSearchesTracebacks(BrokenInstances, InstanceConformance):
    broken = SearchesTracebacks


class OnlyQuery(InstanceQuery):
    """Forget every other condition but the workflow when a text is sought."""

    def selects(self, header: Header) -> bool:
        if self.error_contains is None:
            return super().selects(header)
        plain = InstanceQuery(workflow_id=self.workflow_id, error_contains=self.error_contains)
        return plain.selects(header)


class SearchesInsteadOfNarrowing(SearchesOtherwise):
    query = OnlyQuery


class TestSearchesInsteadOfNarrowing(BrokenInstances, InstanceConformance):
    broken = SearchesInsteadOfNarrowing
