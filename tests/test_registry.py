"""A registry imports late, checks what it is given, and keeps its own names."""

import sys
from importlib.metadata import EntryPoint

import pytest

from quickstudy import registry
from quickstudy.errors import SettingError
from quickstudy.registry import Registry


class Base:
    pass


class Mine(Base):
    pass


def made(**own):
    return Registry("thing", own, base=f"{__name__}:Base", group="quickstudy.things")


@pytest.fixture
def theirs(monkeypatch):
    def announce(**points):
        found = [EntryPoint(name, value, "quickstudy.things") for name, value in points.items()]
        monkeypatch.setattr(registry, "_announced", lambda group: found)

    return announce


def test_an_entry_is_imported_when_it_is_asked_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    some = Registry("poem", {"zen": "this:s"}, base="builtins:object", group="no.such.group")
    assert list(some) == ["zen"]
    assert "this" not in sys.modules
    assert some["zen"]
    assert "this" in sys.modules


def test_what_is_registered_is_found_by_name_and_back():
    some = made()
    assert some.register("mine", Mine) is Mine
    assert (some["mine"], some.name_of(Mine), some.name_of(int)) == (Mine, "mine", None)
    assert some.register("mine", Mine) is Mine


def test_a_class_that_is_defined_again_replaces_itself():
    some, defined = made(), []
    for _ in range(2):

        class Again(Base):
            pass

        defined.append(some.register("again", Again))
    assert some["again"] is defined[1] is not defined[0]


@pytest.mark.parametrize(
    ("name", "entry", "says"),
    [
        ("mine", int, "does not extend Base"),
        ("mine", Mine(), "does not extend Base"),
        ("base", Mine, "already; choose another name"),
        ("two words", Mine, "give one word"),
        ("", Mine, "give one word"),
        (3, Mine, "give one word"),
    ],
)
def test_what_does_not_fit_is_refused(name, entry, says):
    some = made(base=f"{__name__}:Base")
    with pytest.raises(SettingError, match=says):
        some.register(name, entry)
    assert list(some) == ["base"]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match=r"unknown thing 'bose': did you mean 'base'\?"):
        made(base=f"{__name__}:Base")["bose"]


def test_an_entry_point_of_another_package_counts_as_one_of_ours(theirs):
    theirs(mine=f"{__name__}:Mine")
    some = made(base=f"{__name__}:Base")
    assert (list(some), len(some), some["mine"], some.name_of(Mine)) == (["base", "mine"], 2, Mine, "mine")


def test_an_entry_point_does_not_replace_an_entry(theirs):
    theirs(base=f"{__name__}:Mine")
    some = made(base=f"{__name__}:Base")
    with pytest.warns(UserWarning, match="Mine is left out: there is a thing 'base' already"):
        assert list(some) == ["base"]
    assert some["base"] is Base


def test_an_entry_point_that_does_not_fit_is_refused_when_it_is_asked_for(theirs):
    theirs(odd="builtins:int")
    with pytest.raises(SettingError, match="thing 'odd'"):
        made()["odd"]


def test_an_entry_point_that_cannot_be_imported_is_refused_with_its_package(theirs):
    theirs(gone="no_such_module:Gone")
    with pytest.raises(SettingError, match=r"thing 'gone' of the package .*ModuleNotFoundError.*; repair or remove"):
        made()["gone"]


def test_installed_packages_are_searched_only_where_one_announces_something(tmp_path):
    (tmp_path / "other-1.dist-info").mkdir()
    (tmp_path / "other-1.dist-info" / "entry_points.txt").write_text("[console_scripts]\nother = other:main\n")
    (tmp_path / "bare-1.dist-info").mkdir()
    places = ("", str(tmp_path / "missing"), str(tmp_path))
    assert not registry._any_announced(places)
    (tmp_path / "mine-1.dist-info").mkdir()
    (tmp_path / "mine-1.dist-info" / "entry_points.txt").write_text("[quickstudy.learners]\nmine = mine:Mine\n")
    registry._any_announced.cache_clear()
    assert registry._any_announced(places)
    (tmp_path / "archive.zip").touch()
    assert registry._any_announced((str(tmp_path / "archive.zip"),))
