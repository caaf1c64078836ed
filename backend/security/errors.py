"""What can be wrong with a credential, in this layer's words."""


class TokenInvalid(Exception):
    """The token is not one of ours, or not good now. The reason is for logs, never for its holder."""


class SecretUnreadable(Exception):
    """A stored secret cannot be read with the keys that there are. The message says why, for the operator."""


class PasswordRefused(Exception):
    """The password cannot be chosen. The message says why and what to do."""


class RotationTooSoon(Exception):
    """The keys were changed a short while ago. The message says when they can be changed again."""
