"""Sources of events: beams, targets, codes."""

import numpy as np
import pytest

from tridentjax.events.generate import generate_events
from tridentjax.events.source import experiment_source, nucleus_code
from tridentjax.experiment.load import load_experiment


def test_codes_of_nuclei():
    assert nucleus_code(18, 40) == 1000180400
    assert nucleus_code(82, 208) == 1000822080
    assert nucleus_code(1, 1) == 2212


def test_an_experiment_has_all_its_beams():
    experiment = load_experiment("nutev")
    sample = generate_events(experiment_source(experiment), 2000, seed=1)
    assert [s.name.split()[0] for s in sample.summaries] == ["numu", "antinumu"] * 3
    assert sum(s.events for s in sample.summaries) == 2000
    assert sample.cross_section == pytest.approx(sum(s.cross_section for s in sample.summaries), rel=1e-9, abs=0.0)
    for code, species in ((14, "numu"), (-14, "antinumu")):
        expected = sum(s.cross_section for s in sample.summaries if s.name.startswith(species + " "))
        expected *= 2000 / sample.cross_section
        assert (sample.codes[:, 0] == code).sum() == pytest.approx(expected, abs=4.0 * np.sqrt(expected) + 1.0)
