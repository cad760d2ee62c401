"""Image files by class, for sources whose classes are listed in a table or by name: read, encoded once and cached."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset, encoded
from quickstudy.inputs.images import Images

Classes = dict[str, list[Path]]
"""Image files of each class."""
_VERSION = 1  # version of the prepared images; increase it when their preparation changes


def read_pictures(source: str, classes: Classes, images: Images) -> ClassDataset:
    """Return the encoded images of some classes, sorted by class; from the cache if no file changed since.

    Args:
        source: Name of the source, for the name of the file in the cache.
        classes: Image files of each class.
        images: Inputs that encode every image.

    Raises:
        DataError: An image cannot be read.

    >>> read_pictures("none", {}, Images()).n_classes
    0
    """

    def prepare() -> ClassDataset:
        data = encoded(images, [(Item(str(path), path), label) for label, paths in classes.items() for path in paths])
        return ClassDataset(data.x, data.y, data.names)

    listing = [
        (label, str(file.absolute()), (stat := file.stat()).st_size, stat.st_mtime_ns)
        for label, files in classes.items()
        for file in files
    ]
    key = hashlib.sha256(repr((images.size, listing)).encode()).hexdigest()[:32]
    return prepared(f"{source}-{_VERSION}-{key}", prepare)


def read_table(
    path: Path, folder: Path, columns: tuple[str, str], seen: dict[str, str]
) -> tuple[Classes, dict[str, str]]:
    """Return the image files of each label in a CSV file, and the row in which each label comes first.

    Args:
        path: CSV file, or a file of columns that are separated by tabs.
        folder: Folder of the images.
        columns: Names of the columns of file names and of labels.
        seen: Row of each image's name that was read before; those of this table are added.

    Raises:
        DataError: The table is damaged, or a row names an image that is missing or was named before.
    """
    name_column, label_column = columns
    classes: Classes = {}
    rows: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            tabs = "\t" in file.readline(2**16)
            file.seek(0)
            reader = csv.DictReader(file, delimiter="\t" if tabs else ",")
            absent = [column for column in columns if column not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f"{str(path)!r} row 1 has no column {absent[0]!r}; it needs {','.join(columns)}")
            for line in reader:
                row = f"{str(path)!r} row {reader.line_num}"
                name, label = line[name_column], line[label_column]
                if not name or not label:
                    raise DataError(f"{row} has no {label_column if name else name_column}; complete or remove it")
                if name in seen:
                    raise DataError(f"{row}: image {name!r} is also in {seen[name]}; remove one of the two rows")
                picture = folder / name
                outside = Path(name).is_absolute() or ".." in Path(name).parts
                if outside or not picture.is_file():
                    raise DataError(f"{row}: image {name!r} is not in {str(folder)!r}; put it there")
                seen[name] = row
                rows.setdefault(label, row)
                classes.setdefault(label, []).append(picture)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read as a table ({error}); replace it") from error
    if not classes:
        raise DataError(f"{str(path)!r} has no rows below its header; replace it")
    return classes, rows
