//! The contract of the backends: one suite per interface, the same code for every backend.
//!
//! A backend is registered with one line, `contract!(name, open)`, where `open` is an async function that returns a new
//! [`backend::Backend`]. It then runs every case. `contract_of_aws!` runs the cases of interfaces that AWS provides,
//! `contract_of_tasks!` those of executions, which only the embedded store keeps, `contract_of_event_log!` those of the
//! event log.
//! `tests/project/contract.rs` checks that every case is in a list.

pub mod attempts;
pub mod backend;
pub mod cache;
pub mod data_streams;
pub mod documents;
pub mod documents_find;
pub mod documents_update;
pub mod event_log;
pub mod failures;
pub mod kafka_source;
pub mod kinesis_source;
pub mod latest;
pub mod objects;
pub mod queue;
pub mod queue_browser;
pub mod queue_fifo;
pub mod queue_limits;
pub mod queue_redrive;
pub mod shared_stream;
pub mod stream;
pub mod table;
pub mod table_limits;
pub mod table_update;
pub mod tasks;
pub mod topics;

use futures::FutureExt;
use std::panic::AssertUnwindSafe;

/// Passes the cases of cache and documents to another macro, after the tokens that this macro was given.
#[macro_export]
macro_rules! contract_cases {
    ($then:ident $($with:tt)*) => {
        $crate::$then! {
            ($($with)*)
            cache: [
                keeps_values, counts, keeps_sets, refuses_the_wrong_type, ends_lifetimes, sets_only_new,
                changes_lifetimes, names_unknown_commands, answers_a_publish,
            ],
            documents: [
                finds_by_index_and_scan, replaces_or_inserts, keeps_collections_apart,
                refuses_wrong_calls, refuses_wrong_paths, keeps_every_digit,
                refuses_numbers_that_lose_digits,
            ],
            documents_find: [
                finds_all_that_match, sorts_by_type_and_value, sorts_lists_by_an_element,
                sorts_lists_among_other_values, sorts_lists_in_lists,
                sorts_by_two_paths_through_one_list, refuses_to_sort_by_two_lists, pages_through_ties,
                ends_a_page_by_its_bytes, refuses_foreign_places, pages_while_others_write,
                keeps_what_the_projection_names, refuses_wrong_queries,
            ],
            documents_update: [
                updates_by_operators, updates_once_among_many, refuses_wrong_updates,
                refuses_to_increase_null, adds_to_numbers, refuses_to_exceed_integers, refuses_to_exceed_doubles,
            ],
        }
    };
}

/// The same, with the cases of what AWS provides.
#[macro_export]
macro_rules! contract_cases_of_aws {
    ($then:ident $($with:tt)*) => {
        $crate::$then! {
            ($($with)*)
            data_streams: [
                keeps_what_was_put, answers_nothing_for_no_records, divides_the_hash_keys_among_shards,
                keeps_the_order_of_a_key, refuses_one_and_takes_the_rest, takes_any_number, accepts_what_just_fits,
                resumes_after_a_record, reads_from_latest, reads_from_a_time, limits_a_read, remembers_checkpoints,
                remembers_a_time_to_begin_with, remembers_that_a_worker_has_begun, wakes_who_waits, knows_its_names,
            ],
            failures: [counts_each_message_by_itself, forgets_what_is_settled, counts_thousands],
            objects: [
                keeps_objects, reads_ranges, tells_that_an_object_was_replaced, finds_no_version_of_an_odd_etag,
                reads_one_version_while_others_write, names_what_is_missing, keeps_odd_keys,
                lists_in_the_order_of_bytes, lists_what_begins_with_a_prefix, lists_whole_objects_only,
                moves_the_most_of_one_call,
            ],
            queue: [
                delivers_what_was_sent, case_11_keeps_types_and_bytes_of_attributes, hides_what_was_received, delivers_again_and_counts, deletes_for_good,
                deletes_twice,
                ignores_stale_receipts, delays, returns_at_once, extends, refuses_to_extend_what_is_not_in_flight,
                waits_for_a_message, answers_nothing_after_the_wait, takes_any_number, shares_among_receivers,
                counts_and_shows,
            ],
            queue_browser: [
                pages_through_all, shows_what_is_in_flight_and_delayed, finds_one_by_its_id, takes_only_what_is_named_and_visible,
                settles_what_was_taken, refuses_what_it_does_not_know,
            ],
            queue_fifo: [
                keeps_the_order_of_a_group, holds_a_group_while_one_of_it_is_in_flight, delivers_again_in_order,
                wakes_who_waits_for_a_group, stores_the_same_message_once, refuses_what_has_no_group,
                moves_what_exceeds_the_count_with_its_group,
            ],
            queue_limits: [
                accepts_odd_text, refuses_one_and_takes_the_rest, case_08_accepts_what_just_fits, refuses_wrong_receipts,
                knows_its_names, limits_visibility,
            ],
            queue_redrive: [
                moves_what_exceeds_the_count, keeps_what_was_deleted_in_time, fills_up_behind_moved_ones,
                keeps_all_without_a_dead_letter_queue,
            ],
            stream: [
                records_all_images, keeps_the_order_of_an_item, is_silent_where_nothing_changes, resumes_after_a_record,
                reads_from_latest, remembers_checkpoints, limits_a_read, wakes_who_waits, knows_its_names,
                refuses_sequences_of_no_stream, case_01_images_keep_every_digit, case_04_remembers_that_a_worker_has_begun,
            ],
            table: [
                puts_gets_deletes, answers_in_the_order_of_keys, pages_through_a_query, orders_by_bytes,
                queries_a_prefix, takes_thousands, puts_over, case_01_keeps_every_digit,
            ],
            table_limits: [
                refuses_one_and_takes_the_rest, accepts_what_just_fits, counts_as_dynamodb_does, refuses_wrong_keys,
                refuses_wrong_queries, knows_its_names, case_01_refuses_numbers_with_too_many_digits,
            ],
            table_update: [
                sets_and_removes, makes_an_absent_item, checks_conditions, holds_where_absent_or_equal,
                holds_where_absent_or_less, adds_to_numbers, refuses_to_add, adds_once, case_01_adds_to_every_digit, compares_by_value,
                fails_one_by_one, refuses_wrong_paths, keeps_the_size_limit, case_01_compares_every_digit,
            ],
            topics: [
                delivers_raw_and_wrapped, keeps_lists_and_bytes_of_attributes, filters_by_attributes,
                filters_by_the_body, refuses_one_and_takes_the_rest, takes_any_number, accepts_what_just_fits,
                knows_its_names,
            ],
        }
    };
}

/// The same, with the cases of executions of tasks, for a [`tasks::TaskStore`].
#[macro_export]
macro_rules! contract_cases_of_tasks {
    ($then:ident $($with:tt)*) => {
        $crate::$then! {
            ($($with)*)
            tasks: [
                a_name_is_one_execution, takes_what_has_been_due_for_longest, waits_for_an_execution, keeps_an_output,
                begins_again_after_the_wait, ends_with_the_last_failure, releases_without_a_failure,
                waits_without_a_failure, counts_attempts_that_are_repeated, an_id_stands_for_a_name,
                an_attempt_ends_with_its_lease, what_is_stopped_stays_stopped, lists_the_latest_first,
                refuses_what_cannot_be_an_execution,
            ],
        }
    };
}

/// The same, with the cases of the event log, for an [`event_log::EventLogStore`].
#[macro_export]
macro_rules! contract_cases_of_event_log {
    ($then:ident $($with:tt)*) => {
        $crate::$then! {
            ($($with)*)
            event_log: [
                keeps_what_was_produced, answers_nothing_for_no_records, chooses_partitions_as_other_producers_do,
                keeps_the_order_of_a_key, refuses_one_and_takes_the_rest, takes_any_number, accepts_what_just_fits,
                reads_pages_from_any_offset, keeps_topics_apart, knows_its_names,
            ],
        }
    };
}

/// Runs every case against a backend.
#[macro_export]
macro_rules! contract {
    ($name:ident, $($open:tt)*) => {
        mod $name {
            $crate::contract_cases!(contract_tests $($open)*);
            $crate::contract_cases_of_aws!(contract_tests $($open)*);
        }
    };
}

/// Runs the cases of what AWS provides.
#[macro_export]
macro_rules! contract_of_aws {
    ($name:ident, $($open:tt)*) => {
        mod $name {
            $crate::contract_cases_of_aws!(contract_tests $($open)*);
        }
    };
}

/// Runs the cases of what keeps executions of tasks.
#[macro_export]
macro_rules! contract_of_tasks {
    ($name:ident, $($open:tt)*) => {
        mod $name {
            $crate::contract_cases_of_tasks!(contract_tests $($open)*);
        }
    };
}

/// Runs the cases of the event log.
#[macro_export]
macro_rules! contract_of_event_log {
    ($name:ident, $($open:tt)*) => {
        mod $name {
            $crate::contract_cases_of_event_log!(event_log_tests $($open)*);
        }
    };
}

/// Makes a test of each case of the event log. No server is known to fail one.
#[doc(hidden)]
#[macro_export]
macro_rules! event_log_tests {
    (($open:path) $($suite:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        $(
            mod $suite {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let backend = $open().await;
                        $crate::contract::suites::$suite::$case(&backend).await;
                    }
                )*
            }
        )*
    };
}

/// Makes a test of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    (($open:path) $($suite:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        $(
            mod $suite {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let backend = $open().await;
                        let case = $crate::contract::suites::$suite::$case(&backend);
                        $crate::contract::suites::judge(&backend, stringify!($suite), stringify!($case), case).await;
                    }
                )*
            }
        )*
    };
}

/// The list of suites and their cases.
#[macro_export]
macro_rules! contract_list {
    (() $($suite:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        &[$((stringify!($suite), &[$(stringify!($case)),*])),*]
    };
}

/// Runs a case. A case that a server is known to fail must fail; if it passes, its line is to be removed.
pub async fn judge(backend: &impl backend::Backend, suite: &str, case: &str, run: impl Future<Output = ()>) {
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    backend.close().await;
    match (outcome, backend.shortcoming(suite, case)) {
        (Ok(()), Some(why)) => panic!("{suite}: {case} passes, though it was known not to: {why}"),
        (Err(panic), None) => std::panic::resume_unwind(panic),
        (Ok(()), None) | (Err(_), Some(_)) => (),
    }
}
