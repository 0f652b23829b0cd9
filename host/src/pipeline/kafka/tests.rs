//! The login of Event Hubs as librdkafka takes it; its key is never shown.

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;

use super::*;

const KEY: &str = "bmV2ZXItcHJpbnQtdGhpcy1rZXk=";

fn text() -> String {
    format!("Endpoint=sb://fraudhubs.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey={KEY};EntityPath=realtimefdhub")
}

fn connection(server: KafkaServer, topic: Option<&str>) -> Connection {
    let topic = topic.map(str::to_owned);
    Connection { file: "Local_x.json".to_owned(), server, topic, properties: Vec::new(), from_environment: Vec::new() }
}

fn config(properties: &[(String, String)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in properties {
        config.set(name, value);
    }
    config
}

#[test]
fn event_hubs_are_reached_by_the_settings_that_azure_asks_for() {
    let in_file = connection(KafkaServer::EventHubs { variable: None, in_file: Some(text()) }, None);
    let reading = Login::of(&in_file, Use::Reading).unwrap();
    let value = |login: &Login, name: &str| login.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    for (name, wanted) in [
        ("bootstrap.servers", "fraudhubs.servicebus.windows.net:9093"),
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "$ConnectionString"),
        ("sasl.password", &text()),
        ("metadata.max.age.ms", "180000"),
        ("connections.max.idle.ms", "180000"),
        ("socket.keepalive.enable", "true"),
        ("session.timeout.ms", "30000"),
        ("heartbeat.interval.ms", "3000"),
    ] {
        assert_eq!(value(&reading, name).as_deref(), Some(wanted), "{name}");
    }
    assert_eq!(reading.topic, "realtimefdhub");
    let writing = Login::of(&in_file, Use::Writing).unwrap();
    assert_eq!(value(&writing, "request.timeout.ms").as_deref(), Some("60000"));
    assert_eq!(value(&writing, "enable.idempotence").as_deref(), Some("false"));
    // librdkafka takes all of them.
    let _consumer: BaseConsumer = config(&reading.properties).set("group.id", "$Default").create().unwrap();
    let _producer: BaseProducer = config(&writing.properties).create().unwrap();
}

#[test]
fn the_key_is_shown_nowhere() {
    let masked = Login::event_hubs(&text(), Some("other"), Use::Reading).unwrap();
    assert_eq!(masked.topic, "other", "the project's own hub comes before the string's");
    let shown = "Endpoint=sb://fraudhubs.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=***;EntityPath=realtimefdhub";
    assert_eq!((masked.shown.as_str(), masked.server.as_str()), (shown, "fraudhubs.servicebus.windows.net:9093"));
    for broken in [
        text().replace("Endpoint=", "End="),
        text().replace("SharedAccessKeyName=", "Name="),
        text().replace("sb://fraudhubs.servicebus.windows.net", "sb://"),
    ] {
        let error = Login::event_hubs(&broken, None, Use::Reading).err().unwrap();
        assert!(!error.contains(KEY), "{error}");
    }
    let no_hub = Login::event_hubs(text().split(";EntityPath").next().unwrap(), None, Use::Reading).err().unwrap();
    assert!(no_hub.contains("Kafka.Topic") && no_hub.contains("EntityPath"), "{no_hub}");
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let nowhere = connection(KafkaServer::EventHubs { variable: Some("TAMIS_TEST_NOWHERE".to_owned()), in_file: None }, None);
    let error = Login::of(&nowhere, Use::Reading).err().unwrap().to_string();
    assert!(error.contains("TAMIS_TEST_NOWHERE") && error.contains("ConnectionStringFromEnv"), "{error}");
    let mut plain = connection(KafkaServer::Kafka("a:9092".to_owned()), Some("t"));
    plain.properties.push(("bootstrap.servers".to_owned(), "b:9092".to_owned()));
    plain.from_environment.push(("sasl.password".to_owned(), "TAMIS_TEST_NOWHERE".to_owned()));
    let error = Login::of(&plain, Use::Reading).err().unwrap().to_string();
    assert!(error.contains("TAMIS_TEST_NOWHERE") && error.contains("sasl.password"), "{error}");
    // Each setting is there once, and the user's holds.
    plain.from_environment.clear();
    let servers: Vec<_> = Login::of(&plain, Use::Reading).unwrap().properties;
    assert_eq!(servers, [("bootstrap.servers".to_owned(), "b:9092".to_owned())]);
}
