//! What a run says: nothing, or for each failure the line, what was expected and what came.

use std::fmt;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// Empty when the case passes.
    pub failures: Vec<Failure>,
}

/// One thing that did not come as the case says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line of the case.
    pub line: usize,
    /// That line.
    pub excerpt: String,
    /// What is wrong, in one sentence.
    pub problem: String,
    /// Each difference: what it is about, what was expected, what came.
    pub mismatches: Vec<Mismatch>,
    /// What else helps: the reply's head, what origins saw.
    pub context: Vec<String>,
}

/// One difference between what a line says and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// `status`, `body`, or a header's name.
    pub what: String,
    /// As the case has it.
    pub expected: String,
    /// As it came.
    pub came: String,
}

impl Outcome {
    /// Whether everything came as the case says.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(f, "{}: pass", self.case);
        }
        for failure in &self.failures {
            let Failure { line, excerpt, problem, mismatches, context } = failure;
            writeln!(f, "{}:{line}  {}", self.case, excerpt.trim_end())?;
            writeln!(f, "  {problem}")?;
            for Mismatch { what, expected, came } in mismatches {
                writeln!(f, "  {what}")?;
                writeln!(f, "    - expected {expected}")?;
                writeln!(f, "    + came     {came}")?;
            }
            for line in context {
                writeln!(f, "  | {line}")?;
            }
        }
        Ok(())
    }
}
