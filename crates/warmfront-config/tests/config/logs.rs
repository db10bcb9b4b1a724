//! Which logs a source asks for.

use warmfront_config::{Loaded, Options, Severity, StandardLog, Status};
use warmfront_core::distribution::Logging;
use warmfront_core::log_field::LogField;

use crate::{Parts, loaded, problem, stack};

fn status(loaded: &Loaded, property: &str) -> Status {
    let found = loaded.report.entries.iter().find(|entry| entry.path.ends_with(property));
    found.unwrap_or_else(|| panic!("{property} is not in the report")).status.clone()
}

#[track_caller]
fn inert_because(loaded: &Loaded, property: &str, reason: &str) {
    let found = status(loaded, property);
    assert!(matches!(&found, Status::Inert(why) if why.contains(reason)), "{property}: {found:?}");
}

const LOGGING: &str =
    "Logging: {Bucket: !GetAtt Logs.DomainName, Prefix: shop, IncludeCookies: 'true'}";
const BUCKET: &str = "  Logs: {Type: 'AWS::S3::Bucket', Properties: {BucketName: my-logs}}\n";

fn with_logging(config: &str, standard_log: StandardLog) -> Loaded {
    let options = Options { standard_log, ..Options::default() };
    loaded(Parts { config, more: BUCKET, ..Parts::default() }, &options)
}

#[test]
fn logging_is_effective_when_its_flag_is_given() {
    let without = with_logging(LOGGING, StandardLog::None);
    inert_because(&without, ".Logging", "--standard-log DIRECTORY/");
    let stream = with_logging(LOGGING, StandardLog::Stream);
    inert_because(&stream, ".Logging.Bucket", "with a directory");
    inert_because(&stream, ".Logging.Prefix", "with a directory");
    assert_eq!(status(&stream, ".Logging.IncludeCookies"), Status::Effective);
    let directory = with_logging(LOGGING, StandardLog::Directory);
    for part in ["Bucket", "Prefix", "IncludeCookies"] {
        assert_eq!(status(&directory, &format!(".Logging.{part}")), Status::Effective);
    }
    let expected = Logging {
        bucket: "my-logs.s3.amazonaws.com".to_owned(),
        prefix: "shop".to_owned(),
        include_cookies: true,
    };
    for loaded in [without, stream, directory] {
        assert_eq!(stack(loaded).distributions[0].logging, Some(expected.clone()));
    }
}

#[test]
fn a_bucket_is_a_host_name() {
    let loaded = with_logging("Logging: {Bucket: !Ref Logs}", StandardLog::Directory);
    assert_eq!(problem(&loaded, "!GetAtt BUCKET.DomainName").severity, Severity::Warning);
    let loaded =
        with_logging("Logging: {Bucket: !GetAtt Logs.RegionalDomainName}", StandardLog::None);
    assert!(loaded.diagnostics.is_empty());
    let loaded = with_logging("Logging: {Buckett: x}", StandardLog::None);
    problem(&loaded, "Did you mean \"Bucket\"?");
}

fn real_time(fields: &str, arn: &str, given: bool) -> Loaded {
    let behavior = format!("CachePolicyId: CachingOptimized\nRealtimeLogConfigArn: {arn}");
    let more = format!(
        "  Watch:
    Type: AWS::CloudFront::RealtimeLogConfig
    Properties:
      Name: watch
      SamplingRate: '25'
      EndPoints: [{{StreamType: Kinesis, KinesisStreamConfig: {{RoleArn: !ImportValue role, StreamArn: x}}}}]
      Fields: {fields}
"
    );
    let options = Options { real_time_log: given, ..Options::default() };
    loaded(Parts { behavior: &behavior, more: &more, ..Parts::default() }, &options)
}

#[test]
fn a_real_time_log_is_resolved_and_its_fields_are_in_their_order() {
    for arn in ["!GetAtt Watch.Arn", "!Ref Watch"] {
        let given = real_time("[cs-uri-stem, timestamp, c-ip]", arn, true);
        assert_eq!(status(&given, "RealtimeLogConfigArn"), Status::Effective);
        assert_eq!(status(&given, "Properties.Fields"), Status::Effective);
        inert_because(&given, "Properties.EndPoints", "--real-time-log");
        let stack = stack(given);
        let log = stack.distributions[0].behaviors[0].real_time_log.as_ref().unwrap();
        assert_eq!((log.name.as_str(), log.sampling_rate), ("watch", 25));
        let order = [LogField::Timestamp, LogField::ClientIp, LogField::UriStemWithQuery];
        assert_eq!(log.fields, order);
    }
}

#[test]
fn without_its_flag_a_real_time_log_is_inert_and_still_checked() {
    let loaded = real_time("[timestamp]", "!GetAtt Watch.Arn", false);
    inert_because(&loaded, "RealtimeLogConfigArn", "--real-time-log TARGET");
    inert_because(&loaded, "Resources.Watch", "--real-time-log TARGET");
    stack(loaded);
    let loaded = real_time("[timestamp, cs-refferer]", "!GetAtt Watch.Arn", false);
    assert!(problem(&loaded, "Did you mean \"cs-referer\"?").path.ends_with("Fields[1]"));
    problem(&real_time("[]", "!GetAtt Watch.Arn", true), "needs a field");
}

#[test]
fn a_configuration_that_is_elsewhere_is_said_and_a_name_is_no_arn() {
    let arn = "'arn:aws:cloudfront::123456789012:realtime-log-config/other'";
    let loaded = real_time("[timestamp]", arn, true);
    inert_because(&loaded, "RealtimeLogConfigArn", "not in this source");
    assert!(stack(loaded).distributions[0].behaviors[0].real_time_log.is_none());
    problem(&real_time("[timestamp]", "Wacth", true), "Did you mean \"Watch\"?");
    let loaded = real_time("[timestamp]", "!ImportValue log", true);
    inert_because(&loaded, "RealtimeLogConfigArn", "not in this source");
}

#[test]
fn deliveries_are_listed_with_the_flag_that_does_the_same() {
    let more =
        "  Source: {Type: 'AWS::Logs::DeliverySource', Properties: {LogType: ACCESS_LOGS}}\n";
    let loaded = loaded(Parts { more, ..Parts::default() }, &Options::default());
    inert_because(&loaded, "Resources.Source", "--standard-log FORMAT=TARGET");
}
