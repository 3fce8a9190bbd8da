"""A small shop, and a customer who left something in every corner of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from oscar.core.loading import get_model

PRICE = Decimal("19.90")
WHEN = datetime(2026, 3, 2, tzinfo=UTC)


def make(label, **fields):
    return get_model(*label.split(".")).objects.create(**fields)


def shop():
    """Return what is sold."""
    kind = make("catalogue.ProductClass", name="Engines")
    partner = make("partner.Partner", name="Works")
    product = make("catalogue.Product", title="Engine", product_class=kind)
    stock = make(
        "partner.StockRecord", product=product, partner=partner, partner_sku="e1", price=PRICE
    )
    return {
        "product": product,
        "stock": stock,
        "partner": partner,
        "country": make("address.Country", iso_3166_1_a2="GB", printable_name="Britain"),
        "engraving": make("catalogue.Option", name="Engraving"),
        "voucher": make(
            "voucher.Voucher", name="Spring", code="SPRING", start_datetime=WHEN, end_datetime=WHEN
        ),
        "range": make("offer.Range", name="All"),
        "clerk": User.objects.create_user("clerk", "clerk@example.org", is_staff=True),
    }


def customer(names, street, goods):
    """Return a customer with orders, reviews, baskets, lists, addresses and mail."""
    made = User.objects.create_user(**names, email=f"{names['username']}@example.org")
    name = {"first_name": made.first_name, "last_name": made.last_name, "line1": street}
    made.groups.add(Group.objects.get_or_create(name="regulars")[0])
    make("address.UserAddress", user=made, country=goods["country"], **name)
    make(
        "payment.Bankcard",
        user=made,
        card_type="x",
        number=made.username,
        expiry_date=date(2030, 1, 1),
    )
    goods["partner"].users.add(made)
    _ordered(made, name, goods)
    _said(made, goods)
    _looked(made, goods)
    return made


def _ordered(made, name, goods):
    basket = make("basket.Basket", owner=made)
    bought = {"product": goods["product"], "stockrecord": goods["stock"]}
    line = make("basket.Line", basket=basket, line_reference=made.username, **bought)
    engraved = {"option": goods["engraving"], "value": f"For {made.first_name}"}
    make("basket.LineAttribute", line=line, **engraved)
    basket.vouchers.add(goods["voucher"])
    where = {"country": goods["country"], **name}
    order = make(
        "order.Order",
        number=f"{100_000 + made.pk}",
        user=made,
        basket=basket,
        guest_email=made.email,
        total_incl_tax=PRICE,
        total_excl_tax=PRICE,
        shipping_address=make("order.ShippingAddress", notes=f"Ring at {made.last_name}", **where),
        billing_address=make("order.BillingAddress", **where),
        date_placed=WHEN,
    )
    sums = dict.fromkeys(
        (
            "line_price_incl_tax",
            "line_price_excl_tax",
            "line_price_before_discounts_incl_tax",
            "line_price_before_discounts_excl_tax",
        ),
        PRICE,
    )
    ordered = make("order.Line", order=order, num_allocated=0, title="Engine", **sums, **bought)
    make("order.LineAttribute", line=ordered, type="Engraving", **engraved)
    make("order.OrderNote", order=order, user=goods["clerk"], message=f"{made.last_name} rang")
    kind = make("payment.SourceType", name=f"Card {made.pk}")
    source = make("payment.Source", order=order, source_type=kind, reference=made.email)
    make("payment.Transaction", source=source, txn_type="Debit", amount=PRICE, reference=made.email)
    make("voucher.VoucherApplication", voucher=goods["voucher"], user=made, order=order)


def _said(made, goods):
    review = make(
        "reviews.ProductReview",
        product=goods["product"],
        user=made,
        score=5,
        title="Good",
        body=f"It runs. Yours, {made.first_name} {made.last_name}",
        name=made.first_name,
        email=made.email,
    )
    make("reviews.Vote", review=review, user=made, delta=1)
    make("communication.Email", user=made, email=made.email, subject=f"Dear {made.first_name}")
    clerk = goods["clerk"]
    make("communication.Notification", recipient=made, sender=clerk, subject=made.first_name)
    make("communication.Notification", recipient=clerk, sender=made, subject=made.last_name)
    LogEntry.objects.create(
        user=clerk,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(made.pk),
        object_repr=made.username,
        action_flag=CHANGE,
        change_message=f"renamed {made.last_name}",
    )


def _looked(made, goods):
    make("customer.ProductAlert", product=goods["product"], user=made)
    make("customer.ProductAlert", product=goods["product"], email=made.email)
    wishes = make("wishlists.WishList", owner=made, name=f"{made.first_name}'s")
    make("wishlists.Line", wishlist=wishes, product=goods["product"], title="Engine")
    of_clerk = make("wishlists.WishList", owner=goods["clerk"], name="Office")
    make("wishlists.WishListSharedEmail", wishlist=of_clerk, email=made.email)
    make("analytics.UserProductView", user=made, product=goods["product"])
    make("analytics.UserSearch", user=made, query=made.last_name)
    make("analytics.UserRecord", user=made)
    make("offer.RangeProductFileUpload", range=goods["range"], uploaded_by=made, size=1)
