import numpy as np
import pytest

from tridentjax.figures.posterior import plot_joint, plot_marginals, plot_traces
from tridentjax.figures.style import pyplot
from tridentjax.inference.grid_posterior import GridPosterior


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def grid():
    mass, g = np.geomspace(0.02, 5.0, 30), np.geomspace(1e-4, 1e-1, 40)
    x, y = np.meshgrid(np.log(mass / 0.3), np.log(g / 3e-3), indexing="ij")
    probability = np.exp(-(x**2) / 2 - y**2 / 2)
    return GridPosterior(("mass", "g"), mass, g, probability / probability.sum())


@pytest.fixture
def draws(rng):
    return {"mass": 0.3 * np.exp(rng.normal(size=(2, 800))), "g": 3e-3 * np.exp(rng.normal(size=(2, 800)))}


LABELS = {"mass": "$m_{Z'}$ [GeV]", "g": "$g'$"}


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_joint(draws, grid):
    axes = plot_joint(draws["mass"], draws["g"], (LABELS["mass"], LABELS["g"]), grid)
    assert (axes.get_xlabel(), axes.get_ylabel()) == (LABELS["mass"], LABELS["g"])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [t for t in texts(axes.get_legend()) if "%" in t] == [
        "NUTS, 68 % credible region", "NUTS, 95 % credible region",
        "grid, 68 % credible region", "grid, 95 % credible region",
    ]  # fmt: skip


def test_joint_on_given_axes(draws):
    given = pyplot().subplots()[1]
    assert plot_joint(draws["mass"], draws["g"], ("x", "y"), axes=given) is given
    assert not any("grid" in text for text in texts(given.get_legend()))


def test_marginals(draws, grid, rng):
    draws = draws | {"flux_tilt": rng.normal(size=(2, 800)), "s2": rng.normal(size=(2, 800))}
    labels = LABELS | {"flux_tilt": "flux tilt", "s2": "s2"}
    figure = plot_marginals(draws, labels, log=("mass", "g"), grid=grid)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in shown] == list(labels.values())
    assert [axes.get_ylabel() for axes in shown] == ["density per decade"] * 2 + ["density"] * 2
    assert {"NUTS", "grid", "median", "16, 84 %", "5, 95 %"} <= set(texts(shown[0].get_legend()))
    # histogram and grid are both normalised per decade
    stairs = shown[0].patches[0].get_data()
    assert (stairs.values * np.diff(np.log10(stairs.edges))).sum() == pytest.approx(1)
    curve = next(line for line in shown[0].lines if line.get_label() == "grid")
    area = np.trapezoid(curve.get_ydata(), np.log10(curve.get_xdata()))
    assert area == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("chains", [2, 5])
def test_traces(rng, chains):
    figure = plot_traces(rng.normal(size=(chains, 200, 3)), ("mass", "g", "flux_tilt"))
    assert len(figure.axes) == 6
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["mass", "g", "flux tilt"]
    assert "rank" in figure.axes[5].get_xlabel() and "draw" in figure.axes[4].get_xlabel()
    assert texts(figure.axes[1].get_legend()) == [*(f"chain {i + 1}" for i in range(chains)), "uniform"]


def test_figures_can_be_saved(draws, grid, tmp_path):
    plot_joint(draws["mass"], draws["g"], ("x", "y"), grid).figure.savefig(tmp_path / "joint.png")
    assert (tmp_path / "joint.png").stat().st_size > 5000
