use super::*;

fn module(sha256: &str) -> Module<'_> {
    Module { sha256, name: "fraud", version: &sha256[..1], signature: "{}", bytes: sha256.as_bytes() }
}

const FIRST: &str = "1aaa";
const SECOND: &str = "2bbb";

fn two() -> (tempfile::TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(dir.path()).unwrap();
    for (number, sha256) in [FIRST, SECOND].into_iter().enumerate() {
        registry.add("prediction", module(sha256), Timestamp(number as i64)).unwrap();
    }
    (dir, registry)
}

#[test]
fn the_last_wish_holds_and_can_be_taken_back() {
    let (_dir, registry) = two();
    assert_eq!(registry.current("prediction").unwrap(), None);
    registry.wish("prediction", FIRST, Some(SECOND), Timestamp(1)).unwrap();
    let roles = |registry: &Registry| registry.versions().unwrap().iter().map(|version| version.role).collect::<Vec<_>>();
    assert_eq!(roles(&registry), [Role::Champion, Role::Challenger]);
    registry.wish("Prediction", SECOND, None, Timestamp(2)).unwrap();
    assert_eq!(roles(&registry), [Role::Idle, Role::Champion]);
    registry.wish_back("prediction", Timestamp(3)).unwrap();
    assert_eq!(roles(&registry), [Role::Champion, Role::Idle]);
    // Back and back again are two versions that take turns.
    registry.wish_back("prediction", Timestamp(4)).unwrap();
    assert_eq!(roles(&registry), [Role::Idle, Role::Champion]);
}

#[test]
fn a_refused_wish_does_not_hold() {
    let (_dir, registry) = two();
    registry.wish("prediction", FIRST, None, Timestamp(1)).unwrap();
    let id = registry.wish("prediction", SECOND, None, Timestamp(2)).unwrap();
    registry.refused(id, "it has no column").unwrap();
    assert_eq!(registry.current("prediction").unwrap().unwrap().champion, FIRST);
    assert_eq!(registry.change(id).unwrap().unwrap().refused.as_deref(), Some("it has no column"));
    let error = registry.wish_back("prediction", Timestamp(3)).unwrap_err();
    assert_eq!(error.to_string(), "udf.prediction had no champion before this one; there is nothing to go back to");
}

#[test]
fn a_version_is_found_by_the_start_of_its_hash_its_version_or_its_name() {
    let (_dir, registry) = two();
    for asked in ["1AAA", "1", "fraud@1"] {
        assert_eq!(registry.find(asked, None).unwrap().sha256, FIRST, "{asked}");
    }
    let unknown = registry.find("fraud@3", Some("prediction")).unwrap_err().to_string();
    assert_eq!(unknown, "there is no version 'fraud@3'; known are fraud@1 (1aaa), fraud@2 (2bbb)");
    registry.add("prediction", module("1aac"), Timestamp(9)).unwrap();
    assert!(registry.find("1", None).unwrap_err().to_string().starts_with("'1' fits several versions"));
    registry.add("limit", module("4ddd"), Timestamp(9)).unwrap();
    assert_eq!(
        registry.find("2bbb", None).unwrap_err().to_string(),
        "which function? the job has limit, prediction; say it with --function"
    );
    assert_eq!(registry.module("prediction", SECOND).unwrap(), SECOND.as_bytes());
    assert!(registry.wish("limit", "4ddd", Some("4ddd"), Timestamp(1)).is_err());
}

#[test]
fn another_process_sees_a_wish_and_what_came_of_it() {
    let (dir, registry) = two();
    let other = Registry::existing(dir.path()).unwrap();
    let before = registry.newest().unwrap();
    let id = other.wish("prediction", SECOND, None, Timestamp(2)).unwrap();
    assert!(registry.newest().unwrap() > before);
    registry.taken(id, Timestamp(5)).unwrap();
    assert_eq!(other.change(id).unwrap().unwrap().taken, Some(Timestamp(5)));
    assert!(Registry::existing(&dir.path().join("nowhere")).is_err());
}
