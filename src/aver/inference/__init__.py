"""The analysis pipeline on ONNX Runtime, free of torch."""
