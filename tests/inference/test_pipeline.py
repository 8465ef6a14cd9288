from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tradeoffs.inference.pipeline import ahead, batched


def test_the_pool_works_ahead_but_not_far():
    asked = []

    def numbers() -> Iterator[int]:
        for number in range(6):
            asked.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        squares = ahead(pool, lambda number: number**2, numbers(), 2)
        assert next(squares) == 0
        assert asked == [0, 1, 2]
        assert list(squares) == [1, 4, 9, 16, 25]


def test_batches():
    assert list(batched("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
