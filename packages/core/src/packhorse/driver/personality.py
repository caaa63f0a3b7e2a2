"""What `memory://?like=…` changes: the limits of other brokers, as values for the memory driver.

Each says what the real broker does where it is harder than memory, so that a job that is tried on
it here meets no surprise there. What a broker merely does not promise (the order on SQS standard,
exact counts) is declared and otherwise left as it is.
"""

from typing import Literal

from msgspec import Struct

from packhorse.driver.contract import Capabilities

OPTIONS = ("like", "lose", "max_body")
"""The options of a `memory://` URL."""


class Personality(Struct, frozen=True, kw_only=True):
    """How a broker behaves.

    abilities    does it list, cancel, pause, keep the dead and rescue?
    buries       does it keep the dead at least unlisted?
    returns      does a returned message go to its old place, or is a copy sent behind the others?
    own_tokens   does a token hold only for the consumer that got it?
    """

    capabilities: Capabilities = Capabilities()
    abilities: bool = True
    buries: bool = False
    returns: Literal["place", "behind"] = "place"
    own_tokens: bool = False

    @property
    def keeps_dead(self) -> bool:
        return self.abilities or self.buries


PERSONALITIES = {
    "memory": Personality(capabilities=Capabilities(unique=True, groups=True)),
    # A delete with the handle of an ended lease succeeds, whoever holds the message by then.
    "sqs": Personality(
        abilities=False,
        returns="behind",
        capabilities=Capabilities(
            follow="before",
            fencing="clock",
            rewrite="resend",
            ordered=False,
            known_ids=False,
            counts="approximate",
            max_delay=900.0,
            delay_step=1.0,
            lease_step=1.0,
            max_lease_total=43_200.0,
            max_body=1024 * 1024,
            retention=14 * 86_400.0,
        ),
    ),
    # A copy would go behind its group, so a retry only makes the message visible again later.
    "sqs-fifo": Personality(
        abilities=False,
        capabilities=Capabilities(
            follow="before",
            rewrite="none",
            known_ids=False,
            counts="approximate",
            max_delay=0.0,
            delay_step=1.0,
            lease_step=1.0,
            max_lease_total=43_200.0,
            max_body=1024 * 1024,
            retention=14 * 86_400.0,
        ),
    ),
    # A job knows its lease from the push on, in whole seconds, and belongs to one connection.
    "beanstalkd": Personality(
        abilities=False,
        buries=True,
        own_tokens=True,
        capabilities=Capabilities(
            follow="before",
            rewrite="resend",
            ordered=False,
            known_ids=False,
            delay_step=1.0,
            lease_step=1.0,
            max_body=65_508,
        ),
    ),
    # Each queue lives in a slot of its own, and a transaction in one slot.
    "cluster": Personality(
        capabilities=Capabilities(follow="atomic_in_slot", unique=True, groups=True)
    ),
}
