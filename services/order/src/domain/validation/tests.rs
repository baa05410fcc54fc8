use super::*;

fn item() -> ItemDraft {
    price("EUR", 9, 990_000_000)
}

fn price(currency_code: &str, units: i64, nanos: i32) -> ItemDraft {
    ItemDraft {
        product_id: "sku:1_a.b-C".into(),
        quantity: 2,
        unit_price: Some(PriceDraft {
            currency_code: currency_code.into(),
            units,
            nanos,
        }),
    }
}

fn draft(items: Vec<ItemDraft>) -> OrderDraft {
    OrderDraft {
        user_id: Uuid::from_u128(7).to_string(),
        items,
    }
}

fn fields(draft: OrderDraft) -> Vec<String> {
    draft
        .validate()
        .expect_err("the draft is bad")
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

#[test]
fn a_good_draft_becomes_an_order_with_its_exact_sum() {
    let new = draft(vec![item(), price("EUR", 0, 20_000_000)])
        .validate()
        .unwrap();
    assert_eq!(new.total, Money::new(Currency::EUR, 20, 20_000_000));
}

#[test]
fn limits_themselves_are_allowed() {
    let mut most = price("VND", MAX_UNIT_PRICE_UNITS, 0);
    most.quantity = MAX_QUANTITY;
    most.product_id = "p".repeat(MAX_PRODUCT_ID_CHARS);
    let total = draft(vec![most]).validate().unwrap().total;
    assert_eq!(total.units(), Some(MAX_TOTAL_UNITS));
    assert!(draft(vec![price("USD", 0, 0); MAX_ITEMS]).validate().is_ok());
}

#[test]
fn each_bad_amount_names_its_field() {
    let max = MAX_UNIT_PRICE_UNITS;
    for (units, nanos, expected) in [
        (-1, 0, vec!["units"]),
        (-1, -1, vec!["units"]),
        (-1, 1, vec!["units", "nanos"]),
        (1, -1, vec!["nanos"]),
        (0, -1, vec!["nanos"]),
        (1, 1_000_000_000, vec!["nanos"]),
        (1, i32::MIN, vec!["nanos"]),
        (max, 1, vec!["units"]),
        (max + 1, 0, vec!["units"]),
        (i64::MAX, i32::MAX, vec!["units", "nanos"]),
        (i64::MIN, 0, vec!["units"]),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|field| format!("items[0].unit_price.{field}"))
            .collect();
        assert_eq!(
            fields(draft(vec![price("EUR", units, nanos)])),
            expected,
            "{units} {nanos}"
        );
    }
}

#[test]
fn each_bad_item_names_its_field() {
    for product_id in ["", "a b", "é", "a/b", &"p".repeat(65)] {
        let bad = ItemDraft {
            product_id: product_id.into(),
            ..item()
        };
        assert_eq!(
            fields(draft(vec![item(), bad])),
            ["items[1].product_id"],
            "{product_id}"
        );
    }
    for quantity in [0, MAX_QUANTITY + 1, u32::MAX] {
        let bad = ItemDraft { quantity, ..item() };
        assert_eq!(fields(draft(vec![bad])), ["items[0].quantity"]);
    }
    let unpriced = ItemDraft {
        unit_price: None,
        ..item()
    };
    assert_eq!(fields(draft(vec![unpriced])), ["items[0].unit_price"]);
    for code in ["", "usd", "ABC"] {
        assert_eq!(
            fields(draft(vec![price(code, 1, 0)])),
            ["items[0].unit_price.currency_code"]
        );
    }
}

#[test]
fn the_item_in_another_currency_is_named() {
    let violations = draft(vec![price("???", 1, 0), price("EUR", 1, 0), price("USD", 1, 0)])
        .validate()
        .unwrap_err();
    assert_eq!(violations.len(), 2);
    assert_eq!(violations[1].field, "items[2].unit_price.currency_code");
    assert!(violations[1].takes.starts_with("must be EUR like items[1]"));
}

#[test]
fn no_items_or_too_many_or_too_much_in_all_is_refused() {
    assert_eq!(fields(draft(vec![])), ["items"]);
    assert_eq!(fields(draft(vec![item(); MAX_ITEMS + 1])), ["items"]);
    let mut most = price("EUR", MAX_UNIT_PRICE_UNITS, 0);
    most.quantity = MAX_QUANTITY;
    assert_eq!(fields(draft(vec![most.clone(), item()])), ["items"]);
    assert_eq!(fields(draft(vec![most; MAX_ITEMS])), ["items"]);
}

#[test]
fn every_bad_field_is_named_at_once() {
    let bad = ItemDraft {
        product_id: String::new(),
        quantity: 0,
        unit_price: Some(PriceDraft {
            currency_code: "?".into(),
            units: -1,
            nanos: 1,
        }),
    };
    let mut draft = draft(vec![item(), bad]);
    draft.user_id = "me".into();
    assert_eq!(
        fields(draft),
        [
            "user_id",
            "items[1].product_id",
            "items[1].quantity",
            "items[1].unit_price.units",
            "items[1].unit_price.nanos",
            "items[1].unit_price.currency_code",
        ]
    );
}

#[test]
fn a_reason_is_limited_in_characters_not_bytes() {
    assert!(Reason::parse("ü".repeat(MAX_REASON_CHARS)).is_ok());
    let violation = Reason::parse("a".repeat(MAX_REASON_CHARS + 1)).unwrap_err();
    assert_eq!(violation.field, "reason");
}
