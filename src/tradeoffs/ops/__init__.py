"""Pure functions on tensors: boxes, default boxes, box coding, matching, sampling, suppression."""
