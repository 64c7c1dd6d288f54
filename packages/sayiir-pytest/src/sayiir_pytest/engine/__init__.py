"""Run workflows in a test: on its own thread, in virtual time, over any backend.

How this works: the engine is a worker. It claims, calls and commits with the code of
``PooledWorker`` over a real store; only its threads are missing, and time is a number that it moves to
the next event when nothing can be done now. So a delay of days takes as long as a comparison, and
nothing but the tasks themselves can sleep.
"""

from sayiir_pytest.engine.call import MISSING, Call
from sayiir_pytest.engine.engine import Engine
from sayiir_pytest.engine.errors import EngineStuckError, SayiirSleepWarning, StubError
from sayiir_pytest.engine.history import Event, History
from sayiir_pytest.engine.instance import Instance
from sayiir_pytest.engine.outcome import HANGS, Outcome, fails, ok
from sayiir_pytest.engine.stub import Spy, Stub
from sayiir_pytest.engine.task_view import TaskView

__all__ = [
    "HANGS",
    "MISSING",
    "Call",
    "Engine",
    "EngineStuckError",
    "Event",
    "History",
    "Instance",
    "Outcome",
    "SayiirSleepWarning",
    "Spy",
    "Stub",
    "StubError",
    "TaskView",
    "fails",
    "ok",
]
