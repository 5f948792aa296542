//! The action that tests perform. Tests change single fields of it (`Action { target, ..action(room, kind) }`).

use adjourn::action::{Action, ActionId, ActionKind, Actor, Target};
use adjourn::calendar::{EventId, RoomAddress};

/// An action on the room's current event, with a new id, requested by a program.
pub fn action(room: RoomAddress, kind: ActionKind) -> Action {
    Action {
        reason: "Nobody came.".parse().ok(),
        ..Action::new(ActionId::random(), room, kind, Actor::program("door"))
    }
}

/// The event with this id, whatever the caller saw of it.
pub fn named(id: &str) -> Target {
    Target::Event { id: EventId::new(id), seen: None }
}
