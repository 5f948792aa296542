//! A room as `places` describes it. Pure.

use super::resources::PlaceResource;
use crate::calendar::RoomAddress;
use crate::engine::Place;

/// The room's description; `None` if it is one of another room.
pub(super) fn place(resource: &PlaceResource<'_>, room: &RoomAddress) -> Option<Place> {
    let address = resource.email_address.as_deref()?;
    if !address.eq_ignore_ascii_case(room.as_str()) {
        return None;
    }
    let text = |text: Option<&str>| text.map(str::to_owned).filter(|text| !text.trim().is_empty());
    let floor = text(resource.floor_label.as_deref());
    Some(Place {
        name: text(resource.display_name.as_deref()),
        building: text(resource.building.as_deref()),
        floor: floor.or_else(|| resource.floor_number.map(|number| number.to_string())),
        capacity: resource.capacity.and_then(|capacity| u32::try_from(capacity).ok()),
        equipment: equipment(resource),
    })
}

/// The kinds of device that the room has, then its tags.
fn equipment(resource: &PlaceResource<'_>) -> Vec<String> {
    let devices = [
        ("audio", &resource.audio_device_name),
        ("video", &resource.video_device_name),
        ("display", &resource.display_device_name),
    ];
    let has = |device: Option<&str>| device.is_some_and(|name| !name.trim().is_empty());
    let devices = devices.into_iter().filter(|(_, device)| has(device.as_deref()));
    let devices = devices.map(|(kind, _)| kind.to_owned());
    let tags = resource.tags.as_deref().unwrap_or_default().iter();
    devices.chain(tags.map(|tag| tag.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_described_by_what_its_place_has() {
        let text = r#"{"emailAddress":"Aurora@example.com","displayName":"Aurora","building":"Mitte","floorNumber":3,
            "floorLabel":"","capacity":12,"tags":["whiteboard"],"audioDeviceName":null,"videoDeviceName":"Teams Room"}"#;
        let resource: PlaceResource<'_> = serde_json::from_str(text).unwrap();
        let aurora = place(&resource, &"aurora@example.com".parse().unwrap()).unwrap();
        assert_eq!((aurora.name.as_deref(), aurora.building.as_deref()), (Some("Aurora"), Some("Mitte")));
        assert_eq!((aurora.floor.as_deref(), aurora.capacity), (Some("3"), Some(12)));
        assert_eq!(aurora.equipment, ["video", "whiteboard"]);
        assert_eq!(place(&resource, &"borealis@example.com".parse().unwrap()), None);
    }
}
