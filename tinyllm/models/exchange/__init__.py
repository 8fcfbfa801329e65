"""How the models meet other tools' files: configs as JSON, tensors' names and order, GGUF, llama2.c.

The bytes of the files are ``models/formats``; here is what they mean for our models. Whoever only wants a model opened
or saved needs ``models/pretrained.py``, or ``tl.load`` and ``tl.save``.
"""
