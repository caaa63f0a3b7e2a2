"""A driver that tells the truth of every call that it carries out."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar
from uuid import UUID

from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery, Message, Renewed, Reserved, Sent
from packhorse.driver.outcome import Outcome, Settled
from packhorse.testing.forwarding import ForwardingConsumer, ForwardingDriver
from packhorse.testing.simulation.truth import Truth, short

T = TypeVar("T")


class Watched(ForwardingDriver):
    """Behind all faults: what is told here has happened."""

    truth: Truth

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        return call()

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        answers = super().send(messages)
        for message, answer in zip(messages, answers, strict=True):
            if answer.state == "stored":
                self.truth.world.tell(f"sent {short(message.id)}")
                self.truth.stored(message, answer.superseded)
            elif answer.state == "taken" and self.truth.capabilities.unique:
                self.truth.taken(message, answer.holder)
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
    driver: Watched

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        truth = self.driver.truth
        process = truth.world.process
        if reserved.deliveries and process is not None:
            named = " ".join(short(one.message.id) for one in reserved.deliveries)
            truth.world.tell(f"got {named}")
            truth.reserved(reserved.deliveries, process)
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
