"""``quickstudy encoders`` says what an encoder costs here."""

import json


def test_the_cost_of_the_default_encoder(cli):
    (row,) = json.loads(cli("encoders", "--json").out)
    assert (row["encoder"], row["inputs"], row["width"]) == ("efficientnet-lite0", "photos", 1280)
    assert (3_000_000 < row["parameters"] < 5_000_000, row["licence"]) == (True, "Apache-2.0")
    assert row["milliseconds"] > 0
    assert "Apache" in cli("encoders").out


def test_an_unknown_encoder_is_one_line(refused):
    assert "no encoder 'nobody/nothing'" in refused("encoders", "nobody/nothing")
