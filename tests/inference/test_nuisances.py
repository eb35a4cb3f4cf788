"""Which nuisances a run has, what they move together, how they are correlated, and what is refused."""

import dataclasses
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import statistical_model

from tridentjax import InputError
from tridentjax.experiment.load import load_experiment
from tridentjax.inference.build import _changes, make_model
from tridentjax.inference.nuisances import Correlation, correlation_factor, live_nuisances, nucleus_groups
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.runs.config import load_config
from tridentjax.schema.run import CorrelationSpec

MATRIX = np.asarray([[1.0, 0.35, -0.2], [0.35, 1.0, 0.6], [-0.2, 0.6, 1.0]])


def experiments(*names):
    return [load_experiment(name) for name in names]


def with_nuclei(experiment, name, *nuclei):
    """The experiment on another target."""
    shares = tuple(1.0 / len(nuclei) for _ in nuclei)
    return dataclasses.replace(
        experiment, name=name, nuclei=tuple(load_nucleus(x) for x in nuclei), number_fractions=shares
    )


def live(*overrides, names=("ccfr", "charm2", "nutev_1998")):
    spec = load_config("zprime_ccfr", (f"experiments=[{', '.join(names)}]", *overrides))
    found = live_nuisances(experiments(*names), _changes(spec))
    return found.nuisances, found.parts, found.faults


# --- groups --------------------------------------------------------------------------------------------------


def test_experiments_on_the_same_nucleus_are_one_group():
    assert nucleus_groups(experiments("ccfr", "charm2", "nutev")) == ["Fe56", "charm2", "Fe56"]
    assert nucleus_groups(experiments("ccfr", "nutev")) == ["", ""]
    assert nucleus_groups(experiments("charm2")) == [""]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0)])
def test_groups_join_through_a_third_experiment(order):
    """Iron and argon have nothing in common but the experiment that has both."""
    ccfr = experiments("ccfr")[0]
    targets = {"iron": ("Fe56",), "argon": ("Ar40",), "both": ("Ar40", "Fe56"), "silicon": ("Si28",)}
    four = [with_nuclei(ccfr, name, *nuclei) for name, nuclei in targets.items()]
    labels = dict(zip([four[i].name for i in order], nucleus_groups([four[i] for i in order]), strict=True))
    assert labels["iron"] == labels["argon"] == labels["both"] == next(four[i].name for i in order if i < 3)
    assert labels["silicon"] == "Si28"


def test_names_say_what_moves_together():
    nuisances, parts, faults = live()
    assert faults == []
    own = [f"{key}_{name}" for name in ("ccfr", "charm2", "nutev_1998") for key in ("flux_stretch", "flux_tilt")]
    nuclear = [f"{key}_{group}" for group in ("Fe56", "charm2") for key in ("nuclear_radius", "nuclear_diffuseness")]
    common = ["coherent_normalisation", "incoherent_normalisation", "sin2_theta_w"]
    assert sorted(nuisances) == sorted([*own, *nuclear, *common, "background_nutev_1998"])
    assert list(nuisances)[-1] == "background_nutev_1998"  # the profile likelihood relies on it
    assert [part["nuclear_radius"] for part in parts] == [
        "nuclear_radius_Fe56", "nuclear_radius_charm2", "nuclear_radius_Fe56"
    ]  # fmt: skip
    assert all(part["incoherent_normalisation"] == "incoherent_normalisation" for part in parts)
    assert [part.get("background") for part in parts] == [None, None, "background_nutev_1998"]


def test_sharing_can_be_changed():
    nuisances, parts, _ = live(
        "nuisances.flux_tilt={sd: 0.2, shared: all}", "nuisances.coherent_normalisation={log_sd: 0.04, shared: own}"
    )
    assert {part["flux_tilt"] for part in parts} == {"flux_tilt"} and nuisances["flux_tilt"].width == 0.2
    assert [part["coherent_normalisation"] for part in parts] == [
        f"coherent_normalisation_{name}" for name in ("ccfr", "charm2", "nutev_1998")
    ]
    nuisances, parts, _ = live("nuisances.nuclear_radius={log_sd: 0.02}", "nuisances.background=false")
    assert nuisances["nuclear_radius_Fe56"].width == 0.02 and "background" not in parts[2]


def test_shared_nuisances_of_different_widths_are_refused():
    wide, other = experiments("ccfr", "nutev")
    changed = wide.nuisances | {"coherent_normalisation": dataclasses.replace(
        wide.nuisances["coherent_normalisation"], width=0.11)}  # fmt: skip
    found = live_nuisances([dataclasses.replace(wide, nuisances=changed), other])
    assert found.faults == [
        "experiments give nuisance coherent_normalisation different widths (0.11 and 0.06); "
        "set nuisances.coherent_normalisation in the config"
    ]


# --- correlations --------------------------------------------------------------------------------------------


def block(names=("flux_tilt_ccfr", "coherent_normalisation", "flux_stretch_charm2"), matrix=MATRIX):
    rows = [[float(x) for x in row] for row in np.asarray(matrix)]
    return Correlation(names, rows)


def correlation(*blocks):
    nuisances = live()[0]
    return list(nuisances), *correlation_factor(blocks, nuisances)


def test_cholesky_factor_gives_the_matrix():
    second = block(("sin2_theta_w", "nuclear_radius_Fe56"), [[1.0, -0.45], [-0.45, 1.0]])
    names, factor, faults = correlation(block(), second)
    assert faults == []
    found = factor @ factor.T
    expected = np.eye(len(names))
    for one, matrix in ((block(), MATRIX), (second, np.asarray(second.matrix))):
        place = [names.index(name) for name in one.nuisances]
        expected[np.ix_(place, place)] = matrix
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert np.count_nonzero(expected) == len(names) + 8


def test_correlated_values_of_a_model():
    """Sample covariance of the nuisances, in units of their widths, is the declared matrix."""
    plain = statistical_model()
    names = ("incoherent_normalisation", "flux_tilt_ccfr", "flux_stretch_ccfr")
    factor, _ = correlation_factor([block(names)], plain.nuisances)
    model = dataclasses.replace(plain, correlation=jnp.asarray(factor))
    z = jnp.asarray(np.random.default_rng(11).normal(size=(4000, len(plain.nuisances))))
    values = jax.vmap(lambda row: model.nuisance_values(row))(z)  # noqa: PLW0108 - a bound method has no hash
    shifts = {name: np.log(x) if plain.nuisances[name].log else x for name, x in values.items()}
    pulls = np.stack([shifts[name] / plain.nuisances[name].width for name in names])
    np.testing.assert_allclose(np.cov(pulls), MATRIX, atol=4 * 1.5 / np.sqrt(4000))
    position = jnp.concatenate([jnp.zeros(2), z[0]])
    for name in names:  # the sampler's coordinates and the profile's are the same
        assert float(model.parameters(position)[0][name]) == pytest.approx(float(values[name][0]), rel=1e-13)


@pytest.mark.parametrize(
    ("names", "matrix", "message"),
    [
        (("a", "b"), [[1.0, 0.3], [0.2, 1.0]], "symmetric with 1 on its diagonal"),
        (("a", "b"), [[1.0, 0.3], [0.3, 1.1]], "symmetric with 1 on its diagonal"),
        (("a", "b"), [[1.0, 1.0], [1.0, 1.0]], r"not positive definite \(smallest eigenvalue .*make the correlations"),
        (("a", "b", "c"), [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "not positive definite"),
        (("a", "a"), [[1.0, 0.3], [0.3, 1.0]], "name one twice"),
        (("a", "b", "c"), [[1.0, 0.3], [0.3, 1.0]], "needs 3 rows of 3 numbers"),
        (("a",), [[1.0]], "at least 2"),
    ],
)
def test_matrices_that_are_refused(names, matrix, message):
    with pytest.raises(ValueError, match=message):
        CorrelationSpec(nuisances=list(names), matrix=matrix)


def test_nuisances_that_cannot_be_correlated():
    pair = [[1.0, 0.3], [0.3, 1.0]]
    _, factor, faults = correlation(
        block(), block(("flux_tilt_ccfr", "sin2_theta"), pair), block(("background_nutev_1998", "sin2_theta_w"), pair)
    )
    assert factor is None and len(faults) == 3
    for fault, message in zip(
        faults,
        (
            r"unknown nuisance 'sin2_theta' in correlations\.1; did you mean 'sin2_theta_w'",
            r"correlations\.1: flux_tilt_ccfr is in another block too",
            r"unknown nuisance 'background_nutev_1998' in correlations\.2",
        ),
        strict=True,
    ):
        assert re.search(message, fault), fault


def test_unknown_name_is_refused_by_the_config():
    text = "correlations=[{nuisances: [flux_tilt, coherent_normalisation], matrix: [[1, 0.2], [0.2, 1]]}]"
    with pytest.raises(InputError, match=r"unknown nuisance 'flux_tilt'.*did you mean 'flux_tilt_ccfr'"):
        make_model(load_config("zprime_ccfr", (text,)))


# --- what a quoted ratio contains ----------------------------------------------------------------------------


@pytest.mark.slow
def test_order_of_correlated_nuisances_survives_compilation():
    """JAX sorts the keys of dictionaries: inside jit the last nuisance of the file must not become the first."""
    pair = ["flux_tilt_ccfr", "coherent_normalisation"]  # not in alphabetical order
    block = f"correlations=[{{nuisances: [{', '.join(pair)}], matrix: [[1, 0.9], [0.9, 1]]}}]"
    model = make_model(load_config("zprime_ccfr", (block,)))
    z = jnp.asarray([0.3, 1.1, -0.4, 0.2, 0.7, -0.6, 0.5])
    eager, compiled = model.nuisance_values(z), eqx.filter_jit(lambda m, z: m.nuisance_values(z))(model, z)
    assert all(float(eager[name]) == pytest.approx(float(compiled[name]), rel=1e-12, abs=1e-15) for name in eager)
    scaled = 0.9 * 1.1 + np.sqrt(1 - 0.81) * 0.7  # Cholesky row of the second
    assert float(compiled["coherent_normalisation"]) == pytest.approx(np.exp(0.06 * scaled), rel=1e-12)
