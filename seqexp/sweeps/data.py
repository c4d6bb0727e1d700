"""The data of a sweep's tasks: loaded once, checked before any training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seqexp.costs.memory_needed import size
from seqexp.costs.memory_there import host_room, host_room_only
from seqexp.inspection.shown import check_shown
from seqexp.runs.identity import canonical
from seqexp.training import Experiment
from seqexp.training.check_data import check_data
from seqexp.types import SeqexpError, Splits, Task, first_line, reason


class Data:
    """Loads the data of each task config once, and checks it; hashes its files once."""

    def __init__(self) -> None:
        self._splits: dict[str, Splits] = {}
        self._hashes: dict[str, Mapping[str, str]] = {}

    def load(self, task_config: Any, experiment: Experiment) -> Splits:
        key = canonical(task_config)
        if key not in self._splits:
            task = experiment.task
            splits = loaded(task)
            with _as_far_as_memory_goes(task):
                check_data(task, splits, experiment.batch_size)
                check_shown(task)
            self._splits[key] = splits
        return self._splits[key]

    def hashes(self, task_config: Any, experiment: Experiment) -> Mapping[str, str]:
        key = canonical(task_config)
        if key not in self._hashes:
            self._hashes[key] = _of_data(experiment.task, experiment.task.data_hashes)
        return self._hashes[key]


def loaded(task: Task) -> Splits:
    """A task's data.

    Raises:
        SeqexpError: whatever goes wrong, a mistake in a user's own task too, in one line.
    """
    return _of_data(task, task.load)


def _of_data(task: Task, get: Callable[[], Any]) -> Any:
    try:
        with _as_far_as_memory_goes(task):
            return get()
    except SeqexpError:
        raise
    except Exception as error:  # Of whatever kind: a task may be a user's own code.
        name = type(task).__name__
        verb = "read" if isinstance(error, OSError) else "make"
        said = first_line(error) if isinstance(error, OSError) else reason(error)
        raise SeqexpError(f"{name} cannot {verb} its data: {said}") from error


@contextmanager
def _as_far_as_memory_goes(task: Task) -> Iterator[None]:
    try:
        with host_room_only():
            yield
    except MemoryError as error:
        room = host_room()
        left = f", and {room.of} has {size(room.bytes)} left" if room else ""
        raise SeqexpError(
            f"{type(task).__name__} cannot hold its data in memory: {first_line(error)}{left}; "
            "ask for fewer or shorter examples"
        ) from error
