"""The error budget of a rate: slopes times widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exposed_experiment import ANTI, BEAM, OWN, SM, slopes, write

from tridentjax import Nuisances, fold, load_experiment, prepare
from tridentjax.rates.budget import theory_budget
from tridentjax.rates.exposure import expected_events


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return prepare(load_experiment(write(tmp_path_factory.mktemp("own"))))


@pytest.fixture(scope="module")
def counted(chain):
    """Total number of events as a function of (stretch, tilt, coherent, incoherent), compiled."""

    @jax.jit
    def events(x):
        nuisances = Nuisances(x[0], x[1], coherent_normalisation=x[2], incoherent_normalisation=x[3])
        return expected_events(fold(chain, nuisances), chain.experiment).sum()

    return events


@pytest.mark.slow
def test_budget_is_the_slope_times_the_width(chain, counted):
    nominal = jnp.asarray([1.0, 0.0, 1.0, 1.0])
    stretch, tilt, *normalisations = slopes(counted, nominal) / float(counted(nominal))
    budget = theory_budget(chain)
    coherent, incoherent = 0.06 * normalisations[0], 0.30 * normalisations[1]
    np.testing.assert_allclose(budget[:2], [coherent, incoherent], rtol=1e-8)
    np.testing.assert_allclose(budget.theory, np.hypot(coherent, incoherent), rtol=1e-8)
    np.testing.assert_allclose(budget.flux, np.hypot(0.11 * stretch, 0.27 * tilt), rtol=1e-6)
    assert coherent / 0.06 + incoherent / 0.30 == pytest.approx(1.0, rel=1e-8)


def test_budget_of_a_relative_flux_is_that_of_the_average(tmp_path):
    """A tilt of a relative flux leaves the number of neutrinos out; normalisations that are not there are None."""
    start, end, nuisances = OWN.index("exposure:"), OWN.index("measurement:"), OWN.index("  flux_stretch")
    text = (OWN[:start] + OWN[end:nuisances] + "  flux_tilt: {sd: 0.27}\n").replace("signal_sm: flux", "signal_sm: 2.0")
    text = text.replace("0.2}, {nucleus: Pb208, mass_fraction: 0.8}", "1.0}").replace(ANTI, "")
    relative = prepare(load_experiment(write(tmp_path, text, BEAM.replace("/m^2/POT", ""))))
    budget = theory_budget(relative)
    assert (budget.coherent, budget.incoherent, budget.theory) == (None, None, None)
    average = [
        float((fold(relative, Nuisances(flux_tilt=t)).weights.sum((0, 2)) * jnp.asarray(SM)).sum())
        for t in (-1e-4, 0.0, 1e-4)
    ]
    assert budget.flux == pytest.approx(0.27 * (average[2] - average[0]) / 2e-4 / average[1], rel=1e-6)
