//! The contract of all backends: the suites, and the embedded backend for them.
#![allow(missing_docs, reason = "the names of a suite's cases say what they check")]

pub mod embedded;
pub mod suites;

/// Passes the cases of the scripted servers (`tests/backends/scripted`) to another macro.
#[macro_export]
macro_rules! scripted_cases {
    ($($then:tt)*) => {
        $($then)*! {
            ()
            tables: [
                sends_again_what_was_left_unprocessed, asks_again_for_keys_left_unprocessed, waits_out_a_throttle,
                reports_a_lasting_throttle, finds_the_item_that_gets_a_batch_refused, keeps_records_when_credentials_are_refused,
            ],
            queues: [
                sends_again_what_failed_on_its_side, deletes_fail_one_by_one, visibility_fails_one_by_one,
                tells_where_a_moved_message_came_from, keeps_what_one_call_received_when_another_fails,
                fills_a_page_by_several_receives, stops_a_group_behind_what_was_not_taken,
                names_attributes_that_cannot_be_read, says_how_an_existing_queue_differs,
            ],
            streams: [
                lists_all_pages_of_shards, holds_parents_before_children, renews_an_expired_iterator,
                goes_on_behind_trimmed_records, ends_with_a_closed_shard, case_07_tells_who_removed_an_item,
                leaves_out_what_is_not_a_change_of_ours, refuses_a_stream_without_images, reports_a_lasting_throttle,
            ],
            documents: [
                reads_a_page_by_several_batches, goes_on_behind_a_place, pages_by_two_paths_through_one_list,
                updates_in_one_command, tells_refused_updates_from_outages,
            ],
            objects: [
                waits_out_a_slow_down, is_an_outage_when_it_is_refused, tells_an_archived_object_from_an_outage,
                tells_a_missing_bucket_from_a_missing_object, trusts_the_code_of_a_missing_object,
                takes_no_other_version_for_the_one_asked_for, takes_no_other_range_for_the_one_asked_for,
                is_an_outage_when_an_object_breaks_off, lists_keys_that_xml_cannot_hold, goes_on_behind_an_empty_page,
            ],
            data_streams: [
                puts_again_what_was_refused, answers_each_record_by_itself, ends_with_an_outage,
                takes_a_missing_stream_for_an_outage, lists_all_pages_of_shards, ends_with_a_closed_shard,
                renews_an_expired_iterator, goes_on_through_pages_without_records, finds_the_end_of_a_shard,
                reports_a_lasting_throttle,
            ],
            topics: [
                finds_a_topic_behind_the_first_page, publishes_again_what_failed_on_its_side,
                finds_the_message_that_gets_a_batch_refused, sends_attributes_by_their_types,
                takes_a_missing_topic_for_an_outage, reports_a_lasting_throttle,
            ],
            tasks: [
                finds_an_activity_behind_the_first_page, names_a_missing_activity,
                refuses_an_input_without_task_id_and_attempt, hands_back_what_nobody_takes,
                is_probed_by_a_request_that_answers_at_once, tells_that_an_attempt_is_over,
                names_failures_for_the_state_machine, fails_with_an_output_that_is_refused, reports_a_lasting_throttle,
                hands_back_its_attempt_in_an_outage,
                makes_activities,
            ],
            secrets: [
                reads_many_with_one_request, reads_each_where_many_are_denied, says_what_is_wrong_with_each,
                names_the_secrets_of_a_server_that_is_down, reads_a_used_secret_again,
            ],
        }
    };
}
