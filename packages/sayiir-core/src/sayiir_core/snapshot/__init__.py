"""The snapshot model: heads, cursors, records, references, effects, and what a commit means."""
