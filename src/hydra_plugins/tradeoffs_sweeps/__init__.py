"""What `train.py -m` plugs into Hydra."""
