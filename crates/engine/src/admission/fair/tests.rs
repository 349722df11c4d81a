use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn tenant(number: u8) -> Tenant {
    Tenant::try_from(format!("t{number}").as_str()).unwrap()
}

fn limit(concurrency: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(concurrency)
}

/// A queue whose requests are known by number, with what has become of each written down beside it.
struct Watched {
    queue: Queue<usize>,
    requests: Vec<Request>,
}

struct Request {
    tenant: u8,
    concurrency: Option<NonZeroU32>,
    ticket: Ticket,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Gone,
}

/// What one step has brought: turns, and places lost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Brought {
    turns: Vec<usize>,
    pushed_out: Vec<usize>,
}

impl Watched {
    fn new(turns: usize, places: usize) -> Self {
        Self { queue: Queue::new(turns, places), requests: Vec::new() }
    }

    fn arrive(&mut self, tenant_number: u8, concurrency: Option<NonZeroU32>) -> Brought {
        let number = self.requests.len();
        let ticket = self.queue.arrive(&tenant(tenant_number), concurrency, number);
        self.requests.push(Request { tenant: tenant_number, concurrency, ticket, state: State::Waiting });
        self.settle(|_, _| {})
    }

    fn leave(&mut self, number: usize) -> Brought {
        self.leave_and(number, |_, _| {})
    }

    fn leave_and(&mut self, number: usize, before_turn: impl FnMut(&Self, usize)) -> Brought {
        let request = &mut self.requests[number];
        let had_turn = request.state == State::Running;
        request.state = State::Gone;
        assert_eq!(self.queue.leave(&tenant(request.tenant), request.ticket).is_some(), had_turn);
        self.settle(before_turn)
    }

    fn settle(&mut self, mut before_turn: impl FnMut(&Self, usize)) -> Brought {
        let mut brought = Brought::default();
        while let Some(Turn { told: number, leaves }) = self.queue.next_turn(Instant::now()) {
            before_turn(self, number);
            assert_eq!(self.requests[number].state, State::Waiting);
            assert_eq!(leaves.is_further(), self.is_further(self.requests[number].tenant));
            self.requests[number].state = State::Running;
            brought.turns.push(number);
        }
        while let Some(number) = self.queue.push_out() {
            assert_eq!(self.requests[number].state, State::Waiting);
            self.requests[number].state = State::Gone;
            brought.pushed_out.push(number);
        }
        brought
    }

    fn count(&self, state: State, tenant: Option<u8>) -> usize {
        let counts = |request: &&Request| {
            request.state == state && tenant.is_none_or(|tenant| request.tenant == tenant)
        };
        self.requests.iter().filter(counts).count()
    }

    fn numbers(&self, state: State) -> Vec<usize> {
        (0..self.requests.len()).filter(|number| self.requests[*number].state == state).collect()
    }

    /// One more of this tenant would be one beside others of it, and there are other tenants.
    fn is_further(&self, tenant: u8) -> bool {
        let several = self.requests.iter().any(|request| request.tenant != self.requests[0].tenant);
        several && self.count(State::Running, Some(tenant)) > 0
    }

    /// The first of a tenant that waits, if the tenant may have one more at once.
    fn claims(&self, tenant: u8) -> Option<usize> {
        let waits = |request: &Request| request.tenant == tenant && request.state == State::Waiting;
        let first = self.requests.iter().position(waits)?;
        let within = |limit: NonZeroU32| self.count(State::Running, Some(tenant)) < limit.get() as usize;
        self.requests[first].concurrency.is_none_or(within).then_some(first)
    }
}

#[test]
fn a_flood_leaves_a_start_to_those_who_came_with_single_calls_in_the_last_minute() {
    let (mut queue, begin) = (Queue::new(10, 10), Instant::now());
    let mut come = |number: u8, after: u64| {
        let ticket = queue.arrive(&tenant(number), None, ());
        (queue.next_turn(begin + Duration::from_secs(after)).unwrap().leaves, ticket)
    };
    assert_eq!((come(0, 0).0, come(0, 0).0), (Leaves::Nothing, Leaves::Nothing), "it is the only one");
    assert_eq!(come(1, 10).0, Leaves::Nothing);
    assert_eq!((come(0, 69).0, come(0, 70).0), (Leaves::LastStart, Leaves::LastContainer));
    assert_eq!(come(1, 60).0, Leaves::LastContainer, "the flood's own beginning was a minute ago");
}

#[test]
fn one_tenant_alone_has_every_turn_and_every_place() {
    let mut watched = Watched::new(3, 2);
    for number in 0..3 {
        assert_eq!(watched.arrive(1, None).turns, [number]);
    }
    for _ in 0..2 {
        assert_eq!(watched.arrive(1, None), Brought::default());
    }
    assert_eq!(watched.arrive(1, None).pushed_out, [5]);
}

#[test]
fn beside_a_flood_a_first_call_gets_the_next_turn_and_from_then_on_one_is_kept_for_it() {
    let mut watched = Watched::new(2, 8);
    for _ in 0..20 {
        watched.arrive(1, None);
    }
    let single = watched.requests.len();
    // The newest of the flood makes room for it.
    assert_eq!(watched.arrive(2, None).pushed_out, [9]);
    assert_eq!(watched.leave(0).turns, [single]);
    assert_eq!(watched.leave(single), Brought::default());
    assert_eq!(watched.arrive(2, None).turns, [single + 1]);
    assert_eq!(watched.leave(1).turns, [2]);
    assert_eq!(watched.leave(single + 1), Brought::default());
}

#[test]
fn tenants_that_have_as_many_running_take_turns_the_one_served_longest_ago_first() {
    let mut watched = Watched::new(1, 20);
    for tenant in [1, 1, 1, 1, 2, 2, 3] {
        watched.arrive(tenant, None);
    }
    let mut order = vec![watched.requests[0].tenant];
    for _ in 0..6 {
        let running = watched.numbers(State::Running)[0];
        let next = watched.leave(running).turns[0];
        order.push(watched.requests[next].tenant);
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
}

#[test]
fn who_comes_with_one_call_after_the_other_does_not_get_ahead_of_who_waits() {
    // Two that are never idle together and one with a queue: without the memory of last turns it would wait for ever.
    let mut watched = Watched::new(1, 20);
    for tenant in [1, 2, 3, 3] {
        watched.arrive(tenant, None);
    }
    let mut served = Vec::new();
    for _ in 0..6 {
        let running = watched.numbers(State::Running)[0];
        let tenant = watched.requests[running].tenant;
        served.push(tenant);
        watched.leave(running);
        watched.arrive(tenant, None);
    }
    assert_eq!(served, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_tenants_own_limit_keeps_it_waiting_and_nobody_else() {
    let mut watched = Watched::new(4, 8);
    watched.arrive(1, limit(1));
    assert_eq!(watched.arrive(1, limit(1)), Brought::default());
    assert_eq!(watched.arrive(2, None).turns, [2]);
    assert_eq!(watched.leave(0).turns, [1]);
}

#[test]
fn the_services_own_trial_always_finds_a_place_and_the_next_turn() {
    for places in [0, 1] {
        let mut queue = Queue::new(1, places);
        let flood = queue.arrive(&tenant(1), None, "running");
        assert_eq!(queue.next_turn(Instant::now()), Some(Turn { told: "running", leaves: Leaves::Nothing }));
        for _ in 0..places {
            queue.arrive(&tenant(2), None, "waiting");
        }
        queue.arrive(&Tenant::service(), None, "trial");
        assert_eq!(queue.push_out(), (places == 1).then_some("waiting"));
        assert_eq!(queue.push_out(), None);
        queue.leave(&tenant(1), flood);
        assert_eq!(queue.next_turn(Instant::now()), Some(Turn { told: "trial", leaves: Leaves::Nothing }));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Arrive(u8),
    /// One of those who run or wait, by its share of them.
    End(prop::sample::Index),
    Leave(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u8).prop_map(Step::Arrive),
        3 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Each tenant with a limit of its own, 0 for none.
    #[test]
    fn whatever_comes_turns_are_used_limits_kept_and_nobody_starves(
        turns in 1..5_usize,
        places in 0..8_usize,
        limits in prop::array::uniform4(0..4_u32),
        steps in steps(),
    ) {
        let mut watched = Watched::new(turns, places);
        // For each tenant that waits with nothing running: the turns that others have got meanwhile.
        let mut passed: [HashMap<u8, u32>; 4] = Default::default();
        let mut last_turn: [Option<usize>; 4] = [None; 4];
        for step in steps {
            let brought = match step {
                Step::Arrive(tenant) => watched.arrive(tenant, limit(limits[usize::from(tenant)])),
                Step::End(index) => match watched.numbers(State::Running)[..] {
                    [] => continue,
                    ref running => watched.leave_and(*index.get(running), |watched, number| {
                        // Nobody with fewer running could have had this turn.
                        let running = |tenant| watched.count(State::Running, Some(tenant));
                        for other in (0..4).filter(|other| watched.claims(*other).is_some()) {
                            assert!(running(watched.requests[number].tenant) <= running(other));
                        }
                    }),
                },
                Step::Leave(index) => match watched.numbers(State::Waiting)[..] {
                    [] => continue,
                    ref waiting => watched.leave(*index.get(waiting)),
                },
            };

            // Within a tenant in order of arrival, and nobody is passed over twice by the same other one.
            for number in brought.turns {
                let served = watched.requests[number].tenant;
                prop_assert!(last_turn[usize::from(served)] < Some(number));
                last_turn[usize::from(served)] = Some(number);
                passed[usize::from(served)].clear();
                for other in (0..4).filter(|other| *other != served) {
                    let times = passed[usize::from(other)].entry(served).or_default();
                    *times += 1;
                    prop_assert!(*times <= 1, "tenant {} was passed over twice by {}", other, served);
                }
            }
            for tenant in 0..4 {
                let starving = watched.count(State::Running, Some(tenant)) == 0
                    && watched.count(State::Waiting, Some(tenant)) > 0;
                if !starving {
                    passed[usize::from(tenant)].clear();
                }
                let limit = limits[usize::from(tenant)] as usize;
                prop_assert!(limit == 0 || watched.count(State::Running, Some(tenant)) <= limit);
            }
            // A turn is free only if nobody may have it, or if it is the last and nobody may but for a further one.
            let running = watched.count(State::Running, None);
            prop_assert!(running <= turns);
            let takes = |tenant: u8| {
                let kept = usize::from(watched.is_further(tenant));
                watched.claims(tenant).is_some() && running + kept < turns
            };
            prop_assert!(!(0..4).any(takes));
            // Who was pushed out had as many inside as anybody who waits, itself counted.
            prop_assert!(watched.count(State::Waiting, None) <= places);
            let inside = |tenant| {
                watched.count(State::Waiting, Some(tenant)) + watched.count(State::Running, Some(tenant))
            };
            for number in brought.pushed_out {
                let most = inside(watched.requests[number].tenant) + 1;
                let waits = |tenant: &u8| watched.count(State::Waiting, Some(*tenant)) > 0;
                prop_assert!((0..4).filter(waits).all(|other| inside(other) <= most));
            }
            // Both keep the same books.
            prop_assert_eq!(watched.queue.running(), running);
            prop_assert_eq!(watched.queue.waiting(), watched.count(State::Waiting, None));
            prop_assert_eq!(watched.queue.held_since().count(), running);
        }
    }
}
