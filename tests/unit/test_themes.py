"""The themes: what is read can be read, whoever reads it, and colours that mean something are told apart."""

from __future__ import annotations

from itertools import combinations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from monitor.fit.choices import THEME_NAMES
from monitor.themes import COLOUR_BLIND, HIGH_CONTRAST, THEMES, VARIABLE_DEFAULTS, ColourlessFilter

XTERM = ["#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5"]
XTERM_BRIGHT = ["#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff"]
LINUX = ["#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa"]
LINUX_BRIGHT = ["#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff"]
NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
PALETTES = {
    "xterm": dict(zip([*NAMES, *(f"bright_{name}" for name in NAMES)], XTERM + XTERM_BRIGHT, strict=True)),
    "linux": dict(zip([*NAMES, *(f"bright_{name}" for name in NAMES)], LINUX + LINUX_BRIGHT, strict=True)),
}
"""What the 16 colours look like by default on two kinds of terminals."""
TEXTS = ("foreground", "muted", "error", "warning", "success", "accent", "primary")
GROUNDS = ("background", "surface", "panel", "cursor-line", "cursor-line-blurred")
# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear light.
DEFICIENCIES = {
    "protanopia": [
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ],
    "deuteranopia": [
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ],
    "tritanopia": [
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ],
}
Light = tuple[float, float, float]


def linear(colour: str) -> Light:
    """Linear light of an sRGB colour, each from 0 to 1 (IEC 61966-2-1)."""

    def one(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = Color.parse(colour).rgb
    return one(red / 255), one(green / 255), one(blue / 255)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted(
        0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(linear, (one, other))
    )
    return (high + 0.05) / (low + 0.05)


def lab(light: Light) -> Light:
    """CIELAB under D65."""
    red, green, blue = (min(1.0, max(0.0, channel)) for channel in light)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    a, b, c = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z))
    return 116 * b - 16, 500 * (a - b), 200 * (b - c)


def colours(name: str, palette: str) -> dict[str, str]:
    theme = THEMES[name]
    named = {role: getattr(theme, role, None) or theme.variables[role] for role in (*TEXTS, *GROUNDS)}
    known = PALETTES[palette]
    return {role: known.get(value.removeprefix("ansi_"), value) for role, value in named.items()}


def test_every_name_has_a_theme() -> None:
    assert tuple(THEMES) == THEME_NAMES


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", [name for name in THEME_NAMES if name != "monochrome"])
def test_all_text_can_be_read_on_all_that_it_stands_on(name: str, palette: str) -> None:
    chosen = colours(name, palette)
    least = 7.0 if THEMES[name] is HIGH_CONTRAST else 4.5
    faint = {
        (text, ground): round(contrast(chosen[text], chosen[ground]), 2)
        for text in TEXTS
        for ground in GROUNDS
        if contrast(chosen[text], chosen[ground]) < least
    }
    assert faint == {}


def test_contrast_is_that_of_the_definition() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_colour_blind_theme_keeps_apart_what_means_something(deficiency: str) -> None:
    matrix = DEFICIENCIES[deficiency]

    def seen(colour: str) -> Light:
        light = linear(colour)
        red, green, blue = (sum(m * c for m, c in zip(row, light, strict=True)) for row in matrix)
        return lab((red, green, blue))

    meaning = [COLOUR_BLIND.error, COLOUR_BLIND.warning, COLOUR_BLIND.success, COLOUR_BLIND.foreground]
    for one, other in combinations([colour for colour in meaning if colour], 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen(one), seen(other), strict=True)) ** 0.5
        assert distance > 20, (one, other)


def test_no_theme_leaves_out_what_the_style_sheets_use() -> None:
    for name, theme in THEMES.items():
        if name != "monochrome":
            assert {"muted", "rule", "cursor-line", "cursor-line-blurred"} <= set(theme.variables), name
        assert theme.ansi or "#" in theme.primary
    assert VARIABLE_DEFAULTS.keys() >= {"cursor-style", "error-style", "pane-edge", "focused-edge"}


def test_without_colours_what_bold_and_reverse_say_stays() -> None:
    style = Style(color="red", bgcolor="default", bold=True, reverse=True)
    [segment] = ColourlessFilter().apply([Segment("x", style)], Color.parse("black"))
    assert segment.style is not None
    assert (segment.style.color, segment.style.bgcolor) == (None, None)
    assert segment.style.bold
    assert segment.style.reverse
