"""The table of a pair of leptons."""

import numpy as np
from fixtures_physics import mixed_table

from tridentjax.currents import Channel
from tridentjax.process.leptonic_table import load_leptonic_table


def test_antineutrino_table_is_that_of_the_conjugate_channel():
    anti = load_leptonic_table(Channel("mu", "e", "mu", antineutrino=True))
    np.testing.assert_array_equal(anti.density, mixed_table().density)
    assert anti.channel.antineutrino
