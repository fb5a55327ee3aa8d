"""Write ONNX graphs as exporters and tools leave them: computed shapes, control flow, new types.

    python tools/make_onnx_graphs.py DIRECTORY

Writes ``models/*.onnx``, each graph with all sizes fixed, with a free batch, and with all axes free.
``tools/run_onnx_models.py`` finds out what is true of them. Needs the onnx package only.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SIZES = {"N": 2, "T": 5, "H": 8, "W": 8}

# One graph each: name, opset and other imports, text of onnx's parser. Capital letters are axes.
_GRAPHS: list[tuple[str, str, str]] = []


def graph(name: str, text: str, opset: int = 17, more: str = "") -> None:
    """Add a graph; ``more`` are further imports."""
    _GRAPHS.append((name, f'"" : {opset}{more}', text))


# -- shapes that are computed ------------------------------------------------------------------------

graph(
    "flatten_chain",
    """(float[N,4,3] x) => (float[a,b] y)
<int64[1] s0 = {0}, int64[1] e1 = {1}, int64[1] m1 = {-1}>
{ s = Shape(x) b = Slice(s, s0, e1) r = Concat<axis=0>(b, m1) y = Reshape(x, r) }""",
)
graph(
    "gather_concat_reshape",
    """(float[N,T,8] x) => (float[a,b,c,d] y)
<int64 i0 = {0}, int64 i1 = {1}, int64[1] ax = {0}, int64[1] h = {2}, int64[1] k = {4}>
{ s = Shape(x) n = Gather(s, i0) t = Gather(s, i1) nu = Unsqueeze(n, ax) tu = Unsqueeze(t, ax)
  r = Concat<axis=0>(nu, tu, h, k) z = Reshape(x, r) y = Transpose<perm=[0,2,1,3]>(z) }""",
)
graph(
    "shape_attributes",
    """(float[N,T,8] x) => (float[a,b] y)
<int64[1] m1 = {-1}>
{ s = Shape<start=0, end=1>(x) r = Concat<axis=0>(s, m1) y = Reshape(x, r) }""",
)
graph(
    "prod_of_shape",
    """(float[N,T,8] x) => (float[a,b] y)
<int64[1] i = {8}>
{ s = Shape<start=0, end=2>(x) p = ReduceProd<axes=[0], keepdims=1>(s) r = Concat<axis=0>(p, i)
  y = Reshape(x, r) }""",
)
graph(
    "expand_where",
    """(float[1,8] x, float[N,3] z) => (float[a,b] y)
<int64[2] want = {-1, 8}, int64[2] neg = {-1, -1}, int64[2] ones = {1, 1}, int64 i0 = {0}, int64[1] ax = {0}, int64[1] eight = {8}>
{ s = Shape(z) n = Gather(s, i0) nu = Unsqueeze(n, ax) t = Concat<axis=0>(nu, eight)
  e = Equal(want, neg) w = Where(e, ones, t) y = Expand(x, w) }""",
)
graph(
    "range_positions",
    """(int64[N,T] x) => (int64[a,b] y)
<int64 i1 = {1}, int64 z = {0}, int64 o = {1}, int64[1] ax = {0}>
{ s = Shape(x) t = Gather(s, i1) r = Range(z, t, o) ru = Unsqueeze(r, ax) y = Add(x, ru) }""",
)
graph(
    "range_of_data",
    """(int64 n) => (int64[a] y)
<int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }""",
)
graph(
    "range_of_max",
    """(int64[N] n) => (int64[a] y)
<int64 z = {0}, int64 o = {1}> { m = ReduceMax<keepdims=0>(n) y = Range(z, m, o) }""",
)
graph(
    "sequence_mask",
    """(int64[N] n, float[N,6] x) => (float[a,b] y)
<int64 z = {0}, int64 o = {1}, int64 i1 = {1}, int64[1] ax = {1}>
{ s = Shape(x) t = Gather(s, i1) r = Range(z, t, o) u = Unsqueeze(n, ax) l = Less(r, u)
  c = Cast<to=1>(l) y = Mul(x, c) }""",
)
graph(
    "sequence_mask_max",
    """(int64[N] n) => (float[a,b] y)
<int64 z = {0}, int64 o = {1}, int64[1] ax = {1}>
{ t = ReduceMax<keepdims=0>(n) r = Range(z, t, o) u = Unsqueeze(n, ax) l = Less(r, u)
  y = Cast<to=1>(l) }""",
)
graph(
    "tile_by_shape",
    """(float[1,T] x, float[N,3] z) => (float[a,b] y)
<int64[1] one = {1}> { n = Shape<start=0, end=1>(z) r = Concat<axis=0>(n, one) y = Tile(x, r) }""",
)
graph("tile_by_data", """(float[N,3] x, int64[2] r) => (float[a,b] y) { y = Tile(x, r) }""")
graph(
    "filled_by_shape",
    """(float[N,T] x) => (float[a,b] y)
{ s = Shape(x) z = ConstantOfShape<value=float[1] {2.0}>(s) y = Add(x, z) }""",
)
graph("filled_by_data", """(int64[2] s) => (float[a,b] y) { y = ConstantOfShape(s) }""")
graph(
    "filled_nonzero",
    """(float[N,T] x) => (int64[a,b] y)
{ s = Shape(x) z = ConstantOfShape<value=int64[1] {1}>(s) y = NonZero(z) }""",
)
graph(
    "fixed_nonzero",
    """(float[N,4] x) => (float[a,b] y)
<float[4] m = {0.0, 1.0, 1.0, 0.0}, int64[1] ax = {0}>
{ n = NonZero(m) q = Squeeze(n, ax) y = Gather<axis=1>(x, q) }""",
)
graph(
    "fixed_triangle_nonzero",
    """(float[N,4] x) => (float[a,b] y)
<float[2,2] m = {1.0, 2.0, 3.0, 4.0}, int64[1] ax = {0}, int64[1] z = {0}, int64[1] o = {1}>
{ t = Trilu<upper=1>(m) n = NonZero(t) r = Slice(n, z, o) q = Squeeze(r, ax)
  y = Gather<axis=1>(x, q) }""",
    16,
)
graph(
    "one_hot",
    """(int64[N,T] x) => (float[a,b,c] y)
<int64 d = {7}, float[2] v = {0.0, 1.0}> { y = OneHot(x, d, v) }""",
)
graph(
    "one_hot_of_shape",
    """(int64[N,T] x) => (float[a,b,c] y)
<int64 i = {1}, float[2] v = {0.0, 1.0}> { s = Shape(x) d = Gather(s, i) y = OneHot(x, d, v) }""",
)
graph(
    "one_hot_of_max",
    """(int64[N,T] x) => (float[a,b,c] y)
<int64 o = {1}, float[2] v = {0.0, 1.0}>
{ m = ReduceMax<keepdims=0>(x) d = Add(m, o) y = OneHot(x, d, v) }""",
)
graph(
    "slice_by_data",
    """(float[N,12] x, int64[1] e) => (float[a,b] y)
<int64[1] z = {0}, int64[1] ax = {1}> { y = Slice(x, z, e, ax) }""",
)
graph(
    "slice_by_shape",
    """(float[N,T] x, float[N,3] z) => (float[a,b] y)
<int64[1] st = {0}, int64[1] ax = {1}> { e = Shape<start=1, end=2>(z) y = Slice(x, st, e, ax) }""",
)
graph(
    "slice_half",
    """(float[N,T] x) => (float[a,b] y)
<int64[1] st = {0}, int64[1] ax = {1}, int64[1] two = {2}>
{ t = Shape<start=1, end=2>(x) e = Div(t, two) y = Slice(x, st, e, ax) }""",
)
graph(
    "slice_by_argmax",
    """(float[N,8] x) => (float[a,b] y)
<int64[1] st = {0}, int64[1] ax = {1}, int64[1] i = {0}>
{ m = ReduceSum<keepdims=0>(x) c = Cast<to=7>(m) a0 = ArgMax<axis=1, keepdims=0>(x)
  e = Gather(a0, i) y = Slice(x, st, e, ax) }""",
)
graph(
    "resize_scales",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Resize<mode="nearest">(x, , s) }""",
    13,
)
graph(
    "resize_sizes",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<float two = {2.0}>
{ nc = Shape<start=0, end=2>(x) hw = Shape<start=2, end=4>(x) f = Cast<to=1>(hw) g = Mul(f, two)
  fl = Floor(g) i = Cast<to=7>(fl) s = Concat<axis=0>(nc, i) y = Resize<mode="linear">(x, , , s) }""",
)
graph(
    "resize_like",
    """(float[N,3,H,W] x, float[N,1,16,16] z) => (float[a,b,c,d] y)
{ nc = Shape<start=0, end=2>(x) hw = Shape<start=2, end=4>(z) s = Concat<axis=0>(nc, hw)
  y = Resize<mode="cubic">(x, , , s) }""",
)
graph(
    "resize_by_data",
    """(float[N,3,8,8] x, int64[4] s) => (float[a,b,c,d] y)
{ y = Resize<mode="nearest">(x, , , s) }""",
)
graph(
    "resize_axes",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<int64[2] s = {4, 6}> { y = Resize<mode="linear", axes=[2,3]>(x, , , s) }""",
    18,
)
graph(
    "resize_not_larger",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<int64[2] s = {4, 6}>
{ y = Resize<mode="linear", axes=[2,3], keep_aspect_ratio_policy="not_larger">(x, , , s) }""",
    18,
)
graph(
    "upsample9",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Upsample<mode="nearest">(x, s) }""",
    9,
)
graph(
    "pad_to_multiple",
    """(float[N,T] x) => (float[a,b] y)
<int64[1] four = {4}, int64[3] z = {0, 0, 0}>
{ t = Shape<start=1, end=2>(x) r = Mod(t, four) d = Sub(four, r) e = Mod(d, four)
  p = Concat<axis=0>(z, e) y = Pad(x, p) }""",
)
graph("pad_by_data", """(float[N,T] x, int64[4] p) => (float[a,b] y) { y = Pad(x, p) }""")
graph(
    "pad_attributes",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
{ y = Pad<mode="reflect", pads=[0,0,1,1,0,0,1,1]>(x) }""",
    10,
)
graph(
    "top_k_of_shape",
    """(float[N,T] x) => (float[a,b] v, int64[a,b] i)
<int64[1] most = {3}> { t = Shape<start=1, end=2>(x) k = Min(t, most) v, i = TopK(x, k) }""",
)
graph(
    "top_k_of_data",
    """(float[N,9] x, int64[1] k) => (float[a,b] v, int64[a,b] i)
{ v, i = TopK(x, k) }""",
)
graph(
    "top_k_of_score",
    """(float[N,9] x) => (float[a,b] v, int64[a,b] i)
<float h = {0.5}, int64[1] ax = {0}>
{ g = Greater(x, h) c = Cast<to=7>(g) s = ReduceSum<keepdims=0>(c) k0 = Unsqueeze(s, ax)
  k, = Identity(k0) v, i = TopK(x, k) }""",
)
graph(
    "split_equal",
    """(float[N,6] x) => (float[a,b] y)
{ p, q, r = Split<axis=1, num_outputs=3>(x) y = Add(p, r) }""",
    18,
)
graph(
    "split_by_data",
    """(float[N,6] x, int64[2] s) => (float[a,b] p, float[c,d] q)
{ p, q = Split<axis=1>(x, s) }""",
    13,
)
graph(
    "split_given",
    """(float[N,6] x) => (float[a,b] p, float[c,d] q)
<int64[2] s = {2, 4}> { p, q = Split<axis=1>(x, s) }""",
    13,
)
graph("squeeze_all", """(float[N,1,4] x) => (y) { y = Squeeze(x) }""", 13)
graph(
    "reshape_zero",
    """(float[N,T,8] x) => (float[a,b,c] y)
<int64[3] s = {0, -1, 4}> { y = Reshape(x, s) }""",
    14,
)
graph("reshape_by_data", """(float[N,4] x, int64[2] s) => (float[a,b] y) { y = Reshape(x, s) }""")
graph(
    "reshape_like",
    """(float[N,T,8] x, float[N,T,2,4] z) => (float[a,b,c,d] y)
{ s = Shape(z) y = Reshape(x, s) }""",
)
graph(
    "size_of",
    """(float[N,T] x) => (float[a] y)
<int64[1] ax = {0}> { n = Size(x) u = Unsqueeze(n, ax) y = Reshape(x, u) }""",
)
graph(
    "shape_and_back",
    """(float[N,T,8] x) => (float[a,b,c] y)
<int64[2] m = {-1, 8}> { s = Shape(x) r = Reshape(x, m) q = Relu(r) y = Reshape(q, s) }""",
)
graph(
    "shape_by_product_zero",
    """(float[N,T] x, int64[1] d) => (float[a,b] y)
<int64[1] z = {0}, int64[1] e = {8}>
{ q = Mul(d, z) w = Add(q, e) t = Shape<start=0, end=1>(x) s = Concat<axis=0>(t, w)
  o = ConstantOfShape(s) y = Identity(o) }""",
)
graph(
    "shape_of_gathered",
    """(int64[N,T] ids) => (float[a,b] y)
<float[5,3] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6>, int64[2] r = {-1, 3}>
{ e = Gather(w, ids) y = Reshape(e, r) }""".replace("6>,", "6},"),
)
graph(
    "min_of_data_and_size",
    """(float[N,9] x, int64[1] k) => (float[a,b] y)
<int64[1] z = {0}, int64[1] ax = {1}>
{ t = Shape<start=1, end=2>(x) e = Min(t, k) y = Slice(x, z, e, ax) }""",
)
graph(
    "batch_to_space",
    """(float[N,4,T] x) => (float[a,b,c] y)
<int64[1] two = {2}>
{ n = Shape<start=0, end=1>(x) c = Shape<start=1, end=2>(x) t = Shape<start=2, end=3>(x)
  h = Div(c, two) d = Mul(t, two) s = Concat<axis=0>(n, h, d) y = Reshape(x, s) }""",
)
graph(
    "attention_mask",
    """(int64[N,T] mask, float[N,2,T,T] s) => (float[a,b,c,d] y)
<int64[2] ax = {1, 2}, float o = {1.0}, float big = {-10000.0}>
{ u = Unsqueeze(mask, ax) f = Cast<to=1>(u) i = Sub(o, f) b = Mul(i, big) z = Add(s, b)
  y = Softmax<axis=-1>(z) }""",
)
graph(
    "causal_mask",
    """(float[N,2,T,T] s) => (float[a,b,c,d] y)
<int64[2] ax = {0, 1}, float big = {-10000.0}>
{ t = Shape<start=2, end=4>(s) o = ConstantOfShape<value=float[1] {1.0}>(t) u = Trilu<upper=0>(o)
  b = Cast<to=9>(u) y = Where(b, s, big) }""",
)
graph(
    "affine_grid_fixed",
    """(float[N,2,3] t, float[N,1,6,6] x) => (float[a,b,c,d] y)
{ s = Shape(x) g = AffineGrid(t, s) y = GridSample(x, g) }""",
    20,
)
graph(
    "affine_grid_data",
    """(float[2,2,3] t, int64[4] s) => (float[a,b,c,d] y)
{ y = AffineGrid(t, s) }""",
    20,
)
graph(
    "center_crop",
    """(float[N,3,H,W] x) => (float[a,b,c,d] y)
<int64[2] s = {4, 10}> { y = CenterCropPad<axes=[2,3]>(x, s) }""",
    18,
)
graph(
    "center_crop_data",
    """(float[N,3,8,8] x, int64[2] s) => (float[a,b,c,d] y)
{ y = CenterCropPad<axes=[2,3]>(x, s) }""",
    18,
)
graph(
    "max_unpool",
    """(float[N,1,4,4] x) => (float[a,b,c,d] y)
{ p, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
  y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>(p, i) }""",
    11,
)
graph(
    "max_unpool_sized",
    """(float[N,1,4,4] x) => (float[a,b,c,d] y)
{ p, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) s = Shape(x)
  y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>(p, i, s) }""",
    11,
)
graph(
    "windows",
    """(float[N,16] x) => (float[a,b] y)
<int64 n = {16}> { w = HannWindow(n) y = Mul(x, w) }""",
    17,
)
graph("windows_of_data", """(int64 n) => (float[a] y) { y = HammingWindow(n) }""", 17)
graph(
    "stft",
    """(float[N,64,1] x) => (float[a,b,c,d] y)
<int64 st = {8}, int64 n = {16}> { w = HannWindow(n) y = STFT(x, st, w, n) }""",
    17,
)
graph(
    "dft",
    """(float[N,16,1] x) => (float[a,b,c] y)
<int64 n = {8}> { y = DFT<axis=1>(x, n) }""",
    17,
)
graph(
    "mel",
    """(float[N,9] x) => (float[a,b] y)
<int64 m = {4}, int64 n = {16}, int64 r = {8000}, float lo = {0.0}, float hi = {4000.0}>
{ w = MelWeightMatrix(m, n, r, lo, hi) y = MatMul(x, w) }""",
    17,
)
graph(
    "col2im",
    """(float[N,9,9] x) => (float[a,b,c,d] y)
<int64[2] i = {5, 5}, int64[2] b = {3, 3}> { y = Col2Im(x, i, b) }""",
    18,
)
graph("eye_like", """(float[N,T] x) => (float[a,b] y) { y = EyeLike(x) }""", 9)
graph(
    "compress_by_data",
    """(float[N,4] x, bool[2] c) => (float[a,b] y)
{ y = Compress<axis=0>(x, c) }""",
    11,
)
graph(
    "compress_fixed",
    """(float[N,4] x) => (float[a,b] y)
<bool[4] c = {1, 0, 1, 0}> { y = Compress<axis=1>(x, c) }""",
    11,
)
graph(
    "compress_by_score",
    """(float[4] x) => (float[a] y)
<float z = {0.0}> { c = Greater(x, z) y = Compress(x, c) }""",
    11,
)
graph("unique_values", """(int64[N] x) => (int64[a] y) { y = Unique(x) }""", 11)
graph(
    "unique_inverse",
    """(int64[N] x) => (int64[a] y)
{ u, i, y, c = Unique(x) }""",
    11,
)
graph(
    "unique_fixed",
    """(float[N,3] x) => (float[a,b] y)
<int64[4] i = {2, 0, 2, 1}> { u = Unique<sorted=1>(i) y = Gather<axis=1>(x, u) }""",
    11,
)
graph(
    "boolean_mask",
    """(float[N,T] x) => (float[a] y)
<float h = {0.5}> { g = Greater(x, h) n = NonZero(g) t = Transpose(n) y = GatherND(x, t) }""",
)
graph(
    "masked_assign",
    """(float[N,T] x) => (float[a,b] y)
<float h = {0.5}>
{ g = Greater(x, h) n = NonZero(g) t = Transpose(n) s = Shape<start=0, end=1>(t)
  f = ConstantOfShape(s) y = ScatterND(x, t, f) }""",
    16,
)
graph(
    "count_of_mask",
    """(float[N,T] x) => (int64 y)
<float h = {0.5}> { g = Greater(x, h) c = Cast<to=7>(g) y = ReduceSum<keepdims=0>(c) }""",
)
graph("nonzero_of_shape", """(float[N,T] x) => (int64[a,b] y) { s = Shape(x) y = NonZero(s) }""")
graph(
    "nonzero_unused_size",
    """(float[N,4] x) => (float[a] y)
{ n = NonZero(x) s = Size(n) f = Cast<to=1>(s) z = ReduceSum<keepdims=0>(x) w = Add(z, f)
  m1 = Constant<value_ints=[-1]>() y = Reshape(w, m1) }""",
)
graph(
    "where_two_sizes",
    """(float[N,4] x) => (float[a,b] y)
<int64[1] p = {2}, int64[1] q = {3}, int64[1] z = {0}, int64[1] ax = {1}>
{ s = ReduceSum<keepdims=0>(x) h = Constant<value_float=0.5>() g = Greater(s, h)
  e = Where(g, p, q) y = Slice(x, z, e, ax) }""",
)
graph(
    "where_same_size",
    """(float[N,4] x) => (float[a,b] y)
<int64[1] p = {2}, int64[1] z = {0}, int64[1] ax = {1}>
{ s = ReduceSum<keepdims=0>(x) h = Constant<value_float=0.5>() g = Greater(s, h)
  e = Where(g, p, p) y = Slice(x, z, e, ax) }""",
)
graph(
    "random_like",
    """(float[N,4] x) => (float[a,b] y)
{ r = RandomNormalLike(x) y = Add(x, r) }""",
)
graph(
    "random_nonzero",
    """(float[N,4] x) => (int64[a,b] y)
{ r = RandomUniformLike(x) h = Constant<value_float=0.5>() g = Greater(r, h) y = NonZero(g) }""",
)
graph("bernoulli", """(float[N,4] x) => (float[a,b] y) { s = Sigmoid(x) y = Bernoulli(s) }""", 15)
graph("multinomial", """(float[N,4] x) => (int32[a,b] y) { y = Multinomial<sample_size=3>(x) }""")
graph(
    "random_normal",
    """(float[N,4] x) => (float[a,b] y)
{ r = RandomNormal<shape=[1,4]>() y = Add(x, r) }""",
)

# -- detection ---------------------------------------------------------------------------------------

_BOXES = "float[1,6,4] boxes, float[1,2,6] scores"
graph(
    "nms",
    f"""({_BOXES}) => (int64[a,b] y)
<int64 k = {{3}}, float i = {{0.5}}, float s = {{0.1}}> {{ y = NonMaxSuppression(boxes, scores, k, i, s) }}""",
)
graph(
    "nms_gathered",
    f"""({_BOXES}) => (float[a,b] y)
<int64 k = {{3}}, float i = {{0.5}}, float s = {{0.1}}, int64[1] c = {{2}}, int64[1] z = {{0}}, int64[1] ax = {{0}}>
{{ n = NonMaxSuppression(boxes, scores, k, i, s) j = Gather<axis=1>(n, c) q = Squeeze(j)
   b = Squeeze(boxes, z) y = Gather(b, q) }}""",
    13,
)
graph(
    "nms_top",
    f"""({_BOXES}) => (int64[a,b] y)
<int64 k = {{3}}, float i = {{0.5}}, float s = {{0.1}}, int64[1] most = {{2}}, int64[1] z = {{0}}>
{{ n = NonMaxSuppression(boxes, scores, k, i, s) y = Slice(n, z, most) }}""",
)
graph(
    "roi_align",
    """(float[N,3,H,W] x, float[4,4] r, int64[4] b) => (float[a,b,c,d] y)
{ y = RoiAlign<output_height=2, output_width=2>(x, r, b) }""",
    16,
)
graph(
    "roi_align_found",
    """(float[1,3,8,8] x, float[6,4] r) => (float[a,b,c,d] y)
<float h = {0.0}, int64[1] ax = {1}, int64[1] z = {0}>
{ m = ReduceMax<axes=[1], keepdims=0>(r) g = Greater(m, h) n = NonZero(g) j = Squeeze(n, z)
  s = Gather(r, j) l = Shape<start=0, end=1>(s) b = ConstantOfShape<value=int64[1] {0}>(l)
  y = RoiAlign<output_height=2, output_width=2>(x, s, b) }""",
    16,
)
graph(
    "yolo_decode",
    """(float[N,6,3,3] x) => (float[a,b,c] y)
<int64[3] s = {0, 6, -1}, float st = {8.0}>
{ n = Shape<start=0, end=1>(x) r = Reshape(x, s) t = Transpose<perm=[0,2,1]>(r)
  g = Sigmoid(t) y = Mul(g, st) }""",
)

# -- recurrent ---------------------------------------------------------------------------------------

_RNN = """<float[1,8,3] w = {WW}, float[1,8,2] r = {RR}>"""
_W24 = ",".join(["0.1"] * 24)
_W16 = ",".join(["0.1"] * 16)
_RNN = _RNN.replace("WW", _W24).replace("RR", _W16)
graph(
    "lstm",
    f"""(float[T,N,3] x) => (float[a,b,c,d] y, float[e,f,g] h)
{_RNN} {{ y, h = LSTM<hidden_size=2>(x, w, r) }}""",
    14,
)
graph(
    "lstm_lengths",
    f"""(float[T,N,3] x, int32[N] n) => (float[a,b,c,d] y, float[e,f,g] h)
{_RNN} {{ y, h = LSTM<hidden_size=2>(x, w, r, , n) }}""",
    14,
)
graph(
    "lstm_state",
    f"""(float[T,N,3] x, float[1,N,2] h0, float[1,N,2] c0) => (float[a,b,c,d] y, float[e,f,g] h, float[i,j,k] c)
{_RNN} {{ y, h, c = LSTM<hidden_size=2>(x, w, r, , , h0, c0) }}""",
    14,
)
graph(
    "lstm_zero_state",
    f"""(float[T,N,3] x) => (float[a,b,c,d] y)
<int64[1] o = {{1}}, int64[1] two = {{2}}, {_RNN[1:]}
{{ n = Shape<start=1, end=2>(x) s = Concat<axis=0>(o, n, two) z = ConstantOfShape(s)
  y = LSTM<hidden_size=2>(x, w, r, , , z, z) }}""",
    15,
)
graph(
    "reverse_sequence",
    """(float[T,N] x, int64[N] n) => (float[a,b] y)
{ y = ReverseSequence<time_axis=0, batch_axis=1>(x, n) }""",
    10,
)

# -- control flow ------------------------------------------------------------------------------------

_THEN = "then_branch = t () => (float[p,q] u) { u = Relu(x) }"
_ELSE = "else_branch = e () => (float[p,q] v) { v = Neg(x) }"
graph(
    "if_data",
    f"""(float[N,4] x) => (float[a,b] y)
<float h = {{0.5}}> {{ s = ReduceSum<keepdims=0>(x) g = Greater(s, h) y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_input",
    f"""(float[N,4] x, bool g) => (float[a,b] y) {{ y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_constant",
    f"""(float[N,4] x) => (float[a,b] y)
<bool g = {{1}}> {{ y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_shape",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 i = {{0}}, int64 l = {{3}}> {{ s = Shape(x) n = Gather(s, i) g = Greater(n, l) y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_fixed_axis",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 i = {{1}}, int64 l = {{4}}> {{ s = Shape(x) n = Gather(s, i) g = Equal(n, l) y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_rank",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 l = {{2}}> {{ s = Shape(x) n = Size(s) g = Equal(n, l) y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_default",
    f"""(float[N,4] x, bool g = {{1}}) => (float[a,b] y)
{{ y = If(g)<{_THEN}, {_ELSE}> }}""",
    16,
)
graph(
    "if_squeeze",
    """(float[N,1,4] x) => (y)
<int64 i = {1}, int64 o = {1}, int64[1] ax = {1}>
{ s = Shape(x) n = Gather(s, i) g = Equal(n, o)
  y = If(g)<then_branch = t () => (u) { u = Squeeze(x, ax) }, else_branch = e () => (v) { v = Identity(x) }> }""",
    16,
)
graph(
    "if_nested",
    f"""(float[N,4] x, bool p, bool q) => (float[a,b] y)
{{ y = If(p)<then_branch = tt () => (float[r,s] w) {{ w = If(q)<{_THEN}, {_ELSE}> }}, else_branch = ee () => (float[r,s] k) {{ k = Abs(x) }}> }}""",
    16,
)
graph(
    "if_nested_constant",
    f"""(float[N,4] x, bool p) => (float[a,b] y)
<bool no = {{0}}> {{ y = If(no)<then_branch = tt () => (float[r,s] w) {{ w = If(p)<{_THEN}, {_ELSE}> }}, else_branch = ee () => (float[r,s] k) {{ k = Abs(x) }}> }}""",
    16,
)
graph(
    "if_other_sizes",
    """(float[N,4] x, bool p) => (float[a,b] y)
<int64[1] z = {0}, int64[1] two = {2}, int64[1] ax = {1}>
{ y = If(p)<then_branch = t () => (u) { u = Slice(x, z, two, ax) }, else_branch = e () => (v) { v = Identity(x) }> }""",
    16,
)
_BODY = """body = b (int64 i, bool c, float[p,q] s) => (bool d, float[p,q] t) { d = Identity(c) t = Add(s, one) }"""
graph(
    "loop_fixed",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 m = {{3}}, bool yes = {{1}}, float one = {{1.0}}> {{ y = Loop(m, yes, x)<{_BODY}> }}""",
    16,
)
graph(
    "loop_no_condition",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 m = {{3}}, float one = {{1.0}}> {{ y = Loop(m, , x)<{_BODY}> }}""",
    16,
)
graph(
    "loop_shape",
    f"""(float[N,4] x) => (float[a,b] y)
<int64 k = {{0}}, bool yes = {{1}}, float one = {{1.0}}>
{{ s = Shape(x) m = Gather(s, k) y = Loop(m, yes, x)<{_BODY}> }}""",
    16,
)
graph(
    "loop_input",
    f"""(float[N,4] x, int64 m) => (float[a,b] y)
<bool yes = {{1}}, float one = {{1.0}}> {{ y = Loop(m, yes, x)<{_BODY}> }}""",
    16,
)
graph(
    "loop_never",
    f"""(float[N,4] x, int64 m) => (float[a,b] y)
<bool no = {{0}}, float one = {{1.0}}> {{ y = Loop(m, no, x)<{_BODY}> }}""",
    16,
)
graph(
    "loop_until",
    """(float[N,4] x) => (float[a,b] y)
<int64 m = {9}, bool yes = {1}, float one = {1.0}, float l = {6.0}>
{ y = Loop(m, yes, x)<body = b (int64 i, bool c, float[p,q] s) => (bool d, float[p,q] t)
  { t = Add(s, one) w = ReduceMax<keepdims=0>(t) d = Less(w, l) }> }""",
    16,
)
graph(
    "loop_counts",
    """(float[N,4] x) => (float[a,b] y)
<int64 m = {9}, bool yes = {1}, float one = {1.0}, int64 l = {3}>
{ y = Loop(m, yes, x)<body = b (int64 i, bool c, float[p,q] s) => (bool d, float[p,q] t)
  { t = Add(s, one) d = Less(i, l) }> }""",
    16,
)
graph(
    "loop_scan_output",
    """(float[N,4] x) => (float[a,b] y, float[c,d,e] ys)
<int64 m = {3}, bool yes = {1}, float one = {1.0}>
{ y, ys = Loop(m, yes, x)<body = b (int64 i, bool c, float[p,q] s) => (bool d, float[p,q] t, float[p,q] o)
  { d = Identity(c) t = Add(s, one) o = Identity(t) }> }""",
    16,
)
graph(
    "loop_grows",
    """(float[N,4] x) => (float[a,b] y)
<int64 m = {2}, bool yes = {1}>
{ y = Loop(m, yes, x)<body = b (int64 i, bool c, float[p,q] s) => (bool d, float[r,q] t)
  { d = Identity(c) t = Concat<axis=0>(s, s) }> }""",
    16,
)
graph(
    "loop_in_if",
    f"""(float[N,4] x, bool g) => (float[a,b] y)
<int64 m = {{3}}, bool yes = {{1}}, float one = {{1.0}}>
{{ y = If(g)<then_branch = t () => (float[p,q] u) {{ u = Loop(m, yes, x)<{_BODY}> }}, {_ELSE}> }}""",
    16,
)
graph(
    "loop_nonzero_inside",
    """(float[N,4] x) => (float[a,b] y)
<int64 m = {2}, bool yes = {1}>
{ y = Loop(m, yes, x)<body = b (int64 i, bool c, float[p,q] s) => (bool d, float[p,q] t)
  { d = Identity(c) n = NonZero(s) k = Size(n) f = Cast<to=1>(k) t = Add(s, f) }> }""",
    16,
)
graph(
    "scan_time",
    """(float[T,4] x) => (float[a] y, float[b,c] ys)
<float[4] z = {0.0, 0.0, 0.0, 0.0}>
{ y, ys = Scan<num_scan_inputs=1, body = b (float[4] s, float[4] i) => (float[4] t, float[4] o)
  { t = Add(s, i) o = Identity(t) }>(z, x) }""",
    16,
)
graph(
    "scan_features",
    """(float[N,4] x) => (float[a] y, float[b,c] ys)
{ sh = Shape<start=0, end=1>(x) z = ConstantOfShape(sh)
  y, ys = Scan<num_scan_inputs=1, scan_input_axes=[1], body = b (float[k] s, float[k] i) => (float[k] t, float[k] o)
  { t = Add(s, i) o = Identity(t) }>(z, x) }""",
    16,
)
graph(
    "scan_backwards",
    """(float[5,N] x) => (float[a,b] ys)
{ sh = Shape<start=1, end=2>(x) z = ConstantOfShape(sh)
  y, ys = Scan<num_scan_inputs=1, scan_input_directions=[1], body = b (float[k] s, float[k] i) => (float[k] t, float[k] o)
  { t = Add(s, i) o = Identity(t) }>(z, x) }""",
    16,
)

# -- sequences, optionals, maps ----------------------------------------------------------------------

graph(
    "sequence_round",
    """(float[N,4] x) => (float[a,b] y)
{ s = SequenceConstruct(x, x) y = ConcatFromSequence<axis=0>(s) }""",
    13,
)
graph(
    "sequence_split",
    """(float[N,6] x) => (float[a,b] y)
<int64 two = {2}, int64 i = {1}> { s = SplitToSequence<axis=1>(x, two) y = SequenceAt(s, i) }""",
    13,
)
graph(
    "sequence_split_rows",
    """(float[N,6] x) => (float[a] y)
<int64 i = {0}> { s = SplitToSequence<axis=0, keepdims=0>(x) y = SequenceAt(s, i) }""",
    13,
)
graph(
    "sequence_split_data",
    """(float[N,6] x, int64[2] w) => (float[a,b] y)
<int64 i = {0}> { s = SplitToSequence<axis=1>(x, w) y = SequenceAt(s, i) }""",
    13,
)
graph(
    "sequence_at_data",
    """(float[N,6] x, float[N,2] z, int64 i) => (float[a,b] y)
{ s = SequenceConstruct(x, z) y = SequenceAt(s, i) }""",
    13,
)
graph(
    "sequence_at_data_alike",
    """(float[N,6] x, int64 i) => (float[a,b] y)
{ z = Neg(x) s = SequenceConstruct(x, z) y = SequenceAt(s, i) }""",
    13,
)
graph(
    "sequence_insert_erase",
    """(float[N,6] x) => (float[a,b] y)
<int64 z = {0}> { e = SequenceEmpty() s = SequenceInsert(e, x) t = SequenceInsert(s, x)
  u = SequenceErase(t, z) y = SequenceAt(u, z) }""",
    13,
)
graph(
    "sequence_length",
    """(float[N,6] x) => (int64 y)
{ s = SequenceConstruct(x, x, x) y = SequenceLength(s) }""",
    13,
)
graph(
    "sequence_output",
    """(float[N,6] x) => (seq(float[a,b]) y)
{ y = SequenceConstruct(x, x) }""",
    13,
)
graph(
    "sequence_input",
    """(seq(float[2,3]) s) => (float[a,b] y)
{ y = ConcatFromSequence<axis=0>(s) }""",
    13,
)
graph(
    "sequence_map",
    """(float[N,6] x) => (seq(float[a,b]) y)
{ s = SequenceConstruct(x, x) y = SequenceMap<body = b (float[p,q] i) => (float[p,q] o) { o = Relu(i) }>(s) }""",
    17,
)
graph(
    "optional_round",
    """(float[N,6] x) => (float[a,b] y)
{ o = Optional(x) y = OptionalGetElement(o) }""",
    18,
)
graph("optional_has", """(float[N,6] x) => (bool y) { y = OptionalHasElement(x) }""", 18)

# -- types and quantisation --------------------------------------------------------------------------

graph(
    "qdq_matmul",
    """(float[N,4] x) => (float[a,b] y)
<float s = {0.1}, uint8 z = {128}, int8[4,2] w = {1,2,3,4,5,6,7,8}, float ws = {0.02}, int8 wz = {0}>
{ q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) e = DequantizeLinear(w, ws, wz)
  y = MatMul(d, e) }""",
    13,
)
graph(
    "qdq_channel",
    """(float[N,4] x) => (float[a,b] y)
<int8[4,2] w = {1,2,3,4,5,6,7,8}, float[2] ws = {0.02, 0.03}, int8[2] wz = {0, 0}>
{ e = DequantizeLinear<axis=1>(w, ws, wz) y = MatMul(x, e) }""",
    13,
)
graph(
    "qdq_int16",
    """(float[N,4] x) => (float[a,b] y)
<float s = {0.1}, int16 z = {0}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }""",
    21,
)
graph(
    "qdq_int4",
    """(float[N,4] x) => (float[a,b] y)
<float s = {0.1}, int4 z = {0}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }""",
    21,
)
graph(
    "blocked_int4",
    """(float[N,4] x) => (float[a,b] y)
<uint4[4,2] w = {1,2,3,4,5,6,7,8}, float[2,2] ws = {0.1,0.1,0.1,0.1}, uint4[2,2] wz = {8,8,8,8}>
{ e = DequantizeLinear<axis=0, block_size=2>(w, ws, wz) y = MatMul(x, e) }""",
    21,
)
graph(
    "qdq_float8",
    """(float[N,4] x) => (float[a,b] y)
<float s = {0.1}> { z = Constant<value_float=0.0>() w = Cast<to=17>(z) q = QuantizeLinear(x, s, w)
  y = DequantizeLinear(q, s, w) }""",
    19,
)
graph(
    "cast_float8",
    """(float[N,4] x) => (float[a,b] y)
{ q = Cast<to=18>(x) y = Cast<to=1>(q) }""",
    19,
)
graph(
    "cast_float8_saturate",
    """(float[N,4] x) => (float[a,b] y)
{ q = Cast<to=19, saturate=0>(x) y = Cast<to=1>(q) }""",
    19,
)
graph(
    "cast_bfloat16",
    """(float[N,4] x) => (float[a,b] y)
{ q = Cast<to=16>(x) y = Cast<to=1>(q) }""",
    13,
)
graph("add_bfloat16", """(bfloat16[N,4] x) => (bfloat16[a,b] y) { y = Add(x, x) }""", 14)
graph(
    "matmul_bfloat16",
    """(bfloat16[N,4] x, bfloat16[4,2] w) => (bfloat16[a,b] y) { y = MatMul(x, w) }""",
    13,
)
graph(
    "conv_float16",
    """(float16[N,2,8,8] x, float16[2,2,3,3] w) => (float16[a,b,c,d] y) { y = Conv(x, w) }""",
    11,
)
graph(
    "matmul_float16",
    """(float16[N,4] x, float16[4,2] w) => (float16[a,b] y) { y = MatMul(x, w) }""",
    13,
)
graph("gemm_double", """(double[N,4] x, double[4,2] w) => (double[a,b] y) { y = Gemm(x, w) }""", 13)
graph("relu_int8", """(int8[N,4] x) => (int8[a,b] y) { y = Relu(x) }""", 14)
graph("add_int16", """(int16[N,4] x) => (int16[a,b] y) { y = Add(x, x) }""", 14)
graph("add_uint8", """(uint8[N,4] x) => (uint8[a,b] y) { y = Add(x, x) }""", 14)
graph("mod_float", """(float[N,4] x) => (float[a,b] y) { y = Mod<fmod=1>(x, x) }""", 13)
graph(
    "where_string", """(string[N,4] x, bool[N,4] c) => (string[a,b] y) { y = Where(c, x, x) }""", 9
)
graph(
    "gather_string",
    """(int64[N] i) => (string[a] y)
<string[3] w = {"a", "b", "c"}> { y = Gather(w, i) }""",
    13,
)
graph("equal_string", """(string[N] x) => (bool[a] y) { y = Equal(x, x) }""", 19)
graph("string_concat", """(string[N] x) => (string[a] y) { y = StringConcat(x, x) }""", 20)
graph(
    "string_split",
    """(string[N] x) => (string[a,b] y, int64[c] n) { y, n = StringSplit<delimiter=" ">(x) }""",
    20,
)
graph("regex", """(string[N] x) => (bool[a] y) { y = RegexFullMatch<pattern="[a-z]+">(x) }""", 20)
graph(
    "normalised_text",
    """(string[4] x) => (string[a] y)
{ y = StringNormalizer<case_change_action="LOWER", stopwords=["b"]>(x) }""",
    10,
)
graph(
    "normalised_case",
    """(string[4] x) => (string[a] y)
{ y = StringNormalizer<case_change_action="UPPER">(x) }""",
    10,
)
graph("cast_from_string", """(string[N] x) => (float[a] y) { y = Cast<to=1>(x) }""", 13)
graph("cast_to_string", """(float[N] x) => (string[a] y) { y = Cast<to=8>(x) }""", 13)
graph(
    "qlinear_matmul",
    """(uint8[N,4] x) => (uint8[a,b] y)
<float s = {0.1}, uint8 z = {128}, int8[4,2] w = {1,2,3,4,5,6,7,8}, int8 wz = {0}>
{ y = QLinearMatMul(x, s, z, w, s, wz, s, z) }""",
    10,
)
graph(
    "dynamic_quantised",
    """(float[N,4] x) => (int32[a,b] y)
<int8[4,2] w = {1,2,3,4,5,6,7,8}, int8 wz = {0}>
{ q, s, z = DynamicQuantizeLinear(x) y = MatMulInteger(q, w, z, wz) }""",
    11,
)

# -- other domains -----------------------------------------------------------------------------------

_MS = ', "com.microsoft" : 1'
graph("ms_gelu", """(float[N,4] x) => (float[a,b] y) { y = com.microsoft.Gelu(x) }""", 17, _MS)
graph(
    "ms_fused_matmul",
    """(float[N,4] x, float[4,2] w) => (float[a,b] y)
{ y = com.microsoft.FusedMatMul<alpha=0.5>(x, w) }""",
    17,
    _MS,
)
graph(
    "ms_skip_layer_norm",
    """(float[N,3,4] x, float[N,3,4] s) => (float[a,b,c] y)
<float[4] g = {1.0, 1.0, 1.0, 1.0}> { y = com.microsoft.SkipLayerNormalization(x, s, g) }""",
    17,
    _MS,
)
graph(
    "ms_fast_gelu",
    """(float[N,4] x) => (float[a,b] y) { y = com.microsoft.FastGelu(x) }""",
    17,
    _MS,
)
graph(
    "ms_qlinear_add",
    """(uint8[N,4] x) => (uint8[a,b] y)
<float s = {0.1}, uint8 z = {128}> { y = com.microsoft.QLinearAdd(x, s, z, x, s, z, s, z) }""",
    17,
    _MS,
)
graph(
    "ms_dynamic_matmul",
    """(float[N,4] x) => (float[a,b] y)
<int8[4,2] w = {1,2,3,4,5,6,7,8}, float[1] s = {0.1}> { y = com.microsoft.DynamicQuantizeMatMul(x, w, s) }""",
    17,
    _MS,
)
graph(
    "ms_quick_gelu",
    """(float[N,4] x) => (float[a,b] y) { y = com.microsoft.QuickGelu<alpha=1.7>(x) }""",
    17,
    _MS,
)
graph(
    "ms_unknown",
    """(float[N,4] x) => (float[a,b] y) { y = com.microsoft.NoSuchThing(x) }""",
    17,
    _MS,
)
graph(
    "ms_quantize_16",
    """(float[N,4] x) => (float[a,b] y)
<float s = {0.1}, uint16 z = {100}> { q = com.microsoft.QuantizeLinear(x, s, z) y = com.microsoft.DequantizeLinear(q, s, z) }""",
    17,
    _MS,
)
graph(
    "ms_rms",
    """(float[N,4] x) => (float[a,b] y)
<float[4] g = {1.0, 1.0, 1.0, 1.0}> { y = SimplifiedLayerNormalization(x, g) }""",
    17,
)
graph(
    "ms_trilu",
    """(float[N,4,4] x) => (float[a,b,c] y) { y = com.microsoft.Trilu<upper=1>(x) }""",
    13,
    _MS,
)
graph(
    "ms_unique",
    """(float[N] x) => (float[a] y, int64[b] i, int64[c] k) { y, i, k = com.microsoft.Unique(x) }""",
    13,
    _MS,
)
graph(
    "extensions",
    """(string[N] x) => (int64[a,b] y) { y = ai.onnx.contrib.GPT2Tokenizer(x) }""",
    17,
    ', "ai.onnx.contrib" : 1',
)
graph(
    "own_domain", """(float[N,4] x) => (float[a,b] y) { y = shop.Price(x) }""", 17, ', "shop" : 1'
)
graph(
    "unused_domain",
    """(float[N,4] x) => (float[a,b] y) { y = Relu(x) }""",
    17,
    ', "shop" : 1, "ai.onnx.ml" : 3',
)
graph(
    "training_domain",
    """(float[N,4] x) => (float[a,b] y) { y = Relu(x) }""",
    17,
    ', "ai.onnx.preview.training" : 1, "ai.onnx.training" : 1',
)
graph(
    "optimizer",
    """(float r, int64 t, float[4] x, float[4] g, float[4] v) => (float[4] y, float[4] w)
{ y, w = ai.onnx.preview.training.Momentum<alpha=0.9, beta=1.0, mode="standard", norm_coefficient=0.0>(r, t, x, g, v) }""",
    17,
    ', "ai.onnx.preview.training" : 1',
)
graph(
    "ml_label",
    """(string[N] x) => (int64[a] y)
{ y = ai.onnx.ml.LabelEncoder<keys_strings=["a","b"], values_int64s=[1,2], default_int64=0>(x) }""",
    15,
    ', "ai.onnx.ml" : 2',
)
graph(
    "ml_label_tensors",
    """(int64[N] x) => (float[a] y)
{ y = ai.onnx.ml.LabelEncoder<keys_tensor=int64[2] {1,2}, values_tensor=float[2] {0.5,0.7}, default_tensor=float[1] {0.0}>(x) }""",
    20,
    ', "ai.onnx.ml" : 4',
)
graph(
    "ml_scaler",
    """(float[N,2] x) => (float[a,b] y) { y = ai.onnx.ml.Scaler<offset=[0.0,1.0], scale=[1.0,2.0]>(x) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_imputer",
    """(float[N,2] x) => (float[a,b] y) { y = ai.onnx.ml.Imputer<imputed_value_floats=[0.0,1.0]>(x) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_binarizer",
    """(double[N,2] x) => (double[a,b] y) { y = ai.onnx.ml.Binarizer<threshold=0.5>(x) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_one_hot",
    """(int64[N,2] x) => (float[a,b,c] y) { y = ai.onnx.ml.OneHotEncoder<cats_int64s=[0,1,2], zeros=1>(x) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_features",
    """(float[N,2] x, float[N,3] z) => (float[a,b] y) { y = ai.onnx.ml.FeatureVectorizer<inputdimensions=[2,3]>(x, z) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_extract",
    """(float[N,4] x) => (float[a,b] y)
<int64[2] i = {0, 2}> { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_extract_found",
    """(float[N,4] x, float[4] m) => (float[a,b] y)
{ n = NonZero(m) y = ai.onnx.ml.ArrayFeatureExtractor(x, n) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_zipmap",
    """(float[N,2] x) => (seq(map(int64, float)) y) { y = ai.onnx.ml.ZipMap<classlabels_int64s=[0,1]>(x) }""",
    15,
    ', "ai.onnx.ml" : 1',
)
graph(
    "ml_new",
    """(float[N,2] x) => (float[a,b] y) { y = ai.onnx.ml.Scaler<offset=[0.0], scale=[1.0]>(x) }""",
    15,
    ', "ai.onnx.ml" : 6',
)

# -- newest operators --------------------------------------------------------------------------------

graph("gelu20", '(float[N,4] x) => (float[a,b] y) { y = Gelu<approximate="tanh">(x) }', 20)
graph(
    "rms23",
    """(float[N,4] x) => (float[a,b] y)
<float[4] g = {1.0, 1.0, 1.0, 1.0}> { y = RMSNormalization(x, g) }""",
    23,
)
graph(
    "attention23",
    """(float[N,2,T,4] q, float[N,2,T,4] k, float[N,2,T,4] v) => (float[a,b,c,d] y)
{ y = Attention<is_causal=1>(q, k, v) }""",
    23,
)
graph(
    "rotary23",
    """(float[N,2,T,4] x, float[N,T,2] c, float[N,T,2] s) => (float[a,b,c2,d] y)
{ y = RotaryEmbedding(x, c, s) }""",
    23,
)
graph("swish24", "(float[N,4] x) => (float[a,b] y) { y = Swish(x) }", 24)
graph(
    "layer_norm17",
    """(float[N,4] x) => (float[a,b] y)
<float[4] g = {1.0, 1.0, 1.0, 1.0}> { y = LayerNormalization(x, g) }""",
    17,
)
graph(
    "group_norm18",
    """(float[N,4,3] x) => (float[a,b,c] y)
<float[2] g = {1.0, 1.0}, float[2] z = {0.0, 0.0}> { y = GroupNormalization<num_groups=2>(x, g, z) }""",
    18,
)
graph(
    "group_norm21",
    """(float[N,4,3] x) => (float[a,b,c] y)
<float[4] g = {1.0, 1.0, 1.0, 1.0}, float[4] z = {0.0, 0.0, 0.0, 0.0}> { y = GroupNormalization<num_groups=2>(x, g, z) }""",
    21,
)
graph("mish18", "(float[N,4] x) => (float[a,b] y) { y = Mish(x) }", 18)
graph("hard_swish14", "(float[N,4] x) => (float[a,b] y) { y = HardSwish(x) }", 14)
graph("bitwise18", "(int32[N,4] x) => (int32[a,b] y) { y = BitwiseAnd(x, x) }", 18)
graph("image_decoder20", "(uint8[T] x) => (uint8[a,b,c] y) { y = ImageDecoder(x) }", 20)
graph("reduce_max_bool20", "(bool[N,4] x) => (bool y) { y = ReduceMax<keepdims=0>(x) }", 20)
graph("is_nan_half20", "(float16[N,4] x) => (bool[a,b] y) { y = IsNaN(x) }", 20)
graph(
    "pad_wrap19",
    """(float[N,4] x) => (float[a,b] y)
<int64[4] p = {0, 1, 0, 1}> { y = Pad<mode="wrap">(x, p) }""",
    19,
)
graph(
    "grid_sample20",
    '(float[N,1,4,4,4] x, float[N,2,2,2,3] g) => (float[a,b,c,d,e] y) { y = GridSample<mode="linear">(x, g) }',
    20,
)
graph(
    "grid_sample16",
    "(float[N,1,4,4] x, float[N,2,2,2] g) => (float[a,b,c,d] y) { y = GridSample(x, g) }",
    16,
)
graph(
    "deform_conv19",
    """(float[N,1,3,3] x, float[1,1,2,2] w, float[N,8,2,2] o) => (float[a,b,c,d] y)
{ y = DeformConv<kernel_shape=[2,2], pads=[0,0,0,0]>(x, w, o) }""",
    19,
)
graph(
    "einsum12",
    """(float[N,2,3] x, float[N,3,4] z) => (float[a,b,c] y) { y = Einsum<equation="bij,bjk->bik">(x, z) }""",
    12,
)
graph("celu12", "(float[N,4] x) => (float[a,b] y) { y = Celu(x) }", 12)
graph(
    "legacy_upsample",
    """(float[N,1,4,4] x) => (float[a,b,c,d] y) { y = Upsample<scales=[1.0,1.0,2.0,2.0]>(x) }""",
    7,
)
graph("legacy_clip", "(float[N,4] x) => (float[a,b] y) { y = Clip<min=0.0, max=6.0>(x) }", 6)
graph(
    "legacy_batch_norm",
    """(float[N,2,4] x) => (float[a,b,c] y)
<float[2] g = {1.0, 1.0}> { y = BatchNormalization(x, g, g, g, g) }""",
    9,
)
graph(
    "training_batch_norm",
    """(float[N,2,4] x) => (float[a,b,c] y, float[d] m, float[e] v)
<float[2] g = {1.0, 1.0}> { y, m, v = BatchNormalization<training_mode=1>(x, g, g, g, g) }""",
    15,
)
graph(
    "training_dropout",
    """(float[N,4] x) => (float[a,b] y)
<float r = {0.5}, bool t = {1}> { y = Dropout(x, r, t) }""",
    13,
)

_FUNCTIONS = {
    "function": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (float[a,b] y) { y = own.Twice(x) }
<opset_import: ["" : 17], domain: "own"> Twice (i) => (o) { o = Add(i, i) }""",
    "function_attribute": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (float[a,b] y) { y = own.Soft<ax=1>(x) }
<opset_import: ["" : 17], domain: "own"> Soft <ax> (i) => (o) { o = Softmax<axis: int = @ax>(i) }""",
    "function_nested_if": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x, bool c) => (float[a,b] y) { y = own.Outer(x, c) }
<opset_import: ["" : 17, "own" : 1], domain: "own"> Outer (i, c) => (o) { o = own.Pick(i, c) }
<opset_import: ["" : 17], domain: "own"> Pick (i, c) => (o) { o = If(c)<then_branch = t () => (u) { u = Relu(i) }, else_branch = e () => (v) { v = Neg(i) }> }""",
    "function_nested_fixed": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (float[a,b] y) <bool c = {1}> { y = own.Pick(x, c) }
<opset_import: ["" : 17], domain: "own"> Pick (i, c) => (o) { o = If(c)<then_branch = t () => (u) { u = Relu(i) }, else_branch = e () => (v) { v = Neg(i) }> }""",
    "function_nonzero": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (int64[a,b] y) { y = own.Found(x) }
<opset_import: ["" : 17], domain: "own"> Found (i) => (o) { o = NonZero(i) }""",
    "function_loop": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x, int64 n) => (float[a,b] y) { y = own.Rounds(x, n) }
<opset_import: ["" : 17], domain: "own"> Rounds (i, n) => (o) { yes = Constant<value = bool {1}>() o = Loop(n, yes, i)<body = b (int64 k, bool c, float[p,q] s) => (bool d, float[p,q] t) { d = Identity(c) t = Add(s, s) }> }""",
    "function_of_other_opset": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (float[a,b] y) { y = own.Old(x) }
<opset_import: ["" : 12], domain: "own"> Old (i) => (o) { o = ReduceSum<axes=[1], keepdims=1>(i) }""",
    "function_missing": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,4] x) => (float[a,b] y) { y = own.Absent(x) }
<opset_import: ["" : 17], domain: "own"> Twice (i) => (o) { o = Add(i, i) }""",
    "function_shape": """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
g (float[N,T,8] x) => (float[a,b] y) { y = own.Flat(x) }
<opset_import: ["" : 17], domain: "own"> Flat (i) => (o) { s = Shape<start=0, end=1>(i) m = Constant<value_ints=[-1]>() r = Concat<axis=0>(s, m) o = Reshape(i, r) }""",
}  # fmt: skip


def _fitted(text: str, free: str) -> str:
    """The text with the axes that are not free as numbers."""

    def inputs(match: re.Match[str]) -> str:
        return re.sub(
            r"\b([NTHW])\b", lambda m: m[1] if m[1] in free else str(_SIZES[m[1]]), match[0]
        )

    head, arrow, rest = text.partition("=>")
    return re.sub(r"\[[^\]]*\]", inputs, head) + arrow + rest


def graphs() -> Iterator[tuple[str, Any]]:
    """Every graph in its variants: fixed, free batch, all free."""
    import onnx.parser

    texts = [
        (name, f"<ir_version: {ir_of(imports)}, opset_import: [{imports}]>\ng {text}")
        for name, imports, text in _GRAPHS
    ]
    for name, text in (*texts, *_FUNCTIONS.items()):
        head, _, body = text.partition("g (")
        made: set[str] = set()
        for kind, free in (("fixed", ""), ("batch", "N"), ("free", "NTHW")):
            variant = head + _fitted("g (" + body, free)
            if variant in made:
                continue
            made.add(variant)
            try:
                model = onnx.parser.parse_model(variant)
            except onnx.parser.ParseError as error:
                print(f"  {name}: {str(error)[:300]}", file=sys.stderr)
                break
            yield f"{name}_{kind}", model


def ir_of(imports: str) -> int:
    """The IR version that writers of that opset use."""
    opset = int(imports.partition(":")[2].partition(",")[0])
    known = ((23, 11), (21, 10), (19, 9), (15, 8), (13, 7), (11, 6), (9, 4))
    return next((ir for since, ir in known if opset >= since), 3)


def external(directory: Path) -> None:
    """Weights in other files: whole, missing, cut off, above the folder, by an absolute path."""
    import numpy as np
    from onnx import TensorProto, helper

    weights = np.arange(8, dtype=np.float32).tobytes()
    (directory / "whole.bin").write_bytes(weights)
    (directory / "cut.bin").write_bytes(weights[:20])
    (directory.parent / "above.bin").write_bytes(weights)
    (directory / "inner").mkdir(exist_ok=True)
    (directory / "inner" / "deep.bin").write_bytes(weights)
    places = {
        "whole": "whole.bin", "missing": "absent.bin", "cut": "cut.bin", "above": "../above.bin",
        "absolute": str((directory / "whole.bin").resolve()), "deep": "inner/deep.bin",
        "round": "inner/../whole.bin", "dotted": "./whole.bin", "folder": "inner",
        "backslash": "inner\\deep.bin",
    }  # fmt: skip
    for name, location in places.items():
        tensor = helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.0] * 8)
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", location), ("offset", "0"), ("length", "32")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, text
        made = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])], [tensor],
        )  # fmt: skip
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        (directory / f"external_{name}.onnx").write_bytes(model.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    folder = arguments.directory / "models"
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for name, model in graphs():
        (folder / f"g_{name}.onnx").write_bytes(model.SerializeToString())
        number += 1
    external(folder)
    print(f"{number} graphs", file=sys.stderr)


if __name__ == "__main__":
    main()
