"""How a config becomes a model: auxiliary terms, variants of one data set, theory errors."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import expanded_model

from tridentjax import Belle2Assumptions, InputError, belle2_log_likelihood
from tridentjax.experiment.load import load_experiment
from tridentjax.inference.build import make_model
from tridentjax.runs.config import load_config


def experiments(*names):
    return [load_experiment(name) for name in names]


@pytest.mark.parametrize("names", ["[nutev_1998, nutev]", "[ccfr, charm2, charm2_0p64]"])
def test_variants_of_one_data_set_are_refused(names):
    with pytest.raises(InputError, match=r"variants of the same data \(.*\), which would count twice; keep one"):
        make_model(load_config("zprime_ccfr", (f"experiments={names}",)))


def test_theory_error_is_counted_once():
    """At the Standard Model ccfr, whose error holds that of the theory, stays at 1; nutev_1998 follows the rate."""
    assert [x.measurement.includes_theory_error for x in experiments("ccfr", "charm2", "nutev_1998")] == [
        True, False, False
    ]  # fmt: skip
    off = {"mass": jnp.asarray(0.3), "g": jnp.asarray(0.0)}

    def at(coherent, incoherent):
        values = {"coherent_normalisation": jnp.asarray(coherent), "incoherent_normalisation": jnp.asarray(incoherent)}
        return [float(expanded_model(name).rate_ratios(off | values)[0]) for name in ("ccfr", "nutev_1998")]

    np.testing.assert_allclose(at(1.0, 1.0), 1.0, rtol=1e-14)
    share = (at(1.23, 1.0)[1] - 1) / 0.23  # of the coherent rate
    assert 0.5 < share < 1.0
    for coherent, incoherent in ((0.93, 1.4), (1.08, 0.66), (1.31, 1.31)):
        ccfr, nutev = at(coherent, incoherent)
        assert ccfr == pytest.approx(1.0, rel=1e-14)
        assert nutev == pytest.approx(share * coherent + (1 - share) * incoherent, rel=1e-12)


LOOP = "params.loop_mixing={value: true}"


def test_auxiliary_term_is_off_unless_asked_for_and_adds_to_the_likelihood():
    values = {"mass": jnp.asarray(0.13), "g": jnp.asarray(4.1e-4)}
    without, with_term = (
        make_model(load_config("zprime_ccfr", ("nuisances=false", LOOP, *extra)))
        for extra in ((), ("auxiliary.belle2={background: 2.5, min_energy: 1.8}",))
    )
    assert without.auxiliary is None
    term = belle2_log_likelihood({**values, "loop_mixing": True}, Belle2Assumptions(background=2.5, min_energy=1.8))
    found = with_term.log_likelihood(values) - without.log_likelihood(values)
    assert float(found) == pytest.approx(float(term), rel=1e-12) and float(term) < -2.0


@pytest.mark.parametrize(
    ("config", "settings", "text"),
    [
        ("zprime_ccfr", (), "does not couple to electrons; set loop_mixing to true or give kinetic_mixing"),
        ("contact_plane", (), "theory contact has no e+e- -> gamma X; it needs zprime"),
        ("zprime_ccfr", (LOOP, "auxiliary.belle2.efficiency=1.7"), "efficiency = 1.7; allowed: above 0, up to 1"),
    ],
)
def test_auxiliary_terms_that_are_refused(config, settings, text):
    with pytest.raises(InputError, match=re.escape(text)):
        make_model(load_config(config, ("auxiliary.belle2.background=1.5", *settings)))
