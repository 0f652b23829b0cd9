//! Requests as senders make them, against the real router and a real log.

use axum::http::Method;
use tower::ServiceExt;

use super::*;
use crate::source::log::{Event, HubSettings};
use crate::time::{Clock, ManualClock, SystemClock, TICKS_PER_SECOND, Timestamp};

struct Sender {
    _dir: tempfile::TempDir,
    log: Log,
    router: Router,
}

fn sender_with(settings: DoorSettings, clock: Arc<dyn Clock>) -> Sender {
    let dir = tempfile::tempdir().unwrap();
    let hubs = ["realtimefdhub", "eventhubspark"].map(|name| HubSettings { name: name.to_owned(), partitions: 2 });
    let log = Log::open(dir.path(), &hubs, clock).unwrap();
    Sender { _dir: dir, router: router(log.clone(), settings), log }
}

fn sender() -> Sender {
    sender_with(DoorSettings::default(), Arc::new(SystemClock))
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn error(&self) -> (u16, String, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        let text = |name: &str| body["error"][name].as_str().unwrap().to_owned();
        (self.status, text("code"), text("message"))
    }

    fn is_error(&self, status: u16, code: &str, message: &str) {
        assert_eq!(self.error(), (status, code.to_owned(), message.to_owned()));
    }
}

impl Sender {
    async fn request(&self, request: Request) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn post(&self, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(body.into()).unwrap()).await
    }

    async fn batch(&self, uri: &str, body: &str) -> Answer {
        self.post(uri, &[("content-type", "application/vnd.microsoft.servicebus.json; charset=utf-8")], body.to_owned()).await
    }

    fn events(&self, partition: u32) -> Vec<Event> {
        self.log.read("realtimefdhub", partition, 0, 1000, 1 << 20).unwrap().events
    }

    fn all(&self) -> Vec<Event> {
        (0..2).flat_map(|partition| self.events(partition)).collect()
    }
}

#[tokio::test]
async fn an_event_is_taken_the_way_the_original_sender_sends_it() {
    let sender = sender();
    let headers = [
        ("Content-Type", "application/atom+xml;type=entry;charset=utf-8"),
        ("Authorization", "Bearer eyJ0eXAiOiJKV1Qi"),
        ("User-Agent", "python-requests/2.31.0"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Accept", "*/*"),
        ("Connection", "keep-alive"),
    ];
    let body = "{'id': 1001000, 'date': '03/03/2025 08:15:00', 'amount': 103.23, 'day_of_week': 'monday'}";
    let answer = sender.post("/realtimefdhub/messages?timeout=60&api-version=2014-01", &headers, body).await;
    assert_eq!((answer.status, &*answer.body), (201, ""));
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/xml; charset=utf-8");
    let events = sender.all();
    assert_eq!((events.len(), &*events[0].body), (1, body.as_bytes()));
    assert_eq!((&events[0].key, &*events[0].properties), (&None, &[][..]));
    // Its other way: a partition as a parameter.
    assert_eq!(sender.post("/realtimefdhub/messages?partitionId=1&partitionId=0&x", &headers, "{}").await.status, 201);
    assert_eq!(sender.events(1).last().unwrap().body, "{}");
}

#[tokio::test]
async fn a_batch_is_taken_whole_and_in_order() {
    let sender = sender();
    let body = r#"[
        {"Body": "{\"a\":1}", "UserProperties": {"Alert": "Strong Wind", "n": 5, "ok": true}},
        {"Body": "aGVsbG8=", "IsBodyBase64": true, "UserProperties": null, "BrokerProperties": null},
        {"Body": "plain é", "Unknown": [1, {}], "BrokerProperties": {"Label": "x"}}
    ]"#;
    assert_eq!(sender.batch("/realtimefdhub/partitions/1/messages", body).await.status, 201);
    let events = sender.events(1);
    let bodies: Vec<&[u8]> = events.iter().map(|event| &*event.body).collect();
    assert_eq!(bodies, [&b"{\"a\":1}"[..], b"hello", "plain é".as_bytes()]);
    let properties = [("Alert", "Strong Wind"), ("n", "5"), ("ok", "true")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(events[0].properties, properties);
    assert_eq!(sender.events(0), []);
}

#[tokio::test]
async fn partition_keys_and_publishers_keep_to_their_partition() {
    let sender = sender();
    let broker = [("BrokerProperties", r#"{"PartitionKey": "k1", "MessageId": "7"}"#), ("Alert", "\"Strong Wind\""), ("plain", "x y")];
    for _ in 0..3 {
        assert_eq!(sender.post("/realtimefdhub/messages", &broker, "{}").await.status, 201);
        assert_eq!(sender.post("/RealTimeFDHub/publishers/k1/messages", &[], "{}").await.status, 201);
        assert_eq!(sender.post("/RealTimeFDHub/publisher/k1/messages", &[], "{}").await.status, 201);
    }
    let batch = r#"[{"Body":"1","BrokerProperties":{"PartitionKey":"k1"}},{"Body":"2","BrokerProperties":{"PartitionKey":"k2"}},{"Body":"3","BrokerProperties":{"PartitionKey":"k1"}}]"#;
    assert_eq!(sender.batch("/realtimefdhub/messages", batch).await.status, 201);
    let events = sender.all();
    assert_eq!(events.len(), 12);
    let home = crc32fast::hash(b"k1") % 2;
    assert_eq!(sender.events(home).iter().filter(|event| event.key.as_deref() == Some("k1")).count(), 11);
    let properties = [("alert", "Strong Wind"), ("plain", "x y")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(sender.events(home)[0].properties, properties);
    for (uri, headers) in
        [("/realtimefdhub/partitions/0/messages", &broker[..1]), ("/realtimefdhub/publishers/other/messages", &broker[..1])]
    {
        assert_eq!(sender.post(uri, headers, "{}").await.error().0, 400);
    }
}

#[tokio::test]
async fn wrong_requests_are_refused_with_words() {
    let sender = sender();
    let cases = [
        ("/nohub/messages", "x", 404, "NotFound", "no hub is named 'nohub'; the hubs are realtimefdhub, eventhubspark"),
        ("/realtimefdhub/messages", "", 400, "BadRequest", "an event is expected, the body is empty"),
        (
            "/realtimefdhub/partitions/2/messages",
            "x",
            400,
            "BadRequest",
            "hub 'realtimefdhub' has no partition '2'; its partitions are 0 to 1",
        ),
        (
            "/realtimefdhub/partitions/-1/messages",
            "x",
            400,
            "BadRequest",
            "hub 'realtimefdhub' has no partition '-1'; its partitions are 0 to 1",
        ),
        (
            "/realtimefdhub/messages?partitionId=a%20b",
            "x",
            400,
            "BadRequest",
            "hub 'realtimefdhub' has no partition 'a b'; its partitions are 0 to 1",
        ),
        ("/nohub/partitions/0/messages", "x", 404, "NotFound", "no hub is named 'nohub'; the hubs are realtimefdhub, eventhubspark"),
    ];
    for (uri, body, status, code, message) in cases {
        sender.post(uri, &[], body).await.is_error(status, code, message);
    }
    let shape = r#"a batch is [{"Body": "<the event as text>"}, …]"#;
    let cases = [
        ("[]", "the batch is empty"),
        ("{}", "the batch cannot be read: invalid type: map, expected a sequence at line 1 column 0"),
        ("[{\"Body\": \"x\"}", "the batch cannot be read: EOF while parsing a list at line 1 column 14"),
        ("[{\"Body\": \"x\"}, {\"id\": 1, \"amount\": 2.5}]", "item 1 of the batch: it has no 'Body'"),
        ("[{\"Body\": {\"id\": 1}}]", "item 0 of the batch: its 'Body' must be a text (JSON in it is escaped), an object was given"),
        ("[{\"Body\": null}]", "item 0 of the batch: its 'Body' must be a text (JSON in it is escaped), null was given"),
        ("[{\"Body\": \"\"}]", "item 0 of the batch: its 'Body' is empty"),
        ("[5]", "item 0 of the batch: an object is expected, a number was given"),
        ("[\"x\"]", "item 0 of the batch: an object is expected, a text was given"),
        ("[{\"Body\": \"?\", \"IsBodyBase64\": true}]", "item 0 of the batch: its 'Body' is not base64: Invalid symbol 63, offset 0."),
    ];
    for (body, message) in cases {
        sender.batch("/realtimefdhub/messages", body).await.is_error(400, "BadRequest", &format!("{message}; {shape}"));
    }
    let broken = sender.post("/realtimefdhub/messages", &[("BrokerProperties", "k1")], "x").await;
    assert!(broken.error().2.starts_with("the BrokerProperties cannot be read"), "{}", broken.body);
    assert_eq!(sender.all(), []);
}

#[tokio::test]
async fn only_post_is_possible() {
    let sender = sender();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for uri in ["/realtimefdhub/messages", "/realtimefdhub/partitions/0/messages", "/realtimefdhub/publishers/x/messages"] {
            let answer = sender.request(Request::builder().method(&method).uri(uri).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.headers[header::ALLOW], "POST");
            assert_eq!(answer.error().0, 405);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_not_kept() {
    let sender = sender();
    let full = vec![b'x'; 1 << 20];
    assert_eq!(sender.post("/realtimefdhub/messages", &[], full.clone()).await.status, 201);
    for size in [(1 << 20) + 1, 10 << 20, 100 << 20] {
        let message = "a body may have 1048576 bytes, this one has more; send smaller events or fewer in one batch";
        let answer = sender.post("/realtimefdhub/messages", &[], vec![b'x'; size]).await;
        answer.is_error(413, "PayloadTooLarge", message);
        // Without a length said before, in pieces.
        let pieces = futures::stream::iter((0..size / 1000 + 1).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1000]))));
        sender.post("/realtimefdhub/messages", &[], Body::from_stream(pieces)).await.is_error(413, "PayloadTooLarge", message);
    }
    let pieces = futures::stream::iter([Ok("ab"), Ok("cd"), Err(std::io::Error::other("reset"))]);
    assert_eq!(sender.post("/realtimefdhub/messages", &[], Body::from_stream(pieces)).await.error().0, 400);
    let pieces = futures::stream::iter([Ok::<_, std::io::Error>("ab"), Ok("cd"), Ok("e")]);
    assert_eq!(sender.post("/realtimefdhub/messages", &[], Body::from_stream(pieces)).await.status, 201);
    let mut sizes: Vec<usize> = sender.all().iter().map(|event| event.body.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 1 << 20]);
}

#[tokio::test]
async fn with_keys_only_their_tokens_open_the_door() {
    let key = AccessKey { name: "send".to_owned(), key: "secret".to_owned() };
    let settings = DoorSettings { keys: vec![key.clone()], ..DoorSettings::default() };
    let sender = sender_with(settings, ManualClock::new(Timestamp(1000 * TICKS_PER_SECOND)));
    let good = key.token("sb://anything.servicebus.windows.net/realtimefdhub", 1001);
    assert_eq!(sender.post("/realtimefdhub/messages", &[("authorization", &good)], "{}").await.status, 201);
    for (uri, token) in [
        ("/realtimefdhub/messages", key.token("http://h/realtimefdhub", 1000)),
        ("/realtimefdhub/messages", key.token("http://h/eventhubspark", 2000)),
        ("/nohub/messages", String::from("Bearer x")),
        ("/realtimefdhub/messages", String::from("Bearer x")),
        ("/realtimefdhub/partitions/99/messages", good.replace("sig=", "sig=AAAA")),
    ] {
        let answer = sender.post(uri, &[("authorization", &token)], "{}").await;
        assert_eq!((answer.status, answer.error().1.as_str()), (401, "Unauthorized"), "{uri} {token}");
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
    }
    assert_eq!(sender.post("/realtimefdhub/messages", &[], "{}").await.status, 401);
    assert_eq!(sender.all().len(), 1);
}

#[tokio::test]
async fn without_keys_only_this_machine_is_let_in() {
    let sender = sender();
    for (peer, status) in [("127.0.0.1:5", 201), ("[::1]:5", 201), ("[::ffff:127.0.0.1]:5", 201), ("10.0.0.7:5", 401)] {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = Request::builder().method(Method::POST).uri("/realtimefdhub/messages").extension(ConnectInfo(peer));
        assert_eq!(sender.request(request.body(Body::from("{}")).unwrap()).await.status, status, "{peer}");
    }
}
