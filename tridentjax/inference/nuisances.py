"""Live nuisances of several experiments: what is shared, and how they are correlated."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from tridentjax.constants import SIN2_THETA_W
from tridentjax.experiment.load import Experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.faults import unknown

Changes = Mapping[str, Nuisance | None] | Literal[False] | None


class Correlation(NamedTuple):
    """Correlation matrix of the priors of named nuisances: symmetric, positive definite, 1 on its diagonal."""

    nuisances: Sequence[str]
    matrix: Sequence[Sequence[float]]


class LiveNuisances(NamedTuple):
    """Nuisances by name, and for each experiment which of them plays which part.

    `correlation` is the Cholesky factor of their correlation matrix, None if they are independent.
    """

    nuisances: dict[str, Nuisance]
    parts: tuple[dict[str, str], ...]
    correlation: Float[np.ndarray, "n n"] | None
    faults: list[str]


def nucleus_groups(experiments: Sequence[Experiment]) -> list[str]:
    """Label of each experiment such that those with a nucleus in common, directly or through others, share it.

    The label is the nucleus where the group has only one, else the name of its first experiment; it is empty
    if all experiments are in one group.
    """
    groups: list[tuple[set[str], list[int]]] = []
    for i, experiment in enumerate(experiments):
        nuclei, members = {nucleus.name for nucleus in experiment.nuclei}, [i]
        for group in [group for group in groups if group[0] & nuclei]:
            groups.remove(group)
            nuclei, members = nuclei | group[0], group[1] + members
        groups.append((nuclei, members))
    labels = [""] * len(experiments)
    for nuclei, members in groups if len(groups) > 1 else []:
        label = min(nuclei) if len(nuclei) == 1 else experiments[min(members)].name
        for i in members:
            labels[i] = label
    return labels


def live_nuisances(
    experiments: Sequence[Experiment],
    changes: Changes = None,
    correlations: Sequence[Correlation] = (),
    replaced: Iterable[str] = (),
) -> LiveNuisances:
    """Nuisances of all experiments together.

    Parameters
    ----------
    experiments : with the nuisances of their files; a count adds its background.
    changes : by part ('flux_tilt', 'background', ...): another width, None to switch it off; False for no nuisances.
        A `shared` of '' leaves that of the experiments.
    correlations : of nuisances by name.
    replaced : nuisances whose place a parameter takes.

    Returns
    -------
    With what is wrong in `faults`: different widths of a shared nuisance, names that do not exist.
    """
    changed: Mapping[str, Nuisance | None] = changes or {}
    live: dict[str, Nuisance] = {}
    backgrounds: dict[str, Nuisance] = {}
    faults: list[str] = []
    known: set[str] = set()
    parts: list[dict[str, str]] = []
    for experiment, group in zip(experiments, nucleus_groups(experiments), strict=True):
        part: dict[str, str] = {}
        for key, nuisance in _own(experiment).items():
            known.add(key)
            change = changed.get(key, nuisance)
            if changes is False or change is None:
                continue
            shared = change.shared or nuisance.shared
            nuisance = dataclasses.replace(change, shared=shared, part=key, centre=nuisance.centre)  # noqa: PLW2901
            label = {"own": experiment.name, "nucleus": group, "all": ""}[shared]
            name = part[key] = f"{key}_{label}".rstrip("_")
            if name in live and live[name].width != nuisance.width:
                faults.append(
                    f"experiments give nuisance {name} different widths ({live[name].width} and {nuisance.width}); "
                    f"set nuisances.{key} in the config"
                )
            (backgrounds if nuisance.is_background else live)[name] = nuisance
        parts.append(part)
    faults += [
        f"nuisances.{key}: no experiment of this run has it; it has {', '.join(sorted(known))}"
        for key in changed
        if key not in known
    ]
    nuisances = {name: nuisance for name, nuisance in (live | backgrounds).items() if name not in replaced}
    factor, wrong = correlation_factor(correlations, nuisances)
    return LiveNuisances(nuisances, tuple(parts), factor, faults + wrong)


def _own(experiment: Experiment) -> dict[str, Nuisance]:
    """Nuisances of one experiment by part, its background last, with their centres."""
    m, own = experiment.measurement, dict(experiment.nuisances)
    if "sin2_theta_w" in own:
        own["sin2_theta_w"] = dataclasses.replace(own["sin2_theta_w"], centre=SIN2_THETA_W)
    if m.uncertain_background:
        status = "constraint of the measurement"
        own["background"] = Nuisance(m.background_uncertainty, False, status, centre=m.background)
    return own


def correlation_factor(
    correlations: Sequence[Correlation], nuisances: Mapping[str, Nuisance]
) -> tuple[Float[np.ndarray, "n n"] | None, list[str]]:
    """Cholesky factor of the correlation matrix of all nuisances, None if they are independent; faults of the names."""
    names = [name for name, nuisance in nuisances.items() if not nuisance.is_background]
    faults: list[str] = []
    used: list[str] = []
    matrix = np.eye(len(nuisances))
    for i, block in enumerate(correlations):
        faults += [
            unknown("nuisance", name, names, f"correlations.{i}") for name in block.nuisances if name not in names
        ]
        faults += [f"correlations.{i}: {name} is in another block too" for name in block.nuisances if name in used]
        used += block.nuisances
        if not faults:
            place = [names.index(name) for name in block.nuisances]
            matrix[np.ix_(place, place)] = block.matrix
    if faults or not correlations:
        return None, faults
    return np.linalg.cholesky(matrix), []
