"""Explanation as one HTML page, which contains everything and loads nothing from elsewhere."""

from __future__ import annotations

import base64
import io
import math
from html import escape

import numpy as np
from PIL import Image

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.explanation import Explanation
from quickstudy.inputs.base import Item
from quickstudy.inputs.decode import png

_SHOWN = 24
"""Largest number of examples on the page; the most similar ones are shown."""

_BLOCKS = 28
"""Largest number of blocks per side of a heat map."""

_MATTERS = 0.005
"""Smallest influence of an example that the text mentions."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667085; --page: #fbfaf7; --card: #fff; --line: #e3e0d8;
  --for: #1b7f5c; --against: #b4442c; --accent: #2f5fb3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #9aa3b2; --page: #15181d; --card: #1e2229;
  --line: #333944; --for: #4fc396; --against: #ee8166; --accent: #84aaf2; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { max-width: 60rem; margin: auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); font-size: .92rem; }
img { image-rendering: pixelated; background: #000; border-radius: 6px; display: block; }
.top { display: flex; gap: 1.5rem; flex-wrap: wrap; align-items: flex-start; }
.asked { font-size: 1.25rem; margin: 0; max-width: 22rem; } .asked span { border-radius: 4px; padding: 0 .15em; }
.top > div { flex: 1 1 20rem; } .pictures { display: flex; gap: 1rem; flex: 0 0 auto !important; }
.pictures img { width: 9rem; height: 9rem; } figure { margin: 0; max-width: 9rem; }
figcaption { overflow-wrap: anywhere; font-size: .85rem; color: var(--soft); }
.bar { display: grid; grid-template-columns: minmax(5rem, 14rem) 1fr 6.5rem; gap: .7rem; align-items: center;
  margin: .25rem 0; }
.bar span:first-child { overflow-wrap: anywhere; } .bar i { display: block; height: .8rem; border-radius: 4px;
  background: var(--accent); min-width: 2px; } .bar b { text-align: right; font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem;
  font-size: .88rem; }
.card img { width: 100%; aspect-ratio: 1; height: auto; } .card b { overflow-wrap: anywhere; }
.for { color: var(--for); } .against { color: var(--against); }
svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .edge { stroke: var(--line); }
"""


def page(why: Explanation, classifier: Classifier, item: Item, heat: np.ndarray | None = None) -> str:
    """Return an explanation as an HTML page.

    Args:
        why: Explanation of the answer to ``item``.
        classifier: Classifier that answered.
        item: The input.
        heat: Support of each pixel for the answer, (height, width); the patches of the explanation if None.
    """
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Why {escape(why.label)}?</title><style>{_STYLE}</style></head><body><main>
<div class="top"><div>
<h1>{_headline(why)}</h1>
{"".join(f"<p>{line}</p>" for line in _story(why, [_name(classifier, each) for each in classifier.items]))}
</div><div class="pictures">{_asked(why, classifier, item, heat)}</div></div>
<h2>How sure it is</h2>{_bars(why)}
<h2>What it learned from</h2>
<p class="soft">{_shares(why)}</p>
<div class="grid">{_examples(why, classifier)}</div>
<h2>Map of the examples</h2>
<p class="soft">Each dot is an example, the ring is this {classifier.inputs.noun}. Inputs that the classifier finds
similar are close together. The map has only two dimensions, so its distances are approximate.</p>
{_map(why)}
{_descent(why)}
</main></body></html>
"""


def _name(classifier: Classifier, item: Item) -> str:
    """Return an item as text of at most 80 characters."""
    text = classifier.inputs.caption(item)
    return escape(text if len(text) <= 80 else f"{text[:79]}…")


def _headline(why: Explanation) -> str:
    sure = why.probabilities.max()
    words = "This is" if sure >= 0.95 else "This looks like" if sure >= 0.7 else "This may be"
    return f"{words} <em>{escape(why.label)}</em> ({_percent(sure)} sure)"


def _story(why: Explanation, names: list[str]) -> list[str]:
    order = (-why.probabilities).argsort(kind="stable")
    lines = []
    if len(order) > 1:
        second = order[1]
        lines.append(f"The next best guess is {escape(why.labels[second])} ({_percent(why.probabilities[second])}).")
    helpful = [i for i in why.supporting if why.label_of[i] == why.label and why.influence[i] > _MATTERS]
    if not helpful:
        lines.append("No single example decides: if any one of them were left out, the answer would be the same.")
    else:
        i = int(helpful[0])
        if why.without[i] == why.label:
            less = _percent(why.probabilities.max() - why.influence[i])
            lines.append(f"It depends most on “{names[i]}”: without this example, it would be {less} sure.")
        else:
            lines.append(
                f"It depends on “{names[i]}”: without this example, the answer would be {escape(why.without[i])}."
            )
    if len(why.misleading) and -why.influence[why.misleading[0]] > _MATTERS:
        i = int(why.misleading[0])
        more = _percent(why.probabilities.max() - why.influence[i])
        lines.append(
            f"“{names[i]}”, an example of {escape(why.label_of[i])}, opposes it most: without this example, the answer "
            f"would be {more} sure."
        )
    i = int(why.nearest[0])
    lines.append(f"The most similar example is “{names[i]}”, of {escape(why.label_of[i])}.")
    return lines


def _shares(why: Explanation) -> str:
    influence = "“Influence”: how much less sure the answer would be without that example; below 0, it opposes it."
    if why.contributions is None:
        return influence
    return influence + " “Score”: its exact part of the score of its label; the label with the highest score wins."


def _asked(why: Explanation, classifier: Classifier, item: Item, heat: np.ndarray | None) -> str:
    """Return the input as HTML: a picture beside its heat map, or words coloured by their importance."""
    picture = classifier.inputs.picture(item)
    if picture is None:
        return f"<p class=asked>{_coloured(why.parts, classifier.inputs.caption(item))}</p>"
    figures = [(picture, _name(classifier, item))]
    caption = f"green supports {escape(why.label)}, red opposes it"
    if heat is not None:
        figures.append((_heated(classifier.inputs.seen(item).x[0].numpy(), _coarse(heat)), caption))
    elif (patches := heat_map(why, picture)) is not None:
        figures.append((patches, caption))
    return "".join(
        f'<figure><img src="{_address(content)}" alt=""><figcaption>{words}</figcaption></figure>'
        for content, words in figures
    )


def _coarse(heat: np.ndarray) -> np.ndarray:
    """Return the means of a large heat map over at most 28 by 28 blocks: single pixels of a photograph are noise."""
    rows, columns = (np.arange(n) * min(n, _BLOCKS) // n for n in heat.shape)
    sums = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(sums, (rows[:, None], columns), heat)
    counts: np.ndarray = np.bincount(rows)[:, None] * np.bincount(columns)
    means: np.ndarray = sums / counts
    return means


def heat_map(why: Explanation, picture: bytes) -> bytes | None:
    """Return a picture under the influence of its patches, as a PNG file: green supports the answer, red opposes it.

    Args:
        why: Explanation of the answer to the picture.
        picture: The picture as a PNG file.

    Returns:
        None if the explanation has no patches.
    """
    if not why.parts:
        return None
    side = math.isqrt(len(why.parts))
    patches = np.array([share for _, share in why.parts]).reshape(side, side)
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).transpose(2, 0, 1)
    return _heated(pixels, patches)


def _coloured(parts: list[tuple[str, float]], text: str) -> str:
    """Return words or columns, each coloured by its importance; the plain text if there are no parts."""
    if not parts:
        return escape(text)
    most = max(abs(share) for _, share in parts) or 1
    return " ".join(
        f'<span style="background:color-mix(in srgb, var(--{"for" if share > 0 else "against"}) '
        f'{45 * abs(share) / most:.0f}%, transparent)" title="{100 * share:+.1f} %">{escape(part)}</span>'
        for part, share in parts
    )


def _bars(why: Explanation) -> str:
    rows = []
    for i in (-why.probabilities).argsort(kind="stable")[:10]:
        p = float(why.probabilities[i])
        bar = f'<i style="width:{100 * p:.1f}%"></i>'
        rows.append(f'<div class="bar"><span>{escape(why.labels[i])}</span>{bar}<b>{_percent(p)}</b></div>')
    return "".join(rows)


def _examples(why: Explanation, classifier: Classifier) -> str:
    cards = []
    for i in why.nearest[:_SHOWN]:
        item = classifier.items[int(i)]
        content = classifier.inputs.picture(item)
        picture = "" if content is None else f'<img src="{_address(content)}" alt="">'
        share = 100 * float(why.influence[i])
        kind = "for" if share >= 0 else "against"
        score = "" if why.contributions is None else f"<br>score {why.contributions[i]:.2f}"
        changed = "" if why.without[i] == why.label else f"<br>without it: {escape(why.without[i])}"
        cards.append(
            f'<div class="card">{picture}<b>{escape(why.label_of[i])}</b><br>{_name(classifier, item)}'
            f'<br><span class="{kind}">influence {share:+.1f} %</span>{score}{changed}</div>'
        )
    left = len(why.influence) - len(cards)
    return "".join(cards) + (f'<p class="soft">and {left} less similar</p>' if left > 0 else "")


def _map(why: Explanation) -> str:
    at = why.places - why.places.mean(0)
    at = 300 + 250 * at / max(float(np.abs(at).max()), 1e-12) * np.array([1.0, -1.0])
    hue = {label: 360 * i / len(why.labels) for i, label in enumerate(why.labels)}
    dots = [
        f'<circle cx="{px:.1f}" cy="{py:.1f}" r="7" fill="hsl({hue[label]:.0f} 60% 50%)">'
        f"<title>{i + 1}. {escape(label)}</title></circle>"
        for i, ((px, py), label) in enumerate(zip(at[:-1], why.label_of, strict=True))
    ]
    named: set[str] = set()
    for (px, py), label in zip(at[:-1], why.label_of, strict=True):
        if label not in named:
            named.add(label)
            dots.append(f'<text x="{px + 10:.1f}" y="{py + 4:.1f}">{escape(label[:24])}</text>')
    px, py = at[-1]
    ring = f'<circle cx="{px:.1f}" cy="{py:.1f}" r="11" fill="none" stroke="var(--ink)" stroke-width="3"/>'
    return f'<svg viewBox="0 0 680 600" role="img" aria-label="map of the examples">{"".join(dots)}{ring}</svg>'


def _descent(why: Explanation) -> str:
    if why.descent is None:
        return ""
    steps = "".join(
        f'<div class="bar"><span>step {step}: error {loss:.2f}</span><i style="width:{100 * p:.1f}%"></i>'
        f"<b>{_percent(p)}</b></div>"
        for step, (loss, p) in enumerate(why.descent)
    )
    return f"<h2>How it learned</h2><p class=soft>How sure of the answer it was after each step.</p>{steps}"


def _percent(p: float) -> str:
    return f"{100 * p:.0f} %" if 0.01 <= p <= 0.99 else "under 1 %" if p < 0.01 else "over 99 %"


def _heated(x: np.ndarray, heat: np.ndarray) -> bytes:
    """Return an image (channels, height, width) under a heat map of any size, as a PNG file."""
    levels = x if x.dtype == np.uint8 else np.clip(255 * x, 0, 255).astype(np.uint8)
    grey = np.broadcast_to(levels, (3, *levels.shape[1:])).transpose(1, 2, 0)
    rows, columns = (np.arange(n) * m // n for n, m in zip(grey.shape, heat.shape, strict=False))
    share = heat[rows][:, columns, None]
    strength = np.abs(share) / max(float(np.abs(share).max()), 1e-12)
    colour = np.where(share > 0, [40, 200, 130], [235, 90, 60])
    return png(Image.fromarray((0.55 * grey * (1 - strength) + colour * strength).astype(np.uint8)))


def _address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
