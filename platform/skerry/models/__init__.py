"""What the platform's parts tell each other over HTTP: one definition of each thing.

The stores return these models, routes answer with them, OpenAPI describes them, and the client
reads answers into them again. Documents of STAC are the standard's own and are not here.
"""
