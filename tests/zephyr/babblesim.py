"""BabbleSim's simulated radio medium. Zephyr's board nrf52_bsim models the nRF52833's radio, and BabbleSim
transmits its frames at the speed of a real one. Needs BSIM_OUT_PATH, where BabbleSim was built.
"""

import contextlib
import csv
import glob
import os
import pathlib
import re
import secrets
import shutil
import struct
import subprocess
import sys
import time

from native_sim import PATIENCE
from openthread import process

BOARD = "nrf52_bsim"
NEAR, FAR = 50, 200  # attenuation in dB
ACKNOWLEDGEMENT = 5  # bytes of the acknowledgement frame that every radio sends


def missing():
    """Returns why the simulated radio cannot run here, or an empty string."""
    folder = os.environ.get("BSIM_OUT_PATH")
    if not folder:
        return "BSIM_OUT_PATH is not set; BabbleSim is in Zephyr's manifest, group babblesim"
    for program in ("bin/bs_2G4_phy_v1", "bin/bs_device_handbrake", "lib/libCryptov1.so",
                    "lib/lib_2G4Channel_multiatt.so", "lib/lib_2G4Modem_BLE_simple.so"):
        if not (pathlib.Path(folder) / program).exists():
            return f"BSIM_OUT_PATH has no {program}; build BabbleSim there"
    return ""


class Air:
    """The medium between a number of devices, the last of which only keeps simulated time in step with real time."""

    def __init__(self, name, folder, devices):
        self.name = f"thread-mqtt-{secrets.token_hex(4)}-{name}"  # processes in namespaces have the same pid
        self.folder = folder
        self.programs = pathlib.Path(os.environ["BSIM_OUT_PATH"]).resolve() / "bin"
        self.devices = devices
        # All load libraries from ../lib and write to ../results.
        self.home = folder / "bin"
        self.home.mkdir()
        (folder / "lib").symlink_to(self.programs.with_name("lib"))
        self.results = folder / "results" / self.name

    @contextlib.contextmanager
    def run(self, outages=()):
        """Runs from the first microsecond, when all devices are present, until the block ends. Outages are a start and
        an end in microseconds, in order; no frame is received in between."""
        timed = self.folder / "attenuation.txt"
        timed.write_text(f"0 {NEAR}\n" + "".join(
            f"{begin - 1} {NEAR}\n{begin} {FAR}\n{end - 1} {FAR}\n{end} {NEAR}\n" for begin, end in outages))
        matrix = self.folder / "paths.txt"
        matrix.write_text("".join(f'{one} {other} : "{timed}"\n' for one in range(self.devices)
                                  for other in range(self.devices) if one != other))
        phy = [self.programs / "bs_2G4_phy_v1", f"-s={self.name}", f"-D={self.devices + 1}", "-dump_imm", "-v=2",
               "-defmodem=BLE_simple", "-channel=multiatt", "-argschannel", f"-at={NEAR}", f"-file={matrix}"]
        handbrake = [self.programs / "bs_device_handbrake", f"-s={self.name}", f"-d={self.devices}", "-pp=10e3"]
        try:
            with process(phy, self.folder / "phy.log", cwd=self.home), \
                 process(handbrake, self.folder / "handbrake.log", cwd=self.home):
                yield
        finally:
            for left in glob.glob(f"/tmp/bs_*/{self.name}"):
                shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def device(self, number, image, printed, *options):
        """Runs a firmware on the medium until the block ends."""
        with process([image, f"-s={self.name}", f"-d={number}", f"-rs={number + 1}", "-RealEncryption=1",
                      "-no-color", "-v=2", *options], printed, cwd=self.home) as running:
            yield running

    def frames(self):
        """Returns what was sent so far: for each frame the microsecond at which it began, its sender, and the frame
        from its MAC header to its checksum."""
        sent = []
        for number in range(self.devices):
            with contextlib.suppress(FileNotFoundError), \
                 open(self.results / f"d_2G4_{number:02}.Txv2.csv", newline="") as file:
                for row in csv.DictReader(file):
                    with contextlib.suppress(ValueError, TypeError):  # an incomplete line
                        packet = bytes.fromhex(row["packet"])
                        if len(packet) == int(row["packet_size"]) > 1:
                            sent.append((int(row["start_packet_time"]), number, packet[1:]))
        return sorted(sent)

    def count(self):
        """Returns the number of frames sent so far."""
        return len(self.frames())

    def since(self, start):
        """Counts frames, bytes, and the polls among the frames, after the first `start`."""
        frames = [frame for _, _, frame in self.frames()[start:]]
        polls = sum(frame[0] & 7 == 3 for frame in frames)  # a MAC command
        return len(frames), sum(map(len, frames)), polls

    def capture(self, path):
        """Writes the same as a file for Wireshark."""
        with open(path, "wb") as file:
            link_type = 195  # IEEE 802.15.4 with its checksum, tcpdump.org/linktypes.html
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 256, link_type))
            for begin, _, frame in self.frames():
                file.write(struct.pack("<IIII", begin // 1000000, begin % 1000000, len(frame), len(frame)))
                file.write(frame)


def serial_port(printed, running):
    """Returns the terminal of the firmware's first serial port."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r"/dev/pts/\d+", printed.read_text(errors="replace"))):
        if running.poll() is not None or time.monotonic() > deadline:
            sys.exit(printed.read_text(errors="replace") + "\nerror: no serial port")
        time.sleep(0.1)
    return found.group()


def packets(capture, key, *fields):
    """Decodes a capture with tshark and the network's key: a row of fields for each frame."""
    options = ["-o", f'uat:ieee802154_keys:"{key}","1","Thread hash"', "-T", "fields"]
    output = subprocess.run(["tshark", "-r", capture, *options, *[f"-e{field}" for field in fields]],
                            capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in output.splitlines()]
