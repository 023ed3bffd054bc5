//! Lists and traces in pages, while the ledger grows.

use std::sync::atomic::{AtomicU32, Ordering};

use jangbu_ledger::statement::Basis;

use super::*;

/// That the product contains something.
fn contains(child: Identifier) -> Statement {
    statement(Kind::ComponentLinked {
        child,
        basis: Basis::AsBuilt,
        quantity: None,
    })
}

async fn record(alone: &Alone, running: &Running, statement: Statement) {
    let (status, answer) = post(running, &alone.envelope(vec![statement])).await;
    assert_eq!(status, 200, "{answer}");
}

/// Every item of a list, page by page; `between` runs before each further page.
async fn pages<F: Future<Output = ()>>(
    running: &Running,
    path: &str,
    next: &str,
    mut between: impl FnMut() -> F,
) -> Vec<Value> {
    let (mut all, mut more) = (Vec::new(), String::new());
    loop {
        let page = get(running, &format!("{path}{more}")).await;
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_u64() {
            Some(place) => more = format!("&{next}={place}"),
            None => return all,
        }
        between().await;
    }
}

/// All parts of a trace, `limit` links in each: their things and their links.
async fn parts<F: Future<Output = ()>>(
    running: &Running,
    path: &str,
    limit: usize,
    mut between: impl FnMut() -> F,
) -> (Vec<Value>, Vec<Value>) {
    let (mut nodes, mut edges, mut more) = (Vec::new(), Vec::new(), String::new());
    loop {
        let part = get(running, &format!("{path}&limit={limit}{more}")).await;
        let links = part["edges"].as_array().unwrap();
        nodes.extend(part["nodes"].as_array().unwrap().iter().cloned());
        edges.extend(links.iter().cloned());
        assert_eq!(part["truncated"], false, "{part}");
        match part["next"].as_str() {
            Some(place) => more = format!("&after={place}"),
            None => return (nodes, edges),
        }
        assert_eq!(links.len(), limit, "{part}");
        between().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_trace_are_the_whole_of_it() {
    let alone = Alone::new();
    let running = alone.start().await;
    let part = |n: u32| Identifier::parse(&format!("urn:uuid:00000000-0000-4000-8000-{n:012x}"));
    let made = AtomicU32::new(0);
    let say = async || {
        let n = made.fetch_add(1, Ordering::Relaxed);
        record(&alone, &running, contains(part(n).unwrap())).await;
    };
    record(&alone, &running, issued()).await;
    for _ in 0..5 {
        say().await;
    }
    let path = format!("/v1/trace?identifier={PRODUCT}");
    let whole = get(&running, &path).await;
    let height = whole["height"].as_u64().unwrap();
    let nodes = whole["nodes"].as_array().unwrap().clone();
    let edges = whole["edges"].as_array().unwrap().clone();
    assert_eq!((nodes.len(), edges.len()), (6, 5), "{whole}");
    assert_eq!(whole["next"], Value::Null);
    for limit in 1..=6 {
        let (some, links) =
            parts(&running, &format!("{path}&at={height}"), limit, async || {}).await;
        assert_eq!((&some, &links), (&nodes, &edges), "{limit}");
    }
    // What is linked meanwhile is not in the parts that are left.
    let grown = parts(&running, &path, 2, &say).await;
    assert_eq!(grown, (nodes, edges));
    let more = get(&running, &path).await;
    assert_eq!(more["edges"].as_array().unwrap().len(), 7, "{more}");
    for (bad, why) in [
        ("limit=0", "limit"),
        ("limit=100001", "limit"),
        ("after=7", "after"),
        ("after=7.x", "after"),
        ("after=1.1&at=2", "leave at out"),
    ] {
        let (status, _, answer) = request(&running, "GET", &format!("{path}&{bad}"), b"").await;
        assert_eq!(status, 400, "{bad}");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(why), "{bad}: {answer}");
    }
    let beyond = format!("{path}&after={}.0", height + 100);
    assert_eq!(request(&running, "GET", &beyond, b"").await.0, 404);
    running.stop(&alone.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_taken_while_the_ledger_grows_are_the_whole_of_it() {
    let alone = Alone::new();
    let running = alone.start().await;
    let part = Identifier::parse("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a67").unwrap();
    let said = AtomicU32::new(0);
    let say = async || {
        let occurrence = said.fetch_add(1, Ordering::Relaxed);
        let link = contains(part.clone());
        record(&alone, &running, Statement { occurrence, ..link }).await;
    };
    record(&alone, &running, issued()).await;
    for _ in 0..3 {
        say().await;
    }
    let stream = format!("/v1/subjects/statements?identifier={PRODUCT}&side=open");
    for (list, next, then) in [
        ("/v1/entries?".to_owned(), "from", 9),
        (format!("{stream}&"), "after", 4),
    ] {
        let height = get(&running, "/v1/status").await["height"]
            .as_u64()
            .unwrap();
        let at = |limit: u32| format!("{list}limit={limit}&at={height}");
        let whole = get(&running, &at(1000)).await["items"]
            .as_array()
            .unwrap()
            .clone();
        assert!(whole.len() >= then, "{}", whole.len());
        let paged = pages(&running, &at(2), next, &say).await;
        assert_eq!(paged, whole, "{list}");
        // Without a height the list goes on to whatever is there when the last page is read.
        let paged = pages(&running, &format!("{list}limit=3"), next, async || {}).await;
        let whole = get(&running, &format!("{list}limit=1000")).await;
        assert_eq!(&paged, whole["items"].as_array().unwrap(), "{list}");
        assert!(paged.len() > then);
    }
    // The subject as it was at every height.
    let path = format!("/v1/subjects?identifier={PRODUCT}");
    for height in 0..=6u64 {
        let was = get(&running, &format!("{path}&at={height}")).await;
        let count = was["open"]["count"].as_u64().unwrap_or(0);
        assert_eq!(
            (count, was["height"].as_u64()),
            (height, Some(height)),
            "{was}"
        );
    }
    // What it was made of, and what a recall would have reached.
    for (from, way) in [(PRODUCT, "down"), (part.as_str(), "up")] {
        let path = format!("/v1/trace?identifier={from}&direction={way}");
        for height in 1..=6u64 {
            let was = get(&running, &format!("{path}&at={height}")).await;
            let links = was["edges"].as_array().unwrap().len();
            assert_eq!(u64::try_from(links).unwrap(), height - 1, "{was}");
            assert_eq!(was["truncated"], false);
        }
    }
    let now = get(&running, &path).await;
    let height = now["height"].as_u64().unwrap();
    assert_eq!(get(&running, &format!("{path}&at={height}")).await, now);
    for beyond in [
        format!("{path}&at={}", height + 1),
        format!("/v1/entries?at={}", height + 1),
        format!("{stream}&at={}", height + 1),
        format!("/v1/subjects/uses?identifier={PRODUCT}&at={}", height + 1),
        format!("/v1/trace?identifier={PRODUCT}&at={}", height + 1),
    ] {
        assert_eq!(
            request(&running, "GET", &beyond, b"").await.0,
            404,
            "{beyond}"
        );
    }
    running.stop(&alone.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_in_thousands_of_products_is_recalled_with_each_of_them() {
    let alone = Alone::new();
    let running = alone.start().await;
    let name =
        |n: u32| Identifier::parse(&format!("urn:uuid:00000000-0000-4000-8000-{n:012x}")).unwrap();
    let of = |n: u32, said: Statement| Statement {
        streams: vec![Stream::Open(name(n))],
        ..said
    };
    // More than are read of a thing at once, more than are followed together, and by two threads.
    let (lot, count) = (name(0), 4_200);
    for numbers in [1..=1_400, 1_401..=2_800, 2_801..=count] {
        let said = numbers.flat_map(|n| [of(n, issued()), of(n, contains(lot.clone()))]);
        let (status, answer) = post(&running, &alone.envelope(said.collect())).await;
        assert_eq!(status, 200, "{answer}");
    }
    // Some of them go into one thing together.
    let pallet = count + 1;
    let packed = (1..=100).map(|n| of(pallet, contains(name(n))));
    let packed = std::iter::once(of(pallet, issued())).chain(packed);
    let (status, answer) = post(&running, &alone.envelope(packed.collect())).await;
    assert_eq!(status, 200, "{answer}");

    let path = format!("/v1/trace?identifier={lot}&direction=up");
    let whole = get(&running, &path).await;
    let (nodes, edges) = (&whole["nodes"], &whole["edges"]);
    let parents: Vec<&str> = edges
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["parent"].as_str().unwrap())
        .collect();
    let expected = (1..=count).chain(std::iter::repeat_n(pallet, 100));
    let expected: Vec<String> = expected.map(|n| name(n).to_string()).collect();
    assert_eq!(parents, expected);
    let reached = nodes.as_array().unwrap();
    let expected = std::iter::once(0).chain(1..=pallet);
    for (node, n) in reached.iter().zip(expected) {
        assert_eq!(node["identifier"], name(n).to_string(), "{node}");
        assert_eq!(node["known"], n != 0, "{node}");
        let version = if n == 0 { Value::Null } else { 1.into() };
        assert_eq!(node["passport"]["version"], version, "{node}");
    }
    assert_eq!(reached.len(), usize::try_from(pallet).unwrap() + 1);
    // What is deeper than asked for is left out, and said to be.
    for (depth, links) in [(0, 0), (1, 4_200), (2, 4_300)] {
        let some = get(&running, &format!("{path}&depth={depth}")).await;
        assert_eq!(some["edges"].as_array().unwrap().len(), links, "{depth}");
        assert_eq!(some["truncated"], depth < 2, "{depth}");
    }
    // In parts, and as of that block, whose state is not the last one's: the same.
    let height = whole["height"].as_u64().unwrap();
    for later in [issued(), contains(lot.clone())] {
        record(&alone, &running, of(pallet + 1, later)).await;
    }
    let now = get(&running, &path).await;
    assert_eq!(now["edges"].as_array().unwrap().len(), parents.len() + 1);
    let was = parts(&running, &format!("{path}&at={height}"), 999, async || {}).await;
    assert_eq!((&was.0, &was.1), (reached, edges.as_array().unwrap()));
    running.stop(&alone.config()).await.unwrap();
}
