use super::{CallSettings, Calls};
use crate::batch::{Column, Value};
use crate::fault::Domain;
use crate::job::{Folder, FunctionBody, FunctionSettings};
use crate::query::{Argument, Functions};
use crate::time::Timestamp;
use crate::udf::{Limits, Sandbox};

fn script(name: &str, aggregate: bool, text: &str) -> FunctionSettings {
    let body = FunctionBody::JavaScript { file: format!("{name}.js"), text: text.to_owned() };
    FunctionSettings { name: name.to_owned(), aggregate, returns: None, body }
}

fn load(functions: &[FunctionSettings]) -> Result<Calls, String> {
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    Calls::load(functions, &Folder::default_job(), &sandbox, &CallSettings::default()).map_err(|fault| fault.to_string())
}

#[test]
fn scripts_and_aggregates_answer_without_regard_to_case() {
    const LAST: &str = "function main() { this.init = function () { this.last = null; };
        this.accumulate = function (value) { this.last = value; }; this.computeResult = function () { return this.last; }; }";
    let mut calls =
        load(&[script("labelLength", false, "function main(text) { return text.length; }"), script("last", true, LAST)]).unwrap();
    assert_eq!(calls.infos().len(), 1);
    assert_eq!(calls.aggregates(), ["last"]);
    let labels = Column::from_values([Value::Text("Bread".into()), Value::Null]);
    let called = calls.call("LABELLENGTH", &[Argument::Value(&labels)], 2).unwrap();
    assert_eq!((called.column.value(0), called.column.value(1)), (Value::BigInt(5), Value::Null));
    let [failed] = called.failed.as_slice() else { panic!("{called:?}") };
    assert_eq!((failed.rows.clone(), failed.fault.domain), (1..2, Domain::Function));
    assert!(failed.fault.to_string().contains("Function 'labelLength' resulted in an error: 'TypeError"), "{}", failed.fault);
    let column = calls.aggregate("Last", &labels, &[Timestamp(0); 2], &[1, 2]).unwrap();
    assert_eq!((column.value(0), column.value(1)), (Value::Text("Bread".into()), Value::Null));
    assert!(calls.aggregate("first", &labels, &[Timestamp(0); 2], &[2]).is_err());
}

#[test]
fn a_wrong_script_is_refused_before_the_job_starts() {
    let refused = load(&[script("f", false, "function main( {")]).unwrap_err();
    assert!(refused.starts_with("f.js: SyntaxError"), "{refused}");
    let nothing = FunctionSettings { body: FunctionBody::Nothing, ..script("f", false, "") };
    assert_eq!(load(&[nothing]).unwrap().infos().len(), 0);
}
