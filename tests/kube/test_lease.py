"""One leads at a time, whatever the network and the clocks do, and another takes over when it no longer can."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kube.client import Client
from kube.lease import Election, LeaseLost, boot_clock, identity
from kube.resource import LEASES
from tests.harness.faultproxy import FaultProxy, Faults
from tests.kube.conftest import until

if TYPE_CHECKING:
    from kube.session import Session
    from tests.kube.conftest import Cluster

# Short, so that nobody waits for long; in their usual proportions.
SHORT: dict[str, float] = {"lease_duration": 2.0, "renew_deadline": 1.5, "retry_period": 0.1}


@dataclass
class Clock:
    """The real one, and what a test adds to it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return boot_clock() + self.ahead


def candidate(cluster: Cluster, session: Session, name: str, **options: Any) -> Election:
    return Election(session, cluster.key("leader"), name, **{**SHORT, **options})


async def lead(election: Election) -> None:
    await election.acquire()
    await election.keep()


async def holder(cluster: Cluster) -> dict[str, Any]:
    arguments = ("get", "lease", "leader", "-n", cluster.namespace, "-o", "json")
    found = await asyncio.to_thread(cluster.control_plane.kubectl, *arguments)
    spec: dict[str, Any] = json.loads(found.stdout)["spec"]
    return spec


def test_of_two_candidates_one_leads_and_the_other_follows_when_it_lets_go(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            first, second = (candidate(cluster, session, name) for name in ("first", "second"))
            await first.acquire()
            waiting = asyncio.create_task(second.acquire())
            keeping = asyncio.create_task(first.keep())
            await asyncio.sleep(2 * SHORT["lease_duration"])
            assert (first.leads, second.leads) == (True, False)
            assert (await holder(cluster))["holderIdentity"] == "first"
            keeping.cancel()
            await first.release()
            assert not first.leads
            async with asyncio.timeout(SHORT["lease_duration"]):
                await waiting
            assert second.leads
            spec = await holder(cluster)
            assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)

    asyncio.run(scenario())


def test_a_leader_that_is_cut_off_is_none_before_another_one_is(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=1) as proxy,
            cluster.session(proxy.url) as cut,
            cluster.session() as session,
        ):
            first, second = candidate(cluster, cut, "first"), candidate(cluster, session, "second")
            leading = asyncio.create_task(lead(first))
            await until(lambda: first.leads)
            following = asyncio.create_task(lead(second))
            proxy.down = True
            proxy.cut_all()
            while not second.leads:
                assert not following.done()
                await asyncio.sleep(0.005)
            assert not first.leads
            with pytest.raises(LeaseLost):
                await leading
            following.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(2))
def test_two_never_lead_at_once_on_a_bad_network(cluster: Cluster, seed: int) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        faults = Faults(drop=0.2, lose=0.2, throttle=0.2, fail=0.2, delay=0.5, longest_delay=0.3)
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=seed, faults=faults) as proxy,
            cluster.session(proxy.url) as session,
        ):
            elections = [candidate(cluster, session, f"candidate-{n}") for n in range(3)]
            terms: list[str] = []

            async def stand(election: Election) -> None:
                while True:
                    with contextlib.suppress(LeaseLost):
                        await election.acquire()
                        terms.append(election.identity)
                        await election.keep()

            standing = [asyncio.create_task(stand(election)) for election in elections]
            for step in range(250):
                assert sum(election.leads for election in elections) <= 1
                if step % 100 == 50:
                    # Whoever leads is cut off for longer than its lease lives.
                    proxy.down = True
                if step % 100 == 90:
                    proxy.down = False
                await asyncio.sleep(0.03)
            assert len(terms) >= 2
            assert sum(proxy.injected.values()) > 20
            for task in standing:
                assert not task.done()
                task.cancel()

    asyncio.run(scenario())


def test_a_machine_that_slept_no_longer_leads_at_the_moment_it_wakes(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            clock = Clock()
            election = candidate(cluster, session, "sleeper", clock=clock)
            await election.acquire()
            keeping = asyncio.create_task(election.keep())
            clock.ahead += 3600
            assert not election.leads
            with pytest.raises(LeaseLost, match="in time"):
                await keeping

    asyncio.run(scenario())


@pytest.mark.parametrize("usurper", ["other", ""])
def test_a_lease_that_was_taken_by_force_is_lost_at_the_next_look(cluster: Cluster, usurper: str) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            election = candidate(cluster, session, "first")
            await election.acquire()
            await Client(session).patch(LEASES, election.key, {"spec": {"holderIdentity": usurper}})
            with pytest.raises(LeaseLost, match=f"{usurper or 'nobody'} holds"):
                await election.keep()
            assert not election.leads

    asyncio.run(scenario())


@pytest.mark.parametrize("ahead", [-86400.0, 86400.0], ids=["a day behind", "a day ahead"])
def test_a_candidate_whose_clock_is_another_waits_as_long_as_any(cluster: Cluster, ahead: float) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            first = candidate(cluster, session, "first")
            second = candidate(cluster, session, "second", clock=Clock(ahead=ahead))
            await first.acquire()
            keeping = asyncio.create_task(first.keep())
            waiting = asyncio.create_task(second.acquire())
            await asyncio.sleep(2 * SHORT["lease_duration"])
            assert first.leads
            assert not waiting.done()
            keeping.cancel()
            await waiting
            assert not first.leads

    asyncio.run(scenario())


def test_a_lease_that_somebody_deleted_is_made_again(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            election = candidate(cluster, session, "only")
            await election.acquire()
            keeping = asyncio.create_task(election.keep())
            arguments = ("delete", "lease", "leader", "-n", cluster.namespace)
            await asyncio.to_thread(cluster.control_plane.kubectl, *arguments)
            await asyncio.sleep(2 * SHORT["renew_deadline"])
            assert election.leads
            assert (await holder(cluster))["holderIdentity"] == "only"
            keeping.cancel()

    asyncio.run(scenario())


def test_each_process_has_a_name_of_its_own() -> None:
    assert identity() != identity()


@pytest.mark.parametrize("options", [{"renew_deadline": 2.5}, {"retry_period": 1.5}])
def test_times_that_could_let_two_lead_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="outlast"):
        Election(None, None, "x", **{**SHORT, **options})  # type: ignore[arg-type]
