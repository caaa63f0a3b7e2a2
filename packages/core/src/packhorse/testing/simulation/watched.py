"""Stands between the faults and the broker, and tells the truth of each call that is carried out."""

from collections.abc import Collection, Sequence
from uuid import UUID

from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery, Message, Renewed, Reserved, Sent
from packhorse.driver.outcome import Outcome, Settled
from packhorse.testing.forwarding import ForwardingConsumer, ForwardingDriver
from packhorse.testing.simulation.truth import Truth
from packhorse.testing.simulation.world import short


class Watched(ForwardingDriver):
    """Tells the truth of every call that a driver carries out."""

    truth: Truth

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        answers = super().send(messages)
        for message, answer in zip(messages, answers, strict=True):
            if answer.state == "stored":
                self.truth.world.tell(f"sent {short(message.id)}")
                self.truth.stored(message, answer.superseded)
            elif answer.state == "taken" and self.truth.capabilities.unique:
                self.truth.keys.refused(message)
        self.truth.awake()
        return answers

    def consumer(self, worker: str) -> Consumer:
        return _Consumer(self, self.driver.consumer(worker))

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        count: int = self.driver.rescue(worker, keep, blamed)  # type: ignore[attr-defined]
        self.truth.rescued(worker, keep, blamed)
        return count


class _Consumer(ForwardingConsumer):
    """Never blocks: who would wait has a later turn, or is woken by a push."""

    driver: Watched

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, 0.0)
        truth = self.driver.truth
        world = truth.world
        if not world.stack:
            return reserved
        if reserved.deliveries:
            named = " ".join(short(one.message.id) for one in reserved.deliveries)
            world.tell(f"got {named}")
            truth.reserved(reserved.deliveries, limit, world.stack[-1].process)
        elif wait:
            due = reserved.next_due
            world.wake(world.stack[-1], wait if due is None else min(wait, max(due, 0.001)))
        return reserved

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        answers = super().settle(outcomes)
        for outcome, answer in zip(outcomes, answers, strict=True):
            self.driver.truth.settled(outcome, answer)
        return answers

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        answers = super().renew(deliveries)
        for delivery, answer in zip(deliveries, answers, strict=True):
            self.driver.truth.renewed(delivery, answer)
        return answers
