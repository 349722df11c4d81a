use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const POLICY: Policy = Policy { size: 4, levels: 3, at_once: 2 };

fn ready(level: usize) -> Standing {
    Standing { level, rehearsed: true, busy: false, old: false }
}

fn wants(level: usize) -> Waiting {
    Waiting { level, leaves: Leaves::Nothing, special: false }
}

fn further() -> Waiting {
    Waiting { leaves: Leaves::LastContainer, ..wants(0) }
}

fn situation(standing: &[Standing], waiting: &[Waiting]) -> Situation {
    let (standing, waiting) = (standing.to_vec(), waiting.to_vec());
    Situation {
        standing,
        waiting,
        starting: 0,
        special_starts: 0,
        slots: 10,
        calm: true,
        at_ease: true,
        needs_proof: false,
        proving: false,
        backing_off: false,
        pausing: false,
    }
}

fn leases(actions: &[Action]) -> Vec<(usize, usize)> {
    let lease = |action: &Action| match *action {
        Action::Lease { standing, waiting } => Some((standing, waiting)),
        _ => None,
    };
    actions.iter().filter_map(lease).collect()
}

fn count(actions: &[Action], which: impl Fn(&Action) -> bool) -> usize {
    actions.iter().filter(|action| which(action)).count()
}

fn starts(actions: &[Action]) -> usize {
    count(actions, |action| matches!(action, Action::Start | Action::StartFor { .. }))
}

#[test]
fn a_request_gets_the_coldest_container_that_has_what_it_imports_else_the_warmest() {
    let standing = [ready(3), ready(0), ready(2)];
    for (level, chosen) in [(0, 1), (1, 2), (2, 2), (3, 0)] {
        assert_eq!(leases(&POLICY.decide(&situation(&standing, &[wants(level)]))), [(chosen, 0)], "{level}");
    }
    let cold = [ready(0), ready(1)];
    assert_eq!(leases(&POLICY.decide(&situation(&cold, &[wants(3)]))), [(1, 0)]);
}

#[test]
fn of_several_that_are_as_warm_the_one_that_has_stood_longest_goes_first() {
    let standing = [ready(1), ready(0), ready(1), ready(0)];
    for (level, chosen) in [(0, 1), (1, 0), (3, 0)] {
        assert_eq!(leases(&POLICY.decide(&situation(&standing, &[wants(level)]))), [(chosen, 0)], "{level}");
    }
}

#[test]
fn one_that_rehearses_still_is_passed_over_but_for_the_last_other() {
    let rehearsing = Standing { rehearsed: false, ..ready(0) };
    for (standing, level, chosen) in [
        (vec![rehearsing, ready(3), ready(2)], 0, 2),
        (vec![ready(0), rehearsing], 1, 0),
        (vec![rehearsing, Standing { busy: true, ..ready(1) }, rehearsing], 0, 0),
    ] {
        let leased = leases(&POLICY.decide(&situation(&standing, &[wants(level)])));
        assert_eq!(leased, [(chosen, 0)], "{standing:?}");
    }
    let last = [rehearsing, ready(3)];
    for first in [wants(0), further()] {
        let leased = leases(&POLICY.decide(&situation(&last, &[first, wants(0)])));
        assert_eq!(leased, [(0, 0), (1, 1)], "the warm one is kept for who needs it, or for another tenant");
    }
    let as_warm = [rehearsing, ready(0), rehearsing];
    for (first, chosen) in [(wants(0), 1), (further(), 0)] {
        let leased = leases(&POLICY.decide(&situation(&as_warm, &[first])));
        assert_eq!(leased, [(chosen, 0)], "the one that answers at once is kept for who has nothing running");
    }
    let single = Policy { size: 1, ..POLICY };
    assert_eq!(leases(&single.decide(&situation(&last, &[wants(0)]))), [(1, 0)]);
}

#[test]
fn an_empty_pool_is_filled_and_a_full_one_is_warmed_and_then_left_alone() {
    assert_eq!(POLICY.decide(&situation(&[], &[])), [Action::Start, Action::Start]);
    let warming = POLICY.decide(&situation(&[ready(0), ready(2), ready(3), ready(1)], &[]));
    assert_eq!(warming, [Action::Preload { standing: 1 }]);
    let more =
        Policy { at_once: 3, ..POLICY }.decide(&situation(&[ready(0), ready(2), ready(3), ready(1)], &[]));
    assert_eq!(more, [Action::Preload { standing: 1 }, Action::Preload { standing: 3 }]);
    let mut loaded = situation(&[ready(0); 4], &[]);
    loaded.at_ease = false;
    assert_eq!(POLICY.decide(&loaded), [], "under load containers stay plain");
    assert_eq!(POLICY.decide(&situation(&[ready(3); 4], &[])), []);
    assert!(POLICY.is_at_rest(&situation(&[ready(3); 4], &[])));
}

#[test]
fn within_a_burst_nothing_is_refilled_or_warmed_until_somebody_waits() {
    let mut burst = situation(&[ready(0), ready(0)], &[wants(0)]);
    let lease = Action::Lease { standing: 0, waiting: 0 };
    assert_eq!(POLICY.decide(&burst), [lease], "the first of a burst ends the calm itself");
    burst.calm = false;
    assert_eq!(POLICY.decide(&burst), [lease]);
    burst.standing.pop();
    burst.waiting.push(wants(0));
    assert_eq!(starts(&POLICY.decide(&burst)), 2);
}

#[test]
fn the_last_of_several_is_kept_for_a_tenant_that_has_nothing_running() {
    let flood = [further(), further(), further(), wants(0)];
    let leased = leases(&POLICY.decide(&situation(&[ready(0), ready(3), ready(0)], &flood)));
    assert_eq!(leased, [(0, 0), (2, 1), (1, 3)], "and it is the warmest");
    let alone = Policy { size: 1, ..POLICY };
    assert_eq!(leases(&alone.decide(&situation(&[ready(0)], &flood))), [(0, 0)]);
}

#[test]
fn the_last_of_several_starts_is_left_to_a_tenant_that_comes_by_with_single_calls() {
    let flood = Waiting { leaves: Leaves::LastStart, ..wants(0) };
    let own = Waiting { special: true, ..flood };
    for flooding in [vec![flood; 3], vec![own; 3], vec![flood, own]] {
        assert_eq!(starts(&POLICY.decide(&situation(&[], &flooding))), 1);
        let and_another = [flooding, vec![wants(0)]].concat();
        assert_eq!(starts(&POLICY.decide(&situation(&[], &and_another))), 2);
        let single = Policy { at_once: 1, ..POLICY };
        assert_eq!(starts(&single.decide(&situation(&[], &[flood; 3]))), 1, "there is no other");
    }
    for (at_once, kept_waiting) in [(1, true), (2, true), (3, false)] {
        let policy = Policy { at_once, ..POLICY };
        let flooded = Situation { pausing: true, ..situation(&[], &[flood; 3]) };
        assert_eq!(starts(&policy.decide(&flooded)) == 0, kept_waiting);
        let visited = Situation { pausing: true, ..situation(&[], &[flood, wants(0)]) };
        assert!(starts(&policy.decide(&visited)) > 0, "a single call waits for no pause");
    }
}

#[test]
fn what_nobody_waits_for_leaves_a_processor_to_the_calls_while_half_of_the_pool_is_there() {
    let policy = Policy { size: 5, ..POLICY };
    for (there, started) in [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1), (5, 0)] {
        assert_eq!(starts(&policy.decide(&situation(&vec![ready(0); there], &[]))), started, "{there}");
    }
    let somebody_waits = situation(&[Standing { busy: true, ..ready(0) }; 3], &[wants(0)]);
    assert_eq!(starts(&policy.decide(&somebody_waits)), 2, "the calls wait for these");
    let mut coming = situation(&[ready(0)], &[]);
    coming.starting = 1;
    assert_eq!(starts(&POLICY.decide(&coming)), 0, "that one is enough for now");
    let single = Policy { at_once: 1, ..POLICY };
    assert_eq!(starts(&single.decide(&situation(&[ready(0); 2], &[]))), 1, "there is no other");
}

#[test]
fn after_a_failure_starts_happen_only_for_those_who_wait() {
    let mut failing = situation(&[], &[]);
    failing.backing_off = true;
    assert_eq!(POLICY.decide(&failing), []);
    failing.waiting.push(wants(0));
    assert_eq!(POLICY.decide(&failing), [Action::Start]);
}

#[test]
fn whether_starts_work_again_is_tried_though_the_pool_is_full() {
    let full = Situation { needs_proof: true, ..situation(&[ready(3); 4], &[]) };
    assert_eq!(POLICY.decide(&full), [Action::Start]);
    assert_eq!(POLICY.decide(&Situation { backing_off: true, ..full.clone() }), []);
    assert_eq!(POLICY.decide(&Situation { starting: 1, ..full }), []);
    let without = Situation { needs_proof: true, ..situation(&[], &[]) };
    assert_eq!(Policy { size: 0, ..POLICY }.decide(&without), []);
}

#[test]
fn a_container_too_many_makes_way_for_one_of_a_requests_own() {
    let own = Waiting { special: true, ..wants(0) };
    let without = Policy { size: 0, ..POLICY };
    let mut used_up = situation(&[ready(0)], &[own]);
    assert_eq!(without.decide(&used_up), [Action::StartFor { waiting: 0 }]);
    used_up.slots = 0;
    used_up.calm = false;
    assert_eq!(without.decide(&used_up), [Action::Retire { standing: 0 }]);
    assert_eq!(POLICY.decide(&used_up), [], "another will be removed");
}

#[test]
fn without_a_pool_each_request_has_its_start_and_nothing_else_happens() {
    let policy = Policy { size: 0, ..POLICY };
    assert_eq!(policy.decide(&situation(&[], &[])), []);
    assert_eq!(policy.decide(&situation(&[], &[wants(3)])), [Action::Start]);
}

#[test]
fn an_old_container_is_replaced_one_at_a_time_when_the_pool_is_full() {
    let old = Standing { old: true, ..ready(3) };
    assert_eq!(POLICY.decide(&situation(&[old; 4], &[])), [Action::Retire { standing: 0 }]);
    assert_eq!(POLICY.decide(&situation(&[old; 3], &[])), [Action::Start]);
}

#[test]
fn what_was_started_for_those_who_left_goes_the_coldest_first_once_nobody_waits() {
    let standing = [ready(3), ready(3), ready(3), ready(0), ready(3)];
    assert_eq!(POLICY.decide(&situation(&standing, &[])), [Action::Retire { standing: 3 }]);
    let without = Policy { size: 0, ..POLICY };
    assert_eq!(without.decide(&situation(&[ready(0)], &[])), [Action::Retire { standing: 0 }]);
    let mut just_now = situation(&[ready(0)], &[]);
    just_now.at_ease = false;
    assert_eq!(without.decide(&just_now), []);
    let proving = Situation { proving: true, ..situation(&standing, &[]) };
    assert_eq!(POLICY.decide(&proving), [], "it may be the one that shows it");
}

#[test]
fn starts_go_by_arrival_and_no_further_request_is_before_one_of_who_has_nothing_running() {
    let own = Waiting { special: true, ..wants(0) };
    let first = POLICY.decide(&Situation { special_starts: 1, ..situation(&[], &[wants(0), own]) });
    assert_eq!(first, [Action::Start]);
    let coming = Situation { starting: 1, ..situation(&[], &[wants(0), own]) };
    assert_eq!(POLICY.decide(&coming), [Action::StartFor { waiting: 1 }]);
    let flood = Situation { special_starts: 1, ..situation(&[], &[further(), further(), own]) };
    assert_eq!(POLICY.decide(&flood), [Action::StartFor { waiting: 2 }]);
}

#[test]
fn what_was_just_started_goes_in_turn_to_others_while_they_wait_or_nothing_is_kept_for_them() {
    for (others_wait, kept, alternates) in
        [(true, 3, true), (true, 0, true), (false, 0, true), (false, 1, false)]
    {
        assert!(POLICY.goes_further(others_wait, kept, false));
        assert_eq!(POLICY.goes_further(others_wait, kept, true), !alternates);
    }
}

fn any_situation() -> impl Strategy<Value = (Policy, Situation)> {
    let standing = (0..4_usize, any::<[bool; 3]>()).prop_map(|(level, [rehearsed, busy, old])| Standing {
        level,
        rehearsed,
        busy,
        old,
    });
    let leaves = prop::sample::select(vec![Leaves::Nothing, Leaves::LastContainer, Leaves::LastStart]);
    let waiting = (0..4_usize, leaves, any::<bool>()).prop_map(|(level, leaves, special)| Waiting {
        level,
        leaves,
        special,
    });
    let policy = (0..8_usize, 0..4_usize, 1..4_usize).prop_map(|(size, levels, at_once)| Policy {
        size,
        levels,
        at_once,
    });
    let lists = (proptest::collection::vec(standing, 0..10), proptest::collection::vec(waiting, 0..10));
    (policy, lists, [0..4_usize, 0..3], 0..12_usize, any::<[bool; 6]>()).prop_map(
        |(
            policy,
            (standing, waiting),
            [starting, special_starts],
            slots,
            [calm, at_ease, needs_proof, proving, backing_off, pausing],
        )| {
            let situation = Situation {
                standing,
                waiting,
                starting,
                special_starts,
                slots,
                calm,
                at_ease,
                needs_proof,
                proving,
                backing_off,
                pausing,
            };
            (policy, situation)
        },
    )
}

proptest! {
    #[test]
    fn no_container_is_used_twice_and_none_that_is_busy((policy, situation) in any_situation()) {
        let mut used = HashSet::new();
        for action in policy.decide(&situation) {
            let (Action::Lease { standing, .. } | Action::Preload { standing } | Action::Retire { standing }) = action else {
                continue;
            };
            prop_assert!(used.insert(standing));
            prop_assert!(!situation.standing[standing].busy);
        }
    }

    #[test]
    fn none_that_rehearses_is_used_while_several_others_are_left((policy, situation) in any_situation()) {
        let leased = leases(&policy.decide(&situation));
        let is_leased = |index| leased.iter().any(|(standing, _)| *standing == index);
        let count = |rehearsed, leased| {
            let standing = situation.standing.iter().enumerate();
            standing.filter(|(index, container)| {
                !container.busy && container.rehearsed == rehearsed && is_leased(*index) == leased
            }).count()
        };
        prop_assert!(count(false, true) == 0 || count(true, false) <= policy.reserve());
    }

    #[test]
    fn nobody_is_overtaken((policy, situation) in any_situation()) {
        let served: Vec<usize> = leases(&policy.decide(&situation)).iter().map(|(_, waiting)| *waiting).collect();
        let of = |which: &dyn Fn(&Waiting) -> bool| -> Vec<usize> {
            (0..situation.waiting.len()).filter(|index| which(&situation.waiting[*index])).collect()
        };
        // But further ones by those for whom the last container is kept.
        for class in [false, true] {
            let class_of = of(&|waiting| !waiting.special && waiting.leaves.is_further() == class);
            let served: Vec<usize> = served.iter().copied().filter(|index| class_of.contains(index)).collect();
            prop_assert_eq!(&served[..], &class_of[..served.len()]);
        }
        let free = situation.standing.iter().filter(|container| !container.busy).count();
        let ordinary = of(&|waiting| !waiting.special).len();
        let all_further = of(&|waiting| !waiting.special && !waiting.leaves.is_further()).is_empty();
        let kept = if all_further { policy.reserve() } else { 0 };
        prop_assert!(served.len() >= free.saturating_sub(policy.reserve()).min(ordinary));
        prop_assert!(served.len() <= free.saturating_sub(kept).min(ordinary));
    }

    #[test]
    fn starts_keep_to_their_limits((policy, situation) in any_situation()) {
        let actions = policy.decide(&situation);
        let most = (policy.at_once - 1).max(1);
        let under_way = situation.starting + situation.special_starts;
        prop_assert!(starts(&actions) <= situation.slots);
        prop_assert!(starts(&actions) == 0 || starts(&actions) + under_way <= policy.at_once);
        let leased = leases(&actions).len();
        let there = situation.standing.len() - leased + situation.starting;
        if situation.waiting.len() == leased && situation.special_starts == 0 && 2 * there >= policy.size {
            prop_assert!(starts(&actions) == 0 || starts(&actions) + under_way <= most);
        }
        let preloads = count(&actions, |action| matches!(action, Action::Preload { .. }));
        let busy = situation.standing.iter().filter(|container| container.busy).count();
        prop_assert!(preloads == 0 || preloads + busy <= most);
        let waiting = &situation.waiting;
        if !waiting.is_empty() && waiting.iter().all(|waiting| waiting.leaves == Leaves::LastStart) {
            // Refills too, unless every one of those who wait has just got a container.
            let refills_alone = leased == waiting.len();
            prop_assert!(starts(&actions) == 0 || refills_alone || starts(&actions) + under_way <= most);
        }
    }

    #[test]
    fn the_pool_never_grows_beyond_its_size_and_those_who_wait((policy, situation) in any_situation()) {
        let actions = policy.decide(&situation);
        let refills = count(&actions, |action| *action == Action::Start);
        let ordinary = situation.waiting.iter().filter(|waiting| !waiting.special).count();
        let after = situation.standing.len() + situation.starting + refills;
        let proof = situation.needs_proof && situation.starting == 0 && refills == 1;
        prop_assert!(refills == 0 || after <= policy.size + ordinary || proof);
    }

    #[test]
    fn who_waits_is_always_being_served_if_anything_can_be_started((policy, situation) in any_situation()) {
        let actions = policy.decide(&situation);
        let busy = situation.standing.iter().any(|container| container.busy);
        // Behind a start a flood alone is let wait for a moment, which the actor ends.
        let flood_alone = situation.waiting.iter().all(|waiting| waiting.leaves == Leaves::LastStart);
        let paused = situation.pausing && policy.at_once <= 2 && flood_alone;
        let waits = !situation.waiting.is_empty();
        if waits && situation.slots > 0 && !busy && !paused && leases(&actions).is_empty() {
            prop_assert!(starts(&actions) + situation.starting + situation.special_starts > 0);
        }
    }

    #[test]
    fn nothing_is_warmed_while_somebody_waits((policy, situation) in any_situation()) {
        let actions = policy.decide(&situation);
        let idle_work = count(&actions, |action| matches!(action, Action::Preload { .. }));
        let left_waiting = situation.waiting.len() - leases(&actions).len() + situation.special_starts;
        prop_assert!(idle_work == 0 || left_waiting == 0);
    }

    #[test]
    fn a_container_goes_only_if_nobody_waits_or_it_is_in_the_way((policy, situation) in any_situation()) {
        let actions = policy.decide(&situation);
        let retired = count(&actions, |action| matches!(action, Action::Retire { .. }));
        let leased = leases(&actions).len();
        let own = situation.waiting.iter().filter(|waiting| waiting.special).count();
        let own_starts = count(&actions, |action| matches!(action, Action::StartFor { .. }));
        let in_the_way = own > own_starts && situation.slots == own_starts;
        let left_waiting = situation.waiting.len() - leased + situation.special_starts;
        prop_assert!(retired <= 1 && (retired == 0 || left_waiting == 0 || in_the_way));
        let left = situation.standing.len() - leased;
        let some_are_free = situation.standing.iter().filter(|container| !container.busy).count() > leased;
        prop_assert!(!(in_the_way && left > policy.size && some_are_free) || retired == 1);
    }
}
