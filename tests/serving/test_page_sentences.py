"""The page of sentences, in a real browser, against a real server."""

import pytest

from tests.serving.browser import HEADLINE, SIZES, counts, expect, learned


@pytest.mark.slow
@SIZES
def test_sentences(visit, client, size):
    page = visit(size).go("/#/sentences")
    page.fill("#ask-text", "My parcel is lost")
    expect(page.locator(HEADLINE)).to_have_text("delivery")
    expect(page.locator(".words")).to_contain_text("parcel")
    expect(page.locator(".why .lines li").first).to_contain_text("delivery")
    page.get_by_label("Add a line to payment").fill("I want my money back\nIs there a discount?")
    page.keyboard.press("Enter")
    learned(page, "payment", 5)
    assert counts(client, page) == {"delivery": 3, "opening hours": 3, "payment": 5}
    page.fill("#ask-text", "Thanks a lot, you are great")
    page.fill("[placeholder='New class']", "thanks")
    page.get_by_role("button", name="Add a class").click()
    page.get_by_label("Add a line to thanks").fill("Thank you")
    page.keyboard.press("Enter")
    learned(page, "thanks", 1)
    expect(page.locator(HEADLINE)).to_have_text("thanks")
    expect(page.locator(".answer")).to_contain_text("Still missing: 1 of thanks")
    expect(page.locator("#advice")).to_contain_text("add 1 of thanks")
    page.get_by_role("button", name="Remove “Thank you”").click()
    expect(page.locator('.class[data-label="thanks"]')).to_have_count(0)


@pytest.mark.slow
def test_what_looks_wrong_is_shown_and_mended(visit, client):
    page = visit().go("/#/sentences")
    page.get_by_label("Add a line to payment").fill("The parcel has not arrived\nMy parcel is late")
    page.keyboard.press("Enter")
    learned(page, "payment", 5)
    expect(page.locator("#advice")).to_contain_text("looks like delivery")
    page.get_by_role("button", name="Move to delivery").first.click()
    learned(page, "payment", 4)
    learned(page, "delivery", 4)
