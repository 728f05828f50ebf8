"""What checks keep of texts is bounded by their number and by their size."""

import threading

from lawspeaker.checks.text.kept import kept

MADE: list[str] = []


@kept(lambda text, other="": len(text) + len(other), most=3, characters=10)
def shout(text: str, other: str = "") -> str:
    MADE.append(text + other)
    return (text + other).upper()


def test_the_last_ones_are_kept_up_to_a_number_and_a_size() -> None:
    MADE.clear()
    assert [shout(text) for text in ("a", "b", "c", "a", "d", "a")] == ["A", "B", "C", "A", "D", "A"]
    assert MADE == ["a", "b", "c", "d"]
    shout("b")  # the oldest made room for "d"
    assert MADE[4:] == ["b"]
    shout("eeeeeeeee")  # nine characters: only one of the others stays beside it
    assert [shout("b"), MADE[5:]] == ["B", ["eeeeeeeee"]]
    shout("f" * 99)  # larger than all may be, and kept until the next one
    shout("f" * 99)
    shout("b")
    shout("f" * 99)
    assert MADE[6:] == ["f" * 99, "b", "f" * 99]
    assert shout("x", other="y") == shout("x", other="y") == "XY"
    assert MADE[9:] == ["xy"]


def test_many_threads_get_what_they_asked_for() -> None:
    wrong: list[str] = []

    def ask(number: int) -> None:
        for each in range(300):
            text = f"{(number * each) % 7}"
            if shout(text) != text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
