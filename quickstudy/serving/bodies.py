"""Bodies of requests: JSON, or a form with files, converted to items."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from quickstudy.errors import DataError, one_line
from quickstudy.inputs.base import Item
from quickstudy.inputs.decode import decoded
from quickstudy.serving.limits import Limits, Refused
from quickstudy.serving.shapes import Example, Input

S = TypeVar("S", bound=BaseModel)


async def body_of(request: Request, shape: type[S], limits: Limits) -> tuple[S, list[bytes]]:
    """Return the body of a request in its shape, and the content of each uploaded file.

    The examples or inputs of a form are its files, in their order. Each has its label in the field ``labels``. Without
    labels, the folder of a file's name is its label. Other fields are those of the JSON.

    Raises:
        Refused: The body is too large, or neither JSON nor a form.
        DataError: The body has another shape.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _validated(shape, await request.body()), []
    if kind != "multipart/form-data":
        raise Refused(415, f"the body is {one_line(kind) or 'of no type'}; send application/json or a multipart form")
    try:
        form = await request.form(max_files=limits.files, max_fields=limits.files + 10)
    except HTTPException as error:
        raise Refused(413 if "aximum" in error.detail else 422, error.detail) from None
    try:
        return await _of_form(form, shape)
    finally:
        await form.close()


async def _of_form(form: FormData, shape: type[S]) -> tuple[S, list[bytes]]:
    uploads = [value for value in form.getlist("files") if isinstance(value, UploadFile)]
    labels = form.getlist("labels")
    fields: dict[str, Any] = {
        name: value for name, value in form.multi_items() if isinstance(value, str) and name not in ("labels", "files")
    }
    entries: list[dict[str, Any]] = []
    for i, upload in enumerate(uploads):
        folder, _, name = (upload.filename or "").replace("\\", "/").rpartition("/")
        entries.append({"image": "", "name": name[:200] or None})
        if "examples" in shape.model_fields:
            if labels and len(labels) != len(uploads):
                raise DataError(f"{len(uploads)} files but {len(labels)} labels; give one label per file, in order")
            entries[-1]["label"] = labels[i] if labels else folder.rpartition("/")[2]
    if "input" in shape.model_fields:
        if len(entries) != 1:
            raise DataError(f"{len(entries)} files, but one is explained; give one file")
        fields["input"] = entries[0]
    else:
        fields["examples" if "examples" in shape.model_fields else "inputs"] = entries
    return _validated(shape, fields), [await upload.read() for upload in uploads]


def _validated(shape: type[S], content: bytes | dict[str, Any]) -> S:
    try:
        return shape.model_validate_json(content) if isinstance(content, bytes) else shape.model_validate(content)
    except ValidationError as error:
        raise DataError(fault_of(error.errors(include_url=False, include_input=False))) from None


def fault_of(errors: Sequence[Any]) -> str:
    """Return the first of pydantic's errors as one line."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return one_line(f"{place}: {first['msg']}{more}", most=300)


def items_of(inputs: Sequence[Input], files: Sequence[bytes], limits: Limits, first: int = 1) -> list[Item]:
    """Return inputs as items. The value of one that is empty, or not base64, is its error, which ``encode`` raises.

    Args:
        inputs: Inputs of a request.
        files: Content of each uploaded file; empty if the inputs hold their content.
        limits: Limits of sizes.
        first: Number of the first input in names.

    Raises:
        Refused: There are too many inputs, pixels or characters.
    """
    if len(inputs) > limits.files:
        raise Refused(413, f"{len(inputs)} inputs, at most {limits.files} are allowed in a request; send several")
    items, pixels, characters = [], 0, 0
    for i, each in enumerate(inputs):
        if each.text is not None:
            characters += len(each.text)
            item = Item(each.name or (each.text if each.text.strip() else f"text {first + i}"), each.text)
        elif each.row is not None:
            item = Item(each.name or f"row {first + i}", dict(each.row))
        else:
            name = each.name or f"image {first + i}"
            item = Item(name, files[i] if files else _decoded(name, each.image or ""))
            with contextlib.suppress(DataError):  # who uses the item says what is wrong
                pixels += decoded(item, lambda image: image.width * image.height)
        items.append(
            item if item.value else Item(item.name, DataError(f"{item.name} is empty; fill it or leave it out"))
        )
    for what, n in (("pixels", pixels), ("characters", characters)):
        if n > (most := getattr(limits, what)):
            raise Refused(413, f"{n} {what}, at most {most} are allowed in a request; send several")
    return items


def labelled(examples: Sequence[Example], files: Sequence[bytes], limits: Limits, first: int = 1) -> list[Any]:
    """Return examples as items with their labels.

    Raises:
        Refused: There are too many inputs, pixels or characters.
        DataError: An example is empty, or not base64.
    """
    items = items_of(examples, files, limits, first)
    for item in items:
        if isinstance(item.value, DataError):
            raise item.value
    return [(item, example.label) for item, example in zip(items, examples, strict=True)]


def _decoded(name: str, text: str) -> bytes | DataError:
    """Return the content of a file in base64, or in a data URL; an error if it is neither."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return DataError(f"{name} is not base64; encode the file")
