import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from tradeoffs.ops.box_coding import decode, encode

sides = st.floats(2, 300)
places = st.floats(-50, 400)


def test_offsets_by_hand():
    reference = torch.tensor([[0.0, 0, 10, 20]])
    box = torch.tensor([[1.0, 4, 21, 24]])  # centre moved by 6 of width 10 and 4 of height 20, width doubled
    assert_close(encode(box, reference), torch.tensor([[6.0, 2.0, 5 * math.log(2), 0.0]]))


@given(places, places, sides, sides, places, places, sides, sides)
def test_decode_inverts_encode(x, y, w, h, rx, ry, rw, rh):
    # Ratios above the limit of growth cannot come back.
    box = torch.tensor([[x, y, x + min(w, 60 * rw), y + min(h, 60 * rh)]], dtype=torch.float64)
    reference = torch.tensor([[rx, ry, rx + rw, ry + rh]], dtype=torch.float64)
    assert_close(decode(encode(box, reference), reference), box, atol=1e-6, rtol=1e-9)


def test_growth_is_limited():
    box = decode(torch.tensor([[0.0, 0, 500, 500]]), torch.tensor([[0.0, 0, 16, 16]]))
    assert_close(box, torch.tensor([[-492.0, -492, 508, 508]]))
