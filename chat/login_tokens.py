"""One-time login tokens: Django's, made from what a login changes."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator


class LoginTokenGenerator(PasswordResetTokenGenerator):
    """Good for one login within a day; a password reset cannot be done with it, nor the other way round."""

    key_salt = "chat.login_tokens"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        # the last login to the microsecond: Django's own cuts it to the second, in which a token would work again
        return f"{user.pk}{user.password}{user.last_login}{timestamp}{user.is_active}"


login_tokens = LoginTokenGenerator()
