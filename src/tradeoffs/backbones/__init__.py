"""Images to features: one map per stage, with declared channels and strides."""
