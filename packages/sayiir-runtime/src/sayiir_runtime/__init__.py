"""The imperative shell of Sayiir: runners, client, codecs and the memory backend."""

import logging

# The application decides what is shown of the loggers `sayiir.*`.
logging.getLogger("sayiir").addHandler(logging.NullHandler())
