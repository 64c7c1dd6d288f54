"""A process that runs instances for itself, beside the workers of the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NoReturn, cast

from sayiir_core.authoring.context import TaskContext
from sayiir_core.errors import BackendError, WorkflowError
from sayiir_core.ids import InstanceId, RunId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.fleet.bodies import VirtualBodies, seconds_of_body
from sayiir_pytest.fleet.instance import Submitted
from sayiir_pytest.fleet.keeper import VirtualKeeper
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.process import Process
from sayiir_pytest.fleet.remote import Remote
from sayiir_pytest.fleet.strand import Strand
from sayiir_pytest.fleet.watch import Watch
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.bodies import BodyRunner
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.runner.waiting import Waiting

_BEAT_SECONDS: Final = 5.0
_REST_SECONDS: Final = (6.0, 6.0, 30.0)

Kills = Callable[[InstanceId, int], bool]


class VirtualRunner:
    """A process whose user resumes and retries instances with the real runner.

    The runner is blocking code; it lives on a strand. ``kills`` tells whether the body at a node
    of an instance kills its process.
    """

    def __init__(
        self,
        process: Process,
        backend: Backend,
        watch: Watch,
        instances: Sequence[Submitted],
        *,
        number: int,
        kills: Kills,
        on_end: Callable[[VirtualRunner], None],
        parts: Parts = REAL,
    ) -> None:
        self.process = process
        self.is_leaving = False
        self._world = process.world
        self._backend = backend
        self._watch = watch
        self._instances = instances
        self._kills = kills
        self._on_end = on_end
        self._strand = Strand(self._live, name=f"fleet-{process.name}")
        self._remote = Remote(backend, self._call, process.now)
        self._keeper = VirtualKeeper(
            self._remote, process.name, number, monotonic=self._world.monotonic
        )
        self._runner = parts.runner(
            self._remote,
            keeper=cast("SessionKeeper", self._keeper),
            make_bodies=self._make_bodies,
            waiting=Waiting(monotonic=self._world.monotonic, sleep=self._sleep),
        )

    def _make_bodies(self) -> BodyRunner:
        bodies = VirtualBodies(
            self.process,
            self._strand,
            begins=self._begins,
            late=self._watch.timed_out,
            die=self.die,
        )
        return cast("BodyRunner", bodies)

    def start(self) -> None:
        """Begin to work."""
        self._strand.start()
        self.process.after(_BEAT_SECONDS, self._beat)

    @property
    def session(self) -> SessionId | None:
        """Return its session, None if it has none at the moment."""
        return self._keeper.current

    def drives(self, run: RunKey) -> bool:
        """Tell whether one of its calls drives a run, and is not about to leave it."""
        return not self._keeper.drives.is_ending(run)

    # What happens to it.

    def die(self) -> None:
        """Be killed: nothing of it happens any more, what it has sent still arrives."""
        if not self.process.is_dead:
            self._world.tell(f"{self.process.name} dies")
            self.is_leaving = False
            self.process.is_dead = True
            self._on_end(self)
            self._strand.kill()

    def vanish(self) -> None:
        """End with the story."""
        self.process.is_dead = True
        self._strand.kill()

    def leave(self) -> None:
        """End in good order: before the next body, and with everything given back."""
        if not self.is_leaving:
            self._world.tell(f"{self.process.name} leaves")
            self.is_leaving = True
            self._runner.stop()

    # Its user.

    def _live(self) -> None:
        random = self._world.random
        # Whoever comes back soon finds what was left behind; so some must not.
        rest = random.choice(_REST_SECONDS)
        while not self._leaves_within(random.uniform(0, rest)):
            try:
                self._serve(random.choice(self._instances))
            except WorkflowError as error:
                self._world.tell(f"{self.process.name} gets {type(error).__name__}")
        self._end_session()
        self.process.is_dead = True
        self._on_end(self)

    def _leaves_within(self, seconds: float) -> bool:
        self._sleep(seconds)
        return self.is_leaving

    def _serve(self, one: Submitted) -> None:
        state = self._remote.instances.load(one.instance_id).header.state
        if state is not InstanceState.FAILED:
            self._runner.resume(one.workflow, one.instance_id)
        elif self._world.chance(self._world.faults.retried):
            self._runner.retry(one.workflow, one.instance_id)

    def _end_session(self) -> None:
        if self._keeper.current is not None:
            try:
                self._remote.sessions.end(self._keeper.current)
            except BackendError:
                return

    def _sleep(self, seconds: float) -> None:
        self._strand.wait(
            lambda bring: self.process.after(seconds, lambda: bring(lambda: None)),
        )

    def _call(self, call: partial[Any]) -> Any:
        return self._strand.wait(
            lambda bring: self.process.send(
                call,
                answered=lambda result: bring(lambda: result),
                failed=lambda error: bring(partial(_throw, error)),
                # What was answered is not asked again: nobody would know that it was granted.
                may_double=call.func.__name__ != "own",
            )
        )

    # Its heartbeat.

    def _beat(self) -> None:
        self.process.after(_BEAT_SECONDS, self._beat)
        session = self._keeper.current
        if session is None:
            return
        self._ask(
            partial(self._backend.sessions.renew, session),
            lambda is_alive: self._tidy(session) if is_alive else self._keeper.lost(session),
        )

    def _tidy(self, session: SessionId) -> None:
        self._ask(partial(self._backend.sessions.reap, session), lambda _: None)
        for run in list(self._keeper.undone):
            if self._keeper.drives.enter(run):
                self._keeper.drives.end(run)
                self._disown(session, run)

    def _disown(self, session: SessionId, run: RunKey) -> None:
        def done(_: None) -> None:
            self._keeper.drives.leave(run)
            self._keeper.gave_back(run)

        self.process.send(
            partial(self._backend.ownership.disown, session, run),
            answered=done,
            failed=lambda _: self._keeper.drives.leave(run),
        )

    def _ask(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.process.send(call, answered=done, failed=lambda _: None)

    # Bodies.

    def _begins(self, attempt: Attempt) -> bool:
        lease, cursor = attempt.claim.lease, attempt.claim.cursor
        self._watch.begins(lease, cursor)
        return self._kills(lease.instance_id, cursor.node)

    def calls(self, context: TaskContext) -> None:
        """Let a body that the runner itself has called take its time, or kill its process."""
        if not self._strand.is_current:
            return
        instance_id = InstanceId(context.instance_id)
        one = next(it for it in self._instances if it.instance_id == instance_id)
        (node,) = (
            node.ordinal
            for node in one.workflow.definition.nodes
            if isinstance(node, TaskNode) and node.path == context.task_path
        )
        self._note(instance_id, context, node)
        seconds = seconds_of_body(self._world.random, context.metadata, context.attempt)
        if self._kills(instance_id, node):
            self._sleep(seconds / 2)
            self.die()
        self._sleep(seconds)

    def _note(self, instance_id: InstanceId, context: TaskContext, node: int) -> None:
        """Show the watch which cursor a body runs for; none if its run was lost meanwhile."""
        run_id = RunId(context.idempotency_key.partition("/")[0])
        head = self._backend.instances.load(instance_id)
        for cursor in head.cursors.values():
            is_it = (cursor.node, cursor.turns) == (node, context.turns)
            if is_it and head.header.run_id == run_id and cursor.session is not None:
                lease = Lease(
                    instance_id, run_id, cursor.scope, cursor.index, cursor.session, cursor.fence
                )
                if cursor.session == self.session:
                    self._watch.begins(lease, cursor)


def _throw(error: BaseException) -> NoReturn:
    raise error
