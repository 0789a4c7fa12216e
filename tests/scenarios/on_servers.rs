//! The outcome of refused records, and of a market that is refreshed, on real servers: the same as on the embedded
//! backends.

use super::statuses::{RETRY_SCORE, SAVE_ENTRIES, UPSERT_USERS, hasty};
use super::{dead_letters, save_selections, services};
use crate::backends::on_servers::config::{self, SECRET};
use crate::backends::on_servers::servers::{endpoints, unique};
use host_adapters::backends::KINDS;
use host_adapters::manifest::App;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters_platform::Declared;
use tests::{TestHost, impatient};

/// A host on the servers, with its own tables, queues and collections.
async fn host(change: impl FnOnce(&mut App)) -> TestHost {
    let folder = tempfile::tempdir().unwrap();
    let path = config::write(folder.path(), "servers", endpoints().await, &unique());
    let text = std::fs::read_to_string(&path).unwrap();
    let environment = |name: &str| (name == SECRET.0).then(|| SECRET.1.to_owned());
    let config = RuntimeConfig::parse(&path, &text, KINDS, &Declared::default(), &environment).unwrap();
    TestHost::on(config, change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn case_03_unreadable_bodies_become_dead_letters_with_their_bodies_and_reasons() {
    dead_letters::unreadable_bodies(&host(|_| ()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_08_a_large_entry_and_its_deletion_are_replicated() {
    dead_letters::large_entry(&host(|_| ()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_08_a_change_of_large_images_is_given_up_whole() {
    dead_letters::large_images(&host(dead_letters::probing).await).await;
}

/// DynamoDB keeps what SQS does not take.
#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d12_4__point_1_what_no_queue_takes_is_given_up_at_once_and_whole() {
    dead_letters::what_no_queue_takes(&host(dead_letters::dropping).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_2_a_refused_entry_becomes_a_dead_letter_and_costs_no_other() {
    services::a_refused_entry(&host(services::settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_3_entries_are_replicated_to_a_service_that_answers_as_the_documents_print() {
    services::an_answer_as_printed(&host(impatient).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_15_a_dead_letter_has_service_status_first_line_times_and_trace_for_every_kind_of_failure() {
    dead_letters::every_kind_of_failure(&host(hasty).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_gives_winners_back_what_their_items_lack() {
    save_selections::a_refresh(&host(save_selections::unreported).await).await;
}

/// A wrong path, then the page of a proxy, then a service that is broken for one record.
#[tokio::test(flavor = "multi_thread")]
async fn point_16_what_all_calls_get_is_an_outage_and_what_one_record_gets_is_its_own() {
    let host = host(hasty).await;
    for caller in [SAVE_ENTRIES, RETRY_SCORE, UPSERT_USERS] {
        for status in [404, 200] {
            caller.outage(&host, status).await;
            assert_eq!(host.depth(&format!("{}Dlq", caller.queue)).await, 0, "{} {status}", caller.worker);
        }
        caller.own(&host, 500).await;
    }
}
