"""A shop made with django-oscar and nothing else, with Django's stock users."""

import json
import os
from pathlib import Path

from oscar.defaults import *  # noqa: F403 - the settings that its applications read

SECRET_KEY = "a key of the shop, for tests alone"
USE_TZ = True
SITE_ID = 1
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
OF_OSCAR = """
    analytics.apps.AnalyticsConfig checkout.apps.CheckoutConfig address.apps.AddressConfig
    shipping.apps.ShippingConfig catalogue.apps.CatalogueConfig
    catalogue.reviews.apps.CatalogueReviewsConfig communication.apps.CommunicationConfig
    partner.apps.PartnerConfig basket.apps.BasketConfig payment.apps.PaymentConfig
    offer.apps.OfferConfig order.apps.OrderConfig customer.apps.CustomerConfig
    search.apps.SearchConfig voucher.apps.VoucherConfig wishlists.apps.WishlistsConfig
    dashboard.apps.DashboardConfig dashboard.catalogue.apps.CatalogueDashboardConfig
    dashboard.communications.apps.CommunicationsDashboardConfig
    dashboard.offers.apps.OffersDashboardConfig dashboard.orders.apps.OrdersDashboardConfig
    dashboard.pages.apps.PagesDashboardConfig dashboard.partners.apps.PartnersDashboardConfig
    dashboard.ranges.apps.RangesDashboardConfig dashboard.reports.apps.ReportsDashboardConfig
    dashboard.reviews.apps.ReviewsDashboardConfig dashboard.shipping.apps.ShippingDashboardConfig
    dashboard.users.apps.UsersDashboardConfig dashboard.vouchers.apps.VouchersDashboardConfig
"""
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "oscar.config.Shop",
    *(f"oscar.apps.{name}" for name in OF_OSCAR.split()),
    "treebeard",
    "efface.django",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
if "DATABASE" in os.environ:
    DATABASES["default"] = json.loads(os.environ["DATABASE"])
EFFACE = {"SECRET": "a key for the tests alone", "POLICY": Path(__file__).with_name("policy.toml")}
