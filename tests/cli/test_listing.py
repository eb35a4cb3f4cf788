"""`tridentjax list` and `show`."""

import pytest
from command_line import answer, call, faults


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("configs", "zprime_ccfr"), ("experiments", "ccfr"), ("theories", "zprime"), ("nuclei", "Ar40"),
        ("fluxes", "CCFR"), ("form-factors", "woods-saxon"), ("materials", "steel"), ("materials", "Fe"),
        ("observables", "theta_minus"),
    ],
)  # fmt: skip
def test_list(kind, member):
    items = answer("list", kind)["items"]
    assert member in [item["name"] for item in items]
    assert all(item["source"] and "\n" not in item["source"] for item in items)
    assert member in call("list", kind).stdout


def test_list_of_something_else():
    assert "configs" in faults("list", "confgs")


@pytest.mark.parametrize(("name", "kind"), [("zprime_ccfr", "config"), ("nutev", "experiment"), ("CCFR", "flux")])
def test_show(name, kind):
    content = answer("show", name)
    assert content["kind"] == kind and content["text"].rstrip("\n") == call("show", name).stdout.rstrip("\n")


def test_show_of_something_else():
    assert "did you mean 'zprime_ccfr'" in faults("show", "zprime_ccrf")
