"""Lists the images to measure, and the handshakes of each."""
from build import EXTRA, FULL, IN_RUST, LEAN, P256M, SMALL, STABLE, Image
from run import Handshake

PSA = "board_psa.h"


# Default features of the TLS and MQTT crates. The Zephyr build omits the chosen ones unless selected.
CHOSEN = ("properties", "outbox-policies", "failover", "fallback-v311", "keep-alive-auto", "pins", "dns-tcp")
# Only in the images for the table of options.
ADDED = ("pieces",)
DEFAULT = ("pem", "summaries", "v311", "v5") + CHOSEN


def provider_image(name, features, flags, full=False, sentences=("sentences",), psa_rsa=False, p256m=False,
                   client_only=False, without=()):
    """Returns one of our images. With PSA it includes Mbed TLS's, which verifies RSA signatures only with `psa_rsa`
    and uses p256-m for P-256 with `p256m`. `without` removes features of the smallest image."""
    below = {}
    if "psa" in features:
        wanted = {"-DPSA_ALL": full, "-DPSA_RSA": psa_rsa, P256M: p256m, "-DPSA_NO_X25519": "x25519" in without}
        below = {"mbedtls": PSA, "defines": tuple(define for define, want in wanted.items() if want)}
        features += () if psa_rsa else IN_RUST
    features += tuple(feature for feature in (FULL if full else LEAN) + DEFAULT if feature not in without)
    return Image(name, features=features + sentences, flags=flags, client_only=client_only, **below)


IMAGES = {image.name: image for image in (
    provider_image("tls-psa", ("psa",), SMALL),
    provider_image("tls-psa-rsa", ("psa",), SMALL, psa_rsa=True),
    provider_image("tls-psa-only", ("psa",), SMALL, client_only=True),
    provider_image("tls-soft", ("soft",), SMALL),
    provider_image("tls-psa-codes", ("psa",), SMALL, sentences=()),
    provider_image("mqtt-psa", ("psa", "mqtt"), SMALL),
    provider_image("mqtt-soft", ("soft", "mqtt"), SMALL),
    provider_image("client-psa", ("psa", "client"), SMALL),
    provider_image("client-soft", ("soft", "client"), SMALL),
    provider_image("client-psa-only", ("psa", "client"), SMALL, client_only=True),
    provider_image("client-psa-p256m", ("psa", "client"), SMALL, p256m=True, without=("x25519",)),
    provider_image("client-psa-p256m-x25519", ("psa", "client"), SMALL, p256m=True),
    provider_image("tls-psa-full", ("psa",), SMALL, full=True),
    provider_image("tls-soft-full", ("soft",), SMALL, full=True),
    provider_image("client-psa-full", ("psa", "client"), SMALL, full=True),
    provider_image("tls-psa-stable", ("psa",), STABLE),
    Image("mbedtls-1.2", mbedtls="board_tls12.h"),
    Image("mbedtls-1.3", mbedtls="board_tls13.h"),
)}

TLS12_RSA = Handshake("1.2", "rsa", "X25519")
TLS12 = (
    TLS12_RSA,
    Handshake("1.2", "rsa", "P-256"),
    # In TLS 1.2 the offered groups must include the certificate's curve.
    Handshake("1.2", "p256", "P-256"),
)
TLS13 = (
    Handshake("1.3", "rsa", "X25519"),
    Handshake("1.3", "p256", "X25519"),
)
# Four certificates, as in the largest public clouds: webpki's recursion takes stack for each.
DEEP = (
    Handshake("1.2", "rsa-deep", "P-256"),
    Handshake("1.2", "p256-deep", "P-256"),
)
# The largest curve of a provider with every suite.
P384 = (
    Handshake("1.2", "p384", "P-384"),
    Handshake("1.2", "p384-deep", "P-384"),
    Handshake("1.3", "p384", "P-384"),
)
MQTT = (
    # P-256 takes the same number of instructions each time.
    Handshake("1.2", "rsa", "P-256", mqtt="4"),
    Handshake("1.2", "rsa", "P-256", mqtt="5"),
    Handshake("1.3", "p256", "X25519", mqtt="5"),
)
MQTT_DEEP = Handshake("1.2", "p256-deep", "P-256", mqtt="5")

# The handshakes of each image.
RUNS = {
    "tls-psa": TLS12 + TLS13 + DEEP,
    "tls-psa-rsa": (*TLS12[:2], TLS13[0], DEEP[0]),
    "tls-psa-only": TLS12 + TLS13 + DEEP,
    "tls-soft": TLS12 + TLS13 + DEEP,
    "tls-psa-full": P384,
    "tls-soft-full": P384,
    "mbedtls-1.2": TLS12,
    "mbedtls-1.3": TLS12 + TLS13,
    "tls-psa-codes": TLS12[1:2],
    "mqtt-psa": MQTT,
    "mqtt-soft": MQTT,
    "client-psa": MQTT + (MQTT_DEEP,),
    "client-soft": MQTT + (MQTT_DEEP,),
    "client-psa-only": MQTT + (MQTT_DEEP,),
    "client-psa-p256m": (*MQTT[1:2], MQTT_DEEP),
    "client-psa-p256m-x25519": (*MQTT[1:], MQTT_DEEP),
    "client-psa-full": MQTT[1:2],
    "tls-psa-stable": (TLS12_RSA,),
}

# The images in the tables; the others are for --only and --least-heap.
REPORTED = {name: RUNS[name] for name in RUNS if not name.startswith("mqtt-") and name not in ("tls-psa-codes", "tls-psa-stable")}

# The short form: all of our code is in one of the two.
CHECKED = {
    "client-psa": (MQTT[1], MQTT_DEEP),
    "tls-soft": TLS13[1:2],
}


def feature_images(provider):
    """Returns images with all features, all but one, and one extra: {feature or "": image}."""
    def image(feature):
        features = (provider, "sentences") + DEFAULT + tuple(f for f in FULL if f != feature) + tuple(f for f in EXTRA if f == feature)
        below = {}
        if provider == "psa":
            below = {"mbedtls": PSA, "defines": ("-DPSA_ALL",)}
            features += () if feature == "rsa" else IN_RUST
        return Image(f"features-{provider}-{feature or 'all'}", features=features, flags=SMALL, **below)
    return {feature: image(feature) for feature in ("",) + FULL + (EXTRA if provider == "soft" else ())}


def option_images():
    """Returns the whole client as built by Zephyr without error texts, then with more and with less: {what: image}."""
    off = ("summaries", *CHOSEN, *ADDED)

    def image(name, *, plus=(), less=(), client_only=False):
        without = tuple(feature for feature in off if feature not in plus) + less
        added = tuple(feature for feature in plus if feature in ADDED)
        return provider_image(f"option-{name}", ("psa", "client", *added), SMALL, sentences=(), client_only=client_only, without=without)
    return {
        "": image("none"),
        **{f"with `{feature}`": image(feature, plus=(feature,)) for feature in off},
        "with all of these": image("all", plus=off),
        "without `pem`": image("pem", less=("pem",)),
        "without `v311` (MQTT 5 only)": image("v311", less=("v311",)),
        "without `v5` (MQTT 3.1.1 only)": image("v5", less=("v5",)),
        "without `tls12` (TLS 1.3 only)": image("tls12", less=("tls12",)),
        "client-only rustls": image("only", client_only=True),
        "the same, without `pem`, `v311` and `tls12`": image("least", less=("pem", "v311", "tls12"), client_only=True),
    }
