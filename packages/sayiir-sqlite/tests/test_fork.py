"""A process that forks while it has the database open."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step


def open_files_beside(path: Path) -> list[str]:
    """Return what this process has open of a database and of the files beside it."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list open files")
    targets: list[str] = []
    for entry in folder.iterdir():
        try:
            targets.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return [target for target in targets if target.startswith(str(path))]


def test_a_child_inherits_nothing_that_is_open(rig: Rig, path: Path) -> None:
    """Give SQLite no connection, and the kernel no lock, of which the parent thinks otherwise."""
    hand = rig.start()
    rig.load(hand.instance_id)
    before = open_files_beside(path)

    def look() -> None:
        assert [] == open_files_beside(path)

    in_forked_child(look)

    assert len(before) >= 3
    hand.must(*step(0))


def test_a_childs_commits_survive_the_close_of_its_parent(rig: Rig) -> None:
    """Let the parent's last close not take away the log that the child writes."""
    mine, childs = rig.start(), rig.start()
    told, tell = os.pipe()
    answered, answer = os.pipe()

    def work() -> None:
        childs.backend = rig.backend
        session = rig.session()
        made = rig.new(owner=session)
        created = rig.create(made)
        assert created.claim is not None
        os.write(answer, b"!")
        assert b"!" == os.read(told, 1)
        for node in range(50):
            rig.backend.signals.send(mine.instance_id, "from the child", str(node).encode())

    def close_meanwhile() -> None:
        os.read(answered, 1)
        rig.backend.close()
        os.write(tell, b"!")

    parent = threading.Thread(target=close_meanwhile)
    parent.start()
    in_forked_child(work)
    parent.join()

    pending = rig.backend.signals.pending(mine.instance_id)
    assert list(range(1, 51)) == [signal.seq for signal in pending]
    for end in (told, tell, answered, answer):
        os.close(end)


def test_forking_while_others_write_and_read_harms_nobody(rig: Rig) -> None:
    """Wait for transactions to end, and go on in all threads afterwards."""
    hands = [rig.start() for _ in range(3)]
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            while not stop.is_set():
                hands[number].must(*step(hands[number].seq))
                rig.load(hands[number].instance_id)
        except BaseException as error:  # noqa: BLE001 - the test raises it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        in_forked_child(lambda: rig.load(hands[0].instance_id) and None)
    stop.set()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert [hand.seq for hand in hands] == [len(rig.history(hand.run_id)) for hand in hands]
