//! How the job is doing: what its second half says of the outputs, and what topics say of their brokers, as one status.

use tokio::sync::watch;

use super::Status;

/// One status: waiting, when an output or an input's broker is away.
pub(super) fn merged(outputs: watch::Receiver<Status>, troubles: Vec<watch::Receiver<Option<String>>>) -> watch::Receiver<Status> {
    if troubles.is_empty() {
        return outputs;
    }
    let (merged, seen) = watch::channel(now(&outputs, &troubles));
    tokio::spawn(watch_over(outputs, troubles, merged));
    seen
}

async fn watch_over(
    mut outputs: watch::Receiver<Status>,
    mut troubles: Vec<watch::Receiver<Option<String>>>,
    merged: watch::Sender<Status>,
) {
    loop {
        let status = now(&outputs, &troubles);
        merged.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
        let inputs = futures::future::select_all(troubles.iter_mut().map(|trouble| Box::pin(trouble.changed())));
        let (ended, gone) = tokio::select! {
            changed = outputs.changed() => (changed.is_err(), None),
            (changed, place, _) = inputs => (false, changed.is_err().then_some(place)),
        };
        if let Some(gone) = gone {
            // Its thread has ended; what the outputs' half says last is to come.
            troubles.swap_remove(gone);
        }
        if ended {
            return;
        }
        if troubles.is_empty() {
            while outputs.changed().await.is_ok() {
                merged.send_replace(outputs.borrow_and_update().clone());
            }
            return;
        }
    }
}

fn now(outputs: &watch::Receiver<Status>, troubles: &[watch::Receiver<Option<String>>]) -> Status {
    let status = outputs.borrow().clone();
    let trouble = || troubles.iter().find_map(|trouble| trouble.borrow().clone());
    match status {
        Status::Running => trouble().map_or(Status::Running, Status::Waiting),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broker_that_is_away_is_waiting_and_the_outputs_last_word_holds() {
        let (outputs, outputs_seen) = watch::channel(Status::Running);
        let (broker, broker_seen) = watch::channel(None);
        let mut status = merged(outputs_seen, vec![broker_seen]);
        let waiting = |reason: &str| Status::Waiting(reason.to_owned());
        broker.send_replace(Some("away".to_owned()));
        status.wait_for(|status| *status == waiting("away")).await.unwrap();
        outputs.send_replace(waiting("full"));
        status.wait_for(|status| *status == waiting("full")).await.unwrap();
        outputs.send_replace(Status::Running);
        status.wait_for(|status| *status == waiting("away")).await.unwrap();
        broker.send_replace(None);
        status.wait_for(|status| *status == Status::Running).await.unwrap();
        drop(broker);
        outputs.send_replace(Status::Ended);
        status.wait_for(|status| *status == Status::Ended).await.unwrap();
    }
}
