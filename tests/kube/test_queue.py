"""The work queue: each key once, never at two workers, the urgent first, the failing later and later."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from kube.queue import LOW, NORMAL, ShutDown, WorkQueue


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (to be had again, not to be unknown)


async def drained(queue: WorkQueue[str]) -> list[str]:
    """Return all that waits, in the order in which workers get it."""
    found = []
    while len(queue):
        found.append(await queue.get())
    for key in found:
        queue.done(key)
    return found


def test_a_key_that_waits_already_is_not_added_twice() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test")
        for key in ("a", "b", "a", "a", "b"):
            queue.add(key)
        assert await drained(queue) == ["a", "b"]

    asyncio.run(scenario())


def test_a_key_that_is_added_while_a_worker_has_it_comes_again_when_the_worker_is_done() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test")
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        assert await drained(queue) == ["a"]
        assert queue.idle

    asyncio.run(scenario())


def test_what_changed_goes_before_a_resync_and_raises_what_waits() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test")
        for key in ("a", "b", "c", "d"):
            queue.add(key, priority=LOW)
        queue.add("new")
        queue.add("c", priority=NORMAL)
        queue.add("new", priority=LOW)
        assert await drained(queue) == ["new", "c", "a", "b", "d"]

    asyncio.run(scenario())


def test_a_failing_key_waits_longer_each_time_until_it_is_forgotten() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test", first=1.0, limit=10.0, source=seeded(1))
        delays = [queue.retry("a") for _ in range(6)]
        for delay, whole in zip(delays, [1, 2, 4, 8, 10, 10], strict=True):
            assert whole / 2 <= delay <= whole
        assert queue.failures("a") == 6
        queue.forget("a")
        assert queue.retry("a") <= 1.0
        assert queue.retry("b", at_least=70.0) == 70.0

    asyncio.run(scenario())


def test_of_two_delays_the_shorter_counts() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test")
        queue.add_after("a", 3600)
        queue.add_after("a", 0.01)
        queue.add_after("a", 7200)
        async with asyncio.timeout(10):
            assert await queue.get() == "a"
        queue.done("a")
        assert queue.idle

    asyncio.run(scenario())


def test_workers_are_told_when_the_queue_shuts_down() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue("test")
        waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.add_after("late", 0.001)
        queue.shut_down()
        queue.add("later")
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(found, ShutDown)

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(5))
def test_no_change_is_missed_and_no_key_is_at_two_workers(seed: int) -> None:
    async def scenario() -> None:
        chance = seeded(seed)
        queue: WorkQueue[int] = WorkQueue("test", first=0.0001, limit=0.001, source=chance)
        wanted: Counter[int] = Counter()
        seen: dict[int, int] = {}
        held: set[int] = set()

        async def worker() -> None:
            while True:
                key = await queue.get()
                assert key not in held
                held.add(key)
                version = wanted[key]
                await asyncio.sleep(chance.uniform(0, 0.001))
                if chance.random() < 0.2:
                    queue.retry(key)
                else:
                    seen[key] = version
                    queue.forget(key)
                held.discard(key)
                queue.done(key)

        workers = [asyncio.create_task(worker()) for _ in range(5)]
        for _ in range(500):
            key = chance.randrange(12)
            wanted[key] += 1
            if chance.random() < 0.3:
                queue.add_after(key, chance.uniform(0, 0.002), priority=chance.choice([LOW, NORMAL]))
            else:
                queue.add(key, priority=chance.choice([LOW, NORMAL]))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.uniform(0, 0.001))
        async with asyncio.timeout(30):
            while not queue.idle:
                assert not any(worker.done() for worker in workers)
                await asyncio.sleep(0.001)
        assert seen == dict(wanted)
        queue.shut_down()
        await asyncio.gather(*workers, return_exceptions=True)

    asyncio.run(scenario())
