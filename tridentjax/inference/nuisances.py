"""Live nuisances of several experiments: what is shared, and how they are correlated."""

import dataclasses

import numpy as np
from jaxtyping import Float

from tridentjax.constants import SIN2_THETA_W
from tridentjax.experiment.load import Experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.faults import unknown
from tridentjax.schema.run import RunSpec


def nucleus_groups(experiments: list[Experiment]) -> list[str]:
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


def _live_nuisances(
    spec: RunSpec, experiments: list[Experiment]
) -> tuple[dict[str, Nuisance], tuple[dict[str, str], ...], list[str]]:
    """Nuisances of all experiments by name, and for each experiment which of them plays which part."""
    changes = spec.nuisances or {}
    live: dict[str, Nuisance] = {}
    backgrounds: dict[str, Nuisance] = {}
    faults: list[str] = []
    known: set[str] = set()
    parts: list[dict[str, str]] = []
    for experiment, group in zip(experiments, nucleus_groups(experiments), strict=True):
        part: dict[str, str] = {}
        own = dict(experiment.nuisances)
        m = experiment.measurement
        if m.uncertain_background:
            own["background"] = Nuisance(m.background_uncertainty, False, "constraint of the measurement")
        for key, nuisance in own.items():
            known.add(key)
            change = changes.get(key)
            if change is False or spec.nuisances is False:
                continue
            if change is not None:
                shared = change.shared or nuisance.shared
                nuisance = Nuisance(change.width, change.log_sd is not None, change.status, shared)  # noqa: PLW2901
            label = {"own": experiment.name, "nucleus": group, "all": ""}[nuisance.shared]
            name = part[key] = f"{key}_{label}".rstrip("_")
            if name in live and live[name].width != nuisance.width:
                faults.append(
                    f"experiments give nuisance {name} different widths ({live[name].width} and {nuisance.width}); "
                    f"set nuisances.{key} in the config"
                )
            centre = {"background": m.background, "sin2_theta_w": SIN2_THETA_W}.get(key, 0.0)
            nuisance = dataclasses.replace(nuisance, part=key, centre=centre)  # noqa: PLW2901
            (backgrounds if nuisance.is_background else live)[name] = nuisance
        parts.append(part)
    faults += [
        f"nuisances.{key}: no experiment of this run has it; it has {', '.join(sorted(known))}"
        for key in changes
        if key not in known
    ]
    return live | backgrounds, tuple(parts), faults


def _correlation(spec: RunSpec, nuisances: dict[str, Nuisance]) -> tuple[Float[np.ndarray, "n n"] | None, list[str]]:
    """Cholesky factor of the correlation matrix of all nuisances; None if they are independent."""
    names = [name for name, nuisance in nuisances.items() if not nuisance.is_background]
    faults, used = [], []
    matrix = np.eye(len(nuisances))
    for i, block in enumerate(spec.correlations):
        faults += [
            unknown("nuisance", name, names, f"correlations.{i}") for name in block.nuisances if name not in names
        ]
        faults += [f"correlations.{i}: {name} is in another block too" for name in block.nuisances if name in used]
        used += block.nuisances
        if not faults:
            place = [names.index(name) for name in block.nuisances]
            matrix[np.ix_(place, place)] = block.matrix
    if faults or not spec.correlations:
        return None, faults
    return np.linalg.cholesky(matrix), []
