"""Disturbances of drawings by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PIL import Image, ImageFilter, ImageOps

from benchmarks.disturbances.drawn import (
    Rng,
    bordered,
    coloured,
    cornered,
    dotted,
    dusty,
    framed,
    jpeg,
    large,
    lined,
    lit,
    noise,
    on_page,
    pen,
    rotated,
    salted,
    scaled,
    see_through,
    shifted,
    tight,
    toned,
)
from benchmarks.disturbances.light import all_light, gradient, hand, on_table, phone, shadow, vignette

Disturbance = Callable[[Image.Image, Rng], Image.Image]


def kinds() -> dict[str, Disturbance]:
    """Return the disturbances by name, as "kind: strength"."""
    soft = partial(shadow, strength=0.6, soft=0.15)
    uneven = partial(gradient, least=0.5)
    return {
        "none": lambda i, r: i,
        **{f"frame: {w} px": lambda i, r, w=w: framed(i, w) for w in (1, 2, 4, 8)},
        "frame: grey": lambda i, r: framed(i, 2, 128),
        "frame: 1 px inside the page": lambda i, r: framed(i, 1, 0, 3),
        "frame: 3 px inside the page": lambda i, r: framed(large(i), 6, 0, 8),
        "border: one side": lambda i, r: bordered(i, r, (10, 0, 0, 0)),
        "border: one side, wide": lambda i, r: bordered(i, r, (30, 0, 0, 0)),
        "border: two sides": lambda i, r: bordered(i, r, (8, 12, 0, 0)),
        "border: two sides, opposite": lambda i, r: bordered(i, r, (10, 0, 10, 0)),
        "border: three sides": lambda i, r: bordered(i, r, (12, 9, 10, 0)),
        "border: four sides": lambda i, r: bordered(i, r, (12, 9, 10, 11)),
        "border: four sides, wide": lambda i, r: bordered(i, r, (30, 30, 30, 30)),
        "border: four sides, grey": lambda i, r: bordered(i, r, (12, 9, 10, 11), 130),
        **{
            f"light: falls to {s:.2f}": lambda i, r, s=s: lit(i, gradient((105, 105), r, s))
            for s in (0.8, 0.6, 0.4, 0.25)
        },
        **{f"light: corners at {s:.2f}": lambda i, r, s=s: lit(i, vignette((105, 105), r, s)) for s in (0.7, 0.5, 0.3)},
        **{
            f"shadow: {s:.1f}": lambda i, r, s=s: lit(large(i), shadow((420, 420), r, s, 0.15)) for s in (0.8, 0.6, 0.4)
        },
        "shadow: 0.6, sharp edge": lambda i, r: lit(large(i), shadow((420, 420), r, 0.6, 0.02)),
        "shadow: of a hand, 0.6": lambda i, r: lit(large(i), hand((420, 420), r, 0.6, 0.12)),
        **{f"scale: {s:.2f}": lambda i, r, s=s: scaled(i, s) for s in (0.75, 0.6, 0.5, 0.4, 0.33, 0.25, 0.2)},
        "scale: 0.10": lambda i, r: scaled(i, 0.1, 1000),
        **{f"scale: margin {s:.2f} of the ink": lambda i, r, s=s: tight(i, s) for s in (0.0, 0.05, 0.15)},
        **{f"place: shifted by {s:.2f}": lambda i, r, s=s: shifted(i, r, s) for s in (0.1, 0.2, 0.4)},
        **{f"place: a corner, scale {s:.2f}": lambda i, r, s=s: cornered(i, r, s) for s in (0.7, 0.5, 0.3)},
        "place: wide page": lambda i, r: on_page(i, (420, 210), 210, (float(r.random()), 0.5)),
        "place: tall page": lambda i, r: on_page(i, (210, 420), 210, (0.5, float(r.random()))),
        "place: top of an A4 page": lambda i, r: on_page(i, (620, 877), 310, (0.5, 0.1)),
        **{f"rotation: {s} degrees": lambda i, r, s=s: rotated(i, r, s) for s in (3, 6, 9)},
        **{f"noise: {s} levels": lambda i, r, s=s: noise(i, r, s) for s in (5, 10, 20, 40)},
        "noise: 15 levels, large": lambda i, r: noise(large(i), r, 15),
        **{f"noise: salt and pepper {100 * s:.1f} %": lambda i, r, s=s: salted(i, r, s) for s in (0.005, 0.02, 0.05)},
        **{f"JPEG: {s}": lambda i, r, s=s: jpeg(i, s) for s in (75, 40, 20, 10)},
        "pen: thinner": lambda i, r: pen(i, -5),
        "pen: much thinner": lambda i, r: pen(i, -7),
        **{f"pen: thicker by {s - 1} of 315": lambda i, r, s=s: pen(i, s) for s in (5, 9, 13)},
        "pen: hairlines on a large page": lambda i, r: large(pen(i, -7), (1600, 1600)),
        **{f"blur: {s} px of 105": lambda i, r, s=s: i.filter(ImageFilter.GaussianBlur(s)) for s in (1, 2, 3)},
        **{
            f"contrast: {p} on {q}": lambda i, r, p=p, q=q: toned(i, q, p)
            for p, q in ((120, 180), (200, 255), (225, 255), (90, 110))
        },
        "contrast: 225 on 250, noise": lambda i, r: noise(toned(large(i), 250, 225), r, 4),
        "speck: black beside faint ink": lambda i, r: dusty(toned(i, 255, 200), r, 1, 3),
        "speck: ten beside faint ink": lambda i, r: dusty(toned(i, 255, 200), r, 10, 2),
        "speck: one": lambda i, r: dusty(i, r, 1, 3),
        "speck: ten": lambda i, r: dusty(i, r, 10, 1),
        "speck: five beside a small drawing": lambda i, r: dusty(scaled(i, 0.33), r, 5, 3),
        "paper: faint lines": lambda i, r: lined(i, r, 225, False),
        "paper: lines": lambda i, r: lined(i, r, 180, False),
        "paper: faint squares": lambda i, r: lined(i, r, 225, True),
        "paper: squares": lambda i, r: lined(i, r, 180, True),
        "paper: small squares": lambda i, r: lined(i, r, 200, True, 14, 1),
        "paper: dark lines": lambda i, r: lined(i, r, 110, False, 42),
        "paper: dots": lambda i, r: dotted(i, r, 120),
        "paper: kraft": lambda i, r: noise(coloured(large(i), "#202020", "#b58b5a"), r, 8),
        **{
            f"colour: {c}": lambda i, r, c=c: coloured(i, c)
            for c in ("#1a3faa", "#c81e1e", "#178a3a", "#f28c1b", "#f2d21b")
        },
        "colour: pencil on cream": lambda i, r: coloured(i, "#77777a", "#f4ecd8"),
        "inverted": lambda i, r: ImageOps.invert(i),
        "inverted: chalk": lambda i, r: noise(toned(large(i), 50, 190), r, 6),
        "inverted: white frame": lambda i, r: ImageOps.invert(framed(i, 2)),
        "inverted: a third as wide": lambda i, r: ImageOps.invert(scaled(i, 0.33)),
        "inverted: light falls to 0.5": lambda i, r: lit(toned(i, 60, 220), gradient((105, 105), r, 0.5)),
        "transparency: black ink": lambda i, r: see_through(i, 0),
        "transparency: grey ink": lambda i, r: see_through(i, 110),
        "transparency: paper of a half": lambda i, r: see_through(i, 0, 60),
        "table: straight": lambda i, r: on_table(large(i), r, 70),
        "table: turned by 6 degrees": lambda i, r: on_table(large(i), r, 70, 0.8, 6),
        "table: from the side": lambda i, r: on_table(large(i), r, 70, 0.8, 4, 0.05),
        "table: grey": lambda i, r: on_table(large(i), r, 140, 0.8, 4),
        "table: one or two sides": lambda i, r: on_table(large(i), r, 70, 1.0, 5),
        "table: small paper": lambda i, r: on_table(large(i, (630, 630)), r, 70, 0.5, 5),
        "table: black, paper with a frame": lambda i, r: on_table(framed(large(i), 4), r, 20, 0.8, 3),
        "phone": lambda i, r: phone(i, r),
        "phone: small drawing": lambda i, r: phone(i, r, 0.35),
        "phone: turned by 8 degrees": lambda i, r: phone(i, r, 0.6, None, False, 8),
        "phone: light falls": lambda i, r: phone(i, r, 0.6, uneven),
        "phone: shadow": lambda i, r: phone(i, r, 0.6, soft),
        "phone: shadow of the hand": lambda i, r: phone(i, r, 0.6, partial(hand, strength=0.5, soft=0.12)),
        "phone: light falls and shadow": lambda i, r: phone(i, r, 0.6, all_light),
        "phone: small drawing, light falls and shadow": lambda i, r: phone(i, r, 0.35, all_light),
        "phone: paper's edge": lambda i, r: phone(i, r, 0.6, None, True, 4),
        "phone: paper's edge, grey table": lambda i, r: phone(i, r, 0.6, None, True, 4, 130),
        "phone: paper's edge, light falls": lambda i, r: phone(i, r, 0.6, uneven, True, 4),
        "phone: paper's edge, light falls and shadow": lambda i, r: phone(i, r, 0.6, all_light, True, 7),
    }  # fmt: skip
