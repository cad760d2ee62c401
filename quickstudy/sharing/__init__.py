"""Sharing of models: the Hugging Face Hub and ONNX."""
