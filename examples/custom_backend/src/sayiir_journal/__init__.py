"""A Sayiir backend in one append-only file, for the processes of one host."""

from sayiir_journal.journal import Journal
from sayiir_journal.plugin import backend_on

__all__ = ["Journal", "backend_on"]
