"""The test kit of Sayiir: conformance suites, a virtual clock and throw-away servers."""
