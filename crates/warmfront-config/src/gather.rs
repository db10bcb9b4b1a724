//! From the files that were named to the [`Unit`]s to compile.
//!
//! One file is the source; more of them are served beside it, or only answer what the others refer to.
//! What a file is, `format` says; a file that cannot be used is reported and the others are read on.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Problems};
use crate::document;
use crate::format::aws::{self, Outputs, Spellings};
use crate::format::{self, Format, cdk};
use crate::names::{DEFAULT_ACCOUNT, DEFAULT_REGION, Names, stack_name};
use crate::place::Place;
use crate::report::Ledger;
use crate::source::{LoadError, Sources};
use crate::template::{self, Template};
use crate::unit::Unit;
use crate::{Options, find_source};

/// How deep stacks may nest: two levels are rare.
const MAX_NESTING: usize = 8;

/// Reads files one after the other.
pub(crate) struct Gatherer<'a> {
    options: &'a Options,
    sources: &'a Sources,
    ledger: &'a Ledger,
    units: Vec<Unit>,
    /// What the AWS CLI printed, and where the first of it lies.
    outputs: Outputs,
    first_output: Option<PathBuf>,
    /// What is wrong with files that gave no unit.
    refused: Problems,
}

impl<'a> Gatherer<'a> {
    pub(crate) fn new(options: &'a Options, sources: &'a Sources, ledger: &'a Ledger) -> Self {
        Self {
            options,
            sources,
            ledger,
            units: Vec::new(),
            outputs: Outputs::default(),
            first_output: None,
            refused: Problems::default(),
        }
    }

    /// Reads a file, or a directory with one of the names of [`find_source`].
    pub(crate) fn read(&mut self, source: &Path, is_served: bool) -> Result<(), LoadError> {
        let path = match source.is_dir() && !format::is_cdk_assembly(source) {
            true => find_source(source)
                .ok_or_else(|| LoadError::NothingThere { path: source.to_owned() })?,
            false => source.to_owned(),
        };
        if format::is_cdk_assembly(&path) {
            return self.assembly(&path, is_served, None).map(|_| ());
        }
        // One template of an assembly: the others only answer what it refers to.
        let directory = directory_of(&path);
        let chosen = directory.join(path.file_name().unwrap_or_default());
        if chosen.to_string_lossy().ends_with(".template.json")
            && directory.join("manifest.json").is_file()
            && self.assembly(&directory, is_served, Some(&chosen))?
        {
            return Ok(());
        }
        self.file(&path, is_served, None)
    }

    /// The stacks of a CDK assembly, or of those the template `chosen` alone and for the others what it
    /// refers to. Gives whether the assembly has stacks and the one that was chosen.
    fn assembly(
        &mut self,
        directory: &Path,
        is_served: bool,
        chosen: Option<&Path>,
    ) -> Result<bool, LoadError> {
        let stacks = cdk::stacks(directory, self.sources, &self.refused)?;
        if let Some(chosen) = chosen
            && !stacks.is_empty()
            && !stacks.iter().any(|stack| stack.has_template(chosen))
        {
            return Ok(false);
        }
        let is_there = !stacks.is_empty();
        if !is_there && !self.refused.has_errors() {
            let start = Place::start_of(&directory.display().to_string().into());
            self.refused.add(Diagnostic::error(start, "", "this CDK assembly has no stacks"));
        }
        for stack in stacks {
            self.stack(stack, is_served, chosen, 0)?;
        }
        Ok(is_there)
    }

    /// One stack of an assembly, and the stacks that it nests.
    fn stack(
        &mut self,
        stack: cdk::Stack,
        is_served: bool,
        chosen: Option<&Path>,
        depth: usize,
    ) -> Result<(), LoadError> {
        // With a stack that was chosen come those that it nests.
        let chosen = chosen.filter(|chosen| stack.template != *chosen);
        let before = self.units.len();
        self.file(&stack.template, is_served && chosen.is_none(), Some(stack.clone()))?;
        let Some(unit) = self.units.get(before) else { return Ok(()) };
        let nested: Vec<_> =
            unit.template.resources.iter().filter_map(|it| stack.nested(it)).collect();
        for nested in nested {
            if depth >= MAX_NESTING || self.units.len() >= cdk::MAX_STACKS {
                let message = "stacks are nested too deep, or there are too many of them";
                let start = Place::start_of(&nested.template.display().to_string().into());
                self.refused.add(Diagnostic::error(start, "", message));
                return Ok(());
            }
            self.stack(nested, is_served, chosen, depth + 1)?;
        }
        Ok(())
    }

    /// All that was read, ready to be compiled.
    pub(crate) fn into_units(mut self) -> Gathered {
        let mut units = std::mem::take(&mut self.units);
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for resource in units.iter().flat_map(|unit| &unit.template.resources) {
            *seen.entry(resource.id.as_str()).or_default() += 1;
        }
        let repeated = seen.into_iter().filter(|(_, count)| *count > 1);
        let repeated: HashSet<String> = repeated.map(|(id, _)| id.to_owned()).collect();
        for unit in &mut units {
            unit.names.set_repeated(repeated.clone());
        }
        let spellings = self.add_outputs(&mut units);
        Gathered { units, refused: self.refused, spellings }
    }

    /// Distributions that the AWS CLI printed are a unit of their own; what else it printed all can use.
    fn add_outputs(&mut self, units: &mut Vec<Unit>) -> Spellings {
        let outputs = std::mem::take(&mut self.outputs);
        let Some(path) = self.first_output.take() else { return outputs.spellings };
        let has_distribution = outputs.has_distribution();
        let named: Vec<_> = units.iter().flat_map(|unit| aws::named_in(&unit.template)).collect();
        let (resources, problems, spellings) = outputs.into_parts(&named);
        let parts = resources.iter().filter(|it| it.kind != "AWS::CloudFront::Distribution");
        for unit in units.iter_mut() {
            unit.template.add_resources(parts.clone().cloned().collect());
        }
        if !has_distribution && !units.is_empty() {
            self.refused.absorb(problems);
            return spellings;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut template = Template::default();
        template.add_resources(resources);
        units.push(Unit {
            template,
            names: self.names(stack_name(&stem), None, None),
            problems,
            start: Place::start_of(&path.display().to_string().into()),
            directory: directory_of(&path),
            is_served: true,
            assets: HashMap::new(),
        });
        spellings
    }

    fn file(
        &mut self,
        path: &Path,
        is_served: bool,
        stack: Option<cdk::Stack>,
    ) -> Result<(), LoadError> {
        let text = self.sources.read(path)?;
        let shown: Arc<str> = path.display().to_string().into();
        let start = Place::start_of(&shown);
        if let Some(refused) = format::recognize_text(&text, &start) {
            self.refused.add(refused);
            return Ok(());
        }
        let problems = Problems::default();
        let Some(mut root) = document::parse(&text, &shown, &problems) else {
            self.refused.absorb(problems);
            return Ok(());
        };
        let format = match &stack {
            // A stack of an assembly is a template even where it has no resource at all.
            Some(_) if root.as_map().is_some() => Format::CloudFormation,
            _ => format::recognize(&root, &shown),
        };
        let unit = match format {
            Format::Refused(refused) => {
                problems.add(refused);
                self.refused.absorb(problems);
                return Ok(());
            }
            Format::AwsOutput => {
                self.outputs.take(&root, path, self.ledger, self.sources);
                self.outputs.problems.absorb(problems);
                self.first_output.get_or_insert_with(|| path.to_owned());
                return Ok(());
            }
            Format::CloudFormation => {
                template::long_forms(&mut root, "", &problems);
                let directory = directory_of(path);
                let included = format::included::Included {
                    directory: &directory,
                    sources: self.sources,
                    problems: &problems,
                };
                included.fill_in(&mut root);
                let mut template = Template::read(&root, &problems);
                let (names, assets) = match stack {
                    Some(stack) => {
                        template.set_defaults(&stack.parameters);
                        (self.names(stack.name, stack.region, stack.account), stack.assets)
                    }
                    None => {
                        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                        let stem = stem.strip_suffix(".template").unwrap_or(&stem);
                        (self.names(stack_name(stem), None, None), HashMap::new())
                    }
                };
                Unit { template, names, problems, start, directory, is_served, assets }
            }
            Format::Serverless => {
                // All that a document has warnings for are doubled keys, and the framework takes none.
                problems.make_strict();
                let directory = directory_of(path);
                let service = format::serverless::read(
                    &root,
                    &directory,
                    self.options,
                    self.sources,
                    &problems,
                    self.ledger,
                );
                let Some(service) = service else {
                    self.refused.absorb(problems);
                    return Ok(());
                };
                Unit {
                    template: service.template,
                    names: self.names(service.name, service.region, None),
                    problems,
                    start,
                    directory,
                    is_served,
                    assets: HashMap::new(),
                }
            }
        };
        self.units.push(unit);
        Ok(())
    }

    /// Names of a stack; what an option says comes first.
    fn names(&self, stack: String, region: Option<String>, account: Option<String>) -> Names {
        let given = |name: &str| {
            let parameters = self.options.parameters.iter().rev();
            parameters.filter(|(given, _)| given == name).map(|(_, value)| value.clone()).next()
        };
        Names::new(
            given("AWS::StackName").unwrap_or(stack),
            given("AWS::Region").or(region).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            given("AWS::AccountId").or(account).unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()),
        )
    }
}

/// All that a source consists of.
pub(crate) struct Gathered {
    pub(crate) units: Vec<Unit>,
    /// What is wrong with files that gave no unit.
    pub(crate) refused: Problems,
    pub(crate) spellings: Spellings,
}

/// Where relative paths of a file begin.
fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
