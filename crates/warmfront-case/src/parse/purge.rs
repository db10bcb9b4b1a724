//! `purge [--soft] [--dry-run] [--distribution NAME] ITEM… [<- N objects]`.

use super::Parsed;
use super::cursor::Cursor;
use crate::script::Action;
use crate::target::Purge;

pub(super) fn statement(cursor: &mut Cursor<'_>) -> Parsed<Action> {
    let mut purge = Purge::default();
    let mut objects = None;
    loop {
        if cursor.takes("<-") {
            objects = Some(cursor.number()?);
            if !(cursor.takes_word("objects") || cursor.takes_word("object")) {
                return Err(cursor.problem("what a purge meant is told in objects: <- 2 objects"));
            }
            break;
        }
        match cursor.path() {
            "" => break,
            "--soft" => purge.soft = true,
            "--dry-run" => purge.dry_run = true,
            "--distribution" => {
                purge.distribution = Some(cursor.name("the name of a distribution")?);
            }
            item if item.starts_with(['/', '#']) => purge.items.push(item.to_owned()),
            other => {
                return Err(cursor.problem(format!(
                    "an item is a path or a tag (/a, /a/*, #a), beside --soft, --dry-run and --distribution \
                     NAME; not {other:?}"
                )));
            }
        }
    }
    if purge.items.is_empty() {
        return Err(cursor.problem("nothing is named: write purge /a, purge /a/* or purge #tag"));
    }
    Ok(Action::Purge { purge, objects })
}
