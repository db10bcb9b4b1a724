//! `AWS::Lambda::Function`, as far as it can run beside the edge.
//!
//! Only functions that an origin's API leads to are looked at; a template's other functions are not
//! the edge's business.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use warmfront_core::function::{Code, Function, Runtime};

use super::{Compiler, schema};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::template::Resource;

/// A function that a route leads to.
#[derive(Debug, Clone)]
pub(super) enum Local {
    Here(Arc<Function>),
    /// It cannot run here, and why: only its own requests fail.
    Elsewhere(String),
}

/// Lambda's own defaults.
const TIMEOUT: Duration = Duration::from_secs(3);
const MEMORY_MIB: u32 = 128;

/// The functions of all stacks that something refers to, as far as they were met.
#[derive(Default)]
pub(super) struct Functions {
    in_order: RefCell<Vec<Arc<Function>>>,
    /// By the logical id, unique among the stacks; `None` for one that does not compile.
    known: RefCell<HashMap<String, Option<Local>>>,
}

impl Functions {
    /// Those that compile, in the order in which they were met.
    pub(super) fn in_order(self) -> Vec<Arc<Function>> {
        self.in_order.into_inner()
    }
}

impl<'t> Compiler<'t> {
    /// A function of this stack; compiled when it is met first.
    pub(super) fn local_function(&self, logical_id: &str) -> Option<Local> {
        let resource = self.evaluator.template.resource(logical_id)?;
        let unique = self.evaluator.names.unique(logical_id);
        if let Some(known) = self.functions.known.borrow().get(&unique) {
            return known.clone();
        }
        let function = self.function(resource);
        if let Some(Local::Here(function)) = &function {
            self.functions.in_order.borrow_mut().push(function.clone());
        }
        self.functions.known.borrow_mut().insert(unique, function.clone());
        function
    }

    /// The function of another stack that an ARN names, plain, with a version or with an alias: its
    /// logical id, and the compiler of its stack.
    pub(super) fn function_abroad(&self, arn: &str) -> Option<(Compiler<'t>, String)> {
        let others = (0..self.stacks.len()).filter(|stack| *stack != self.own);
        let mut homes =
            others.map(|stack| Compiler::new(stack, self.stacks, self.functions, self.ledger));
        homes.find_map(|home| {
            let is_meant = |resource: &&Resource| {
                let own = home.function_arn(resource);
                let own = own.as_deref().and_then(|own| arn.strip_prefix(own));
                own.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            };
            let found = home.created("AWS::Lambda::Function").into_iter().find(is_meant)?;
            Some((home, found.id.clone()))
        })
    }

    /// The ARN of a function of this stack, if its name can be told. Nothing is reported: most
    /// functions of a stack are not the edge's business.
    fn function_arn(&self, resource: &Resource) -> Option<String> {
        let names = self.evaluator.names;
        let path = resource.property_path("FunctionName");
        let name = match resource.property("FunctionName") {
            Some(node) => self.evaluator.evaluate_leniently(node, &path).as_text()?.to_owned(),
            None => names.generated(&resource.id),
        };
        Some(names.arn("lambda", &names.region, &format!("function:{name}")))
    }

    /// Every name that an option may use for a function.
    pub(super) fn function_names(&self) -> Vec<String> {
        let functions = self.created("AWS::Lambda::Function").into_iter();
        functions.flat_map(option_names).collect()
    }

    fn function(&self, resource: &Resource) -> Option<Local> {
        let path = format!("{}.Properties", resource.path);
        let environment_node =
            resource.property("Environment").and_then(|it| it.get("Variables")).cloned();
        let mut written = resource.clone();
        if let crate::document::Value::Map(entries) = &mut written.properties.value {
            // Evaluated on its own below: a variable that is given with an option need not be known.
            entries.retain(|entry| entry.key != "Environment" || !resource.is_generated);
        }
        let properties = if resource.is_generated {
            self.evaluator.evaluate(&written.properties, &path)
        } else {
            self.object(
                &without_variables(&written.properties),
                &resource.place,
                schema::FUNCTION,
                &path,
            )
        };
        properties.as_map()?;
        if properties.text_at("PackageType") == Some("Image") {
            self.has_no_effect(
                resource,
                &properties,
                "PackageType",
                "container images are not run",
            );
            let reason = format!("{} is a container image, and images are not run", resource.id);
            let path = format!("{path}.PackageType");
            return Some(self.elsewhere(&resource.place, path, reason, None));
        }
        let name = self.evaluator.physical_id(resource)?;
        let environment = self.environment(resource, environment_node.as_ref(), &path);
        let runtime = self.runtime(resource, &properties, &path)?;
        let is_run = !matches!(runtime, Runtime::Unsupported(_));
        let code = match is_run {
            true => self.code(resource, &properties, &path)?,
            // Nobody looks into it.
            false => Ok(Code::Directory(self.directory.to_owned())),
        };
        let code = match code {
            Ok(code) => code,
            Err(elsewhere) => return Some(elsewhere),
        };
        let handler = match (properties.text_at("Handler"), &code) {
            (Some(handler), _) => handler.to_owned(),
            (None, Code::Inline(_)) => "index.handler".to_owned(),
            (None, _) if !is_run => String::new(),
            (None, Code::Directory(_)) => {
                if properties.get("Handler").is_none() {
                    self.error(&resource.place, format!("{path}.Handler"), "Handler is missing");
                }
                return None;
            }
        };
        if is_run {
            self.check_handler(resource, &properties, (&handler, &runtime), &code, &path);
        }
        let concurrency = self.given_concurrency(resource);
        Some(Local::Here(Arc::new(Function {
            logical_id: self.evaluator.names.unique(&resource.id),
            name,
            runtime,
            handler,
            code,
            environment,
            timeout: properties.seconds_at("Timeout").unwrap_or(TIMEOUT),
            memory_mib: properties.number_at("MemorySize").unwrap_or(MEMORY_MIB),
            concurrency: concurrency.or(properties.number_at("ReservedConcurrentExecutions")),
        })))
    }

    /// Says that a function does not run here. What protects a route is asked for all the same, and
    /// other routes and origins are served.
    fn elsewhere(
        &self,
        place: &Place,
        path: String,
        reason: String,
        help: Option<String>,
    ) -> Local {
        const HELP: &str =
            "send the origin elsewhere: --origin ID=http://localhost:PORT (ID: the origin's Id)";
        let message = format!("{reason}; requests to it fail with 502");
        let help = help.map_or(HELP.to_owned(), |help| format!("{help}; or {HELP}"));
        self.problems.add(Diagnostic::warning(place.clone(), path, message).help(help));
        Local::Elsewhere(reason)
    }

    /// Where the code is; an error is a function whose code is not here.
    fn code(
        &self,
        resource: &Resource,
        properties: &Node,
        path: &str,
    ) -> Option<Result<Code, Local>> {
        let code = properties.get("Code")?;
        let path = format!("{path}.Code");
        if let Some(text) = code.text_at("ZipFile") {
            return Some(Ok(Code::Inline(text.to_owned())));
        }
        if let Some(path) = self.uploaded_code(resource, code) {
            return Some(Ok(Code::Directory(path)));
        }
        let Some(text) = code.as_text() else {
            if code.is_unknown() || code.get("ZipFile").is_some_and(Node::is_unknown) {
                return None;
            }
            let is_sam = resource.path.starts_with("Resources.") && self.evaluator.template.is_sam;
            let help = self.unpack_help(resource, code).unwrap_or_else(|| match is_sam {
                true => "write CodeUri: ./directory".to_owned(),
                false => {
                    "write Code: ./directory (as for \"aws cloudformation package\"), or ZipFile"
                        .to_owned()
                }
            });
            let reason = format!("the code of {} is not here", resource.id);
            return Some(Err(self.elsewhere(&code.place, path, reason, Some(help))));
        };
        let directory = match text {
            "." | "./" => self.directory.to_owned(),
            text => self.directory.join(text),
        };
        if directory.is_dir() {
            return Some(Ok(Code::Directory(directory)));
        }
        if directory.is_file() {
            return Some(self.code_file(resource, &directory, &code.place, path));
        }
        let message = format!("{} is not a directory", quote(text));
        let problem = Diagnostic::error(code.place.clone(), path, message).help(
            "the path starts at the directory of the source; build the code first if it is made",
        );
        self.problems.add(problem);
        None
    }

    /// One file stands for its directory: a deployment would pack it alone, at the root of the archive.
    fn code_file(
        &self,
        resource: &Resource,
        file: &Path,
        place: &Place,
        path: String,
    ) -> Result<Code, Local> {
        let is_archive = file.extension().is_some_and(|it| it == "zip" || it == "jar");
        if !is_archive {
            return Ok(Code::Directory(file.parent().unwrap_or(self.directory).to_owned()));
        }
        let unpacked = file.with_extension("");
        if unpacked.is_dir() {
            return Ok(Code::Directory(unpacked));
        }
        let reason = format!("the code of {} is an archive, and archives are not run", resource.id);
        let help = format!("unpack it: unzip -d {} {}", unpacked.display(), file.display());
        Err(self.elsewhere(place, path, reason, Some(help)))
    }

    fn runtime(&self, resource: &Resource, properties: &Node, path: &str) -> Option<Runtime> {
        let Some(runtime) = properties.get("Runtime") else {
            self.error(&resource.place, format!("{path}.Runtime"), "Runtime is missing");
            return None;
        };
        let text = runtime.as_text()?;
        if text.starts_with("nodejs") {
            return Some(Runtime::Node(text.to_owned()));
        }
        if text.starts_with("python3") {
            return Some(Runtime::Python(text.to_owned()));
        }
        let message = format!(
            "functions in {} do not run here yet; requests to it fail with 502",
            quote(text)
        );
        let problem =
            Diagnostic::warning(runtime.place.clone(), format!("{path}.Runtime"), message).help(
                "Node.js and Python run (nodejs20.x, python3.12 and others); or send the origin elsewhere with --origin",
            );
        self.problems.add(problem);
        let reason = format!("functions in {} do not run here yet", quote(text));
        self.has_no_effect(resource, properties, "Runtime", &reason);
        Some(Runtime::Unsupported(text.to_owned()))
    }

    /// Lists a property of a function that does not run. Those that a framework's text was written out as
    /// are not what the user wrote.
    fn has_no_effect(&self, resource: &Resource, properties: &Node, name: &str, reason: &str) {
        if let Some(entry) = properties.entry(name).filter(|_| !resource.is_generated) {
            let path = resource.property_path(name);
            let status = Status::Inert(format!("{reason}; requests to it fail with 502"));
            self.ledger.note(&entry.place, &path, status);
        }
    }

    fn environment(
        &self,
        resource: &Resource,
        variables: Option<&Node>,
        path: &str,
    ) -> Vec<(String, String)> {
        let given = self.given_environment(resource);
        let mut environment: Vec<(String, String)> = Vec::new();
        let path = format!("{path}.Environment.Variables");
        let entries = variables.and_then(Node::as_map).unwrap_or_default();
        for entry in entries {
            if given.iter().any(|(name, _)| *name == entry.key) {
                continue;
            }
            let path = format!("{path}.{}", entry.key);
            let value = self.evaluator.evaluate(&entry.value, &path);
            match value.as_text() {
                Some(text) => environment.push((entry.key.clone(), text.to_owned())),
                None if value.is_unknown() || value.is_null() => {}
                None => {
                    let message =
                        format!("an environment variable is text, found {}", value.describe());
                    self.error(&value.place, path, message);
                }
            }
        }
        environment
            .extend(given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment
    }

    fn given_environment(&self, resource: &Resource) -> Vec<(&str, &str)> {
        let names = option_names(resource);
        let mut given: Vec<(&str, &str)> = Vec::new();
        for (option, value) in &self.options.function_env {
            let Some((function, variable)) = option.split_once('.') else { continue };
            if names.iter().any(|name| name == function) {
                given.retain(|(known, _)| *known != variable);
                given.push((variable, value));
            }
        }
        given
    }

    fn given_concurrency(&self, resource: &Resource) -> Option<usize> {
        let names = option_names(resource);
        let given = self.options.function_concurrency.iter().rev();
        given.filter(|(name, _)| names.contains(name)).map(|(_, limit)| *limit).next()
    }

    /// A handler whose file is not there fails at its first request; better said now.
    fn check_handler(
        &self,
        resource: &Resource,
        properties: &Node,
        (handler, runtime): (&str, &Runtime),
        code: &Code,
        path: &str,
    ) {
        let place: Place =
            properties.get("Handler").map_or(&resource.place, |it| &it.place).clone();
        let path = format!("{path}.Handler");
        let (folder, file) =
            handler.rsplit_once('/').map_or(("", handler), |(folder, file)| (folder, file));
        let Some((stem, export)) = file.split_once('.') else {
            let message = format!("{} is not a handler such as src/handler.hello", quote(handler));
            self.problems.add(Diagnostic::error(place, path, message));
            return;
        };
        if stem.is_empty() || export.is_empty() || handler.split('/').any(|part| part == "..") {
            let message = format!("{} is not a handler such as src/handler.hello", quote(handler));
            self.problems.add(Diagnostic::error(place, path, message));
            return;
        }
        let Code::Directory(directory) = code else { return };
        let file = |extension: &str| -> PathBuf {
            directory.join(folder).join(format!("{stem}{extension}"))
        };
        let (extensions, usual) = match runtime {
            Runtime::Python(_) => (&[".py", "/__init__.py"][..], ".py"),
            _ => (&["", ".js", ".mjs", ".cjs"][..], ".js"),
        };
        if extensions.iter().any(|extension| Path::is_file(&file(extension))) {
            return;
        }
        let help = if file(".ts").is_file() {
            "there is a .ts file: build it first, and name the directory of the result"
        } else {
            "the path before the last dot starts at the directory of the source"
        };
        let message = format!("there is no {}", quote(&file(usual).display().to_string()));
        self.problems.add(Diagnostic::warning(place, path, message).help(help));
    }
}

/// The names that options may use: the logical id, and the key under serverless.yml's `functions`.
fn option_names(resource: &Resource) -> Vec<String> {
    let key = resource.path.strip_prefix("functions.").filter(|_| resource.is_generated);
    std::iter::once(resource.id.clone()).chain(key.map(str::to_owned)).collect()
}

/// The properties with the variables emptied: each is evaluated on its own.
fn without_variables(properties: &Node) -> Node {
    use crate::document::Value;
    let mut properties = properties.clone();
    let Value::Map(entries) = &mut properties.value else { return properties };
    let environment = entries.iter_mut().find(|entry| entry.key == "Environment");
    if let Some(Value::Map(parts)) = environment.map(|entry| &mut entry.value.value) {
        for part in parts.iter_mut().filter(|part| part.value.as_map().is_some()) {
            if part
                .value
                .as_map()
                .is_some_and(|map| map.iter().all(|e| !e.key.starts_with("Fn::") && e.key != "Ref"))
            {
                part.value.value = Value::Map(Vec::new());
            }
        }
    }
    properties
}
