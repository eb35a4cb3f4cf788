"""Many nodes: parts of a scan as tasks of Dask distributed (extra `cluster`).

Each worker process holds the plan once (a plugin, so that workers which join or restart get it as well) and writes
its parts itself, through temporary names, into the run folder, which all nodes must see. A worker that dies loses
the part in its hands; the scheduler gives it to another.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import jax
import numpy as np
from distributed import Client, LocalCluster, WorkerPlugin, as_completed, get_worker

from tridentjax._types import Scalar
from tridentjax.faults import InputError
from tridentjax.precision import enable_x64
from tridentjax.scan.plan import Plan, Rows, make_runner
from tridentjax.scan.progress import Progress
from tridentjax.theory.binding import choose
from tridentjax.theory.theories import Parameters, sm

# Dask's nanny makes glibc return memory after every call (MALLOC_TRIM_THRESHOLD_=65536), which slows XLA nine times
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_MMAP_THRESHOLD_": "33554432"}
_IN_FLIGHT = 3  # parts a worker has in hand or waiting
_TIMEOUT = "10s"

Runner = Callable[[int, np.ndarray | None], dict[str, Any]]


class ScanPlugin(WorkerPlugin):
    """Puts a plan on a worker; the function is compiled when the first part arrives."""

    def __init__(self, name: str, plan: Plan, batch: int | None) -> None:
        self.name, self._batch = name, batch
        self._run: Runner | None = None
        self._choices = plan.record.choices
        # functions are named, not sent; arrays are NumPy's: a worker asks for 64 bits before it makes its own
        bare = dataclasses.replace(plan.record, theory=sm, derive=_nothing)
        self._plan = plan._replace(record=jax.tree.map(np.asarray, bare))

    def setup(self, worker: Any) -> None:
        """Ask for 64 bits before JAX is used in this process."""
        enable_x64()

    def run(self, number: int, rows: np.ndarray | None) -> dict[str, Any]:
        """Evaluate and write one part."""
        plan = self._plan
        if not Path(plan.folder).is_dir():
            raise FileNotFoundError(f"this worker does not see {plan.folder}; the run folder must be shared")
        if self._run is None:
            bound = choose(plan.theory, self._choices)
            record = dataclasses.replace(plan.record, theory=bound.function, derive=bound.derive)
            self._run = make_runner(plan._replace(record=record), self._batch)
        return self._run(number, rows)


def _nothing(parameters: Parameters) -> dict[str, Scalar]:
    return {}


def run_part(name: str, number: int, rows: np.ndarray | None) -> dict[str, Any]:
    """The task: one part, by the plugin of that name on the worker."""
    plugin: Any = get_worker().plugins[name]
    return plugin.run(number, rows)


def run_on_cluster(
    plan: Plan, todo: list[int], blocks: Rows, scheduler: str, batch: int | None, progress: Progress
) -> dict[int, dict[str, Any]]:
    """Work through the parts of a plan on a cluster; returns the descriptions of the parts.

    Raises
    ------
    InputError : the scheduler does not answer or has no workers.
    RuntimeError : a part failed on a worker.
    """
    name, found = f"tridentjax-{plan.identity}", {}
    with connect(scheduler) as client:
        client.register_plugin(ScanPlugin(name, plan, batch), name=name)
        try:
            workers = max(len(client.scheduler_info()["workers"]), 1)
            progress.say(f"{workers} workers of {'this machine' if scheduler == 'local' else scheduler}")
            source, running = iter(blocks(todo)), as_completed()

            def submit_next() -> None:
                if (item := next(source, None)) is not None:
                    number, rows = item
                    running.add(client.submit(run_part, name, number, rows, key=f"{name}-{number}", pure=False))

            for _ in range(_IN_FLIGHT * workers):
                submit_next()
            for future in running:
                description = future.result()
                found[description["part"]] = description
                progress.advance(description["stop"] - description["start"])
                submit_next()
        finally:
            client.unregister_worker_plugin(name)
    return found


def check_scheduler(scheduler: str) -> None:
    """Raise the `InputError` of `connect` before anything is computed or written."""
    if scheduler != "local":
        with connect(scheduler):
            pass


@contextmanager
def connect(scheduler: str, workers: int | None = None) -> Iterator[Client]:
    """A client of a running scheduler, or of one made here ('local': one process a core, one thread each).

    Raises
    ------
    InputError : the scheduler does not answer or has no workers.
    """
    if scheduler == "local":
        with (
            dask.config.set({"distributed.nanny.pre-spawn-environ": nanny_environment()}),
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=_TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            [f"--dask {scheduler!r}: no scheduler answers ({reason}); start one with `dask scheduler`, or give 'local'"]
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError([f"--dask {scheduler!r}: the scheduler has no workers; start some with `dask worker`"])
        yield client


def nanny_environment() -> dict[str, str]:
    """Environment of new workers: Dask's own with the allocator settings that XLA needs."""
    return {**dask.config.get("distributed.nanny.pre-spawn-environ", {}), **ALLOCATOR}
