from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog, set_language

from chat.views import accounts, operation

# The page's scripts speak the language of the page; its address carries the language, so it may be kept.
catalog = cache_control(max_age=3600, private=True)(JavaScriptCatalog.as_view(packages=["chat"]))

handler500 = "chat.views.faults.failed"

urlpatterns = [
    path("admin/login/", accounts.admin_login),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account")),
    path("admin/operation/", operation.last_day, name="operation"),
    path("admin/", admin.site.urls),
    path("language/", login_not_required(set_language), name="set_language"),
    path("texts.js", login_not_required(catalog), name="texts"),
    path("", include("api.urls")),
    path("", include("chat.urls")),
]
