# SPDX-License-Identifier: MIT
"""Reading of path files and data, from the formats alone (docs/run_directory.md, docs/data.md)."""
import gzip
import hashlib
import json
import math
import os
import pathlib
import struct


class Stop(Exception):
    """Ends the program with an exit code and one line on standard error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def usage(message):
    return Stop(64, message)


def malformed(message):
    return Stop(65, message)


def read_bytes(path):
    try:
        return pathlib.Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Stop(66, f"{path}: no such file") from None
    except OSError as error:
        raise Stop(66, f"{path}: {error.strerror}") from None


def parse_json(text, name):
    def refuse(constant):
        raise ValueError(f"found {constant}, which is no JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise malformed(f"{name}: not valid JSON: {error}") from None


def field(record, key, kinds, where):
    """record[key], which has to be of one of the kinds (a type or several)."""
    if not isinstance(record, dict) or key not in record:
        raise malformed(f"{where}: expected a field '{key}'")
    value = record[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise malformed(f"{where}: {key}: unexpected value {json.dumps(value)[:60]}")
    return value


def number(record, key, where):
    value = field(record, key, (int, float), where)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise malformed(f"{where}: {key}: expected a finite number")
    return value


def read_path(file):
    """Metadata (texts) and beads of a path file: a list of M lists of P floats. Metadata that are JSON themselves are
    parsed under their names."""
    content = read_bytes(file)
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if length == 0 or 8 + length > len(content):
        raise malformed(f"{file}: not a safetensors file, or cut off in its header")
    try:
        header = parse_json(content[8 : 8 + length].decode(), file)
    except UnicodeDecodeError:
        raise malformed(f"{file}: not a safetensors file: its header is not UTF-8") from None
    metadata = field(header, "__metadata__", dict, file)
    if metadata.get("format") != "isthmus-path-1":
        raise malformed(f"{file}: not a path of isthmus: its format is {metadata.get('format')!r}")
    theta = field(header, "theta", dict, file)
    shape = field(theta, "shape", list, file)
    if theta.get("dtype") != "F32" or len(shape) != 2 or not all(type(n) is int and n > 0 for n in shape) or shape[0] < 2:
        raise malformed(f"{file}: theta: expected float32 numbers of shape (M, P), M >= 2")
    count = shape[0] * shape[1]
    if theta.get("data_offsets") != [0, 4 * count] or len(content) != 8 + length + 4 * count:
        raise malformed(f"{file}: expected {4 * count} bytes of numbers, found {len(content) - 8 - length}")
    numbers = struct.unpack(f"<{count}f", content[8 + length :])
    if not all(map(math.isfinite, numbers)):
        raise malformed(f"{file}: theta has numbers that are not finite")
    for key in ("problem", "layout"):
        metadata[key] = parse_json(field(metadata, key, str, file), f"{file}: metadata '{key}'")
    beads = [numbers[i * shape[1] : (i + 1) * shape[1]] for i in range(shape[0])]
    return metadata, beads, hashlib.sha256(content).hexdigest()


IDX_FILES = [f"{split}-{what}-ubyte" for split in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


def read_idx(folder, name):
    """Shape and bytes of an IDX file, plain or packed."""
    plain = folder / name
    packed = folder / (name + ".gz")
    file = plain if plain.is_file() or not packed.is_file() else packed
    try:
        content = read_bytes(file) if file is plain else gzip.decompress(read_bytes(file))
    except (OSError, EOFError) as error:
        raise malformed(f"{file}: {error}") from None
    rank = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * rank or rank == 0:
        raise malformed(f"{file}: expected an IDX file of unsigned bytes")
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    if len(content) != 4 + 4 * rank + math.prod(shape) or 0 in shape:
        raise malformed(f"{file}: expected {math.prod(shape)} bytes of values, found {len(content) - 4 - 4 * rank}")
    return shape, content[4 + 4 * rank :]


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def exact_integers(numbers):
    """Floats as integers in units of 2^-bits: (integers, bits)."""
    ratios = [x.as_integer_ratio() for x in numbers]
    bits = max(denominator.bit_length() for _, denominator in ratios) - 1
    return [numerator << (bits + 1 - denominator.bit_length()) for numerator, denominator in ratios], bits


class Samples:
    """Inputs (N lists of integers in units of 2^-bits) with labels (N), or targets (N lists of ulps)."""

    def __init__(self, problem, split, data_folder):
        self.targets, self.labels = None, None
        data = field(problem, "data", str, "problem")
        if data in ("quadratic", "cubic"):
            self._generate(problem, data)
        elif data in ("mnist", "fashion-mnist"):
            self._read(self._folder(data, data_folder), split)
        else:
            raise usage(f"data '{data}' is not covered: expected quadratic, cubic, mnist or fashion-mnist")

    def _generate(self, problem, data):
        """Midpoints of [0, 1] and a polynomial, both rounded to float32, as docs/data.md defines them."""
        if field(problem, "risk", str, "problem") != "oracle":
            raise usage("empirical risk is not covered: the random test set belongs to isthmus")
        n = field(problem, "risk_points", int, "problem")
        if not 1 <= n <= 1_000_000:
            raise malformed(f"problem: risk_points: expected 1 to 1000000, found {n}")
        xs = [float32((i + 0.5) / n) for i in range(n)]
        if data == "quadratic":
            ys = [(0.5 * x + 0.25) * x + 0.1 for x in xs]
        else:
            ys = [((8.0 * x - 10.0) * x + 3.0) * x for x in xs]
        integers, self.bits = exact_integers(xs)
        self.inputs = [[x] for x in integers]
        self.features, self.outputs = 1, 1
        self.targets = [[float32(y)] for y in ys]

    @staticmethod
    def _folder(data, data_folder):
        roots = [data_folder, os.environ.get("ISTHMUS_DATA")]
        if os.environ.get("XDG_DATA_HOME") or os.environ.get("HOME"):
            own = os.environ.get("XDG_DATA_HOME") or os.path.join(os.environ["HOME"], ".local/share")
            roots.append(os.path.join(own, "isthmus"))
        folders = [pathlib.Path(root, below) for root in roots if root for below in (data, "")]
        for folder in folders + [pathlib.Path("/usr/share/datasets", data)]:
            if all(any((folder / (name + end)).is_file() for end in ("", ".gz")) for name in IDX_FILES):
                return folder
        raise Stop(66, f"data set {data}: not found; name the folder that holds {data}/ with --data DIR")

    def _read(self, folder, split):
        prefix = "train" if split == "train" else "t10k"
        shape, content = read_idx(folder, f"{prefix}-images-idx3-ubyte")
        label_shape, labels = read_idx(folder, f"{prefix}-labels-idx1-ubyte")
        if len(shape) < 2 or label_shape != shape[:1]:
            raise malformed(f"{folder}: expected one label for each of {shape[0]} images, found {label_shape}")
        # float(byte) * (1.0f / 255.0f): the product of two float32 is exact in double, rounding comes once.
        table, self.bits = exact_integers([float32(byte * float32(1 / 255)) for byte in range(256)])
        self.features, self.outputs, self.labels = math.prod(shape[1:]), 10, list(labels)
        if max(labels) >= self.outputs:
            raise malformed(f"{folder}: expected labels from 0 to 9, found {max(labels)}")
        self.inputs = [
            [table[byte] for byte in content[i * self.features : (i + 1) * self.features]] for i in range(shape[0])
        ]

    def __len__(self):
        return len(self.inputs)
