"""The operator's side: `admin` holds the lists and pages, the other files what they are made of."""

from agents.admin import admin as admin  # Django looks for what is registered here
from agents.admin import connections as connections
from agents.admin import functions as functions
from agents.admin import quotas as quotas
from agents.admin import tokens as tokens
