"""Contact limit of the L_mu - L_tau boson: the theory's own formula, printed for that theory alone."""

import json
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.constants import G_F, SIN2_THETA_W
from tridentjax.currents import Channel
from tridentjax.experiment.load import load_experiment
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.rays import Plane
from tridentjax.inference.limits.region import Region
from tridentjax.inference.limits.rows import Row
from tridentjax.inference.limits.statistics import Statement
from tridentjax.runs import contour as runs_contour
from tridentjax.theory import theories
from tridentjax.theory.catalogue import THEORIES, find_theory

PLANE = Plane("mass", "g", {"mass": Prior(1e-3, 1e3, "loguniform"), "g": Prior(1e-5, 3.0, "loguniform")}, {})
MUONS = Channel("mu", "mu", "mu")
R_CCFR = 0.82 + 1.959963984540054 * 0.28  # upper end at 95 % CL
SMALL = [
    x for setting in ("contour.points=3", "contour.samples=24", "nuisances=false", "output.figures=false")
    for x in ("--set", setting)
]  # fmt: skip


def limit(parameters, channel=MUONS, R=R_CCFR):
    return theories.zprime_contact_limit(parameters, channel, R)


def test_formula_of_the_literature():
    """R = [1 + (1 + 4 s2 + 2 v^2 g'^2/m^2)^2]/[1 + (1 + 4 s2)^2]; 545.4 GeV is the number of README."""
    for s2 in (SIN2_THETA_W, 0.2, 0.26):
        vector = 1.0 + 4.0 * s2
        shift = np.sqrt(R_CCFR * (1.0 + vector**2) - 1.0) - vector
        expected = np.sqrt(2.0 / (np.sqrt(2.0) * G_F * shift))
        assert limit({"sin2_theta_w": s2}) == pytest.approx(expected, rel=1e-12)
    assert limit({}) == pytest.approx(545.4, abs=0.05)


@pytest.mark.parametrize("electroweak", [{}, {"sin2_theta_w": 0.21}, {"one_loop": 1.0}])
@pytest.mark.parametrize("anti", [False, True])
def test_the_theory_itself_gives_that_rate_ratio_in_the_contact_limit(electroweak, anti):
    channel = Channel("mu", "mu", "mu", anti)
    g, K2 = 0.3, jnp.zeros(1)
    mass = limit(electroweak, channel, 1.27) * g
    own, sm = (theories.zprime({"mass": mass, "g": x, **electroweak}, channel, K2) for x in (g, 0.0))
    size = [float(c.g_V[0, 0] ** 2 + c.g_A[0, 0] ** 2) for c in (own, sm)]
    assert size[0] / size[1] == pytest.approx(1.27, rel=1e-12)


@pytest.mark.parametrize(
    ("parameters", "channel", "R"),
    [
        ({"kinetic_mixing": 1e-3}, MUONS, R_CCFR),
        ({"kinetic_mixing": np.array([0.0, 1e-3])}, MUONS, R_CCFR),
        ({"loop_mixing": True}, MUONS, R_CCFR),
        ({}, Channel("mu", "e", "e"), R_CCFR),
        ({}, Channel("e", "mu", "mu"), R_CCFR),
        ({}, MUONS, 1.0),
        ({}, MUONS, 0.9),
    ],
)
def test_where_it_does_not_hold_there_is_none(parameters, channel, R):
    assert limit(parameters, channel, R) is None
    assert limit({"kinetic_mixing": 0.0, "loop_mixing": False}) is not None


def test_only_the_plain_boson_offers_it():
    assert [name for name, theory in THEORIES.items() if theory.contact_limit] == ["zprime"]
    assert find_theory("left+zprime").contact_limit is None


def contour(name, *settings):
    arguments = ["contour", name, *SMALL, *(x for s in settings for x in ("--set", s)), "--statistic", "gaussian"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_support, "start_jax", lambda device: None)
        return CliRunner().invoke(cli.app, arguments)


def run(path, name, *settings):
    """Summary and text of a contour run."""
    result = contour(name, f"output.folder={path / 'run'}", *settings)
    assert result.exit_code == 0, result.stderr
    return json.loads((path / "run_contour" / "summary.json").read_text())["regions"][0], result.stdout


@pytest.mark.slow
def test_contour_takes_the_mixing_angle_of_the_config(tmp_path):
    region, text = run(tmp_path, "zprime_ccfr", "params.sin2_theta_w={value: 0.21, unit: '1'}")
    found = region["contact_limit"]
    assert found["high_energy_formula"] == pytest.approx(limit({"sin2_theta_w": 0.21}, R=found["rate_ratio"]), rel=1e-9)
    assert abs(found["high_energy_formula"] - 545.4) > 1.0
    assert -0.02 < found["muon_mass_correction"] < -0.005  # what the muon mass does, whatever the angle
    assert f"= {found['high_energy_formula']:.1f} GeV (high-energy formula) x (1 " in text and "muon mass" in text


@pytest.mark.slow
def test_contour_of_a_warped_space_says_nothing_of_it(tmp_path):
    """Tower and bulk masses make the difference there, not the muon mass."""
    region, text = run(tmp_path, "rs_lmutau")
    assert (region["points"], "contact_limit" in region) == (3, False)
    assert "contact limit" not in text and "muon mass" not in text
    assert region["plateau"]["mass"] == pytest.approx(1e-3, rel=0.1)


def summary(theory, choices=None, experiment="ccfr", **fixed):
    """Summary of two boundary points at the CCFR limit, and its lines."""
    rows = [
        Row("gaussian", experiment, 0, mass, g, mass, g, mass, g, "above", "bracketed", (R_CCFR,))
        for mass, g in ((1e-3, 9e-4), (1e3, 1.86))
    ]
    model = SimpleNamespace(
        fixed={name: jnp.asarray(x) for name, x in fixed.items()}, choices=choices or {},
        chains=[SimpleNamespace(experiment=load_experiment(experiment))],
    )  # fmt: skip
    region = Region((experiment,), Statement("gaussian", None, (), "text"), PLANE, [], model)
    content = runs_contour._summary(region, rows, find_theory(theory))
    return content, "\n".join(runs_contour._lines(content))


def test_summary_of_the_boson():
    content, text = summary("zprime")
    assert content["plateau"] == {"mass": 1e-3, "coupling": 9e-4}
    assert content["contact_limit"]["mass_over_coupling"] == pytest.approx(1e3 / 1.86, rel=1e-12)
    assert content["contact_limit"]["high_energy_formula"] == pytest.approx(545.4, abs=0.05)
    assert "contact limit m/g' = 537.6 GeV at 1000 GeV = 545.4 GeV (high-energy formula) x (1 -0.014" in text
    assert summary("zprime", sin2_theta_w=0.21)[0]["contact_limit"]["high_energy_formula"] == pytest.approx(
        limit({"sin2_theta_w": 0.21}), rel=1e-12
    )
    assert "muon mass" in summary("zprime", {"loop_mixing": False}, kinetic_mixing=0.0)[1]


@pytest.mark.parametrize(
    ("theory", "choices", "fixed"),
    [
        ("rs_lmutau", {"breaking": "uv"}, {"Lambda_IR": 3000.0, "c_L_mu": 0.6, "c_R_mu": 0.6}),
        ("zprime", {}, {"kinetic_mixing": 1e-3}),
        ("zprime", {"loop_mixing": True}, {}),
        ("left+zprime", {}, {"LL": 0.0}),
    ],
)
def test_summary_of_other_theories_says_nothing_of_it(theory, choices, fixed):
    content, text = summary(theory, choices, **fixed)
    assert "contact_limit" not in content and "contact limit" not in text and "muon mass" not in text
    assert content["plateau"] == {"mass": 1e-3, "coupling": 9e-4}
