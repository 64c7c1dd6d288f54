"""The conformance suite: what every backend must do, as pytest base classes.

To test a store, subclass the classes and say how to make a backend. For a store in memory::

    from sayiir_pytest.conformance import *

    class Mine:
        def make_backend(self, clock, location):
            return MyBackend(clock=clock)

    class TestInstances(Mine, InstanceConformance): ...
    class TestDefinitions(Mine, DefinitionConformance): ...

A store that has a place also overrides the fixture ``location``, which may use other fixtures::

    class Mine:
        @pytest.fixture
        def location(self, tmp_path):
            return tmp_path / "store.db"

        def make_backend(self, clock, location):
            return MyBackend(location, clock=clock)

``make_backend`` must open nothing. It is called again with the same location where a test reopens
the store or looks at it as a second process would. Each test has a location of its own, but tests
with generated examples put all of them into one store, under fresh names.

Whoever makes the backend by ``KeyValueBackend`` tests the store beneath it as well, by
``KeyValueStoreConformance``.

``RawConformance`` looks at what is stored past the adapter, by a ``RawStore`` that the author of the
store writes with the driver alone.

What a backend declares in its ``capabilities`` selects further tests (``durable``: what was
acknowledged is there after reopening; ``shared``: two backends on one place). The class
attributes of ``Conformance`` select and tune the rest. A skip says why.
"""

from __future__ import annotations

import pkgutil

import pytest

# Before the modules are imported, so that a failing assertion shows its values.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)

from sayiir_pytest.conformance.backend import BackendConformance  # noqa: E402
from sayiir_pytest.conformance.checkpoints import CheckpointConformance  # noqa: E402
from sayiir_pytest.conformance.claims import ClaimConformance  # noqa: E402
from sayiir_pytest.conformance.control import ControlConformance  # noqa: E402
from sayiir_pytest.conformance.definitions import DefinitionConformance  # noqa: E402
from sayiir_pytest.conformance.equivalence import EquivalenceConformance  # noqa: E402
from sayiir_pytest.conformance.instances import InstanceConformance  # noqa: E402
from sayiir_pytest.conformance.keyvalue import KeyValueStoreConformance  # noqa: E402
from sayiir_pytest.conformance.ownership import OwnershipConformance  # noqa: E402
from sayiir_pytest.conformance.races import RaceConformance  # noqa: E402
from sayiir_pytest.conformance.raw import RawConformance, RawStore  # noqa: E402
from sayiir_pytest.conformance.results import ResultConformance  # noqa: E402
from sayiir_pytest.conformance.sessions import SessionConformance  # noqa: E402
from sayiir_pytest.conformance.signals import SignalConformance  # noqa: E402
from sayiir_pytest.conformance.suite import Conformance  # noqa: E402
from sayiir_pytest.conformance.wakeup import WakeupConformance  # noqa: E402

__all__ = [
    "BackendConformance",
    "CheckpointConformance",
    "ClaimConformance",
    "Conformance",
    "ControlConformance",
    "DefinitionConformance",
    "EquivalenceConformance",
    "InstanceConformance",
    "KeyValueStoreConformance",
    "OwnershipConformance",
    "RaceConformance",
    "RawConformance",
    "RawStore",
    "ResultConformance",
    "SessionConformance",
    "SignalConformance",
    "WakeupConformance",
]
