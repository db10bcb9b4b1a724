//! `OriginGroups`: what is refused. What they compile to is held in `honesty`.

use warmfront_config::Options;

use crate::{Parts, loaded, problem};

#[test]
fn a_group_that_could_not_fail_over_is_refused() {
    for (id, status, members, message) in [
        ("g", "401", "[{OriginId: app}, {OriginId: app}]", "values: 400, 403"),
        ("g", "503", "[{OriginId: app}, {OriginId: app}]", "both members are \"app\""),
        ("app", "503", "[{OriginId: app}, {OriginId: app}]", "an origin and a group have the id"),
        ("g", "503", "[{OriginId: app}]", "exactly 2 members, found 1"),
        (
            "g",
            "503",
            "[{OriginId: app}, {OriginId: ap}]",
            "no origin has the id \"ap\". Did you mean \"app\"?",
        ),
        ("g", "", "[{OriginId: app}, {OriginId: app}]", "a group needs a status"),
    ] {
        let criteria = format!("StatusCodes: {{Quantity: 1, Items: [{status}]}}");
        let config = format!(
            "OriginGroups: {{Quantity: 1, Items: [{{Id: {id}, FailoverCriteria: {{{criteria}}}, Members: {{Quantity: 2, Items: {members}}}}}]}}"
        );
        let loaded = loaded(Parts { config: &config, ..Parts::default() }, &Options::default());
        problem(&loaded, message);
    }
}
