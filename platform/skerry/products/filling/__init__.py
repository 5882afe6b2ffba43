"""One way to lay out arrays and to fill them, for every format that is written."""
