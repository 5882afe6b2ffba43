"""`skerry doctor`: looks at a platform from where it is called, and names each fault's remedy."""
