"""Packaged responses against the live chain."""

import numpy as np
import pytest
from fixtures_statistics import statistical_model

from tridentjax import load_experiment
from tridentjax.host import constraint as host
from tridentjax.host import trident_ratio
from tridentjax.rates.chain import fold, prepare
from tridentjax.rates.packaged_response import read_response, response_columns
from tridentjax.rates.response import rate_ratio
from tridentjax.theory.catalogue import find_theory


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "experiment",
    ["ccfr", *(pytest.param(x, marks=pytest.mark.slow) for x in ("charm2", "charm2_0p64", "nutev"))],
)
def test_packaged_response_is_that_of_the_live_chain(experiment):
    chain = statistical_model().chains[0] if experiment == "ccfr" else prepare(load_experiment(experiment))
    live = fold(chain)
    packaged = read_response(host.folded_experiments()[experiment])
    expected, found = response_columns(live), response_columns(packaged)
    assert expected.keys() == found.keys() and "numu_VV" in found
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-9, err_msg=name)
    parameters = {"mass": 0.05, "g_nu": 8e-4, "g_V": 7e-4, "g_A": 2e-4, "sin2_theta_w": 0.2311}
    theory = find_theory("zprime").function
    np.testing.assert_allclose(trident_ratio(parameters, experiment), rate_ratio(live, theory, parameters), rtol=1e-10)


def test_every_table_says_what_it_is():
    paths = set(host.folded_experiments().values())
    assert {path.stem for path in paths} == {"ccfr", "charm2", "nutev"}
    for path in paths:
        text = path.read_text()
        assert all(f"# {key}: " in text for key in ("unit", "source", "made", "status", "experiments"))
