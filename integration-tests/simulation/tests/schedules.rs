// SPDX-License-Identifier: Apache-2.0
//! A few schedules with every run of the tests; `scripts/simulate` runs as many as one likes.

use simulation::schedule::run;
use simulation::trace::Trace;

#[test]
fn the_sink_shows_what_the_feed_says() {
    for seed in 0..500 {
        if let Err(what) = run(seed, &mut Trace::default()) {
            let mut trace = Trace::kept();
            let _ = run(seed, &mut trace);
            panic!("schedule {seed}: {what}\n{}", trace.lines().join("\n"));
        }
    }
}

#[test]
fn a_seed_is_a_schedule() {
    let account = |seed| {
        let mut trace = Trace::kept();
        run(seed, &mut trace).expect("a schedule that holds");
        trace.lines().to_vec()
    };
    assert_eq!(account(7), account(7));
    assert_ne!(account(7), account(8));
}
