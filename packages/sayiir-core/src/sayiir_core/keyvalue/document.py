"""The document of an instance id: everything live, and what acknowledges the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sayiir_core.errors import DeserializationError
from sayiir_core.ids import RunId, SessionId
from sayiir_core.snapshot.document import (
    check_version,
    head_to_document,
    parse,
    read_head,
    read_signal,
    signal_to_document,
)
from sayiir_core.snapshot.head import CursorKey, Head, PendingSignal
from sayiir_core.snapshot.reference import encode_turns
from sayiir_core.snapshot.row_document import read_turns
from sayiir_core.workflow.fields import Fields

FORMAT: Final = "sayiir-instance"
VERSION: Final = 1

_K = TypeVar("_K")


@dataclass(slots=True, kw_only=True)
class InstanceDocument:
    """All that changes together for one instance id.

    ``revision`` counts the writes. ``head`` is None before the first run and after a prune. The
    ``inbox`` is the head's too; ``payloads`` says where the payload of each pending signal
    stands, ``last_signal`` is the highest number given, and numbers up to ``dropped_until`` are
    void. ``tail`` holds the index entries that the last write has acknowledged and that the index
    may still lack; ``fresh`` collects those of the next write. ``queued`` and ``holds`` are the
    hints by which others find this document. ``trash`` names former runs whose rows may still be
    there.
    """

    revision: int = 0
    head: Head | None = None
    inbox: list[PendingSignal] = field(default_factory=list[PendingSignal])
    last_signal: int = 0
    dropped_until: int = 0
    payloads: dict[int, str] = field(default_factory=dict[int, str])
    tail: dict[str, str] = field(default_factory=dict[str, str])
    fresh: dict[str, str] = field(default_factory=dict[str, str])
    queued: dict[CursorKey, str] = field(default_factory=dict[CursorKey, str])
    holds: dict[SessionId, str] = field(default_factory=dict[SessionId, str])
    trash: list[RunId] = field(default_factory=list[RunId])

    def take_head(self, head: Head) -> None:
        """Begin a run, which shares the inbox."""
        head.inbox = self.inbox
        self.head = head

    def drop_signals(self) -> None:
        """Make every signal so far void; the numbering goes on."""
        self.inbox = []
        self.payloads.clear()
        self.dropped_until = self.last_signal


def encode_instance(document: InstanceDocument) -> bytes:
    """Return the document as JSON text.

    The marks of arrived branches are left out: their scope rows carry them.
    """
    head: dict[str, Any] | None = None
    if document.head is not None:
        head = {**head_to_document(document.head), "inbox": [], "arrived": []}
    form: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "revision": document.revision,
        "head": head,
        "inbox": [signal_to_document(signal) for signal in document.inbox],
        "last_signal": document.last_signal,
        "dropped_until": document.dropped_until,
        "payloads": {str(seq): key for seq, key in document.payloads.items()},
        "tail": document.tail,
        "queued": [
            {"scope": scope, "index": encode_turns(index), "key": key}
            for (scope, index), key in document.queued.items()
        ],
        "holds": document.holds,
        "trash": document.trash,
    }
    return json.dumps(form, separators=(",", ":")).encode()


def decode_instance(text: bytes) -> InstanceDocument:
    """Invert ``encode_instance``.

    Raises ``UnsupportedVersionError`` for a newer document and ``DeserializationError`` for
    anything that is no such document.
    """
    top = Fields.of(parse(text, "a stored instance"), "a stored instance")
    check_version(top, FORMAT, VERSION)
    document = InstanceDocument(
        revision=top.number("revision"),
        inbox=[read_signal(item) for item in top.records("inbox")],
        last_signal=top.number("last_signal"),
        dropped_until=top.number("dropped_until"),
        payloads=_texts(top.record("payloads"), int),
        tail=_texts(top.record("tail"), str),
        queued={_cursor_key(item): item.text("key") for item in top.records("queued")},
        holds=_texts(top.record("holds"), SessionId),
        trash=[RunId(run_id) for run_id in top.texts("trash")],
    )
    head = top.record_or_none("head")
    if head is not None:
        document.take_head(read_head(head))
    return document


def _texts(fields: Fields, key: Callable[[str], _K]) -> dict[_K, str]:
    try:
        return {key(name): fields.text(name) for name in fields.names()}
    except ValueError as error:
        raise DeserializationError(f"{fields.where} has a bad name: {error}") from error


def _cursor_key(fields: Fields) -> CursorKey:
    return CursorKey(fields.number("scope"), read_turns(fields, "index"))
