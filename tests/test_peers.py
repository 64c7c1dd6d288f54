"""Peers of the benchmarks answer requests, and one that fails, dies or hangs is named, not waited for."""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from guests import Guest, Guests, guests
from measure import Result, Settings, Target, take_turns
from peer_install import Installed
from peer_process import SCRIPTS, PeerError, PeerProcess

PATIENCE = 2.0
HOLDING = (
    "import fcntl, time; f = open('HELD', 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)"
)
SCRIPT = f"""
import os
import subprocess
import sys
import time

sys.path.append({str(SCRIPTS)!r})
from protocol import serve, timed

def working(count):
    print("a library prints")
    return timed(count * 0.001, count, "ms/step", str(count) + " pieces")

def failing(count):
    raise ValueError("no luck")

def dying(count):
    os._exit(1)

def hanging(count):
    subprocess.Popen([sys.executable, "-c", {HOLDING!r}])
    time.sleep(600)

work = dict.fromkeys(("", "tuned"), working)
offers = dict(work=work, fail=dict.fromkeys([""], failing), die=dict.fromkeys([""], dying))
serve(offers | dict(hang=dict.fromkeys([""], hanging)), dict(fly="no wings"), lambda: None)
"""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[PeerProcess]:
    """Give a peer that can do and suffer everything."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("HELD", str(tmp_path / "lock")))
    environment = Installed(python=Path(sys.executable), distributions=1, mib=1.0)
    started = PeerProcess("peer-1.0", script, environment, tmp_path / "log.txt", PATIENCE)
    yield started
    started.close()


def _settings(folder: Path, peer: PeerProcess) -> Settings:
    missing = {"absent-2.0": "not to be had"}
    return Settings(folder=folder, peers={peer.name: peer}, missing=missing)


def _await_lock(file: IO[str]) -> None:
    """Take the lock that a worker held as long as it lived."""
    deadline = time.monotonic() + 10
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert time.monotonic() < deadline, "the worker lives on"
            time.sleep(0.01)
        else:
            return


def test_an_answer_has_its_value_in_the_unit_of_its_row(peer: PeerProcess) -> None:
    """Whatever a library prints on the way."""
    answer = peer.ask("work", variant="", count=5)

    assert ("ms/step", "5 pieces") == (answer["unit"], answer["setting"])
    assert {"value": pytest.approx(1.0)} == answer["values"]


def test_an_error_is_told_and_leaves_the_peer_working(peer: PeerProcess) -> None:
    """The other workloads go on in the same process."""
    with pytest.raises(PeerError, match="fail failed: ValueError: no luck"):
        peer.ask("fail", variant="", count=1)

    assert "1 pieces" == peer.ask("work", variant="", count=1)["setting"]


def test_a_peer_that_dies_is_named_and_starts_again_when_asked(peer: PeerProcess) -> None:
    """One workload is lost, not the others."""
    with pytest.raises(PeerError, match="it ended at die"):
        peer.ask("die", variant="", count=1)

    assert "1 pieces" == peer.ask("work", variant="", count=1)["setting"]


def test_a_peer_that_hangs_is_ended_with_its_workers(peer: PeerProcess, tmp_path: Path) -> None:
    """Nothing of it is left that could disturb what is measured after it."""
    with pytest.raises(PeerError, match="ended, as hang had no answer in 2 s"):
        peer.ask("hang", variant="", count=1)

    with (tmp_path / "lock").open("a") as file:
        _await_lock(file)


def test_peers_take_the_first_turns_beside_the_sides(peer: PeerProcess, tmp_path: Path) -> None:
    """Every variant under its own name, with its setting; the missing ones with their reasons."""
    with guests(_settings(tmp_path, peer), "work", count=40) as invited:
        times = take_turns(4, {"ours": lambda: 0.5}, invited)

    assert {"ours": 4, "peer-1.0": 3, "peer-1.0 tuned": 3} == {
        side: len(values) for side, values in times.items()
    }
    assert {
        "absent-2.0": "not to be had",
        "peer-1.0": "40 pieces",
        "peer-1.0 tuned": "40 pieces",
    } == invited.notes
    result = Result(
        workload="W0",
        what="work",
        unit="ms/step",
        times=times,
        target=Target(of="peer-1.0", at_most=1.0),
        notes=invited.notes,
    )
    assert 0.5 == pytest.approx(result.judged())


def test_a_peer_without_the_workload_says_why(peer: PeerProcess, tmp_path: Path) -> None:
    """Nobody has to guess."""
    with guests(_settings(tmp_path, peer), "fly", count=40) as invited:
        notes = invited.notes

    assert ([], "no wings") == (list(invited), notes["peer-1.0"])


def test_a_peer_that_fails_once_takes_no_further_turns(peer: PeerProcess, tmp_path: Path) -> None:
    """The row says why it has no times."""
    with guests(_settings(tmp_path, peer), "fail", count=40) as invited:
        times = take_turns(2, {"ours": lambda: 0.5}, invited)

    assert ["ours"] == list(times)
    assert "fail failed: ValueError: no luck" in invited.notes["peer-1.0"]


def test_a_slow_peer_does_less_in_a_turn_and_a_quick_one_everything(peer: PeerProcess) -> None:
    """A millisecond for a piece leaves 100 of them in a turn of a tenth of a second."""
    slow, quick = (
        Guest(peer, "work", {"variant": "", "count": count}, turn_seconds=0.1)
        for count in (4_000, 50)
    )
    both = Guests({})
    both.extend((slow, quick))

    both.warm_up()
    both.take_turn(0)

    assert ["100 pieces", "50 pieces"] == [slow.note, quick.note]
