"""From values to stored numbers and back: packing, times, CF attributes, compression."""
