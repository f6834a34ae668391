"""The mean of two files of one training, which reads unseen plates better than either.

    python -m models.second_reader.merge runs/second_reader/sixth/second_reader.onnx \\
        runs/second_reader/seventh/second_reader.onnx --out runs/second_reader/second_reader.onnx

The later stage must have begun from the earlier one (M. Wortsman et al., Model soups, 2022).
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def merge(files: list[Path], out: Path) -> Path:
    """Write the last file with the means of all numbers; raises ValueError where the files are not alike."""
    networks = [onnx.load(str(path)) for path in files]
    tables = [
        {one.name: numpy_helper.to_array(one) for one in network.graph.initializer} for network in networks
    ]
    for tensor in networks[-1].graph.initializer:
        parts = [table.get(tensor.name) for table in tables]
        shapes = {None if part is None else part.shape for part in parts}
        if len(shapes) > 1:
            raise ValueError(f"{tensor.name}: is not alike in all files")
        values = [np.asarray(part) for part in parts]
        if values[-1].dtype == np.float32:
            mean = np.mean(values, axis=0, dtype=np.float64).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(mean, tensor.name))
    onnx.save(networks[-1], str(out))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    print(merge(arguments.files, arguments.out))


if __name__ == "__main__":
    main()
