"""ONNX models: the file skimmed on the wire, its graph interpreted over shapes, what opens it."""
