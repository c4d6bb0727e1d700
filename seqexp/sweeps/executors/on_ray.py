"""Jobs as actors of Ray."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from seqexp.data.extras import needs
from seqexp.runs import jobs
from seqexp.sweeps.executors.settings import Ray
from seqexp.sweeps.executors.worker import print_to_folder, python_path, work
from seqexp.types import SeqexpError, first_line

NAMESPACE = "seqexp"
PASSED_ON = ("SEQEXP_", "JAX_", "XLA_")
"""What variables of the environment begin with that jobs get as this process has them. Ray writes
these into its logs."""

SECRET = ("WANDB_", "HF_")
"""The same of those that may be secrets: they are handed over by a call, which Ray doesn't log."""

MEMORY = 0.9
"""The part of a device's memory that the groups on it share."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Those that end a command."""


class OnRay:
    """Starts each job as an actor that outlives this process, where the cluster does.

    Args:
        settings: of the jobs.
    """

    name: jobs.Executor = "ray"
    poll_seconds = 2.0

    def __init__(self, settings: Ray) -> None:
        self._settings = settings
        self.cpus = settings.cpus
        self.devices = settings.gpus or settings.cpus
        self.members_per_job = settings.members_per_job
        self.tries = settings.tries
        self.outlives = settings.address is not None
        self.farewell = (
            "the jobs ended with this process, which had started Ray: the same command goes on"
            if settings.address is None
            else "the jobs go on in Ray: the same command follows them"
        )
        self._ends: dict[str, Any] = {}

    @contextmanager
    def opened(self, study: Path) -> Iterator[None]:
        """See `Executor`."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        with needs("ray"):
            import ray
        of = self._settings
        mine = not ray.is_initialized()
        if mine:
            _require_answer(of.address)
            try:
                with warnings.catch_warnings(), _same_handlers():
                    # JAX warns of any fork; what is forked here executes another program at once.
                    warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
                    ray.init(
                        address=of.address or "local",
                        namespace=NAMESPACE,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        include_dashboard=False if of.address is None else None,
                    )
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise SeqexpError(
                    f"executor=ray: no Ray at {of.address or 'this machine'}: {first_line(error)}"
                ) from error
        try:
            self._require_room(ray)
            yield
        finally:
            self._ends.clear()
            if mine:
                with _same_handlers(blocked=True):
                    ray.shutdown()

    def _require_room(self, ray: Any) -> None:
        """Raise SeqexpError where no node is large enough: its jobs would wait forever."""
        of = self._settings
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        fit = [n for n in nodes if n.get("CPU", 0) >= of.cpus and n.get("GPU", 0) >= of.gpus]
        if not fit:
            most = ", ".join(f"{n.get('CPU', 0):g} and {n.get('GPU', 0):g}" for n in nodes)
            raise SeqexpError(
                f"executor=ray: a job asks for {of.cpus} cores and {of.gpus} GPUs, and Ray's nodes "
                f"have {most}"
            )

    def submit(self, folders: Sequence[Path]) -> list[str]:
        """See `Executor`."""
        import ray

        of = self._settings
        environment = {k: v for k, v in os.environ.items() if k.startswith(PASSED_ON)}
        secret = {k: v for k, v in os.environ.items() if k.startswith(SECRET)}
        if of.gpus:
            share = MEMORY / of.groups_per_device
            environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{share:.3f}")
        environment["PYTHONPATH"] = python_path()
        options: dict[str, Any] = {
            "lifetime": "detached",
            "num_cpus": of.cpus,
            "num_gpus": of.gpus / of.groups_per_device,
            "max_restarts": 0,
            "runtime_env": {"env_vars": environment},
        }
        handles = []
        for folder in folders:
            handle = folder.name
            actor = ray.remote(Worker).options(**options, name=handle).remote()
            end = actor.work.remote(str(folder.absolute()), secret)
            self._ends[handle] = (actor, end)
            handles.append(handle)
        return handles

    def gone(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`."""
        import ray
        from ray.exceptions import RayError

        found = {}
        for handle in handles:
            if handle not in self._ends:
                try:
                    actor = ray.get_actor(handle, namespace=NAMESPACE)
                except ValueError:
                    found[handle] = "Ray doesn't know its actor any more"
                    continue
                # Its calls run in order, so this one ends when its work has.
                self._ends[handle] = (actor, actor.done.remote())
            actor, end = self._ends[handle]
            ready, _ = ray.wait([end], timeout=0)
            if ready:
                found[handle] = "it ended without a result"
                try:
                    ray.get(end)
                except RayError as error:
                    found[handle] = f"Ray: {first_line(error)}"
                with suppress(Exception):  # It holds its cores until then.
                    ray.kill(actor)
        return found

    def waiting_for(self, handles: Sequence[str]) -> Mapping[str, str]:
        """See `Executor`: Ray gives no reasons."""
        return {}


@contextmanager
def _same_handlers(blocked: bool = False) -> Iterator[None]:
    """Behind it, signals are handled as before: Ray would end the process with a stack of C++.

    Args:
        blocked: until then, they wait; what is started meanwhile would inherit that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS if blocked else ())
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _require_answer(address: str | None) -> None:
    """Raise SeqexpError where nothing answers at an address: Ray would try for minutes."""
    host, _, port = (address or "").rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return  # Of this machine, or for Ray to find.
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=20).close()
    except OSError as error:
        raise SeqexpError(
            f"executor=ray: no Ray at {address}: {error.strerror or first_line(error)}"
        ) from error


class Worker:
    """An actor that does one job."""

    def work(self, job: str, secret: Mapping[str, str]) -> None:
        """Do it; what is printed goes to its folder. Then the actor ends, and holds no cores."""
        from ray.actor import exit_actor

        os.environ.update(secret)
        print_to_folder(job)
        try:
            work(job)
        finally:
            exit_actor()

    def done(self) -> None:
        """Returns once it is done."""
