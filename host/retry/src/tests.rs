use proptest::prelude::*;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;
const POLICY: RetryPolicy = RetryPolicy::new(MS_100, MS_1000);
const MS_100: Duration = Duration::from_millis(100);
const MS_1000: Duration = Duration::from_secs(1);

#[test]
fn the_limit_of_a_pause_doubles_up_to_the_longest_one() {
    let limits: Vec<_> =
        (1..=6).map(|failed| POLICY.pause(failed, None, Duration::ZERO, 1.0).unwrap().as_millis()).collect();
    assert_eq!(limits, [100, 200, 400, 800, 1000, 1000]);
    assert_eq!(POLICY.pause(u32::MAX, None, Duration::ZERO, 1.0), Some(MS_1000));
    assert_eq!(RetryPolicy::constant(MS_100).pause(9, None, Duration::ZERO, 1.0), Some(MS_100));
}

#[test]
fn a_pause_is_random_within_its_limit() {
    assert_eq!(POLICY.pause(2, None, Duration::ZERO, 0.0), Some(Duration::ZERO));
    assert_eq!(POLICY.pause(2, None, Duration::ZERO, 0.25), Some(MS(50)));
}

#[test]
fn a_pause_that_the_server_asks_for_is_kept() {
    assert_eq!(POLICY.pause(1, None, MS(7000), 1.0), Some(MS(7000)));
    // an attempt before that is not worth making
    assert_eq!(POLICY.pause(1, Some(MS(6999)), MS(7000), 1.0), None);
}

#[test]
fn the_last_attempt_begins_at_the_deadline() {
    assert_eq!(POLICY.pause(4, Some(MS(30)), Duration::ZERO, 1.0), Some(MS(30)));
    assert_eq!(POLICY.pause(4, Some(Duration::ZERO), Duration::ZERO, 0.0), None);
}

#[test]
fn attempts_are_counted_with_the_first_one() {
    let policy = POLICY.with_max_attempts(3);
    assert!(policy.pause(2, None, Duration::ZERO, 1.0).is_some());
    assert_eq!(policy.pause(3, None, Duration::ZERO, 1.0), None);
}

#[test]
fn the_nearer_of_timeout_and_deadline_counts() {
    let mut backoff = POLICY.with_timeout(Duration::from_mins(1)).start();
    backoff.set_deadline(Instant::now());
    assert_eq!(backoff.next_pause(Duration::ZERO).unwrap_err().attempts, 1);
    backoff.set_deadline(Instant::now() + Duration::from_hours(1));
    assert!(backoff.next_pause(Duration::from_secs(50)).is_ok());
    assert_eq!(backoff.next_pause(Duration::from_secs(70)).unwrap_err().attempts, 3);
    assert_eq!(backoff.failed_attempts(), 3);
}

#[tokio::test]
async fn a_request_is_made_until_it_succeeds() {
    let mut attempts = 0;
    let policy = RetryPolicy::constant(MS(1));
    let result = retry(
        policy,
        async || {
            attempts += 1;
            if attempts < 4 { Err(attempts) } else { Ok(attempts) }
        },
        |_| Decision::Retry,
    );
    assert_eq!(result.await, Ok(4));
}

#[tokio::test]
async fn a_final_error_is_returned_at_once() {
    let decide = |error: &u32| if *error == 2 { Decision::Fail } else { Decision::RetryAfter(MS(1)) };
    let mut attempts = 0;
    let result = retry(
        POLICY,
        async || {
            attempts += 1;
            Err::<(), _>(attempts)
        },
        decide,
    );
    assert_eq!(result.await, Err(RetryError { error: 2, exhausted: None }));
}

#[tokio::test]
async fn a_request_that_keeps_failing_returns_its_last_error() {
    let result =
        retry(RetryPolicy::constant(MS(1)).with_max_attempts(3), async || Err::<(), _>("busy"), |_| Decision::Retry);
    let error = result.await.unwrap_err();
    assert_eq!((error.error, error.exhausted.map(|exhausted| exhausted.attempts)), ("busy", Some(3)));
}

proptest! {
    #[test]
    fn no_pause_goes_beyond_what_remains(failed in 1_u32.., remaining in 0_u64..5000, asked in 0_u64..5000, share in 0.0..=1.0) {
        if let Some(pause) = POLICY.pause(failed, Some(MS(remaining)), MS(asked), share) {
            prop_assert!(pause <= MS(remaining) && pause >= MS(asked));
        }
    }
}
