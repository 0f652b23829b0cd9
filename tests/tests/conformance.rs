//! The language, case by case. Each case is a query, its inputs and what it must write; it is run three ways: as the rows
//! come, row by row, and with the state saved and restored between two rows.
//!
//! `tests/conformance/` holds the project's own cases, one folder each (`tests/conformance/README.md` says what is in it).
//! A file of cases in one piece is run, too, when `TAMIS_ASA_CASES` names it. `CASE=part-of-a-name` runs only some.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/folder.rs"]
mod folder;
#[path = "conformance/one_file.rs"]
mod one_file;

use std::path::Path;

use case::Case;
use tamis::pipeline::bounded::Cut;

const WAYS: [(&str, Cut); 3] = [("as the rows come", Cut::Whole), ("row by row", Cut::EachRow), ("saved and restored", Cut::Saved)];

/// Runs all cases and tells every one that fails.
fn run(cases: Vec<Case>) {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let mut failures = Vec::new();
    let mut count = 0;
    for case in cases.iter().filter(|case| case.name.contains(&wanted)) {
        count += 1;
        for (way, cut) in WAYS {
            if let Err(why) = case.check(cut) {
                failures.push(format!("{} ({way}): {why}", case.name));
                break;
            }
        }
    }
    for failure in &failures {
        eprintln!("\n{failure}");
    }
    assert!(failures.is_empty(), "{} of {count} cases failed", failures.len());
    assert!(count > 0 || !wanted.is_empty(), "there are no cases");
}

#[test]
fn the_projects_own_cases_hold_three_ways() {
    run(folder::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")));
}

#[test]
fn the_cases_of_a_file_hold_three_ways() {
    match std::env::var_os("TAMIS_ASA_CASES") {
        Some(file) => run(one_file::read_all(Path::new(&file))),
        None => eprintln!("TAMIS_ASA_CASES is not set: only the project's own cases run"),
    }
}

#[test]
fn the_language_table_names_tests_that_are_there_and_every_family_of_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../docs/language.md")).unwrap();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let cases: Vec<String> = folder::read_all(&root.join("conformance")).into_iter().map(|case| case.name).collect();
    let families: Vec<&str> = cases.iter().filter_map(|case| case.split('/').next()).collect();
    let is_case = |name: &str| name.split_once('/').is_some_and(|(family, _)| families.contains(&family));
    let gone: Vec<&&str> = named.iter().filter(|name| is_case(name) && !cases.iter().any(|case| case == *name)).collect();
    assert!(gone.is_empty(), "docs/language.md names cases that are not there: {gone:?}");
    for path in named.iter().filter(|name| (name.starts_with("host/") || name.starts_with("tests/")) && !name.contains("family/name")) {
        assert!(root.join("..").join(path).exists(), "docs/language.md names {path}, which is not there");
    }
    let is_named = |family: &&&str| named.iter().any(|name| name.split_once('/').is_some_and(|(known, _)| known == **family));
    let unnamed: Vec<&&str> = families.iter().filter(|family| !is_named(family)).collect();
    assert!(unnamed.is_empty(), "docs/language.md names no case of {unnamed:?}");
}
