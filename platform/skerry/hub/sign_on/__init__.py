"""Sign-on of people with an OpenID provider: who they are, what they may do, and for how long."""

from skerry.hub.sign_on.setter import set_one_machine, set_sign_on

__all__ = ["set_one_machine", "set_sign_on"]
