"""The stories of the first lessons: what is said of them is true."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.learn.material import stories

TOLD = stories.stories(np.random.default_rng(5), 300)


def test_all_of_them_make_sense_and_the_same_seed_tells_the_same():
    assert all(map(stories.makes_sense, TOLD))
    assert stories.stories(np.random.default_rng(5), 300) == TOLD
    assert len(set(TOLD)) > 250


@pytest.mark.parametrize(
    "story",
    [
        "Mia has a gold drum. He lends it to Tom. Now Tom has the gold drum.",  # the pronoun
        "Mia has a gold drum. She lends it to Mia. Now Mia has the gold drum.",  # to herself
        "Mia has a gold drum. She lends it to Tom. Now Tom has the red drum.",  # another color
        "Mia has a gold drum. She lends it to Tom. Now Tom has the gold lamp.",  # another thing
        "Mia has a gold drum. She lends it to Bob. Now Bob has the gold drum.",  # nobody
        "Mia has a gold drum. She lends it to Tom.",
        "",
    ],
)
def test_what_makes_no_sense(story):
    assert not stories.makes_sense(story)


def test_the_bits_are_those_of_all_stories_there_are():
    names, colors, things, verbs = 8, len(stories.COLORS), len(stories.THINGS), len(stories.VERBS)
    assert 2 ** stories.bits() == pytest.approx(names * 7 * colors * things * verbs)


def test_every_choice_is_about_as_likely_as_the_others():
    givers = [story.split()[0] for story in stories.stories(np.random.default_rng(0), 4000)]
    assert all(abs(givers.count(name) / 4000 - 1 / 8) < 0.02 for name in stories.SHE + stories.HE)


def test_as_text_ends_every_story_with_a_line_end():
    assert stories.as_text(TOLD[:2]) == f"{TOLD[0]}\n{TOLD[1]}\n"
