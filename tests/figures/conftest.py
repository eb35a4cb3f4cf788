"""Figures are closed after each test."""

import pytest

pytest.importorskip("matplotlib")

from tridentjax.figures.style import pyplot


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    pyplot().close("all")
