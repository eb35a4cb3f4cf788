"""Several sets of chains of one posterior, one set a worker of a Dask cluster, merged.

A set is an ordinary run with its own seed (set 0 has that of the config) and its own checkpoint in the run folder, so
that a worker which dies costs at most one block, and `--resume` works as for a single run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from distributed import as_completed

from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.posterior import Posterior, Sampling, merge_posteriors, sample_posterior
from tridentjax.precision import enable_x64
from tridentjax.scan.cluster import connect
from tridentjax.schema.run import RunSpec


def sample_sets(spec: RunSpec, folder: Path, identity: str, scheduler: str, report: Callable[[str], None]) -> Posterior:
    """Draw `sampler.sets` sets of chains on a cluster and merge them.

    Parameters
    ----------
    spec : config; experiments that are files must be visible to the workers, as must `folder`.
    folder : run folder; checkpoints go to `sets/`, and those that are there are continued.
    identity : hash of everything that fixes the draws.
    scheduler : address, or 'local' for one process a core of this machine.
    report : called with a line when a set is finished.

    Raises
    ------
    InputError : the scheduler does not answer or has no workers; a checkpoint of another configuration.
    """
    (folder / "sets").mkdir(exist_ok=True)
    settings = spec.model_dump(mode="json")
    settings["experiments"] = [str(Path(x).resolve()) if Path(x).is_file() else x for x in spec.experiments]
    found: dict[int, Posterior] = {}
    with connect(scheduler) as client:
        tasks = [
            client.submit(run_set, settings, str(folder.resolve()), number, identity, pure=False)
            for number in range(spec.sampler.sets)
        ]
        for future in as_completed(tasks):
            number, posterior = future.result()
            found[number] = posterior
            report(
                f"set {number}: {posterior.z.shape[1]} draws of {posterior.z.shape[0]} chains, "
                f"{posterior.divergences} divergences; {len(found)} of {len(tasks)} sets done"
            )
    return merge_posteriors([found[number] for number in sorted(found)], settings_of(Sampling, spec.sampler))


def run_set(settings: dict[str, Any], folder: str, number: int, identity: str) -> tuple[int, Posterior]:
    """The task: one set of chains. A set that was begun by a worker which died is continued."""
    enable_x64()
    checkpoint = Path(folder) / "sets" / f"set-{number:03d}.npz"
    if not checkpoint.parent.is_dir():
        raise FileNotFoundError(f"this worker does not see {folder}; the run folder must be shared")
    spec = RunSpec.model_validate(settings)
    sampler = settings_of(Sampling, spec.sampler)._replace(seed=set_seed(spec.sampler.seed, number))
    posterior = sample_posterior(
        make_model(spec), sampler, checkpoint=checkpoint, resume=checkpoint.is_file(), identity=f"{identity}-{number}"
    )
    return number, posterior


def set_seed(seed: int, number: int) -> int:
    """Seed of a set of chains: the config's for set 0, independent ones for the others."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
