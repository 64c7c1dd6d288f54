"""The pure heart of Sayiir: workflow model, authoring, sans-IO engine and ports."""
