//! The adversary's host: it listens for tasks, and sends the forgeries of the schedule.

use bytes::Bytes;
use quorate_runtime::bus::{self, Bus, Headers, Subscription};
use quorate_runtime::wire;
use tokio::sync::mpsc::UnboundedReceiver;

use super::bus::SimBus;
use super::stage::Surroundings;
use super::{decode, encode};
use crate::adversary::Adversary;
use crate::event::{Body, Message};
use crate::host::Host;
use crate::mischief::Tampered;
use crate::scenario::Forgery;

/// Runs the host until the sender of forgeries is dropped.
pub(super) async fn run(surroundings: &Surroundings, mut forgeries: UnboundedReceiver<Forgery>) -> turmoil::Result {
    surroundings.begins(Host::Adversary, 1);
    let bus = surroundings.connect(Host::Adversary, 1);
    let mut tasks = bus.subscribe(wire::TASKS, None).await?;
    let mut packs = bus.subscribe(wire::PACKS, None).await?;
    let mut adversary = Adversary::new(surroundings.seed);
    loop {
        tokio::select! {
            biased;
            Some(task) = tasks.recv() => hear(&bus, &mut adversary, &task),
            Some(pack) = packs.recv() => hear(&bus, &mut adversary, &pack),
            forgery = forgeries.recv() => match forgery {
                Some(forgery) => adversary.forge(forgery).into_iter().for_each(|forged| publish(&bus, forged)),
                None => return Ok(()),
            },
        }
    }
}

/// Hears a task, or those of a pack, and answers as it likes.
fn hear(bus: &SimBus, adversary: &mut Adversary, message: &bus::Message) {
    for (heard, _) in decode::elements(&message.subject, message.reply.as_deref(), &message.payload) {
        adversary.hear(&heard).into_iter().for_each(|forged| publish(bus, forged));
    }
}

/// Publishes a forgery; one that cannot be sent is dropped.
fn publish(bus: &SimBus, forged: Tampered) {
    let _ = match forged {
        Tampered::Message(Message { subject, body: Body::NoResponders, .. }) => {
            // As the broker writes it.
            bus.publish_with(&subject, None, &Headers::new([("Status", "503")]), Bytes::new())
        }
        Tampered::Message(message) => {
            bus.publish(&message.subject, message.reply.as_deref(), encode::payload(&message))
        }
        Tampered::Garbage { subject, len } => bus.publish(&subject, None, encode::garbage(len)),
    };
}
