//! Reads one page of a calendar view as the client does, for the benchmark beside other decoders. No part of the library.

use super::contents::elements;
use super::decode::decode;
use super::event::EventContext;
use super::resources::Page;
use super::time_zones::UnknownTimeZones;
use super::view::ViewAssembler;
use crate::calendar::{RoomAddress, Window};
use crate::engine::CalendarView;

/// The events of a page in this window; `None` if the body is no such page.
pub fn read_page_of_events(body: &[u8], room: &RoomAddress, window: Window) -> Option<CalendarView> {
    let page: Page<'_> = decode(body).ok()?;
    let context = EventContext { room, zones: &UnknownTimeZones };
    ViewAssembler::new(window, context).read(elements(&page).ok()?).ok()
}
