"""Convolutions with half as many products, for WebAssembly, which multiplies four numbers at a time.

Of a 3×3 kernel, four rows of the result at once come from six rows of the map: six kernels of 1×3 instead of twelve
(Winograd's F(4, 3): Lavin and Gray 2016, "Fast algorithms for convolutional neural networks"; in the direction only in
which numbers of a row stay beside each other). What is computed is the same, to the last digits. ONNX Runtime's own
kernels with wider registers are not sooner this way, so that other exports stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Fewer channels than this, in or out, are not worth the sums before and after.
LEAST = 24
#: A⊤, B⊤ and G of F(4, 3), with its points at 0, ±1, ±2 and infinity.
AFTER = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
BEFORE = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
#: From a map `(B, C, H, W)`, kernels `(O, C, 3, 3)` and biases `(O,)` to `(B, O, H - 2, W - 2)`. Kernels are changed
#: when the file is loaded, since nothing of that depends on an input. Rows beyond the last repeat it, and are cut off.
FUNCTION = """
<domain: "impasto", opset_import: ["": 18]>
rows (x, w, bias, after, before, kernel) => (y)
{
    zero = Constant <value_ints = [0]> ()
    one = Constant <value_ints = [1]> ()
    two = Constant <value_ints = [2]> ()
    three = Constant <value_ints = [3]> ()
    four = Constant <value_ints = [4]> ()
    six = Constant <value_ints = [6]> ()
    rest = Constant <value_ints = [-1]> ()
    out = Shape <start = 0, end = 1> (w)
    in = Shape <start = 1, end = 2> (w)
    w_rows = Transpose <perm = [2, 0, 1, 3]> (w)
    w_flat_shape = Concat <axis = 0> (three, rest)
    w_flat = Reshape (w_rows, w_flat_shape)
    w_changed = MatMul (kernel, w_flat)
    w_count = Mul (six, out)
    w_shape = Concat <axis = 0> (w_count, in, one, three)
    kernels = Reshape (w_changed, w_shape)

    height = Shape <start = 2, end = 3> (x)
    width = Shape <start = 3, end = 4> (x)
    high = Sub (height, two)
    wide = Sub (width, two)
    high_up = Add (high, three)
    count = Div (high_up, four)
    no = Constant <value_int = 0> ()
    step = Constant <value_int = 1> ()
    counted = Squeeze (count)
    numbers = Range (no, counted, step)
    firsts = Mul (numbers, four)
    offsets = Constant <value = int64[6, 1] {0, 1, 2, 3, 4, 5}> ()
    places = Add (firsts, offsets)
    last = Sub (height, one)
    taken = Min (places, last)
    six_rows = Gather <axis = 2> (x, taken)
    flat_shape = Concat <axis = 0> (zero, zero, six, rest)
    flat = Reshape (six_rows, flat_shape)
    changed = MatMul (before, flat)
    grouped = Transpose <perm = [0, 2, 1, 3]> (changed)
    in_count = Mul (six, in)
    map_shape = Concat <axis = 0> (zero, in_count, count, width)
    map = Reshape (grouped, map_shape)
    found = Conv <group = 6, kernel_shape = [1, 3]> (map, kernels)

    found_shape = Concat <axis = 0> (zero, six, rest)
    found_flat = Reshape (found, found_shape)
    four_rows = MatMul (after, found_flat)
    four_shape = Concat <axis = 0> (zero, four, out, count, wide)
    apart = Reshape (four_rows, four_shape)
    beside = Transpose <perm = [0, 2, 3, 1, 4]> (apart)
    whole_shape = Concat <axis = 0> (zero, out, rest, wide)
    whole = Reshape (beside, whole_shape)
    cut = Slice (whole, zero, high, two)
    bias_shape = Concat <axis = 0> (rest, one, one)
    biases = Reshape (bias, bias_shape)
    y = Add (cut, biases)
}
"""


def with_fewer_products(proto: Any) -> None:
    """Have an `onnx.ModelProto` compute its larger 3×3 convolutions by rows, in place."""
    from onnx import helper, numpy_helper, parser

    shapes = {i.name: tuple(i.dims) for i in proto.graph.initializer}
    matrices = {"rows.after": AFTER, "rows.before": BEFORE, "rows.kernel": KERNEL}
    changed = [node for node in proto.graph.node if _fits(node, shapes)]
    for node in changed:
        given, made = [*node.input, *matrices], list(node.output)
        node.CopyFrom(helper.make_node("rows", given, made, node.name, domain="impasto"))
    if changed:
        values = {name: np.array(matrix, np.float32) for name, matrix in matrices.items()}
        proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
        proto.functions.append(parser.parse_function(FUNCTION))
        proto.opset_import.append(helper.make_opsetid("impasto", 1))


def _fits(node: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether it is a convolution of 3×3 with a bias, at every position and without borders, of enough channels."""
    from onnx import helper

    if node.op_type != "Conv" or len(node.input) < 3:
        return False
    about = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    shape = shapes.get(node.input[1], (0,))
    plain = set(about.get("strides", [1]) + about.get("dilations", [1])) == {1} and about.get("group", 1) == 1
    bare = not any(about.get("pads", [])) and about.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    return plain and bare and shape[2:] == (3, 3) and min(shape[:2]) >= LEAST
