//! What must be true of a case as a whole: it asserts something, and nothing in it waits for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::{Parsed, problem, suggest};
use crate::script::{Action, Case, Pause, Step};

pub(super) fn whole(case: &Case) -> Parsed<()> {
    asserts_something(case)?;
    gates_meet(case)?;
    viewers_are_looked_at(&case.steps)?;
    waited_for_origins_are_scripted(case)
}

fn asserts_something(case: &Case) -> Parsed<()> {
    let asserts = |step: &Step| {
        matches!(step.action, Action::Look { .. } | Action::Purge { objects: Some(_), .. })
    };
    if case.steps.iter().any(asserts) {
        return Ok(());
    }
    let last = case.lines.len().max(1);
    Err(problem(last, "this case asserts nothing: say what a viewer must get, viewer 1: <- 200"))
}

/// Every gate that holds is released later, and none is released that nobody holds at.
fn gates_meet(case: &Case) -> Parsed<()> {
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    let mut released: BTreeSet<&str> = BTreeSet::new();
    for step in &case.steps {
        match &step.action {
            Action::Script { answer, .. } => {
                let within = answer.plan.within.iter().map(|(_, pause)| pause);
                for pause in answer.plan.first.iter().chain(within) {
                    if let Pause::Hold(gate) = pause {
                        held.entry(gate).or_insert(answer.line);
                    }
                }
            }
            Action::Release(gate) | Action::AwaitHold { gate, .. } => {
                if !held.contains_key(gate.as_str()) {
                    let known: Vec<&str> = held.keys().copied().collect();
                    let hint = if known.is_empty() {
                        " Write hold before it, in an origin's answer.".to_owned()
                    } else {
                        suggest::did_you_mean(gate, &known)
                    };
                    let text = format!("no origin above holds at {gate:?}.{hint}");
                    return Err(problem(step.line, text));
                }
                if matches!(step.action, Action::Release(_)) {
                    released.insert(gate);
                }
            }
            _ => {}
        }
    }
    match held.iter().find(|(gate, _)| !released.contains(*gate)) {
        None => Ok(()),
        Some((gate, line)) => {
            Err(problem(*line, format!("gate {gate:?} is never released: add release {gate}")))
        }
    }
}

fn viewers_are_looked_at(steps: &[Step]) -> Parsed<()> {
    let mut started: BTreeMap<u32, usize> = BTreeMap::new();
    for step in steps {
        match &step.action {
            Action::Start { viewers, .. } => {
                for viewer in viewers {
                    if let Some(line) = started.insert(*viewer, step.line) {
                        return Err(problem(
                            step.line,
                            format!("viewer {viewer} still waits for the answer to line {line}"),
                        ));
                    }
                }
            }
            Action::Look { viewers, .. } | Action::Leave { viewers } => {
                for viewer in viewers {
                    if started.remove(viewer).is_none() {
                        let text = format!("viewer {viewer} has sent nothing that is unanswered");
                        return Err(problem(step.line, text));
                    }
                }
            }
            Action::Has { viewers, .. } => {
                if let Some(viewer) = viewers.iter().find(|viewer| !started.contains_key(viewer)) {
                    let text = format!("viewer {viewer} has sent nothing that is unanswered");
                    return Err(problem(step.line, text));
                }
            }
            _ => {}
        }
    }
    match started.first_key_value() {
        None => Ok(()),
        Some((viewer, line)) => Err(problem(
            *line,
            format!(
                "nothing looks at viewer {viewer}'s answer: add viewer {viewer}: <- 200 \
                 or viewer {viewer}: leaves"
            ),
        )),
    }
}

/// A slip in `expect origin sit count 1` must not count the requests of an origin nobody has.
fn waited_for_origins_are_scripted(case: &Case) -> Parsed<()> {
    let scripted: Vec<&str> = case
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Script { origin, .. } | Action::Listen { origin, .. } => Some(origin.as_str()),
            _ => None,
        })
        .collect();
    for step in &case.steps {
        let named = match &step.action {
            Action::AwaitHold { origin, .. } | Action::AwaitCount { origin, .. } => origin,
            // `count 0` may be all that is said of an origin.
            Action::ExpectCount { origin, count } if *count > 0 => origin,
            _ => continue,
        };
        if !scripted.contains(&named.as_str()) {
            let hint = suggest::did_you_mean(named, &scripted);
            let text = format!("no origin {named:?} answers anything in this case.{hint}");
            return Err(problem(step.line, text));
        }
    }
    Ok(())
}
