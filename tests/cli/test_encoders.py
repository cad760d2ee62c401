"""``quickstudy encoders`` says what an encoder costs here."""

import json


def test_the_cost_of_the_encoders(cli):
    photos, texts, *_ = json.loads(cli("encoders", "--json").out)  # other tests may have registered more
    assert (photos["encoder"], photos["inputs"], photos["width"]) == ("efficientnet-lite0", "photos", 1280)
    assert (3_000_000 < photos["parameters"] < 5_000_000, photos["licence"]) == (True, "Apache-2.0")
    assert (texts["encoder"], texts["inputs"], texts["width"]) == ("all-MiniLM-L6-v2", "sentences", 384)
    assert (22_000_000 < texts["parameters"] < 23_000_000, texts["licence"]) == (True, "Apache-2.0")
    assert min(photos["milliseconds"], texts["milliseconds"]) > 0
    assert "Apache" in cli("encoders").out


def test_a_short_name_is_the_whole_one(cli):
    (row,) = json.loads(cli("encoders", "minilm", "--json").out)
    assert row["encoder"] == "all-MiniLM-L6-v2"


def test_an_unknown_encoder_is_one_line(refused):
    line = refused("encoders", "nobody/nothing")
    assert "no encoder 'nobody/nothing': it is not on this machine; `quickstudy encoders` lists" in line
