"""Hand-off: stored trials as runs of TensorBoard, MLflow or Weights & Biases, by their own libraries."""
