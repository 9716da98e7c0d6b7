//! The pictures of the README, taken from what `quorate dev` really shows.

use serde_json::json;

use super::{ANSWERED, ask, crowd, opened_at};

#[tokio::test]
#[ignore = "it renews docs/images: make screenshots"]
async fn renew_the_pictures_of_the_readme() {
    let (_dev, api) = crowd(5).await;
    for number in 0..24 {
        let rule = if number % 5 == 3 { json!("0.01") } else { json!("0.06") };
        // Some requests fail, as in `dev` they should.
        api.ask(json!({"query": "BTC/USD", "max_deviation": rule})).await;
        if number % 6 == 5 {
            api.ask(json!({"query": "ETH/USD"})).await;
        }
    }
    let browser = opened_at(&api, 5).await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    browser.script("document.activeElement.blur()").await;
    for scheme in ["light", "dark"] {
        browser.show(1280, scheme).await;
        browser.until(&format!("matchMedia('(prefers-color-scheme: {scheme})').matches")).await;
        browser.shot(1280, 1000, &format!("docs/images/dashboard-{scheme}.png")).await;
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}
