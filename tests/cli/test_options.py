"""There is one flag for every setting, which says what the setting says, and only used flags are settings."""

import json

import pytest

from quickstudy.cli.train import train
from quickstudy.runs.settings import FIELDS, choices, complete, kinds


@pytest.fixture
def flags(cli):
    def settings(*arguments):
        code, out, _ = cli("train", "--print-settings", *arguments)
        assert code == 0
        return json.loads(out)

    return settings


def test_every_setting_has_a_flag_with_its_words(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    entries = [" ".join(entry.split()) for entry in cli("train", "--help").out.split("\n  --")]
    for name, field in FIELDS.items():
        (entry,) = (entry for entry in entries if entry.startswith(f"{name.replace('_', '-')} "))
        assert field.metadata["description"] in entry
        whole = entry.replace("- ", "-")  # a name may be broken at a hyphen
        assert all(word in whole for word in choices(name))
        if field.default is not None:
            assert f"Default: {field.default}." in entry


def test_flags_are_grouped_under_headings(cli):
    _, out, _ = cli("train", "--help")
    places = [out.index(f"\n{heading}:\n") for heading in ("Run", "Tasks", "Net", "Inner loop", "Outer loop")]
    assert places == sorted(places)


def test_without_flags_there_are_defaults(flags):
    assert flags() == complete({}).model_dump(mode="json")


BESIDE = {
    "within_alphabets": ["--data", "omniglot"],
    "ink": ["--data", "folders"],
    "augment": ["--data", "cifar-fs"],
}
"""What a flag needs to have an effect."""


@pytest.mark.parametrize("name", [name for name in FIELDS if kinds(name) == (bool,)])
def test_yes_and_no_flags(flags, name):
    flag, beside = name.replace("_", "-"), BESIDE.get(name, ())
    assert flags(f"--{flag}", *beside)[name] is True
    assert flags(f"--no-{flag}", *beside)[name] is False


@pytest.mark.parametrize(
    ("flag", "text", "value"),
    [
        ("--seed", "3", 3),
        ("--threads", "3", 3),
        ("--outer-lr", "1e-4", 1e-4),
        ("--data-root", "some/where", "some/where"),
        ("--algorithm", "maml", "maml"),
        ("--arguments", '{"token_width": 8}', {"token_width": 8}),
    ],
)
def test_a_flag_is_its_setting(flags, flag, text, value):
    assert flags(flag, text)[flag[2:].replace("-", "_")] == value


def test_a_command_keeps_its_name_and_words():
    assert train.__name__ == "train"
    assert "Meta-train" in train.__doc__
