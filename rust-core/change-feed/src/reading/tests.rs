// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::configuration::ItemsWithoutLsn;
use crate::position::End;
use crate::position::tests::{lineage, position};
use crate::range::EpkRange;
use crate::token::TokenShape;

fn manner() -> Manner {
    Manner {
        items_without_lsn: ItemsWithoutLsn::Fail,
        idle_poll_min: Duration::from_millis(100),
        idle_poll_max: Duration::from_millis(1000),
        page_size: 3,
    }
}

/// A reading of the test position's range, about to fetch.
fn reading(position: Position) -> Reading {
    let rid = position.identity.rid.clone();
    let mut reading = Reading::new(position, &manner());
    assert!(matches!(reading.next_step(), Step::Connect));
    reading.connected(Ok(&rid));
    assert!(matches!(reading.next_step(), Step::Fetch));
    reading
}

fn lsn_on(id: &str, lsn: i64) -> LineageLsn {
    LineageLsn {
        lsn,
        lineage: lineage(id, "", "FF"),
    }
}

fn bounded_at(end: LineageLsn) -> Position {
    Position {
        end: Some(End::Lsn(end)),
        ..position()
    }
}

fn partition(id: &str, parents: &[&str], min: &str, max: &str) -> PhysicalRange {
    PhysicalRange {
        id: id.to_owned(),
        range: EpkRange::new(min, max).unwrap(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn page(reading: &Reading, partition: &str, lsns: &[i64]) -> Page {
    let Position { identity, range, .. } = reading.position();
    Page {
        not_modified: lsns.is_empty(),
        lsn: lsns.last().copied(),
        partition_id: Some(partition.to_owned()),
        next_token: "t1".to_owned(),
        shape: TokenShape {
            container_rid: identity.rid.clone(),
            ranges: vec![range.clone()],
        },
        lsns: lsns.iter().copied().map(Some).collect(),
        timestamps: vec![None; lsns.len()],
        past_end_time: false,
    }
}

fn transient() -> Failure {
    Failure::Transient {
        error: Error::new(Code::ServiceError, "503"),
        throttled: false,
        asked: None,
    }
}

fn ended(reading: &mut Reading) -> Outcome {
    match reading.next_step() {
        Step::End(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_partition_that_answered_is_looked_for_once() {
    let mut reading = reading(position());
    let whole = || vec![partition("0", &[], "", "FF")];
    let first = page(&reading, "0", &[1, 2]);
    reading.answered(Ok(first));
    assert!(matches!(reading.next_step(), Step::ListPartitions { refresh: false }));
    reading.listed(Ok(vec![partition("9", &[], "", "FF")]));
    assert!(matches!(reading.next_step(), Step::ListPartitions { refresh: true }));
    reading.listed(Ok(whole()));
    let Step::Deliver(delivered) = reading.next_step() else {
        panic!("nothing delivered")
    };
    assert_eq!(delivered.accepted.groups, [0..1, 1..2]);
    assert!(matches!(reading.next_step(), Step::Fetch));
    let second = page(&reading, "0", &[3]);
    reading.answered(Ok(second));
    assert!(matches!(reading.next_step(), Step::Deliver(_)), "known by now");
    assert!(matches!(reading.next_step(), Step::Fetch));
    // An answer of a partition that nobody lists is asked for again.
    let unknown = page(&reading, "7", &[4]);
    reading.answered(Ok(unknown));
    for _ in 0..2 {
        assert!(matches!(reading.next_step(), Step::ListPartitions { .. }));
        reading.listed(Ok(whole()));
    }
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    assert!(matches!(reading.next_step(), Step::Fetch));
}

#[test]
fn a_split_without_a_border_is_asked_again_with_the_same_token() {
    let mut reading = reading(position());
    let before = reading.position().clone();
    let halves = [EpkRange::new("", "3F").unwrap(), EpkRange::new("3F", "7F").unwrap()];
    let divided = |reading: &Reading| {
        let mut answer = page(reading, "1", &[1]);
        answer.shape.ranges = halves.to_vec();
        answer
    };
    let answer = divided(&reading);
    reading.answered(Ok(answer));
    assert!(matches!(reading.next_step(), Step::ListPartitions { refresh: true }));
    reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    assert!(matches!(reading.next_step(), Step::Fetch));
    assert_eq!(*reading.position(), before);
    let answer = divided(&reading);
    reading.answered(Ok(answer));
    reading.next_step();
    reading.listed(Ok(vec![
        partition("1", &["0"], "", "3F"),
        partition("2", &["0"], "3F", "FF"),
    ]));
    let Outcome::Split(children) = ended(&mut reading) else {
        panic!("not split")
    };
    assert_eq!(
        children.iter().map(|child| child.range.clone()).collect::<Vec<_>>(),
        halves
    );
}

#[test]
fn trouble_is_told_when_it_begins_and_when_it_is_over() {
    let mut reading = reading(position());
    reading.answered(Err(transient()));
    assert!(matches!(
        reading.take_notes()[..],
        [Note::Trouble { throttled: false, .. }]
    ));
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    reading.next_step();
    let answer = page(&reading, "0", &[1]);
    reading.answered(Ok(answer));
    reading.next_step();
    reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
    assert!(matches!(reading.take_notes()[..], [Note::TroubleOver]));
}

#[test]
fn a_missing_container_is_looked_for_by_name() {
    let mut reading = reading(position());
    let missing = || Failure::Missing(Error::new(Code::ContainerNotFound, "404"));
    reading.answered(Err(missing()));
    assert!(matches!(reading.next_step(), Step::FindContainer));
    reading.found_again(Ok(()));
    assert!(matches!(reading.next_step(), Step::Wait(_)), "a name cache that lags");
    assert!(matches!(reading.next_step(), Step::Fetch));
    reading.answered(Err(missing()));
    reading.next_step();
    reading.found_again(Err(Failure::Unreadable(Error::new(Code::ServiceError, "no JSON"))));
    assert!(
        matches!(reading.next_step(), Step::Wait(_)),
        "an answer that does not tell"
    );
    assert!(matches!(reading.next_step(), Step::Fetch));
    reading.answered(Err(missing()));
    reading.next_step();
    reading.found_again(Err(missing()));
    assert!(matches!(ended(&mut reading), Outcome::Failed(error) if error.code == Code::ContainerNotFound));
}

#[test]
fn a_container_of_another_rid_is_refused_before_anything_is_fetched() {
    let mut reading = Reading::new(position(), &manner());
    reading.next_step();
    reading.connected(Err(transient()));
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    assert!(matches!(reading.next_step(), Step::Connect));
    reading.connected(Ok("other"));
    assert!(matches!(ended(&mut reading), Outcome::Failed(error) if error.code == Code::ContainerRecreated));
}

#[test]
fn answers_that_do_not_read_are_asked_for_again_a_few_times() {
    let mut reading = reading(position());
    let unreadable = || Err(Failure::Unreadable(Error::new(Code::PageMalformed, "cut")));
    let whole = vec![partition("0", &[], "", "FF")];
    for _ in 0..2 {
        for _ in 0..UNREADABLE_TRIES {
            reading.answered(unreadable());
            assert!(matches!(reading.next_step(), Step::Wait(_)));
            assert!(matches!(reading.next_step(), Step::Fetch));
        }
        let good = page(&reading, "0", &[1]);
        reading.answered(Ok(good));
        if matches!(reading.next_step(), Step::ListPartitions { .. }) {
            reading.listed(Ok(whole.clone()));
            assert!(matches!(reading.next_step(), Step::Deliver(_)));
        }
        assert!(matches!(reading.next_step(), Step::Fetch));
    }
    for _ in 0..UNREADABLE_TRIES {
        reading.answered(unreadable());
        assert!(matches!(reading.next_step(), Step::Wait(_)));
        assert!(matches!(reading.next_step(), Step::Fetch));
    }
    reading.answered(unreadable());
    assert!(matches!(ended(&mut reading), Outcome::Failed(error) if error.code == Code::PageMalformed));
}

#[test]
fn a_release_drops_what_was_not_handed_over_and_changes_no_end() {
    let mut released = reading(position());
    let answer = page(&released, "0", &[1]);
    released.answered(Ok(answer));
    released.release();
    assert!(matches!(ended(&mut released), Outcome::Released));
    let mut failed = reading(position());
    failed.answered(Err(Failure::Fatal(Error::new(Code::ServiceError, "403"))));
    failed.release();
    assert!(matches!(ended(&mut failed), Outcome::Failed(_)));
}

#[test]
fn a_void_end_is_taken_again_before_the_page_is_read() {
    let mut reading = reading(bounded_at(lsn_on("0", 5)));
    let merged = || vec![partition("9", &["0", "8"], "", "FF")];
    let answer = page(&reading, "9", &[1, 2]);
    reading.answered(Ok(answer));
    reading.next_step();
    reading.listed(Ok(merged()));
    assert!(matches!(reading.next_step(), Step::TakeEnd));
    reading.end_taken(Ok(lsn_on("9", 1)));
    assert!(matches!(reading.next_step(), Step::Fetch));
    let answer = page(&reading, "9", &[1, 2]);
    reading.answered(Ok(answer));
    assert!(matches!(reading.next_step(), Step::Deliver(_)));
    assert!(matches!(ended(&mut reading), Outcome::Finished));
}

#[test]
fn ends_that_void_each_other_are_waited_for() {
    let mut reading = reading(bounded_at(lsn_on("0", 5)));
    for already_taken in [false, true, true] {
        // Pages come from the merged partition, ends from a region that has not seen the merge.
        let answer = page(&reading, "9", &[1, 2]);
        reading.answered(Ok(answer));
        while matches!(reading.next_step(), Step::ListPartitions { .. }) {
            reading.listed(Ok(vec![partition("9", &["0", "8"], "", "FF")]));
        }
        assert!(
            matches!(reading.next_step(), Step::TakeEnd),
            "the same until it is answered"
        );
        reading.end_taken(Ok(lsn_on("0", 5)));
        if already_taken {
            assert!(matches!(reading.next_step(), Step::Wait(_)));
        }
        assert!(matches!(reading.next_step(), Step::Fetch));
    }
}

#[test]
fn an_empty_page_that_goes_nowhere_is_waited_for_like_a_304() {
    let mut reading = reading(position());
    let empty = |reading: &mut Reading| {
        let mut answer = page(reading, "0", &[]);
        answer.not_modified = false;
        answer.lsn = Some(1);
        reading.answered(Ok(answer));
        loop {
            match reading.next_step() {
                Step::ListPartitions { .. } => reading.listed(Ok(vec![partition("0", &[], "", "FF")])),
                step => return step,
            }
        }
    };
    assert!(matches!(empty(&mut reading), Step::Deliver(_)), "it has come further");
    for _ in 0..3 {
        assert!(matches!(reading.next_step(), Step::Fetch));
        assert!(matches!(empty(&mut reading), Step::Wait(_)));
    }
}

fn moved() -> Failure {
    Failure::Moved(Error::new(
        Code::ServiceError,
        "was answered for a part of the range only",
    ))
}

#[test]
fn an_expired_range_that_was_split_meanwhile_is_split_first() {
    let mut reading = reading(position());
    let before = reading.position().clone();
    let expired = || Failure::Expired(Error::new(Code::RetentionExpired, "400"));
    reading.answered(Err(expired()));
    assert!(matches!(reading.next_step(), Step::BeginAnew));
    reading.begun_anew(Err(moved()));
    assert!(matches!(reading.next_step(), Step::ListPartitions { refresh: true }));
    // No border in it yet: the same again.
    reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    assert!(matches!(reading.next_step(), Step::Fetch));
    reading.answered(Err(expired()));
    reading.next_step();
    reading.begun_anew(Err(moved()));
    reading.next_step();
    reading.listed(Ok(vec![
        partition("1", &["0"], "", "3F"),
        partition("2", &["0"], "3F", "FF"),
    ]));
    let Outcome::Split(children) = ended(&mut reading) else {
        panic!("not split")
    };
    assert!(
        children.iter().all(|child| child.token == before.token),
        "each finds out for itself"
    );
}

#[test]
fn a_range_that_expires_again_and_again_fails() {
    let all_versions = Position {
        mode: Mode::AllVersionsAndDeletes,
        ..position()
    };
    let mut reading = reading(all_versions.clone());
    let mut expire = |times: u32| {
        for _ in 0..times {
            reading.answered(Err(Failure::Expired(Error::new(Code::RetentionExpired, "400"))));
            assert!(matches!(reading.next_step(), Step::BeginAnew));
            reading.begun_anew(Ok(Some(all_versions.clone())));
            while let Step::Wait(_) = reading.next_step() {}
        }
        reading.next_step()
    };
    assert!(matches!(expire(ANEW_TRIES), Step::Fetch));
    let Step::End(Outcome::Failed(error)) = expire(1) else {
        panic!("it goes on for ever")
    };
    assert_eq!(error.code, Code::RetentionExpired);
}

#[test]
fn a_range_that_was_read_since_it_expired_may_expire_again() {
    let all_versions = Position {
        mode: Mode::AllVersionsAndDeletes,
        ..position()
    };
    let mut reading = reading(all_versions.clone());
    for _ in 0..3 * ANEW_TRIES {
        reading.answered(Err(Failure::Expired(Error::new(Code::RetentionExpired, "400"))));
        reading.begun_anew(Ok(Some(all_versions.clone())));
        let nothing = page(&reading, "0", &[]);
        reading.answered(Ok(nothing));
        reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
        assert!(!matches!(reading.next_step(), Step::End(_)));
    }
}

#[test]
fn what_a_range_goes_on_from_is_told_even_if_nothing_new_comes() {
    let mut reading = reading(position());
    reading.answered(Err(Failure::Expired(Error::new(Code::RetentionExpired, "400"))));
    assert!(matches!(reading.next_step(), Step::BeginAnew));
    let anew = Position {
        token: Some("t1".to_owned()),
        ..reading.position().clone()
    };
    reading.begun_anew(Ok(Some(anew.clone())));
    assert!(matches!(reading.next_step(), Step::Fetch));
    // The answer's token is the one that it was asked with.
    for told in [true, false] {
        let nothing = page(&reading, "0", &[]);
        reading.answered(Ok(nothing));
        if told {
            reading.next_step();
            reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
            let Step::Deliver(delivered) = reading.next_step() else {
                panic!("a state taken now would have the expired position")
            };
            assert_eq!(
                delivered.accepted.position_after(&delivered.fetched_by, 0),
                Some(anew.clone())
            );
        }
        assert!(matches!(reading.next_step(), Step::Wait(_)), "told once");
        assert!(matches!(reading.next_step(), Step::Fetch));
    }
}

#[test]
fn an_end_that_was_taken_again_is_told_even_if_nothing_new_comes() {
    let mut bounded = bounded_at(lsn_on("0", 5));
    bounded.token = Some("t1".to_owned());
    bounded.mark = None;
    let mut reading = reading(bounded);
    let nothing = |reading: &Reading| Page {
        lsn: Some(3),
        ..page(reading, "9", &[])
    };
    let answer = nothing(&reading);
    reading.answered(Ok(answer));
    reading.next_step();
    reading.listed(Ok(vec![partition("9", &["0", "8"], "", "FF")]));
    reading.end_taken(Ok(lsn_on("9", 4)));
    reading.next_step();
    let answer = nothing(&reading);
    reading.answered(Ok(answer));
    let Step::Deliver(delivered) = reading.next_step() else {
        panic!("a state taken now would have the end taken once more")
    };
    assert_eq!(delivered.accepted.end.end, Some(End::Lsn(lsn_on("9", 4))));
}

#[test]
fn a_bounded_read_that_waits_for_a_replica_says_so() {
    let mut bounded = position();
    bounded.token = Some("t1".to_owned());
    bounded.mark = None;
    let end = lsn_on("0", 5);
    bounded.end = Some(End::Lsn(end));
    let mut reading = reading(bounded);
    let nothing = |reading: &mut Reading, lsn| {
        let answer = Page {
            lsn: Some(lsn),
            ..page(reading, "0", &[])
        };
        reading.answered(Ok(answer));
    };
    nothing(&mut reading, 3);
    reading.next_step();
    reading.listed(Ok(vec![partition("0", &[], "", "FF")]));
    assert!(matches!(reading.next_step(), Step::Deliver(_)));
    for _ in 2..LONG_WAIT {
        assert!(matches!(reading.next_step(), Step::Wait(_)));
        nothing(&mut reading, 3);
    }
    assert!(reading.take_notes().is_empty(), "that is lag");
    nothing(&mut reading, 3);
    let notes = reading.take_notes();
    assert!(
        matches!(&notes[..], [Note::Trouble { error, .. }] if error.message.contains("LSN 5") && error.message.contains("LSN 3")),
        "{notes:?}"
    );
    assert!(matches!(reading.next_step(), Step::Wait(_)));
    nothing(&mut reading, 5);
    assert!(matches!(reading.take_notes()[..], [Note::TroubleOver]));
    while !matches!(reading.next_step(), Step::End(Outcome::Finished)) {}
}

#[test]
fn what_may_come_again_after_a_merge_is_counted_over_pages_of_any_size() {
    let repeated = |reading: &mut Reading| -> usize {
        let notes = reading.take_notes().into_iter();
        notes
            .map(|note| match note {
                Note::RepeatedAfterMerge(items) => items,
                _ => 0,
            })
            .sum()
    };
    let answered = |reading: &mut Reading, lsns: &[i64]| {
        let answer = page(reading, "9", lsns);
        reading.answered(Ok(answer));
        while matches!(reading.next_step(), Step::ListPartitions { .. }) {
            reading.listed(Ok(vec![partition("9", &["0", "8"], "", "FF")]));
        }
        reading.next_step();
        repeated(reading)
    };
    // The mark is in a page that was larger than those that come now.
    let marked = || Position {
        mark: Some(lsn_on("0", 50)),
        ..position()
    };
    let mut many = reading(marked());
    assert_eq!(answered(&mut many, &[1, 2]), 2);
    assert_eq!(answered(&mut many, &[3]), 1);
    let most = 3 + LARGEST_BATCH;
    let lsns: Vec<i64> = (4..200).collect();
    assert_eq!(answered(&mut many, &lsns), most - 3, "no more than a page may have had");
    assert_eq!(answered(&mut many, &[201]), 0);
    let mut few = reading(marked());
    assert_eq!(answered(&mut few, &[1]), 1);
    assert_eq!(answered(&mut few, &[]), 0);
    assert_eq!(answered(&mut few, &[2]), 0, "all that was there had come");
}
