"""A full backend out of any key-value store with compare-and-set.

How this works: one document per instance id holds all that is live (head, inbox), and changes
only by compare-and-set, so every decision of the core is taken on one consistent state. What is
appended (records, payloads) is written first, under keys that nothing reads yet; the document
then acknowledges it by listing which rows count. The list moves into an index before the next
change, so the document does not grow with history. A row that no document ever acknowledged, an
orphan of a crash or of a lost race, is never visible, and is swept.
"""

from sayiir_core.keyvalue.backend import HINTING, KeyValueBackend
from sayiir_core.keyvalue.session import Origin
from sayiir_core.keyvalue.store import KeyValueStore, Versioned

__all__ = ["HINTING", "KeyValueBackend", "KeyValueStore", "Origin", "Versioned"]
