"""`tridentjax couplings`."""

from functools import partial

import pytest
from command_line import answer, call, faults

close = partial(pytest.approx, rel=1e-9, abs=0.0)  # the default 1e-12 would let any two cross sections in cm^2 agree


def test_couplings():
    content = answer("couplings", "zprime", "--set", "mass=0.3", "--set", "g=0.02", "--K2", 0, "--K2", 0.07)
    zero, finite = content["results"]
    assert {"K2", "g_V", "g_A", "delta_g_V", "delta_g_A"} <= set(zero)
    scale = 2**0.5 * 1.1663788e-5
    assert zero["delta_g_V"] == close(4e-4 / (scale * 0.09), rel=1e-9)
    assert finite["delta_g_V"] == close(4e-4 / (scale * 0.16), rel=1e-9)
    assert zero["delta_g_A"] == 0 and content["inputs"]["sin2_theta_w"] == 0.23122 and content["inputs"]["scheme"]


def test_couplings_of_the_standard_model_show_one_loop():
    content = answer("couplings", "sm")
    loop, tree = content["one_loop"], content["results"][0]
    assert (loop["g_V"], loop["g_A"]) == (pytest.approx(0.96007, abs=1e-5), pytest.approx(0.49381, abs=1e-5))
    assert loop["minus_tree_g_V"] == close(loop["g_V"] - tree["g_V"])
    assert content["inputs"]["scheme"] == "tree level"
    assert "one loop (Hill, Tomalak 2020" in call("couplings", "sm").stdout
    shifted = answer("couplings", "sm", "--set", "one_loop=1")
    assert shifted["results"][0]["g_V"] == close(loop["g_V"]) and "one loop" in shifted["inputs"]["scheme"]
    other = answer("couplings", "sm", "--neutrino", "antinumu", "--leptons", "e-e+")["one_loop"]
    assert other["g_V"] == pytest.approx(-0.03993, abs=1e-5)
    assert answer("couplings", "zprime", "--set", "mass=1", "--set", "g=1")["one_loop"] is None


def test_couplings_faults():
    text = faults("couplings", "zprime", "--set", "mass=-1", "--K2", -3, "--neutrino", "mu", "--leptons", "mu+mu-")
    for fault in ("mass = -1.0; allowed: positive", "--K2 -3.0", "unknown neutrino 'mu'", "--leptons 'mu+mu-'"):
        assert fault in text
    assert answer("couplings", "sm", "--leptons", "e-mu+")["results"] == []
