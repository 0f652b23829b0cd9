"""Data, training, ONNX, model card and golden vectors of the fraud model."""
