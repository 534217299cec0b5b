# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Columns of parquet files as NumPy arrays, with errors that name file and column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read_columns(
    path: str | Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, Any]:
    """Read some columns of a parquet file; nothing in it runs.

    Args:
        path: The file.
        columns: Columns that it must have.
        optional: Columns that are read where it has them.

    Returns:
        pyarrow's chunked arrays by column name.

    Raises:
        ValueError: pyarrow is missing, the file cannot be read, or lacks a column.
    """
    try:
        import pyarrow.parquet as parquet  # an extra: only users of such sets need it
    except ImportError as error:
        raise ValueError(f'{path}: reading parquet files needs "pip install pyarrow"') from error
    import pyarrow

    try:
        names = parquet.read_schema(path).names
        missing = [name for name in columns if name not in names]
        if missing:
            raise ValueError(f'{path}: expected the columns {list(columns)}, {missing} are missing')
        wanted = [*columns, *(name for name in optional if name in names)]
        table = parquet.read_table(path, columns=wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f'{path} cannot be read as parquet: {error}') from error
    return {name: table.column(name) for name in wanted}


def to_array(path: str | Path, name: str, column: Any) -> np.ndarray:
    """Numbers in lists of lists as one float64 array, the rows first.

    Args:
        path: For the error.
        name: Name of the column, for the error.
        column: pyarrow's chunked array of numbers, or of lists of any depth with one shape in all rows.

    Raises:
        ValueError: Rows are missing, differ in shape, or hold something else than numbers.
    """
    import pyarrow as arrow
    import pyarrow.compute as compute

    where = f'{path}: column {name!r}'
    values, shape = column.combine_chunks(), [len(column)]
    if isinstance(values, arrow.ChunkedArray):  # of several chunks that are too large for one
        raise ValueError(f'{where} is too large for one array; split the file')
    while (
        arrow.types.is_list(values.type)
        or arrow.types.is_large_list(values.type)
        or arrow.types.is_fixed_size_list(values.type)
    ):
        if values.null_count:
            raise ValueError(f'{where}: {values.null_count} rows are empty')
        lengths = compute.unique(compute.list_value_length(values)).to_pylist()
        if len(lengths) > 1:
            raise ValueError(f'{where}: rows of different lengths, such as {lengths[:4]}')
        shape.append(lengths[0] if lengths else 0)
        values = compute.list_flatten(values)
    if not (
        arrow.types.is_floating(values.type)
        or arrow.types.is_integer(values.type)
        or arrow.types.is_boolean(values.type)
    ):
        raise ValueError(f'{where}: expected numbers, got {column.type}')
    if values.null_count:
        raise ValueError(f'{where}: {values.null_count} values are missing')
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64).reshape(shape)
