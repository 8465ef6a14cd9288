"""Networks that know nothing of Lightning, Hydra or data sets: forward, losses, predict."""
