"""Figures of a posterior: what each axis, line and legend says, from draws whose distribution is known."""

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.figures.posterior import plot_corner, plot_couplings, plot_masses
from tridentjax.inference.coordinates import Prior

PRIORS = {"a": Prior(1.0, 100.0, "loguniform"), "b": Prior(-1.0, 2.0, "uniform"), "c": Prior(0.3, 0.1, "normal")}
LABELS = {"a": "a [GeV]", "b": "b", "c": "c"}


@pytest.fixture
def draws():
    u = np.random.default_rng(5).uniform(size=(3, 4, 1000))
    normal = np.random.default_rng(6).normal(0.3, 0.1, (4, 1000))
    return {"a": 100.0 ** u[0], "b": -1.0 + 3.0 * u[1], "c": normal}


def test_corner_shows_every_pair_and_the_prior(draws):
    figure = plot_corner(draws, LABELS, PRIORS, "title")
    panels = np.asarray(figure.axes).reshape(3, 3)
    assert [panels[2, i].get_xlabel() for i in range(3)] == ["a [GeV]", "b", "c"]
    assert panels[2, 0].get_xscale() == "log" and panels[2, 1].get_xscale() == "linear"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["marginal posterior", "prior", "68 % credible region", "95 % credible region"]
    for i in range(3):  # draws of the prior: their histogram follows the dashed line
        (line,) = [line for line in panels[i, i].get_lines() if line.get_linestyle() == "--"]
        heights = np.concatenate([patch.get_xy()[:, 1] for patch in panels[i, i].patches])
        np.testing.assert_allclose(line.get_ydata().max(), heights.max(), rtol=0.2)


def test_pairs_about_which_nothing_was_learnt_show_draws(draws):
    figure = plot_corner(draws, LABELS, PRIORS, gains={"a": 0.01, "b": 0.05, "c": 1.3})
    panels = np.asarray(figure.axes).reshape(3, 3)
    assert not panels[1, 0].collections and len(panels[1, 0].get_lines()[-1].get_xdata()) == 500
    assert panels[2, 0].collections and panels[2, 1].collections
    assert [panels[i, i].get_title() for i in range(3)] == ["gain 0.01 bit", "gain 0.05 bit", "gain 1.30 bit"]
    assert figure.legends[0].get_texts()[-1].get_text() == "draws (both gains below 0.1 bit)"


def test_view_of_uniform_draws_is_the_prior(draws):
    panels = np.asarray(plot_corner(draws, LABELS, PRIORS).axes).reshape(3, 3)
    np.testing.assert_allclose(panels[1, 1].get_xlim(), (-1.0, 2.0), atol=0.02)
    np.testing.assert_allclose(np.log(panels[0, 0].get_xlim()), np.log((1.0, 100.0)), atol=0.02)


def test_couplings_show_the_standard_model_and_hold_the_draws():
    x, y = np.random.default_rng(7).multivariate_normal((0.02, -0.01), ((1e-4, 5e-5), (5e-5, 4e-4)), (4, 1000)).T
    (axes,) = plot_couplings(x, y, "title").axes
    assert axes.get_xlabel() == r"$\delta g_V$ at $K^2 = 0$" and axes.get_ylabel() == r"$\delta g_A$ at $K^2 = 0$"
    assert [text.get_text() for text in axes.get_legend().get_texts()][-1] == "Standard Model"
    for values, (low, high) in ((x, axes.get_xlim()), (y, axes.get_ylim())):
        assert low < 0.0 < high and ((values > low) & (values < high)).mean() > 0.97


def test_masses_have_units_and_a_line_each():
    rng = np.random.default_rng(8)
    figure = plot_masses({"first_KK_mass": rng.lognormal(8, 0.3, (4, 500)), "pole_mass": rng.lognormal(1, 1, (4, 500))})
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "mass [GeV]"
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["first KK mass", "pole mass", "5 %, 95 %"]


def test_corner_package_is_asked_for(draws, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "corner", None)
    with pytest.raises(InputError, match=r"the corner plot needs corner .*; install the extra `viz`"):
        plot_corner(draws, LABELS, PRIORS)
