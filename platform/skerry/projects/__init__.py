"""Project space: projects that live on the platform, with members, requests for access and ends."""
