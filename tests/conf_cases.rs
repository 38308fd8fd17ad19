//! The language: cases whose verdicts were observed on the original.

mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use support::Prefix;

#[test]
fn every_observed_case_has_the_same_verdict_place_and_sentence() {
    let text = std::fs::read(support::data().join("grammar_cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let failures: Vec<String> =
        cases.iter().filter(|case| case["env"].is_null()).filter_map(disagrees).collect();
    assert!(failures.is_empty(), "{} cases disagree:\n{}", failures.len(), failures.join("\n"));
}

/// Why a case disagrees, if it does.
fn disagrees(case: &Value) -> Option<String> {
    let name = case["name"].as_str()?;
    let main = match case["conf_base64"].as_str() {
        Some(text) => BASE64_STANDARD.decode(text).unwrap(),
        None => case["conf"].as_str()?.as_bytes().to_vec(),
    };
    let files: Vec<(&str, &str)> = case["files"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, text)| (name.as_str(), text.as_str().unwrap()))
        .collect();
    let (ok, out) = Prefix::new(main, &files).test("");
    let out = out.replace("PREFIX/conf/", "");

    let wanted = case["verdict"] == "ok";
    if ok && case["may_accept"] == true {
        return None;
    }
    if ok != wanted {
        return Some(format!("{name}: ok is {ok}\n{out}"));
    }
    // What the original says below emerg, or not at all, we say in our own words.
    let level = case["error_level"].as_str().unwrap_or("emerg");
    if wanted || case["silent"] == true || level != "emerg" {
        return None;
    }
    let sentence = case["message_contains"].as_str().unwrap_or_default().replace("\\n", "\n");
    if !out.contains(&sentence) {
        return Some(format!("{name}: lacks {sentence:?}\n{out}"));
    }
    let line = case["error_line"].as_u64()?;
    let named = out.lines().any(|l| l.starts_with("nginx: [") && l.ends_with(&format!(":{line}")));
    (!named && !out.contains(&format!(":{line}\n"))).then(|| format!("{name}: names not line {line}\n{out}"))
}
