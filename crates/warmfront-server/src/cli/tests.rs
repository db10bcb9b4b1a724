use super::*;

fn cli(arguments: &str) -> Result<Cli, String> {
    with_env(arguments, &[])
}

fn with_env(arguments: &str, env: &[(&str, &str)]) -> Result<Cli, String> {
    let words = std::iter::once("warmfront").chain(arguments.split_whitespace());
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    complete(cli, |name| {
        env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn run(arguments: &str) -> RunArgs {
    match cli(arguments).unwrap().command {
        Command::Run(args) => *args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn the_defaults_are_the_contracts() {
    let args = run("run");
    assert_eq!(args.source, None);
    assert_eq!(args.http, Bind::At("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(args.https, Bind::At("127.0.0.1:8443".parse().unwrap()));
    assert_eq!(args.admin, Bind::At("127.0.0.1:9900".parse().unwrap()));
    assert_eq!(args.cache_memory, Size(256 << 20));
    assert_eq!(args.access_log, AccessLog::Text);
    assert!(!args.from.strict && !args.from.honor_viewer_cache_control && !args.virtual_clock);
}

#[test]
fn every_flag_of_the_contract_that_is_built_is_understood() {
    let args = run(
        "run site.yml --http off --https 127.0.0.1:0 --admin [::1]:9000 --origin api=http://127.0.0.1:1 \
         --origin site=./dir --parameter AWS::Region=eu-west-1 --attribute Api.Endpoint=x.example \
         --stage prod --opt a=b=c --function-env hello.KEY=v --function-concurrency hello=3 \
         --cache-memory 1GiB --state-dir state --profile cloudfront \
         --honor-viewer-cache-control --strict --allow-unprotected Auth \
         --geo de --geo-database city.mmdb --geo-database asn.mmdb --geo-header",
    );
    assert_eq!(args.source.as_deref(), Some(std::path::Path::new("site.yml")));
    assert_eq!(args.http, Bind::Off);
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(args.from.origins, [pair("api", "http://127.0.0.1:1"), pair("site", "./dir")]);
    assert_eq!(args.from.parameters, [pair("AWS::Region", "eu-west-1")]);
    assert_eq!(args.from.attributes, [pair("Api.Endpoint", "x.example")]);
    assert_eq!(args.from.opts, [pair("a", "b=c")]);
    assert_eq!(args.from.function_env, [pair("hello.KEY", "v")]);
    assert_eq!(args.from.function_concurrency, [("hello".to_owned(), 3)]);
    assert_eq!(args.from.allow_unprotected, ["Auth"]);
    assert_eq!(args.from.geo, Country::parse("DE"));
    assert_eq!(args.from.geo_databases, ["city.mmdb", "asn.mmdb"].map(PathBuf::from));
    assert!(args.from.geo_header);
    assert_eq!(args.cache_memory, Size(1 << 30));
    assert!(args.from.strict && args.from.honor_viewer_cache_control);
}

#[test]
fn a_repeatable_flag_takes_one_value_a_line_from_the_environment() {
    let env = [("WARMFRONT_ORIGIN", "a=http://x\n\nb=dir\n"), ("WARMFRONT_OPT", "k=v")];
    let Command::Run(args) = with_env("run --opt k=w", &env).unwrap().command else { panic!() };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(args.from.origins, [pair("a", "http://x"), pair("b", "dir")]);
    assert_eq!(args.from.opts, [pair("k", "w")], "the command line wins");
    let error = with_env("check x.yml", &[("WARMFRONT_ORIGIN", "a=b\nnonsense")]).unwrap_err();
    assert!(error.contains("WARMFRONT_ORIGIN, line 2"), "{error}");
}

#[test]
fn more_files_follow_the_source_or_come_with_it() {
    let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let args = run("run a.json b.json --with p.json c.json --with q.json");
    assert_eq!(args.source, Some(PathBuf::from("a.json")));
    assert_eq!(args.from.also, files(&["b.json", "c.json"]));
    assert_eq!(args.from.with, files(&["p.json", "q.json"]));
    let env = [("WARMFRONT_WITH", "p.json\nq.json\n")];
    let Command::Check(args) = with_env("check a.json b.json", &env).unwrap().command else {
        panic!()
    };
    assert_eq!(args.from.also, files(&["b.json"]));
    assert_eq!(args.from.with, files(&["p.json", "q.json"]));
}

#[test]
fn a_value_may_hold_newlines_on_the_command_line() {
    let words = ["warmfront", "check", "x", "--function-env", "f.PEM=a\nb"];
    let cli = complete(Cli::try_parse_from(words).unwrap(), |_| None).unwrap();
    let Command::Check(args) = cli.command else { panic!() };
    assert_eq!(args.from.function_env, [("f.PEM".to_owned(), "a\nb".to_owned())]);
}

#[test]
fn mistakes_are_named() {
    let rows = [
        ("run --http nowhere", "nowhere"),
        ("run --http 8.8.8.8", "8.8.8.8"),
        ("run --cache-memory 12XB", "12XB"),
        ("run --origin novalue", "KEY=TARGET"),
        ("run --function-concurrency f=0", "f=0"),
        ("run --function-env f=0", "NAME.KEY"),
        ("check x --format xml", "xml"),
        ("run --workers 0", "0"),
        ("run --standard-log xml=-", "v1, json, w3c and plain"),
        ("run --standard-log - --standard-log-fields date", "33 fields"),
        ("run --standard-log json=a.log --standard-log-fields cs-host", "cs(Host)"),
        ("run --standard-log json=a.log --standard-log-path {yyyy}", "needs a directory"),
        ("run --standard-log json=a/ --standard-log-path {hour}", "{HH}"),
        ("run --standard-log-fields date", "--standard-log"),
        ("run --standard-log w3c=- --real-time-log -", "a target each"),
        ("run --cache-disk 1GiB", "--cache-dir"),
        ("run --cache-dir c --cache-disk 15MiB", "16 MiB at least"),
        ("run --geo Germany", "two letters, such as DE"),
        ("run --profile varnish", "cloudfront, rfc9111"),
        ("test", "CASE"),
        ("purge", "PATH|#TAG"),
        ("purge /a --admin example.com:80", "example.com"),
    ];
    for (arguments, part) in rows {
        let error = cli(arguments).unwrap_err();
        assert!(error.contains(part), "{arguments}: {error}");
    }
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let rows = [
        ("function test x.yml Fn --event e.json", "warmfront function"),
        ("kvs get store key", "warmfront kvs"),
        ("top", "warmfront top"),
        ("log", "warmfront log"),
        ("run --kvs store=file.json", "--kvs"),
        ("check x.yml --kvs store=file.json", "--kvs"),
    ];
    for (arguments, name) in rows {
        let error = cli(arguments).unwrap_err();
        assert!(error.contains(name) && error.contains("not built yet"), "{arguments}: {error}");
    }
}

#[test]
fn help_lists_nothing_that_is_not_built() {
    use clap::CommandFactory as _;
    let mut command = Cli::command();
    let help = command.render_long_help().to_string();
    let run = command.find_subcommand_mut("run").unwrap().render_long_help().to_string();
    for name in ["kvs", "top\n", "virtual-clock"] {
        assert!(!help.contains(name) && !run.contains(name), "{name} in {help}{run}");
    }
}
