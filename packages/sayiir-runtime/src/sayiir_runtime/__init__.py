"""The imperative shell of Sayiir: runners, client, codecs and the memory backend."""
