"""The ports: small blocking protocols between the engine's drivers and what they stand on."""
