//! `OriginGroups`, and what a `TargetOriginId` names: an origin or a group.

use warmfront_core::Origin;
use warmfront_core::origin::Failover;

use super::Compiler;
use crate::document::{Node, quote};
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};

const MAX_ORIGIN_GROUPS: usize = 10;

/// Where a behavior's requests go: one origin, or the primary one of a group and what follows it.
#[derive(Debug, Clone)]
pub(super) struct Targeted {
    pub(super) origin: usize,
    pub(super) failover: Option<Failover>,
}

impl Compiler<'_> {
    /// The groups that could be read whole, in the order of the source.
    pub(super) fn origin_groups(
        &self,
        config: &Node,
        origins: &[Origin],
        path: &str,
    ) -> Vec<Targeted> {
        let Some(entry) = config.entry("OriginGroups") else { return Vec::new() };
        let path = format!("{path}.OriginGroups");
        let items = entry.value.items_at("Items");
        if items.len() > MAX_ORIGIN_GROUPS {
            let message =
                format!("at most {MAX_ORIGIN_GROUPS} groups are allowed, found {}", items.len());
            self.error(&items[MAX_ORIGIN_GROUPS].place, format!("{path}.Items"), message);
        }
        let mut groups: Vec<Targeted> = Vec::with_capacity(items.len());
        for (index, node) in items.iter().take(MAX_ORIGIN_GROUPS).enumerate() {
            let path = format!("{path}.Items[{index}]");
            let group = self.origin_group(node, origins, &path);
            if let Some(Targeted { failover: Some(failover), .. }) = &group
                && groups.iter().any(|known| known.is_group(&failover.group))
            {
                let place = node.get("Id").map_or(&node.place, |id| &id.place);
                let message = format!("two groups have the id {}", quote(&failover.group));
                self.error(place, format!("{path}.Id"), message);
            }
            groups.extend(group);
        }
        groups
    }

    fn origin_group(&self, node: &Node, origins: &[Origin], path: &str) -> Option<Targeted> {
        self.selection_criteria(node, path);
        let id = node.get("Id")?;
        let text = id.as_text()?;
        if origins.iter().any(|origin| origin.id == text) {
            let message = format!("an origin and a group have the id {}", quote(text));
            self.error(&id.place, format!("{path}.Id"), message);
        }
        let statuses = self.failover_statuses(node, path);
        let members = node.get("Members")?;
        let path = format!("{path}.Members");
        let list = members.get("Items").filter(|items| !items.is_unknown())?;
        let items = members.items_at("Items");
        if items.len() != 2 {
            let message = format!("a group has exactly 2 members, found {}", items.len());
            self.error(&list.place, &path, message);
        }
        let mut found = items.iter().take(2).enumerate().map(|(index, member)| {
            let path = format!("{path}.Items[{index}].OriginId");
            self.origin_named(member.get("OriginId")?, origins, &[], &path)
        });
        let (primary, secondary) = (found.next().flatten(), found.next().flatten());
        let (primary, secondary) = (primary?.origin, secondary?.origin);
        if primary == secondary {
            let message = format!("both members are {}", quote(&origins[primary].id));
            self.error(&list.place, format!("{path}.Items"), message);
        }
        let failover = Failover { group: text.to_owned(), origin: secondary, statuses };
        Some(Targeted { origin: primary, failover: Some(failover) })
    }

    fn failover_statuses(&self, node: &Node, path: &str) -> Vec<u16> {
        let codes = node.get("FailoverCriteria").and_then(|criteria| criteria.get("StatusCodes"));
        let Some(items) = codes.and_then(|codes| codes.get("Items")) else { return Vec::new() };
        let list = items.as_list().unwrap_or_default();
        if list.is_empty() && !items.is_unknown() {
            let path = format!("{path}.FailoverCriteria.StatusCodes.Items");
            self.error(
                &items.place,
                path,
                "a group needs a status that leads to its second member",
            );
        }
        let number = |code: &Node| u16::try_from(code.as_integer()?).ok();
        let mut statuses: Vec<u16> = list.iter().filter_map(number).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    fn selection_criteria(&self, node: &Node, path: &str) {
        let Some(entry) = node.entry("SelectionCriteria") else { return };
        let status = match entry.value.as_text() {
            Some("media-quality-based") => Status::Inert(
                "media quality is not measured; the primary member is asked first, and the other \
                 one after the statuses of FailoverCriteria"
                    .to_owned(),
            ),
            _ => Status::Effective,
        };
        self.ledger.note(&entry.place, &format!("{path}.SelectionCriteria"), status);
    }

    /// The origin or the group that `id` names.
    pub(super) fn origin_named(
        &self,
        id: &Node,
        origins: &[Origin],
        groups: &[Targeted],
        path: &str,
    ) -> Option<Targeted> {
        let text = id.as_text()?;
        if let Some(origin) = origins.iter().position(|origin| origin.id == text) {
            return Some(Targeted { origin, failover: None });
        }
        if let Some(group) = groups.iter().find(|group| group.is_group(text)) {
            return Some(group.clone());
        }
        // An origin whose own id could not be told may be the one; that was reported there.
        if origins.iter().all(|origin| !origin.id.is_empty()) && !origins.is_empty() {
            let known = || {
                let groups = groups.iter().filter_map(|group| group.failover.as_ref());
                let groups = groups.map(|failover| failover.group.as_str());
                origins.iter().map(|origin| origin.id.as_str()).chain(groups)
            };
            let message = format!(
                "no origin has the id {}.{} (origins: {})",
                quote(text),
                did_you_mean(text, known()),
                listed(known())
            );
            self.error(&id.place, path, message);
        }
        None
    }
}

impl Targeted {
    fn is_group(&self, id: &str) -> bool {
        self.failover.as_ref().is_some_and(|failover| failover.group == id)
    }
}
