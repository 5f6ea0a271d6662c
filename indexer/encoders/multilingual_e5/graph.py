"""ONNX graph of multilingual-e5-small (a BERT encoder) with integer weights, built from a weights file.

Linear layers multiply int8 by int8 (`DynamicQuantizeMatMul`), twice as fast as float32 on one core; those that end a
feed-forward block keep their 4 bits (`MatMulNBits`), since a few of their inputs are fifty times the others, which a
single scale for all would blur. Both are operators of ONNX Runtime (domain `com.microsoft`).
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from indexer.encoders.multilingual_e5.tuning import NO_TUNING, Tuning
from indexer.encoders.multilingual_e5.weights_file import BLOCK_SIZE, QuantizedMatrix, WeightsFile

EMBEDDINGS, MASK, HIDDEN = "embeddings", "mask", "hidden"
"""Form: names of the inputs and the output; embeddings and hidden states are float32 `[texts, tokens, width]`, the mask
int32 `[texts, tokens]`."""
_INT8_LIMIT = 63
"""Source: ONNX Runtime's guide to quantization, "reduce range": sums of two products of 8-bit numbers overflow 16 bits
on CPUs without VNNI. Seven bits are enough for weights that had four."""
_OPSET, _IR_VERSION = 18, 10
"""Source: what ONNX Runtime 1.20, the oldest that is supported, reads."""
_MICROSOFT = "com.microsoft"


def build_graph(weights: WeightsFile, layers: range | None = None, tuning: Tuning = NO_TUNING) -> bytes:
    """Return the serialized graph of some layers in a row, all of them where `layers` is None.

    Token embeddings go in where the first layer is one of them, else the hidden states that the layer before gives;
    hidden states of the last one come out.
    """
    return _GraphBuilder(weights, range(weights.sizes.layers) if layers is None else layers, tuning).build()


class _GraphBuilder:
    """Nodes and constants of the graph while it is built."""

    def __init__(self, weights: WeightsFile, layers: range, tuning: Tuning) -> None:
        self._weights, self._sizes = weights, weights.sizes
        self._layers, self._tuning = layers, tuning
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def build(self) -> bytes:
        """Build the whole graph."""
        sizes = self._sizes
        hidden = EMBEDDINGS if self._layers.start else self._normalize_embeddings()
        for layer in self._layers:
            output = HIDDEN if layer == self._layers[-1] else f"hidden{layer + 1}"
            hidden = self._layer(f"l{layer}", hidden, output)
        shape = ["texts", "tokens", sizes.width]
        graph = helper.make_graph(
            self._nodes,
            "multilingual-e5-small",
            [
                helper.make_tensor_value_info(EMBEDDINGS, TensorProto.FLOAT, shape),
                helper.make_tensor_value_info(MASK, TensorProto.INT32, shape[:2]),
            ],
            [helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, shape)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _normalize_embeddings(self) -> str:
        inputs = [EMBEDDINGS, self._vector("emb.ln.w"), self._vector("emb.ln.b")]
        return self._node("LayerNormalization", inputs, "hidden0", epsilon=self._sizes.norm_epsilon)

    def _layer(self, name: str, hidden: str, output: str) -> str:
        """Add an encoder layer: attention and feed-forward, each with its residual and normalization."""
        width, inner = self._sizes.width, self._sizes.inner_width
        query, key, value = (self._linear(f"{name}.{part}", hidden, width) for part in "qkv")
        context = self._node(
            "MultiHeadAttention",
            [query, key, value, "", MASK],
            f"{name}.context",
            _MICROSOFT,
            num_heads=self._sizes.heads,
        )
        attended = self._linear(f"{name}.ao", context, width)
        hidden = self._add_and_normalize(f"{name}.aln", attended, hidden, f"{name}.attended")
        expanded = self._linear(f"{name}.fi", hidden, inner, has_bias=False)
        active = self._node("BiasGelu", [expanded, self._vector(f"{name}.fi.b")], f"{name}.active", _MICROSOFT)
        projected = self._linear_4_bits(f"{name}.fo", active, width)
        return self._add_and_normalize(f"{name}.oln", projected, hidden, output, self._vector(f"{name}.fo.b"))

    def _linear(self, name: str, source: str, rows: int, *, has_bias: bool = True) -> str:
        """Add a linear layer with int8 weights, quantized by output."""
        weights = self._tuned_matrix(f"{name}.w", rows).T
        scales = np.abs(weights).max(axis=0) / _INT8_LIMIT
        quantized = np.round(weights / scales).astype(np.int8)
        inputs = [
            source,
            self._constant(f"{name}.int8", quantized),
            self._constant(f"{name}.scales", scales.astype(np.float32)),
            self._constant(f"{name}.zeros", np.zeros(rows, np.int8)),
            self._vector(f"{name}.b") if has_bias else "",
        ]
        return self._node("DynamicQuantizeMatMul", inputs, f"{name}.out", _MICROSOFT)

    def _linear_4_bits(self, name: str, source: str, rows: int) -> str:
        """Add a linear layer with the weights in the 4 bits that they have."""
        matrix = self._weights.matrix(f"{name}.w", rows)
        inputs = [
            source,
            self._constant(f"{name}.int4", _pack_neighbours(matrix)),
            self._constant(f"{name}.scales", matrix.scales.reshape(-1)),
        ]
        columns = matrix.scales.shape[1] * BLOCK_SIZE
        return self._node(
            "MatMulNBits",
            inputs,
            f"{name}.out",
            _MICROSOFT,
            K=columns,
            N=rows,
            bits=4,
            block_size=BLOCK_SIZE,
            accuracy_level=4,  # the operator's code for int8 activations
        )

    def _add_and_normalize(self, name: str, source: str, residual: str, output: str, bias: str | None = None) -> str:
        inputs = [source, residual, self._vector(f"{name}.w"), self._vector(f"{name}.b"), *([bias] if bias else [])]
        epsilon = self._sizes.norm_epsilon
        return self._node("SkipLayerNormalization", inputs, output, _MICROSOFT, epsilon=epsilon)

    def _node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: float) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def _vector(self, name: str) -> str:
        tuned = self._tuning.vectors.get(name)
        return self._constant(name, self._weights.vector(name) if tuned is None else tuned)

    def _tuned_matrix(self, name: str, rows: int) -> NDArray[np.float32]:
        weights = self._weights.matrix(name, rows).dequantize()
        down, up = self._tuning.updates.get(name, (None, None))
        return weights if down is None or up is None else weights + up @ down

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _pack_neighbours(matrix: QuantizedMatrix) -> NDArray[np.uint8]:
    """Return 4-bit values as `MatMulNBits` has them, `[rows, blocks, 16]`: two neighbours in a byte, the first low."""
    packed: NDArray[np.uint8] = matrix.values[..., 0::2] | np.left_shift(matrix.values[..., 1::2], 4, dtype=np.uint8)
    return packed
