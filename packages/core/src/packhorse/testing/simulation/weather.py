"""What the weather does to a call on its way to a broker or a store, and who may come in between."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from packhorse.errors import ConnectionLost
from packhorse.testing.simulation.world import World

T = TypeVar("T")


class Weather(Struct, frozen=True):
    """How likely a call is to meet each fate; `stall`: its process stands still for `still` seconds."""

    refuse: float = 0.0
    lose_reply: float = 0.0
    crash: float = 0.0
    stall: float = 0.0
    still: float = 75.0
    deaf: float = 0.0


class WeatherFates:
    """Decides over every call that leaves a process, by the weather and the dice.

    No process stands still in one of the `steady` calls. Where only the clock fences, that is the
    settling: if it reaches the broker after the lease, nothing can keep it from being carried out.
    """

    def __init__(self, world: World, weather: Weather) -> None:
        self.world = world
        self.weather = weather
        self.steady: frozenset[str] = frozenset()

    def meet(self, verb: str, call: Callable[[], T]) -> T:
        """Makes the call, or lets it meet its fate."""
        world = self.world
        if not world.stack:
            return call()
        world.seam()
        fate = self._draw()
        if fate == "refuse":
            self._trouble(verb, "refused")
            raise ConnectionLost(f"{verb} was refused")
        if fate == "crash before":
            world.die(f"before {verb}")
        if fate == "stall" and verb not in self.steady:
            self._stall(verb)
        answer = call()
        if fate == "crash after":
            world.die(f"after {verb}")
        if fate == "lose":
            self._trouble(verb, "carried out, and its reply lost")
            raise ConnectionLost(f"the reply to {verb} was lost")
        world.seam()
        return answer

    def _draw(self) -> str:
        weather, drawn = self.weather, self.world.dice.random()
        for fate, share in (
            ("refuse", weather.refuse),
            ("lose", weather.lose_reply),
            ("crash before", weather.crash),
            ("crash after", weather.crash),
            ("stall", weather.stall),
        ):
            if drawn < share:
                return fate
            drawn -= share
        return ""

    def _trouble(self, verb: str, what: str) -> None:
        assert self.world.process is not None
        self.world.process.troubled = self.world.now
        self.world.tell(f"{verb} {what}")

    def _stall(self, verb: str) -> None:
        process = self.world.process
        assert process is not None
        self._trouble(verb, f"waits: the process stands still for {self.weather.still:g} s")
        process.still_until = self.world.now + self.weather.still
        self.world.sleep(self.weather.still)
        process.troubled = self.world.now
