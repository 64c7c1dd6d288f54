"""What the engine reports of a test, beside the errors of Sayiir itself."""

from __future__ import annotations

from sayiir_core.errors import SayiirError


class EngineStuckError(SayiirError, RuntimeError):
    """Report a task that waits for something which nothing in this test will bring."""


class StubError(SayiirError, ValueError):
    """Report a stub or spy that does not fit what it stands for, with the remedy in its text."""


class SayiirSleepWarning(UserWarning):
    """Warn of a task under test that spends real time, which virtual time cannot skip."""
