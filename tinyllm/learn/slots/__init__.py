"""The library's functions as exercises: read from its source, handed out as stubs, swapped while the stack runs."""
