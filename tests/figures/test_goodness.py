"""Figures of data over theory."""

import numpy as np
import pytest

from tridentjax.figures.goodness import plot_rate_ratios


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_rate_ratios(rng):
    ratios = {"ccfr": 1 + rng.exponential(0.1, (2, 500)), "nutev": 1 + rng.exponential(0.3, (2, 500))}
    figure = plot_rate_ratios(ratios, {"ccfr": (0.82, 0.28, 0.28)})
    first, second = figure.axes
    assert "R = N/N_{SM}" in first.get_xlabel() and first.get_ylabel() == "density" and first.get_title() == "ccfr"
    assert {"95 % quantile", "measured, 68 %", "Standard Model"} <= set(texts(first.get_legend()))
    assert "measured, 68 %" not in texts(second.get_legend())
