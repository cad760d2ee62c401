"""Folders of classifiers: earlier versions, killed writers, several processes, .zip files."""

import io
import json
import shutil
import stat
import threading
import zipfile

import pytest

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.edit import learned, with_more
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.base import Item
from quickstudy.models.folder import ModelFolder
from quickstudy.serving.limits import Limits, Refused
from quickstudy.serving.store import Store, place_of


def pairs(**widths):
    return [(Item(f"{label} {w}", {"width": w}), label) for label, ws in widths.items() for w in ws]


SMALL = pairs(large=[9, 8], small=[1, 2])


@pytest.fixture
def store(tmp_path):
    result = Store(tmp_path / "store")
    result.create("a", learned(SMALL))
    return result


def more(label, width=5):
    return lambda held: with_more(held.classifier, pairs(**{label: [width]}))


def labels(store, name="a"):
    return store.load(name).classifier.labels


def test_another_process_sees_every_change(store):
    other = Store(store.root)
    assert labels(other) == ("large", "small")
    store.change("a", more("middle"))
    assert labels(other) == ("large", "middle", "small")
    other.undo("a")
    assert labels(store) == ("large", "small")


def test_versions_are_few_and_come_back_in_order(tmp_path):
    store = Store(tmp_path, limits=Limits(versions=3))
    store.create("a", learned(SMALL))
    for label in "bcdef":
        store.change("a", more(label))
    assert store.n_undo("a") == 3
    for left in (6, 5, 4):
        assert len(store.undo("a").classifier.labels) == left
    with pytest.raises(Refused, match="no earlier version"):
        store.undo("a")


def test_a_change_that_is_refused_changes_nothing(store):
    version = store.load("a").version
    with pytest.raises(ValueError, match="column"):
        store.change("a", lambda held: with_more(held.classifier, [(Item("x", {"other": 1}), "b")]))
    assert (store.load("a").version, store.n_undo("a")) == (version, 0)


def test_a_version_that_a_killed_writer_kept_is_no_change(store):
    store.change("a", more("middle"))
    store._keep("a", store.root / "a")  # and killed before it wrote
    assert store.undo("a").classifier.labels == ("large", "small")


def test_what_a_killed_writer_left_is_removed(store):
    (store.root / "a" / ".new-1").mkdir()
    store.change("a", more("middle"))
    assert not list((store.root / "a").glob(".*"))


def test_a_killed_first_write_is_no_classifier(store):
    (store.root / "b" / ".new-1").mkdir(parents=True)
    assert store.names() == ["a"]
    with pytest.raises(Refused) as error:
        store.load("b")
    assert error.value.status == 404
    store.create("b", learned(SMALL))
    assert labels(store, "b") == ("large", "small")


def test_a_journal_is_completed(store):
    shutil.copytree(store.root / "a", store.root / "b")
    folder = store.root / "b"
    (folder / ".journal").mkdir()
    for path in folder.glob("*.*"):
        if path.is_file():
            path.rename(folder / ".journal" / path.name)
    assert labels(store, "b") == ("large", "small")


def test_readers_and_writers_at_once_see_whole_classifiers(store):
    """Two stores stand for two processes, which share nothing but the disk."""
    other, faults, stop = Store(store.root), [], threading.Event()

    def read():
        while not stop.is_set():
            other._memory.clear()
            held = other.load("a")
            if len(held.classifier.labels) != len(set(held.classifier.data.y.tolist())):
                faults.append(held.version)

    def write(writer, prefix):
        for i in range(8):
            writer.change("a", more(f"{prefix}{i}", 3 + i))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(each, p)) for each, p in ((store, "x"), (Store(store.root), "y"))]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not faults
    assert len(labels(store)) == 2 + 16


def test_two_creators_of_one_name(store):
    results = []

    def create():
        try:
            results.append(Store(store.root).create("b", learned(SMALL))[0])
        except Refused as error:
            results.append(error.status)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["409", "409", "409", "b"]


def test_a_lock_that_is_held_is_not_waited_for_without_end(tmp_path):
    store = Store(tmp_path, limits=Limits(lock=0.05))
    store.create("a", learned(SMALL))
    with Store(tmp_path)._writing("a"), pytest.raises(Refused, match="another request"):
        store.change("a", more("b"))


def test_a_damaged_classifier_is_refused(store):
    path = store.root / "a" / "support.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError):
        Store(store.root).load("a")


def test_a_place_is_a_classifier_or_a_folder_of_them(store, tmp_path):
    assert place_of(store.root / "a") == (store.root, "a")
    assert place_of(store.root) == (store.root, None)
    only = Store(*place_of(store.root / "a"))
    assert only.names() == ["a"]
    with pytest.raises(Refused):
        only.create("b", learned(SMALL))
    with pytest.raises(Refused):
        only.delete("a")
    shutil.copytree(store.root / "a", tmp_path / "a b")
    with pytest.raises(SettingError, match="rename"):
        place_of(tmp_path / "a b")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="is a file"):
        place_of(tmp_path / "file")


def test_a_run_is_not_served(run):
    with pytest.raises(SettingError, match="without labels"):
        place_of(run)


def rezipped(content, change):
    """A .zip file with other entries: a function of name and content returns them."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            for name, part in change(info.filename, old.read(info)):
                new.writestr(name, part)
    return result.getvalue()


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


HOSTILE = {
    "up": lambda name, part: [(f"../{name.partition('/')[2]}", part)],
    "far up": lambda name, part: [(f"a/../../{name.partition('/')[2]}", part)],
    "absolute": lambda name, part: [(f"/tmp/{name}", part)],
    "drive": lambda name, part: [(f"c:/{name.partition('/')[2]}", part)],
    "backslash": lambda name, part: [(name.replace("/", "\\"), part)],
    "one more": lambda name, part: [(name, part), (name + ".py", b"")],
    "one elsewhere": lambda name, part: [(name, part)] + [("config.json", part)] * name.endswith("config.json"),
    "twice": lambda name, part: [(name, part)] * 2,
    "link": lambda name, part: [(link(name) if name.endswith("seal.json") else name, part)],
    "bomb": lambda name, part: [(name, b"\0" * 50_000_000 if "support" in name else part)],
    "changed": lambda name, part: [(name, part[:-1] + b"x" if "support" in name else part)],
    "no config": lambda name, part: [(name, part)] * (not name.endswith("config.json")),
    "no seal": lambda name, part: [(name, part)] * (not name.endswith("seal.json")),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(tmp_path, change):
    store = Store(tmp_path / "store", limits=Limits(unpacked=40_000_000))
    store.create("a", learned(SMALL))
    content = store.archive("a")
    before = files(tmp_path)
    with pytest.raises((ModelError, Refused)) as error:
        store.open("b", rezipped(content, change))
    assert str(tmp_path) not in str(error.value)
    assert files(tmp_path) == before
    assert store.names() == ["a"]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(18), b"x" * 1000])
def test_what_is_no_archive_is_refused(store, content):
    with pytest.raises(ModelError, match="zip"):
        store.open("b", content)


def test_every_cut_and_flipped_archive_is_refused_or_equal(store):
    content = store.archive("a")
    for place in range(0, len(content), max(1, len(content) // 60)):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]):
            try:
                held = store.open("b", damaged)
            except (ModelError, Refused):
                continue
            assert held.classifier.predict([{"width": 8}]) == ["large"]


def test_a_learner_of_endless_steps_is_refused(store):
    def change(name, part):
        if not name.endswith("config.json"):
            return [(name, part)]
        config = json.loads(part)
        config["learner"]["test_steps"] = 10**9
        return [(name, json.dumps(config).encode())]

    with pytest.raises(ModelError, match="test_steps"):
        store.open("b", rezipped(store.archive("a"), change))


def test_an_archive_opens_as_it_was(store):
    held = store.open("b", store.archive("a"))
    assert held.version == store.load("a").version
    assert Classifier.load(store.root / "b").predict([{"width": 8}]) == ["large"]
    assert not list(ModelFolder(store.root / "b").faults())
