// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::error::Code;
use proptest::prelude::*;

pub(crate) fn lineage(id: &str, min: &str, max: &str) -> Lineage {
    Lineage {
        partition_id: id.to_owned(),
        range: EpkRange::new(min, max).unwrap(),
    }
}

pub(crate) fn position() -> Position {
    Position {
        identity: ContainerIdentity {
            endpoint: "https://a/".to_owned(),
            database: "db".to_owned(),
            container: "c".to_owned(),
            rid: "rid".to_owned(),
        },
        mode: Mode::LatestVersion,
        range: EpkRange::new("", "7F").unwrap(),
        generation: 0,
        start: Start::Beginning,
        token: None,
        mark: None,
        reached: None,
        end: None,
        then: None,
    }
}

fn any_lsn() -> impl Strategy<Value = LineageLsn> {
    (any::<i64>(), "[a-z0-9]{1,4}").prop_map(|(lsn, id)| LineageLsn {
        lsn,
        lineage: lineage(&id, "", "FF"),
    })
}

fn any_end() -> impl Strategy<Value = Option<End>> {
    proptest::option::of(prop_oneof![
        any_lsn().prop_map(End::Lsn),
        any::<i64>().prop_map(End::Time)
    ])
}

fn any_position() -> impl Strategy<Value = Position> {
    let start = prop_oneof![
        Just(Start::Beginning),
        Just(Start::Now),
        any::<i64>().prop_map(Start::At)
    ];
    // What the mode and the end may be while the present state is read, and otherwise.
    let phase = prop_oneof![
        (any_lsn(), ".*", any_end()).prop_map(|(bound, token, end)| {
            (Mode::LatestVersion, Some(End::Lsn(bound)), Some(Then { token, end }))
        }),
        any_end().prop_map(|end| (Mode::LatestVersion, end, None)),
        any_end().prop_map(|end| (Mode::AllVersionsAndDeletes, end, None)),
    ];
    let token = proptest::option::of(".*");
    // Never both.
    let seen = proptest::option::of((any::<bool>(), any_lsn()));
    (any::<u32>(), start, token, seen, phase, ".*").prop_map(
        |(generation, start, token, seen, (mode, end, then), name)| {
            let mut position = position();
            position.identity.container = name;
            Position {
                mode,
                generation,
                start,
                token,
                mark: seen.clone().filter(|(is_mark, _)| *is_mark).map(|(_, lsn)| lsn),
                reached: seen.filter(|(is_mark, _)| !is_mark).map(|(_, lsn)| lsn),
                end,
                then,
                ..position
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(position in any_position()) {
        prop_assert_eq!(Position::decode(&position.split_id(), &position.encode()).unwrap(), position);
    }

    #[test]
    fn a_flipped_bit_a_cut_and_a_tail_are_refused(position in any_position(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let good = position.encode();
        let id = position.split_id();
        let mut flipped = good.clone();
        flipped[at.index(good.len())] ^= 1 << bit;
        prop_assert!(Position::decode(&id, &flipped).is_err());
        prop_assert!(Position::decode(&id, &good[..at.index(good.len())]).is_err());
        let mut tailed = good.clone();
        tailed.push(0);
        prop_assert!(Position::decode(&id, &tailed).is_err());
    }
}

/// The bytes that docs/state-format.md shows.
#[test]
fn the_documented_example_is_what_is_written() {
    let pinned = LineageLsn {
        lsn: 42,
        lineage: lineage("0", "", "FF"),
    };
    let example = Position {
        identity: ContainerIdentity {
            endpoint: "https://a.example/".to_owned(),
            database: "shop".to_owned(),
            container: "orders".to_owned(),
            rid: "AAAAAAAAAAA=".to_owned(),
        },
        end: Some(End::Lsn(pinned)),
        then: Some(Then {
            token: "c1.e30".to_owned(),
            end: None,
        }),
        ..position()
    };
    let bytes = example.encode();
    let hex: Vec<String> = bytes
        .chunks(16)
        .map(|line| {
            line.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let shown = format!("of {} bytes", bytes.len());
    let documented = include_str!("../../../../docs/state-format.md");
    assert!(documented.contains(&shown), "{shown}");
    assert!(documented.contains(&hex.join("\n    ")), "{}", hex.join("\n    "));
    assert_eq!(Position::decode("-7F@0", &bytes).unwrap(), example);
}

#[test]
fn a_newer_version_is_named() {
    let mut bytes = position().encode();
    bytes[4] = 9;
    let error = Position::decode("-7F@0", &bytes).unwrap_err();
    assert_eq!(error.code, Code::PositionTooNew);
    assert!(
        error.message.contains('9') && error.message.contains("-7F@0"),
        "{error}"
    );
}

#[test]
fn a_present_state_without_an_end_is_refused() {
    let then = Some(Then {
        token: "t".to_owned(),
        end: None,
    });
    for (mode, end) in [
        (Mode::LatestVersion, None),
        (Mode::LatestVersion, Some(End::Time(5))),
        (
            Mode::AllVersionsAndDeletes,
            Some(End::Lsn(LineageLsn {
                lsn: 1,
                lineage: lineage("0", "", "FF"),
            })),
        ),
    ] {
        let odd = Position {
            mode,
            end,
            then: then.clone(),
            ..position()
        };
        let error = Position::decode("-7F@0", &odd.encode()).unwrap_err();
        assert_eq!(error.code, Code::PositionCorrupt);
    }
}

#[test]
fn a_position_of_another_split_is_refused() {
    assert!(Position::decode("-7F@1", &position().encode()).is_err());
}

fn partition(id: &str, min: &str, max: &str, parents: &[&str]) -> PhysicalRange {
    PhysicalRange {
        id: id.to_owned(),
        range: EpkRange::new(min, max).unwrap(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
    }
}

fn leads(topology: &[PhysicalRange], id: &str) -> bool {
    let found = topology.iter().find(|p| p.id == id).unwrap();
    lineage("1", "10", "40").leads_to(found, topology)
}

#[test]
fn lsns_go_on_through_splits() {
    assert!(leads(&[partition("1", "10", "40", &["0"])], "1"));
    let nested = [
        partition("3", "20", "40", &["0", "1"]),
        partition("4", "10", "18", &["0", "1", "2"]),
        partition("6", "18", "1C", &["0", "1", "2", "5"]),
        partition("7", "1C", "20", &["0", "1", "2", "5"]),
        partition("8", "", "10", &["0"]),
    ];
    for id in ["3", "4", "6", "7"] {
        assert!(leads(&nested, id), "{id}");
    }
    assert!(!leads(&nested, "8"), "no descendant");
}

/// 1 was split into 2 and 3, then 2 was merged with its neighbour 9, and that was split again.
#[test]
fn lsns_go_on_beside_a_merge() {
    let merged = [
        partition("5", "", "20", &["9", "1", "2"]),
        partition("3", "20", "40", &["1"]),
    ];
    assert!(leads(&merged, "3"));
    assert!(!leads(&merged, "5"));
    let split_again = [
        partition("6", "", "10", &["9", "1", "2", "5"]),
        partition("7", "10", "20", &["9", "1", "2", "5"]),
        partition("3", "20", "40", &["1"]),
    ];
    assert!(leads(&split_again, "3"));
    assert!(!leads(&split_again, "7"));
}

/// 1 was split into 3 and 4, 3 into 7 and 8, 8 into 12 and 13; then 7 was merged with 12, its brother's child.
#[test]
fn lsns_go_on_though_a_brother_was_merged_with_a_nephew() {
    let merged = [
        partition("14", "10", "19", &["1", "3", "7", "8", "12"]),
        partition("13", "19", "20", &["1", "3", "8"]),
        partition("4", "20", "40", &["1"]),
    ];
    assert!(leads(&merged, "13"));
    assert!(leads(&merged, "4"));
    assert!(!leads(&merged, "14"));
    let split_again = [
        partition("15", "10", "18", &["1", "3", "7", "8", "12", "14"]),
        partition("16", "18", "19", &["1", "3", "7", "8", "12", "14"]),
        partition("13", "19", "20", &["1", "3", "8"]),
        partition("4", "20", "40", &["1"]),
    ];
    assert!(leads(&split_again, "13"));
    assert!(!leads(&split_again, "15") && !leads(&split_again, "16"));
}

#[test]
fn lsns_do_not_go_on_through_merges() {
    let with_neighbour = [partition("5", "10", "80", &["1", "4"]), partition("6", "", "10", &[])];
    assert!(!leads(&with_neighbour, "5"));
    let own_children = [
        partition("6", "10", "40", &["1", "2", "3"]),
        partition("9", "", "10", &[]),
    ];
    assert!(!leads(&own_children, "6"));
    // 1 into 2 and 3, 2 into 4 and 5, these merged into 6; then 6 split into 7 and 8.
    let half = partition("3", "20", "40", &["1"]);
    let grandchildren = [partition("6", "10", "20", &["1", "2", "4", "5"]), half.clone()];
    assert!(!leads(&grandchildren, "6"), "narrower, and a merge all the same");
    assert!(leads(&grandchildren, "3"));
    let split_again = [
        partition("7", "10", "18", &["1", "2", "4", "5", "6"]),
        partition("8", "18", "20", &["1", "2", "4", "5", "6"]),
        half,
    ];
    assert!(!leads(&split_again, "7"));
}
