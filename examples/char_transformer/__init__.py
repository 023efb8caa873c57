"""A character-level transformer of nanoGPT's size: the run that the demo tunes.

``model.build(width, depth)``, ``data.load_text(path)``, ``train.train(model, optimizer, text, ...)``.
"""
