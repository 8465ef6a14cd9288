"""Speed and accuracy of vision models, measured the same way."""
