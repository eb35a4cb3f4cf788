"""Labels of axes."""

from tridentjax.figures import style as plots

LABELS = {"mass": "$m_{Z'}$ [GeV]", "g": "$g'$"}


def test_label_has_its_unit():
    assert plots.label("m_{Z'}", "GeV") == LABELS["mass"]
    assert plots.label("g'", "1") == LABELS["g"]
    assert plots.label("flux tilt", "1") == "flux tilt"
