"""Rate ratios for NumPy hosts: arrays of model points in, arrays of R out, in small pieces.

Imports neither JAX nor anything that does; JAX starts with the first point, in the process that asks for it. Its
64-bit floats are asked for around each call, in the calling thread only: the host's own setting stays as it is.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax.faults import InputError, unknown
from tridentjax.files import data_folder, read_table
from tridentjax.host.points import NO_NUMBER, read_points
from tridentjax.theory.domain import violations

_BATCHES = (1, 1024)  # points of a compiled program: one for scans of single points, one for arrays


def trident_ratio(points: Mapping[str, Any], experiment: str = "ccfr") -> np.ndarray:
    """R = N/N_SM of an experiment for arrays of model points, through the whole chain at nominal nuisances.

    Parameters
    ----------
    points : numbers or arrays by name, broadcast against each other: their axes are points, never flavours. Amplitudes
        of the parts given are summed.

        Randall-Sundrum: `Lambda_IR` [GeV], `c_L_e` and `c_L_mu` or one `c_L`, `c_R_mu` (also `c_E`, `c_E2`); optional
            `k` [GeV], `kappa_UV`, `kappa_IR`, words `embedding` (minimal), `scheme` (alpha_mZ_GF), `order` (linear);
        light vector mediator: `mass` [GeV], `g_nu`, and of the muon `g_V`, `g_A` or `g_L`, `g_R`;
        constant shift: `delta_g_V`, `delta_g_A`;
        any: `sin2_theta_w` (0.23122).

        The spellings of `TridentInputs` (`kappa_uv`, `input_scheme`, ...) do as well. Mediators couple to
        lbar g^a (g_V - g_A g5) l, i.e. g_V = (g_L + g_R)/2, g_A = (g_L - g_R)/2. c > 1/2 is near the UV brane, for
        doublets and singlets alike.
    experiment : packaged experiment with a folded response, see `folded_experiments`.

    Returns
    -------
    float64 array of the broadcast shape; NaN for points outside the theory's domain (`count_invalid` says why).
    Mediators act with their propagator in K2. Temporaries stay below 100 MB for any number of points.

    Raises
    ------
    InputError : unknown names or words, missing or contradicting parameters, shapes that do not broadcast.
    RuntimeError : the process was forked from one in which JAX had started.
    """
    request = read_points(points)
    ratio = np.full(request.shape, np.nan)
    flat = ratio.reshape(-1)
    for rows, block in request.blocks():
        values = dict(zip(request.names, block, strict=True))
        sound = np.flatnonzero(~np.logical_or.reduce([outside for _, outside in violations(values)]))
        for choices, members in _groups(request.choices, rows, sound):
            found = evaluate(experiment, request.theory, request.names, choices, block[:, members])[0]
            flat[rows.start + members] = np.where(np.isfinite(found), found, np.nan)
    return ratio


def count_invalid(points: Mapping[str, Any], ratio: np.ndarray) -> dict[str, int]:
    """How many points each edge of the domain cost; `ratio` is what `trident_ratio` returned for them.

    A point may be outside several edges; NaN of `ratio` that no edge explains are counted under their own sentence.
    Empty where every point has a number.
    """
    request, flat, counts = read_points(points), np.ravel(ratio), dict[str, int]()
    for rows, block in request.blocks():
        explained = np.zeros(block.shape[1], dtype=bool)
        for limit, outside in violations(dict(zip(request.names, block, strict=True))):
            text = f"{', '.join(limit.names)}; allowed: {limit.allowed}"
            counts[text] = counts.get(text, 0) + int(outside.sum())
            explained |= outside
        counts[NO_NUMBER] = counts.get(NO_NUMBER, 0) + int((np.isnan(flat[rows]) & ~explained).sum())
    return {text: count for text, count in counts.items() if count}


def folded_experiments() -> dict[str, Path]:
    """Packaged experiments that have a folded response, and its table."""
    found: dict[str, Path] = {}
    for path in sorted((data_folder() / "responses").glob("*.csv")):
        names = read_table(path, required=("experiments",)).header["experiments"].split()
        found |= dict.fromkeys(names, path)
    return found


def _groups(
    words: Mapping[str, np.ndarray], rows: slice, sound: np.ndarray
) -> Iterator[tuple[tuple[tuple[str, str], ...], np.ndarray]]:
    """Sound rows of a block by their choices."""
    own = [np.asarray(x.flat[rows])[sound] for x in words.values()]
    for combination in dict.fromkeys(zip(*own, strict=True)) if own else [()]:
        member = np.ones(sound.size, dtype=bool)
        for column, word in zip(own, combination, strict=True):
            member &= column == word
        if member.any():
            yield tuple(zip(words, map(str, combination), strict=True)), sound[member]


def evaluate(
    experiment: str, theory: str, names: tuple[str, ...], choices: tuple[tuple[str, str], ...], block: np.ndarray
) -> np.ndarray:
    """R, mean delta g_V and mean delta g_A of points inside the domain: (parameter, point) -> (3, point).

    Means are over K2 with the weights VV and AA of the Standard Model's rate. Padded to a batch size, so that two
    programs serve any number of points.

    Raises
    ------
    InputError : the experiment has no folded response.
    RuntimeError : the process was forked from one in which JAX had started.
    """
    _refuse_inherited_jax()
    count = block.shape[1]
    batch = _BATCHES[0] if count <= _BATCHES[0] else _BATCHES[1]
    found = np.empty((3, count))
    with _double_precision():
        program = _program(experiment, theory, names, choices)
        for start in range(0, count, batch):
            part = block[:, start : start + batch]
            padded = np.pad(part, ((0, 0), (0, batch - part.shape[1])), mode="edge")
            found[:, start : start + batch] = np.asarray(program(padded))[:, : part.shape[1]]
    return found


@cache
def _program(
    experiment: str, theory: str, names: tuple[str, ...], choices: tuple[tuple[str, str], ...]
) -> Callable[[np.ndarray], Any]:
    import jax
    import jax.numpy as jnp

    from tridentjax.rates.packaged_response import read_response
    from tridentjax.rates.response import rate_ratio
    from tridentjax.theory.catalogue import find_theory
    from tridentjax.theory.theories import electroweak_part, sm

    tables = folded_experiments()
    if experiment not in tables:
        raise InputError([unknown("experiment with a folded response", experiment, tables)])
    response, function = read_response(tables[experiment]), find_theory(theory).function
    weights = response.weights.sum(axis=0)

    def one(values: Any) -> Any:
        p = dict(zip(names, values, strict=True)) | dict(choices)
        if "g_L" in p:
            left, right = p.pop("g_L"), p.pop("g_R")
            p |= {"g_V": (left + right) / 2.0, "g_A": (left - right) / 2.0}
        if "contact" in theory:
            p = {"delta_g_V": 0.0, "delta_g_A": 0.0} | p
        parts = (sm, electroweak_part(p)), (function, p)
        theirs, ours = (f(q, response.channels[0], response.K2) for f, q in parts)
        means = [
            (weights[i] * (new - old)[0]).sum() / weights[i].sum()
            for i, (new, old) in enumerate(((ours.g_V, theirs.g_V), (ours.g_A, theirs.g_A)))
        ]
        return jnp.stack([rate_ratio(response, function, p), *means])

    return jax.jit(jax.vmap(one, in_axes=1, out_axes=1))


def _double_precision() -> AbstractContextManager[Any]:
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # type: ignore[attr-defined] # JAX before 0.10

    return enable_x64()


def _jax_has_started() -> bool:
    """Whether JAX runs in this process: it then refuses to change its number of devices."""
    if "jax" not in sys.modules:
        return False
    import jax

    count = jax.config.jax_num_cpu_devices  # type: ignore[attr-defined]
    try:
        jax.config.update("jax_num_cpu_devices", 2 if count == 1 else 1)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", count)
    return False


def _its_threads_are_gone() -> bool:
    """Whether a worker that has JAX's state lacks the threads that XLA names tf_...: it was forked after the start."""
    tasks = Path("/proc/self/task")  # Linux; elsewhere the hook below has to do
    if multiprocessing.parent_process() is None or not tasks.is_dir():
        return False
    names = []
    for task in tasks.iterdir():
        with suppress(OSError):  # a thread that has just ended
            names.append((task / "comm").read_text())
    return not any(name.startswith("tf_") for name in names)


# a fork keeps JAX's state but none of its threads, and the next computation waits for them for ever
_process = {"inherited": _jax_has_started() and _its_threads_are_gone()}


def _after_fork() -> None:
    _process["inherited"] = _process["inherited"] or _jax_has_started()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _refuse_inherited_jax() -> None:
    if _process["inherited"]:
        raise RuntimeError(
            "this process was forked from one in which JAX had started, where JAX would wait for ever; start workers "
            "with multiprocessing.get_context('spawn') (or 'forkserver'), or fork before anything uses JAX"
        )
