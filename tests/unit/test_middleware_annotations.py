"""A middleware may be annotated in any of the usual ways; the type checker reads this file too."""

from collections.abc import Generator, Iterator

from packhorse import JobContext, Packhorse, job

order: list[str] = []


def as_iterator(ctx: JobContext) -> Iterator[None]:
    order.append("iterator")
    yield


def as_generator(ctx: JobContext) -> Generator[None, None, None]:
    order.append("generator")
    yield


def with_the_result(ctx: JobContext) -> Generator[None, object, None]:
    order.append(f"result {(yield)}")


@job(middleware=[as_iterator, as_generator, with_the_result])
def answer() -> int:
    return 42


def test_all_go_round_the_handler() -> None:
    order.clear()
    with Packhorse("memory://"):
        assert answer.dispatch_sync() == 42
    assert order == ["iterator", "generator", "result 42"]
