import re
from textwrap import dedent

import pytest

from tridentjax import InputError
from tridentjax.inference.build import make_model
from tridentjax.runs.config import config_names, config_path, load_config, physics_hash, resolved

GOOD = dedent("""\
    name: mine
    theory: zprime
    experiments: [ccfr]
    params:
      mass: {prior: {dist: loguniform, min: 1e-3, max: 1e3}, unit: GeV}
      g: {prior: {dist: uniform, min: 0, max: 2}, unit: "1", start: 0.01}
    nuisances: false
    """)


def write(folder, text=GOOD):
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def faults(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return caught.value.faults


def test_packaged_config():
    assert "zprime_ccfr" in config_names() and config_path("zprime_ccfr").is_file()
    spec = load_config("zprime_ccfr")
    assert (spec.theory, spec.experiments) == ("zprime", ["ccfr"])
    assert (spec.params["mass"].prior.min, spec.params["mass"].prior.max) == (1e-3, 1e3)
    assert spec.params["mass"].unit == "GeV" and spec.nuisances is None


def test_overrides():
    spec = load_config(
        "zprime_ccfr",
        (
            "sampler.draws=77",
            "params.g.prior.max=1e-2",
            "output.figures=false",
            "nuisances.flux_tilt=false",
            "title=a=b",
            "experiments=[ccfr, nutev]",
        ),
    )
    assert spec.sampler.draws == 77 and spec.params["g"].prior.max == 0.01
    assert spec.output.figures is False and spec.nuisances == {"flux_tilt": False}
    assert spec.title == "a=b" and spec.experiments == ["ccfr", "nutev"]
    assert load_config("zprime_ccfr").sampler.draws != 77


def test_bad_overrides_come_all_at_once():
    found = faults(load_config, "zprime_ccfr", ("sampler.draws", "=3", "theory.mass=1"))
    assert len(found) == 3
    assert "'sampler.draws': expected path.key=value" in found[0] and "'theory' is a value, not a block" in found[2]


def test_number_without_a_dot_is_a_number(tmp_path):
    """YAML 1.1 readers take 1e-3 for a string."""
    assert load_config(write(tmp_path)).params["mass"].prior.min == 0.001
    assert load_config(write(tmp_path), ("params.g.start=1e-1",)).params["g"].start == 0.1
    assert load_config(write(tmp_path), ("title=on",)).title == "on"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("min: 1e-3", "min: 1e4", r"params\.mass\.prior.*\[10000\.0, 1000\.0\] is empty; min must be below max"),
        ("min: 1e-3", "min: 1e3", "is empty; min must be below max"),
        ("min: 1e-3", "min: 0", "loguniform prior needs min > 0, received 0"),
        ("min: 1e-3, ", "", "a loguniform prior needs min and max only"),
        ("dist: uniform", "dist: normal", "a normal prior needs loc and scale only"),
        ("dist: uniform", "dist: flat", r"params\.g\.prior\.dist = 'flat'.*'uniform'"),
        ("start: 0.01", "start: 2.5", r"params\.g.*start = 2\.5 lies outside the prior \(0\.0, 2\.0\)"),
        ("start: 0.01", "value: 0.01", r"params\.g.*exactly one of prior \(sampled\) and value \(fixed\)"),
        ("{dist: uniform, min: 0, max: 2}", "{dist: uniform, min: yes, max: 2}", "prior.min = 'yes'"),
        ("{dist: uniform, min: 0, max: 2}", "{dist: uniform, min: true, max: 2}", "expected a number"),
        ("max: 2}", "max: .inf}", r"params\.g\.prior\.max = inf.*finite"),
        (', unit: "1"', "", r"params\.g = .*: unit is missing; add it"),
        ("experiments:", "experiment:", "unknown key 'experiment' in mine.yaml.*did you mean 'experiments'"),
        ("experiments: [ccfr]", "experiments: []", "experiments = .*at least 1"),
        ("nuisances: false", "sampler: {chians: 3}", "unknown key 'chians'.*sampler.chians.*did you mean 'chains'"),
        ("nuisances: false", "sampler: {chains: 1}", r"sampler\.chains = 1.*greater than or equal to 2"),
        ("nuisances: false", "sampler: {draws: 99.5}", r"sampler\.draws = 99\.5.*integer"),
        ("nuisances: false", "nuisances: {flux_tilt: {log_sd: 0.1, sd: 0.1}}", "exactly one of log_sd"),
        ("unit: GeV", "unit: GeV, unt: 3", "unknown key 'unt'.*did you mean 'unit'"),
    ],
)
def test_faults_of_the_file(tmp_path, old, new, message):
    assert old in GOOD
    found = faults(load_config, write(tmp_path, GOOD.replace(old, new)))
    assert any(re.search(message, fault) for fault in found), found


def test_all_faults_at_once(tmp_path):
    text = GOOD.replace("min: 1e-3", "min: -1").replace("start: 0.01", "strat: 1") + "sampler: {chains: 0, ess: x}\n"
    found = faults(load_config, write(tmp_path, text))
    assert len(found) == 4 and len(set(found)) == 4


def test_unknown_config_has_a_suggestion():
    with pytest.raises(InputError, match="unknown config 'zprime_cfr'; did you mean 'zprime_ccfr'"):
        load_config("zprime_cfr")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("theory=zprim", "unknown theory 'zprim' in params; did you mean 'zprime'"),
        ("params.mas={value: 1.0, unit: GeV}", "unknown parameter of theory zprime 'mas'"),
        ("params.mass.unit=MeV", r"params\.mass\.unit = 'MeV'; allowed: 'GeV'"),
        ("params.mass.prior.min=1e-4", r"params\.mass reaches 0\.0001 GeV; kernels are good down to 0\.001"),
        ("params.mass={value: -2, unit: GeV}", r"mass = -2\.0; allowed: positive"),
        ("params.loop_mixing={value: yes}", "params: loop_mixing = yes; allowed: false, true"),
        (
            "params.loop_mixing={prior: {dist: uniform, min: 0, max: 1}, unit: '1'}",
            r"params\.loop_mixing is a choice \(false, true\); give it a value instead of a prior",
        ),
        ("params.mass={value: [1.0, 1e-4], unit: GeV}", r"params\.mass reaches 0\.0001 GeV"),
        ("experiments=[ccfr, cfr]", "unknown experiment 'cfr'; did you mean 'ccfr'"),
        ("experiments=[ccfr, ccfr]", "experiments: ccfr is named twice"),
        (
            "experiments=[nutev, nutev_1998]",
            "nutev and nutev_1998 are variants of the same data .*count twice; keep one",
        ),
        (
            "experiments=[charm2, charm2_0p64]",
            r"charm2 and charm2_0p64 are variants of the same data \(CHARM-II 1990\)",
        ),
        ("sampler.edge=h", "sampler.edge = 'h'; allowed: a parameter with a uniform or loguniform prior"),
        ("sampler.edge=g", "give both edge and along"),
        ("nuisances={flux_tlit: false}", r"nuisances\.flux_tlit: no experiment of this run has it; it has .*flux_tilt"),
    ],
)
def test_faults_of_the_model(tmp_path, override, message):
    spec = load_config(write(tmp_path), (override,))
    found = faults(make_model, spec)
    assert any(re.search(message, fault) for fault in found), found


def test_all_faults_of_the_model_at_once(tmp_path):
    overrides = ("experiments=[nutev, nutev_1998, cfr]", "params.mass.unit=MeV", "sampler.edge=h", "sampler.along=g")
    assert len(faults(make_model, load_config(write(tmp_path), overrides))) == 4
    fixed = ("params.mass={value: 1, unit: GeV}", "params.g={value: 1, unit: '1'}")
    assert faults(make_model, load_config(write(tmp_path), fixed)) == (
        "params: nothing is sampled; give at least one parameter a prior",
    )


def test_hash_counts_physics_only():
    def fingerprint(*overrides):
        return physics_hash(resolved(load_config("zprime_ccfr", overrides)))

    plain = fingerprint()
    assert plain == fingerprint()
    for same in ("output.figures=false", "output.folder=elsewhere", "title=other", "name=other"):
        assert fingerprint(same) == plain
    others = [
        fingerprint(change)
        for change in (
            "sampler.seed=2", "sampler.draws=1001", "params.g.prior.max=2.9", "experiments=[nutev]",
            "nuisances=false", "nuisances.flux_tilt.sd=0.1",
        )
    ]  # fmt: skip
    assert len({plain, *others}) == len(others) + 1


def test_hash_does_not_depend_on_the_order_of_the_file(tmp_path):
    lines = GOOD.splitlines(keepends=True)
    one = load_config(write(tmp_path))
    other = load_config(write(tmp_path, "".join([*lines[:4], lines[5], lines[4], *lines[6:]])))
    assert physics_hash(resolved(one)) == physics_hash(resolved(other))


def test_resolved_config_is_complete_and_reads_back(tmp_path):
    from tridentjax.files import write_yaml

    spec = load_config(write(tmp_path))
    content = resolved(spec)
    assert content["sampler"]["target_accept"] == 0.9 and content["nuisances"] is False
    write_yaml(tmp_path / "again.yaml", content)
    assert load_config(tmp_path / "again.yaml") == spec


def test_settings_of_a_contour_do_not_change_the_posterior():
    """A run can be resumed after its contour block has changed; a contour does not depend on the sampler."""
    runs = [
        resolved(load_config("zprime_ccfr", (x,))) for x in ("contour.points=61", "contour.points=62", "sampler.seed=9")
    ]
    posterior, contour = ([physics_hash(run, *other) for run in runs] for other in ((), ("contour",)))
    assert posterior[0] == posterior[1] != posterior[2]
    assert contour[0] != contour[1] and contour[0] != contour[2]  # 61, 62, and the 60 of the file
    assert physics_hash(resolved(load_config("zprime_ccfr")), "contour") == contour[2]
