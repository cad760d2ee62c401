"""Photographs: features of a frozen encoder, one answer whatever the container."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import quickstudy as qs
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs.photos import Photos
from quickstudy.testing import check_inputs

SHARED = Path(__file__).parents[3] / "shared" / "data" / "photos"
shared = pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared")


def scene(seed: int) -> Image.Image:
    """Return a picture of many tones."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return saved(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


CONTAINERS = {
    "PNG": lambda image: saved(image, "PNG"),
    "WebP": lambda image: saved(image, "WebP", lossless=True),
    "BMP": lambda image: saved(image, "BMP"),
    "array": np.asarray,
    "channels first": lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1),
    "turned": turned,
    "CMYK": lambda image: image.convert("CMYK"),
    "transparent": lambda image: image.convert("RGBA"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_photograph_in_another_container_has_the_same_features(container):
    photos = Photos()
    a, b = photos.encode(photos.items([scene(0), CONTAINERS[container](scene(0))]))
    assert float(a @ b) > 0.9999


def test_a_photograph_of_16_bits_is_read_as_one_of_8():
    photos, image = Photos(), scene(0).convert("L")
    a, b = photos.encode(photos.items([image, np.asarray(image).astype(np.uint16) * 257]))
    assert float(a @ b) > 0.9999


@pytest.mark.slow
def test_photographs_keep_the_laws_of_inputs():
    photos = Photos.fitted(())
    check_inputs(photos, photos.items([scene(i) for i in range(3)]), [qs.Item("odd.jpg", b"no image")])


def test_a_large_jpeg_is_decoded_small_and_answered_alike(tmp_path):
    scene(1).resize((4000, 3000), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=95)
    photos = Photos()
    a, b = photos.encode(photos.items([scene(1), tmp_path / "large.jpg"]))
    assert float(a @ b) > 0.98


def test_a_photograph_from_python_is_not_changed():
    image = scene(0)
    before = image.tobytes()
    Photos().keep(qs.Item("a", image))
    Photos().encode([qs.Item("a", image)])
    assert image.tobytes() == before


def test_other_weights_than_the_models_are_refused():
    with pytest.raises(ModelError, match="differ from those"):
        Photos(sha256="0" * 64).encode([qs.Item("a", scene(0))])


def test_drawings_have_no_encoder(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        scene(0).save(tmp_path / label / "1.png")
    with pytest.raises(SettingError, match="leave --encoder out"):
        qs.adapt(tmp_path, look="drawings", encoder="efficientnet-lite0")


def test_a_look_is_refused_for_what_are_no_pictures(tmp_path):
    (tmp_path / "few.csv").write_text("text,label\nhello,a\nbye,b\n")
    with pytest.raises(SettingError, match="not a folder of pictures"):
        qs.adapt(tmp_path / "few.csv", look="photos")
    with pytest.raises(SettingError, match="embeds photos, not sentences; choose one of all-MiniLM-L6-v2"):
        qs.adapt(tmp_path / "few.csv", encoder="efficientnet-lite0")


def test_features_are_not_taken_for_pictures():
    photos = Photos()
    assert photos.is_encoded(torch.nn.functional.normalize(torch.randn(3, 1280)))
    assert not photos.is_encoded(torch.rand(3, 224, 224))


@pytest.mark.slow
@shared
def test_shared_photographs_are_learned_without_a_run(tmp_path):
    labels = ("bonsai", "chair", "ferry")
    for label in labels:
        (tmp_path / "few" / label).mkdir(parents=True)
        for path in sorted((SHARED / label).iterdir())[:5]:
            (tmp_path / "few" / label / path.name).write_bytes(path.read_bytes())
    classifier = qs.adapt(tmp_path / "few", out=tmp_path / "mine")
    new = [path for label in labels for path in sorted((SHARED / label).iterdir())[5:9]]
    right = [label for label in labels for _ in range(4)]
    loaded = qs.load(tmp_path / "mine")
    assert np.mean([a == b for a, b in zip(loaded.predict(new), right, strict=True)]) > 0.9
    np.testing.assert_allclose(loaded.predict_proba(new), classifier.predict_proba(new), atol=1e-6)
    examples = [path for label in labels for path in sorted((tmp_path / "few" / label).iterdir())]
    few = qs.FewShotClassifier().fit(examples, [path.parent.name for path in examples])
    np.testing.assert_allclose(few.predict_proba(new), classifier.predict_proba(new), atol=1e-5)


@shared
def test_a_broken_shared_photograph_is_named(tmp_path):
    good = sorted((SHARED / "chair").iterdir())[0].read_bytes()
    (tmp_path / "broken.jpg").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"broken\.jpg"):
        Photos().encode(Photos().items([tmp_path / "broken.jpg"]))
