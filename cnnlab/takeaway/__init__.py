"""A run's network as a file for other programs: of Keras, ONNX, torch, or its weights alone.

Whatever engine and precision trained it, the file is a plain Keras network in float32 with the
weights that were learnt. It is written and opened again by a process of its own (`process`), on one
thread; where it does not answer as the network does, it is not handed over. Nothing here loads
Keras before a file is made (`plain`, `forms`).
"""

from cnnlab.takeaway.order import SUFFIXES, About, Form, about, file_name
from cnnlab.takeaway.process import make

__all__ = ["SUFFIXES", "About", "Form", "about", "file_name", "make"]
