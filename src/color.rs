//! Colours as `#rrggbb`, and their contrast as WCAG 2.2 defines it. Pure; draws nothing.

use std::fmt;
use std::str::FromStr;

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

/// A text is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is # and six hexadecimal digits, such as #005a9c")]
pub struct ColorError;

impl Color {
    /// Black.
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0 };
    /// White.
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };

    /// The colour of a text on this background: black or white, whichever has more contrast. The contrast is always 4.5:1 or more,
    /// which WCAG 2.2 demands of text (1.4.3): the worst background has 4.58:1 with both.
    pub fn text_color(self) -> Self {
        if self.contrast(Self::BLACK) >= self.contrast(Self::WHITE) { Self::BLACK } else { Self::WHITE }
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.relative_luminance(), other.relative_luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The relative luminance of WCAG 2.2, from 0 for black to 1 for white.
    fn relative_luminance(self) -> f64 {
        let linear = |channel: u8| match f64::from(channel) / 255.0 {
            small if small <= 0.04045 => small / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

impl FromStr for Color {
    type Err = ColorError;

    fn from_str(text: &str) -> Result<Self, ColorError> {
        let digits = text.strip_prefix('#').ok_or(ColorError)?;
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ColorError);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| ColorError)?.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        text.parse().unwrap()
    }

    #[test]
    fn contrasts_are_those_of_the_recommendation() {
        for (one, two, ratio) in [
            ("#000000", "#ffffff", 21.0),
            ("#767676", "#ffffff", 4.54),
            ("#777777", "#ffffff", 4.48),
            ("#ff0000", "#ffffff", 4.00),
            ("#0000ff", "#ffffff", 8.59),
            ("#005a9c", "#005A9C", 1.0),
        ] {
            let contrast = color(one).contrast(color(two));
            assert!((contrast - ratio).abs() < 0.006, "{one} {two}: {contrast}");
        }
    }

    #[test]
    fn a_text_on_any_colour_has_enough_contrast() {
        assert_eq!(color("#005a9c").text_color(), Color::WHITE);
        assert_eq!(color("#ffd500").text_color(), Color::BLACK);
        let steps = || (0..=u8::MAX).step_by(15);
        for red in steps() {
            for green in steps() {
                for blue in steps() {
                    let background = Color { red, green, blue };
                    let contrast = background.contrast(background.text_color());
                    assert!(contrast >= 4.5, "{background}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        assert_eq!(color("#005A9c").to_string(), "#005a9c");
        for wrong in ["", "005a9c", "#05a", "#005a9c0", "#+05a9c", "#00 a9c", "blue", "#00é9c"] {
            assert_eq!(wrong.parse::<Color>(), Err(ColorError), "{wrong}");
        }
    }
}
