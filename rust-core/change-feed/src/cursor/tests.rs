// SPDX-License-Identifier: Apache-2.0
// A list of one group is meant as such.
#![allow(clippy::single_range_in_vec_init)]

use super::*;
use crate::position::Then;
use crate::position::tests::{lineage, position};
use crate::range::EpkRange;
use proptest::prelude::*;

fn partition(id: &str, parents: &[&str], min: &str, max: &str) -> PhysicalRange {
    PhysicalRange {
        id: id.to_owned(),
        range: EpkRange::new(min, max).unwrap(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn cursor(mark: Option<i64>, end: Option<i64>) -> Cursor {
    let mut position = position();
    position.token = Some("t0".to_owned());
    let at = |lsn| LineageLsn {
        lsn,
        lineage: lineage("0", "", "FF"),
    };
    position.mark = mark.map(at);
    position.end = end.map(at).map(End::Lsn);
    Cursor::new(position, ItemsWithoutLsn::Fail)
}

fn judge_on(cursor: &mut Cursor, topology: &[PhysicalRange], lsns: &[i64]) -> Verdict {
    let lsns: Vec<Option<i64>> = lsns.iter().copied().map(Some).collect();
    cursor
        .judge(&Facts {
            not_modified: lsns.is_empty(),
            lsn: lsns.last().copied().flatten(),
            partition: &topology[0],
            topology,
            next_token: "t1",
            lsns: &lsns,
            timestamps: &vec![None; lsns.len()],
            past_end_time: false,
        })
        .unwrap()
}

fn accepted(verdict: Verdict) -> Accepted {
    match verdict {
        Verdict::Accepted(accepted) => *accepted,
        other => panic!("{other:?}"),
    }
}

fn judge(cursor: &mut Cursor, lsns: &[i64]) -> Accepted {
    accepted(judge_on(cursor, &[partition("0", &[], "", "FF")], lsns))
}

#[test]
fn items_of_one_lsn_are_one_group() {
    let page = judge(&mut cursor(None, None), &[3, 3, 4, 7, 7, 7]);
    assert_eq!(page.groups, [0..2, 2..3, 3..6]);
    let marks: Vec<Option<i64>> = page.marks.iter().map(|m| m.as_ref().map(|m| m.lsn)).collect();
    assert_eq!(marks, [Some(3), Some(4), None]);
    assert_eq!(page.end.token.as_deref(), Some("t1"));
}

#[test]
fn what_lies_at_or_below_the_mark_is_dropped() {
    let page = judge(&mut cursor(Some(4), None), &[3, 4, 4, 5, 6]);
    assert_eq!(page.first, 3);
    assert_eq!(page.groups, [3..4, 4..5]);
    assert_eq!(page.end.mark, None);
}

#[test]
fn the_mark_stays_until_an_lsn_above_it_was_seen() {
    let mut cursor = cursor(Some(9), None);
    let page = judge(&mut cursor, &[3, 4]);
    assert!(page.groups.is_empty() && page.moved);
    assert_eq!(
        page.end.mark.as_ref().map(|m| m.lsn),
        Some(9),
        "the page was cut shorter this time"
    );
    let nothing = judge(&mut cursor, &[]);
    assert_eq!(nothing.end.mark.as_ref().map(|m| m.lsn), Some(9));
    let page = judge(&mut cursor, &[9, 10]);
    assert_eq!(page.groups, [1..2]);
    assert_eq!(page.end.mark, None);
}

#[test]
fn a_304_moves_the_position_to_its_token() {
    let mut cursor = cursor(None, None);
    assert!(judge(&mut cursor, &[]).moved);
    assert_eq!(cursor.position().token.as_deref(), Some("t1"));
    assert!(!judge(&mut cursor, &[]).moved, "the same token again");
}

#[test]
fn a_page_whose_lsns_decrease_is_one_group_and_drops_only_a_prefix() {
    let page = judge(&mut cursor(Some(7), None), &[5, 7, 8, 6]);
    assert_eq!(page.groups, [2..4], "6 lies behind 8, so it was never emitted");
    assert!(page.notices.contains(&Notice::LsnsDecrease));
}

#[test]
fn a_group_that_goes_on_is_noticed_and_emitted_whole() {
    let mut cursor = cursor(None, None);
    assert!(judge(&mut cursor, &[1, 2]).notices.is_empty());
    let rest = judge(&mut cursor, &[2, 3]);
    assert_eq!(rest.notices, [Notice::GroupGoesOn]);
    assert_eq!(rest.groups, [0..1, 1..2], "nothing is dropped");
}

#[test]
fn a_bounded_range_ends_before_the_first_item_above_its_end() {
    let page = judge(&mut cursor(None, Some(5)), &[3, 5, 6, 7]);
    assert!(page.finished);
    assert_eq!(page.groups, [0..1, 1..2]);
    let mut at_end = cursor(None, Some(5));
    assert!(!judge(&mut at_end, &[3, 5]).finished, "the header alone ends nothing");
}

#[test]
fn a_304_ends_a_bounded_range_only_when_the_replica_has_reached_the_end() {
    let partition = partition("0", &[], "", "FF");
    let mut cursor = cursor(None, Some(5));
    let mut at = |lsn| {
        accepted(
            cursor
                .judge(&Facts {
                    not_modified: true,
                    lsn,
                    partition: &partition,
                    topology: &[],
                    next_token: "t1",
                    lsns: &[],
                    timestamps: &[],
                    past_end_time: false,
                })
                .unwrap(),
        )
        .finished
    };
    assert!(!at(Some(4)), "a lagging replica");
    assert!(!at(None));
    assert!(at(Some(5)));
}

/// Judges a page of (LSN, milliseconds) on the one partition.
fn judge_times(cursor: &mut Cursor, items: &[(i64, i64)], past_end_time: bool) -> Accepted {
    let lsns: Vec<Option<i64>> = items.iter().map(|item| Some(item.0)).collect();
    let timestamps: Vec<Option<i64>> = items.iter().map(|item| Some(item.1)).collect();
    let partition = partition("0", &[], "", "FF");
    accepted(
        cursor
            .judge(&Facts {
                not_modified: items.is_empty(),
                lsn: lsns.last().copied().flatten(),
                partition: &partition,
                topology: &[],
                next_token: "t1",
                lsns: &lsns,
                timestamps: &timestamps,
                past_end_time,
            })
            .unwrap(),
    )
}

fn until(millis: i64) -> Cursor {
    let mut position = cursor(None, None).position().clone();
    position.end = Some(End::Time(millis));
    Cursor::new(position, ItemsWithoutLsn::Fail)
}

#[test]
fn an_end_in_time_includes_its_second_and_cuts_no_transaction() {
    let page = judge_times(
        &mut until(5_200),
        &[(1, 4_000), (2, 5_000), (3, 5_000), (4, 6_000)],
        false,
    );
    assert!(page.finished);
    assert_eq!(page.groups, [0..1, 1..2, 2..3]);
    let page = judge_times(&mut until(5_200), &[(1, 5_000), (2, 5_000), (2, 6_000)], false);
    assert_eq!(
        page.groups,
        [0..1],
        "one transaction over two seconds is later as a whole"
    );
    let page = judge_times(&mut until(5_200), &[(1, 5_000)], true);
    assert!(!page.finished, "more of that second may come");
}

#[test]
fn a_304_ends_a_range_only_when_its_end_in_time_is_long_past() {
    assert!(!judge_times(&mut until(5_200), &[], false).finished);
    assert!(judge_times(&mut until(5_200), &[], true).finished);
    assert!(
        !judge_times(&mut cursor(None, None), &[], true).finished,
        "there is no end"
    );
}

fn present_state(pinned_at: i64, end: Option<End>) -> Cursor {
    let mut position = cursor(None, Some(pinned_at)).position().clone();
    position.then = Some(Then {
        token: "pinned".to_owned(),
        end,
    });
    Cursor::new(position, ItemsWithoutLsn::Fail)
}

#[test]
fn behind_the_present_state_the_pinned_changes_follow() {
    for items in [&[3, 5, 6][..], &[][..]] {
        let mut cursor = present_state(5, Some(End::Time(77)));
        let partition = partition("0", &[], "", "FF");
        let lsns: Vec<Option<i64>> = items.iter().copied().map(Some).collect();
        let page = accepted(
            cursor
                .judge(&Facts {
                    not_modified: items.is_empty(),
                    lsn: Some(6),
                    partition: &partition,
                    topology: &[],
                    next_token: "t1",
                    lsns: &lsns,
                    timestamps: &vec![None; lsns.len()],
                    past_end_time: false,
                })
                .unwrap(),
        );
        assert_eq!(
            page.groups.len(),
            items.len().saturating_sub(1),
            "what is above the pin comes as a change"
        );
        assert!(page.switched && page.moved && !page.finished);
        assert_eq!(&page.end, cursor.position());
        assert_eq!(page.end.mode, Mode::AllVersionsAndDeletes);
        assert_eq!(page.end.token.as_deref(), Some("pinned"));
        assert_eq!(page.end.end, Some(End::Time(77)));
        assert_eq!((page.end.mark.clone(), page.end.then.clone()), (None, None));
        assert_eq!(page.marks.last(), Some(&None));
        let change = judge(&mut cursor, &[6, 7]);
        assert_eq!(
            change.groups,
            [0..1, 1..2],
            "nothing of the present state's page matters any more"
        );
        assert!(change.notices.is_empty());
    }
}

#[test]
fn the_present_state_goes_on_until_it_is_read() {
    let mut cursor = present_state(5, None);
    let page = judge(&mut cursor, &[3, 5]);
    assert!(!page.switched && !page.finished);
    assert_eq!(page.end.mode, Mode::LatestVersion);
    assert_eq!(page.end.token.as_deref(), Some("t1"));
    let children = cursor.position().child(EpkRange::new("", "3F").unwrap());
    assert_eq!(children.then, cursor.position().then);
    assert_eq!(children.job_mode(), Mode::AllVersionsAndDeletes);
}

#[test]
fn a_mark_goes_on_through_a_split_and_is_void_after_a_merge() {
    let children = [partition("1", &["0"], "", "7F"), partition("2", &["0"], "7F", "FF")];
    let mut split = cursor(Some(4), None);
    assert_eq!(accepted(judge_on(&mut split, &children, &[4, 5])).groups, [1..2]);
    let merged = [partition("9", &["0", "8"], "", "FF")];
    let mut merge = cursor(Some(4), None);
    let page = accepted(judge_on(&mut merge, &merged, &[1, 2]));
    assert_eq!(page.groups, [0..1, 1..2], "LSNs may start anew: nothing is dropped");
    assert_eq!(page.notices, [Notice::MarkVoid]);
}

fn nothing_new(cursor: &mut Cursor, at: i64, partition: PhysicalRange) -> Verdict {
    no_items(cursor, true, at, partition)
}

fn no_items(cursor: &mut Cursor, not_modified: bool, at: i64, partition: PhysicalRange) -> Verdict {
    let verdict = cursor.judge(&Facts {
        not_modified,
        lsn: Some(at),
        partition: &partition,
        topology: &[],
        next_token: "of a 304",
        lsns: &[],
        timestamps: &[],
        past_end_time: false,
    });
    verdict.unwrap()
}

#[test]
fn what_a_lagging_replica_had_yet_to_see_of_before_the_start_is_dropped() {
    let starts_at = |mark| {
        let mut position = cursor(mark, None).position().clone();
        position.start = Start::At(5_300);
        Cursor::new(position, ItemsWithoutLsn::Fail)
    };
    let items = [(1, 4_000), (2, 4_000), (3, 4_999), (3, 5_000), (4, 5_000), (5, 4_000)];
    let page = judge_times(&mut starts_at(None), &items, false);
    assert_eq!((page.first, page.already_emitted), (2, 0), "a transaction is not cut");
    let page = judge_times(&mut starts_at(Some(3)), &items, false);
    assert_eq!((page.first, page.already_emitted), (4, 4));
    let page = judge_times(&mut starts_at(None), &items[..2], false);
    assert_eq!((page.documents(), page.first), (0, 2));
    assert_eq!(page.end.mark, None);
}

#[test]
fn nothing_new_on_a_replica_that_is_behind_is_not_taken() {
    let whole = || partition("0", &[], "", "FF");
    let in_page = cursor(Some(6), None);
    let mut behind_page = cursor(None, None);
    judge(&mut behind_page, &[3, 6]);
    let mut idle = cursor(None, None);
    accepted(nothing_new(&mut idle, 6, whole()));
    let mut switched = present_state(6, None);
    assert!(accepted(nothing_new(&mut switched, 6, whole())).switched);
    for before in [in_page, behind_page, idle, switched] {
        let mut cursor = before.clone();
        let Verdict::Behind(behind) = nothing_new(&mut cursor, 5, whole()) else {
            panic!("{:?} was behind {:?}", cursor.position(), before.position());
        };
        assert_eq!((behind.read.lsn, behind.lsn), (6, 5));
        assert_eq!(cursor.position(), before.position());
        accepted(nothing_new(&mut before.clone(), 6, whole()));
        // LSNs of a merged partition may start anew.
        accepted(nothing_new(
            &mut before.clone(),
            5,
            partition("9", &["0", "8"], "", "FF"),
        ));
        // What it brings is not behind the token.
        assert_eq!(judge(&mut cursor, &[7]).documents(), 1);
        assert_eq!(cursor.position().reached.as_ref().map(|reached| reached.lsn), Some(7));
    }
}

#[test]
fn a_replica_that_has_reached_the_end_ends_a_range_that_was_read_further() {
    let whole = || partition("0", &[], "", "FF");
    let mut further = cursor(None, Some(4));
    assert!(
        !accepted(no_items(&mut further, false, 6, whole())).finished,
        "an empty page"
    );
    assert_eq!(further.position().reached.as_ref().map(|reached| reached.lsn), Some(6));
    for not_modified in [false, true] {
        let verdict = no_items(&mut further.clone(), not_modified, 3, whole());
        assert!(matches!(verdict, Verdict::Behind(_)), "{verdict:?}");
    }
    assert!(
        matches!(no_items(&mut further, false, 5, whole()), Verdict::Behind(_)),
        "it is not the end"
    );
    assert!(accepted(nothing_new(&mut further, 4, whole())).finished);
}

#[test]
fn an_end_of_another_lineage_is_void() {
    let merged = [partition("9", &["0", "8"], "", "FF")];
    assert_eq!(judge_on(&mut cursor(None, Some(4)), &merged, &[1, 2]), Verdict::EndVoid);
}

#[test]
fn an_item_without_lsn_fails_or_makes_the_page_one_group() {
    let partition = partition("0", &[], "", "FF");
    let facts = Facts {
        not_modified: false,
        lsn: Some(3),
        partition: &partition,
        topology: &[],
        next_token: "t1",
        lsns: &[Some(1), None, Some(3)],
        timestamps: &[None; 3],
        past_end_time: false,
    };
    let error = cursor(None, None).judge(&facts).unwrap_err();
    assert_eq!(error.code, Code::LsnMissing);
    assert!(error.message.contains("itemsWithoutLsn"));
    let mut position = position();
    position.token = Some("t0".to_owned());
    let verdict = Cursor::new(position, ItemsWithoutLsn::Page).judge(&facts).unwrap();
    assert_eq!(accepted(verdict).groups.len(), 1);
}

#[test]
fn a_token_of_another_container_is_refused_and_one_with_two_ranges_is_a_split() {
    let shape = |rid: &str, ranges: &[(&str, &str)]| TokenShape {
        container_rid: rid.to_owned(),
        ranges: ranges.iter().map(|(a, b)| EpkRange::new(a, b).unwrap()).collect(),
    };
    let cursor = cursor(None, None);
    assert!(!cursor.is_split(&shape("rid", &[("", "7F")])).unwrap());
    assert!(cursor.is_split(&shape("rid", &[("", "3F"), ("3F", "7F")])).unwrap());
    assert!(
        cursor.is_split(&shape("rid", &[("", "3F")])).unwrap(),
        "a first page served by one child"
    );
    let error = cursor.is_split(&shape("other", &[("", "7F")])).unwrap_err();
    assert_eq!(error.code, Code::ContainerRecreated);
}

/// A feed of one partition in latest-version mode: documents by the LSN of their last change.
#[derive(Debug, Clone, Default)]
struct Feed {
    /// (lsn, document, version), by LSN; documents of a batch share an LSN.
    items: Vec<(i64, u8, u32)>,
    next_lsn: i64,
    versions: std::collections::HashMap<u8, u32>,
}

impl Feed {
    fn write(&mut self, batch: &[u8]) {
        self.next_lsn += 1;
        for document in batch {
            self.items.retain(|(_, d, _)| d != document);
        }
        let unique: std::collections::BTreeSet<u8> = batch.iter().copied().collect();
        for document in unique {
            let version = self.versions.entry(document).or_default();
            *version += 1;
            self.items.push((self.next_lsn, document, *version));
        }
    }

    /// Items behind `token`, whole LSN groups, at least one, about `size` items; and the token behind them.
    fn page(&self, token: i64, size: usize) -> (Vec<(i64, u8, u32)>, i64) {
        let behind: Vec<_> = self.items.iter().filter(|i| i.0 > token).copied().collect();
        let mut page: Vec<(i64, u8, u32)> = Vec::new();
        for item in behind {
            if page.len() >= size && page.last().is_some_and(|last| last.0 != item.0) {
                break;
            }
            page.push(item);
        }
        let next = page.last().map_or(self.next_lsn, |last| last.0);
        (page, next)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>),
    /// Read a page of this size; emit this many groups of it; then take a checkpoint or fail back to the last one.
    Read {
        size: usize,
        groups: usize,
        crash: bool,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => proptest::collection::vec(0u8..12, 1..4).prop_map(Step::Write),
        4 => (1usize..6, 0usize..6, any::<bool>()).prop_map(|(size, groups, crash)| Step::Read { size, groups, crash }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Whatever is written between a checkpoint in mid-page and the restore, and however the page is cut then: every
    /// change is emitted at most once (in the run that counts), groups are whole, last versions arrive, order holds.
    #[test]
    fn restores_lose_nothing_and_repeat_nothing(steps in proptest::collection::vec(any_step(), 1..60)) {
        let partition = partition("0", &[], "", "FF");
        let mut feed = Feed::default();
        let mut start = position();
        start.token = Some("0".to_owned());
        // What a transactional sink holds as of the last checkpoint, and the position in that checkpoint.
        let mut committed: Vec<(i64, u8, u32)> = vec![];
        let mut checkpoint = start.clone();
        let mut cursor = Cursor::new(start, ItemsWithoutLsn::Fail);
        let mut pending = committed.clone();
        let mut drain = vec![Step::Read { size: 3, groups: usize::MAX, crash: false }; 40];
        let mut steps = steps;
        steps.append(&mut drain);
        for step in steps {
            match step {
                Step::Write(batch) => feed.write(&batch),
                Step::Read { size, groups, crash } => {
                    let before = cursor.position().clone();
                    let token: i64 = before.token.as_deref().unwrap().parse().unwrap();
                    let (items, next) = feed.page(token, size);
                    let lsns: Vec<Option<i64>> = items.iter().map(|i| Some(i.0)).collect();
                    let page = accepted(cursor.judge(&Facts {
                        not_modified: items.is_empty(),
                        lsn: Some(feed.next_lsn),
                        partition: &partition,
                        topology: &[],
                        next_token: &next.to_string(),
                        lsns: &lsns,
                        timestamps: &vec![None; lsns.len()],
                        past_end_time: false,
                    }).unwrap());
                    let emit = groups.min(page.groups.len());
                    for group in &page.groups[..emit] {
                        pending.extend_from_slice(&items[group.clone()]);
                    }
                    let here = if emit == page.groups.len() {
                        page.end.clone()
                    } else if emit == 0 {
                        before
                    } else {
                        Position { mark: page.marks[emit - 1].clone(), ..before }
                    };
                    if crash {
                        pending = committed.clone();
                        cursor = Cursor::new(checkpoint.clone(), ItemsWithoutLsn::Fail);
                    } else {
                        committed = pending.clone();
                        checkpoint = Position::decode(&here.split_id(), &here.encode()).unwrap();
                        // A position in mid-page is only used by a restore: the running reader emits the rest.
                        if emit < page.groups.len() {
                            cursor = Cursor::new(checkpoint.clone(), ItemsWithoutLsn::Fail);
                        }
                    }
                }
            }
        }
        let unique: std::collections::HashSet<_> = committed.iter().map(|(_, d, v)| (d, v)).collect();
        prop_assert_eq!(unique.len(), committed.len(), "repeated");
        for (document, version) in &feed.versions {
            prop_assert!(committed.iter().any(|(_, d, v)| d == document && v == version), "lost {document}");
        }
        for pair in committed.windows(2) {
            prop_assert!(pair[0].0 <= pair[1].0, "order");
        }
    }
}
