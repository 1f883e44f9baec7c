"""Every script, in every way of playing it."""


def test_dialogue(play_file, dialogue, way):
    play_file(dialogue, way)
