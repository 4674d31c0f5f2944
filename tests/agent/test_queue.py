"""The work queue: each object once, in the order of what stands on what, later each time that it fails."""

from __future__ import annotations

import itertools
import threading

from executor.agent.queue import FIRST, LONGEST, WorkQueue
from executor.agent.reconcile import rank
from executor.engine.objects import Ref

ONE, TWO = (Ref("VirtualMachine", "default", name) for name in ("one", "two"))
NET = Ref("VirtualMachineNetwork", "default", "net")


class Clock:
    """A time that stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def queue(clock: Clock | None = None) -> WorkQueue:
    return WorkQueue(rank, clock=clock or Clock())


def test_what_is_added_twice_comes_once() -> None:
    work = queue()
    work.add(ONE)
    work.add(ONE)
    assert work.get() == ONE
    work.done(ONE)
    assert work.sizes() == (0, 0, 0)


def test_what_is_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    work = queue()
    work.add(ONE)
    assert work.get() == ONE
    work.add(ONE)
    work.add(TWO)
    assert work.get() == TWO
    work.done(TWO)
    work.done(ONE)
    assert work.get() == ONE


def test_a_network_comes_before_guests_and_they_wait_until_it_is_done() -> None:
    work = queue()
    work.add(ONE)
    work.add(NET)
    assert work.get() == NET
    came: list[Ref | None] = []
    worker = threading.Thread(target=lambda: came.append(work.get()))
    worker.start()
    assert (came, work.sizes()) == ([], (1, 1, 0))
    work.done(NET)
    worker.join()
    assert came == [ONE]


def test_what_failed_comes_later_each_time_until_it_went_well() -> None:
    clock = Clock()
    work = queue(clock)
    pauses = []
    for _ in range(12):
        pauses.append(work.retry(ONE))
        clock.now += LONGEST * 2
        assert work.get() == ONE
        work.done(ONE)
    assert all(later > earlier for earlier, later in itertools.pairwise(pauses[:8]))
    assert max(pauses) <= LONGEST * 1.25
    work.forget(ONE)
    assert work.retry(ONE) <= FIRST * 1.25


def test_the_sooner_of_two_times_counts() -> None:
    clock = Clock()
    work = queue(clock)
    work.add(ONE, after=10)
    work.add(ONE, after=5)
    work.add(ONE, after=20)
    clock.now = 6
    assert work.get() == ONE
    work.done(ONE)
    clock.now = 30
    assert work.sizes() == (0, 0, 0)


def test_a_paused_queue_hands_out_nothing_until_it_goes_on() -> None:
    work = queue()
    work.pause()
    work.add(ONE)
    came: list[Ref | None] = []
    worker = threading.Thread(target=lambda: came.append(work.get()))
    worker.start()
    assert work.sizes()[:2] == (1, 0)
    work.resume()
    worker.join()
    assert came == [ONE]


def test_a_closed_queue_lets_its_workers_go() -> None:
    work = queue()
    workers = [threading.Thread(target=work.get) for _ in range(3)]
    for worker in workers:
        worker.start()
    work.close()
    for worker in workers:
        worker.join()
    assert work.get() is None
