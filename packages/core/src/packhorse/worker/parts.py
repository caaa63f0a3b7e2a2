"""The parts of one run of a worker: what they share, and the order in which they start and end."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from signal import SIGTERM
from typing import TYPE_CHECKING, NoReturn

from packhorse.flow.start import StartBatch
from packhorse.options import OptionSet
from packhorse.worker.attempt import Verdict
from packhorse.worker.board import Board
from packhorse.worker.closing import Settlement, close, give_back
from packhorse.worker.companion import Companion
from packhorse.worker.contact import Contact
from packhorse.worker.courier import Courier
from packhorse.worker.execution import Execution
from packhorse.worker.fetcher import Fetcher
from packhorse.worker.hand import Hand
from packhorse.worker.holder import Holder
from packhorse.worker.interruption import Interruption
from packhorse.worker.keeper import Keeper
from packhorse.worker.orders import Orders
from packhorse.worker.plan import Limits
from packhorse.worker.policy import Policies
from packhorse.worker.presence import Presence
from packhorse.worker.relay import Relay
from packhorse.worker.runner import Terms
from packhorse.worker.runners import Runners
from packhorse.worker.settler import Settler
from packhorse.worker.site import Site
from packhorse.worker.sweeper import Sweeper
from packhorse.worker.telling import tell_lost
from packhorse.worker.time_up import TimeUp
from packhorse.worker.watchdog import patience

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

OWN_JOBS = (StartBatch,)
"""Jobs of packhorse itself, which every worker knows."""

_log = logging.getLogger("packhorse.worker")


class Parts:
    """The threads of one run. Making them opens a consumer, which raises `ConnectionLost` if the
    broker is away, and `StoreRequired` if there is no store for what the broker lacks."""

    def __init__(
        self,
        app: "Packhorse",
        connection: "Connection",
        queues: Sequence[str],
        *,
        name: str,
        concurrency: int,
        flags: OptionSet,
        limits: Limits,
        sleep: float,
        rest: float,
        grace: float,
        board: Board | None,
        imports: Sequence[str],
        born: float,
        noticed: Callable[[], None],
        restart: Callable[[], None],
        troubled: Callable[[Exception, float], None],
    ) -> None:
        lease = connection.settings.lease
        self.hand = Hand(limits.max_jobs, noticed, board)
        self.interruption = Interruption()
        self.site = Site(
            name,
            app,
            connection,
            Policies(flags),
            connection.known_codecs(),
            app.wiring.middleware,
            connection.require_store,
            self.interruption,
        )
        self.consumer = Contact(connection, name, patience(lease, sleep), board)
        companion = Companion.of(connection, name)
        courier = Courier(app, connection, name)
        self.sweeper = Sweeper(app, connection, name, troubled)
        self.settler = Settler(self.site, self.consumer, self.hand, companion, courier, troubled)
        by_clock = connection.driver.capabilities.fencing == "clock"
        self.keeper = Keeper(self.consumer, self.hand, lease, by_clock, self.settler.put, troubled)
        self.holder = Holder(self.hand, lease, troubled)
        self.relay = Relay(connection, self.hand, self.keeper.hurry, troubled)
        self._grace = grace
        terms = Terms(self.hand, concurrency, rest, self._finished, board, grace)
        self.runners = Runners(terms, self.site, imports)
        self.fetcher = Fetcher(
            self.site,
            self.consumer,
            self.hand,
            queues,
            concurrency=concurrency,
            limits=limits,
            sleep=sleep,
            unknown_limit=app.settings.unknown_job_limit,
            companion=companion,
            submit=self.runners.submit,
            settle=self.settler.put,
            troubled=troubled,
            noticed=noticed,
            rested=self.consumer.note,
        )
        self.presence = Presence(
            self.site,
            self.hand,
            queues,
            concurrency,
            born,
            hold_back=self.fetcher.hold_back,
            restart=restart,
        )

    def start(self) -> None:
        """Starts the threads; the reserving one last."""
        self.sweeper.start()
        self.settler.start()
        self.keeper.start()
        self.holder.start()
        self.relay.start()
        self.presence.start()  # it knows what is paused
        self.fetcher.start()

    def pause(self, paused: bool) -> None:
        """Takes nothing more, or goes on; what is in hand runs."""
        self.fetcher.halt(paused)
        self.presence.show("paused" if paused else "working")

    def wind_up(self, orders: Orders) -> int:
        """Tells what runs, and lets it finish until the worker is to have ended; how many had not."""
        signal = orders.signal or SIGTERM
        self.presence.show("stopping")
        self._interrupt(signal)
        self.fetcher.stop()
        self.keeper.return_unstarted()
        while self._waits_for_some() and time.monotonic() < orders.end_by:
            self._interrupt(signal)
            self.hand.room.clear()
            if self._waits_for_some():
                self.hand.room.wait(0.1)
        self.settler.stop(within=max(1.0, min(self._grace, orders.end_by - time.monotonic())))
        unfinished = len(self.hand.started)
        if unfinished:
            _log.warning("%d jobs were still running when grace was over", unfinished)
        return unfinished

    def _interrupt(self, signal: int) -> None:
        self.interruption.tell(signal, list(self.hand.started.values()))

    def abandon(self, leave: Callable[[], NoReturn]) -> NoReturn:
        """Settles what still runs and ends the process in the next statement, so that it ends there
        before it can begin elsewhere."""
        self.presence.stop()
        self.runners.kill()
        running = [one for one in list(self.hand.started.values()) if not one.duration]
        self.settler.settle_rest([_abandoned(one) for one in running])
        leave()

    def close(self) -> None:
        """Ends the threads; what still runs keeps its lease until that ends, but for what is killed here."""
        self.runners.stop()
        if killed := [one for one in list(self.hand.started.values()) if one.isolated]:
            self.settler.settle_rest([_abandoned(one) for one in killed])
        self.keeper.stop()
        self.holder.stop()
        self.relay.stop()
        self.sweeper.stop()
        self.presence.stop()
        self.consumer.close()

    def desert(self, orders: Orders) -> None:
        """Ends the threads once the broker lets go of them; what they get until then goes back."""
        with suppress(Exception):  # the connection may have been closed meanwhile
            self.wind_up(orders)
        with suppress(Exception):
            self.close()

    def _waits_for_some(self) -> bool:
        """Whether anything in hand may still end; what cannot be stopped will not."""
        now, grace = time.monotonic(), self._grace
        started = list(self.hand.started.values())
        stuck = [execution for execution in started if execution.cannot_be_stopped(grace, now)]
        return len(self.hand.held) > len(stuck)

    def _finished(self, execution: Execution, verdict: Verdict) -> None:
        if execution.lost:
            self.hand.count([execution.duration])  # it ran, whatever became of it
            self.hand.drop([execution.delivery.token])
            tell_lost(execution, repeated=False)
        else:
            self.settler.put(close(execution, verdict))


def _abandoned(execution: Execution) -> Settlement:
    """What becomes of a job that cannot be stopped: past its time-out it has failed, else it goes back."""
    policy, ran = execution.policy, time.monotonic() - execution.started
    if not execution.timed_out and not 0 < policy.timeout <= ran:
        return give_back(execution)
    execution.timed_out = True  # also what is not to be interrupted at its time-out
    return close(execution, execution.conclude(execution.ending(TimeUp())))
