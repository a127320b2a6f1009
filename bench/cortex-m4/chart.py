"""Draws the chart of docs/footprint-tables.md: flash by part, and one handshake compared."""
from html import escape

IMAGES = ("tls-psa", "tls-soft", "client-psa", "client-soft", "mbedtls-1.2", "mbedtls-1.3")
COMPARED = ("tls-psa", "tls-soft", "mbedtls-1.2", "mbedtls-1.3")
HANDSHAKE = "TLS 1.2, RSA-2048, X25519"
COLOURS = ("#35618f", "#5b8bb8", "#8db4d3", "#3f8f5b", "#c9822b", "#8a8a8a", "#bcbcbc", "#a0477a", "#cf8db3")
WIDTH, LABEL, RIGHT = 900, 230, 70
BAR, STEP = 18, 26


def bar(x, y, width, colour, title):
    return (f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0):.1f}" height="{BAR}" fill="{colour}">'
            f"<title>{escape(title)}</title></rect>")


def text(x, y, content, anchor="start", weight="normal", size=13):
    return (f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}">'
            f"{escape(content)}</text>")


def draw(sizes, results, grouped, titles):
    """Returns the SVG."""
    out, y = [], 30
    room = WIDTH - LABEL - RIGHT
    images = [image for image in IMAGES if image in sizes]
    groups = {image: grouped(sizes[image]) for image in images}
    most = max(sum(parts.values()) for parts in groups.values())
    out.append(text(10, y, "Flash", weight="bold", size=15))
    y += 12
    for image in images:
        out.append(text(LABEL - 10, y + 14, titles[image], "end"))
        x = float(LABEL)
        for (group, size), colour in zip(groups[image].items(), COLOURS):
            width = size * room / most
            out.append(bar(x, y, width, colour, f"{group}: {size:,} bytes"))
            x += width
        out.append(text(x + 6, y + 14, f"{sum(groups[image].values()) / 1000:.0f} kB"))
        y += STEP
    x = float(LABEL)
    y += 4
    for group, colour in zip(next(iter(groups.values())), COLOURS):
        wide = 24 + 7.2 * len(group)
        if x + wide > WIDTH:
            x, y = float(LABEL), y + 20
        out.append(f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{colour}"/>')
        out.append(text(x + 16, y + 11, group, size=12))
        x += wide
    y += 46
    out.append(text(10, y, f"One handshake: {HANDSHAKE}", weight="bold", size=15))
    compared = [image for image in COMPARED if HANDSHAKE in results.get(image, {})]
    for key, title, unit, scale in (("heap", "peak heap", "kB", 1e3), ("stack", "peak stack", "kB", 1e3),
                                    ("instructions", "instructions", "M", 1e6)):
        y += 20
        out.append(text(LABEL, y, title, weight="bold"))
        y += 6
        highest = max(results[image][HANDSHAKE][key] for image in compared)
        for image in compared:
            value = results[image][HANDSHAKE][key]
            width = value * room / highest
            colour = COLOURS[7] if image.startswith("mbedtls") else COLOURS[0]
            out.append(text(LABEL - 10, y + 14, titles[image], "end"))
            out.append(bar(LABEL, y, width, colour, f"{value:,}"))
            out.append(text(LABEL + width + 6, y + 14, f"{value / scale:.1f} {unit}"))
            y += STEP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" '
            f'viewBox="0 0 {WIDTH} {y + 10}" font-family="sans-serif" fill="#222">'
            f'<rect width="{WIDTH}" height="{y + 10}" fill="#fff"/>' + "\n".join(out) + "</svg>\n")
