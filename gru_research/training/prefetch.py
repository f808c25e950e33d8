"""Makes the next batches while the devices train on the current ones."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Calls `make(start, stop)` for consecutive ranges of steps; one thread may make the next range ahead.

    Reading from disk, gathering and copying to the devices hold Python's lock only briefly, and the thread that waits
    for a call of the training program doesn't hold it. At most one range is made ahead.
    """

    def __init__(self, make: Callable[[int, int], T]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._ahead: tuple[tuple[int, int], Future[T]] | None = None

    def __enter__(self) -> "Prefetch[T]":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Waits for the thread. Errors of batches that were never taken are dropped."""
        self._thread.shutdown(cancel_futures=True)

    def begin(self, start: int, stop: int) -> None:
        """Starts making a range and returns at once."""
        self._ahead = (start, stop), self._thread.submit(self._make, start, stop)

    def take(self, start: int, stop: int) -> T:
        """Returns a range: the one that `begin` started, or one made now. Raises what `make` raised."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == (start, stop):
            return ahead[1].result()
        return self._make(start, stop)
