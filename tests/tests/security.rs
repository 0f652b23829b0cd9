//! The doors against those who mean harm: strange paths, deep JSON, slow senders, floods, forged tokens, tokens for something
//! else, and secrets that must not be seen. What is held against what: docs/security.md.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tamis::source::AccessKey;
use tamis_tests::golden::root;
use tamis_tests::host::{HUB, Host, PATIENCE, SCORED, program};

const KEY: &str = "send=bmV2ZXItcHJpbnQtdGhpcw==";
const INGEST: &str = "the-token-of-the-senders";
const PAGE: &str = "the-token-of-the-page";
const ADMIN: &str = "the-token-of-the-admin";
const TOKENS: [(&str, &str); 4] =
    [("TAMIS_ACCESS_KEYS", KEY), ("TAMIS_TOKEN_INGEST", INGEST), ("TAMIS_TOKEN_PAGE", PAGE), ("TAMIS_TOKEN_ADMIN", ADMIN)];

fn event(id: usize) -> String {
    json!({
        "id": id, "date": "24/11/2026 10:00:00", "amount": 121.28, "old_balance": 108254.0, "income": 625.6, "credit": 1,
        "marital_status": 0, "children": 0, "month": 10, "day_of_week": "saturday", "category_recipient": "food_store",
        "transaction_type": "onsite", "transaction_method": "card_without_contact", "foreign_transaction": 0,
    })
    .to_string()
}

fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(host.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends these bytes and reads until the host closes the connection.
fn raw(host: &Host, request: &[u8]) -> String {
    let mut stream = connect(host);
    // The host may close before all of it is sent.
    let _sent = stream.write_all(request);
    let mut answer = Vec::new();
    let _read = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn no_path_leads_out_of_the_page_or_out_of_the_log() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path());
    std::fs::write(data.path().join("secret.txt"), "root:x:0").unwrap();
    let before = std::fs::read_dir(data.path().join("log")).unwrap().count();
    for path in [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%5c%2e%2e%5csecret.txt",
        "//etc/passwd",
        "/etc/passwd%00.html",
        "/function/../documents.db",
        "/documents.db",
        "/log/realtimefdhub/0/00000000000000000000.log",
        "/index.html/../../Cargo.toml",
    ] {
        let answer = raw(&host, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("SQLite"), "{path}: {answer}");
    }
    for hub in ["..%2fevil", "%2e%2e", "..", "evil%2f..%2f..", "realtimefdhub%00", "a/b", "%2Ftmp%2Fevil", "."] {
        for path in [format!("/{hub}/messages"), format!("/{hub}/partitions/0/messages"), format!("/{HUB}/partitions/{hub}/messages")] {
            let answer = raw(
                &host,
                format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}").as_bytes(),
            );
            assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        }
    }
    assert_eq!(std::fs::read_dir(data.path().join("log")).unwrap().count(), before);
    assert!(!Path::new("/tmp/evil").exists());
    assert!(host.interrupt(), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_and_large_json_is_refused_or_a_dead_letter_and_never_the_end() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path());
    let client = reqwest::Client::new();
    let hub = format!("/{HUB}/messages?partitionId=0");
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let deep = [
        format!("{{\"id\": 1, \"a\": {}}}", nested("[", "]", 400_000)),
        format!("{{\"id\": 1, \"amount\": {}}}", nested("{\"a\":", "}", 150_000)),
        nested("[", "]", 500_000),
        nested("{\"a\":", "}", 150_000),
        format!("{{'id': 1, 'a': {}}}", nested("[", "]", 400_000)),
        format!("{{'id': 1, 'a': {}}}", nested("(", ",)", 300_000)),
        nested("{'a': ", "}", 120_000),
        "[".repeat(1_000_000),
        "{\"a\":".repeat(200_000),
        "{'a':".repeat(200_000),
        "-".repeat(1_000_000),
        format!("{{\"id\": {}}}", "9".repeat(1_000_000)),
        format!("{{\"{}\": 1}}", "\\u0000".repeat(150_000)),
    ];
    for body in &deep {
        assert_eq!(host.send(&client, &hub, body.clone()).await.0, 201, "{}", &body[..40]);
    }
    assert_eq!(host.send(&client, &hub, event(7)).await.0, 201);
    assert_eq!(host.wait_for_documents(SCORED, 1)[0]["id"], 7);
    let letters = host.json(&client, "/api/dead-letters?limit=100").await;
    assert_eq!(
        letters.as_array().unwrap().len(),
        deep.len(),
        "{:?}",
        letters.as_array().unwrap().iter().map(|letter| &letter["reason"]).collect::<Vec<_>>()
    );
    for letter in letters.as_array().unwrap() {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.len() < 2000, "{reason}");
    }
    // The parts of a request that the door itself reads.
    let batch = |text: String| {
        let request = client.post(format!("{}{hub}", host.url())).header("content-type", "application/vnd.microsoft.servicebus.json");
        request.body(text).send()
    };
    for text in [
        nested("[", "]", 400_000),
        format!("[{}]", nested("{\"a\":", "}", 100_000)),
        format!("[{{\"Body\": \"{{}}\", \"UserProperties\": {}}}]", nested("{\"a\":", "}", 100_000)),
        format!("[{{\"Body\": {}}}]", nested("[", "]", 400_000)),
    ] {
        assert_eq!(batch(text).await.unwrap().status(), 400);
    }
    // What nobody asks for is not looked into, however deep it is.
    let broker = client.post(format!("{}{hub}", host.url())).header("BrokerProperties", nested("{\"a\":", "}", 5000)).body("{}");
    assert_eq!(broker.send().await.unwrap().status(), 201);
    // Larger than is taken: by its own word, against its word, without a word.
    let large = vec![b'x'; 2 << 20];
    assert_eq!(host.send(&client, &hub, large).await.0, 413);
    let chunks = futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16])));
    assert_eq!(host.send(&client, &hub, reqwest::Body::wrap_stream(chunks)).await.0, 413);
    let huge = raw(&host, format!("POST {hub} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\nx").as_bytes());
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    let answer = raw(&host, head.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(host.interrupt(), "{}", host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_senders_are_cut_and_hold_nobody_up() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), None, &[("TAMIS_REQUEST_PATIENCE", "1.5")]);
    let client = reqwest::Client::new();
    let started = Instant::now();
    let slow: Vec<TcpStream> = (0..60)
        .map(|number| {
            let mut stream = connect(&host);
            let part = match number % 3 {
                // Nothing; half a head; a head and half a body.
                0 => String::new(),
                1 => format!("POST /{HUB}/messages HTTP/1.1\r\nHost: local"),
                _ => format!("POST /{HUB}/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{\"id\""),
            };
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Others are served meanwhile.
    for id in 0..20 {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event(id)).await.0, 201);
    }
    for (number, mut stream) in slow.into_iter().enumerate() {
        let mut answer = String::new();
        let _closed = stream.read_to_string(&mut answer);
        let expected =
            if number % 3 == 2 { answer.starts_with("HTTP/1.1 408") } else { answer.is_empty() || answer.starts_with("HTTP/1.1 408") };
        assert!(expected, "{number}: {answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // A sender that sends a byte now and then is cut, too: the body as a whole has its time.
    let mut stream = connect(&host);
    stream.write_all(format!("POST /{HUB}/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n").as_bytes()).unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(15) && stream.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(host.wait_for_documents(SCORED, 20).len(), 20, "nothing of the others was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_is_held_to_the_cap_and_passes() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), None, &[("TAMIS_MAX_CONNECTIONS", "30"), ("TAMIS_REQUEST_PATIENCE", "20")]);
    let client = reqwest::Client::new();
    assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event(0)).await.0, 201);
    let flood: Vec<TcpStream> = (0..100).map(|_| connect(&host)).collect();
    // Those above the cap are closed at once, those below it stay.
    let mut closed = 0;
    for mut stream in &flood {
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        closed += usize::from(matches!(stream.read(&mut [0; 1]), Ok(0)) || stream.write_all(b"x").is_err());
    }
    assert!((65..=75).contains(&closed), "{closed} of 100 were closed");
    // The connection that was there before goes on.
    assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event(1)).await.0, 201);
    drop(flood);
    let started = Instant::now();
    loop {
        let fresh = reqwest::Client::new();
        if fresh.get(format!("{}/health", host.url())).send().await.is_ok_and(|answer| answer.status() == 200) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "nobody gets in any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(host.wait_for_documents(SCORED, 2).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_token_is_good_for_its_own_right_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), None, &TOKENS);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = host.url();
    let get = async |path: &str, token: &str| client.get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap().status().as_u16();
    for (path, page) in [("/", 200), ("/feed", 200), ("/api/documents", 200), ("/function.wasm", 200)] {
        let found =
            [get(path, PAGE).await, get(path, ADMIN).await, get(path, INGEST).await, get(path, "something-else-that-is-long").await];
        assert_eq!(found, [page, page, 401, 401], "{path}");
    }
    for path in ["/metrics", "/api/dead-letters"] {
        assert_eq!([get(path, PAGE).await, get(path, ADMIN).await, get(path, INGEST).await], [403, 200, 401], "{path}");
    }
    let replay = |token: &str| client.post(format!("{url}/api/dead-letters/1/replay")).bearer_auth(token).send();
    assert_eq!(replay(PAGE).await.unwrap().status(), 403);
    assert_eq!(replay(INGEST).await.unwrap().status(), 401);
    assert_eq!(replay(ADMIN).await.unwrap().status(), 409);
    // Sending.
    let hub = format!("{url}/{HUB}");
    let send = async |authorization: String| {
        let request = client.post(format!("{hub}/messages")).header("authorization", authorization).body(event(1));
        request.send().await.unwrap().status().as_u16()
    };
    for (token, status) in [(INGEST, 201), (PAGE, 401), (ADMIN, 401), ("any", 401)] {
        assert_eq!(send(format!("Bearer {token}")).await, status, "{token}");
    }
    assert_eq!(client.post(format!("{hub}/messages")).body(event(2)).send().await.unwrap().status(), 401, "nothing shown");
    // Signed tokens: the right one, an old one, forged ones, one for something else.
    let (name, key) = KEY.split_once('=').unwrap();
    let key = AccessKey { name: name.to_owned(), key: key.to_owned() };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let good = key.token(&hub, now + 60);
    assert_eq!(send(good.clone()).await, 201);
    assert_eq!(send(key.token(&hub, now - 1)).await, 401, "expired");
    assert_eq!(send(good.replace(&(now + 60).to_string(), &(now + 9000).to_string())).await, 401, "prolonged");
    assert_eq!(send(key.token(&format!("{url}/other"), now + 60)).await, 401, "another hub's");
    assert_eq!(send(AccessKey { key: "guess".to_owned(), ..key.clone() }.token(&hub, now + 60)).await, 401, "forged");
    assert_eq!(send(good.replace("skn=send", "skn=other")).await, 401, "another name");
    assert_eq!(host.wait_for_documents(SCORED, 2).len(), 2, "the two that were let in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_and_flooding_addresses_have_to_wait() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), None, &TOKENS);
    let client = reqwest::Client::new();
    let mut answers = Vec::new();
    for guess in 0..40 {
        let request = client.get(format!("{}/metrics", host.url())).bearer_auth(format!("a-guess-of-a-token-{guess}"));
        answers.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(answers[..20], [401; 20]);
    assert!(answers[25..].iter().filter(|status| **status == 429).count() > 10, "{answers:?}");
    drop(host);

    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), None, &[("TAMIS_REQUESTS_PER_SECOND", "50")]);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let sends = (0..200).map(|id| client.post(format!("{}/{HUB}/messages", host.url())).body(event(id)).send());
    let statuses: Vec<u16> = futures::future::join_all(sends).await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    let taken = statuses.iter().filter(|status| **status == 201).count();
    assert!(statuses.iter().all(|status| [201, 429].contains(status)), "{statuses:?}");
    assert!((50..150).contains(&taken), "{taken} of 200 at once were taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_strict_policy() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    for path in ["/", "/feed", "/metrics", "/health", "/api/documents", "/nothing", "/function.wasm"] {
        let answer = client.get(format!("{}{path}", host.url())).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        for word in ["unsafe-inline", "'unsafe-eval'", "*", "http:", "https:", "blob:"] {
            assert!(!policy.contains(word), "{path}: {policy}");
        }
        for part in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "connect-src 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_in_no_log_no_metric_and_no_answer() {
    let data = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("keys");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let mut environment = vec![
        ("TAMIS_ACCESS_KEYS_FILE", file.to_str().unwrap()),
        ("RUST_LOG", "debug"),
        ("TAMIS_COSMOS_KEY", "Y29zbW9zLWtleS1uZXZlci1wcmludA=="),
    ];
    environment.extend(TOKENS.iter().skip(1));
    let mut host = Host::start_with(data.path(), None, &environment);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut seen = String::new();
    for path in ["/", "/metrics", "/health", "/api/dead-letters", "/api/documents"] {
        for token in [ADMIN, PAGE, INGEST, "wrong-token-of-some-length"] {
            let answer = client.get(format!("{}{path}", host.url())).bearer_auth(token).send().await.unwrap();
            seen.push_str(&answer.text().await.unwrap());
        }
    }
    let shown = client.get(format!("{}/?token={PAGE}", host.url())).send().await.unwrap();
    assert_eq!((shown.status().as_u16(), &shown.headers()["location"]), (303, &"/".parse().unwrap()));
    let wrong =
        client.post(format!("{}/{HUB}/messages", host.url())).header("authorization", "SharedAccessSignature sr=x&sig=x&se=1&skn=send");
    seen.push_str(&wrong.body("{}").send().await.unwrap().text().await.unwrap());
    assert!(host.interrupt(), "{}", host.log());
    seen.push_str(&host.log());
    assert!(host.log().contains("Job runs") && host.log().contains("DEBUG"), "the log is there");
    for secret in [INGEST, PAGE, ADMIN, "bmV2ZXItcHJpbnQtdGhpcw", "Y29zbW9zLWtleS"] {
        assert!(!seen.contains(secret), "'{secret}' is seen");
    }
    // Refusals of secrets that cannot be used do not show them either.
    let refused = |variable: &str, value: &str| {
        let output = Command::new(program())
            .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .env(variable, value)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (variable, value) in [
        ("TAMIS_TOKEN", "short-secret"),
        ("TAMIS_TOKEN_PAGE", "p\u{e4}ge-secret-of-some-length"),
        ("TAMIS_ACCESS_KEYS", "secret-without-name"),
    ] {
        let message = refused(variable, value);
        assert!(!message.contains(value), "{message}");
    }
}

/// A host on any address, with its page's address once it runs; or what it says when it refuses.
fn start_on(listen: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<(Running, String), String> {
    let data = tempfile::tempdir().unwrap();
    let process = Command::new(program())
        .args(["run", "--listen", listen, "--data-dir"])
        .arg(data.path())
        .args(arguments)
        .envs(environment.iter().copied())
        .env("RUST_LOG", "tamis=info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running { process, _data: data };
    let mut log = std::io::BufReader::new(running.process.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("Job runs") {
        if std::io::BufRead::read_line(&mut log, &mut text).unwrap() == 0 {
            return Err(text);
        }
    }
    let page = &text[text.find("http").unwrap()..];
    let (scheme, rest) = page.split_once("://").unwrap();
    let page = format!("{scheme}://{}", rest.split('/').next().unwrap());
    Ok((running, page))
}

struct Running {
    process: Child,
    _data: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_addresses_need_a_token_and_tls_or_a_word_that_they_do_not() {
    let token = [("TAMIS_TOKEN", ADMIN)];
    let error = start_on("0.0.0.0:0", &[], &[]).map(drop).unwrap_err();
    assert!(error.contains("a token is needed: set TAMIS_TOKEN"), "{error}");
    let error = start_on("0.0.0.0:0", &[], &token).map(drop).unwrap_err();
    assert!(error.contains("--tls-cert and --tls-key, or --insecure-http"), "{error}");
    let error = start_on("127.0.0.1:0", &["--tls-cert", "nothing.pem", "--tls-key", "nothing.pem"], &[]).map(drop).unwrap_err();
    assert!(error.contains("the certificate and its key cannot be used"), "{error}");
    let (plain, url) = start_on("0.0.0.0:0", &["--insecure-http"], &token).unwrap();
    let client = reqwest::Client::new();
    assert_eq!(client.get(format!("{url}/metrics")).send().await.unwrap().status(), 401);
    assert_eq!(client.get(format!("{url}/metrics")).bearer_auth(ADMIN).send().await.unwrap().status(), 200);
    drop(plain);

    let fixtures = root().join("tests/security");
    let file = |name: &str| fixtures.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file("test-only-cert.pem"), file("test-only-key.pem"));
    let (secure, url) = start_on("127.0.0.1:0", &["--tls-cert", &certificate, "--tls-key", &key], &token).unwrap();
    assert!(url.starts_with("https://"), "{url}");
    let trusted = reqwest::Certificate::from_pem(&std::fs::read(&certificate).unwrap()).unwrap();
    let client = reqwest::Client::builder().add_root_certificate(trusted).redirect(reqwest::redirect::Policy::none()).build().unwrap();
    assert_eq!(client.get(format!("{url}/metrics")).bearer_auth(ADMIN).send().await.unwrap().status(), 200);
    assert_eq!(client.post(format!("{url}/{HUB}/messages")).body(event(1)).send().await.unwrap().status(), 201);
    let shown = client.get(format!("{url}/?token={ADMIN}")).send().await.unwrap();
    assert!(shown.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    // Without TLS nothing is said, and a handshake that does not come is cut.
    let mut plain = TcpStream::connect(url.strip_prefix("https://").unwrap()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _closed = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
    drop(secure);
}
