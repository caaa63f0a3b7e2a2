"""A whole broker in memory: what each verb of the contract changes, and nothing else.

It knows no clock, no lock and no thread: whoever calls holds the lock and says what time it is, in
moments of the broker's clock, which never runs back. Messages enter by `_enter` and end by `_end`,
and nowhere else.
"""

import os
from collections.abc import Sequence
from itertools import count

from msgspec import structs

from packhorse.driver.keys import Keys
from packhorse.driver.known import KnownIds
from packhorse.driver.limits import refusal, round_up
from packhorse.driver.line import Entry, Line
from packhorse.driver.message import CANCELLED, CEILING, LOST, Delivery, Message, Renewed, Sent
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Settled
from packhorse.driver.personality import Personality

SWEEP = 1_000
"""From this size on, empty lines are swept out whenever they may be half of all."""


class Broker:
    """Queues, leases, dead messages and known ids, under the limits of a personality."""

    def __init__(self, personality: Personality, lease: float) -> None:
        self.personality = personality
        self.capabilities = personality.capabilities
        self.lease = round_up(lease, self.capabilities.lease_step)
        self.live: dict[int, Entry] = {}
        self.dead: dict[int, Entry] = {}
        self.lines: dict[str, Line] = {}
        self._keys = Keys()
        self._known = KnownIds()
        self._sweep_lines = SWEEP
        self._fenced = self.capabilities.fencing == "broker"
        self._numbers = count(1)
        # A random start keeps the tokens of one driver from meaning anything to another.
        self._tokens = count(int.from_bytes(os.urandom(7), "big"))

    def send(self, messages: Sequence[Message], now: float) -> list[Sent]:
        """Stores messages that are not known, in this order."""
        return [self._send(message, now) for message in messages]

    def take(
        self, line: Line, limit: int, now: float, worker: str, wall: float, monotonic: float
    ) -> list[Delivery]:
        """Leases up to `limit` messages of a line for a worker."""
        line.end_leases(now)
        taken: list[Delivery] = []
        total = self.capabilities.max_lease_total
        ceiling = None if total is None else monotonic + total
        end, deadline = now + self.lease, monotonic + self.lease
        while len(taken) < limit and (entry := line.pop(now)) is not None:
            token = next(self._tokens).to_bytes(8, "big")
            if not self._fenced:
                token = entry.key.to_bytes(8, "big") + token
            line.lease(entry, token, end, worker)
            unique = entry.message.unique
            if unique is not None and unique.until == "reserved":
                self._keys.free(entry.message, now)
            taken.append(
                Delivery(
                    entry.message,
                    token,
                    entry.deliveries,
                    wall,
                    deadline,
                    ceiling,
                    entry.cancelled,
                    entry.superseded,
                )
            )
        return taken

    def settle(self, outcome: Outcome, now: float, worker: str) -> Settled:
        """Carries out one outcome, whole or not at all."""
        delivery = outcome.delivery
        entry = self._held(delivery, worker)
        if entry is None and self._fenced:
            return "gone"
        if type(outcome) is Done or type(outcome) is Dead:
            if outcome.follow and any(self.refusal(message) for message in outcome.follow):
                return "failed"
            if entry is not None:
                self.remove(entry)
                if type(outcome) is Dead and self.personality.keeps_dead:
                    self._bury(entry, outcome.record, now)
                else:
                    self.end(entry, now)
            self.send(outcome.follow, now)
        elif type(outcome) is Retry:
            return self._retry(outcome, entry, now)
        elif entry is not None and self.personality.returns == "place":
            self.remove(entry)
            self.give_back(entry)
        else:
            self._write(entry, delivery.message, now, 0.0)
        return "applied"

    def renew(self, delivery: Delivery, now: float, monotonic: float, worker: str) -> Renewed:
        """Moves the end of a lease on."""
        entry = self._held(delivery, worker)
        if entry is None or not entry.token:
            return LOST
        ceiling = delivery.renewable_until
        if ceiling is not None and monotonic + self.lease > ceiling:
            return CEILING
        line = self.lines[entry.message.queue]
        line.remove(entry)
        renewed = self._replace(entry, gone=False, end=now + self.lease)
        line.leased[entry.token] = renewed
        return CANCELLED if entry.cancelled else monotonic + self.lease

    def cancel(self, entry: Entry, now: float) -> None:
        """Marks a message, and makes it due now if it was delayed or parked."""
        self._hasten(entry, now).cancelled = True

    def revive(self, message: Message, now: float) -> Sent:
        """Lets a dead message wait again, if nobody holds its unique key."""
        if message.id.int not in self.dead:
            return Sent(message.id, "known")
        if (error := self.refusal(message)) is not None:
            return Sent(message.id, "refused", error=error)
        if message.unique is not None:
            if (rival := self._keys.rival(message, message.queue, now)) is not None:
                return Sent(message.id, "taken", rival)
            self._keys.take(message, now, now)
        self._enter(self.dead.pop(message.id.int).key, message, now, message.delay)
        return Sent(message.id, "stored")

    def move(self, entry: Entry, queue: str, now: float) -> bool:
        """Moves a message that is not leased to another queue, its moment kept; False: key taken."""
        message = entry.message
        if message.queue == queue:
            return True
        if not self._keys.move(message, queue, now):
            return False
        self.remove(entry)
        self.lines[message.queue].leave(entry)
        message = structs.replace(message, queue=queue)
        self._line(queue).join(self._replace(entry, gone=False, parked=False, message=message))
        return True

    def rescue(self, entry: Entry, blamed: bool) -> None:
        """Ends a lease; a blamed delivery counts, and its message goes first."""
        self.remove(entry)
        if blamed:
            entry = self._replace(entry, gone=False, token=b"", worker="")
            self.lines[entry.message.queue].insert_first(entry)
        else:
            self.give_back(entry)

    def refusal(self, message: Message) -> str | None:
        """Why this broker would not take a message, None if it would."""
        return refusal(message, self.capabilities)

    def remove(self, entry: Entry) -> None:
        """Takes a live message out of its line."""
        self.lines[entry.message.queue].remove(entry)

    def give_back(self, entry: Entry) -> None:
        """Lets a message that was removed wait at its old place, its last delivery not counted."""
        entry = self._replace(
            entry, gone=False, token=b"", worker="", deliveries=entry.deliveries - 1
        )
        self.lines[entry.message.queue].insert(entry)

    def end(self, entry: Entry, now: float) -> None:
        """Forgets a message that was removed or dead, but for its id if that is to stay known."""
        if entry.record is None:
            self._let_go(entry, now)
        else:
            del self.dead[entry.key]
        once = entry.message.once
        if once > 0 and self.capabilities.known_ids:
            self._known.keep(entry.key, now + once, now)

    def _send(self, message: Message, now: float) -> Sent:
        if self.capabilities.known_ids:
            key = message.id.int
            if key in self.live or key in self.dead or self._known.ends.get(key, now) > now:
                return Sent(message.id, "known")
        else:
            key = next(self._numbers)
        if (error := self.refusal(message)) is not None:
            return Sent(message.id, "refused", error=error)
        if message.unique is not None:
            return self._contend(key, message, now)
        self._enter(key, message, now, message.delay)
        return Sent(message.id, "stored")

    def _contend(self, key: int, message: Message, now: float) -> Sent:
        """Stores a message if it gets its unique key."""
        unique = message.unique
        assert unique is not None
        held, first, superseded = self._keys.held(message.queue, unique.key, now), now, None
        if held is not None:
            holder = self.live[held.holder.int] if held.live else None
            taken = holder is None or holder.token or holder.cancelled
            if holder is None or taken or unique.on_taken == "keep":
                return Sent(message.id, "taken", held.holder)
            self._hasten(holder, now).superseded = True
            first, superseded = held.first, held.holder
        self._keys.take(message, now, first)
        longest = message.delay if unique.max_wait is None else first + unique.max_wait - now
        self._enter(key, message, now, min(message.delay, longest))
        return Sent(message.id, "stored", superseded=superseded)

    def _enter(self, key: int, message: Message, now: float, delay: float, sent: int = 0) -> Entry:
        line = self.lines.get(message.queue) or self._line(message.queue)
        number = next(self._numbers)
        entry = Entry(key, message, now, number, sent or number)
        self.live[key] = entry
        if delay > 0:
            entry.moment += round_up(delay, self.capabilities.delay_step)
        if delay > 0 or message.group is not None:
            line.join(entry)
        else:
            line.append(entry)
        return entry

    def _hasten(self, entry: Entry, now: float) -> Entry:
        """Makes a message due now; one that was parked leaves its group, and shows none."""
        if entry.token or (entry.moment <= now and not entry.parked):
            return entry
        self.remove(entry)
        message = structs.replace(entry.message, group=None) if entry.parked else entry.message
        moment, sequence = min(entry.moment, now), next(self._numbers)
        entry = self._replace(
            entry, gone=False, parked=False, message=message, moment=moment, sequence=sequence
        )
        self.lines[message.queue].insert(entry)
        return entry

    def _let_go(self, entry: Entry, now: float) -> None:
        """Lets go of a message that was removed: of its unique key, and of its place in its group."""
        del self.live[entry.key]
        if entry.message.unique is not None:
            self._keys.free(entry.message, now)
        if entry.message.group is not None:
            self.lines[entry.message.queue].leave(entry)

    def _held(self, delivery: Delivery, worker: str) -> Entry | None:
        if not self._fenced:
            return self.live.get(int.from_bytes(delivery.token[:8], "big"))
        line = self.lines.get(delivery.message.queue)
        entry = line.holder(delivery.token) if line is not None else None
        if entry is not None and self.personality.own_tokens and entry.worker != worker:
            return None
        return entry

    def _retry(self, outcome: Retry, entry: Entry | None, now: float) -> Settled:
        delay = outcome.delay
        if self.capabilities.rewrite == "none":
            if entry is not None:
                self.remove(entry)
                moment = now + round_up(delay, self.capabilities.delay_step)
                moment = moment if delay > 0 else entry.moment
                entry = self._replace(entry, gone=False, token=b"", worker="", moment=moment)
                self.lines[entry.message.queue].insert(entry)
            return "applied"
        message = structs.replace(outcome.delivery.message, body=outcome.body, delay=0.0)
        if self.refusal(structs.replace(message, delay=delay)) is not None:
            return "failed"
        self._write(entry, message, now, delay)
        return "applied"

    def _write(self, entry: Entry | None, message: Message, now: float, delay: float) -> None:
        """Puts a message anew behind the others, in place of the entry if that is still there."""
        cancelled, superseded, sent = False, False, 0
        if entry is not None:
            cancelled, superseded, sent = entry.cancelled, entry.superseded, entry.sent
            self.remove(entry)
            del self.live[entry.key]
        key = message.id.int if self.capabilities.known_ids else next(self._numbers)
        entered = self._enter(key, message, now, 0.0 if cancelled or superseded else delay, sent)
        entered.cancelled, entered.superseded = cancelled, superseded

    def _bury(self, entry: Entry, record: bytes, now: float) -> None:
        self._let_go(entry, now)
        buried = structs.replace(entry, gone=False, token=b"", worker="", moment=now)
        buried.record = record
        self.dead[entry.key] = buried

    def _replace(self, entry: Entry, **changes: object) -> Entry:
        """A copy to put elsewhere: the old object may still lie about in a line, marked as gone."""
        changed = structs.replace(entry, **changes)
        self.live[entry.key] = changed
        return changed

    def _line(self, queue: str) -> Line:
        if len(self.lines) > self._sweep_lines:
            self.lines = {name: line for name, line in self.lines.items() if len(line)}
            self._sweep_lines = SWEEP + 2 * len(self.lines)
        return self.lines.setdefault(queue, Line())
