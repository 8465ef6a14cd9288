"""Many runs from one command line: `train.py -m`."""
