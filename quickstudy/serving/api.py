"""Routes of the API."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath

from quickstudy.classify.check import next_examples
from quickstudy.classify.classifier import Classifier
from quickstudy.classify.edit import learned, relabelled, renamed, with_more, without
from quickstudy.errors import DataError, QuickstudyError
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Item
from quickstudy.models.folder import ModelFolder
from quickstudy.serving import shapes, views
from quickstudy.serving.bodies import body_of, items_of, labelled
from quickstudy.serving.limits import Limits, Refused
from quickstudy.serving.metrics import Metrics
from quickstudy.serving.store import NAME, Held, Store
from quickstudy.serving.work import Work
from quickstudy.sharing.onnx import export

Name = Annotated[str, InPath(pattern=NAME, description="Name of a classifier.")]
Label = Annotated[str, InPath(max_length=200, description="Label of a class.")]
Id = Annotated[str, InPath(max_length=40, description="Identifier of an example.")]


def _takes(shape: type[shapes.Shape]) -> dict[str, Any]:
    """Return the description of a body: JSON, or a form with files."""
    form: dict[str, Any] = {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}
    if "examples" in shape.model_fields:
        form["labels"] = {"type": "array", "items": {"type": "string"}}
    form |= shapes.fields(shape)
    content = {
        "application/json": {"schema": shape.model_json_schema(ref_template="#/components/schemas/{model}")},
        "multipart/form-data": {"schema": {"type": "object", "properties": form, "required": ["files"]}},
    }
    return {"requestBody": {"required": True, "content": content}}


def routes(store: Store, work: Work, metrics: Metrics, limits: Limits) -> APIRouter:
    """Return the routes below ``/v1``."""
    api = APIRouter(
        prefix="/v1/classifiers",
        responses={status: {"model": shapes.Problem} for status in (404, 409, 413, 415, 422)},
    )

    def state(name: str, held: Held, notes: list[str]) -> dict[str, Any]:
        return {**views.state(name, held, store.n_undo(name)), "warnings": notes}

    @api.get("")
    async def classifiers() -> dict[str, Any]:
        """List the classifiers."""

        def listed() -> list[dict[str, Any]]:
            return [_entry(store, name) for name in store.names()]

        return {"classifiers": (await work.answer(listed))[0]}

    @api.post("", status_code=201, openapi_extra=_takes(shapes.NewClassifier))
    async def create(request: Request) -> dict[str, Any]:
        """Make a classifier of examples of at least two classes."""
        body, files = await body_of(request, shapes.NewClassifier, limits)

        def make() -> tuple[str, Held]:
            pairs = labelled(body.examples, files, limits)
            kind = None if body.kind is None else INPUTS[shapes.KINDS[body.kind]]
            _check_nouns([item for item, _ in pairs], None if kind is None else kind.noun)
            return store.create(body.name, learned(pairs, kind))

        (name, held), notes = await work.learn(make)
        metrics.examples.inc(len(body.examples))
        return state(name, held, notes)

    @api.get("/{name}.zip", response_class=Response)
    async def save(name: Name) -> Response:
        """Save a classifier as a .zip file of its folder."""
        content, _ = await work.learn(lambda: store.archive(name))
        return _file(content, "application/zip", f"{name}.zip")

    @api.put(
        "/{name}.zip",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def open_(name: Name, request: Request) -> dict[str, Any]:
        """Open a classifier from a .zip file, under a name."""
        content = await request.body()
        held, notes = await work.learn(lambda: store.open(name, content))
        return state(name, held, notes)

    @api.get("/{name}.onnx", response_class=Response)
    async def onnx(name: Name) -> Response:
        """Export a classifier as ONNX."""

        def write() -> bytes:
            handle, path = tempfile.mkstemp(suffix=".onnx")
            os.close(handle)
            try:
                export(store.load(name).classifier, path)
                return Path(path).read_bytes()
            finally:
                os.unlink(path)

        content, _ = await work.learn(write)
        return _file(content, "application/octet-stream", f"{name}.onnx")

    @api.get("/{name}")
    async def about(name: Name, check: bool = True) -> dict[str, Any]:
        """Return labels, counts, and what is wrong with the examples."""

        def look() -> tuple[Held, dict[str, Any]]:
            held = store.load(name)
            return held, {"check": views.checked(held)} if check else {}

        (held, report), notes = await (work.learn(look) if check else work.answer(look))
        return {**state(name, held, notes), **report}

    @api.delete("/{name}")
    async def delete(name: Name) -> dict[str, Any]:
        """Delete a classifier; undo restores it."""
        await work.learn(lambda: store.delete(name))
        return {"name": name, "deleted": True}

    @api.post("/{name}/undo")
    async def undo(name: Name) -> dict[str, Any]:
        """Restore a classifier as it was before the last change."""
        held, notes = await work.learn(lambda: store.undo(name))
        return state(name, held, notes)

    @api.get("/{name}/examples")
    async def examples(name: Name) -> dict[str, Any]:
        """List the examples."""
        result, _ = await work.answer(lambda: views.examples(store.load(name)))
        return {"examples": result}

    @api.post("/{name}/examples", openapi_extra=_takes(shapes.NewExamples))
    async def learn(name: Name, request: Request) -> dict[str, Any]:
        """Learn more examples, of known or new labels; a wrong answer is corrected by its input with the right one."""
        body, files = await body_of(request, shapes.NewExamples, limits)

        def more(held: Held) -> Classifier:
            pairs = labelled(body.examples, files, limits, 1 + len(held.ids))
            _check_nouns([item for item, _ in pairs], held.classifier.inputs.noun)
            return with_more(held.classifier, pairs)

        held, notes = await work.learn(lambda: store.change(name, more))
        metrics.examples.inc(len(body.examples))
        return state(name, held, notes)

    @api.get("/{name}/examples/{id}/picture", response_class=Response)
    async def picture(name: Name, id: Id) -> Response:
        """Return the picture of an example."""

        def draw() -> bytes:
            held = store.load(name)
            item = held.classifier.items[views.row_of(held, id)]
            content = held.classifier.inputs.picture(item)
            if content is None:
                raise DataError(f"{held.classifier.inputs.noun}s have no picture; their caption describes them")
            return content

        content, _ = await work.answer(draw)
        return Response(content, media_type="image/png")

    @api.patch("/{name}/examples/{id}", openapi_extra=_takes_json(shapes.Relabel))
    async def relabel(name: Name, id: Id, request: Request) -> dict[str, Any]:
        """Give an example another label."""
        body, _ = await body_of(request, shapes.Relabel, limits)
        held, notes = await work.learn(
            lambda: store.change(name, lambda h: relabelled(h.classifier, views.row_of(h, id), body.label))
        )
        return state(name, held, notes)

    @api.delete("/{name}/examples/{id}")
    async def drop(name: Name, id: Id) -> dict[str, Any]:
        """Forget an example."""
        held, notes = await work.learn(
            lambda: store.change(name, lambda h: without(h.classifier, [views.row_of(h, id)]))
        )
        return state(name, held, notes)

    @api.patch("/{name}/labels/{label:path}", openapi_extra=_takes_json(shapes.Relabel))
    async def rename(name: Name, label: Label, request: Request) -> dict[str, Any]:
        """Give a class another label; the label of another class joins the two."""
        body, _ = await body_of(request, shapes.Relabel, limits)
        held, notes = await work.learn(lambda: store.change(name, lambda h: renamed(h.classifier, label, body.label)))
        return state(name, held, notes)

    @api.delete("/{name}/labels/{label:path}")
    async def forget(name: Name, label: Label) -> dict[str, Any]:
        """Forget a class with all its examples."""
        held, notes = await work.learn(lambda: store.change(name, lambda h: h.classifier.forget(label)))
        return state(name, held, notes)

    @api.post("/{name}/predict", openapi_extra=_takes(shapes.Question))
    async def predict(name: Name, request: Request) -> dict[str, Any]:
        """Answer inputs."""
        body, files = await body_of(request, shapes.Question, limits)
        if len(body.inputs) > limits.inputs:
            raise Refused(413, f"{len(body.inputs)} inputs, at most {limits.inputs} are answered at once; send several")

        def answer(questions: Sequence[tuple[shapes.Question, list[bytes]]]) -> list[dict[str, Any]]:
            held = store.load(name)
            if len(questions) > 1 and views.mixes(held.classifier):
                return [each for question in questions for each in answer([question])]
            items = [item for question, files in questions for item in items_of(question.inputs, files, limits)]
            _check_nouns(items, held.classifier.inputs.noun)
            whole = {**views.answers(held.classifier, items, body), "version": held.version}
            return [whole] if len(questions) == 1 else [{**whole, "answers": [one]} for one in whole["answers"]]

        # Several questions of one input each may be answered in one batch.
        settings = (name, body.coverage, body.false_alarms, body.rest_on)
        key = settings if len(body.inputs) == 1 and not body.skip_bad else object()
        result, notes = await work.answer_together(key, (body, files), answer, request)
        metrics.answers.inc(len(result["answers"]))
        return {**result, "warnings": notes}

    @api.post("/{name}/explain", openapi_extra=_takes(shapes.Why))
    async def explain(name: Name, request: Request) -> dict[str, Any]:
        """Explain the answer to one input: examples, parts, and a heat map of a picture."""
        body, files = await body_of(request, shapes.Why, limits)

        def reasons() -> dict[str, Any]:
            held = store.load(name)
            (item,) = items_of([body.input], files, limits)
            _check_nouns([item], held.classifier.inputs.noun)
            return {**views.explained(held, item, limits), "version": held.version}

        result, notes = await work.learn(reasons, request)
        return {**result, "warnings": notes}

    @api.post("/{name}/next", openapi_extra=_takes(shapes.Pool))
    async def label_next(name: Name, request: Request) -> dict[str, Any]:
        """Return which of some inputs without labels to label next, by their numbers from 0."""
        body, files = await body_of(request, shapes.Pool, limits)

        def choose() -> dict[str, Any]:
            held = store.load(name)
            items = items_of(body.inputs, files, limits)
            _check_nouns(items, held.classifier.inputs.noun)
            numbered = [Item(str(i), item.value) for i, item in enumerate(items)]
            names, unreadable = next_examples(held.classifier, numbered, body.n)
            return {"label_next": [int(each) for each in names], "unreadable": unreadable}

        result, notes = await work.learn(choose, request)
        return {**result, "warnings": notes}

    return api


def _takes_json(shape: type[shapes.Shape]) -> dict[str, Any]:
    extra = _takes(shape)
    del extra["requestBody"]["content"]["multipart/form-data"]
    return extra


def _entry(store: Store, name: str) -> dict[str, Any]:
    """Return the name, kind and labels of a classifier; one that is damaged has an error."""
    try:
        model = ModelFolder(store.root / name)
        kind = "arrays" if model.inputs is None else views.kind_of(model.inputs)
        return {"name": name, "kind": kind, "labels": list(model.labels or ())}
    except QuickstudyError as error:
        return {"name": name, "error": str(error)}


def _check_nouns(items: list[Item], noun: str | None) -> None:
    """Refuse items of other kinds than the classifier's, or of several kinds; those that are errors have none."""
    items = [item for item in items if not isinstance(item.value, DataError)]
    nouns = ["image" if isinstance(i.value, bytes) else "text" if isinstance(i.value, str) else "row" for i in items]
    for item, given in zip(items, nouns, strict=True):
        if given != (wanted := noun or nouns[0]):
            raise DataError(f'{item.name!r} is given as {given}, but {wanted}s are needed; give "{wanted}"')


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
