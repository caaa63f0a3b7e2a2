"""`SkipIfBatchCancelled`: what belongs to a cancelled batch does not run."""

from collections.abc import Generator

from packhorse.context import JobContext
from packhorse.flow.ledger import batch_key
from packhorse.middleware.guard import guard
from packhorse.store.update import Change, Update


@guard
class SkipIfBatchCancelled:
    """Skips a batch's callbacks too once it is cancelled; its members never start then anyway."""

    def __call__(self, ctx: JobContext) -> Generator[Update | None, object, None]:
        around = ctx.surroundings
        of = None if around is None else around.membership
        if of is not None:
            key = batch_key(of.id, "cancelled")
            cancelled = yield Update([key], lambda values: Change(answer=values[0]), of.store)
            if cancelled is not None:
                ctx.delete("its batch is cancelled")
                return
        yield None
