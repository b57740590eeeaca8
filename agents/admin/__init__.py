"""The operator's side. `admin` holds the lists and pages, and alone knows HTTP; the rest is what they are made of."""

from agents.admin import admin as admin  # Django looks for what is registered here
