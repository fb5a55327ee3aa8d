"""Models of transformers and of Keras for ``make_onnx_models.py``: small, with random weights."""

# mypy: disable-error-code="misc, import-not-found, import-untyped, no-untyped-call, unused-ignore"

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

Made = Iterator[tuple[str, Any]]


def hub() -> Made:
    """Small models of transformers with random weights: batch and length free, as optimum exports."""
    import io

    import onnx
    import torch
    import transformers as t

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 32, "vocab_size": 60, "max_position_embeddings": 32}  # fmt: skip
    ids = torch.randint(0, 50, (2, 6))
    mask = torch.ones_like(ids)
    pixels = torch.randn(2, 3, 16, 16)
    picture = {
        "image_size": 16,
        "patch_size": 8,
        **{k: v for k, v in small.items() if "_size" in k},
    }
    wide = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 60, "n_positions": 32}
    models: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        "bert": (lambda: t.BertModel(t.BertConfig(**small)), {"input_ids": ids, "attention_mask": mask}),
        "bert_tokens": (
            lambda: t.BertForTokenClassification(t.BertConfig(**small)),
            {"input_ids": ids, "attention_mask": mask},
        ),
        "roberta": (
            lambda: t.RobertaForSequenceClassification(t.RobertaConfig(**small)),
            {"input_ids": ids, "attention_mask": mask},
        ),
        "distilbert": (
            lambda: t.DistilBertModel(
                t.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, vocab_size=60)
            ),
            {"input_ids": ids, "attention_mask": mask},
        ),
        "gpt2": (
            lambda: t.GPT2LMHeadModel(t.GPT2Config(**wide, use_cache=False)),
            {"input_ids": ids, "attention_mask": mask},
        ),
        "gpt2_classifier": (
            lambda: t.GPT2ForSequenceClassification(
                t.GPT2Config(**wide, use_cache=False, pad_token_id=0)
            ),
            {"input_ids": ids},
        ),
        "llama": (
            lambda: t.LlamaForCausalLM(
                t.LlamaConfig(**small, num_key_value_heads=1, use_cache=False)
            ),
            {"input_ids": ids, "attention_mask": mask},
        ),
        "vit": (
            lambda: t.ViTForImageClassification(
                t.ViTConfig(**picture, num_hidden_layers=2, num_attention_heads=2)
            ),
            {"pixel_values": pixels},
        ),
        "clip_vision": (
            lambda: t.CLIPVisionModel(
                t.CLIPVisionConfig(
                    hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                    num_attention_heads=2, image_size=16, patch_size=8,
                )
            ),
            {"pixel_values": pixels},
        ),
        "resnet": (
            lambda: t.ResNetForImageClassification(
                t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
            ),
            {"pixel_values": pixels},
        ),
        "segformer": (
            lambda: t.SegformerForSemanticSegmentation(
                t.SegformerConfig(
                    hidden_sizes=[8, 16], depths=[1, 1], num_encoder_blocks=2, sr_ratios=[2, 1],
                    patch_sizes=[3, 3], strides=[2, 2], num_attention_heads=[1, 2],
                    mlp_ratios=[2, 2], decoder_hidden_size=8,
                )
            ),
            {"pixel_values": pixels},
        ),
        "t5_encoder": (
            lambda: t.T5EncoderModel(
                t.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=60)
            ),
            {"input_ids": ids, "attention_mask": mask},
        ),
    }  # fmt: skip

    class Plain(torch.nn.Module):
        def __init__(self, inner: Any, names: list[str]) -> None:
            super().__init__()
            self.inner = inner
            self.names = names

        def forward(self, *given: Any) -> Any:
            found = self.inner(**dict(zip(self.names, given, strict=True)), return_dict=True)
            return found.logits if hasattr(found, "logits") else found.last_hidden_state

    for name, (make, given) in models.items():
        torch.manual_seed(0)
        try:
            module = Plain(make().eval(), list(given)).eval()
        except Exception as error:
            print(f"  {name}: {str(error)[:140]}", file=sys.stderr)
            continue
        values = tuple(given.values())
        for kind, free in (("fixed", ()), ("batch", (0,)), ("more", (0, 1, 2, 3))):
            if kind == "more" and "pixel_values" in given:
                continue
            axes = {n: {a: f"{a}" for a in free if a < v.dim()} for n, v in given.items()}
            for opset in (14, 17) if kind == "batch" else (17,):
                out = io.BytesIO()
                try:
                    torch.onnx.export(
                        module, values, out, input_names=list(given), output_names=["y"],
                        dynamic_axes=axes if free else None, opset_version=opset, dynamo=False,
                    )  # fmt: skip
                    yield f"hub_ts_{name}_{opset}_{kind}", onnx.load_from_string(out.getvalue())
                except Exception as error:
                    print(f"  ts {name} {kind}: {str(error)[:140]}", file=sys.stderr)
            dynamic = torch.export.Dim.DYNAMIC
            shapes = (tuple({a: dynamic for a in free if a < v.dim()} for v in values),)
            try:
                program = torch.onnx.export(
                    module, values, input_names=list(given), dynamo=True, verbose=False,
                    dynamic_shapes=shapes if free else None, opset_version=18,
                )  # fmt: skip
                yield f"hub_dy_{name}_{kind}", program.model_proto
            except Exception as error:
                print(f"  dy {name} {kind}: {str(error)[:140]}", file=sys.stderr)


def keras() -> Made:
    """Keras models and TensorFlow functions through tf2onnx, rows free and fixed."""
    import tensorflow as tf
    import tf2onnx

    k = tf.keras
    layers = k.layers

    def stacked(*shape: Any) -> Callable[..., Any]:
        return lambda *parts: k.Sequential([k.Input(shape), *parts])

    row, seq, image = stacked(6), stacked(None, 4), stacked(16, 16, 3)
    models = {
        "mlp": row(layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(2)),
        "norm": row(layers.LayerNormalization(), layers.BatchNormalization(), layers.Dense(2)),
        "cnn": image(layers.Conv2D(4, 3), layers.MaxPool2D(), layers.Flatten(), layers.Dense(3)),
        "same": image(layers.Conv2D(4, 3, 2, "same"), layers.GlobalAveragePooling2D()),
        "depth": image(layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3), layers.Flatten()),
        "up": image(layers.Conv2DTranspose(4, 3, 2, "same"), layers.UpSampling2D(2)),
        "bilinear": image(layers.UpSampling2D(2, interpolation="bilinear"), layers.Cropping2D(2)),
        "free_image": stacked(None, None, 3)(layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()),
        "resized": stacked(None, None, 3)(layers.Resizing(8, 8), layers.Flatten()),
        "lstm": seq(layers.LSTM(4, return_sequences=True), layers.Dense(2)),
        "gru": seq(layers.GRU(4)),
        "bilstm": seq(layers.Bidirectional(layers.LSTM(4))),
        "fixed_lstm": stacked(5, 4)(layers.LSTM(4), layers.Dense(1)),
        "masked": seq(layers.Masking(), layers.LSTM(4)),
        "conv1d": seq(layers.Conv1D(4, 3, padding="causal"), layers.GlobalAveragePooling1D()),
        "embedded": k.Sequential(
            [k.Input((None,), dtype="int32"), layers.Embedding(20, 4), layers.LSTM(3)]
        ),
        "masked_embedding": k.Sequential(
            [
                k.Input((None,), dtype="int32"),
                layers.Embedding(20, 4, mask_zero=True),
                layers.GRU(3),
            ]
        ),
        "reshaped": row(layers.Reshape((2, 3)), layers.Permute((2, 1)), layers.Flatten()),
        "repeated": row(layers.RepeatVector(3), layers.TimeDistributed(layers.Dense(2))),
    }
    a = k.Input((None, 8))
    models["attention"] = k.Model(a, layers.MultiHeadAttention(2, 4)(a, a))
    f32, i32 = tf.float32, tf.int32

    functions: dict[str, tuple[Callable[..., Any], list[tuple[Any, Any]]]] = {
        "mask": (lambda x: tf.boolean_mask(x, x[:, 0] > 0), [((None, 4), f32)]),
        "where": (lambda x: tf.where(x > 0), [((None, 4), f32)]),
        "unique": (lambda x: tf.unique(x)[0], [((None,), i32)]),
        "range": (lambda n: tf.range(n), [((), i32)]),
        "while": (
            lambda x: tf.while_loop(
                lambda i, _: i < 3, lambda i, v: (i + 1, v * 2.0), (tf.constant(0), x)
            )[1],
            [((None, 4), f32)],
        ),
        "while_data": (
            lambda x: tf.while_loop(lambda v: tf.reduce_max(v) < 9.0, lambda v: v + 1.0, [x])[0],
            [((None, 4), f32)],
        ),
        "cond": (
            lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0),
            [((None, 4), f32)],
        ),
        "cond_shape": (
            lambda x: tf.cond(tf.shape(x)[0] > 2, lambda: x * 2.0, lambda: x - 1.0),
            [((None, 4), f32)],
        ),
        "nms": (
            lambda b, s: tf.image.non_max_suppression(b, s, 3),
            [((6, 4), f32), ((6,), f32)],
        ),
        "nms_gathered": (
            lambda b, s: tf.gather(b, tf.image.non_max_suppression(b, s, 3)),
            [((None, 4), f32), ((None,), f32)],
        ),
        "top_k": (lambda x: tf.math.top_k(x, 2).values, [((None, 5), f32)]),
        "tile": (lambda x: tf.tile(x, [1, tf.shape(x)[0]]), [((None, 4), f32)]),
        "broadcast": (lambda x: tf.broadcast_to(x[:1], tf.shape(x)), [((None, 4), f32)]),
        "strided": (lambda x: x[:, ::-1][:, 1:-1], [((None, 5), f32)]),
        "sequence_mask": (lambda n: tf.sequence_mask(n), [((None,), i32)]),
        "sequence_mask_fixed": (lambda n: tf.sequence_mask(n, 8), [((None,), i32)]),
        "one_hot": (lambda n: tf.one_hot(n, 5), [((None,), i32)]),
        "resize": (
            lambda x: tf.image.resize(x, [4, 4], method="nearest"),
            [((None, None, None, 3), f32)],
        ),
        "resize_twice": (
            lambda x: tf.image.resize(x, 2 * tf.shape(x)[1:3]),
            [((None, None, None, 3), f32)],
        ),
        "scatter": (
            lambda x: tf.tensor_scatter_nd_update(x, [[0, 1]], [1.0]),
            [((None, 4), f32)],
        ),
        "pad": (lambda x: tf.pad(x, [[0, 0], [1, 2]]), [((None, 4), f32)]),
        "split": (lambda x: tf.split(x, 2, axis=1)[0], [((None, 4), f32)]),
        "slice_data": (lambda x, n: x[:, : n[0]], [((None, 9), f32), ((1,), i32)]),
        "einsum": (
            lambda x, y: tf.einsum("bij,bkj->bik", x, y),
            [((None, 3, 4), f32), ((None, 5, 4), f32)],
        ),
        "segment": (
            lambda x, i: tf.math.unsorted_segment_sum(x, i, 3),
            [((None, 4), f32), ((None,), i32)],
        ),
        "cumsum": (lambda x: tf.cumsum(x, axis=1), [((None, 4), f32)]),
        "reverse": (lambda x, n: tf.reverse_sequence(x, n, 1), [((None, 6), f32), ((None,), i32)]),
    }

    def attempt(name: str, make: Callable[[], Any]) -> Made:
        try:
            yield name, make()[0]
        except Exception as error:
            print(f"  {name}: {str(error).splitlines()[:1]}"[:140], file=sys.stderr)

    for name, model in models.items():
        shapes = [(1, *(8 if d is None else d for d in i.shape[1:])) for i in model.inputs]
        for kind, opset in (("batch", 13), ("batch", 17), ("fixed", 15)):
            spec = [
                tf.TensorSpec(s if kind == "fixed" else i.shape, i.dtype, name=f"x{n}")
                for n, (s, i) in enumerate(zip(shapes, model.inputs, strict=True))
            ]
            convert = partial(tf2onnx.convert.from_keras, model, input_signature=spec, opset=opset)
            yield from attempt(f"keras_{name}_{opset}_{kind}", convert)
    for name, (function, given) in functions.items():
        for kind, opset in (("free", 13), ("free", 17), ("fixed", 16)):
            spec = [
                tf.TensorSpec([4 if d is None and kind == "fixed" else d for d in shape], dtype)
                for shape, dtype in given
            ]
            convert = partial(
                tf2onnx.convert.from_function,
                tf.function(function, input_signature=spec),
                input_signature=spec,
                opset=opset,
            )
            yield from attempt(f"tf_{name}_{opset}_{kind}", convert)
